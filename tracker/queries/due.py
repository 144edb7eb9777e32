"""Who is due or overdue for what, and why. Worked out from histories, for the due list and its command."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.schedule import DueItem, due_items
from tracker.models import Course, Patient
from tracker.queries.history import Loader

LISTED = ("due", "overdue")


class DueRow(NamedTuple):
    """One due item with its patient."""

    patient_id: int
    mrn: str
    item: DueItem


def due_list(session: Session, clinic_id: int, as_of: date, patient_ids: Sequence[int] | None = None) -> list[DueRow]:
    """Due and overdue items of a clinic at the end of `as_of`, the latest first."""
    ids = list(patient_ids) if patient_ids is not None else watched(session, clinic_id)
    return sorted(_rows(session, clinic_id, as_of, ids), key=lambda row: (row.item.due_on, row.mrn, row.item.subject))


def _rows(session: Session, clinic_id: int, as_of: date, ids: Sequence[int]) -> Iterator[DueRow]:
    for history in Loader(session, clinic_id, as_of).histories(ids):
        for item in due_items(history):
            if item.state in LISTED:
                yield DueRow(history.person.id, history.person.mrn, item)


def items_of(session: Session, patient: Patient, as_of: date) -> tuple[DueItem, ...]:
    """What is asked for of one patient at the end of `as_of`, due or not yet, the first to be done first."""
    return tuple(
        item for h in Loader(session, patient.clinic_id, as_of).histories([patient.id]) for item in due_items(h)
    )


def watched(session: Session, clinic_id: int) -> list[int]:
    """Patients with a course that a protocol watches and that has not ended."""
    statement = (
        select(Patient.id)
        .join(Course, Course.patient_id == Patient.id)
        .where(Patient.clinic_id == clinic_id, Course.voided_at.is_(None), Course.protocol_id != "")
        .distinct()
        .order_by(Patient.id)
    )
    return list(session.scalars(statement))
