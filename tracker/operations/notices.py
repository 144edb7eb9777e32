"""Whoever decided on a flag is told when somebody else goes over it, in a line that stays until they have seen it."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Flag, Review, ReviewNotice
from tracker.operations import audit
from tracker.operations.actor import Actor


def last_deciders(session: Session, flag_ids: Collection[int]) -> dict[int, int]:
    """By flag, the account of the latest decision on it."""
    rows = session.execute(
        select(Review.flag_id, Review.account_id).where(Review.flag_id.in_(flag_ids)).order_by(Review.id)
    )
    return {row.flag_id: row.account_id for row in rows}


def tell(session: Session, actor: Actor, account_id: int | None, review: Review) -> None:
    """Leave a line for that person about this review, unless it is their own doing."""
    if account_id is None or account_id == actor.account_id:
        return
    flag = session.get_one(Flag, review.flag_id)
    told = ReviewNotice(account_id=account_id, patient_id=review.patient_id, review_id=review.id, made_at=actor.utc)
    audit.created(session, actor, told, clinic_id=flag.clinic_id, patient_id=review.patient_id)


def seen(session: Session, actor: Actor, notice_ids: Collection[int]) -> int:
    """The actor has seen these lines of theirs; how many were new. Somebody else's are left as they are."""
    rows = session.scalars(
        select(ReviewNotice).where(
            ReviewNotice.id.in_(notice_ids),
            ReviewNotice.account_id == actor.account_id,
            ReviewNotice.seen_at.is_(None),
        )
    ).all()
    for row in rows:
        row.seen_at = actor.utc
        session.flush()
        audit.note(
            session, actor, "seen", "review_notice", row.id, before={"seen_at": None},
            after={"seen_at": audit.plain(actor.utc)}, patient_id=row.patient_id,
        )  # fmt: skip
    return len(rows)
