"""How much waits, in numbers alone: for whatever watches the service. Nothing here is about one patient."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from tracker.domain.findings import SEVERITIES
from tracker.domain.lifecycle import CARRIED_OFFSET
from tracker.models import AuditEntry, BrowserSession, EmergencyAccess, Flag, HeldRow, Patient


class Figure(NamedTuple):
    """One number as it is now, with a sentence on what it counts."""

    name: str
    about: str
    value: int
    label: tuple[str, str] | None = None


def figures(session: Session, today: date, seen_since: datetime) -> Iterator[Figure]:
    """What waits in all clinics together. `today` is the calendar day in UTC; sessions seen after `seen_since` count
    as open.
    """
    waiting = _count(Flag.attention < CARRIED_OFFSET, Flag.attention).group_by(Flag.attention)
    by_place: dict[int, int] = {}
    for place, count in session.execute(waiting):
        by_place[place] = count
    for place, severity in enumerate(SEVERITIES):
        told = "Flags about which nobody has decided, by the worst severity since"
        yield Figure("flags_waiting", told, by_place.get(place, 0), ("severity", severity))
    for name, about, statement in (
        ("rows_waiting", "Rows of files that wait for their patient", _count(HeldRow.state == "waiting")),
        ("judging_overdue", "Patients whose day has come and who were not judged since: does tracker evaluate run?",
         _count(Patient.next_check_on < today)),
        ("emergencies_open", "Emergencies that nobody has looked into", _count(EmergencyAccess.closed_at.is_(None))),
        ("sessions_open", "Browsers that are signed in",
         _count((BrowserSession.revoked_at.is_(None)) & (BrowserSession.seen_at > seen_since))),
        ("audit_entries", "Number of the last entry of the audit trail", select(func.max(AuditEntry.id))),
    ):  # fmt: skip
        yield Figure(name, about, session.scalar(statement) or 0)


def _count(condition: ColumnElement[bool], *columns: Any) -> Select[Any]:
    return select(*columns, func.count()).where(condition)
