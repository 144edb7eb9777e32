"""The sheets of a workbook, cells as text; and, run as a program, a workbook on standard input as lines of JSON.

The library that reads workbooks reserves a cell for every place between the first and the last one, so that a few bytes
can ask for more memory than there is, and then ends the process it runs in. Of an XLSX that can be told before; an XLS
is read by this file as a process of its own, which may be ended: it imports nothing of the rest, is short of memory and
time by its own limit, and says by its exit code what was wrong.
"""

import io
import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from python_calamine import CalamineWorkbook, PasswordError

PROTECTED, DAMAGED = 3, 4
MOST_MEMORY = 3 << 30
MOST_SECONDS = 60
MOST_SHEETS = 50

Cell = int | float | str | bool | time | date | datetime | timedelta


Told = tuple[str, list[list[str]], list[tuple[tuple[int, int], tuple[int, int]]]]
"""A sheet: its name, its cells as text, and the ranges that were merged."""


def sheets_of(content: bytes) -> Iterator[Told]:
    """The sheets that hold something. Raises what the library raises, and that may be a panic (a BaseException)."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    for name in book.sheet_names[:MOST_SHEETS]:
        sheet = book.get_sheet_by_name(name)
        cells = [[written(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
        if any(cell for row in cells for cell in row):
            yield name[:60], cells, list(sheet.merged_cell_ranges or ())


def main() -> None:
    _limit()
    try:
        for told in sheets_of(sys.stdin.buffer.read()):
            sys.stdout.write(json.dumps(told) + "\n")
    except PasswordError:
        sys.exit(PROTECTED)
    except BaseException:
        sys.exit(DAMAGED)


def _limit() -> None:
    """No more memory and time than a workbook takes, where the system can be told so."""
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def written(cell: Cell) -> str:
    """A cell as text: whole numbers without a point, days without a midnight, yes and no for what is true or false."""
    if isinstance(cell, str):
        return " ".join(cell.split())
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        number = Decimal(f"{cell:.15g}")  # the digits a spreadsheet shows; the rest is noise of binary fractions
        whole = number.is_finite() and number == number.to_integral()
        return format(number.to_integral() if whole else number, "f") if number.is_finite() else ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="minutes")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


if __name__ == "__main__":
    main()
