"""What people did about checks that are due: which are put off until when, and who cares for them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.domain.history import Waiver
from tracker.models import Account, DueStep, Patient
from tracker.models.desk import OWN, RESUME, WAIVE
from tracker.queries.history_rows import AS_OF, IDS, KNOWN_AT

DAY = timedelta(days=1)
MOST_OWNED = 300  # patients


def waivers(
    session: Session, patient_ids: Sequence[int], as_of: date, known_at: datetime | None = None
) -> dict[int, tuple[Waiver, ...]]:
    """By patient, what was put off by the end of `as_of`, as it was recorded by `known_at`; one statement.

    A later step on the same subject ends an earlier one: with the day before it, or never begun where it is of one day.
    """
    statement = _put_off(known_at is not None)
    values = {"ids": list(patient_ids), "as_of": as_of, "known_at": known_at}
    found: dict[tuple[int, str], list[Waiver]] = {}
    for patient_id, subject, action, on, until, reason in session.execute(statement, values):
        held = found.setdefault((patient_id, subject), [])
        held[:] = [w._replace(until=min(w.until, on - DAY)) for w in held if w.on < on]
        if action == WAIVE and until is not None:
            held.append(Waiver(subject, on, until, reason))
    by_patient: dict[int, tuple[Waiver, ...]] = {}
    for (patient_id, _), held in found.items():
        by_patient[patient_id] = (*by_patient.get(patient_id, ()), *held)
    return by_patient


@cache
def _put_off(past: bool) -> Select[*tuple[Any, ...]]:
    s = DueStep
    statement = (
        select(s.patient_id, s.subject, s.action, s.on, s.until, s.reason)
        .where(s.patient_id.in_(IDS), s.action.in_((WAIVE, RESUME)), s.on <= AS_OF)
        .order_by(s.id)
    )
    return statement.where(s.recorded_at <= KNOWN_AT) if past else statement


def owners(session: Session, patient_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """By patient and subject, who took the check on last; one statement."""
    if not patient_ids:
        return {}
    s = DueStep
    rows = session.execute(
        select(s.patient_id, s.subject, s.owner_id)
        .where(s.patient_id.in_(patient_ids), s.action == OWN, s.owner_id.is_not(None))
        .order_by(s.id)
    )
    return {(patient_id, subject): owner_id for patient_id, subject, owner_id in rows if owner_id is not None}


def owned_by(session: Session, clinic_id: int, account_id: int) -> list[int]:
    """The patients of a clinic of whom this person once took a check on; whether they still do, `owners` tells."""
    statement = (
        select(DueStep.patient_id)
        .join(Patient, Patient.id == DueStep.patient_id)
        .where(Patient.clinic_id == clinic_id, DueStep.owner_id == account_id)
        .distinct()
        .order_by(DueStep.patient_id)
        .limit(MOST_OWNED)
    )
    return list(session.scalars(statement))


class Step(NamedTuple):
    """A step with the name of who took it."""

    step: DueStep
    by: str


def steps(session: Session, patient_id: int) -> list[Step]:
    """Everything that was done about a patient's checks, the latest first."""
    rows = session.execute(
        select(DueStep, Account.name)
        .join(Account, Account.id == DueStep.recorded_by)
        .where(DueStep.patient_id == patient_id)
        .order_by(DueStep.id.desc())
    )
    return [Step(step, by) for step, by in rows]
