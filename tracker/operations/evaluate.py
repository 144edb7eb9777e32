"""The one evaluator: load histories, run the rules, hold the findings against the stored flags, store what changed.

The same function serves one entry, a whole file, every patient after a range changed, and a dry run. The first three
steps write nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain import lifecycle
from tracker.domain.findings import CONFIRMED, RANK, REPEAT_OVERDUE, ROUTINE, Evidence, Finding
from tracker.domain.history import History
from tracker.domain.schedule import next_change
from tracker.models import Clinic, Flag, LabResult, Patient, table_of
from tracker.operations.actor import Actor
from tracker.operations.audit import plain
from tracker.operations.pace import no_search_for_cycles
from tracker.operations.provenance import judged_by, rulebook_digest
from tracker.queries.history import BATCH, Loader


@dataclass(slots=True)
class Changes:
    """What an evaluation did, a (patient id, sentence) each, and how much it looked at."""

    patients: int = 0
    results: int = 0
    opened: list[tuple[int, str]] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)
    cleared: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Changes") -> None:
        """Take in what another evaluation did."""
        for name in ("opened", "changed", "cleared"):
            getattr(self, name).extend(getattr(other, name))
        self.patients += other.patients
        self.results += other.results

    def counts(self) -> dict[str, int]:
        return {"opened": len(self.opened), "changed": len(self.changed), "cleared": len(self.cleared)}


def judge(session: Session, clinic_id: int, patient_ids: Sequence[int], as_of: date,
          known_at: datetime | None = None) -> Iterator[tuple[History, tuple[Finding, ...]]]:  # fmt: skip
    """Findings for each patient at the end of `as_of`; nothing is stored."""
    for history in Loader(session, clinic_id, as_of, known_at).histories(patient_ids):
        yield history, rules.run(history)


def evaluate(
    session: Session, clinic_id: int, patient_ids: Iterable[int], now: datetime, as_of: date,
    amended: frozenset[int] = frozenset(), store: bool = True,
) -> Changes:  # fmt: skip
    """Judge these patients of one clinic and bring their flags up to date, in the caller's transaction.

    `amended` are results corrected or voided in this transaction: a decision that rested on one comes back.
    """
    ids = sorted(set(patient_ids))
    changes = Changes()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        loader = Loader(session, clinic_id, as_of)
        stored = _stored_flags(session, batch, evidence=bool(amended))
        writes = _Writes(now, clinic_id, judged_by(loader.yardsticks.digest))
        with no_search_for_cycles():
            for history in loader.histories(batch):
                findings = rules.run(history)
                changes.patients += 1
                changes.results += sum(len(labs) for labs in history.labs.values())
                _reconcile(history, findings, stored.get(history.person.id, ()), amended, writes, changes)
        if store:
            writes.store(session)
            _store_ranges(session, loader.range_changes)
    return changes


def rejudge(session: Session, actor: Actor, patient: Patient, amended: frozenset[int] = frozenset()) -> Changes:
    """Judge one patient after anything about them changed; every page that writes calls this in its transaction."""
    zone = ZoneInfo(session.get_one(Clinic, patient.clinic_id).time_zone)
    session.flush()
    return evaluate(session, patient.clinic_id, [patient.id], actor.utc, actor.today(zone), amended)


# ---------------------------------------------------------------------------------------------- reconcile


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
    version: int
    evidence: Sequence[Any] = ()


def _reconcile(
    history: History, findings: Sequence[Finding], stored: Sequence[Stored], amended: frozenset[int],
    writes: "_Writes", changes: Changes,
) -> None:  # fmt: skip
    patient_id = history.person.id
    by_fingerprint = {flag.fingerprint: flag for flag in stored}
    found = {finding.fingerprint for finding in findings}
    gone = {fingerprint: flag for fingerprint, flag in by_fingerprint.items() if fingerprint not in found}
    for finding in findings:
        flag = by_fingerprint.get(finding.fingerprint) or same_episode(finding, gone)
        if flag is None:
            writes.open(patient_id, finding)
            if finding.is_open:
                changes.opened.append((patient_id, finding.sentence))
            continue
        gone.pop(flag.fingerprint, None)
        _update(history, finding, flag, amended, writes, changes)
    for flag in gone.values():
        if not flag.superseded:
            writes.supersede(flag, history.as_of)
            if flag.machine == lifecycle.MACHINE_OPEN:
                changes.cleared.append((patient_id, flag.sentence))
    writes.check(patient_id, _next_check(history, findings, stored))


class Episode(Protocol):
    """What tells one episode from another."""

    @property
    def rule(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def entry(self) -> str: ...
    @property
    def opened_on(self) -> date: ...
    @property
    def cleared_on(self) -> date | None: ...
    @property
    def superseded(self) -> bool: ...


AnEpisode = TypeVar("AnEpisode", bound=Episode)


def same_episode(finding: Finding, gone: Mapping[str, AnEpisode]) -> AnEpisode | None:
    """The known episode whose first day moved, because an older result came in late or its first was corrected."""
    for known in gone.values():
        same = (known.rule, known.subject, known.entry) == (finding.rule, finding.subject, finding.entry)
        if same and not known.superseded:
            begins, ends = finding.opened_on, finding.cleared_on or date.max
            if begins <= (known.cleared_on or date.max) and known.opened_on <= ends:
                return known
    return None


def _update(
    history: History, finding: Finding, flag: Stored, amended: frozenset[int], writes: "_Writes", changes: Changes
) -> None:
    machine = lifecycle.MACHINE_OPEN if finding.is_open else lifecycle.MACHINE_CLEARED
    standing = lifecycle.Standing(flag.review, flag.reviewed_grade, flag.reviewed_severity)
    why = ""
    if finding.is_open:
        why = lifecycle.reopening(
            standing, finding.grade, finding.severity,
            amended=bool(amended) and any(item.get("result_id") in amended for item in flag.evidence),
            confirmed=finding.confirmation == CONFIRMED and flag.confirmation != CONFIRMED,
            repeat_overdue=finding.confirmation == REPEAT_OVERDUE,
            snooze_over=flag.until is not None and flag.until < history.as_of,
        )  # fmt: skip
    review = lifecycle.REOPENED if why else flag.review
    before = flag.attention if review in lifecycle.UNDECIDED and not why else None
    place = _place(finding, machine, review, before)
    content = content_of(finding)
    if content == flag.content and review == flag.review and place == flag.attention and not flag.superseded:
        return
    writes.change(flag, finding, content, machine, review, why, place)
    told = changes.cleared if flag.machine != machine and not finding.is_open else changes.changed
    told.append((history.person.id, finding.sentence))


def _place(finding: Finding, machine: str, review: str, before: int | None = None) -> int:
    asks = finding.rule not in lifecycle.SETTLED_BY_THEMSELVES
    return lifecycle.attention(finding.severity, machine, review, finding.folded_under is not None, before, asks)


def _next_check(history: History, findings: Sequence[Finding], stored: Sequence[Stored]) -> date | None:
    days = [day for day in (next_change(history, findings),) if day is not None]
    days += [flag.until for flag in stored if flag.until is not None and flag.until >= history.as_of]
    return min(days, default=None)


def content_of(finding: Finding) -> str:
    return hashlib.blake2b(repr(finding).encode(), digest_size=12).hexdigest()


# ---------------------------------------------------------------------------------------------- storing


class _Writes:
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
                "attention": _place(finding, machine, lifecycle.OPEN),
                "rules_digest": rulebook_digest(),
            }
        )

    def change(
        self, flag: Stored, finding: Finding, content: str, machine: str, review: str, why: str, place: int
    ) -> None:
        self.updates.append(
            {f"new_{name}": value for name, value in _columns(finding, content).items()}
            | {
                "flag": flag.id, "new_version": flag.version + 1, "new_machine": machine, "new_review": review,
                "new_reopened_because": why if why else "", "new_attention": place, "new_changed_at": self.now,
                "new_superseded": False, "new_rules_digest": rulebook_digest(),
            }
        )  # fmt: skip

    def supersede(self, flag: Stored, as_of: date) -> None:
        """The finding is no longer there at all: a correction took it away. What people decided about it stays, and who
        carries it is asked to close it."""
        carried = flag.review in lifecycle.CARRIED
        self.superseded.append(
            {
                "flag": flag.id,
                "new_version": flag.version + 1,
                "new_cleared_on": flag.cleared_on or max(as_of, flag.opened_on),
                "new_changed_at": self.now,
                "new_attention": RANK[ROUTINE] if carried else lifecycle.NOT_QUEUED,
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


def _columns(finding: Finding, content: str) -> dict[str, Any]:
    columns = {name: getattr(finding, name) for name in _SAME_NAME}
    return columns | {"content": content, "evidence": [_evidence(item) for item in finding.evidence]}


def _evidence(item: Evidence) -> dict[str, Any]:
    return {name: plain(value) for name, value in asdict(item).items()}


def _stored_flags(session: Session, patient_ids: list[int], evidence: bool) -> dict[int, list[Stored]]:
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


def _store_ranges(session: Session, changed: dict[int, int | None]) -> None:
    """Keep with each result the configured range that judged it now."""
    if changed:
        table = table_of(LabResult)
        statement = update(table).where(table.c.id == bindparam("result")).values(range_id=bindparam("judged_by"))
        session.connection().execute(statement, [{"result": r, "judged_by": j} for r, j in changed.items()])
