"""A table of any shape as rows of cells, with their numbers as a spreadsheet counts them."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from types import MappingProxyType
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.formats.cells import text

MARKS = (",", ";", "\t", "|")
MOST_ROWS = 200_000
_LOOKED_AT = 200


Span = tuple[tuple[int, int], tuple[int, int]]


class Grid(NamedTuple):
    """`rows` are the lines that hold something: number and cells. `sheet` names it within a workbook; `merged` is what
    stands in cells that were merged with the one above, by row number and place.
    """

    rows: list[tuple[int, list[str]]]
    sheet: str = ""
    merged: Mapping[tuple[int, int], str] = MappingProxyType({})


def of_lines(lines: Iterable[str]) -> Grid:
    """The cells of delimited text. Raises Refused where it is far too long, or a cell holds what nobody can see."""
    held = list(islice(lines, MOST_ROWS + 1))
    if len(held) > MOST_ROWS:
        raise Refused(f"The table has more than {MOST_ROWS:,} rows: split it into several files.")
    mark = _mark([line for line in held[:_LOOKED_AT] if line.strip()])
    return Grid(list(_filled(_records(held, mark))))


def of_sheet(
    name: str, rows: Sequence[Sequence[str]], merged: Iterable[tuple[tuple[int, int], tuple[int, int]]]
) -> Grid:
    """The cells of a sheet. `merged` are its ranges, each by its first and last cell, counted from 0."""
    below = {
        (row + 1, place): rows[top][place].strip()
        for (top, place), (bottom, last) in merged
        if place == last and bottom < len(rows) and place < len(rows[top])
        for row in range(top + 1, bottom + 1)
    }
    return Grid(list(_filled(enumerate(rows, start=1))), name, below)


def _mark(lines: Sequence[str]) -> str:
    """The mark that cuts neighbouring lines into equally many cells most often; decimal commas do not."""

    def fits(mark: str) -> int:
        counts = [_count(line, mark) for line in lines]
        return sum(min(one, other) - 1 for one, other in pairwise(counts) if abs(one - other) <= 1)

    return max(MARKS, key=fits)


def _count(line: str, mark: str) -> int:
    try:
        return len(next(csv.reader((line,), delimiter=mark), []))
    except csv.Error:
        return 1


def _records(lines: list[str], mark: str) -> Iterator[tuple[int, list[str]]]:
    """Records, each numbered by where it stands: a quoted cell with a line break is one row."""
    try:
        yield from enumerate(csv.reader((f"{line}\n" for line in lines), delimiter=mark), start=1)
    except csv.Error:
        raise Refused("The quotation marks of the table do not match: close the one that is open.") from None


def _filled(rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[tuple[int, list[str]]]:
    for number, cells in rows:
        found = [_plain(cell) for cell in cells]
        if any(found):
            yield number, found


def _plain(cell: str) -> str:
    try:
        return text(cell)
    except Refused:
        return cell.strip()  # its row says what is wrong with it, when it is read


def labels(cells: Sequence[str]) -> list[str]:
    """What each column is called: its heading, or its place where it has none or shares it with another."""
    shared = Counter(cell.casefold() for cell in cells)
    named = enumerate(cells, start=1)
    return [cell if cell and shared[cell.casefold()] == 1 else f"column {place}" for place, cell in named]
