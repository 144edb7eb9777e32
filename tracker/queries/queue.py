"""What stands around the review queue: who works at the clinic, what waits unmatched, when one last looked, and the
views one saved.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.models import Account, HeldRow, Membership, QueueView, QueueVisit


class Around(NamedTuple):
    """`people` maps account to name; `unmatched` counts rows in the import tray; `seen_at` is None before the first
    look; `views` are those the person saved: {name, only, whose, q} each.
    """

    people: dict[int, str]
    unmatched: int
    seen_at: datetime | None
    views: list[dict[str, str]]


def around(session: Session, clinic_id: int, account_id: int) -> Around:
    """All of it in one statement: the queue is opened often."""
    waiting = (
        select(func.count(HeldRow.id))
        .where(HeldRow.clinic_id == clinic_id, HeldRow.state == "waiting")
        .scalar_subquery()
    )
    looked = (
        select(QueueVisit.seen_at)
        .where(QueueVisit.account_id == account_id, QueueVisit.clinic_id == clinic_id)
        .scalar_subquery()
    )
    saved = (
        select(QueueView.views)
        .where(QueueView.account_id == account_id, QueueView.clinic_id == clinic_id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Account.id, Account.name, waiting, looked, saved)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.clinic_id == clinic_id)
        .order_by(Account.name)
    ).all()
    people = {row[0]: row[1] for row in rows}
    return Around(people, rows[0][2], rows[0][3], rows[0][4] or []) if rows else Around(people, 0, None, [])
