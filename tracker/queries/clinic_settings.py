"""What a clinic set beside its ranges, as pages show it: versions with their people and their state on a day."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Account, ClinicSetting
from tracker.queries.range_table import FOLLOWED, IN_FORCE, TO_COME


class Line(NamedTuple):
    """One version. `state` is a word of queries/range_table.py; names are "" where nobody signed in did it."""

    row: ClinicSetting
    state: str
    drafted_by: str
    published_by: str


Scope = tuple[str, str]


def lines(session: Session, clinic_id: int, on: date, scope: Scope | None = None) -> list[Line]:
    """Every version of one setting (or of all), newest first: published, drafted and withdrawn."""
    s = ClinicSetting
    statement = select(s).where(s.clinic_id == clinic_id)
    if scope is not None:
        statement = statement.where(s.kind == scope[0], s.scope == scope[1])
    rows = list(session.scalars(statement.order_by(s.kind, s.scope, s.effective_from.desc(), s.id.desc())))
    names = _names(session, rows)
    latest = _in_force(rows, on)
    return [
        Line(
            row, _state(row, latest.get((row.kind, row.scope)), on), names.get(row.drafted_by, ""),
            names.get(row.published_by, ""),
        )
        for row in rows
    ]  # fmt: skip


def _in_force(rows: Iterable[ClinicSetting], on: date) -> dict[Scope, tuple[date, int]]:
    found: dict[Scope, tuple[date, int]] = {}
    for row in rows:
        if row.state == "published" and row.effective_from <= on:
            key = (row.kind, row.scope)
            found[key] = max(found.get(key, (date.min, 0)), (row.effective_from, row.number))
    return found


def _state(row: ClinicSetting, latest: tuple[date, int] | None, on: date) -> str:
    if row.state != "published":
        return row.state
    if row.effective_from > on:
        return TO_COME
    return IN_FORCE if latest == (row.effective_from, row.number) else FOLLOWED


def _names(session: Session, rows: Iterable[ClinicSetting]) -> dict[int | None, str]:
    people = {id for row in rows for id in (row.drafted_by, row.published_by) if id is not None}
    found: dict[int | None, str] = {}
    if people:
        known = select(Account.id, Account.name).where(Account.id.in_(people))
        found.update((row.id, row.name) for row in session.execute(known))
    return found
