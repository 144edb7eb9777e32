"""What somebody was typing when they were called away: kept for them alone, and not part of anybody's record."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tracker.models import Draft
from tracker.operations.actor import Actor


def keep(session: Session, actor: Actor, form: str, data: dict[str, Any]) -> None:
    """Keep the latest state of a form; one a person and form."""
    draft = find(session, actor.account_id, form)
    if draft is None:
        session.add(Draft(account_id=actor.account_id, form=form, data=data, updated_at=actor.utc))
    else:
        draft.data, draft.updated_at = data, actor.utc
    session.flush()


def discard(session: Session, actor: Actor, form: str) -> None:
    session.execute(delete(Draft).where(Draft.account_id == actor.account_id, Draft.form == form))


def find(session: Session, account_id: int | None, form: str) -> Draft | None:
    """The draft of this person for this form."""
    return session.scalars(select(Draft).where(Draft.account_id == account_id, Draft.form == form)).first()
