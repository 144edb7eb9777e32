"""The audit trail as it is searched and read: by person, patient, record and day, newest first."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from tracker.models import AuditEntry, Membership, Patient

PAGE = 50
# What an entry of a new row repeats of the entry itself, or what no reader can use.
_UNTOLD = frozenset(
    {
        "id", "version", "clinic_id", "patient_id", "created_at", "recorded_at", "recorded_by", "batch_id", "voided_at",
        "password_hash", "content", "token_digest", "drafted_at", "drafted_by", "published_at", "published_by",
    }
)  # fmt: skip
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; an empty field does not narrow. `since` is included, `until` is not."""

    actor: str = ""
    mrn: str = ""
    record: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Entry(NamedTuple):
    """One change, with the patient it is about where there is one."""

    entry: AuditEntry
    patient: Patient | None

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        return lines(self.entry)


def lines(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What changed, a (column, before, after) each; of a new row what was given."""
    after, before = entry.after or {}, entry.before
    if before is None:
        told = [name for name in after if name not in _UNTOLD and after[name] not in _EMPTY]
    else:
        told = list(after)
    return [(name.replace("_", " "), _words((before or {}).get(name)), _words(after[name])) for name in told]


def _words(value: Any) -> str:
    if value in _EMPTY:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def entries(
    session: Session, clinic_ids: Collection[int], search: Search, before: int | None = None, size: int = PAGE
) -> tuple[list[Entry], int | None]:
    """A page of entries, newest first, and the number before which the next page begins."""
    statement = _found(clinic_ids, search).order_by(AuditEntry.id.desc()).limit(size + 1)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    rows = [Entry(*row) for row in session.execute(statement)]
    return rows[:size], rows[size - 1].entry.id if len(rows) > size else None


def stream(session: Session, clinic_ids: Collection[int], search: Search) -> Iterator[dict[str, Any]]:
    """Every entry that is found, oldest first, as rows of the export."""
    statement = _found(clinic_ids, search).order_by(AuditEntry.id).execution_options(yield_per=1000)
    for entry, patient in (Entry(*row) for row in session.execute(statement)):
        yield {
            "id": entry.id, "at": entry.at.isoformat(), "actor": entry.actor, "role": entry.role,
            "action": entry.action, "record": entry.record, "record_id": entry.record_id,
            "mrn": patient.mrn if patient else "", "before": entry.before, "after": entry.after, "reason": entry.reason,
            "origin": entry.origin, "request_id": entry.request_id, "digest": entry.digest,
        }  # fmt: skip


def of_patient(
    session: Session, patient_id: int, before: int | None = None, size: int = PAGE
) -> tuple[list[Entry], int | None]:
    """What changed about one patient, newest first, and where the next page begins."""
    statement = select(AuditEntry).where(AuditEntry.patient_id == patient_id).order_by(AuditEntry.id.desc())
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    rows = [Entry(entry, None) for entry in session.scalars(statement.limit(size + 1))]
    return rows[:size], rows[size - 1].entry.id if len(rows) > size else None


def of_records(session: Session, patient_id: int, records: Sequence[tuple[str, int]], size: int = PAGE) -> list[Entry]:
    """What changed about some rows of one patient, (table, key) each, newest first."""
    chosen = [and_(AuditEntry.record == table, AuditEntry.record_id == key) for table, key in records]
    statement = select(AuditEntry).where(AuditEntry.patient_id == patient_id, or_(*chosen))
    return [Entry(entry, None) for entry in session.scalars(statement.order_by(AuditEntry.id.desc()).limit(size))]


def _found(clinic_ids: Collection[int], search: Search) -> Select[AuditEntry, Patient]:
    statement = select(AuditEntry, Patient).outerjoin(Patient, Patient.id == AuditEntry.patient_id)
    statement = statement.where(_visible(clinic_ids))
    if search.actor:
        statement = statement.where(func.lower(AuditEntry.actor).contains(search.actor.lower(), autoescape=True))
    if search.mrn:
        statement = statement.where(Patient.mrn == search.mrn)
    if search.record:
        statement = statement.where(AuditEntry.record == search.record)
    if search.since is not None:
        statement = statement.where(AuditEntry.at >= search.since)
    if search.until is not None:
        statement = statement.where(AuditEntry.at < search.until)
    return statement


def _visible(clinic_ids: Collection[int]) -> ColumnElement[bool]:
    """Of these clinics: by the entry's clinic, else by its patient's, else by where the person who wrote it works.

    What the server itself did to no clinic's records is everybody's to see.
    """
    colleagues = select(Membership.account_id).where(Membership.clinic_id.in_(clinic_ids))
    nobody = AuditEntry.clinic_id.is_(None) & AuditEntry.patient_id.is_(None)
    return or_(
        AuditEntry.clinic_id.in_(clinic_ids),
        AuditEntry.clinic_id.is_(None) & Patient.clinic_id.in_(clinic_ids),
        nobody & (AuditEntry.account_id.is_(None) | AuditEntry.account_id.in_(colleagues)),
    )
