"""A file of ranges in the browser: held against what stands, row by row, and drafted as one set or not at all."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import islice
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.ranges import STARTER_FROM
from tracker.domain.readings import Problem, RangeReading, Row
from tracker.formats import Source
from tracker.models import ReferenceRange
from tracker.operations import configure
from tracker.operations.actor import Actor
from tracker.queries.range_check import understood
from tracker.queries.range_table import Line, Scope, scope, set_of

MOST_ROWS = 1000
NEW, CHANGED, SAME, DRAFTED, REFUSED = "new", "changed", "same", "drafted", "refused"


class Told(NamedTuple):
    """What one row is: its outcome (a word above), the line it says where it could be read, what it would follow, and
    what is to be said about it. Of a refused row the problems say why. `place` is its sheet, in a workbook.
    """

    number: int
    outcome: str
    row: ReferenceRange | None
    follows: Line | None
    problems: tuple[Problem, ...]
    reading: RangeReading | None = None
    place: str = ""

    @property
    def where(self) -> str:
        """`Row 3`, `Row 3 of sheet Men`."""
        return f"Row {self.number}{f' of {self.place}' if self.place else ''}"


Seen = dict[tuple[Scope, date], Told]


def compare(session: Session, clinic_id: int, source: Source, on: date) -> list[Told]:
    """Every row of a file held against the clinic's table. Stores nothing. Raises Refused where the file is of
    something else, or too long.
    """
    if source.kinds != ("ranges",):
        raise Refused(f"The file holds {source.kind}, and this page takes ranges: the columns of ranges.csv.")
    rows = list(islice(source.rows, MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise Refused(f"The file has more than {MOST_ROWS} rows: split it.")
    seen: Seen = {}
    return [_compared(session, clinic_id, row, on, seen) for row in rows]


def _compared(session: Session, clinic_id: int, row: Row, on: date, seen: Seen) -> Told:
    told = row.reading
    if not isinstance(told, RangeReading):
        return Told(row.number, REFUSED, None, None, row.problems, place=row.place)
    try:
        line = configure.range_row(clinic_id, told)
    except Refused as why:
        problems = (*row.problems, Problem(row.number, why.field, str(why)))
        return Told(row.number, REFUSED, None, None, problems, told, row.place)
    found = understood(session, line, on)
    mine = Told(row.number, REFUSED, line, found.follows, (), told, row.place)
    outcome = _outcome(session, clinic_id, told, found.follows)
    refusals = [(_bound(words), words) for words in found.sense.refusals]
    refusals += [("", words) for words in _twice(mine, line, seen)]
    if outcome not in (SAME, DRAFTED) and told.effective_from <= STARTER_FROM:
        words = f"{STARTER_FROM} is the day of the starter set: give the day from which yours judges."
        refusals.append(("effective_from", words))
    asked = [(_bound(words), words) for words in found.sense.questions]
    said = (Problem(row.number, column, words) for column, words in (*refusals, *asked))
    return mine._replace(outcome=REFUSED if refusals else outcome, problems=(*row.problems, *said))


def _bound(words: str) -> str:
    """The column of the bound that a sentence of range_sense.py is about."""
    return "low" if words.startswith("Lower") else "high"


def _twice(mine: Told, line: ReferenceRange, seen: Seen) -> list[str]:
    first = seen.setdefault((scope(line), line.effective_from), mine)
    return [] if first is mine else [f"{first.where} is of the same line from the same day: leave one of the two."]


def _outcome(session: Session, clinic_id: int, told: RangeReading, follows: Line | None) -> str:
    if configure.says_already(session, clinic_id, told, "published"):
        return SAME
    if configure.says_already(session, clinic_id, told, "draft"):
        return DRAFTED
    return CHANGED if follows else NEW


def draft_set(session: Session, actor: Actor, clinic_id: int, told: Sequence[Told], reason: str) -> ReferenceRange:
    """Draft what is new or changed as one set; its first draft, by which the set goes. Raises Refused where a row was
    refused or nothing is left to draft.
    """
    if refused := [one.where for one in told if one.outcome == REFUSED]:
        raise Refused(f"Nothing is drafted while rows are refused (the first: {refused[0]}): mend them first.")
    wanted = [one.reading for one in told if one.outcome in (NEW, CHANGED) and one.reading is not None]
    if not wanted:
        raise Refused("Everything in the file stands already, or is drafted.")
    first = configure.draft_range(session, actor, clinic_id, wanted[0], reason)
    for reading in wanted[1:]:
        configure.draft_range(session, actor, clinic_id, reading, reason, first.id)
    return first


def withdraw_set(session: Session, actor: Actor, rows: Iterable[ReferenceRange]) -> None:
    """Withdraw the drafts of a set. Raises Stale where one was settled first."""
    for row in rows:
        configure.withdraw_draft(session, actor, row)


def members(session: Session, first: ReferenceRange) -> list[ReferenceRange]:
    """The rows that came together with this one, in the order of the file; one that came alone is its own set."""
    line, key = ReferenceRange, set_of(first)
    mine = select(line).where(line.clinic_id == first.clinic_id, (line.id == key) | (line.set_id == key))
    return list(session.scalars(mine.order_by(line.id)))
