"""A proposal is one decision of one person about several flags; a second person settles it as one."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound
from tracker.models import Patient, Review
from tracker.operations.actor import Actor
from tracker.operations.review import second_opinion


def settle(
    session: Session, actor: Actor, patient: Patient, review_id: int, agree: bool, comment: str, today: date
) -> Sequence[Review]:
    """Confirm or decline the proposal that this review is part of; the treatment is written once.

    Raises NotFound for a review of another patient, Stale where it was settled meanwhile, NotAllowed for the person who
    made it, Refused where it is declined without a word.
    """
    named = session.scalar(select(Review).where(Review.id == review_id, Review.patient_id == patient.id))
    if named is None:
        raise NotFound("There is no such proposal, or it is not yours to see.")
    together = session.scalars(
        select(Review)
        .where(
            Review.patient_id == patient.id, Review.account_id == named.account_id, Review.at == named.at,
            Review.action == named.action, Review.standing == named.standing,
        )
        .order_by(Review.id)
    ).all()  # fmt: skip
    for place, review in enumerate(together):
        second_opinion(session, actor, review, agree, comment, today, writes=place == 0)
    return together
