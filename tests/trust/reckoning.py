"""What a value must be called, reckoned a second time and apart from the program: from its tables of figures alone.

Nothing of the program's own reckoning is used: fractions instead of decimals, intervals instead of comparisons with
three answers. Known here: the starter ranges by sex and age, and tofacitinib's limits on a single result.
"""

import tomllib
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import tracker

LIBRARY = Path(tracker.__file__).parent / "library"
LOW, HIGH, INSIDE = "low", "high", "inside"


class Interval(NamedTuple):
    """The values a figure may stand for: from `low` to `high` (None: no end), with or without either end."""

    low: Fraction | None
    low_in: bool
    high: Fraction | None
    high_in: bool

    def below(self, bound: Fraction, bound_in: bool) -> bool:
        """Is all of it below the bound (or at it, where `bound_in`)?"""
        return self.high is not None and (self.high < bound or (self.high == bound and (bound_in or not self.high_in)))

    def above(self, bound: Fraction, bound_in: bool) -> bool:
        return self.low is not None and (self.low > bound or (self.low == bound and (bound_in or not self.low_in)))


@cache
def tables(name: str) -> dict[str, Any]:
    return tomllib.loads((LIBRARY / name).read_text(encoding="utf-8"), parse_float=Fraction)


@cache
def analytes() -> dict[str, dict[str, Any]]:
    """Those with a range, a unit and a code by which laboratories name them."""
    ranged = {row["analyte"] for row in tables("ranges.toml")["range"]}
    return {row["code"]: row for row in tables("analytes.toml")["analyte"] if row["code"] in ranged and row["loinc"]}


def factors(code: str, unit: str) -> tuple[Fraction, Fraction]:
    """(a, b) with which a figure in the unit is a x figure + b in the analyte's own."""
    other = analytes()[code]["units"].get(unit, {})
    return Fraction(other.get("multiply", 1)) / Fraction(other.get("divide", 1)), Fraction(other.get("add", 0))


def interval(code: str, text: str, unit: str) -> Interval:
    """Of a value as it was written, in the analyte's own unit."""
    sign = text[: len(text) - len(text.lstrip("<>="))]
    times, plus = factors(code, unit)
    figure = Fraction(text[len(sign) :]) * times + plus
    if sign.startswith("<"):
        return Interval(None, False, figure, "=" in sign)
    if sign.startswith(">"):
        return Interval(figure, "=" in sign, None, False)
    return Interval(figure, True, figure, True)


def completed_years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def range_of(code: str, sex: str, born: date | None, on: date) -> dict[str, Any] | None:
    """The starter range of an adult; None where there is none, or sex or age is not known and counts."""
    table = tables("ranges.toml")
    if born is None or completed_years(born, on) < table["age_from"]:
        return None
    fitting = [row for row in table["range"] if row["analyte"] == code and row["sex"] in ("any", sex)]
    return fitting[0] if fitting else None


def place(code: str, text: str, unit: str, sex: str, born: date | None, on: date) -> str:
    """low, high or inside; "" where it cannot be said."""
    limits, value = range_of(code, sex, born, on), interval(code, text, unit)
    if limits is None:
        return ""
    low, high = limits.get("low"), limits.get("high")
    open_high = limits.get("high_op") == "<"  # the bound itself is outside
    if low is not None and value.below(Fraction(low), False):
        return LOW
    if high is not None and value.above(Fraction(high), open_high):
        return HIGH
    inside = (low is None or value.above(Fraction(low), True)) and (
        high is None or value.below(Fraction(high), not open_high)
    )
    return INSIDE if inside else ""


SMALLER = {"/uL": Fraction(1, 1000)}  # the limits' own unit, of the analyte's


def limits_met(code: str, text: str, unit: str) -> set[str]:
    """The lines of tofacitinib's label (US) that a single result under treatment meets."""
    value, met = interval(code, text, unit), set()
    for line in tables("protocols/tofacitinib_us.toml")["on_treatment"]:
        if line["analyte"] == code and "unit" in line and "measure" not in line:
            times = SMALLER.get(line["unit"], Fraction(1))
            top = Fraction(line.get("high", line.get("value"))) * times
            reaches = value.below(top, line.get("high_inclusive", line.get("op") == "<="))
            past = "low" in line and value.below(Fraction(line["low"]) * times, not line["low_inclusive"])
            if reaches and not past:
                met.add(line["id"])
    return met
