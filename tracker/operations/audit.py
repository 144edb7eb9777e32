"""Every write leaves an entry: who, when, what, from what to what, why. Entries are chained when the transaction is
stored.

The chain's order is the sequence number, never the clock. Writers take turns for the moment of sealing (SQLite: the
write lock they hold already; PostgreSQL: an advisory lock), so the chain never forks.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session, SessionTransaction

from tracker.models import AuditEntry, Base
from tracker.operations.actor import Actor

_PENDING = "audit_entries"
_LOCK = 0x4A414B57  # one number for "the audit chain of this database"
START = "0" * 64


def plain(value: Any) -> Any:
    """A column's value as it is kept in an entry: text that reads back exactly."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def snapshot(row: Base) -> dict[str, Any]:
    """Every column of a row as an entry keeps it."""
    return {column.key: plain(getattr(row, column.key)) for column in row.__mapper__.column_attrs}


def note(  # noqa: PLR0913 - the columns of an entry
    session: Session,
    actor: Actor,
    action: str,
    record: str,
    record_id: int | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    patient_id: int | None = None,
    clinic_id: int | None = None,
) -> None:
    """Add an entry to this transaction. Of `before` and `after` only what differs is kept when both are given."""
    if before is not None and after is not None:
        changed = [key for key in after if after[key] != before.get(key)]
        before, after = {k: before.get(k) for k in changed}, {k: after[k] for k in changed}
        if not changed:
            return
    entry = {
        "at": actor.utc, "account_id": actor.account_id, "actor": actor.name, "role": actor.role,
        "clinic_id": clinic_id, "patient_id": patient_id, "action": action, "record": record, "record_id": record_id,
        "before": dict(before) if before is not None else None, "after": dict(after) if after is not None else None,
        "reason": reason, "origin": actor.origin, "request_id": actor.request_id,
    }  # fmt: skip
    _pending(session).append((session.get_nested_transaction(), entry))


def created(
    session: Session, actor: Actor, row: Base, *, clinic_id: int, patient_id: int | None = None, reason: str = ""
) -> None:
    """Flush a new row and note it whole."""
    session.add(row)
    session.flush()
    note(
        session, actor, "create", row.__tablename__, getattr(row, "id"),  # noqa: B009 - every table has one
        after=snapshot(row), reason=reason, patient_id=patient_id, clinic_id=clinic_id,
    )  # fmt: skip


def digest(previous: str, entry: Mapping[str, Any]) -> str:
    """The digest of one entry, bound to the one before it."""
    names = ("id", "at", "account_id", "actor", "role", "clinic_id", "patient_id", "action", "record", "record_id",
             "before", "after", "reason", "origin", "request_id")  # fmt: skip
    content = json.dumps(
        [plain(entry[name]) for name in names], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


Pending = list[tuple[SessionTransaction | None, dict[str, Any]]]  # with the savepoint each was noted in


def _pending(session: Session) -> Pending:
    """What this session has noted and not stored yet."""
    pending: Pending | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = []
        event.listen(session, "before_commit", _seal)
        event.listen(session, "after_soft_rollback", _forget)
    return pending


def _forget(session: Session, undone: SessionTransaction) -> None:
    """What was noted in a savepoint that is taken back was never done."""
    pending = _pending(session)
    pending[:] = [] if undone.parent is None else [(at, entry) for at, entry in pending if not _within(at, undone)]


def _within(savepoint: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while savepoint is not None and savepoint is not outer:
        savepoint = savepoint.parent
    return savepoint is outer


def _seal(session: Session) -> None:
    if session.in_nested_transaction():
        return  # the end of a savepoint; its entries are stored with the whole
    pending = [entry for _, entry in _pending(session)]
    _pending(session).clear()
    if not pending:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = session.execute(select(AuditEntry.id, AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1)).first()
    number, previous = (last.id, last.digest) if last else (0, START)
    for entry in pending:
        number += 1
        entry["id"], entry["previous"] = number, previous
        entry["digest"] = previous = digest(previous, entry)
    session.execute(insert(AuditEntry), pending)


def first_bad_entry(session: Session) -> int | None:
    """Walk the chain; the number of the first entry that does not follow from the one before, None when all do."""
    previous, expected = START, 1
    rows = session.execute(select(AuditEntry.__table__).order_by(AuditEntry.id).execution_options(yield_per=5000))
    for row in rows.mappings():
        if row["id"] != expected or row["previous"] != previous or row["digest"] != digest(previous, dict(row)):
            return expected
        previous, expected = row["digest"], expected + 1
    return None
