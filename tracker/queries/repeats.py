"""Repeats that are to be done: ordered by somebody, or asked for by a rule and not decided on yet."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import and_, case, or_, select
from sqlalchemy.orm import Session

from tracker.domain.findings import NEEDS_REPEAT, REPEAT_OVERDUE
from tracker.domain.lifecycle import AWAITING_REPEAT, MACHINE_OPEN, NOT_QUEUED, UNDECIDED
from tracker.models import Account, Flag, Patient

MOST = 100


class Repeat(NamedTuple):
    """A repeat of one test. `by`: the day it is wanted, inclusive. `ordered`: somebody set that day. `owner`: "" where
    nobody cares for it.
    """

    patient: Patient
    flag: Flag
    by: date
    ordered: bool
    owner_id: int | None
    owner: str


def repeats(
    session: Session, clinic_ids: Sequence[int], *, owner_id: int | None = None, ordered_only: bool = False,
    size: int | None = MOST,
) -> list[Repeat]:  # fmt: skip
    """The first `size` of them (None: all), the earliest first, in one statement."""
    ordered = and_(Flag.review == AWAITING_REPEAT, Flag.until.is_not(None))
    asked = and_(
        Flag.review.in_(UNDECIDED), Flag.confirmation.in_((NEEDS_REPEAT, REPEAT_OVERDUE)), Flag.due_on.is_not(None)
    )
    by = case((ordered, Flag.until), else_=Flag.due_on)
    statement = (
        select(Patient, Flag, by, Account.name)
        .join(Patient, Patient.id == Flag.patient_id)
        .outerjoin(Account, Account.id == Flag.owner_id)
        .where(
            Flag.clinic_id.in_(clinic_ids), Flag.attention < NOT_QUEUED, Flag.machine == MACHINE_OPEN,
            ordered if ordered_only else or_(ordered, asked),
        )
        .order_by(by, Patient.mrn, Flag.subject, Flag.id)
        .limit(size)
    )  # fmt: skip
    if owner_id is not None:
        statement = statement.where(Flag.owner_id == owner_id)
    return [
        Repeat(patient, flag, day, flag.review == AWAITING_REPEAT, flag.owner_id, name or "")
        for patient, flag, day, name in session.execute(statement)
    ]
