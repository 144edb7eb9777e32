"""A range as a laboratory prints it. What cannot be read as one range for certain bounds nothing, least of all at 0."""

import re
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.units import dimension, rescaled
from tracker.formats.cells import COMMA, MOST_DIGITS, POINT

_FIGURE = r"-?(?:\d[\d.,'’]*|[.,]\d+)"
_UNIT = r"(?:\s*(?P<unit>[^\d\s.,)\]].*)|\s+(?P<power>\d.*))?"  # `x10E3/uL`, `10*3/uL`
_BOTH = re.compile(
    rf"(?:(?:von|from|od|de|van|da)\s+)?(?P<low>{_FIGURE})\s*(?:-|–|—|_|\b(?:to|bis|do|tot|t/m)\b|\s[àa]\s)\s*(?P<high>{_FIGURE}){_UNIT}",
    re.IGNORECASE | re.ASCII,
)
_ONE = re.compile(rf"(?P<op><=?|>=?|≤|≥|=<|=>)\s*(?:OR\s*=\s*)?(?P<bound>{_FIGURE}){_UNIT}", re.ASCII)
_LOW_ONLY = re.compile(rf"(?P<low>{_FIGURE})\s*-", re.ASCII)
_HIGH_ONLY = re.compile(rf"-\s*(?P<high>{_FIGURE.removeprefix('-?')})|-\s+(?P<below>{_FIGURE})", re.ASCII)
# `<0.9 negative`, `negativ: < 0.9`: the word only says what the bound is for. None beside a lower bound is left out.
_BELOW_IT = r"(?:neg(?:ativ[eo]?|atif|\.)?|normal|non[- ]?reactive|nicht reaktiv)"
_WORD_FIRST = re.compile(rf"{_BELOW_IT}\s*:?\s*(?=[<≤])", re.IGNORECASE)
_WORD_BEHIND = re.compile(rf"(?P<bound>[<≤]=?\s*{_FIGURE})\s*[,:;]?\s*\(?{_BELOW_IT}\)?", re.IGNORECASE | re.ASCII)
# One bound in words, of languages that laboratories here write in: `bis 5`, `up to 5`, `do 5`, `ab 60`.
_UPPER_WORDS = (
    r"bis(?: zu)?|unter|kleiner(?: als)?|up to|less than|below|under|max(?:imal|\.)?|jusqu['’]à"
    r"|inf(?:[ée]rieure?|\.)?(?: à)?|hasta|menor (?:de|que|a)|inferiore? [aà]|fino a|até|tot|kleiner dan|do|poniżej"
)
_LOWER_WORDS = (
    r"ab|über|größer(?: als)?|more than|greater than|above|over|min(?:destens|\.)?|sup(?:[ée]rieure?|\.)?(?: à)?"
    r"|desde|mayor (?:de|que|a)|superiore? [aà]|vanaf|groter dan|od|powyżej"
)
_SPOKEN = re.compile(rf"(?:(?P<upper>{_UPPER_WORDS})|{_LOWER_WORDS})\s*(?={_FIGURE})", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*([^()\[\]]*)")

_PLAIN = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)", re.ASCII)
_COMMA = re.compile(r"-?(?:\d+,\d+|,\d+)", re.ASCII)
_TWO_READINGS = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)  # a decimal comma, or thousands
_THOUSANDS = re.compile(r"-?\d{1,3}(?:(?:,\d{3}){2,}(?:\.\d+)?|,\d{3}\.\d+|(?:['’]\d{3})+(?:\.\d+)?)", re.ASCII)
_POINTS = re.compile(r"-?\d{1,3}(?:(?:\.\d{3}){2,}(?:,\d+)?|\.\d{3},\d+)", re.ASCII)
_POINT_THREE = re.compile(r"-?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_GROUPED = {
    COMMA: re.compile(r"(?P<sign>-?)(?P<whole>\d{1,3}(?:[.'’]\d{3})+|\d*)(?:,(?P<part>\d+))?", re.ASCII),
    POINT: re.compile(r"(?P<sign>-?)(?P<whole>\d{1,3}(?:[,'’]\d{3})+|\d*)(?:\.(?P<part>\d+))?", re.ASCII),
}
PERHAPS_COMMA = "perhaps comma"


class Bounds(NamedTuple):
    """A printed range, inclusive, in the unit of the result; `said` where it was printed and could not be taken."""

    low: Decimal | None = None
    high: Decimal | None = None
    said: str = ""


class _NoRange(Exception):
    """Why a printed range is none."""


def range_of(text: str, unit: str, decimal: str = "") -> Bounds:
    """The bounds that are printed for a result in `unit`; a range in another unit is none, unless only the decimal
    point lies between the two. `decimal`: the mark that is known to be the decimal one (COMMA, POINT), or that commas
    are, and points may part thousands (PERHAPS_COMMA).
    """
    printed = " ".join(text.split())
    bare = _BRACKETS.sub(r"\1 \2", printed, count=1).strip() if _BRACKETS.fullmatch(printed) else printed
    if not bare.strip("- "):
        return Bounds()
    bare = _without_words(bare)
    try:
        low, high = _bounds(bare, unit, decimal)
    except _NoRange as why:
        said = str(why) or "is not a lower and an upper bound"
        return Bounds(said=f"“{printed[:80]}” {said}: no range is taken from it.")
    return Bounds(low, high)


def _without_words(bare: str) -> str:
    """One bound as `<5`, however it was said; anything else as it is."""
    if (spoken := _SPOKEN.match(bare)) is not None and not _BOTH.fullmatch(bare):
        bare = f"{'<=' if spoken['upper'] else '>='}{bare[spoken.end() :]}"
    if (first := _WORD_FIRST.match(bare)) is not None:
        bare = bare[first.end() :]
    return match["bound"] if (match := _WORD_BEHIND.fullmatch(bare)) else bare


def _bounds(bare: str, unit: str, decimal: str) -> tuple[Decimal | None, Decimal | None]:
    if match := _BOTH.fullmatch(bare):
        low, high = _figure(match["low"], decimal), _figure(match["high"], decimal)
        if low > high or low == high == 0:
            raise _NoRange
        return _scaled(low, match, unit), _scaled(high, match, unit)
    if match := _ONE.fullmatch(bare):
        bound = _scaled(_figure(match["bound"], decimal), match, unit)
        return (None, bound) if match["op"][0] in "<≤" or match["op"] == "=<" else (bound, None)
    if match := _LOW_ONLY.fullmatch(bare):
        return _figure(match["low"], decimal), None
    if match := _HIGH_ONLY.fullmatch(bare):
        return None, _figure(match["high"] or match["below"], decimal)
    raise _NoRange


def _scaled(figure: Decimal, match: "re.Match[str]", unit: str) -> Decimal:
    """The figure in the unit of the result."""
    printed = (match["unit"] or match["power"] or "").strip()
    if not printed or printed == unit:
        return figure
    if not dimension(printed):
        raise _NoRange
    found = rescaled(figure, printed, unit)
    if found is None:
        raise _NoRange(
            f"is in {printed} and the result in {unit}" if unit else f"is in {printed} and the result is not"
        )
    return found


def _figure(text: str, decimal: str) -> Decimal:
    """A bound. `150,000` may be thousands or a decimal comma, and is neither; `1,500,000` and `1'500` are thousands."""
    if len(text) > MOST_DIGITS:
        raise _NoRange
    if decimal in _GROUPED:
        return _of_mark(text, decimal)
    if _TWO_READINGS.fullmatch(text) or (decimal == PERHAPS_COMMA and _POINT_THREE.fullmatch(text)):
        raise _NoRange("could be read in two ways, with thousands or with a decimal comma")
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if _COMMA.fullmatch(text):
        return Decimal(text.replace(",", "."))
    if _THOUSANDS.fullmatch(text):
        return Decimal(re.sub("[,'’]", "", text))
    if _POINTS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    raise _NoRange


def _of_mark(text: str, decimal: str) -> Decimal:
    """A bound whose decimal mark is known; the other one parts thousands or is wrong."""
    match = _GROUPED[decimal].fullmatch(text)
    if match is None:
        raise _NoRange(f"is not written with a decimal {decimal}")
    whole = re.sub("[.,'’]", "", match["whole"])
    return Decimal(f"{match['sign']}{whole}.{match['part']}" if match["part"] else f"{match['sign']}{whole}")
