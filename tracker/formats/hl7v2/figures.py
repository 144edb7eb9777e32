"""What stands in OBX-5, OBX-6 and in a time stamp, as laboratories really write it."""

import re
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Moment, read_moment
from tracker.domain.units import dimension
from tracker.formats.glued import Value, unglued
from tracker.formats.hl7v2.er7 import Field, Segment

NUMERIC, WORDS = frozenset(("NM", "ST", "TX", "FT", "SI", "")), frozenset(("CE", "CWE", "CNE", "CF", "IS", "ID"))
PLACEHOLDERS = frozenset((
    ".", "*", "**", "$", "-", "--", "---", "...", "s.u.", "s. bem.", "s.bem.", "s. kommentar", "siehe kommentar",
    "siehe bemerkung", "siehe text", "s. text", "see comment", "see comments", "see note", "see notes", "see below",
    "see text", "voir commentaire", "cf commentaire", "cf. commentaire", "ver comentario", "ver nota", "vedi nota",
    "zie opmerking",
))  # fmt: skip

_DECIMAL_COMMA = re.compile(r"(?<![\d.,])\d+,\d{1,2}(?![\d.,])", re.ASCII)
_POINT_THREE = re.compile(r"(?:[<>]=?|[≤≥])?\s*[1-9]\d{0,2}\.\d{3}", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_STAMP = re.compile(r"(?P<day>\d{8})(?P<time>\d*)(?:\.\d+)?(?P<zone>[+-]\d\d(?:\d\d)?)?\d*$")


def value_of(obx: Segment) -> Value:
    """What OBX-5 says, in the way of its type (OBX-2)."""
    kind, found = obx.part(2).upper(), obx.repetitions(5)
    if not found:
        return Value("")
    if kind == "SN":
        return Value("; ".join(filter(None, map(_structured, found))))
    if kind in WORDS:
        return Value(
            "; ".join(filter(None, (one.component(2) or one.component(5) or one.component(1) for one in found)))
        )
    text = "\n".join(one.text.strip() for one in found).strip()
    return unglued(text) if kind in NUMERIC else Value(text)


def writes_commas(segment: Segment) -> bool:
    """Whether a number or a range of this OBX has a decimal comma that is nothing else."""
    return segment.name == "OBX" and any(_DECIMAL_COMMA.search(segment.field(number)) for number in (5, 7))


def may_be_thousands(text: str) -> bool:
    """`6.100`: six thousand one hundred, where decimals are written with a comma."""
    return _POINT_THREE.fullmatch(text) is not None


def _structured(field: Field) -> str:
    """SN: `<^10`, `^5`, `=^2`, `^1^:^128`, and what was written into one component all the same. Where more stands in
    it than belongs there, all of it: nobody would see what was left out.
    """
    if field.sent(5) or any(_has_parts(field, number) for number in (1, 2, 3, 4)):
        return field.text.strip()
    comparator, first, between, second = (field.component(number) for number in (1, 2, 3, 4))
    comparator = "" if comparator == "=" else comparator
    return f"{comparator}{first}{between}{second}".strip()


def _has_parts(field: Field, number: int) -> bool:
    """Whether a component holds more than its first part."""
    sub = field.by.sub
    return bool(sub) and any(part.strip() for part in field.sent(number).split(sub)[1:])


def unit_of(obx: Segment) -> str:
    """The unit of OBX-6: of its code, its text and their alternatives the first that is known, else the first."""
    found = obx.repetitions(6)
    names = [found[0].component(number) for number in (1, 2, 4, 5)] if found else []
    power = "^".join(names[:2])  # `10^9/L`, whose sign was not escaped
    names = [name for name in ([power, *names] if dimension(power) and names[0].endswith("10") else names) if name]
    return next((name for name in names if dimension(name)), names[0] if names else "")


def moment(stamp: str, zone: ZoneInfo) -> Moment | None:
    """A time stamp (`20260301`, `202603010840`, with seconds, fractions or an offset, or as ISO 8601 writes it); None
    where no whole day.

    Zeros behind the day mean that only the day is known. Raises Refused for a day that does not exist.
    """
    if _ISO.fullmatch(stamp.strip()):
        return _checked(stamp.strip(), stamp, zone)
    match = _STAMP.match(stamp.strip())
    if match is None or match["day"] == "00000000":
        return None
    day, time = match["day"], match["time"][:6]
    text = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if len(time) >= 4 and (time.strip("0") or match["zone"]):
        clock = f"{time[:2]}:{time[2:4]}" + (f":{time[4:6]}" if len(time) == 6 else "")
        offset = match["zone"] and match["zone"].ljust(5, "0")
        text += f"T{clock}" + (f"{offset[:3]}:{offset[3:]}" if offset else "")
    return _checked(text, stamp, zone)


def _checked(text: str, stamp: str, zone: ZoneInfo) -> Moment:
    try:
        return read_moment(text, zone)
    except (Refused, OverflowError, ValueError):
        raise Refused(f"“{stamp[:30]}” is no time of the calendar: it is written 20260301 or 202603010840.") from None
