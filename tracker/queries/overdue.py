"""Who is overdue, from the flags that stand, and who is to be looked at for what is due: a page of patients at a
time.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import ScalarSelect, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from tracker.domain.lifecycle import NOT_QUEUED
from tracker.models import Course, DueStep, Flag, Patient
from tracker.models.desk import OWN

OVERDUE = "overdue"


class Place(NamedTuple):
    """Where a page of the list ended: the next one begins after it."""

    due_on: date
    patient_id: int

    def __str__(self) -> str:
        return f"{self.due_on.isoformat()}~{self.patient_id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """The place a link carried; None for anything else."""
        day, _, patient_id = text.partition("~")
        try:
            return cls(date.fromisoformat(day), int(patient_id)) if len(patient_id) < 19 else None
        except ValueError:
            return None


class Late(NamedTuple):
    """A patient and what is overdue about them, the longest overdue first."""

    patient: Patient
    flags: list[Flag]


def page(
    session: Session, clinic_id: int, *, owner_id: int | None = None, after: Place | None = None, size: int = 50
) -> tuple[list[Late], Place | None]:
    """A page of the list and where the next begins, in two statements however many rows there are."""
    conditions = [
        Flag.clinic_id == clinic_id,
        Flag.attention < NOT_QUEUED,
        Flag.rule == OVERDUE,
        Flag.machine == "open",
        Flag.due_on.is_not(None),
    ]
    if owner_id is not None:
        conditions.append(func.coalesce(Flag.owner_id, _taken_on_by()) == owner_id)
    earliest = (
        select(Flag.patient_id, func.min(Flag.due_on).label("due_on"))
        .where(*conditions)
        .group_by(Flag.patient_id)
        .subquery()
    )
    statement = select(Patient, earliest.c.due_on).join(earliest, earliest.c.patient_id == Patient.id)
    if after is not None:
        statement = statement.where(
            or_(
                earliest.c.due_on > after.due_on, and_(earliest.c.due_on == after.due_on, Patient.id > after.patient_id)
            )
        )
    rows = session.execute(statement.order_by(earliest.c.due_on, Patient.id).limit(size + 1)).all()
    flags = _flags(session, [patient.id for patient, _ in rows[:size]]) if rows else {}
    found = [Late(patient, flags.get(patient.id, [])) for patient, _ in rows[:size]]
    last = Place(rows[size - 1][1], rows[size - 1][0].id) if len(rows) > size else None
    return found, last


def _taken_on_by() -> ScalarSelect[int | None]:
    """Who had taken the check on before it was late."""
    latest = select(DueStep.owner_id).where(
        DueStep.patient_id == Flag.patient_id, DueStep.subject == Flag.subject, DueStep.action == OWN
    )
    return latest.order_by(DueStep.id.desc()).limit(1).scalar_subquery()


def _flags(session: Session, patient_ids: Sequence[int]) -> dict[int, list[Flag]]:
    found: dict[int, list[Flag]] = {}
    statement = select(Flag).where(
        Flag.patient_id.in_(patient_ids), Flag.rule == OVERDUE, Flag.machine == "open", Flag.attention < NOT_QUEUED
    )
    for flag in session.scalars(statement.order_by(Flag.due_on, Flag.subject)):
        found.setdefault(flag.patient_id, []).append(flag)
    return found


def next_to_check(
    session: Session, clinic_id: int, until: date, *, after: Place | None = None, size: int = 30
) -> tuple[list[int], Place | None]:
    """Patients on a watched drug whose verdict changes by itself up to `until`, the soonest first: among them is
    everybody for whom something is due and not late yet. And where the next page begins."""
    statement = (
        select(Patient.next_check_on, Patient.id)
        .where(
            Patient.clinic_id == clinic_id,
            Patient.next_check_on <= until,
            exists().where(Course.patient_id == Patient.id, Course.voided_at.is_(None), Course.protocol_id != ""),
        )
        .order_by(Patient.next_check_on, Patient.id)
    )
    if after is not None:
        statement = statement.where(tuple_(Patient.next_check_on, Patient.id) > (after.due_on, after.patient_id))
    rows = session.execute(statement.limit(size + 1)).all()
    ids = [patient_id for _, patient_id in rows[:size]]
    last = rows[size - 1] if len(rows) > size else None
    return ids, Place(last[0], last[1]) if last is not None and last[0] is not None else None


def patients(session: Session, patient_ids: Sequence[int]) -> dict[int, Patient]:
    """Patients by key."""
    if not patient_ids:
        return {}
    return {row.id: row for row in session.scalars(select(Patient).where(Patient.id.in_(patient_ids)))}
