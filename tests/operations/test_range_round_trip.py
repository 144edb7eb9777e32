"""A table of ranges goes out as a file and comes back as what it was; what was edited is what differs."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.files import xls
from tracker import formats
from tracker.domain.readings import RangeReading
from tracker.formats.interchange import TABLES
from tracker.formats.workbook_writing import workbook
from tracker.library.analytes import ANALYTES
from tracker.operations.configure import range_row
from tracker.queries.range_table import DRAFT, Line, interchange

MEASURED = sorted(code for code, analyte in ANALYTES.items() if analyte.units)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIGURES = st.decimals(min_value=0, max_value=99999, places=4, allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(codec="latin-1", exclude_categories=("C", "Z")), max_size=12)
NAMES = st.lists(WORDS.filter(bool), max_size=3).map(" ".join)  # spaces are single, and none at the ends


@st.composite
def ranges(draw: st.DrawFn) -> RangeReading:
    """A range as anybody may draft it: sexes, ages, units of the analyte, open sides, bounds in or out."""
    code = draw(st.sampled_from(MEASURED))
    low, high = sorted([draw(FIGURES), draw(FIGURES)])
    low_side, high_side = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
    age_from = draw(st.none() | st.integers(0, 90))
    age_to = draw(st.none() | st.integers((age_from or 0) + 1, 120))
    return RangeReading(
        code, draw(st.sampled_from(ANALYTES[code].units)), draw(st.dates(date(1990, 1, 1), date(2030, 1, 1))),
        draw(NAMES), draw(st.sampled_from(["", "female", "male"])), age_from, age_to, low_side,
        draw(st.sampled_from([">=", ">"])), high_side, draw(st.sampled_from(["<=", "<"])), draw(NAMES),
    )  # fmt: skip


def cells(table: list[RangeReading]) -> list[dict[str, object]]:
    return list(interchange(Line(range_row(1, reading), DRAFT, "", "") for reading in table))


def as_csv(table: list[RangeReading]) -> bytes:
    return "".join(formats.csv_lines("ranges", iter(cells(table)))).encode()


def as_xlsx(table: list[RangeReading]) -> bytes:
    return workbook("ranges", iter(cells(table)), NOW)


def as_xls(table: list[RangeReading]) -> bytes:
    """What a spreadsheet program of old saves: numbers as such, the rest as text."""
    columns = TABLES["ranges"]

    def saved(value: object) -> str | float:
        exact = isinstance(value, int | Decimal) and Decimal(repr(float(value))) == value
        return float(str(value)) if exact else "" if value is None else str(value)

    return xls({"ranges": [columns, *([saved(row[name]) for name in columns] for row in cells(table))]})


WAYS = pytest.mark.parametrize("written", [as_csv, as_xlsx, as_xls])
Written = Callable[[list[RangeReading]], bytes]


def read(content: bytes) -> list[object]:
    source = formats.read("ranges", io.BytesIO(content), ZoneInfo("UTC"))
    assert source.kinds == ("ranges",)
    return [row.reading or row.problems for row in source.rows]


@WAYS
@settings(max_examples=25)
@given(table=st.lists(ranges(), min_size=1, max_size=4))
def test_what_goes_out_comes_back(written: Written, table: list[RangeReading]) -> None:
    assert read(written(table)) == table


@WAYS
@settings(max_examples=25)
@given(table=st.lists(ranges(), min_size=2, max_size=4), figure=FIGURES, data=st.data())
def test_what_was_edited_is_what_differs(
    written: Written, table: list[RangeReading], figure: Decimal, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(table) - 1))
    edited = [*table]
    edited[place] = table[place]._replace(low=figure, low_op=">", high=None, sex="male", age_from=18, age_to=None)
    back = read(written(edited))
    assert back[place] == edited[place]
    assert [one for number, one in enumerate(back) if number != place] == table[:place] + table[place + 1 :]


def test_each_row_of_a_workbook_says_its_sheet_its_column_and_what_to_mend() -> None:
    columns = TABLES["ranges"]
    good = ["HB", "", "male", 18.0, "", 13.5, ">=", 17.5, "<=", "g/dL", "2026-01-01", "letter"]
    bad = ["HB", "", "woman", 18.0, "", "low", ">=", 17.5, "≤", "g/dL", "soon", "letter"]
    book = xls({"Men": [columns, good], "Women": [columns, good, bad]})
    rows = list(formats.read("ranges.xls", io.BytesIO(book), ZoneInfo("UTC")).rows)
    assert sorted((row.place, row.number, row.reading is None) for row in rows) == [
        ("sheet Men", 2, False), ("sheet Women", 2, False), ("sheet Women", 3, True),
    ]  # fmt: skip
    assert {problem.column for row in rows for problem in row.problems} == {"sex", "low", "high_op", "effective_from"}
