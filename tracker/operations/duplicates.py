"""The same entered twice: two clicks, a page sent again, two people after one visit. It is said, and stored once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.models import AdverseEvent, Medication, Observation, Patient

# What makes two rows of a patient one and the same.
_SAME: Mapping[type[AdverseEvent] | type[Medication] | type[Observation], tuple[str, ...]] = {
    AdverseEvent: ("kind", "term", "onset_on"),
    Medication: ("name", "started_on"),
    Observation: ("kind", "value", "on"),
}


def refuse_twice(
    session: Session,
    patient: Patient,
    kind: type[AdverseEvent] | type[Medication] | type[Observation],
    details: Mapping[str, Any],
) -> None:
    """Raise Refused where the patient has such a row already. Waits for whoever is just writing one."""
    session.refresh(patient, with_for_update=True)
    same = [_equals(getattr(kind, name), details.get(name)) for name in _SAME[kind]]
    if session.execute(select(kind.id).where(kind.patient_id == patient.id, kind.voided_at.is_(None), *same)).first():
        raise Refused("The same is on record already, with the same day. Change that one, or check the day.")


def _equals(column: Any, value: Any) -> Any:
    if isinstance(value, str):
        return func.lower(column) == value.lower()
    return column.is_(None) if value is None else column == value
