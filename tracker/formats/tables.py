"""Delimited text: the separator, the header, quotation marks, and rows into readings, one at a time.

Rows are numbered as a spreadsheet numbers them: the header is row 1, a record whose quoted cell holds a line break is
one row, and an empty line counts. Empty rows hold nothing and are not yielded.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Reading, Row
from tracker.formats.cells import Misfit, Noted, Remark, text, tidied

DELIMITERS = (",", ";", "\t")
NOT_A_COLUMN = ""  # names no column: the value is that of an empty cell
GUESSED = "The file is not all UTF-8: some letters were read as Windows-1252, which was assumed. Check names and units."

_REMEMBERED = 1 << 14  # cells of a column whose value is kept at hand: dates, units and names come again and again
_MOST_COLUMNS = 1000
_MOST_EMPTY = 1 << 20  # as many rows as a sheet has
_LONGEST_RECORD = 50  # lines; a cell that goes on for longer lacks its closing quotation mark
_UNCLOSED = "The quotation marks of this row do not match: close the one that is open, and double those inside a cell."

Record = tuple[int, list[str], str]
"""Row number, cells, and the trouble with the quotation marks where there is one (then there are no cells)."""


class Lines(Protocol):
    """The lines of a table, once; `guessed` where some letters were only assumed."""

    guessed: bool

    def __iter__(self) -> Iterator[str]: ...


class Column(NamedTuple):
    """A column and how its cells are read: `parse(cell)`, or `parse(cell, zone=...)` where `zoned`.

    Not `repeats` where hardly two cells are the same, so that remembering what they meant costs more than reading them.
    `blank`: the column is needed and a cell of it may be empty; `make` decides when.
    """

    name: str
    parse: Callable[..., object] = str
    required: bool = False
    zoned: bool = False
    repeats: bool = True
    blank: bool = False


class Layout(NamedTuple):
    """A table that is read: what its rows are, its columns in the order in which `make` takes their values.

    `make` may raise Misfit or Noted. `told_apart` looks at the rows in order where one alone does not say enough.
    """

    kind: str
    columns: tuple[Column, ...]
    make: Callable[..., Reading]
    told_apart: Callable[[Iterator[Row]], Iterator[Row]] | None = None


class Table(NamedTuple):
    """A header as written and in small letters, and the records below it."""

    header: list[str]
    names: list[str]
    records: Iterator[Record]
    delimiter: str
    text: Lines


def open_table(lines: Lines) -> Table:
    """Read the header. Raises Refused where there is none, or where a column stands in it twice."""
    first = next(iter(lines), "")
    if not first.strip():
        raise Refused("The first row is empty: it has to name the columns.")
    delimiter = max(DELIMITERS, key=partial(_columns, first))
    records = _records(first, iter(lines), delimiter)
    _, cells, trouble = next(records)
    if trouble:
        raise Refused(f"The first row has to name the columns. {trouble}")
    if len(cells) > _MOST_COLUMNS:
        raise Refused(f"The first row names {len(cells):,} columns: this is not a table that is read.")
    header = [" ".join(cell.split()) for cell in cells]
    names = [name.lower() for name in header]
    twice = sorted({name for i, name in enumerate(names) if name and name in names[:i]})
    if twice:
        raise Refused(f"The first row names {', '.join(twice)} more than once: rename or remove the other column.")
    return Table(header, names, records, delimiter, lines)


def _columns(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader((line,), delimiter=delimiter), []))
    except csv.Error:  # a cell of more than 131,072 characters
        return 0


# ----------------------------------------------------------------------------------------------- records


def _records(first: str, lines: Iterator[str], delimiter: str) -> Iterator[Record]:
    """Lines into records. A quotation mark that is never closed costs its own row, not the rows after it."""
    waiting = deque([first])
    rules = csv.reader((), delimiter=delimiter, strict=True).dialect  # made once, it halves what a quoted row costs

    def supply() -> Iterator[str]:
        while waiting:
            yield waiting.popleft()
        for line in lines:
            yield line
            while waiting:
                yield waiting.popleft()

    for number, line in enumerate(supply(), start=1):
        if '"' in line:
            cells, trouble = _quoted(line, waiting, lines, rules)
            yield number, cells, trouble
        else:  # then the record is its line, and the rules of CSV have nothing to add
            yield number, line.split(delimiter), ""


def _quoted(line: str, waiting: deque[str], lines: Iterator[str], rules: Any) -> tuple[list[str], str]:
    """The cells of a record that begins with `line`; takes as many of the lines after it as belong to it."""
    try:
        return next(csv.reader((line,), rules)), ""
    except csv.Error:
        pass
    taken: list[str] = []

    def onwards() -> Iterator[str]:
        yield line + "\n"
        while len(taken) < _LONGEST_RECORD:
            following = waiting.popleft() if waiting else next(lines, None)
            if following is None:
                return
            taken.append(following)
            yield following + "\n"

    try:
        return next(csv.reader(onwards(), rules)), ""
    except csv.Error:
        waiting.extendleft(reversed(taken))
        return [], _UNCLOSED


# -------------------------------------------------------------------------------------------------- rows


class _Step(NamedTuple):
    """One value that `make` takes: its column, where it stands in a row, and how it is read."""

    column: str
    place: int
    read: Callable[[str], object]


class Rows:
    """Every row of a table that holds something, once: its reading, or the problems that refused it. Never raises.

    Iterated, they come as they stand. Who wants them in another order takes the `records`, asks of each `whose` it is,
    and hands them to `of`. A file that breaks off ends with a refused row that says so.
    """

    def __init__(self, table: Table, layout: Layout, zone: ZoneInfo) -> None:
        self.table, self.layout = table, layout
        first = layout.columns[0].name.lower()
        self._steps = _steps(table, layout, zone)
        self._whose = table.names.index(first) if layout.kind != "ranges" and first in table.names else None

    def __iter__(self) -> Iterator[Row]:
        return self.of(self.records())

    def records(self) -> Iterator[Record]:
        """The records that hold something; where the file breaks off, one more with that trouble."""
        number, empty = 1, 0
        try:
            for record in self.table.records:
                number, cells, trouble = record
                if any(cells) or trouble:
                    yield record
                    continue
                empty += 1
                if empty > _MOST_EMPTY:
                    raise Refused(f"There are more than {_MOST_EMPTY:,} empty rows.")
        except Refused as why:
            yield number + 1, [], f"{why} Nothing after row {number} was read."

    def whose(self, record: Record) -> str:
        """The cell that names a record's patient; "" where there is none."""
        cells = record[1]
        return cells[self._whose] if self._whose is not None and self._whose < len(cells) else ""

    def of(self, records: Iterable[Record]) -> Iterator[Row]:
        """The rows that these records are."""
        told_apart = self.layout.told_apart or iter
        return told_apart(_rows(self.table._replace(records=iter(records)), self.layout, self._steps))


def _rows(table: Table, layout: Layout, steps: list[_Step]) -> Iterator[Row]:
    quick = [(step.read, step.place) for step in steps]
    width, make, written = len(table.names), layout.make, table.text
    warned = written.guessed
    for number, cells, trouble in table.records:
        if trouble or (len(cells) != width and (trouble := _fitted(cells, width, table.delimiter))):
            yield Row(number, None, (Problem(number, "", trouble),))
            continue
        cells.append("")  # stands for every column that the file does not have
        try:
            neat = tidied(cells)
            row = Row(number, make(*[read(neat[place]) for read, place in quick]))
        except (Refused, Remark, Noted):
            if not any(map(str.strip, cells)):
                continue
            row = _explained(number, cells, steps, make)
        if written.guessed and not warned:
            warned = True
            row = row._replace(problems=(*row.problems, Problem(number, "", GUESSED)))
        yield row


def _steps(table: Table, layout: Layout, zone: ZoneInfo) -> list[_Step]:
    places = {name: place for place, name in enumerate(table.names) if name}
    nowhere = len(table.names)
    return [
        _Step(column.name, places.get(column.name.lower(), nowhere), _reader(column, zone)) for column in layout.columns
    ]


def _reader(column: Column, zone: ZoneInfo) -> Callable[[str], object]:
    parse = partial(column.parse, zone=zone) if column.zoned else column.parse
    if not column.required:
        return parse if parse is str or not column.repeats else lru_cache(_REMEMBERED)(parse)

    def needed(cell: str) -> object:
        if cell:
            return parse(cell)
        if column.blank:
            return ""
        raise Refused(f"{column.name} is empty: every row needs it.")

    return lru_cache(_REMEMBERED)(needed) if column.repeats else needed


def _fitted(cells: list[str], width: int, delimiter: str) -> str:
    """Fills a short row with empty cells, cuts empty ones off a long one, in place; the trouble where more is left."""
    if any(cell.strip() for cell in cells[width:]):
        mark = "tab" if delimiter == "\t" else f"“{delimiter}”"
        return (
            f"The row has {len(cells)} cells and the first row names {width} columns: "
            f"put quotation marks around a cell that holds a {mark}."
        )
    del cells[width:]
    cells.extend([""] * (width - len(cells)))
    return ""


def _explained(number: int, cells: list[str], steps: list[_Step], make: Callable[..., Reading]) -> Row:
    """The row again, cell by cell, to say everything there is to say about it."""
    values: list[object] = []
    refusals: list[Problem] = []
    remarks: list[Problem] = []
    for column, place, read in steps:
        try:
            values.append(read(text(cells[place])))
        except Refused as why:
            refusals.append(Problem(number, column, str(why)))
        except Remark as why:
            values.append(why.value)
            remarks.append(Problem(number, column, str(why)))
    if refusals:
        return Row(number, None, (*refusals, *remarks))
    try:
        return Row(number, make(*values), tuple(remarks))
    except Misfit as why:
        return Row(number, None, (Problem(number, why.column, str(why)), *remarks))
    except Noted as why:
        return Row(number, why.reading, (*remarks, *(Problem(number, column, said) for column, said in why.notes)))
