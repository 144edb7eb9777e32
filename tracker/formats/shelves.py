"""The rows of several files by patient, so that a long import can be stored some patients at a time.

A patient's rows of all files lie on one shelf, each file's in its own order. A few rows are held as they came; more of
them lie in a temporary file without a name, which is gone with the process: it takes little memory, however long the
files are. Which shelf is whose never changes, because it says how far an import is that is taken up again.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any
from zlib import crc32

from tracker.domain.errors import Refused
from tracker.domain.readings import KIND_OF, Problem, RangeReading, Row, pack_row, unpack_row
from tracker.formats import Source
from tracker.formats.cells import text
from tracker.formats.tables import GUESSED, Rows

SHELVES = 256
_BLOCK = 64  # rows of a shelf that are written at once
_OFTEN = 2000  # rows between two words about how far the reading is


@dataclass(slots=True)
class Taken:
    """A file whose rows lie here: its path, its digest, what is known of it but its rows, and how many rows it has."""

    path: str
    sha256: str
    source: Source
    remarks: tuple[Problem, ...] = ()
    rows: int = 0


class Shelves:
    """Where rows lie between reading and storing. More than `few` of them go to a temporary file."""

    def __init__(self, few: int) -> None:
        self.files: list[Taken] = []
        self.rows = 0
        self._few = few
        self._first: list[tuple[int, int, Any]] = []  # shelf, file, row
        self._held: list[list[tuple[int, Any]]] = [[] for _ in range(SHELVES)]
        self._blocks: list[list[int]] = [[] for _ in range(SHELVES)]
        self._paper: IO[bytes] | None = None

    def __enter__(self) -> "Shelves":
        return self

    def __exit__(self, *_: object) -> None:
        if self._paper is not None:
            self._paper.close()

    @property
    def is_long(self) -> bool:
        """Whether there are more than a few rows."""
        return self._paper is not None

    def take(self, path: str, sha256: str, source: Source, told: Callable[[], None] = lambda: None) -> None:
        """Put all rows of a file here. `told` is called now and then. Raises nothing for what stands in the file."""
        taken, number = Taken(path, sha256, source), len(self.files)
        self.files.append(taken)
        for shelf, row in _placed(source):
            self._put(shelf, number, row)
            taken.rows += 1
            if taken.rows % _OFTEN == 0:
                told()
        taken.remarks = source.remarks
        if source.table is not None and source.table.table.text.guessed and _GUESSED not in source.remarks:
            taken.remarks += (_GUESSED,)

    def in_turn(self) -> list[int]:
        """The files in the order their kinds ask for: patients before courses before results."""
        return sorted(range(len(self.files)), key=lambda number: self.files[number].source.turn)

    def all(self) -> Iterator[tuple[int, Iterator[Row]]]:
        """The files in turn, each with its rows as they came; of a few rows."""
        for number in self.in_turn():
            yield number, self._rows_of(number, [row for _, of, row in self._first if of == number])

    def shelf(self, shelf: int) -> Iterator[tuple[int, Iterator[Row]]]:
        """The files in turn, each with the rows that lie on this shelf, patient by patient."""
        found: list[list[Any]] = [[] for _ in self.files]
        for number, row in (*self._unpacked(shelf), *self._held[shelf]):
            found[number].append(row)
        for number in self.in_turn():
            if found[number]:
                yield number, self._rows_of(number, _by_patient(self.files[number].source.table, found[number]))

    # ------------------------------------------------------------------------------------------ to paper and back

    def _put(self, shelf: int, number: int, row: Any) -> None:
        self.rows += 1
        if self._paper is None:
            self._first.append((shelf, number, row))
            if self.rows > self._few:
                self._paper = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the shelves
                for each, of, one in self._first:
                    self._held[each].append((of, one))
                self._first.clear()
            return
        self._held[shelf].append((number, row))
        if len(self._held[shelf]) >= _BLOCK:
            self._write(shelf, self._paper)

    def _write(self, shelf: int, paper: IO[bytes]) -> None:
        block = [(of, row if self._is_table(of) else _packed(row)) for of, row in self._held[shelf]]
        self._blocks[shelf].append(paper.tell())
        paper.write(json.dumps(block, separators=(",", ":")).encode() + b"\n")
        self._held[shelf].clear()

    def _unpacked(self, shelf: int) -> Iterator[tuple[int, Any]]:
        assert self._paper is not None  # shelves are asked for when there are many rows
        for place in self._blocks[shelf]:
            self._paper.seek(place)
            for of, row in json.loads(self._paper.readline()):
                yield of, row if self._is_table(of) else _row(row)

    def _is_table(self, number: int) -> bool:
        return self.files[number].source.table is not None

    def _rows_of(self, number: int, rows: list[Any]) -> Iterator[Row]:
        table = self.files[number].source.table
        return iter(rows) if table is None else table.of(rows)


_GUESSED = Problem(0, "", GUESSED)


# ---------------------------------------------------------------------------------------------- which shelf


@lru_cache(maxsize=1 << 16)
def _named(cell: str) -> str:
    """The record number in a cell, as it is read; "" where it cannot be."""
    try:
        return text(cell)
    except Refused:
        return ""


def _shelf(cell: str) -> int:
    return crc32(_named(cell).encode()) % SHELVES


def _placed(source: Source) -> Iterator[tuple[int, Any]]:
    """Every row that holds something, with its shelf: that of its patient; without one, any that its number says.
    Ranges come before all that they judge.
    """
    if source.table is not None:
        yield from _records(source.table)
        return
    for row in source.rows:
        if isinstance(row.reading, RangeReading):
            yield 0, row
        else:
            yield _shelf(row.reading.mrn) if row.reading is not None else row.number % SHELVES, row


def _records(rows: Rows) -> Iterator[tuple[int, Any]]:
    """A table's rows as they were written: what their cells mean is looked at when they are taken from the shelf."""
    ranges = rows.layout.kind == "ranges"
    for record in rows.records():
        whose = rows.whose(record)
        if whose.strip():
            yield _shelf(whose), record
        elif record[2] or any(map(str.strip, record[1])):
            yield 0 if ranges else record[0] % SHELVES, record


def _by_patient(table: Rows | None, rows: list[Any]) -> list[Any]:
    """The rows of one shelf with each patient's together, in the order in which they came."""
    if table is not None:
        return sorted(rows, key=lambda record: _named(table.whose(record)))
    return sorted(rows, key=lambda row: getattr(row.reading, "mrn", ""))


# ---------------------------------------------------------------------------------------------- as text


def _packed(row: Row) -> list[Any]:
    kind = KIND_OF[type(row.reading)] if row.reading is not None else ""
    return [kind, row.number, pack_row(row) if kind else None, row.problems, row.place]


def _row(packed: list[Any]) -> Row:
    kind, number, reading, problems, place = packed
    row = unpack_row(kind, number, reading) if kind else Row(number, None)
    return row._replace(problems=tuple(Problem(*problem) for problem in problems), place=place)
