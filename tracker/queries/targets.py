"""A patient's own targets as pages show them."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.ranges import Range
from tracker.domain.targets import TARGET
from tracker.library.analytes import ANALYTES
from tracker.models import Account, PatientTarget


class Line(NamedTuple):
    """One version and who set it; `latest`: the one that judges from its day on."""

    row: PatientTarget
    set_by: str
    latest: bool

    @property
    def name(self) -> str:
        return ANALYTES[self.row.analyte].name

    @property
    def words(self) -> str:
        row = self.row
        return in_words(Range(row.low, row.low_inclusive, row.high, row.high_inclusive, row.unit, TARGET))


def in_words(bounds: Range) -> str:
    """`>= 11 and <= 13 g/dL`; without bounds, that there is no target any more."""
    sides = " and ".join(filter(None, (bounds.low_text, bounds.high_text)))
    return f"{sides} {bounds.unit}" if sides else "no target any more"


def versions(session: Session, patient_id: int) -> list[Line]:
    """Every version, by analyte, the newest first."""
    t = PatientTarget
    rows = session.execute(
        select(t, Account.name)
        .outerjoin(Account, Account.id == t.recorded_by)
        .where(t.patient_id == patient_id)
        .order_by(t.analyte, t.number.desc())
    ).all()
    seen: set[str] = set()
    found = []
    for row, name in rows:
        found.append(Line(row, name or "", row.analyte not in seen))
        seen.add(row.analyte)
    return found
