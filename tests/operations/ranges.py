"""Short ways to say what becomes of a range of haemoglobin at the desk of conftest.py."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from tests.operations.conftest import Desk
from tracker.domain.readings import RangeReading
from tracker.models import LabResult, ReferenceRange
from tracker.operations import configure, publishing
from tracker.operations.publishing import BACK_FILL

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)


def reading(low: str, day: date, sex: str = "female", laboratory: str = "") -> RangeReading:
    return RangeReading(
        "HB", "g/dL", day, laboratory, sex, 18, None, Decimal(low), ">=", Decimal(16), "<=", "letter of the laboratory"
    )


def draft(desk: Desk, low: str, day: date = FEBRUARY, **more: str) -> int:
    with desk.database.transaction() as session:
        return configure.draft_range(session, desk.doctor, desk.clinic_id, reading(low, day, **more), "analyser").id


def publish(desk: Desk, key: int, applies: str = BACK_FILL) -> Any:
    with desk.database.transaction(alone=True) as session:
        return publishing.publish(session, desk.second, [session.get_one(ReferenceRange, key)], applies)


def published(desk: Desk, low: str, day: date = FEBRUARY, **more: str) -> int:
    key = draft(desk, low, day, **more)
    publish(desk, key)
    return key


def take_back(desk: Desk, key: int) -> None:
    with desk.database.transaction(alone=True) as session:
        publishing.roll_back_range(session, desk.nurse, session.get_one(ReferenceRange, key))


def judged(desk: Desk) -> dict[str, str]:
    """By day of the sample, the lower bound that judges it."""
    with desk.database.reading() as session:
        rows = session.execute(
            select(LabResult.collected_on, ReferenceRange.low)
            .outerjoin(ReferenceRange, ReferenceRange.id == LabResult.range_id)
            .where(LabResult.patient_id == desk.patient_id)
        )
        return {day.isoformat(): str(low) for day, low in rows}
