"""A hold that nobody reviewed, or that may end.

What it flags:
A drug held for more than 14 days with neither a test since nor a review date still to come. And a hold whose reason
has passed: the latest value of the analyte for which the label interrupts meets the label's condition to resume, or
the infection is recorded as controlled, and nothing else stands against it. Where the label says "until haemoglobin
is normalised", that is taken as within its range or within 1 g/dL of the baseline.

Why it matters:
A forgotten hold is treatment stopped by nobody. Values taken during a hold count for resuming it, and for nothing
else.

Example:
Neutrophils 1.2 10*9/L meet the condition to resume tofacitinib (> 1000 /uL), held since 2026-03-01

Source:
Resume conditions of the protocol's lines. The 14 days and the reading of "normalised" are proposed by the authors, and
marked as not verified. That a hold under six weeks is not expected to lose regrown hair: Litfulo prescribing
information.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.episodes import (
    Run,
    Verdict,
    at_or_beyond,
    canonical_bound,
    evidence,
    fallen,
    reading,
    runs,
    specimens,
)
from tracker.domain.findings import ROUTINE, SOON, Evidence, Finding
from tracker.domain.history import Course, History, Hold, Lab
from tracker.domain.illness import (
    HOLD,
    STOP,
    Infection,
    asked_for,
    counted_by,
    ended_on,
    grave,
    infections,
    until_resolved,
)
from tracker.domain.protocol import Limit, Protocol, Sourced
from tracker.domain.ranges import INSIDE
from tracker.domain.schedule import HOLD_REVIEW
from tracker.domain.values import plain

CODE = "hold"
DAY = timedelta(days=1)
NORMAL = Decimal(1)  # g/dL, author-proposed
HAIR = "; a hold under 6 weeks is not expected to lose regrown hair"
HAIR_WEEKS = timedelta(weeks=6)


class _Resume(NamedTuple):
    """What lets a hold end: from which day, until when (a worse value), in words, and where that stands. `by`: the
    clinic's version of the list of infections that chose the line.
    """

    subject: str
    entry: str
    met_on: date
    unmet_on: date | None
    starts: str
    says: str
    origin: Sourced
    evidence: tuple[Evidence, ...]
    by: str = ""


def check(history: History) -> Iterator[Finding]:
    """Subject is HOLD, or the analyte or infection whose hold may end."""
    for course, protocol in history.treatments():
        for hold in course.holds:
            if hold.on <= history.as_of:
                yield from _without_review(history, course, protocol, hold)
                yield from _may_resume(history, course, protocol, hold)


# -------------------------------------------------------------------------------------------- no review


def _without_review(history: History, course: Course, protocol: Protocol, hold: Hold) -> Iterator[Finding]:
    """Open from the day after the 14 days, or after the review date; ended by a test, the resume or the stop."""
    opened = max(hold.on + HOLD_REVIEW, hold.review_on or hold.on) + DAY
    closed = min([*_tests_after(history, protocol, hold), *_ends(history, course, hold)], default=None)
    if opened > history.as_of or (closed is not None and closed <= opened):
        return
    review = f"the review date {hold.review_on} has passed" if hold.review_on else "no review date"
    reason = f" ({hold.reason})" if hold.reason else ""
    yield Finding(
        CODE, "HOLD", SOON,
        f"{protocol.title} held since {hold.on}{reason}: no test since, {review}{_hair(protocol, hold)}",
        opened, closed or opened, hold.on.isoformat(), "no_review", closed,
        source="author-proposed: an open hold is reviewed within 14 days", verified=False,
        yardstick=protocol.yardstick, evidence=(Evidence("hold", hold.reason or "held", "", hold.on),),
    )  # fmt: skip


def _tests_after(history: History, protocol: Protocol, hold: Hold) -> list[date]:
    """The first test after the hold of each analyte that the protocol limits."""
    codes = {limit.analyte for limit in protocol.on_treatment}
    firsts = (next((lab for lab in history.labs.get(c, ()) if lab.collected_on > hold.on), None) for c in codes)
    return [lab.collected_on for lab in firsts if lab is not None]


def _ends(history: History, course: Course, hold: Hold) -> list[date]:
    ends = (hold.until, course.stopped_on)
    return [day for day in ends if day is not None and day <= history.as_of]


def _hair(protocol: Protocol, hold: Hold) -> str:
    short = hold.until is None or hold.until - hold.on < HAIR_WEEKS
    return HAIR if protocol.name == "ritlecitinib" and short else ""


# ------------------------------------------------------------------------------------------- may resume


def _may_resume(history: History, course: Course, protocol: Protocol, hold: Hold) -> Iterator[Finding]:
    """One finding for each reason of the hold, once every one of them has passed and nothing else stands against it."""
    ends = _ends(history, course, hold)
    last = min(ends, default=history.as_of)
    ill = [
        i for i in infections(history) if grave(asked_for(i, protocol)) and _ill_on(history, i, protocol, hold, last)
    ]
    cured = [_by_cure(history, infection, protocol) for infection in ill]
    stretches = [
        _by_values(history, course, protocol, limit, hold, last) for limit in _reasons(history, course, protocol, hold)
    ]
    current = [*cured, *(met[-1] if met and met[-1].unmet_on is None else None for met in stretches)]
    passed = [resume for resume in current if resume is not None]
    if len(passed) == len(current) and not _stands_against(history, course, protocol, last):
        opened = max((resume.met_on for resume in passed), default=hold.on)
        for resume in passed:
            yield _resume_finding(protocol, hold, resume._replace(met_on=opened), min(ends, default=None))
    if len(stretches) == 1 and not ill:
        for resume in stretches[0]:
            if resume.unmet_on is not None:
                yield _resume_finding(protocol, hold, resume, resume.unmet_on)


def _resume_finding(protocol: Protocol, hold: Hold, resume: _Resume, closed: date | None) -> Finding:
    return Finding(
        CODE, resume.subject, ROUTINE, f"{resume.says}, held since {hold.on}{_hair(protocol, hold)}", resume.met_on,
        closed or resume.met_on, resume.starts, resume.entry, closed, suggested="resume", source=resume.origin.source,
        verified=resume.origin.verified, yardstick=protocol.under(resume.by), evidence=resume.evidence,
    )  # fmt: skip


# ------------------------------------------------------------------------------------- by an infection's end


def _over_since(history: History, infection: Infection, protocol: Protocol) -> date | None:
    resolved_only = until_resolved(infection, protocol)
    return ended_on(infection.event, history.as_of, history.vocabulary.over, resolved_only)


def _ill_on(history: History, infection: Infection, protocol: Protocol, hold: Hold, last: date) -> bool:
    """Whether the infection was active on some day of the hold."""
    over = _over_since(history, infection, protocol)
    return (infection.event.onset_on or hold.on) <= last and (over is None or over >= hold.on)


def _by_cure(history: History, infection: Infection, protocol: Protocol) -> _Resume | None:
    over = _over_since(history, infection, protocol)
    if over is None:
        return None
    line = asked_for(infection, protocol)
    fact = Evidence("infection", infection.name, "", infection.event.onset_on or over, note=f"over since {over}")
    says = f"{infection.name[:1].upper()}{infection.name[1:]} over since {over}; {protocol.title}"
    by = counted_by(infection, protocol)
    return _Resume(infection.name, line.event, over, None, infection.starts, says, line.origin, (fact,), by)


# ----------------------------------------------------------------------------------------- by the values


def _meets(history: History, course: Course, limit: Limit) -> Verdict:
    """Whether a value meets a limit; never, where that cannot be compared."""
    if limit.measure:
        verdict = fallen(history.baseline(course, limit.analyte), limit)
    else:
        verdict = at_or_beyond(limit)
    return verdict or (lambda _lab: False)


def _reasons(history: History, course: Course, protocol: Protocol, hold: Hold) -> list[Limit]:
    """The limits at which the label interrupts that the last value before the hold met, one an analyte."""
    found: dict[str, Limit] = {}
    for limit in protocol.on_treatment:
        labs = history.labs.get(limit.analyte, ())
        before = [lab for lab in labs if course.started_on <= lab.collected_on <= hold.on]
        if limit.action == HOLD and before and _meets(history, course, limit)(before[-1]):
            found.setdefault(limit.analyte, limit)
    return list(found.values())


def _by_values(
    history: History, course: Course, protocol: Protocol, limit: Limit, hold: Hold, last: date
) -> list[_Resume]:
    """The stretches of values during the hold that meet the condition to resume."""
    again = [
        _meets(history, course, other) for other in protocol.on_treatment
        if other.analyte == limit.analyte and other.action in (HOLD, STOP)
    ]  # fmt: skip
    baseline = history.baseline(course, limit.analyte)

    def recovered(lab: Lab) -> bool | None:
        return False if any(meets(lab) for meets in again) else _recovered(limit, baseline, lab)

    labs = [lab for lab in history.labs.get(limit.analyte, ()) if hold.on < lab.collected_on <= last]
    return [_resume(history, protocol, limit, run) for run in runs(labs, recovered)]


def _recovered(limit: Limit, baseline: Lab | None, lab: Lab) -> bool | None:
    """Whether a value meets the condition to resume; None where that cannot be decided."""
    if limit.resume_value is not None:
        bound = canonical_bound(limit.resume_value, limit.unit)
        return None if bound is None else lab.above(bound, limit.resume_op == ">=")
    if lab.place == INSIDE:
        return True
    if baseline is None or baseline.value is None:
        return None if lab.place is None else False
    return lab.above(baseline.value - NORMAL, inclusive=True)


def _resume(history: History, protocol: Protocol, limit: Limit, run: Run) -> _Resume:
    condition = "normalised: in its range, or within 1 g/dL of the baseline"
    if limit.resume_value is not None:
        condition = f"{limit.resume_op} {plain(limit.resume_value)} {limit.unit}"
    return _Resume(
        limit.analyte, limit.id, run.first.collected_on, run.cleared_on, run.first.collected_at.isoformat(),
        f"{reading(history, run.last)} meets the condition to resume {protocol.title} ({condition})",
        limit.origin if limit.resume_value is not None else limit.origin._replace(verified=False),
        evidence(run.labs),
    )  # fmt: skip


# --------------------------------------------------------------------------------------- what stands against it


def _stands_against(history: History, course: Course, protocol: Protocol, last: date) -> bool:
    """Whether the latest values meet a limit to stop, or the label said discontinue before: nothing to resume."""
    for limit in protocol.on_treatment:
        labs = history.labs.get(limit.analyte, ()) if limit.action == STOP else ()
        known = [lab for lab in labs if course.started_on < lab.collected_on <= last]
        for run in runs(known, _meets(history, course, limit)):
            needed = limit.needed if limit.confirm else 1
            if run.ended_by is None or specimens(run.labs, needed) >= needed:
                return True
    return False
