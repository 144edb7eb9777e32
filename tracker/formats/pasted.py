"""A block pasted from a spreadsheet or a laboratory report: a test a line, in any order, with its value and unit.

Cells are separated by tabs, semicolons, or two blanks and more. Which test a name means is not settled here. Every line
that holds something comes back, with its trouble where it could not be read, so that none is dropped unseen.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.units import dimension
from tracker.domain.values import read_number

MOST_LINES = 200
LONGEST_LINE = 500

_HEADINGS = frozenset((
    "analyte", "analyt", "test", "parameter", "name", "value", "wert", "result", "results", "ergebnis", "unit", "units",
    "einheit", "range", "reference", "referenzbereich", "flag",
))  # fmt: skip
_FLAGS = frozenset(("h", "l", "hh", "ll", "*", "**", "+", "++", "-", "--", "↑", "↓", "n", "high", "low", "normal"))
_FIGURE = r"[+-]?\d[\d.,]*(?:\s*[eE]\s*[+-]?\d{1,3})?"
_LOOSE = re.compile(rf"^(?P<name>.*?[^\s\d<>≤≥=].*?)\s+(?P<value>(?:[<>≤≥]=?\s*)?{_FIGURE})(?:\s+(?P<rest>\S.*))?$")
_WITH_MORE = re.compile(rf"^(?P<value>(?:[<>≤≥]=?\s*)?{_FIGURE})\s*(?P<more>\D.*|10\D.*)$")
_BETWEEN = re.compile(rf"^[(\[]?\s*({_FIGURE})\s*[-–−]\s*({_FIGURE})\s*[)\]]?$")
_ONE_SIDE = re.compile(rf"^[(\[]?\s*([<>≤≥])=?\s*({_FIGURE})\s*[)\]]?$")


class Pasted(NamedTuple):
    """One line. `low` and `high` are a printed range, `unused` cells of no use, `trouble` why it is no result."""

    text: str
    name: str = ""
    value: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""
    unused: tuple[str, ...] = ()
    trouble: str = ""


def pasted(block: str) -> list[Pasted]:
    """The lines of a block that hold something. Raises Refused where it is far too long for one panel."""
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise Refused(f"{len(lines)} lines are too many for one panel ({MOST_LINES} at most): import them as a file.")
    return [_line(line) for line in lines]


def _line(line: str) -> Pasted:
    if len(line) > LONGEST_LINE:
        return Pasted(line[:LONGEST_LINE], trouble=f"the line is longer than {LONGEST_LINE} characters")
    cells = _cells(line)
    if {cell.lower().strip(":") for cell in cells} <= _HEADINGS:
        return Pasted(line, trouble="taken as the heading of the columns")
    if len(cells) < 2:
        return Pasted(line, trouble="there is no value on this line")
    return _read(line, cells[0], cells[1:])


def _cells(line: str) -> list[str]:
    for mark in ("\t", ";", "|"):
        if mark in line:
            return [cell for part in line.split(mark) if (cell := part.strip(" \"'\u00a0"))]
    cells = [cell.strip() for cell in re.split(r"[\s\u00a0]{2,}", line)]
    if len(cells) == 1 and (loose := _LOOSE.match(line)):
        return [cell for cell in (loose["name"], loose["value"], loose["rest"]) if cell]
    return cells


def _read(line: str, name: str, cells: list[str]) -> Pasted:
    place = next((i for i, cell in enumerate(cells) if _is_figure(cell)), None)
    if place is None:
        place = next((i for i, cell in enumerate(cells) if _WITH_MORE.match(cell)), None)
        if place is None:
            return Pasted(line, name, cells[0], unused=tuple(cells[1:]))  # a result in words
        both = _WITH_MORE.match(cells[place])
        assert both is not None  # that is how the place was found
        cells = [*cells[:place], both["value"].strip(), both["more"].strip(), *cells[place + 1 :]]
    return _sorted(line, name, cells[place], cells[place + 1 :], cells[:place])


def _is_figure(cell: str) -> bool:
    try:
        return read_number(cell) is not None
    except Refused:
        return True  # two readings: the row says so


def _sorted(line: str, name: str, value: str, after: list[str], before: list[str]) -> Pasted:
    """What stands behind the value: a printed range, a unit that is known, else the first cell that may be one."""
    low = high = unit = ""
    unused = [cell for cell in before if cell.lower() not in _FLAGS]
    open_cells: list[str] = []
    for cell in after:
        printed = bounds(cell)
        if printed is not None and not (low or high):
            low, high = printed
        elif dimension(cell) and not unit:
            unit = cell
        elif cell.lower() not in _FLAGS:
            open_cells.append(cell)
    if not unit and open_cells:
        unit = open_cells.pop(0)
    return Pasted(line, name, value, unit, low, high, (*unused, *open_cells))


def bounds(cell: str) -> tuple[str, str] | None:
    """The bounds of a printed range (`3.5-5.0`, `< 232`), "" for none; None where it is no range."""
    between, one_side = _BETWEEN.match(cell), _ONE_SIDE.match(cell)
    if between and _figure(between[1]) is not None and _figure(between[2]) is not None:
        return between[1], between[2]
    if one_side and _figure(one_side[2]) is not None:
        return ("", one_side[2]) if one_side[1] in "<≤" else (one_side[2], "")
    return None


def _figure(text: str) -> Decimal | None:
    try:
        number = read_number(text)
    except Refused:
        return None
    return number.figure if number else None
