"""A result at or beyond a limit at which the drug's label acts during treatment.

What it flags:
Runs of results at or beyond an on-treatment limit of the course's protocol, or further below the course's
baseline than the label allows. Results count after the day of the first dose (that day's sample is a baseline)
and up to seven days after the last dose; later ones can only end an episode. A limit that is a band is reported
once a result lies in the band; a worse one never ends it. Where the label asks for a repeat, the first result
waits for one (seven days unless the label says otherwise): a second specimen at the limit confirms, the first
outside it clears. Where it asks for persistence, results of days on which the drug was held are shown and do not
count.

Why it matters:
These are the label's own limits, absolute figures that no laboratory's range moves. At them treatment is
interrupted or ended.

Example:
Neutrophils 0.98 10*9/L and then 0.95 on tofacitinib: the label says to interrupt at 0.5 to 1.0 when persistent.
Exactly 1.0 is in that band, and is no reason to interrupt baricitinib (below 1.0).

Source:
The line of the protocol, named with each finding, with whether a second public source bore the figure out.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tracker.domain.episodes import (
    NOT_ASKED,
    Confirmation,
    Dated,
    Run,
    Verdict,
    at_or_beyond,
    bound_as_reported,
    confirmation,
    dated_runs,
    evidence,
    fallen,
    graded,
    last_day_of_effect,
    low_grades,
    past_band,
    reading,
    repeat_by,
)
from tracker.domain.findings import CONFIRMED, SOON, URGENT, Evidence, Finding
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import FALL_FROM_BASELINE, PERSISTENT, DatedLimit, Limit, Protocol
from tracker.domain.values import shown

CODE = "action_limit"


class _Watch(NamedTuple):
    """One limit over one course."""

    course: Course
    protocol: Protocol
    limit: Limit
    baseline: Lab | None


def check(history: History) -> Iterator[Finding]:
    for course, protocol in history.treatments():
        for line in protocol.dated("on_treatment") if course.started(history.as_of) else ():
            labs = history.labs.get(line.analyte)
            if labs:
                yield from _episodes(history, course, protocol, line, labs)


def _episodes(
    history: History, course: Course, protocol: Protocol, line: DatedLimit, labs: Sequence[Lab]
) -> Iterator[Finding]:
    falls = any(limit is not None and limit.measure == FALL_FROM_BASELINE for _, limit in line.versions)
    baseline = history.baseline(course, line.analyte) if falls else None
    judges = [(since, limit, _verdict(limit, baseline)) for since, limit in line.versions]
    treated = [lab for lab in labs if lab.collected_on > course.started_on]
    if not any(meets(lab) for _, _, meets in judges if meets is not None for lab in treated):
        return
    versions = [
        Dated(since, limit, None if meets is None else _while_in_effect(history, course, meets))
        for since, limit, meets in judges
    ]
    for limit, run in dated_runs(treated, versions, Lab.same_specimen):
        finding = _finding(history, _Watch(course, protocol, limit, baseline), run)
        if finding is not None:
            yield finding


def _verdict(limit: Limit | None, baseline: Lab | None) -> Verdict | None:
    if limit is None:
        return None
    return fallen(baseline, limit) if limit.measure == FALL_FROM_BASELINE else at_or_beyond(limit)


def _while_in_effect(history: History, course: Course, meets: Verdict) -> Verdict:
    """Results after the drug has washed out can end an episode, and not join or begin one."""
    until = last_day_of_effect(history, course)

    def verdict(lab: Lab) -> bool | None:
        met = meets(lab)
        return None if met and lab.collected_on > until else met

    return verdict


def _finding(history: History, watch: _Watch, run: Run) -> Finding | None:
    """The finding of a run; None while nothing lies in the band, or only results of held days ask for persistence."""
    limit, course = watch.limit, watch.course
    past = past_band(limit)
    counting = run.labs
    if limit.confirm == PERSISTENT:
        counting = tuple(lab for lab in run.labs if course.on_treatment(lab.collected_on))
    if not counting or all(past(lab) for lab in run.labs):
        return None
    repeat = _repeat(limit, counting, run, history)
    grades = graded(run.labs, low_grades(history, run.labs))
    return Finding(
        rule=CODE,
        subject=limit.analyte,
        entry=limit.id,
        severity=_severity(limit.action, repeat),
        sentence=_sentence(history, watch, run) + grades.worst,
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        grade=grades.latest,
        grading=history.grading.name if grades.latest is not None else "",
        peak_grade=grades.peak,
        confirmation=repeat.state,
        suggested=limit.action,
        due_on=repeat.due_on,
        source=limit.origin.source,
        verified=limit.origin.verified,
        yardstick=watch.protocol.under(limit.overlay),
        evidence=_evidence(history, watch, run),
    ).under(repeat_by(limit.window_by, repeat))


def _repeat(limit: Limit, counting: Sequence[Lab], run: Run, history: History) -> Confirmation:
    if not limit.confirm:
        return NOT_ASKED
    needed = limit.needed if limit.confirm == PERSISTENT else 2
    return confirmation(counting, needed, limit.confirm_within, run.ended_by is not None, history.as_of)


def _evidence(history: History, watch: _Watch, run: Run) -> tuple[Evidence, ...]:
    grades = dict(zip(map(id, run.labs), low_grades(history, run.labs), strict=True))

    def note(lab: Lab) -> str:
        grade = grades[id(lab)]
        held = "" if watch.course.on_treatment(lab.collected_on) else "held"
        return ", ".join(filter(None, ("" if grade is None else f"grade {grade}", held)))

    seen = evidence(run.labs, note)
    return seen if watch.baseline is None else (watch.baseline.evidence("baseline"), *seen)


def _severity(action: str, repeat: Confirmation) -> str:
    if action == "stop":
        return URGENT
    return URGENT if action == "hold" and repeat.state in (None, CONFIRMED) else SOON


# ------------------------------------------------------------------------------------------------------ words


def _sentence(history: History, watch: _Watch, run: Run) -> str:
    said = _fall(watch, run.last) if watch.baseline is not None else _bound(watch.limit, run.last)
    state = "" if run.ended_by else _state_of(watch.course, history)
    return f"{reading(history, run.last)}, {said}{state}"


def _bound(limit: Limit, lab: Lab) -> str:
    """`below the action limit 0.5 10*9/L`, `in the action band >= 0.5 and <= 1.0 10*9/L`; a clinic's own is named."""
    assert limit.high is not None  # a limit without one is never compared
    high, unit = bound_as_reported(limit.high, limit.unit, lab)
    whose = "the clinic's" if limit.overlay else "the"
    if limit.low is None:
        return f"{'at or ' if limit.high_inclusive else ''}below {whose} action limit {high} {unit}"
    low, _ = bound_as_reported(limit.low, limit.unit, lab)
    at_least, at_most = ">=" if limit.low_inclusive else ">", "<=" if limit.high_inclusive else "<"
    place = "below" if past_band(limit)(lab) else "in"
    return f"{place} {whose} action band {at_least} {low} and {at_most} {high} {unit}"


def _fall(watch: _Watch, lab: Lab) -> str:
    """`2.1 g/dL below the baseline 14.0 g/dL of 2026-01-02 (limit: a fall from baseline > 2.0 g/dL)`."""
    baseline, limit = watch.baseline, watch.limit
    assert baseline is not None
    assert baseline.value is not None
    assert baseline.figure is not None
    same = baseline.unit == lab.unit
    by = baseline.figure - (lab.figure or 0) if same else baseline.value - (lab.value or 0)
    fall = f"{'more than ' if lab.comparator else ''}{shown(by)} {lab.unit if same else limit.unit}"
    from_day = f"the baseline {baseline.shown} {baseline.unit} of {baseline.collected_on}"
    return f"{fall} below {from_day} (limit: {limit.words})"


def _state_of(course: Course, history: History) -> str:
    """What has been done already, as far as it is known: the finding stays open until a result ends it."""
    if course.over(history.as_of):
        return f"; the course ended on {course.stopped_on}"
    hold = course.hold_on(history.as_of)
    return f"; held since {hold.on}" if hold else ""
