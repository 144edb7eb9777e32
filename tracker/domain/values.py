"""Numbers as laboratories print them: exact decimals, some of them only a bound (`<5`, `>1000`).

A censored value is an interval. Every comparison therefore has three answers: True, False, and None for
"cannot be decided from what was reported". None is never treated as False by a caller.
"""

import re
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

from tracker.domain.errors import Refused

COMPARATORS = ("", "<", "<=", ">", ">=")

_NUMBER = re.compile(
    r"^(?P<comparator><=|>=|=<|=>|<|>|≤|≥|=)?\s*(?P<number>[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+))(?:\s*[eE]\s*(?P<power>[+-]?\d{1,3}))?$",
    re.ASCII,
)
# `150,000` is a hundred and fifty thousand platelets or a hundred and fifty; `0,125` and `1.234` are only decimals.
_TWO_READINGS = re.compile(r"^[<>=≤≥]*\s*[+-]?(?:[1-9]\d{0,2},\d{3}|\d{1,3}(?:[.,' ]\d{3})+[.,' ]\d+)$", re.ASCII)
_SPELLING = {None: "", "=": "", "≤": "<=", "=<": "<=", "≥": ">=", "=>": ">="}


class Number(NamedTuple):
    """A reported number: the comparator printed before it ("" where none) and the exact figure."""

    comparator: str
    figure: Decimal

    def __str__(self) -> str:
        return f"{self.comparator}{plain(self.figure)}"


def plain(figure: Decimal) -> str:
    """The figure without an exponent and with the digits it came with: `5.30` stays `5.30`, `1E+3` is `1000`."""
    return format(figure, "f")


def shown(figure: Decimal, digits: int = 4) -> str:
    """The figure for reading, at most `digits` significant ones after a conversion left a tail; never for comparing."""
    if figure == 0 or len(figure.as_tuple().digits) <= digits:
        return plain(figure)
    places = max(digits - figure.adjusted() - 1, 0)
    wide = Context(prec=max(figure.adjusted(), digits) + 2)  # what is typed may have more digits than one works with
    return plain(figure.quantize(Decimal(1).scaleb(-places), context=wide))


def brief(text: str, most: int = 120) -> str:
    """A text in one line of at most so many characters, for a place that has room for no report."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1].rstrip()}…"


def read_number(text: str) -> Number | None:
    """Read what a person or a laboratory wrote: `5.3`, `5,3`, `<5`, `>1000`, `1.2 e3`; None where it is not a number.

    Raises Refused where the text could mean two numbers (`1,234`, `1.234,5`): a thousand separator is never guessed.
    """
    stripped = text.strip().replace("\u00a0", " ").replace("−", "-")
    if _TWO_READINGS.match(stripped):
        raise Refused(f"“{text.strip()}” could be read as two different numbers: write it without thousand separators.")
    match = _NUMBER.match(stripped)
    if match is None:
        return None
    comparator = match["comparator"]
    try:
        figure = Decimal(match["number"].replace(",", "."))
    except InvalidOperation:  # pragma: no cover - the pattern admits only what Decimal reads
        return None
    if match["power"]:
        figure = figure.scaleb(int(match["power"]))
    return Number(_SPELLING.get(comparator, comparator or ""), figure)


def below(comparator: str, figure: Decimal, bound: Decimal, inclusive: bool = False) -> bool | None:
    """Is the reported value below `bound` (or equal to it, where `inclusive`)? None where that cannot be decided.

    `<0.5` is below 0.5 for certain; `<0.6` may or may not be; `>0.6` is certainly not.
    """
    if comparator == "":
        return figure <= bound if inclusive else figure < bound
    if comparator == "<":
        return True if figure <= bound else None
    if comparator == "<=":
        return True if figure < bound or (inclusive and figure == bound) else None
    if comparator == ">":
        return False if figure >= bound else None
    return False if figure > bound or (figure == bound and not inclusive) else None


def above(comparator: str, figure: Decimal, bound: Decimal, inclusive: bool = False) -> bool | None:
    """Is the reported value above `bound` (or equal to it, where `inclusive`)? None where that cannot be decided."""
    is_below = below(comparator, figure, bound, inclusive=not inclusive)
    return None if is_below is None else not is_below
