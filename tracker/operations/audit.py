"""Every write leaves an entry: who, when, what, from what to what, why. Entries are chained when the transaction is
stored: each has the digest of the one before in its own, which is made with a key (domain/keyring.py). The last number
and digest are noted outside the database as well (anchors.py).

The chain's order is the sequence number, never the clock. Writers take turns for the moment of sealing (SQLite: the
write lock they hold already; PostgreSQL: an advisory lock), so the chain never forks.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session, SessionTransaction

from tracker.domain.errors import Refused
from tracker.domain.keyring import Keyring
from tracker.models import AuditEntry, Base
from tracker.operations import anchors
from tracker.operations.actor import Actor
from tracker.operations.anchors import Head, Seal

_PENDING, _HEAD = "audit_entries", "audit_head"
_LOCK = 0x4A414B57  # one number for "the audit chain of this database"
START = "0" * 64
CHANGE_OF_KEY = "change_key"
CLOCK_SLACK = timedelta(minutes=5)
_sealed = itemgetter(
    "id", "at", "account_id", "actor", "role", "clinic_id", "patient_id", "action", "record", "record_id", "before",
    "after", "reason", "origin", "request_id",
)  # fmt: skip


def plain(value: Any) -> Any:
    """A column's value as it is kept in an entry: text that reads back exactly."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain).encode


def snapshot(row: Base) -> dict[str, Any]:
    """Every column of a row as an entry keeps it; a file that is kept in one stands there by its digest."""
    columns = (column for column in row.__mapper__.column_attrs if not column.deferred)
    return {column.key: plain(getattr(row, column.key)) for column in columns}


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


def digest(previous: str, entry: Mapping[str, Any], keyring: Keyring) -> str:
    """The digest of one entry, bound to the one before it. Raises KeyError where its key is not on the ring."""
    content = _encoded(_sealed(entry))
    return keyring.digest(entry["sealed_with"], f"{previous}\n{content}")


def seal_of(session: Session) -> Seal:
    """What this session seals with: its database was opened with it; no key and no anchor else."""
    found: Seal | None = session.info.get("seal")
    return found or Seal()


Pending = list[tuple[SessionTransaction | None, dict[str, Any]]]  # with the savepoint each was noted in


def _pending(session: Session) -> Pending:
    """What this session has noted and not stored yet."""
    pending: Pending | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = []
        event.listen(session, "before_commit", _seal)
        event.listen(session, "after_commit", _anchor)
        event.listen(session, "after_soft_rollback", _forget)
    return pending


def _forget(session: Session, undone: SessionTransaction) -> None:
    """What was noted in a savepoint that is taken back was never done."""
    session.info.pop(_HEAD, None)
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
        session.execute(
            text("SELECT set_config('jakwatch.clinics', '*', true)")
        )  # the last entry may be another clinic's
    last = _last(session)
    number, previous = (last.id, last.digest) if last else (0, START)
    keyring = seal_of(session).keyring
    if last is not None and last.sealed_with != keyring.current:
        pending.insert(0, _change_of_key(last.sealed_with, keyring, pending[0]))
    for entry in pending:
        number += 1
        entry["id"], entry["previous"], entry["sealed_with"] = number, previous, keyring.current
        entry["digest"] = previous = digest(previous, entry, keyring)
    session.execute(insert(AuditEntry), pending)
    session.info[_HEAD] = Head(number, keyring.current, pending[-1]["at"], previous)


def _last(session: Session) -> Any:
    """The last entry's id, digest and key, None of an empty trail."""
    columns = (AuditEntry.id, AuditEntry.digest, AuditEntry.sealed_with)
    return session.execute(select(*columns).order_by(AuditEntry.id.desc()).limit(1)).first()


def _change_of_key(former: str, keyring: Keyring, first: Mapping[str, Any]) -> dict[str, Any]:
    """The entry that says so. Raises Refused for whoever does not hold the former key."""
    if not keyring.current or not keyring.knows(former):
        raise Refused(
            f"The audit trail is sealed with {'a key' if not keyring.current else 'another key'} ({former}). Set"
            " TRACKER_AUDIT_KEY or TRACKER_SECRET_KEY as the service has it, a former one in TRACKER_AUDIT_OLD_KEYS."
        )
    told = {"action": CHANGE_OF_KEY, "record": "audit_entry", "record_id": None, "clinic_id": None, "patient_id": None}
    return {**first, **told, "before": {"key": former}, "after": {"key": keyring.current}, "reason": ""}


def _anchor(session: Session) -> None:
    head: Head | None = session.info.pop(_HEAD, None)
    if head is not None:
        anchors.append(seal_of(session), head)


# ---------------------------------------------------------------------------------------------- checking


class Fault(NamedTuple):
    """The first entry that is not as it was written, and what is wrong with it."""

    entry: int
    why: str


def first_bad_entry(session: Session) -> int | None:
    """The number of the first entry that is not as it was written, None when all are."""
    fault = examine(session)
    return fault.entry if fault else None


def examine(session: Session) -> Fault | None:
    """Walk the chain from the first entry to the last and hold it against the anchors: the first fault, or None."""
    seal = seal_of(session)
    seen = anchors.read(seal)
    before: Mapping[str, Any] = {"id": 0, "digest": START, "sealed_with": None}
    rows = session.execute(select(AuditEntry.__table__).order_by(AuditEntry.id).execution_options(yield_per=5000))
    names = tuple(rows.keys())
    for row in rows:
        entry = dict(zip(names, row, strict=True))
        why = _wrong(entry, before, seal.keyring)
        if why:
            return Fault(before["id"] + 1, why)
        if seen.seen.get(entry["id"], entry["digest"]) != entry["digest"]:
            return Fault(entry["id"], "the anchor saw another one: it, or one shortly before, was written anew")
        before = entry
    if seen.last > before["id"]:
        return Fault(before["id"] + 1, f"it is missing, with all up to {seen.last}, which the anchor saw")
    if seen.strange:
        return Fault(before["id"], f"line {seen.strange[0]} of the anchor file is not one that Jakwatch wrote")
    return None


def _wrong(entry: Mapping[str, Any], before: Mapping[str, Any], keyring: Keyring) -> str:
    if entry["id"] != before["id"] + 1:
        return "it is missing"
    if entry["previous"] != before["digest"]:
        return "it does not follow from the one before"
    name, former = entry["sealed_with"], before["sealed_with"]
    if former is not None and name != former:
        declared = entry["action"] == CHANGE_OF_KEY and (entry["before"], entry["after"]) == (
            {"key": former},
            {"key": name},
        )
        if not declared or not name:
            return "the key changes and no entry says so"
    if not keyring.knows(name):
        return (
            f"it is sealed with a key that was not given ({name}): set TRACKER_AUDIT_KEY or TRACKER_SECRET_KEY as the"
            " service has it, and name a former one in TRACKER_AUDIT_OLD_KEYS"
        )
    return "" if digest(before["digest"], entry, keyring) == entry["digest"] else "its content is not what was sealed"


def head_fault(session: Session) -> Fault | None:
    """Hold the last entry that the anchors saw against the database: quick, for the start of the service."""
    seal = seal_of(session)
    seen = anchors.read(seal)
    last = _last(session)
    if last is not None and not seal.keyring.knows(last.sealed_with):
        return Fault(
            last.id, f"it is sealed with another key ({last.sealed_with}): name that in TRACKER_AUDIT_OLD_KEYS"
        )
    if not seen.last:
        return None
    found = session.scalar(select(AuditEntry.digest).where(AuditEntry.id == seen.last))
    if found is None:
        return Fault((last.id if last else 0) + 1, f"it is missing, with all up to {seen.last}, which the anchor saw")
    return None if found == seen.seen[seen.last] else Fault(seen.last, "the anchor saw another one")


def clock_fault(session: Session, now: datetime) -> str:
    """What is wrong with the clock, held against the last entry; "" where nothing is. Writers of several machines
    differ by some minutes; their order is that of the numbers anyway.
    """
    written = session.scalar(select(AuditEntry.at).order_by(AuditEntry.id.desc()).limit(1))
    if written is None or written <= now + CLOCK_SLACK:
        return ""
    return (
        f"The clock says {now:%Y-%m-%d %H:%M} UTC, before the last entry of the audit trail"
        f" ({written:%Y-%m-%d %H:%M}): set the clock right."
    )


def begin_again(session: Session, at: datetime) -> None:
    """Say in the anchor file, where there is one, that a backup was brought in or a new database begun."""
    last, seal = _last(session), seal_of(session)
    if seal.anchor is None or not seal.anchor.exists():
        return
    number, found = (last.id, last.digest) if last else (0, START)
    anchors.append(seal, Head(number, seal.keyring.current, at, found), anchors.RESTORED)
