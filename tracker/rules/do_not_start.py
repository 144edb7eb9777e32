"""A result at which the drug's label says not to begin.

What it flags:
Before the first dose of a course, a result that meets one of the protocol's initiation limits: the latest one,
if it is at most 90 days old. It stays open until a result lies outside the limit. Where treatment was begun all
the same, the last result of the 30 days before the first dose keeps it open, and the sentence says so. A sample
of the day of the first dose counts as taken before it. Each course asks anew.

Why it matters:
The labels ask for these values to be met before a patient is exposed; on treatment other limits hold.

Example:
Haemoglobin 8.9 g/dL before tofacitinib (the limit is below 9.0); exactly 9.0 may start. Lymphocytes of 0.60
10*9/L may start by the US label (0.5) and not by the European one (0.75).

Source:
The line of the protocol, named with each finding. That a result goes stale after 90 days is proposed by the
authors.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from tracker.domain.episodes import (
    Dated,
    Run,
    Verdict,
    at_or_beyond,
    bound_as_reported,
    dated_runs,
    evidence,
    graded,
    low_grades,
    reading,
)
from tracker.domain.findings import URGENT, Finding
from tracker.domain.folding import unique
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import DatedLimit, Limit, Protocol

CODE = "do_not_start"
STALE = timedelta(days=90)


def check(history: History) -> Iterator[Finding]:
    found = (
        finding
        for course, protocol in history.treatments()
        for line in protocol.dated("initiation")
        for finding in _episodes(history, course, protocol, line)
    )
    yield from unique(tuple(found))  # a value that speaks against two courses of one drug is one reason


def _episodes(history: History, course: Course, protocol: Protocol, line: DatedLimit) -> Iterator[Finding]:
    labs = history.labs.get(line.analyte, ())
    judges = [(since, limit, None if limit is None else at_or_beyond(limit)) for since, limit in line.versions]
    if not any(meets(lab) for _, _, meets in judges if meets is not None for lab in labs):
        return
    versions = [
        Dated(since, limit, None if meets is None else _before_the_first_dose(course, meets))
        for since, limit, meets in judges
    ]
    for limit, run in dated_runs(labs, versions):
        if _matters(run, course, protocol, history.as_of):
            yield _finding(history, course, protocol, limit, run)


def _before_the_first_dose(course: Course, meets: Verdict) -> Verdict:
    def verdict(lab: Lab) -> bool | None:
        met = meets(lab)
        return None if met and lab.collected_on > course.started_on else met

    return verdict


def _matters(run: Run, course: Course, protocol: Protocol, as_of: date) -> bool:
    """Whether the last result of the run is near enough to the start to have spoken against it."""
    if not course.started(as_of):
        return run.last.collected_on >= as_of - STALE
    answered = run.cleared_on is not None and run.cleared_on <= course.started_on
    window = STALE if answered else timedelta(days=protocol.baseline_window_days)
    return run.last.collected_on >= course.started_on - window


def _finding(history: History, course: Course, protocol: Protocol, limit: Limit, run: Run) -> Finding:
    levels = graded(run.labs, low_grades(history, run.labs))
    return Finding(
        rule=CODE,
        subject=limit.analyte,
        entry=limit.id,
        severity=URGENT,
        sentence=_sentence(history, course, protocol, limit, run) + levels.worst,
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=_cleared_on(course, run, history.as_of),
        grade=levels.latest,
        grading=history.grading.name if levels.latest is not None else "",
        peak_grade=levels.peak,
        suggested="do_not_start",
        source=limit.origin.source,
        verified=limit.origin.verified,
        yardstick=protocol.under(limit.overlay),
        evidence=evidence(run.labs),
    )


def _cleared_on(course: Course, run: Run, as_of: date) -> date | None:
    """The day of the result that ended it; else the day the course was over, which ends the question too."""
    return run.cleared_on or (course.stopped_on if course.over(as_of) else None)


def _sentence(history: History, course: Course, protocol: Protocol, limit: Limit, run: Run) -> str:
    assert limit.high is not None  # a limit without one is never compared
    figure, unit = bound_as_reported(limit.high, limit.unit, run.last)
    whose = "the clinic's" if limit.overlay else "the"
    below = (
        f"{'at or ' if limit.high_inclusive else ''}below {whose} limit {figure} {unit} for starting {protocol.name}"
    )
    said = f"{reading(history, run.last)}, {below}"
    started = course.started(history.as_of) and (run.cleared_on is None or run.cleared_on > course.started_on)
    return f"{said}; it was started all the same on {course.started_on}" if started else said
