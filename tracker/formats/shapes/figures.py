"""Cells of tables as people and programs export them: figures with a comma or a point, days in either order.

Where a cell could mean two things nothing is chosen here: `dates_of` and `decimals_of` say what a column shows.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Moment
from tracker.domain.units import dimension, normal_unit
from tracker.domain.values import Number, plain
from tracker.formats import cells
from tracker.formats.cells import COMMA, POINT
from tracker.formats.glued import UNIT_FLAG, led

DAY_FIRST, MONTH_FIRST = "day first", "month first"
NOTHING = frozenset(("-", "--", "---", "–", "—", ".", "*", "n/a", "na", "n.a.", "null", "none", "nan", "#n/a"))

# ------------------------------------------------------------------------------------------------ figures

_BARE = r"(?P<sign>[<>=≤≥]{0,2}\s*[+-]?)"
_COMMA_THREE = re.compile(rf"^{_BARE}[1-9]\d{{0,2}},\d{{3}}$")
_POINT_THREE = re.compile(rf"^{_BARE}[1-9]\d{{0,2}}\.\d{{3}}$")
_COMMA_DECIMAL = re.compile(
    rf"^{_BARE}(?:0,\d+|\d+,(?:\d{{1,2}}|\d{{4,}})|\d{{4,}},\d+|\d{{1,3}}(?:[.' ]\d{{3}})+,\d+)\b"
)
_POINT_DECIMAL = re.compile(
    rf"^{_BARE}(?:0\.\d+|\d+\.(?:\d{{1,2}}|\d{{4,}})|\d{{4,}}\.\d+|\d{{1,3}}(?:[,' ]\d{{3}})+\.\d+)\b"
)
_GROUPS = {
    COMMA: re.compile(rf"^{_BARE}(?P<whole>\d{{1,3}}(?:[.' ]\d{{3}})+|\d+)(?:,(?P<part>\d+))?(?P<rest>\s*[eE].*)?$"),
    POINT: re.compile(rf"^{_BARE}(?P<whole>\d{{1,3}}(?:[,' ]\d{{3}})+|\d+)(?:\.(?P<part>\d+))?(?P<rest>\s*[eE].*)?$"),
}
_FLAGGED = re.compile(r"^(?P<figure>[<>=≤≥]{0,2}\s*[\d.,' eE+-]*\d)\s*[(\[]?(?P<flag>HH|LL|H|L|N|\*{1,2}|↑|↓)[)\]]?$")
# `340 +`, as German laboratories mark what is too high; one digit before it is an answer in words, as `3 +`.
_SIGNED = re.compile(r"^(?P<figure>[<>=≤≥]{0,2}\s*(?:\d{2,}|\d+[.,]\d+))\s+(?P<flag>\+{1,2}|-{1,2})$")
_WITH_UNIT = re.compile(
    r"^(?P<figure>[<>=≤≥]{0,2}\s*[+-]?\d[\d.,' ]*(?:[eE][+-]?\d{1,3})?)\s*(?P<unit>[%µμa-zA-Z/].*|10[*^].*)$"
)


class NoClock(Refused):
    """A cell beside the day that should say the time, and does not."""


class Figure(NamedTuple):
    """A cell's value, as a reading has it, with the flag and the unit that stood in the same cell."""

    value: str
    flag: str = ""
    unit: str = ""


def decimals_of(values: Iterable[str]) -> tuple[str, str]:
    """(a cell that could be two numbers, the reading that other cells speak for); both "" where nothing is unclear."""
    comma = point = ""
    unclear: list[str] = []
    pointed: list[str] = []
    for value in values:
        cell = value.replace("\u00a0", " ").strip()
        if _COMMA_THREE.match(cell):
            unclear.append(cell)
        elif _POINT_THREE.match(cell):
            pointed.append(cell)
        elif _COMMA_DECIMAL.match(cell):
            comma = comma or cell
        elif _POINT_DECIMAL.match(cell):
            point = point or cell
    unclear += pointed if comma else []
    if not unclear:
        return "", ""
    return unclear[0], COMMA if comma and not point else POINT if point and not comma else ""


def figure(cell: str, decimal: str = "", factor: Decimal = Decimal(1)) -> Figure:
    """The value of a cell: a number times `factor`, or words as they are. Raises Refused where it could be two numbers,
    or is written otherwise than `decimal` says.
    """
    flag, rest = led(cell)
    if flag and (number := _scaled(rest, decimal, factor)) is not None:
        return Figure(number, flag)
    flagged = _FLAGGED.match(cell) or _SIGNED.match(cell)
    if flagged:
        return Figure(_scaled(flagged["figure"], decimal, factor) or cell, flagged["flag"])
    number = _scaled(cell, decimal, factor)
    if number is not None:
        return Figure(number)
    glued = _WITH_UNIT.match(cell)
    both = UNIT_FLAG.fullmatch(glued["unit"]) if glued else None
    if glued and (unit := both["unit"] if both and not dimension(glued["unit"]) else glued["unit"]) and dimension(unit):
        if factor != 1:
            raise Refused(f"“{cell}” has a unit of its own, and its column has another.")
        flag = both["flag"] if both and unit == both["unit"] else ""
        return Figure(_scaled(glued["figure"].strip(), decimal, factor) or cell, flag, unit.strip())
    return Figure(cell)


def _scaled(cell: str, decimal: str, factor: Decimal) -> str | None:
    number = _number(cell, decimal)
    if number is None:
        return None
    return str(number) if factor == 1 else str(number._replace(figure=_shortest(number.figure * factor)))


def _shortest(figure: Decimal) -> Decimal:
    """Without zeros behind the point that only the factor brought."""
    return Decimal(plain(figure.normalize()))


def _number(cell: str, decimal: str) -> Number | None:
    bare = cell.replace("\u00a0", " ").replace("−", "-").strip()
    if decimal and (grouped := _GROUPS[decimal].match(bare)):
        whole = re.sub(r"[.,' ]", "", grouped["whole"])
        part = f".{grouped['part']}" if grouped["part"] else ""
        return cells.number(f"{grouped['sign']}{whole}{part}{grouped['rest'] or ''}")
    found = cells.number(bare)
    if found is not None and decimal and re.search(r"[.,]", bare):
        raise Refused(f"“{cell}” is written otherwise than with a decimal {decimal}, as this table is said to be.")
    return found


def same_unit(one: str, other: str) -> bool:
    return normal_unit(one) == normal_unit(other)


# ------------------------------------------------------------------------------------------------ days

# In English, German, French, Spanish, Italian, Portuguese, Dutch, the Scandinavian languages and Polish; but for
# `listopad`, which is another month in Croatian.
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january januar janvier ene enero gen gennaio janeiro januari sty styczeń stycznia",
            "feb february februar février fevrier fév febrero febbraio fev fevereiro februari lut luty lutego",
            "mar march märz mär mrz mars marzo março marco mrt maart marzec marca",
            "apr april avril avr abr abril aprile kwi kwiecień kwietnia",
            "may mai mayo mag maggio maio mei maj maja",
            "jun june juni juin junio giu giugno junho cze czerwiec czerwca",
            "jul july juli juillet julio lug luglio julho lip lipiec lipca",
            "aug august août aout ago agosto augustus augusti sie sierpień sierpnia",
            "sep sept september septembre septiembre set settembre setembro wrz wrzesień września",
            "oct october okt oktober octobre octubre ott ottobre out outubro paź październik października",
            "nov november novembre noviembre novembro",
            "dec december dez dezember décembre déc dic diciembre dicembre dezembro desember gru grudzień grudnia",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_HALF = r"\s*(?P<half>[ap]\.?\s?m\.?)?"
_TIME = (
    rf"(?:(?:[\sT,:]+|\s+à\s+)(?P<hour>\d{{1,2}})[:h](?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?{_HALF}"
    r"\s*(?P<offset>Z|[+-]\d\d:?\d\d)?(?:\s*Uhr)?)?$"
)
_FORMS = tuple(
    re.compile(form + _TIME, re.IGNORECASE)
    for form in (
        r"^(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        r"^(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<year>\d{4})",
        r"^(?P<day>\d{1,2})(?:[.\s/-]|\sde\s)*(?P<word>[^\W\d_]{3,})(?:[.,\s/-]|\sde\s)*(?P<year>\d{4})",
        r"^(?P<day>\d{1,2})(?P<mark>[\s/-])(?P<word>[^\W\d_]{3,})\.?(?P=mark)(?P<year>\d\d)(?!\d)",  # `3-Feb-26`
        r"^(?P<word>[^\W\d_]+)[.\s-]+(?P<day>\d{1,2})(?:st|nd|rd|th)?[,\s-]+(?P<year>\d{4})",
        r"^(?P<year>19\d\d|20\d\d)(?P<month>\d\d)(?P<day>\d\d)",
    )
)
_YEAR_LAST = _FORMS[1]
_SHORT, _CENTURY = 2, 2000
_TWO_DIGITS = "The year of “{}” has two digits: write it with four."
_SHORT_YEAR = re.compile(
    r"^(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<year>\d\d)(?!\d)" + _TIME, re.IGNORECASE
)
_SERIAL = re.compile(r"^\d{5}(?:\.\d+)?$")
_CLOCK = re.compile(
    rf"^(?P<hour>\d{{1,2}})[:h](?P<minute>\d\d)(?::(?P<second>\d\d))?{_HALF}(?:\s*Uhr)?$", re.IGNORECASE
)


def dates_of(values: Iterable[str]) -> tuple[str, str, str]:
    """(the order the days of a column prove, a cell that could be two days, a cell that contradicts), each "" or so.

    One day above 12 settles its column, because an export writes all its days alike. A column of years of two digits is
    never settled: a person has to say that the year is what stands last.
    """
    values = list(values)
    if values and all(map(short_year, values)):
        return "", values[0], ""
    proof: dict[str, str] = {}
    unclear = ""
    for value in values:
        found = _YEAR_LAST.match(value)
        if found is None:
            continue
        one, two = int(found["one"]), int(found["two"])
        if one > 12:
            proof.setdefault(DAY_FIRST, value)
        elif two > 12:
            proof.setdefault(MONTH_FIRST, value)
        elif one != two:
            unclear = unclear or value
    if len(proof) > 1:
        return "", unclear or proof[DAY_FIRST], proof[MONTH_FIRST]
    return next(iter(proof), ""), unclear, ""


def day(cell: str, order: str) -> date:
    """The day of a birth. Raises Refused where it is none, or could be two and `order` says nothing."""
    found = _parts(cell)
    if len(found["year"]) == _SHORT:
        raise Refused(_TWO_DIGITS.format(cell))
    return _day(found, cell, order)


def moment(cell: str, clock: str, order: str, zone: ZoneInfo) -> Moment:
    """When a sample was taken, from a cell with a day, perhaps with the time, and one with the time, perhaps empty."""
    found = _parts(cell)
    at = _day(found, cell, order).isoformat()
    parts = found.groupdict()
    if not parts.get("hour"):
        parts = _clock(clock)
    if parts.get("hour"):
        at += f"T{_hour(parts, cell):02d}:{parts['minute']}:{parts['second'] or '00'}{parts.get('offset') or ''}"
    return cells.moment(at, zone)


def _clock(clock: str) -> dict[str, str | None]:
    """The parts of a time of day; none where there is none. Raises NoClock where it is no time."""
    told = _CLOCK.match(clock)
    if clock and told is None:
        raise NoClock(f"“{clock}” is not a time of day: write it like 14:05.")
    return told.groupdict() if told else {}


def _parts(cell: str) -> re.Match[str]:
    for form in _FORMS:
        if found := form.match(cell):
            return found
    if found := _SHORT_YEAR.match(cell):
        if short_year(cell):
            return found
        raise Refused(_TWO_DIGITS.format(cell))
    if _SERIAL.match(cell):
        raise Refused(f"“{cell}” is a bare number where a date is due: format the column as a date and save it again.")
    raise Refused(f"“{cell}” is not a date that is read: write it as 2026-03-01.")


def _day(found: re.Match[str], cell: str, order: str) -> date:
    parts = found.groupdict()
    if parts.get("one"):
        one, two = int(parts["one"]), int(parts["two"])
        if not order and len(parts["year"]) == _SHORT:
            raise Refused(_TWO_DIGITS.format(cell))
        if not order and one != two:
            raise Refused(f"“{cell}” could be two days: say whether the day or the month comes first.")
        month, number = (two, one) if order == DAY_FIRST else (one, two)
    elif parts.get("word"):
        month, number = _MONTHS.get(parts["word"].casefold(), 0), int(parts["day"])
    else:
        month, number = int(parts["month"]), int(parts["day"])
    try:
        return date(_year(parts["year"]), month, number)
    except ValueError:
        said = f" where the {order.partition(' ')[0]} comes first" if order and parts.get("one") else ""
        raise Refused(f"“{cell}” is not a day of the calendar{said}.") from None


def _year(text: str) -> int:
    """A year; of two digits one of this century, in which every sample here was taken."""
    return int(text) + (_CENTURY if len(text) == _SHORT else 0)


def short_year(cell: str) -> bool:
    """Whether a cell is a day with a year of two digits behind it."""
    found = _SHORT_YEAR.match(cell)
    return found is not None and found["mark"] != "-"  # `26-02-03` has the year first


def _hour(parts: dict[str, str | None], cell: str) -> int:
    hour = int(parts["hour"] or 0)
    half = (parts.get("half") or "").lower()[:1]
    if hour > 23 or (half == "a" and hour > 12):
        raise Refused(f"“{cell}” has no such hour.")
    if half and hour == 12:
        return 0 if half == "a" else 12
    return hour + 12 if half == "p" and hour < 12 else hour
