"""Workbooks (XLSX, XLS): every sheet that is one of the tables that are read, row by row as a spreadsheet numbers them.

A cell is taken as a person sees it: a date as its day, a number with the digits it has. Sheets that are no such table
are named in a remark.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Row
from tracker.domain.values import plain
from tracker.formats import recognise
from tracker.formats.tables import open_table, rows

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


class _Lines:
    """A sheet as the lines of a table; there is nothing to guess about its letters."""

    def __init__(self, sheet: Iterable[list[Cell]]) -> None:
        self.guessed = False
        self._lines = (_line(cells) for cells in sheet)

    def __iter__(self) -> Iterator[str]:
        return self._lines


def read(content: bytes, zone: ZoneInfo) -> Parts:
    """The rows of a workbook. Raises Refused where it cannot be opened, or no sheet of it is a table that is read."""
    found: list[Row] = []
    kinds: dict[str, str] = {}
    remarks: list[Problem] = []
    for name, sheet in _sheets(content):
        try:
            table = open_table(_Lines(sheet))
            shape = recognise.table(table)
        except Refused as why:
            remarks.append(Problem(0, name, f"The sheet “{name}” is not read. {why}"))
            continue
        kinds[shape.layout.kind] = shape.format
        remarks += (remark._replace(column=f"{name}: {remark.column}") for remark in shape.remarks)
        found += (row._replace(place=f"sheet {name}") for row in rows(table, shape.layout, zone))
    if not kinds:
        raise Refused(remarks[0].message if remarks else "The workbook is empty.")
    return Parts(frozenset(kinds), next(iter(kinds.values())), tuple(remarks), found)


def _sheets(content: bytes) -> Iterator[tuple[str, list[list[Cell]]]]:
    """The sheets that hold something, as rows of cells."""
    _refuse_bombs(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names[:_MOST_SHEETS]:
            sheet: CalamineSheet = book.get_sheet_by_name(name)
            cells = sheet.to_python(skip_empty_area=False)
            if any(cell != "" for row in cells for cell in row):
                yield name[:60], cells
    except PasswordError:
        raise Refused("The workbook is protected by a password: save it without one.") from None
    except CalamineError:
        raise Refused("The workbook is damaged or of a kind that is not read: save the sheet as “CSV UTF-8”.") from None


def _refuse_bombs(content: bytes) -> None:
    """An XLSX is a ZIP: what it would unpack to is asked before it is unpacked."""
    if not content.startswith(b"PK"):
        return
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise Refused("The workbook is damaged: it cannot be unpacked. Send it again.") from None
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise Refused("The workbook unpacks to more than 512 MiB: split it, or save the sheet as “CSV UTF-8”.")


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
        number = Decimal(repr(cell))
        return plain(number.to_integral() if number == number.to_integral() else number) if number.is_finite() else ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="minutes")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
