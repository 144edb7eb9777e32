"""What a file changes in rows that stood before it is kept with its batch, so that undoing the file puts it back."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, insert, select
from sqlalchemy.orm import Session

from tracker.models import Base, ImportChange, LabResult, Patient, table_of
from tracker.models.base import ExactDecimal, UtcDateTime


def keep(
    session: Session, patient: Patient, batch_id: int, row: Base, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:  # fmt: skip
    """Keep what this file makes of a row; both in the plain values of an audit entry."""
    changed = [name for name in after if after[name] != before[name]]
    session.add(
        ImportChange(
            clinic_id=patient.clinic_id, patient_id=patient.id, batch_id=batch_id, record=row.__tablename__,
            record_id=getattr(row, "id"),  # noqa: B009 - every table has one
            before={name: before[name] for name in changed}, after={name: after[name] for name in changed},
        )
    )  # fmt: skip


def keep_cancelled(session: Session, patient_id: int, batch_id: int, result_id: int) -> None:
    """Keep that this file took a result out, which its laboratory cancelled."""
    of_patient = select(Patient.clinic_id).where(Patient.id == patient_id).scalar_subquery()
    row = {
        "clinic_id": of_patient, "patient_id": patient_id, "batch_id": batch_id, "record": LabResult.__tablename__,
        "record_id": result_id, "before": {"retired": False}, "after": {"retired": True},
    }  # fmt: skip
    session.execute(insert(table_of(ImportChange)).values(row))


def typed(row: Base, name: str, value: Any) -> Any:
    """A column's value from the plain one that was kept."""
    kind = row.__mapper__.columns[name].type
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    return Decimal(value) if isinstance(kind, ExactDecimal) else value
