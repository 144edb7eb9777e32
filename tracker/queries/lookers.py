"""Who looked at a patient, and when somebody did so in an emergency."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tracker.models import AccessNote, Account, Clinic, EmergencyAccess, Membership, Patient

PAGE = 100


def nth_latest(
    session: Session, account_id: int, which: ColumnElement[bool], number: int, since: datetime
) -> datetime | None:
    """When this person's `number`-th latest look of that kind was, from the first after `since` on; None for fewer."""
    looks = select(AccessNote.at).where(AccessNote.account_id == account_id, AccessNote.at > since, which)
    return session.scalar(looks.order_by(AccessNote.at.desc()).offset(number - 1).limit(1))


class Look(NamedTuple):
    """One look: the note, the person, and whether they work at the patient's clinic today."""

    note: AccessNote
    account: Account
    of_the_clinic: bool


def of_patient(session: Session, patient_id: int, before: int | None = None) -> tuple[list[Look], int | None]:
    """A page of looks at one patient, newest first, and the number before which the next page begins."""
    clinic = select(Patient.clinic_id).where(Patient.id == patient_id).scalar_subquery()
    works_there = (
        select(Membership.id).where(Membership.account_id == Account.id, Membership.clinic_id == clinic).exists()
    )
    statement = (
        select(AccessNote, Account, works_there)
        .join(Account, Account.id == AccessNote.account_id)
        .where(AccessNote.patient_id == patient_id)
        .order_by(AccessNote.id.desc())
        .limit(PAGE + 1)
    )
    if before is not None:
        statement = statement.where(AccessNote.id < before)
    rows = [Look(*row) for row in session.execute(statement)]
    return rows[:PAGE], rows[PAGE - 1].note.id if len(rows) > PAGE else None


class Alert(NamedTuple):
    """One emergency: who opened whose record, and where that person works."""

    access: EmergencyAccess
    account: Account
    patient: Patient
    works_at: str


def alerts(session: Session, clinic_ids: Collection[int], closed: bool) -> list[Alert]:
    """Emergencies about the patients of these clinics, newest first: those still to be closed, or the last hundred."""
    a = EmergencyAccess
    statement = (
        select(a, Account, Patient)
        .join(Account, Account.id == a.account_id)
        .join(Patient, Patient.id == a.patient_id)
        .where(a.clinic_id.in_(clinic_ids), a.closed_at.is_not(None) if closed else a.closed_at.is_(None))
        .order_by(a.id.desc())
        .limit(100)
    )
    found = [(row[0], row[1], row[2]) for row in session.execute(statement)]
    places: dict[int, list[str]] = {}
    where = select(Membership.account_id, Clinic.name).join(Clinic, Clinic.id == Membership.clinic_id)
    ids = {account.id for _, account, _ in found}
    for account_id, name in session.execute(where.where(Membership.account_id.in_(ids)).order_by(Clinic.name)):
        places.setdefault(account_id, []).append(name)
    return [Alert(access, who, patient, ", ".join(places.get(who.id, []))) for access, who, patient in found]


def waiting(session: Session, clinic_ids: Collection[int]) -> int:
    """How many emergencies are still to be closed."""
    a = EmergencyAccess
    statement = select(func.count()).where(a.clinic_id.in_(clinic_ids), a.closed_at.is_(None))
    return session.scalar(statement) or 0
