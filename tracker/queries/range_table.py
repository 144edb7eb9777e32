"""A clinic's reference ranges as a table: what is in force on a day, what is to come, what went before, by whom."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.ranges import LONG_AGO, STARTER_FROM, Range
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
        return bounds_of(self.row).low_text

    @property
    def high(self) -> str:
        return bounds_of(self.row).high_text

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
    def ended(self) -> bool:
        """A version that ends its line: from its day on the clinic has none of its own there."""
        return self.row.low is None and self.row.high is None

    @property
    def judges(self) -> bool:
        return self.state == IN_FORCE and not self.ended

    @property
    def starter(self) -> bool:
        return self.row.effective_from == STARTER_FROM

    @property
    def two_people(self) -> bool:
        """Drafted by one person of the clinic and published by another."""
        by, then = self.row.drafted_by, self.row.published_by
        return by is not None and then is not None and by != then


def bounds_of(row: ReferenceRange) -> Range:
    return Range(row.low, row.low_inclusive, row.high, row.high_inclusive, row.unit, "")


Scope = tuple[str, str, str, int | None, int | None]
Turn = tuple[date, datetime, int]


def scope(row: ReferenceRange) -> Scope:
    """What the versions of one line have in common."""
    return (row.analyte, row.laboratory, row.sex, row.age_from, row.age_to)


def set_of(row: ReferenceRange) -> int:
    """The key by which the set goes that a draft came with: that of its first draft."""
    return row.id if row.set_id is None else row.set_id


def sets(rows: Iterable[ReferenceRange]) -> dict[int, int]:
    """The sets among drafts, with how many each has; a draft that came alone is none."""
    counted = Counter(set_of(row) for row in rows)
    return {key: number for key, number in counted.items() if number > 1}


def interchange(found: Iterable[Line]) -> Iterator[dict[str, object]]:
    """Lines as the rows of ranges.csv."""
    for line in found:
        row = line.row
        yield {
            "analyte": row.analyte, "laboratory": row.laboratory, "sex": row.sex, "age_from": row.age_from,
            "age_to": row.age_to, "low": row.low, "low_op": ">=" if row.low_inclusive else ">", "high": row.high,
            "high_op": "<=" if row.high_inclusive else "<", "unit": row.unit, "effective_from": row.effective_from,
            "source": row.source,
        }  # fmt: skip


def table(session: Session, clinic_id: int, on: date, analyte: str = "") -> list[Line]:
    """Every line in force on `on` or to come, in the order of the analytes, the clinic's own before a laboratory's."""
    statement = select(ReferenceRange).where(ReferenceRange.clinic_id == clinic_id, ReferenceRange.state == "published")
    if analyte:
        statement = statement.where(ReferenceRange.analyte == analyte)
    rows = list(session.scalars(statement))
    shown = [line for line in lines(session, rows, on) if line.state == TO_COME or line.judges]
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
    return lines(session, list(session.scalars(statement.order_by(ReferenceRange.id))), date.max)


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
    rows.sort(key=turn, reverse=True)
    return lines(session, rows, on)


def turn(row: ReferenceRange) -> Turn:
    """What decides which of two published versions of a line is in force: see ConfiguredRange."""
    return (row.effective_from, row.published_at or LONG_AGO, row.id)


def versions(session: Session, row: ReferenceRange) -> list[ReferenceRange]:
    """The published versions of the line that a row belongs to, the latest turn first."""
    line = ReferenceRange
    same = select(line).where(
        line.clinic_id == row.clinic_id, line.analyte == row.analyte, line.laboratory == row.laboratory,
        line.sex == row.sex, line.state == "published",
    )  # fmt: skip
    return sorted((one for one in session.scalars(same) if scope(one) == scope(row)), key=turn, reverse=True)


def is_followed_at_once(session: Session, row: ReferenceRange) -> bool:
    """Whether another version of the line took this one's place on its very day, so that it judges nothing."""
    return any(one.effective_from == row.effective_from and turn(one) > turn(row) for one in versions(session, row))


def lines(session: Session, rows: Iterable[ReferenceRange], on: date) -> list[Line]:
    """Rows of one clinic as lines, in their order; the state of each is told from these rows alone."""
    rows = list(rows)
    begun = sorted((row for row in rows if row.state == "published" and row.effective_from <= on), key=turn)
    latest = {scope(row): row for row in begun}
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


def _state(row: ReferenceRange, latest: ReferenceRange | None, on: date) -> str:
    """Where the clinic's own line ended, the starter set's is in force again beside the version that says so."""
    if row.state != "published":
        return row.state
    if row.effective_from > on:
        return TO_COME
    again = latest is not None and latest.low is None and latest.high is None and row.effective_from == STARTER_FROM
    return IN_FORCE if row is latest or again else FOLLOWED


def followed_by(session: Session, draft: ReferenceRange, on: date) -> Line | None:
    """The version of the same line that a draft would follow: the one that judges on the draft's first day."""
    day = max(draft.effective_from, on)
    return next((line for line in history(session, draft, day) if line.judges), None)
