"""Files: bytes into readings and problems, and rows out again. Nothing is stored here, and no clock is read.

    source = formats.read(name, stream, zone)
    for row in source.rows:
        row.number, row.reading, row.problems

`read` recognises a file by its content and raises Refused where it cannot be read at all; after that a row at a time is
read or refused, in little memory however long the file is, and iterating never raises. Every row that holds something
is yielded, so that the rows counted are the rows that came in.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.readings import Problem, Row
from tracker.formats import recognise
from tracker.formats.export import csv_lines, json_lines, write_csv, write_json
from tracker.formats.opening import open_text
from tracker.formats.tables import GUESSED, open_table, rows

__all__ = ["ORDER", "Source", "csv_lines", "json_lines", "read", "write_csv", "write_json"]

ORDER = (
    "patients",
    "ranges",
    "courses",
    "exposures",
    "course_events",
    "medications",
    "observations",
    "adverse_events",
    "results",
)
"""The order in which the kinds of source are filed, so that nothing comes before what it needs."""


class Source(NamedTuple):
    """One file that can be read. `format` is csv or sdtm, `kind` one of ORDER; `remarks` are about the file as a whole.

    `rows` streams, and can be gone through once.
    """

    name: str
    format: str
    kind: str
    remarks: tuple[Problem, ...]
    rows: Iterator[Row]


def read(name: str, stream: BinaryIO, zone: ZoneInfo) -> Source:
    """Open a file. Times without an offset are those of `zone`. Raises Refused where it cannot be read at all."""
    opened = open_text(stream)
    recognise.refuse_foreign(opened.head)
    table = open_table(opened.text)
    found = recognise.table(table)
    remarks = (*((Problem(0, "", GUESSED),) if opened.text.guessed else ()), *found.remarks)
    return Source(name, found.format, found.layout.kind, remarks, rows(table, found.layout, zone))
