"""What somebody is to be told about their own decisions."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from tracker.models import Account, Flag, Patient, Review, ReviewNotice

MOST = 20


class Notice(NamedTuple):
    """Somebody went over a decision of the reader's. `action` and `standing` are those of the later review, which for a
    proposal is the reader's own; `by` is whoever went over it.
    """

    id: int
    patient_id: int
    patient: str
    mrn: str
    subject: str
    action: str
    standing: str
    comment: str
    by: str
    at: datetime


def unseen(session: Session, clinic_id: int, account_id: int, patient_id: int | None = None) -> list[Notice]:
    """The lines this person has not seen yet, the oldest first, of one patient or of the clinic; one statement."""
    first, second = aliased(Account), aliased(Account)
    n = ReviewNotice
    statement = (
        select(n.id, Patient, Flag.subject, Review, first.name, second.name, n.made_at)
        .join(Patient, Patient.id == n.patient_id)
        .join(Review, Review.id == n.review_id)
        .join(Flag, Flag.id == Review.flag_id)
        .join(first, first.id == Review.account_id)
        .outerjoin(second, second.id == Review.second_account_id)
        .where(n.account_id == account_id, n.seen_at.is_(None), Patient.clinic_id == clinic_id)
        .order_by(n.id)
        .limit(MOST)
    )
    if patient_id is not None:
        statement = statement.where(n.patient_id == patient_id)
    return [
        Notice(
            key, patient.id, patient.full_name, patient.mrn, subject, review.action, review.standing, review.comment,
            (settled_by or by) if review.account_id == account_id else by, at,
        )
        for key, patient, subject, review, by, settled_by, at in session.execute(statement)
    ]  # fmt: skip
