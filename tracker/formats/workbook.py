"""Workbooks (XLSX, XLS): every sheet that is one of the tables that are read, row by row as a spreadsheet numbers them.

A cell is taken as a person sees it: a date as its day, a number with the digits it has. Sheets that are no such table
are named in a remark.
"""

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Row
from tracker.formats import recognise, shapes, sheets
from tracker.formats.shapes import grid
from tracker.formats.tables import open_table, rows

MOST_BYTES = 64 << 20
_MOST_UNPACKED = 1 << 29
_MOST_PARTS = 2000

_TOO_MUCH = (
    "The workbook takes more memory or time than there is: delete what stands far from the table, or save the sheet as"
    " “CSV UTF-8”."
)


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
    return shape.layout.kind, said, rows(table, shape.layout, zone), None


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
    """The sheets that hold something, read by a process of its own (sheets.py). Raises Refused."""
    _refuse_bombs(content)
    program = [sys.executable, "-I", str(Path(sheets.__file__))]
    try:
        done = subprocess.run(program, input=content, capture_output=True, timeout=2 * sheets.MOST_SECONDS, check=False)  # noqa: S603 - our own file
    except subprocess.TimeoutExpired:
        raise Refused(_TOO_MUCH) from None
    if done.returncode == sheets.PROTECTED:
        raise Refused("The workbook is protected by a password: save it without one.")
    if done.returncode == sheets.DAMAGED:
        raise Refused("The workbook is damaged or of a kind that is not read: save the sheet as “CSV UTF-8”.")
    if done.returncode:
        raise Refused(_TOO_MUCH)
    for line in done.stdout.splitlines():
        told = json.loads(line)
        merged = [((first[0], first[1]), (last[0], last[1])) for first, last in told["merged"]]
        yield Sheet(told["name"], told["cells"], merged)


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


def _line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
