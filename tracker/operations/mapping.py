"""How a table of another shape is read is kept for its header, a version at a time; nothing kept is edited."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.formats.shapes import Proposal
from tracker.models import TableMapping
from tracker.operations import audit
from tracker.operations.actor import Actor

LONGEST_NAME = 80


def keep(session: Session, actor: Actor, clinic_id: int, name: str, proposal: Proposal) -> TableMapping:
    """Keep how this table is read, for the next one with its header. Raises Refused without a name or with questions
    open.
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        raise Refused(f"Give the mapping a name of at most {LONGEST_NAME} characters, such as the sender's.")
    if proposal.questions:
        raise Refused("There are questions open: answer them first.")
    row = TableMapping(
        clinic_id=clinic_id, name=name.strip(), header=proposal.digest, columns=list(proposal.header),
        body=proposal.kept().as_dict(), number=_number(session, clinic_id, proposal.digest),
        saved_at=actor.utc, saved_by=actor.account_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=clinic_id)
    return row


def forget(session: Session, actor: Actor, old: TableMapping) -> None:
    """The next table with this header is asked about anew. Raises Stale where it was forgotten or changed since."""
    number = _number(session, old.clinic_id, old.header)
    if number != old.number + 1 or not old.body:
        raise Stale("This mapping was forgotten or changed meanwhile.")
    row = TableMapping(
        clinic_id=old.clinic_id, name=old.name, header=old.header, columns=old.columns, body={}, number=number,
        saved_at=actor.utc, saved_by=actor.account_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=old.clinic_id, reason="forgotten")


def _number(session: Session, clinic_id: int, header: str) -> int:
    last = select(func.max(TableMapping.number)).where(
        TableMapping.clinic_id == clinic_id, TableMapping.header == header
    )
    return (session.scalar(last) or 0) + 1
