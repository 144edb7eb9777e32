"""The one evaluator: load histories, run the rules, hold the findings against the stored flags, store what changed.

The same function serves one entry, a whole file, every patient after a range changed, and a dry run. The first three
steps write nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain import lifecycle
from tracker.domain.findings import CONFIRMED, REPEAT_OVERDUE, Finding
from tracker.domain.history import History
from tracker.domain.schedule import next_change
from tracker.models import Clinic, LabResult, Patient, table_of
from tracker.operations.actor import Actor
from tracker.operations.flag_rows import FlagWrites, Stored, content_of, place_of, stored_flags
from tracker.operations.pace import no_search_for_cycles
from tracker.operations.provenance import judged_by
from tracker.queries.history import BATCH, Loader
from tracker.queries.patients import stale
from tracker.queries.yardsticks import load_yardsticks


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
        stored = stored_flags(session, batch, evidence=bool(amended))
        writes = FlagWrites(now, clinic_id, judged_by(loader.yardsticks.digest))
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


def left_to_judge(session: Session, clinic_id: int, today: date) -> list[int]:
    """Who is not judged by what is in force, or whose day has come."""
    return stale(session, clinic_id, judged_by(load_yardsticks(session, clinic_id).digest), today)


def rejudge(session: Session, actor: Actor, patient: Patient, amended: frozenset[int] = frozenset()) -> Changes:
    """Judge one patient after anything about them changed; every page that writes calls this in its transaction."""
    zone = ZoneInfo(session.get_one(Clinic, patient.clinic_id).time_zone)
    session.flush()
    return evaluate(session, patient.clinic_id, [patient.id], actor.utc, actor.today(zone), amended)


# ---------------------------------------------------------------------------------------------- reconcile


def _reconcile(
    history: History, findings: Sequence[Finding], stored: Sequence[Stored], amended: frozenset[int],
    writes: FlagWrites, changes: Changes,
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
    history: History, finding: Finding, flag: Stored, amended: frozenset[int], writes: FlagWrites, changes: Changes
) -> None:
    machine = lifecycle.MACHINE_OPEN if finding.is_open else lifecycle.MACHINE_CLEARED
    standing = lifecycle.Standing(flag.review, flag.reviewed_grade, flag.reviewed_severity, flag.until)
    why = ""
    if finding.is_open:
        why = lifecycle.reopening(
            standing, finding.grade, finding.severity, history.as_of,
            amended=bool(amended) and any(item.get("result_id") in amended for item in flag.evidence),
            confirmed=finding.confirmation == CONFIRMED and flag.confirmation != CONFIRMED,
            repeat_overdue=finding.confirmation == REPEAT_OVERDUE,
        )  # fmt: skip
    review = lifecycle.REOPENED if why else flag.review
    before = flag.attention if review in lifecycle.UNDECIDED and not why else None
    asked = flag.machine == lifecycle.MACHINE_CLEARED and before is not None and before < lifecycle.CARRIED_OFFSET
    place = place_of(finding, machine, review, before, asked)
    content = content_of(finding)
    if content == flag.content and review == flag.review and place == flag.attention and not flag.superseded:
        return
    writes.change(flag, finding, content, machine, review, why, place)
    told = changes.cleared if flag.machine != machine and not finding.is_open else changes.changed
    told.append((history.person.id, finding.sentence))


def _next_check(history: History, findings: Sequence[Finding], stored: Sequence[Stored]) -> date | None:
    days = [day for day in (next_change(history, findings),) if day is not None]
    days += [flag.until for flag in stored if flag.until is not None and flag.until >= history.as_of]
    return min(days, default=None)


def _store_ranges(session: Session, changed: Mapping[int, int | None]) -> None:
    """Keep with each result the configured range that judged it now; a statement for the results of one range."""
    table = table_of(LabResult)
    statement = update(table).where(table.c.id.in_(bindparam("results", expanding=True)))
    by_range: dict[int | None, list[int]] = {}
    for result, range_id in changed.items():
        by_range.setdefault(range_id, []).append(result)
    for range_id, results in by_range.items():
        for start in range(0, len(results), BATCH):
            session.connection().execute(
                statement.values(range_id=range_id), {"results": results[start : start + BATCH]}
            )
