"""Small files for the tests of the formats."""

import csv
import io
from collections.abc import Mapping
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
