"""Workbooks (XLSX, XLS): every sheet that is one of the tables that are read, row by row as a spreadsheet numbers them.

A cell is taken as a person sees it: a date as its day, a number with the digits it has. Sheets that are no such table
are named in a remark.
"""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from python_calamine import PasswordError

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Row
from tracker.formats import recognise, shapes, sheets, workbook_parts
from tracker.formats.shapes import grid
from tracker.formats.tables import Rows, open_table

MOST_BYTES = 64 << 20

_PROTECTED = "The workbook is protected by a password: save it without one."
_DAMAGED = "The workbook is damaged or of a kind that is not read: save the sheet as “CSV UTF-8”."
_NOT_WORKED_OUT = (
    "Cells with a formula that no program has worked out were taken as empty: {} of them. Open the workbook in a "
    "spreadsheet program, save it, and import it again."
)
_TOO_MUCH = "The workbook is damaged, or takes more memory than there is: save the sheet as “CSV UTF-8”."


class Parts(NamedTuple):
    kinds: frozenset[str]
    format: str
    remarks: tuple[Problem, ...]
    rows: list[Row]
    proposals: tuple[shapes.Proposal, ...] = ()


class Sheet(NamedTuple):
    """Rows of cells, and the ranges that were merged, each by its first and last cell, counted from 0."""

    name: str
    cells: list[list[str]]
    merged: list[tuple[tuple[int, int], tuple[int, int]]]


class _Lines:
    """A sheet as the lines of a table; there is nothing to guess about its letters."""

    def __init__(self, sheet: Iterable[list[str]]) -> None:
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
    unknown = workbook_parts.examine(content) if content.startswith(b"PK") else 0
    if unknown:
        remarks.append(Problem(0, "", _NOT_WORKED_OUT.format(unknown)))
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
    try:
        proposal = shapes.proposed(grid.of_sheet(sheet.name, sheet.cells, sheet.merged), reader)
    except shapes.NoTable as no_table:
        raise why from no_table
    if proposal.questions:
        raise shapes.Unsettled(proposal)
    said = [Problem(0, "", sentence) for sentence in proposal.understood]
    return "results", said, iter(shapes.Rows(proposal, zone)), proposal


def _sheets(content: bytes) -> Iterator[Sheet]:
    """The sheets that hold something. Raises Refused."""
    if content.startswith(b"PK"):
        yield from (Sheet(*told) for told in _here(content))
    else:  # how far its cells lie cannot be told before the library has reserved a place for each
        yield from _apart(content)


def _here(content: bytes) -> list[sheets.Told]:
    try:
        return list(sheets.sheets_of(content))
    except PasswordError:
        raise Refused(_PROTECTED) from None
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:
        raise Refused(_DAMAGED) from None


def _apart(content: bytes) -> Iterator[Sheet]:
    """Read by a process of its own (sheets.py), which may be ended."""
    program = [sys.executable, "-I", str(Path(sheets.__file__))]
    seconds = 2 * sheets.MOST_SECONDS
    try:
        done = subprocess.run(program, input=content, capture_output=True, timeout=seconds, check=False)  # noqa: S603 - our own
    except subprocess.TimeoutExpired:
        raise Refused(_TOO_MUCH) from None
    if done.returncode:
        raise Refused({sheets.PROTECTED: _PROTECTED, sheets.DAMAGED: _DAMAGED}.get(done.returncode, _TOO_MUCH))
    for line in done.stdout.splitlines():
        name, cells, merged = json.loads(line)
        yield Sheet(name, cells, [((first[0], first[1]), (last[0], last[1])) for first, last in merged])


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
