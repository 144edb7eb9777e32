"""Rows nobody could be found for: somebody takes them on, or says why they go nowhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.models import Clinic, HeldRow
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes
from tracker.operations.importing import Importer

WAITING, DISMISSED = "waiting", "dismissed"


def assign(session: Session, actor: Actor, rows: Sequence[HeldRow], seen: Mapping[int, int | None]) -> list[int]:
    """Take rows on, or over from whoever had them: the accounts that had some until now.

    `seen` is who had each row on the page. Raises Stale where one was settled, or taken by somebody, meanwhile.
    """
    others = []
    for row in rows:
        if row.id in seen and row.owner_id != seen[row.id]:
            raise Stale("Somebody took one of these rows on meanwhile. Look at the tray again.")
        if row.owner_id is not None and row.owner_id != actor.account_id:
            others.append(row.owner_id)
        if row.owner_id != actor.account_id or row.state != WAITING:
            _change(session, actor, row, "assign", {"owner_id": actor.account_id, "owned_since": actor.utc})
    return others


def dismiss(session: Session, actor: Actor, rows: Sequence[HeldRow], reason: str) -> None:
    """Settle rows that belong to nobody here; they stay on record with the reason. Raises Refused, Stale."""
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why these rows are dismissed.")
    why = reason.strip()
    settled = {"state": DISMISSED, "settled_at": actor.utc, "settled_reason": why, "owner_id": actor.account_id}
    for row in rows:
        _change(session, actor, row, "dismiss", settled, why)


def release(session: Session, actor: Actor, clinic: Clinic, largest: int) -> tuple[int, Changes]:
    """File the rows whose patients are here now, and judge them; how many rows left the tray. `largest` is the
    most bytes that a document among them may have.

    Whatever enrols a patient calls this, so that nothing waits longer than it must.
    """
    importer = Importer(session, actor, [clinic], largest=largest)
    return importer.release(), importer.judge()


def _change(
    session: Session, actor: Actor, row: HeldRow, action: str, columns: dict[str, Any], reason: str = ""
) -> None:
    if row.state != WAITING:
        raise Stale("One of these rows was filed or dismissed meanwhile. Look at the tray again.")
    before = {name: audit.plain(getattr(row, name)) for name in columns}
    for name, value in columns.items():
        setattr(row, name, value)
    session.flush()
    after = {name: audit.plain(value) for name, value in columns.items()}
    audit.note(
        session, actor, action, "held_row", row.id, before=before, after=after, reason=reason, clinic_id=row.clinic_id
    )
