"""Stored flags as evaluation reads and writes them: gathered, so that a batch is a handful of statements."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker.domain import lifecycle
from tracker.domain.findings import RANK, ROUTINE, Evidence, Finding
from tracker.models import Flag, Patient, table_of
from tracker.operations.audit import plain
from tracker.operations.provenance import rulebook_digest


@dataclass(frozen=True, slots=True)
class Stored:
    """What reconciling needs of a stored flag."""

    id: int
    fingerprint: str
    rule: str
    subject: str
    entry: str
    machine: str
    opened_on: date
    cleared_on: date | None
    severity: str
    superseded: bool
    folded_under: str | None
    sentence: str
    content: str
    confirmation: str | None
    review: str
    until: date | None
    reviewed_grade: int | None
    reviewed_severity: str | None
    attention: int
    reopened_because: str
    waiting_since: datetime | None
    version: int
    evidence: Sequence[Any] = ()


def stored_flags(session: Session, patient_ids: list[int], evidence: bool) -> dict[int, list[Stored]]:
    flag = table_of(Flag).c
    columns = [flag[name] for name in Stored.__dataclass_fields__ if name != "evidence"]
    rows = session.connection().execute(
        select(flag.patient_id, *columns, *([flag.evidence] if evidence else []))
        .where(flag.patient_id.in_(patient_ids))
        .order_by(flag.id)
    )
    found: dict[int, list[Stored]] = {}
    for patient_id, *values in rows:
        found.setdefault(patient_id, []).append(Stored(*values))
    return found


def place_of(finding: Finding, machine: str, review: str, before: int | None = None, asked: bool = False) -> int:
    asks = finding.rule not in lifecycle.SETTLED_BY_THEMSELVES
    return lifecycle.attention(finding.severity, machine, review, finding.folded_under is not None, before, asks, asked)


def content_of(finding: Finding) -> str:
    return hashlib.blake2b(repr(finding).encode(), digest_size=12).hexdigest()


class FlagWrites:
    """Rows to insert and update, gathered so that a batch is a handful of statements."""

    def __init__(self, now: datetime, clinic_id: int, judged: str) -> None:
        self.now = now
        self.judged = judged
        self.clinic_id = clinic_id
        self.inserts: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.superseded: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []

    def open(self, patient_id: int, finding: Finding) -> None:
        machine = lifecycle.MACHINE_OPEN if finding.is_open else lifecycle.MACHINE_CLEARED
        place = place_of(finding, machine, lifecycle.OPEN)
        self.inserts.append(
            _columns(finding, content_of(finding))
            | {
                "clinic_id": self.clinic_id,
                "patient_id": patient_id,
                "first_seen_at": self.now,
                "changed_at": self.now,
                "machine": machine,
                "superseded": False,
                "review": lifecycle.OPEN,
                "reopened_because": "",
                "version": 1,
                "attention": place,
                "waiting_since": lifecycle.waits_since(None, place, lifecycle.OPEN, place, self.now),
                "rules_digest": rulebook_digest(),
            }
        )

    def change(
        self, flag: Stored, finding: Finding, content: str, machine: str, review: str, why: str, place: int
    ) -> None:
        """`why` it came back, "" where it did not: then what was said of it stands while nobody has decided."""
        kept = flag.reopened_because if review in lifecycle.UNDECIDED else ""
        since = lifecycle.waits_since(flag.waiting_since, flag.attention, review, place, self.now, bool(why))
        self.updates.append(
            {f"new_{name}": value for name, value in _columns(finding, content).items()}
            | {
                "flag": flag.id, "new_version": flag.version + 1, "new_machine": machine, "new_review": review,
                "new_reopened_because": why or kept, "new_waiting_since": since,
                "new_attention": place, "new_changed_at": self.now,
                "new_superseded": False, "new_rules_digest": rulebook_digest(),
            }
        )  # fmt: skip

    def supersede(self, flag: Stored, as_of: date) -> None:
        """The finding is no longer there at all: a correction took it away. What people decided about it stays, and who
        judged it is asked to close it."""
        judged = flag.review in (*lifecycle.CARRIED, lifecycle.REOPENED)
        asks = judged and flag.rule not in lifecycle.SETTLED_BY_THEMSELVES
        place = RANK[ROUTINE] if asks else lifecycle.NOT_QUEUED
        self.superseded.append(
            {
                "flag": flag.id,
                "new_version": flag.version + 1,
                "new_cleared_on": flag.cleared_on or max(as_of, flag.opened_on),
                "new_changed_at": self.now,
                "new_attention": place,
                "new_waiting_since": lifecycle.waits_since(
                    flag.waiting_since, flag.attention, flag.review, place, self.now
                ),
            }
        )

    def check(self, patient_id: int, day: date | None) -> None:
        self.checks.append({"patient": patient_id, "new_next": day, "new_judged": self.now, "new_digest": self.judged})

    def store(self, session: Session) -> None:
        if self.inserts:
            session.execute(insert(table_of(Flag)), self.inserts)
        table = table_of(Flag)
        if self.updates:
            names = [key.removeprefix("new_") for key in self.updates[0] if key.startswith("new_")]
            statement = update(table).where(table.c.id == bindparam("flag"))
            session.connection().execute(statement.values({n: bindparam(f"new_{n}") for n in names}), self.updates)
        if self.superseded:
            statement = (
                update(table)
                .where(table.c.id == bindparam("flag"))
                .values(
                    machine=lifecycle.MACHINE_CLEARED,
                    superseded=True,
                    attention=bindparam("new_attention"),
                    waiting_since=bindparam("new_waiting_since"),
                    version=bindparam("new_version"),
                    cleared_on=bindparam("new_cleared_on"),
                    changed_at=bindparam("new_changed_at"),
                )
            )
            session.connection().execute(statement, self.superseded)
        people = table_of(Patient)
        statement = (
            update(people)
            .where(people.c.id == bindparam("patient"))
            .values(
                next_check_on=bindparam("new_next"),
                judged_at=bindparam("new_judged"),
                judged_digest=bindparam("new_digest"),
            )
        )
        session.connection().execute(statement, self.checks)


_SAME_NAME = (
    "fingerprint",
    "rule",
    "subject",
    "entry",
    "severity",
    "grade",
    "peak_grade",
    "grading",
    "confirmation",
    "suggested",
    "due_on",
    "folded_under",
    "opened_on",
    "last_seen_on",
    "cleared_on",
    "sentence",
    "source",
    "verified",
    "yardstick",
)


_FACT = tuple(Evidence.__dataclass_fields__)


def _columns(finding: Finding, content: str) -> dict[str, Any]:
    columns = {name: getattr(finding, name) for name in _SAME_NAME}
    return columns | {"content": content, "evidence": [_evidence(item) for item in finding.evidence]}


def _evidence(item: Evidence) -> dict[str, Any]:
    return {name: plain(getattr(item, name)) for name in _FACT}
