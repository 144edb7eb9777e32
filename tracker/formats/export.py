"""Rows out again, as CSV in the tables of the interchange or as JSON, a row at a time.

Rows are mappings from column to value: text, Decimal, int, bool, date, datetime, Moment, None, words in a sequence, or
what JSON can hold. What is exported as CSV and read again gives the same readings.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import TextIO

from tracker.domain.errors import Refused
from tracker.domain.readings import Moment
from tracker.domain.values import plain, read_number
from tracker.formats.cells import FORMULA_STARTS, defused
from tracker.formats.interchange import TABLES

FLAGS = (
    "mrn", "rule", "subject", "severity", "grade", "grading", "machine", "review", "confirmation", "suggested",
    "due_on", "folded_under", "opened_on", "last_seen_on", "cleared_on", "sentence", "source", "verified", "evidence",
)  # fmt: skip
NUMERIC = frozenset(
    (
        "weight_kg",
        "dose_mg",
        "times_per_day",
        "value",
        "ref_low",
        "ref_high",
        "grade",
        "low",
        "high",
        "age_from",
        "age_to",
    )
)
_COLUMNS: Mapping[str, tuple[str, ...]] = {**TABLES, "flags": FLAGS}

_NEED_A_LOOK = (*FORMULA_STARTS, "'")

Rows = Iterable[Mapping[str, object]]


class _Line:
    """What the csv module writes a line to, in order to have the line."""

    def write(self, line: str) -> str:
        return line


def csv_lines(table: str, rows: Rows) -> Iterator[str]:
    """The lines of a table with its header, ended by LF. A table not known here has the keys of its first row.

    Text that a spreadsheet would take for a formula gets an apostrophe, which reading it again takes off; numbers in
    the columns of numbers do not.
    """
    rows = iter(rows)
    first = list(islice(rows, 1))
    columns = _COLUMNS.get(table) or tuple(key for row in first for key in row)
    writer = csv.writer(_Line(), lineterminator="\n")
    if columns:
        yield str(writer.writerow(columns))
    for row in chain(first, rows):
        yield str(writer.writerow([_cell(name, row.get(name)) for name in columns]))


def json_lines(rows: Rows) -> Iterator[str]:
    """One JSON object a row and line. Decimals are text, so that none of their digits is lost."""
    for row in rows:
        yield (
            json.dumps({name: _spelt(value) for name, value in row.items()}, ensure_ascii=False, default=_spelt) + "\n"
        )


def write_csv(table: str, rows: Rows, stream: TextIO) -> None:
    """Write a table to a stream of text opened with `newline=""`."""
    stream.writelines(csv_lines(table, rows))


def write_json(rows: Rows, stream: TextIO) -> None:
    """Write rows as one JSON array, a row a line."""
    between = "[\n"
    for line in json_lines(rows):
        stream.write(between + line.rstrip("\n"))
        between = ",\n"
    stream.write("[]\n" if between == "[\n" else "\n]\n")


def _spelt(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Moment):
        return (value.at if value.time_known else value.on).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _cell(name: str, value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else _as_text(_spelt(value))
    if "\r" in text:  # a lone CR ends a line for some readers, and the csv module puts no quotation marks around it
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.startswith(_NEED_A_LOOK) or (name in NUMERIC and _is_number(text)):
        return text
    return defused(text)


def _as_text(value: object) -> str:
    """Words in a list as `a;b`, what is more than words as JSON."""
    if isinstance(value, list | tuple) and not any(isinstance(item, Mapping) for item in value):
        return ";".join(map(str, value))
    nested = isinstance(value, list | tuple | Mapping)
    return json.dumps(value, ensure_ascii=False, default=_spelt) if nested else str(value)


def _is_number(text: str) -> bool:
    try:
        return read_number(text) is not None
    except Refused:
        return False
