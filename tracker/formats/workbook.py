"""Workbooks (XLSX, XLS): every sheet that is one of the tables that are read, row by row as a spreadsheet numbers them.

A cell is taken as a person sees it: a date as its day, a number with the digits it has. Sheets that are no such table
are named in a remark.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Row
from tracker.domain.values import plain
from tracker.formats import recognise, shapes
from tracker.formats.shapes import grid
from tracker.formats.tables import Rows, open_table

MOST_BYTES = 64 << 20
_MOST_UNPACKED = 1 << 29
_MOST_PARTS = 2000
_MOST_SHEETS = 50

Cell = int | float | str | bool | time | date | datetime | timedelta


class Parts(NamedTuple):
    kinds: frozenset[str]
    format: str
    remarks: tuple[Problem, ...]
    rows: list[Row]
    proposals: tuple[shapes.Proposal, ...] = ()


class Sheet(NamedTuple):
    """Rows of cells, and the ranges that were merged, each by its first and last cell, counted from 0."""

    name: str
    cells: list[list[Cell]]
    merged: list[tuple[tuple[int, int], tuple[int, int]]]


class _Lines:
    """A sheet as the lines of a table; there is nothing to guess about its letters."""

    def __init__(self, sheet: Iterable[list[Cell]]) -> None:
        self.guessed = False
        self._lines = (_line(cells) for cells in sheet)

    def __iter__(self) -> Iterator[str]:
        return self._lines


def read(content: bytes, zone: ZoneInfo, reader: shapes.Reader | None = None) -> Parts:
    """The rows of a workbook. Raises Refused where it cannot be opened, or no sheet of it is a table that is read;
    shapes.Unsettled where its one table needs an answer first.
    """
    found: list[Row] = []
    kinds: dict[str, str] = {}
    remarks: list[Problem] = []
    proposals: list[shapes.Proposal] = []
    unsettled: shapes.Unsettled | None = None
    for sheet in _sheets(content):
        try:
            kind, said, rows_of, proposal = _of_sheet(sheet, zone, reader)
        except Refused as why:
            unsettled = unsettled or (why if isinstance(why, shapes.Unsettled) else None)
            remarks.append(Problem(0, sheet.name, f"The sheet “{sheet.name}” is not read. {why}"))
            continue
        kinds[kind] = kind
        remarks += said
        proposals += [proposal] if proposal else []
        found += (row._replace(place=f"sheet {sheet.name}") for row in rows_of)
    if not kinds:
        raise unsettled or Refused(remarks[0].message if remarks else "The workbook is empty.")
    return Parts(frozenset(kinds), recognise.WORKBOOK, tuple(remarks), found, tuple(proposals))


_Sheet = tuple[str, list[Problem], Iterator[Row], shapes.Proposal | None]


def _of_sheet(sheet: Sheet, zone: ZoneInfo, reader: shapes.Reader | None) -> _Sheet:
    """Kind, remarks, rows and, of a table of another shape, how it is read. Raises Refused, shapes.Unsettled."""
    try:
        table = open_table(_Lines(sheet.cells))
        shape = recognise.table(table)
    except Refused as why:
        if reader is None:
            raise
        return _of_another_shape(sheet, zone, reader, why)
    said = [remark._replace(column=f"{sheet.name}: {remark.column}") for remark in shape.remarks]
    return shape.layout.kind, said, iter(Rows(table, shape.layout, zone)), None


def _of_another_shape(sheet: Sheet, zone: ZoneInfo, reader: shapes.Reader, why: Refused) -> _Sheet:
    cells = [[_written(cell) for cell in row] for row in sheet.cells]
    try:
        proposal = shapes.proposed(grid.of_sheet(sheet.name, cells, sheet.merged), reader)
    except shapes.NoTable as no_table:
        raise why from no_table
    if proposal.questions:
        raise shapes.Unsettled(proposal)
    said = [Problem(0, "", sentence) for sentence in proposal.understood]
    return "results", said, iter(shapes.Rows(proposal, zone)), proposal


def _sheets(content: bytes) -> Iterator[Sheet]:
    """The sheets that hold something."""
    _refuse_bombs(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names[:_MOST_SHEETS]:
            sheet: CalamineSheet = book.get_sheet_by_name(name)
            cells = sheet.to_python(skip_empty_area=False)
            if any(cell != "" for row in cells for cell in row):
                yield Sheet(name[:60], cells, list(sheet.merged_cell_ranges or ()))
    except PasswordError:
        raise Refused("The workbook is protected by a password: save it without one.") from None
    except CalamineError:
        raise Refused("The workbook is damaged or of a kind that is not read: save the sheet as “CSV UTF-8”.") from None


def _refuse_bombs(content: bytes) -> None:
    """An XLSX is a ZIP: what it would unpack to is asked before it is unpacked, and then whether it came whole, because
    what reads the cells would read those of a damaged part too.
    """
    if not content.startswith(b"PK"):
        return
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
        parts = package.infolist()
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
            raise Refused("The workbook unpacks to more than 512 MiB: split it, or save the sheet as “CSV UTF-8”.")
        damaged = package.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        damaged = "all"
    if damaged is not None:
        raise Refused("The workbook is damaged: it was not copied whole. Send it again.")


def _line(cells: list[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_written(cell) for cell in cells])
    return line.getvalue()


def _written(cell: Cell) -> str:
    """A cell as text: whole numbers without a point, days without a midnight, yes and no for what is true or false."""
    if isinstance(cell, str):
        return " ".join(cell.split())
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        number = Decimal(f"{cell:.15g}")  # the digits a spreadsheet shows; the rest is noise of binary fractions
        return plain(number.to_integral() if number == number.to_integral() else number) if number.is_finite() else ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="minutes")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
