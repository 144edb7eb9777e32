"""Small files for the tests of the formats."""

import csv
import io
import struct
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from tracker.domain.readings import Row
from tracker.formats import Source, read

ZONE = ZoneInfo("Europe/Zurich")

RESULTS = (
    "mrn,collected_at,analyte,value,unit,ref_low,ref_high\n"
    "00231,2026-03-01T08:40,ANC,1.9,10*9/L,2.0,8.25\n"
    "00231,2026-03-08,ANC,<0.5,10*9/L,2.0,8.25\n"
    "00417,2026-03-08T09:15+02:00,HBSAG,negative,,,\n"
)


def opened(content: str | bytes) -> Source:
    """A file with this content, as a user would send it."""
    return read("a file", io.BytesIO(content.encode() if isinstance(content, str) else content), ZONE)


def rows(content: str | bytes) -> list[Row]:
    return list(opened(content).rows)


def table(*lines: Mapping[str, object]) -> str:
    """A CSV table of these rows; the first one has the columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def says(row: Row) -> dict[str, str]:
    """What is said about a row, by column."""
    said: dict[str, str] = {}
    for problem in row.problems:
        assert problem.row == row.number
        said[problem.column] = f"{said.get(problem.column, '')} {problem.message}".strip()
    return said


def xls(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """A workbook of the kind of 1997 (BIFF8 in a compound file): texts and numbers, nothing else."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def text(words: str, length: str) -> bytes:
        return struct.pack(length, len(words)) + b"\1" + words.encode("utf-16-le")

    def cell(row: int, column: int, value: str | float) -> bytes:
        place = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str):
            return record(0x0204, place + text(value, "<H"))
        return record(0x0203, place + struct.pack("<d", value))

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0, 0, 0))

    end = record(0x0A, b"")
    bodies = [
        begin(0x10) + b"".join(cell(y, x, value) for y, row in enumerate(rows) for x, value in enumerate(row)) + end
        for rows in sheets.values()
    ]
    size = len(begin(5)) + sum(len(record(0x85, bytes(6) + text(name, "<B"))) for name in sheets) + len(end)
    index, at = b"", size
    for name, body in zip(sheets, bodies, strict=True):
        index += record(0x85, struct.pack("<IH", at, 0) + text(name, "<B"))
        at += len(body)
    return _compound(begin(5) + index + end + b"".join(bodies))


def _compound(stream: bytes) -> bytes:
    """A compound file with one stream, “Workbook”, in sectors of 512 bytes."""
    free, last = 0xFFFFFFFF, 0xFFFFFFFE
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    fat = [0xFFFFFFFD, last, *range(3, 2 + sectors), last]
    fat += [free] * (128 - len(fat))

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        words = name.encode("utf-16-le")
        tree = struct.pack("<HBBIII", len(words) + 2 if name else 0, kind, 1, free, free, child)
        return words.ljust(64, b"\0") + tree + bytes(36) + struct.pack("<IQ", start, size)

    head = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, last, 0, last, 0) + struct.pack("<109I", 0, *[free] * 108)
    folder = entry("Root Entry", 5, 1, last, 0) + entry("Workbook", 2, free, 2, len(stream))
    folder += (entry("", 0, free, 0, 0)) * 2
    return head + struct.pack("<128I", *fat) + folder + stream
