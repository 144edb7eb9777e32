"""An oracle beside the program: what every transaction wrote, compared with what it entered in the audit trail.

It reads the statements as they go to the database, and the rows that the ORM flushes, so that no door is missed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect
from sqlalchemy.orm import Session

_WRITE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?(.*)', re.IGNORECASE | re.DOTALL)
_SET = re.compile(r'"?(\w+)"?\s*=')

# What is no change of a record: worked out by the rules again and again, or about a browser and not about a patient.
UNAUDITED = {
    "browser_session": "a browser, not a record; signing in and out are entries",
    "draft": "what somebody was typing; deleted when it is saved",
    "recovery_code": "goes with an entry of the account; spending one is signing in, which is an entry",
    "queue_visit": "when somebody last looked",
    "queue_view": "which filters somebody saved for themselves",
    "access_note": "itself the log of who looked",
    "audit_entry": "itself the trail",
    "import_problem": "a part of the batch, which has an entry",
}
DERIVED = {  # of a flag: all but what stands in DECIDED
    "patient": {"next_check_on", "judged_at", "judged_digest", "version"},
    "account": {"failed_attempts", "locked_until", "totp_step", "version"},
    "passkey": {"counter", "challenged_at", "used_at"},
    "lab_result": {"range_id"},
    "import_run": {"shelves", "stored", "seen_at", "worker", "flags", "unmapped", "totals"},
    "job": {"state", "worker", "seen_at", "done", "total", "ended_at", "message", "result"},
}  # fmt: skip
DECIDED = {"review", "until", "reviewed_grade", "reviewed_severity", "owner_id"}  # of a flag: what a person says
# Told in the entry of another record of the same transaction.
COVERED = {
    "membership": ("account",),  # “clinics”
    "lab_result": ("import_batch",),  # each row names its batch, whose entry says how many were filed
    "held_row": ("import_batch",),
    "reference_range": ("clinic",),  # a new clinic begins with the starter set
}


class Oracle:
    """What was not audited, a sentence each; and how many changes were looked at."""

    def __init__(self) -> None:
        self.unaudited: list[str] = []
        self.changes = 0
        self._transactions: dict[int, Transaction] = {}

    def of(self, connection: Connection) -> "Transaction":
        return self._transactions.setdefault(_key(connection), Transaction())

    def committed(self, connection: Connection) -> None:
        done = self._transactions.pop(_key(connection), Transaction())
        self.changes += len(done.written)
        self.unaudited += done.unaudited()

    def rolled_back(self, connection: Connection) -> None:
        self._transactions.pop(_key(connection), None)


def _key(connection: Connection) -> int:
    return id(connection.connection.dbapi_connection)


class Transaction:
    """What one transaction has written and entered so far: (table, row), or (table, None) for a statement."""

    def __init__(self) -> None:
        self.written: set[tuple[str, int | None]] = set()
        self.entered: set[tuple[str, int | None]] = set()
        self._saved: list[tuple[set[Any], set[Any]]] = []

    def save(self) -> None:
        self._saved.append((set(self.written), set(self.entered)))

    def release(self) -> None:
        self._saved.pop()

    def take_back(self) -> None:
        self.written, self.entered = self._saved.pop()

    def statement(self, statement: str, parameters: Any) -> None:
        found = _WRITE.match(statement)
        if found is None:
            return
        verb, table, rest = found[1].upper(), found[2], found[3]
        if table == "audit_entry" and verb == "INSERT INTO":
            self._enter(rest, parameters)
        elif table not in UNAUDITED:
            columns = set(_SET.findall(rest.partition("WHERE")[0])) if verb == "UPDATE" else set()
            if not self._is_derived(table, verb, columns):
                self.written.add((table, None))

    def _enter(self, rest: str, parameters: Any) -> None:
        names = [name.strip(' "') for name in rest[rest.index("(") + 1 : rest.index(")")].split(",")]
        for one in parameters if isinstance(parameters, list) else [parameters]:
            row = one if isinstance(one, dict) else dict(zip(names, one, strict=False))
            self.entered |= {(row["record"], None), (row["record"], row.get("record_id"))}

    @staticmethod
    def _is_derived(table: str, verb: str, columns: set[str]) -> bool:
        if table == "flag":
            return "last_seen_on" in columns or not columns & DECIDED  # the rules write both sets at once
        return verb == "UPDATE" and bool(columns) and columns <= set(DERIVED.get(table, ()))

    def flushed(self, session: Session) -> None:
        for row in (*session.new, *(row for row in session.dirty if session.is_modified(row)), *session.deleted):
            table = row.__tablename__
            changed = {key for key, state in inspect(row).attrs.items() if state.history.has_changes()}
            verb = "INSERT INTO" if row in session.new else "UPDATE"
            if table not in UNAUDITED and not self._is_derived(table, verb, changed):
                self.written.add((table, row.id))

    def unaudited(self) -> list[str]:
        return [
            f"{table} {key or 'by statement'}"
            for table, key in self.written - self.entered
            if not any((other, None) in self.entered for other in COVERED.get(table, ()))
        ]


@contextmanager
def watching() -> Iterator[Oracle]:
    """Look at every engine and session of this process."""
    oracle = Oracle()

    def statement(connection: Connection, _cursor: Any, told: str, parameters: Any, *_: Any) -> None:
        oracle.of(connection).statement(told, parameters)

    def flushed(session: Session, _context: Any) -> None:
        oracle.of(session.connection()).flushed(session)

    def saved(connection: Connection, _name: Any) -> None:
        oracle.of(connection).save()

    def released(connection: Connection, *_: Any) -> None:
        oracle.of(connection).release()

    def taken_back(connection: Connection, *_: Any) -> None:
        oracle.of(connection).take_back()

    listening = (
        (Engine, "before_cursor_execute", statement), (Session, "after_flush", flushed),
        (Engine, "savepoint", saved),
        (Engine, "release_savepoint", released), (Engine, "rollback_savepoint", taken_back),
        (Engine, "commit", oracle.committed), (Engine, "rollback", oracle.rolled_back),
    )  # fmt: skip
    for target, name, listener in listening:
        event.listen(target, name, listener)
    try:
        yield oracle
    finally:
        for target, name, listener in listening:
            event.remove(target, name, listener)
