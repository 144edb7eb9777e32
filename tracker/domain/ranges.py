"""Reference ranges: bounds that say whether they are inclusive, and which range judges a result."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.values import above, below, plain, shown

SHOWN_DIGITS = 6  # a clinic's bound converted to the unit of a result has a tail nobody reads
SET_DIGITS = 4  # nobody sets a bound to more significant digits: zeros beyond them are the factor's
STARTER_FROM = date(1900, 1, 1)  # the starter set is in force from the beginning, until the clinic says otherwise
LONG_AGO = datetime.min.replace(tzinfo=UTC)
PRINTED, LABORATORY, CLINIC = "printed", "laboratory", "clinic"


class Range(NamedTuple):
    """A yardstick of the first layer. Bounds are in `unit`; None is an open side.

    `origin` says where it came from: printed with the result, configured for that laboratory, or the clinic's default.
    `first_by` names the clinic's version that put it before the range that was printed too.
    """

    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    unit: str
    origin: str
    id: int | None = None
    first_by: str = ""

    @property
    def low_text(self) -> str:
        return "" if self.low is None else f"{'>=' if self.low_inclusive else '>'} {_figure(self.low)}"

    @property
    def high_text(self) -> str:
        return "" if self.high is None else f"{'<=' if self.high_inclusive else '<'} {_figure(self.high)}"


def _figure(bound: Decimal) -> str:
    """The bound for reading: `0.50` as it was set, and `44.2100`, which a factor made of it, as `44.21`."""
    text = shown(bound, SHOWN_DIGITS)
    tail = len(bound.as_tuple().digits) > SET_DIGITS and "." in text
    return text.rstrip("0").rstrip(".") if tail else text


LOW, HIGH, INSIDE = "low", "high", "inside"
OPEN = "open"  # of a value beside its range: on which side it lies is not known


def place(comparator: str, figure: Decimal, yardstick: Range) -> str | None:
    """Where the value lies: low, high or inside; None where a censored value leaves it open. A bound belongs to its
    operator.
    """
    is_low: bool | None = False
    if yardstick.low is not None:
        is_low = below(comparator, figure, yardstick.low, inclusive=not yardstick.low_inclusive)
        if is_low:
            return LOW
    is_high: bool | None = False
    if yardstick.high is not None:
        is_high = above(comparator, figure, yardstick.high, inclusive=not yardstick.high_inclusive)
        if is_high:
            return HIGH
    return None if is_low is None or is_high is None else INSIDE


class ConfiguredRange(NamedTuple):
    """One line of a clinic's range table. `laboratory` and `sex` are "" for any; ages in completed years, `age_to`
    exclusive.
    """

    id: int
    analyte: str
    laboratory: str
    sex: str
    age_from: int | None
    age_to: int | None
    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    unit: str
    effective_from: date
    published_at: datetime = LONG_AGO

    @property
    def turn(self) -> tuple[date, datetime, int]:
        """Of two versions of one line begun by a day, the one with the later turn is in force: of one day the one that
        was published last.
        """
        return (self.effective_from, self.published_at, self.id)

    def fits(self, sex: str, age: int | None) -> bool | None:
        """Whether the line covers this person; None where an unknown sex or age leaves it open."""
        answers = []
        if self.sex:
            answers.append(None if sex not in ("female", "male") else sex == self.sex)
        if self.age_from is not None or self.age_to is not None:
            answers.append(
                None if age is None else (self.age_from or 0) <= age and (self.age_to is None or age < self.age_to)
            )
        if False in answers:
            return False
        return None if None in answers else True

    @property
    def scope(self) -> tuple[str, str, str, int | None, int | None]:
        """What a later version of the same line shares with it."""
        return (self.analyte, self.laboratory, self.sex, self.age_from, self.age_to)

    @property
    def ended(self) -> bool:
        """Without any bound: from its day on the clinic has no line of its own here."""
        return self.low is None and self.high is None

    @property
    def specificity(self) -> tuple[bool, int]:
        """Sex before age; a narrower span of ages before a wider one."""
        width = (self.age_to if self.age_to is not None else 200) - (self.age_from or 0)
        return (bool(self.sex), -width)

    def as_range(self) -> Range:
        origin = LABORATORY if self.laboratory else CLINIC
        return Range(self.low, self.low_inclusive, self.high, self.high_inclusive, self.unit, origin, self.id)


def standing(candidates: Iterable[ConfiguredRange], on: date) -> list[ConfiguredRange]:
    """The lines of which a version is in force on a day. One that ended (no bounds) leaves the starter set's of the
    same line, where there is one.
    """
    in_force: dict[tuple[str, str, str, int | None, int | None], ConfiguredRange] = {}
    starters = {}
    for line in candidates:
        if line.effective_from <= on:
            held = in_force.get(line.scope)
            if held is None or line.turn > held.turn:
                in_force[line.scope] = line
            if line.effective_from == STARTER_FROM:
                starters[line.scope] = line
    held_lines = (starters.get(scope) if line.ended else line for scope, line in in_force.items())
    return [line for line in held_lines if line is not None]


def choose(candidates: Iterable[ConfiguredRange], sex: str, age: int | None, on: date) -> tuple[Range | None, str]:
    """The configured range that judges a sample, and the reason where there is none.

    `candidates` are the lines of one analyte for one laboratory (or of the clinic, for any laboratory), in any order.
    The version in force on the sample's day, then the most specific by sex and age at that day. The starter set gives
    way to any line of the clinic's own that fits. A tie is a configuration error and is said, not broken silently; so
    is a line that would come first if only the sex or the age were known.
    """
    in_force = standing(candidates, on)
    fitting = sorted((line for line in in_force if line.fits(sex, age)), key=rank, reverse=True)
    unsettled = [
        line for line in in_force
        if line.fits(sex, age) is None and (not fitting or rank(line) > rank(fitting[0]))
    ]  # fmt: skip
    if unsettled:
        sexed = sex not in ("female", "male") and any(line.sex for line in unsettled)
        return None, f"the range depends on {'sex' if sexed else 'age'}, which is not known"
    if not fitting:
        return None, "no reference range is configured for this person"
    if len(fitting) > 1 and rank(fitting[0]) == rank(fitting[1]):
        return None, "two configured ranges fit equally: the range table needs mending"
    return fitting[0].as_range(), ""


def rank(line: ConfiguredRange) -> tuple[bool, tuple[bool, int]]:
    """The clinic's own before the starter set, then the more specific."""
    return (line.effective_from != STARTER_FROM, line.specificity)


def check_bounds(low: Decimal | None, high: Decimal | None) -> None:
    """Raise Refused where the bounds contradict each other or there are none."""
    if low is None and high is None:
        raise Refused("A range needs at least one bound.", "low")
    if low is not None and high is not None and low > high:
        raise Refused(f"The lower bound {plain(low)} is above the upper bound {plain(high)}.", "low")
