"""What a range that is being written would say and follow, before anything of it is stored."""

from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from tracker.domain.range_sense import Sense, sense
from tracker.domain.ranges import Range
from tracker.domain.units import to_canonical
from tracker.library.analytes import ANALYTES
from tracker.models import ReferenceRange
from tracker.queries.range_table import Line, bounds_of, followed_by


class Understood(NamedTuple):
    """`bounds` as written, `canonical` the same in the analyte's canonical unit (None where that is the unit written),
    `follows` the version of the same line that judges now.
    """

    bounds: Range
    canonical: Range | None
    follows: Line | None
    sense: Sense


def understood(session: Session, row: ReferenceRange, on: date) -> Understood:
    """`row` need not be stored; its analyte and unit are known ones."""
    bounds, analyte = bounds_of(row), ANALYTES[row.analyte]
    follows = followed_by(session, row, on)
    now = bounds_of(follows.row) if follows else None
    same_unit = row.unit == analyte.unit
    low, high = (None if bound is None else to_canonical(analyte, bound, row.unit) for bound in (row.low, row.high))
    canonical = None if same_unit else bounds._replace(low=low, high=high, unit=analyte.unit)
    return Understood(bounds, canonical, follows, sense(analyte, bounds, now))
