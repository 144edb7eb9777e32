"""Why a result could not be judged: no range, a unit nobody knows, no number, a bound that may lie on either side."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tracker.domain.episodes import at_or_beyond, bounds, fallen
from tracker.domain.findings import INFO, ROUTINE, SOON
from tracker.domain.grading import NO_TERM, Limits, Version, scales
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import FALL_FROM_BASELINE, Limit, Protocol
from tracker.domain.schedule import INITIATION_MAX_AGE

NO_RANGE, SEX, AGE, UNIT, UNDECIDABLE, NO_NUMBER = "no_range", "sex", "age", "unit", "undecidable", "no_number"

MEASURED = ("low", "high", "both")  # directions of concern that a number is judged by
SIDES = {"low": (0,), "high": (1,), "both": (0, 1)}  # of the pair of grades


# Indices and acute-phase values that only their range judges: no limit, pair or dose rests on them.
SECONDARY = frozenset(
    {"AMC", "EOS", "BASO", "HCT", "RBC", "MCV", "MCHC", "NEUT_PCT", "LYMPH_PCT", "NONHDL", "GGT", "ALB", "CRP", "ESR"}
)


class Gap(NamedTuple):
    """One reason why a result could not be judged.

    `limit`: a limit of the running treatment, or for starting one, is concerned; `minor`: all but a grade could be
    judged, or nothing but the range judges it.
    """

    entry: str
    words: str
    limit: bool = False
    minor: bool = False

    @property
    def severity(self) -> str:
        return SOON if self.limit else INFO if self.minor else ROUTINE


def plain(history: History, lab: Lab) -> bool:
    """The common case: a number in a known unit, with a range, that can be graded."""
    limits = lab.limits
    if limits is None or lab.value is None or lab.comparator:
        return False
    concern = history.concern[lab.analyte]
    return not _obstacle(
        history.grading, lab.analyte, lab.unit, concern, (limits.low is not None, limits.high is not None)
    )


@lru_cache(maxsize=4096)
def _obstacle(grading: Version, analyte: str, unit: str, concern: str, bounds: tuple[bool, bool]) -> bool:
    """Whether an unremarkable value in this unit, with these bounds known, could not be graded."""
    low, high = (Decimal(1) if known else None for known in bounds)
    both = scales(grading, analyte, unit, Limits(low, high))
    verdicts = [both[side].otherwise for side in SIDES[concern]]
    return any(verdict.grade is None and not verdict.reason.startswith(NO_TERM) for verdict in verdicts)


class _Bound(NamedTuple):
    """A limit of a course that a result is held against, and what it is called."""

    course: Course
    limit: Limit
    name: str


def _watched(lab: Lab, courses: Sequence[tuple[Course, Protocol]], as_of: date) -> list[_Bound]:
    """The limits of a running course for what was sampled on it, those for starting for what was sampled before."""
    found: list[_Bound] = []
    for course, protocol in courses:
        if lab.collected_on > course.started_on:
            lines, name = protocol.on_treatment if course.started(as_of) else (), "the action limit"
        else:
            recent = lab.collected_on >= course.started_on - INITIATION_MAX_AGE
            lines, name = protocol.initiation if recent else (), f"the limit for starting {protocol.name},"
        found += [
            _Bound(course, limit, name) for limit in lines if limit.analyte == lab.analyte and not limit.condition
        ]
    return found


def gaps_of(history: History, lab: Lab, courses: Sequence[tuple[Course, Protocol]]) -> list[Gap]:
    """What could not be judged of a result, one gap an entry. `courses` are those that run or are planned."""
    watched = _watched(lab, courses, history.as_of)
    if lab.figure is None:
        return [Gap(NO_NUMBER, "the result is not a number", bool(watched))]
    found: list[Gap] = []
    if lab.value is None:
        told = f"“{lab.unit}”" if lab.unit else "no unit"
        found.append(Gap(UNIT, f"{told} is not a unit in which it is recorded", bool(watched)))
    elif lab.limits is None and not lab.computed:
        found.append(_range_gap(lab))
    ungraded = _ungraded(history, lab)
    found += [gap for reason in ungraded if lab.limits and (gap := _grade_gap(reason))]
    found += _undecided(history, lab, watched, any(reason.startswith(UNDECIDABLE) for reason in ungraded))
    return list({gap.entry: gap for gap in reversed(found)}.values())[::-1]


def _range_gap(lab: Lab) -> Gap:
    why = lab.no_range
    entry = SEX if "depends on sex" in why else AGE if "depends on age" in why else NO_RANGE
    return Gap(entry, why or "no reference range is printed or configured", minor=lab.analyte in SECONDARY)


def _grade_gap(reason: str) -> Gap | None:
    """A unit without published cuts, or a bound of the range that is missing; a missing baseline is told elsewhere."""
    if "unit" in reason:
        return Gap(UNIT, f"it cannot be graded: {reason}", minor=True)
    return Gap(NO_RANGE, f"it cannot be graded: {reason}") if "limit of normal" in reason else None


def _ungraded(history: History, lab: Lab) -> list[str]:
    """Why a result has no grade in a direction of concern that has a term."""
    grades = history.grades(lab)
    sides = (grades[side] for side in SIDES[history.concern[lab.analyte]])
    return [found.reason for found in sides if found.grade is None and not found.reason.startswith(NO_TERM)]


def _undecided(history: History, lab: Lab, watched: Sequence[_Bound], grade: bool) -> list[Gap]:
    """What a censored value leaves open, in one gap: limits, then the range, then the grade."""
    if not lab.comparator:
        return []
    limits = [f"{bound.name} {bound.limit.words}" for bound in watched if _verdict_open(history, bound, lab)]
    against = list(dict.fromkeys(limits))
    if lab.limits is not None and lab.place is None:
        against.append(f"the reference range {bounds(lab.limits)}")
    if grade:
        against.append(f"the {history.grading.name} grade")
    return [Gap(UNDECIDABLE, f"open against {', and '.join(against)}", bool(limits))] if against else []


def _verdict_open(history: History, bound: _Bound, lab: Lab) -> bool:
    limit = bound.limit
    falls = limit.measure == FALL_FROM_BASELINE
    meets = fallen(history.baseline(bound.course, lab.analyte), limit) if falls else at_or_beyond(limit)
    return meets is not None and lab.value is not None and meets(lab) is None
