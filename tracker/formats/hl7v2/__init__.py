"""HL7 v2 results: ORU^R01, and OUL^R22 where it holds results; several messages, batches and patients in a file.

    parts = hl7v2.read(content, zone)
    parts.remarks, parts.rows

Every OBX is one row, numbered by the line it stands on; a message without a result is one row, refused. A result is
identified by its patient (PID-3, else PID-2 or PID-4, never the name), the test (OBX-3) with its sub-ID (OBX-4), the
time of collection, the sending facility (MSH-4, else MSH-3) and the filler's order number (OBR-3, else OBR-2, ORC-3,
ORC-2), so that a message sent again, or the same result by FHIR, is a duplicate. A message marked as training or
debugging (MSH-11) is refused unless it is asked for. Source: HL7 v2.3 to 2.8, chapter 7, and what laboratories send.
"""

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem, Row
from tracker.formats.apart import said_once, told_apart, told_of_fasting
from tracker.formats.hl7v2.context import Context, Part, parts_of
from tracker.formats.hl7v2.er7 import Message, messages
from tracker.formats.hl7v2.figures import writes_commas
from tracker.formats.hl7v2.results import refusal_of_all, row_of

__all__ = ["ELEMENTS", "MOST_BYTES", "Parts", "check_size", "read"]

MOST_BYTES = 64 << 20
MOST_SEGMENTS = 400_000
ELEMENTS = {
    "mrn": "PID-3", "value": "OBX-5", "unit": "OBX-6", "collected_at": "OBX-14", "analyte": "OBX-3",
    "ref_low": "OBX-7", "ref_high": "OBX-7",
}  # fmt: skip
"""What the fields of a reading are called in HL7."""

_READ = ("ORU", "OUL", "")


class Parts(NamedTuple):
    remarks: tuple[Problem, ...]
    rows: list[Row]


def check_size(content: bytes) -> bytes:
    """The content of a file. Raises Refused where it has more segments than there is memory for their rows."""
    if max(content.count(b"\r"), content.count(b"\n")) > MOST_SEGMENTS:
        raise Refused(f"The file has more than {MOST_SEGMENTS:,} segments: split it into several files.")
    return content


def read(content: bytes, zone: ZoneInfo, test_messages: bool = False) -> Parts:
    """The rows of a file; nothing is raised for what stands in it. With `test_messages` those are read as any other."""
    rows: list[Row] = []
    charset = ""
    for count, message in enumerate(messages(content), start=1):
        charset = message.charset
        rows += _message(message, f"message {count}", zone, test_messages)
    rows = said_once(told_apart(told_of_fasting(rows, "OBX-3"), "OBX-14"))
    remarks = [Problem(0, "MSH-18", f"The characters are not UTF-8: they were read as {charset}.")] if charset else []
    return Parts(tuple(remarks), rows)


def _message(message: Message, place: str, zone: ZoneInfo, test_messages: bool) -> list[Row]:
    """The rows of one message; one refused row where it holds no result."""
    header = message.header
    kind = header.field(9).upper()
    if kind[:3] not in _READ:
        said = f"This message is {kind[:20] if kind.isprintable() else 'of no known type'}: results come as ORU^R01."
        return [_refused(header.line, "MSH-9", said, place)]
    first, *parts = parts_of(message.segments)
    context = Context(first, place, zone, _orders(parts))
    context.commas = any(writes_commas(part.segment) for part in parts)
    refused = "" if test_messages else refusal_of_all(header)
    rows: list[Row] = []
    for part in parts:
        context.take(part)
        if part.segment.name == "OBX":
            rows.append(row_of(context, part, refused))
    return rows or [_refused(header.line, "OBX", "The message holds no result (OBX): nothing can be filed.", place)]


def _orders(parts: Sequence[Part]) -> frozenset[str]:
    """The numbers of a message's orders."""
    named = (part.segment for part in parts if part.segment.name in ("OBR", "ORC"))
    return frozenset(number for segment in named for number in (segment.part(2), segment.part(3)) if number)


def _refused(line: int, column: str, said: str, place: str) -> Row:
    return Row(line, None, (Problem(line, column, said),), place)
