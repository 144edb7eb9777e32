"""The starter ranges a clinic begins with, from published adult tables; its laboratory's own replace them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from tracker.library import packaged


@dataclass(frozen=True, slots=True)
class StarterRange:
    """One range for any laboratory: `sex` is female, male or any; ages in completed years, `age_to` excluded.

    Bounds are in `unit` and belong to their operators; None is an open side. Where women and men differ there
    is none for an unknown sex, and there is none below `age_from`.
    """

    analyte: str
    sex: str
    age_from: int
    age_to: int | None
    low: Decimal | None
    low_op: str
    high: Decimal | None
    high_op: str
    unit: str
    source: str
    verified: bool
    note: str = ""


def _range(row: Mapping[str, Any], age_from: int) -> StarterRange:
    low, high = row.get("low"), row.get("high")
    return StarterRange(
        analyte=row["analyte"],
        sex=row["sex"],
        age_from=row.get("age_from", age_from),
        age_to=row.get("age_to"),
        low=None if low is None else Decimal(low),
        low_op=row.get("low_op", ">="),
        high=None if high is None else Decimal(high),
        high_op=row.get("high_op", "<="),
        unit=row["unit"],
        source=row["source"],
        verified=row["verified"],
        note=row.get("note", ""),
    )


@cache
def starter_ranges() -> tuple[StarterRange, ...]:
    """Every starter range, in the order of the analytes."""
    data: Mapping[str, Any] = tomllib.loads(packaged("ranges.toml").decode(), parse_float=Decimal)
    return tuple(_range(row, data["age_from"]) for row in data["range"])
