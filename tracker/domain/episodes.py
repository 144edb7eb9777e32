"""Runs of results: where an episode begins, what belongs to it, what ends it, whether a repeat confirmed it.

A verdict on a result is True (meets the criterion), False (certainly outside it) or None (cannot be decided, or
does not count): None neither joins a run nor ends it. Results are oldest first, as in a History.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from tracker.domain.dates import Span, add
from tracker.domain.findings import (
    CONFIRMED,
    INFO,
    NEEDS_REPEAT,
    NOT_CONFIRMED,
    REPEAT_OVERDUE,
    ROUTINE,
    SOON,
    URGENT,
    Evidence,
)
from tracker.domain.history import WASHOUT, Course, History, Lab
from tracker.domain.protocol import Limit
from tracker.domain.ranges import Range
from tracker.domain.units import normal_unit
from tracker.domain.values import plain, shown

KEPT = 20  # an episode of years keeps its first result and this many of the last
SEVERITY_OF_GRADE = {1: INFO, 2: ROUTINE, 3: SOON, 4: URGENT}

Verdict = Callable[[Lab], bool | None]


class Run(NamedTuple):
    """Consecutive results that meet a criterion, and the result that ended the run, None while it lasts."""

    labs: tuple[Lab, ...]
    ended_by: Lab | None

    @property
    def first(self) -> Lab:
        return self.labs[0]

    @property
    def last(self) -> Lab:
        return self.labs[-1]

    @property
    def cleared_on(self) -> date | None:
        return self.ended_by.collected_on if self.ended_by else None


def same_time(one: Lab, other: Lab) -> bool:
    return one.collected_at == other.collected_at


def runs(labs: Iterable[Lab], meets: Verdict, same: Callable[[Lab, Lab], bool] = same_time) -> Iterator[Run]:
    """The runs in a series. A result that is the `same` sample as the last member never ends its run."""
    members: list[Lab] = []
    for lab in labs:
        verdict = meets(lab)
        if verdict:
            members.append(lab)
        elif verdict is False and members and not same(members[-1], lab):
            yield Run(tuple(members), lab)
            members = []
    if members:
        yield Run(tuple(members), None)


Yardstick = TypeVar("Yardstick")


class Dated(NamedTuple, Generic[Yardstick]):
    """A version of a limit with its verdict on a result and the first day it judges; no verdict: it judges none."""

    since: date
    limit: Yardstick | None
    meets: Verdict | None


def dated_runs(
    labs: Iterable[Lab], versions: Sequence[Dated[Yardstick]], same: Callable[[Lab, Lab], bool] = same_time
) -> Iterator[tuple[Yardstick, Run]]:
    """The runs in a series whose limit changed: each is judged, to its end, by the version of its first day.

    So a version never reaches back, and a run that began before it is not cut in two.
    """
    if len(versions) == 1:
        _, limit, meets = versions[0]
        if limit is not None and meets is not None:
            yield from ((limit, run) for run in runs(labs, meets, same))
        return
    members: list[Lab] = []
    version = versions[0]
    for lab in labs:
        verdict = version.meets(lab) if members and version.meets else None
        if verdict is False and version.limit is not None and not same(members[-1], lab):
            yield version.limit, Run(tuple(members), lab)
            members = []
        if not members:
            version = _of_day(versions, lab.collected_on)
            verdict = version.meets(lab) if version.meets else None
        if verdict:
            members.append(lab)
    if members and version.limit is not None:
        yield version.limit, Run(tuple(members), None)


def _of_day(versions: Sequence[Dated[Yardstick]], day: date) -> Dated[Yardstick]:
    return next((held for held in reversed(versions) if held.since <= day), versions[0])


# ------------------------------------------------------------------------------------------ confirmation


class Confirmation(NamedTuple):
    """Where a finding that asks for a repeat stands; `due_on` (inclusive) only while the repeat is awaited."""

    state: str | None
    due_on: date | None


NOT_ASKED = Confirmation(None, None)


def specimens(labs: Iterable[Lab], enough: int) -> int:
    """How many different specimens the results come from, counted up to `enough`."""
    different: list[Lab] = []
    for lab in labs:
        if not any(lab.same_specimen(other) for other in different):
            different.append(lab)
            if len(different) == enough:
                break
    return len(different)


def confirmation(counting: Sequence[Lab], needed: int, within: Span, ended: bool, as_of: date) -> Confirmation:
    """The state of a run in which `counting` (at least one result) bear witness, when `needed` specimens must.

    The repeat is due `within` the span after the first; a late one confirms all the same.
    """
    if specimens(counting, needed) >= needed:
        return Confirmation(CONFIRMED, None)
    if ended:
        return Confirmation(NOT_CONFIRMED, None)
    due_on = add(counting[0].collected_on, within)
    return Confirmation(NEEDS_REPEAT if as_of <= due_on else REPEAT_OVERDUE, due_on)


def repeat_by(name: str, repeat: Confirmation) -> str:
    """Whose version sets the day of a repeat that is awaited; "" where none does, or there is none."""
    return f"repeat time by {name}" if name and repeat.due_on is not None else ""


# ------------------------------------------------------------------------------------ the protocol's limits

# A limit is never converted by a factor, only by moving the decimal point: what one of these units is of the
# unit in which such analytes are compared (counts 10*9/L, haemoglobin g/dL).
_DECIMAL_POINTS = {
    "10*9/L": Decimal(1), "10*3/uL": Decimal(1), "/uL": Decimal("0.001"), "10*6/L": Decimal("0.001"),
    "g/dL": Decimal(1), "g/L": Decimal("0.1"), "U/L": Decimal(1), "mg/dL": Decimal(1), "%": Decimal(1),
    "mL/min": Decimal(1), "mL/min/{1.73_m2}": Decimal(1), "": Decimal(1),
}  # fmt: skip


def canonical_bound(figure: Decimal, unit: str) -> Decimal | None:
    """A protocol's figure in the canonical unit; None where more than a decimal point would have to move."""
    size = _DECIMAL_POINTS.get(unit) or _DECIMAL_POINTS.get(normal_unit(unit))
    return None if size is None else figure * size


def bound_as_reported(figure: Decimal, unit: str, lab: Lab) -> tuple[str, str]:
    """A protocol's figure and its unit, for reading: in the result's unit where only the point moves."""
    wanted, printed = _DECIMAL_POINTS.get(normal_unit(lab.unit)), _DECIMAL_POINTS.get(normal_unit(unit))
    if wanted is None or printed is None:
        return plain(figure), unit
    if wanted == printed:
        return plain(figure), lab.unit
    text = plain((figure * printed / wanted).normalize())
    return (f"{text}.0" if len(text) == 1 else text), lab.unit


def at_or_beyond(limit: Limit) -> Verdict | None:
    """Does a result meet a limit on the value, the far side of a band included? None: not comparable."""
    if limit.high is None:
        return None
    high, inclusive = canonical_bound(limit.high, limit.unit), limit.high_inclusive
    if high is None:
        return None
    return lambda lab: lab.below(high, inclusive)


def past_band(limit: Limit) -> Verdict:
    """Is a result certainly worse than a band reaches? Never for a limit that is not a band."""
    low = None if limit.low is None else canonical_bound(limit.low, limit.unit)
    if low is None:
        return lambda _lab: False
    return lambda lab: lab.below(low, not limit.low_inclusive)


def fallen(baseline: Lab | None, limit: Limit) -> Verdict | None:
    """Is a result further below the baseline than the limit allows? None without a baseline."""
    fall = None if limit.above is None else canonical_bound(limit.above, limit.unit)
    if fall is None or baseline is None or baseline.value is None:
        return None
    threshold = baseline.value - fall
    return lambda lab: lab.below(threshold)


def last_day_of_effect(history: History, course: Course) -> date:
    """The last day of a result that can be this course's: washout, or the first dose of the next watched course."""
    days = [other.started_on for other, _ in history.treatments() if other.started_on > course.started_on]
    if course.stopped_on is not None:
        days.append(course.stopped_on + WASHOUT)
    return min(days, default=date.max)


# --------------------------------------------------------------------------------------------- grades


class Graded(NamedTuple):
    """A run's grades: of its latest result, the worst, and the first day of the worst; None: not gradable."""

    latest: int | None
    peak: int | None
    peak_on: date | None

    @property
    def worst(self) -> str:
        """The end of a sentence where an earlier result was worse than the latest; else empty."""
        if self.peak is None or self.latest is None or self.peak <= self.latest:
            return ""
        return f"; worst in this episode: grade {self.peak} on {self.peak_on}"


def graded(labs: Sequence[Lab], grades: Sequence[int | None]) -> Graded:
    """`grades` belong to `labs` one to one."""
    known = [(grade, -place) for place, grade in enumerate(grades) if grade is not None]
    if not known:
        return Graded(None, None, None)
    peak, place = max(known)
    return Graded(grades[-1], peak, labs[-place].collected_on)


def low_grades(history: History, labs: Sequence[Lab]) -> tuple[int | None, ...]:
    """The grade of each result for being low."""
    return tuple(history.grades(lab)[0].grade for lab in labs)


# ---------------------------------------------------------------------------------------------- words


def kept(labs: Sequence[Lab]) -> Sequence[Lab]:
    """The results a finding keeps: all, or the first and the last twenty."""
    return labs if len(labs) <= KEPT + 1 else (labs[0], *labs[-KEPT:])


def evidence(labs: Sequence[Lab], notes: Callable[[Lab], str] | None = None) -> tuple[Evidence, ...]:
    """The results of a run as a finding keeps them, oldest first, each with what was worked out from it."""
    return tuple(lab.evidence(notes(lab) if notes else "") for lab in kept(labs))


def reading(history: History, lab: Lab) -> str:
    """`Neutrophils 0.46 10*9/L`: name, value and unit as reported; a unit that only repeats the name is left out.

    A lipid or glucose of a sample known to be fasting, or not, says that.
    """
    unit = "" if lab.unit.startswith("{") else lab.unit
    return f"{history.name(lab.analyte)} {lab.shown} {_spoken(unit)}".rstrip() + (f" ({lab.meal})" if lab.meal else "")


def _spoken(unit: str) -> str:
    """The unit of a standard body without the braces that only its code has."""
    return unit.replace("{1.73_m2}", "1.73 m2")


def bounds(limits: Range) -> str:
    """`>= 2.0 and <= 8.25 10*9/L`, for reading: without the tail of digits that a converted bound has."""
    low = "" if limits.low is None else f"{'>=' if limits.low_inclusive else '>'} {shown(limits.low)}"
    high = "" if limits.high is None else f"{'<=' if limits.high_inclusive else '<'} {shown(limits.high)}"
    return f"{' and '.join(filter(None, (low, high)))} {_spoken(limits.unit)}".rstrip()


def within(days: int, one: date, other: date) -> bool:
    return abs(one - other) <= timedelta(days=days)
