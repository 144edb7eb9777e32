"""The jobs of a clinic, as pages show them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Account, Job

SHOWN = 30


def latest(session: Session, clinic_id: int) -> list[tuple[Job, str]]:
    """The last jobs of a clinic, newest first, each with who asked for it ("" on the server)."""
    rows = session.execute(
        select(Job, Account.name)
        .outerjoin(Account, Account.id == Job.asked_by)
        .where(Job.clinic_id == clinic_id)
        .order_by(Job.id.desc())
        .limit(SHOWN)
    )
    return [(job, name or "") for job, name in rows]
