"""A clinic's reference ranges as a table: what is in force on a day, what is to come, what went before, by whom."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.ranges import Range
from tracker.library.analytes import ANALYTES
from tracker.models import Account, ReferenceRange

IN_FORCE, TO_COME, FOLLOWED = "in force", "to come", "followed"
DRAFT, WITHDRAWN = "draft", "withdrawn"


class Line(NamedTuple):
    """One version of one line. `state` is one of the words above; names are "" where nobody signed in did it."""

    row: ReferenceRange
    state: str
    drafted_by: str
    published_by: str

    @property
    def name(self) -> str:
        known = ANALYTES.get(self.row.analyte)
        return known.name if known else self.row.analyte

    @property
    def low(self) -> str:
        return _bounds(self.row).low_text

    @property
    def high(self) -> str:
        return _bounds(self.row).high_text

    @property
    def ages(self) -> str:
        """`any age`, `from 18 years`, `under 18 years`, `18 to 59 years`: completed years, both ends meant."""
        first, beyond = self.row.age_from, self.row.age_to
        if beyond is None:
            return f"from {first} years" if first else "any age"
        if not first:
            return f"under {beyond} years"
        return f"{first} to {beyond - 1} years" if beyond - 1 > first else f"{first} years"

    @property
    def two_people(self) -> bool:
        """Drafted by one person of the clinic and published by another."""
        by, then = self.row.drafted_by, self.row.published_by
        return by is not None and then is not None and by != then


def _bounds(row: ReferenceRange) -> Range:
    return Range(row.low, row.low_inclusive, row.high, row.high_inclusive, row.unit, "")


Scope = tuple[str, str, str, int | None, int | None]


def scope(row: ReferenceRange) -> Scope:
    """What the versions of one line have in common."""
    return (row.analyte, row.laboratory, row.sex, row.age_from, row.age_to)


def table(session: Session, clinic_id: int, on: date, analyte: str = "") -> list[Line]:
    """Every line in force on `on` or to come, in the order of the analytes, the clinic's own before a laboratory's."""
    statement = select(ReferenceRange).where(ReferenceRange.clinic_id == clinic_id, ReferenceRange.state == "published")
    if analyte:
        statement = statement.where(ReferenceRange.analyte == analyte)
    rows = list(session.scalars(statement))
    shown = [line for line in _lines(session, rows, on) if line.state in (IN_FORCE, TO_COME)]
    order = {code: place for place, code in enumerate(ANALYTES)}
    return sorted(
        shown,
        key=lambda line: (
            order.get(line.row.analyte, len(order)), line.row.laboratory, line.row.sex, line.row.age_from or 0,
            line.row.effective_from,
        ),
    )  # fmt: skip


def drafts(session: Session, clinic_id: int) -> list[Line]:
    """What waits for a second person, the oldest first."""
    statement = select(ReferenceRange).where(ReferenceRange.clinic_id == clinic_id, ReferenceRange.state == DRAFT)
    return _lines(session, list(session.scalars(statement.order_by(ReferenceRange.id))), date.max)


def history(session: Session, row: ReferenceRange, on: date) -> list[Line]:
    """All versions of one line, newest first: published, drafted and withdrawn."""
    line = ReferenceRange
    statement = select(line).where(
        line.clinic_id == row.clinic_id,
        line.analyte == row.analyte,
        line.laboratory == row.laboratory,
        line.sex == row.sex,
    )
    rows = [other for other in session.scalars(statement) if scope(other) == scope(row)]
    rows.sort(key=lambda other: (other.effective_from, other.id), reverse=True)
    return _lines(session, rows, on)


def _lines(session: Session, rows: Iterable[ReferenceRange], on: date) -> list[Line]:
    rows = list(rows)
    latest: dict[Scope, tuple[date, int]] = {}
    for row in rows:
        if row.state == "published" and row.effective_from <= on:
            latest[scope(row)] = max(latest.get(scope(row), (date.min, 0)), (row.effective_from, row.id))
    people = {id for row in rows for id in (row.drafted_by, row.published_by) if id is not None}
    names: dict[int | None, str] = {}
    if people:
        known = select(Account.id, Account.name).where(Account.id.in_(people))
        names.update((row.id, row.name) for row in session.execute(known))
    return [
        Line(
            row,
            _state(row, latest.get(scope(row)), on),
            names.get(row.drafted_by, ""),
            names.get(row.published_by, ""),
        )
        for row in rows
    ]


def _state(row: ReferenceRange, latest: tuple[date, int] | None, on: date) -> str:
    if row.state != "published":
        return row.state
    if row.effective_from > on:
        return TO_COME
    return IN_FORCE if latest == (row.effective_from, row.id) else FOLLOWED


def followed_by(session: Session, draft: ReferenceRange, on: date) -> Line | None:
    """The version of the same line that a draft would follow: the one in force on the draft's first day."""
    day = max(draft.effective_from, on)
    return next((line for line in history(session, draft, day) if line.state == IN_FORCE), None)
