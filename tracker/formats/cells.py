"""How one cell is read: tidied text in, a value out. An empty cell is "not known".

What cannot be read raises Refused, in words that say how to mend it; a value that can be used but needs a word said
about it raises Remark, which carries the value.
"""

import re
import unicodedata
from collections.abc import Callable, Collection
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Moment, Reading, read_date, read_moment
from tracker.domain.values import Number, plain, read_number
from tracker.formats.opening import LOST

LONGEST = 200
LONGEST_MRN = 64
LONGEST_REPORT = 100_000
COMMA, POINT = "comma", "point"  # the decimal mark of a table, where it is known
MOST_DIGITS = 30  # before and after the point together; no laboratory prints more
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

_DEFUSED = re.compile(r"'+[=+\-@\t\r]")
_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
# Marks without a shape of their own that other programs leave behind: byte order, zero width, direction, soft hyphen.
_UNSEEN = dict.fromkeys((0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF))
_JOINERS = "\u200c\u200d"  # belong to the spelling of Persian and Indian names
# With what ISO 8601 as CDISC uses it allows: a dash for each part that is missing, `2013---15`, `--12-15`.
_PARTIAL_DATE = re.compile(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2]))?|(?:19|20)\d\d---\d\d|--\d\d-(?:\d\d|-)|-----\d\d")
_WHOLE = re.compile(r"\d{1,4}")


class Remark(Exception):
    """A value that is used, with something to be said about it."""

    def __init__(self, value: object, message: str) -> None:
        super().__init__(message)
        self.value = value


class Noted(Exception):
    """A reading that is used, with something to be said about it: pairs of a column and a sentence."""

    def __init__(self, reading: Reading, *notes: tuple[str, str]) -> None:
        super().__init__(" ".join(said for _, said in notes))
        self.reading = reading
        self.notes = notes


class Misfit(Refused):
    """Cells that can each be read and do not fit together, with the column at fault."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


# -------------------------------------------------------------------------------------------------- text


def tidied(cells: list[str]) -> list[str]:
    """A row's cells, each as `text` leaves it; quick where there is nothing to do. Raises Refused."""
    joined = "|".join(cells)
    if joined.isprintable() and "'" not in joined and (joined.isascii() or _is_plain(joined)):
        if len(joined) > LONGEST and max(map(len, cells)) > LONGEST:
            return [text(cell) for cell in cells]
        loose = "| " in joined or " |" in joined or joined != joined.strip()
        return [cell.strip() for cell in cells] if loose else cells
    return [text(cell) for cell in cells]


def _is_plain(joined: str) -> bool:
    return LOST not in joined and unicodedata.is_normalized("NFC", joined)


def text(cell: str) -> str:
    """The cell without blanks around it, composed (NFC), line breaks as blanks, without an export's apostrophe.

    Raises Refused where it is too long or holds characters that nobody can see or that were lost.
    """
    cell = unicodedata.normalize("NFC", _BLANKS.sub(" ", armed(cell.strip()).translate(_UNSEEN))).strip()
    if LOST in cell:
        raise Refused("A character was lost here when the file was written (�): save it anew as “CSV UTF-8”.")
    if not cell.isprintable():
        odd = next((c for c in cell if not c.isprintable() and c not in _JOINERS), "")
        if odd:
            raise Refused(f"The cell holds a control character (U+{ord(odd):04X}): remove it.")
    if len(cell) > LONGEST:
        raise Refused(f"The cell holds {len(cell)} characters; at most {LONGEST} are kept: shorten it.")
    return cell


def defused(cell: str) -> str:
    """Text for a spreadsheet, which would take a leading = + - @ for a formula: an apostrophe before it stops that."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) or _DEFUSED.match(cell) else cell


def armed(cell: str) -> str:
    """Undoes `defused`, and nothing else."""
    return cell[1:] if _DEFUSED.match(cell) else cell


def mrn(cell: str) -> str:
    if len(cell) > LONGEST_MRN:
        raise Refused(f"The record number holds {len(cell)} characters; at most {LONGEST_MRN} are kept.")
    return cell


def one_of(noun: str, words: Collection[str], empty: str = "") -> Callable[[str], str]:
    """A reader of one of `words`, whatever the case; an empty cell is `empty`."""

    def read(cell: str) -> str:
        word = cell.lower()
        if word in words:
            return word
        if not cell:
            return empty
        raise Refused(f"“{cell}” is not {noun}: write {listed(words)}.")

    return read


def listed(words: Collection[str], last: str = "or") -> str:
    """`a, b or c`."""
    *before, end = words
    return f"{', '.join(before)} {last} {end}" if before else end


_ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def boolean(cell: str) -> bool | None:
    if not cell:
        return None
    answer = _ANSWERS.get(cell.lower())
    if answer is None:
        raise Refused(f"“{cell}” is neither yes nor no: write yes or no, or leave it empty where it is not known.")
    return answer


# ----------------------------------------------------------------------------------------------- numbers


def number(cell: str) -> Number | None:
    """What a cell says where it is a number. Raises Refused where it could be two, or has more digits than any."""
    found = read_number(cell)
    if found is not None:
        _, digits, exponent = found.figure.as_tuple()
        if max(len(digits), abs(found.figure.adjusted()), abs(int(exponent))) > MOST_DIGITS:
            raise Refused(f"“{cell[:60]}” has more digits than any measurement: check it.")
    return found


def decimal(cell: str) -> Decimal | None:
    """A plain number, or None for an empty cell."""
    if not cell:
        return None
    found = number(cell)
    if found is None:
        raise Refused(f"“{cell}” is not a number: write it like 5.3.")
    if found.comparator:
        raise Refused(f"“{cell}” is only a bound: a plain number like 5.3 is needed here.")
    return found.figure


def amount(cell: str) -> Decimal | None:
    """A number that is not below 0."""
    figure = decimal(cell)
    if figure is not None and figure < 0:
        raise Refused(f"“{cell}” is below 0, which cannot be: check it.")
    return figure


def whole(noun: str, lowest: int, highest: int) -> Callable[[str], int | None]:
    """A reader of a whole number from `lowest` to `highest`."""

    def read(cell: str) -> int | None:
        if not cell:
            return None
        if not (_WHOLE.fullmatch(cell) and cell.isascii() and lowest <= int(cell) <= highest):
            raise Refused(f"“{cell}” is not {noun}: write a whole number from {lowest} to {highest}.")
        return int(cell)

    return read


def reported(cell: str) -> str:
    """A result's value: a number, a bound such as `<5`, or words. Raises Refused where it could be two numbers."""
    if not (cell.replace(".", "", 1).isdecimal() and len(cell) <= MOST_DIGITS):  # else it can be one number only
        number(cell)
    return cell


def report(text: str) -> str:
    """A value that may be a report of many lines, which it keeps. Raises Refused where it is too long to be kept whole,
    or could be two numbers.
    """
    lines = (" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in text.splitlines())
    whole = "\n".join(filter(None, lines))
    if len(whole) > LONGEST_REPORT:
        raise Refused(
            f"The report holds {len(whole):,} characters; at most {LONGEST_REPORT:,} are kept, and it is not cut."
        )
    return reported(whole) if len(whole) <= LONGEST else whole


Bound = Decimal | Number | None
"""A printed bound: its figure, a Number where an operator stands before it, None where there is none."""


def printed_bound(cell: str) -> Bound:
    """A bound of a printed range. What is not a number is said and bounds nothing, least of all at 0."""
    if not cell:
        return None
    try:
        found = number(cell)
    except Refused as why:
        raise Remark(None, f"{why} No bound was taken from it.") from None
    if found is None:
        raise Remark(None, f"“{cell}” is not a number: no bound was taken from it.")
    return found if found.comparator else found.figure


def printed_range(low: Bound, high: Bound) -> tuple[Decimal | None, Decimal | None, str]:
    """Lower and upper bound, and a remark where they were not simply two figures: `<232` is an upper bound."""
    if not isinstance(low, Number) and not isinstance(high, Number) and (low is None or high is None or low <= high):
        return low, high, ""
    pairs = [("low", low), ("high", high)]
    marked = [bound for _, bound in pairs if isinstance(bound, Number)]
    lower = [_figure(bound) for side, bound in pairs if bound is not None and _side(side, bound) == "low"]
    upper = [_figure(bound) for side, bound in pairs if bound is not None and _side(side, bound) == "high"]
    if len(lower) > 1 or len(upper) > 1 or (lower and upper and lower[0] > upper[0]):
        return None, None, f"The bounds {low} and {high} contradict each other: neither is used."
    words = [f"“{bound}” was read as the {_side('', bound)} bound {plain(bound.figure)}." for bound in marked]
    return lower[0] if lower else None, upper[0] if upper else None, " ".join(words)


def _figure(bound: Decimal | Number) -> Decimal:
    return bound.figure if isinstance(bound, Number) else bound


def _side(column: str, bound: Decimal | Number) -> str:
    """What a bound bounds: its operator says, else the column it stands in."""
    if not isinstance(bound, Number):
        return column
    return "high" if bound.comparator.startswith("<") else "low"


# ------------------------------------------------------------------------------------------------- dates


def day(cell: str) -> date | None:
    """A date; of a date and time the date as written."""
    if not cell:
        return None
    if len(cell) <= 10:
        return read_date(cell)
    try:
        return datetime.fromisoformat(cell).date()
    except ValueError:
        raise Refused(f"“{cell}” is not a date: write it as 2026-03-01.") from None


def moment(cell: str, zone: ZoneInfo) -> Moment:
    """When a sample was taken."""
    try:
        return read_moment(cell, zone)
    except (ValueError, OverflowError):  # the first and the last day of the calendar have no neighbours
        raise Refused(f"“{cell}” is not a date and time: write it as 2026-03-01T08:40.") from None


def instant(cell: str, zone: ZoneInfo) -> datetime | None:
    return moment(cell, zone).at if cell else None


def partial_date(cell: str) -> str:
    """The cell where it is a date of which something is missing (`2013-07`, `2013`), else nothing."""
    return cell if _PARTIAL_DATE.fullmatch(cell) else ""


def day_if_whole(cell: str) -> date | None:
    """A date, or None where a part of it is missing."""
    return None if partial_date(cell) else day(cell)
