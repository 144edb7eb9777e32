"""CTCAE grades of laboratory values: one value against one term of one version.

The terms come from the packaged files (`tracker.library.ctcae`). Each grade is a half-open interval, and at a
bound the milder grade applies except where the text prints no `>`. The first grade that matches, from 4 down,
is given, so a missing limit never hides a grade that an absolute cut sets. Three answers differ: grade 0,
"cannot be graded" (None and a reason) and "no term" (None, and a reason that begins so). All is Decimal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from tracker.domain.grading_units import unit_key
from tracker.domain.values import Number, above, below

Direction = Literal["low", "high"]
ANY_UNIT = ""
NO_TERM = "no term"

_APART = str.maketrans("(),_", "    ")

# What a binary float leaves behind (3.3000000000000003) is no part of a measurement.
_FIFTEEN_DIGITS = Context(prec=15)


class Baseline(NamedTuple):
    """The patient's baseline: its value, in the unit of the graded result, and its flag.

    The flag (low, normal, high or "") is the verdict on that sample by its own limits.
    """

    value: Decimal | None = None
    flag: str = ""


NO_BASELINE = Baseline()


class Limits(NamedTuple):
    """What a value is graded against besides the published figures, all in the unit of the value."""

    lln: Decimal | None = None
    uln: Decimal | None = None
    baseline: Baseline = NO_BASELINE
    on_anticoagulant: bool = False


NO_LIMITS = Limits()


class Grade(NamedTuple):
    """A grade 0 to 4 with the published text that gives it, or None with the reason why there is none."""

    grade: int | None
    reason: str
    term: str


NO_GRADE = Grade(None, "", "")


class Cut(NamedTuple):
    """A published bound: `factor` times the reference `of` (LLN, ULN, baseline, or "" for none) plus `plus`.

    `upper`: values above it are meant, else below. `when`: a condition on baseline or anticoagulation, or "".
    `also`: a second cut that must hold too.
    """

    upper: bool
    inclusive: bool
    of: str
    factor: Decimal
    plus: Decimal
    when: str
    also: "Cut | None"


class Row(NamedTuple):
    """One grade (or "not gradable here") of a term in one unit, and the cuts any of which gives it, all one way."""

    verdict: Grade
    upper: bool
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A laboratory term of one version.

    `rows` are by unit key, worst grade first; `not_graded` says why no value can grade it; `texts` by grade.
    `uses` is what it looks at: "LLN", "ULN", "baseline" (its value), "anticoagulation", and "flag" with "low" or
    "high" where the baseline's flag counts, and its value only with that flag.
    """

    name: str
    direction: Direction
    analytes: tuple[str, ...]
    texts: Mapping[int, str]
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    needs_uln: bool = False
    not_graded: str = ""
    uses: frozenset[str] = frozenset()
    conditional: bool = False
    zero: Grade = NO_GRADE


class Pair(NamedTuple):
    """The term for too low a value, and the one for too high a value."""

    low: Term | None
    high: Term | None


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version of CTCAE: its laboratory terms, by name and by analyte code; the digest is of its file."""

    name: str
    source: str
    digest: str
    terms: tuple[Term, ...]
    index: Mapping[str, Pair]

    def terms_for(self, analyte_or_term: str) -> Pair:
        """The terms of an analyte's code, or the one of that name in its direction; two None if unknown."""
        return self.index.get(name_key(analyte_or_term), Pair(None, None))


# A bound worked out for one patient: whether values above it are meant (else below), the bound, whether it belongs
# to them itself, and the verdict on them.
Step = tuple[bool, Decimal, bool, Grade]


class Scale(NamedTuple):
    """A term made ready for one unit and one set of limits; grades any number of values quickly."""

    steps: tuple[Step, ...]
    otherwise: Grade

    def grade(self, number: Number) -> Grade:
        """The grade of a value; of a censored one (`<0.2`) only where all that it may stand for have it."""
        steps, otherwise = self
        if not steps:
            return otherwise
        comparator, figure = number
        figure = _FIFTEEN_DIGITS.plus(figure)
        if figure < 0 or (comparator == "<" and not figure):
            return Grade(None, "a negative value is not a measurement", otherwise.term)
        if comparator:
            return self._grade_censored(Number(comparator, figure))
        for upper, bound, inclusive, verdict in steps:
            if (figure > bound if upper else figure < bound) or (inclusive and figure == bound):
                return verdict
        return otherwise

    def _grade_censored(self, number: Number) -> Grade:
        for upper, bound, inclusive, verdict in self.steps:
            beyond = (above if upper else below)(number.comparator, number.figure, bound, inclusive)
            if beyond is None:
                reason = f"undecidable, since {number} may lie on either side of {bound.normalize():f}"
                return Grade(None, reason, self.otherwise.term)
            if beyond:
                return verdict
        return self.otherwise


@lru_cache(maxsize=4096)
def name_key(text: str) -> str:
    """A code or term for looking up: case, spacing, brackets and British spelling (anaemia) do not matter."""
    plain = " ".join(text.translate(_APART).split()).casefold()
    return plain.replace("aem", "em").replace("leuco", "leuko").replace("ionised", "ionized")


def grade(
    term: Term,
    number: Number,
    unit: str,
    lln: Decimal | None = None,
    uln: Decimal | None = None,
    baseline: Baseline = NO_BASELINE,
    on_anticoagulant: bool = False,
) -> Grade:
    """Grade one value by one term, in the unit it was reported in, which limits and baseline share."""
    return scale(term, unit, Limits(lln, uln, baseline, on_anticoagulant)).grade(number)


def grade_both(
    version: Version, analyte: str, number: Number, unit: str, limits: Limits = NO_LIMITS
) -> tuple[Grade, Grade]:
    """Grade one value as too low and as too high; by a term's name, in that term's direction only."""
    low, high = scales(version, analyte, unit, limits)
    return low.grade(number), high.grade(number)


def scales(version: Version, analyte: str, unit: str, limits: Limits = NO_LIMITS) -> tuple[Scale, Scale]:
    """The two scales, low and high, for grading many values of one analyte against the same limits."""
    low, high = version.terms_for(analyte)
    if low is None and high is None:
        none = Scale((), Grade(None, f"{NO_TERM}: {version.name} has no laboratory term or analyte “{analyte}”", ""))
        return none, none
    return (
        scale(low, unit, limits) if low else _OTHER_DIRECTION,
        scale(high, unit, limits) if high else _OTHER_DIRECTION,
    )


def scale(term: Term, unit: str, limits: Limits) -> Scale:
    """The term's bounds worked out for this unit, these limits and this baseline."""
    lln, uln, (value, flag), on_anticoagulant = limits
    references = {"LLN": _tidy(lln), "ULN": _tidy(uln), "baseline": _tidy(value)}
    key = ANY_UNIT if ANY_UNIT in term.rows else unit_key(unit)
    if key not in term.rows or (term.needs_uln and references["ULN"] is None):
        return _not_gradable(term, key)
    if not term.conditional:
        return _worked_out(term, term.rows[key], references, flag)
    value, uln = references["baseline"], references["ULN"]
    above_uln = value is not None and uln is not None and value > uln
    return _worked_out(term, _applying(term, key, flag, on_anticoagulant, above_uln), references, flag)


_OTHER_DIRECTION = Scale((), Grade(None, f"{NO_TERM}: not graded in this direction", ""))
_MISSING = {
    "LLN": "the lower limit of normal (LLN) is missing",
    "ULN": "the upper limit of normal (ULN) is missing",
    "baseline": "the baseline value is missing",
}
_BY_FLAG = ("baseline high", "baseline low")


def _tidy(figure: Decimal | None) -> Decimal | None:
    return None if figure is None or figure < 0 else _FIFTEEN_DIGITS.plus(figure)


@lru_cache(maxsize=4096)
def _not_gradable(term: Term, unit: str) -> Scale:
    if term.not_graded:
        reason = f"{NO_TERM}: {term.not_graded}"
    elif unit in term.rows:
        reason = _MISSING["ULN"]
    else:
        told = f"the unit “{unit}” has no published cuts" if unit else "the unit is missing"
        reason = f"{told} (graded in {', '.join(term.units)})"
    return Scale((), Grade(None, reason, term.name))


@lru_cache(maxsize=4096)
def _applying(term: Term, unit: str, flag: str, on_anticoagulant: bool, above_uln: bool) -> tuple[Row, ...]:
    """The rows with those cuts whose condition is met."""
    met = {
        "": True,
        "baseline high": flag == "high",
        "baseline not high": flag != "high",
        "baseline low": flag == "low",
        "baseline above ULN": above_uln,
        "baseline not above ULN": not above_uln,
        "on anticoagulation": on_anticoagulant,
    }
    rows = (row._replace(cuts=tuple(cut for cut in row.cuts if met[cut.when])) for row in term.rows[unit])
    return tuple(row for row in rows if row.cuts)


_References = Mapping[str, Decimal | None]
_Bound = tuple[Decimal, bool]  # the figure, and whether it belongs to what lies beyond it


def _worked_out(term: Term, rows: tuple[Row, ...], references: _References, flag: str) -> Scale:
    steps: list[Step] = []
    for verdict, upper, cuts in rows:
        nearest, unsure, flagged = _bounds(upper, cuts, references)
        _add(steps, upper, nearest, verdict)
        if flagged:
            # The flag says that the baseline counts: without its value no milder grade is certain either.
            reason = f"the baseline was {flag}, but its value is missing"
            return Scale(tuple(steps), Grade(None, reason, term.name))
    # What was missing for a severer grade has been passed over; for the mildest it leaves the answer open.
    if not unsure:
        return Scale(tuple(steps), term.zero)
    doubt = Grade(None, unsure[0][1], term.name)
    partly = [bound for bound, _ in unsure if bound]
    if len(partly) < len(unsure):
        return Scale(tuple(steps), doubt)
    _add(steps, upper, min(partly, key=_reach(upper)), doubt)
    return Scale(tuple(steps), term.zero)


def _bounds(
    upper: bool, cuts: tuple[Cut, ...], references: _References
) -> tuple[_Bound | None, list[tuple[_Bound | None, str]], bool]:
    """Of one row: the bound crossed first, what is not certain and why, and whether a flagged baseline is missing."""
    nearest: _Bound | None = None
    unsure: list[tuple[_Bound | None, str]] = []
    flagged = False
    for cut in cuts:
        bound, missing = _bound(cut, references)
        if missing:
            unsure.append((bound, missing))
            flagged = flagged or cut.when in _BY_FLAG
        elif bound:
            nearest = bound if nearest is None else min(nearest, bound, key=_reach(upper))
    return nearest, unsure, flagged


def _bound(cut: Cut, references: _References) -> tuple[_Bound | None, str]:
    """The bound of a cut, and what was missing to be certain of it, or ""."""
    _, inclusive, of, factor, plus, _, also = cut
    if not of:
        return (plus, inclusive), ""
    bound, missing = None, ""
    reference = references[of]
    # A ULN of zero is a filled-in blank, nothing is three times zero, and no eosinophils is a real baseline.
    if reference is None or (not reference and (of == "ULN" or factor != 1)):
        missing = _MISSING[of]
    else:
        bound = (_FIFTEEN_DIGITS.fma(factor, reference, plus), inclusive)
    if also is None:
        return bound, missing
    other, other_missing = _bound(also, references)
    both = [each for each in (bound, other) if each]
    return (max(both, key=_reach(cut.upper)) if both else None), missing or other_missing


def _add(steps: list[Step], upper: bool, bound: _Bound | None, verdict: Grade) -> None:
    """One more step, unless there is no bound or no value can lie below it."""
    if bound and (upper or bound[0] > 0 or (bound[1] and not bound[0])):
        steps.append((upper, *bound, verdict))


def _reach(upper: bool) -> Callable[[_Bound], tuple[Decimal, bool]]:
    """For ordering bounds by how far a value must go to cross them."""
    return lambda bound: (bound[0] if upper else -bound[0], not bound[1])
