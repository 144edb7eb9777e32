"""Files out again: what is exported reads as the same, and no spreadsheet takes a cell for a formula."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.files import RESULTS, ZONE, rows
from tracker.domain.errors import Refused
from tracker.domain.readings import (
    STATUSES,
    CourseEventReading,
    CourseReading,
    EventReading,
    LabReading,
    MedicationReading,
    Moment,
    ObservationReading,
    PatientReading,
    RangeReading,
    Reading,
    read_moment,
)
from tracker.domain.values import read_number
from tracker.formats import csv_lines, json_lines, write_csv, write_json
from tracker.formats.cells import defused, text
from tracker.formats.interchange import COURSE_EVENT_KINDS, EVENT_KINDS, INTERACTIONS, OBSERVATION_KINDS, TABLES


def exported(table: str, lines: Iterable[dict[str, object]]) -> str:
    return "".join(csv_lines(table, lines))


def cells(reading: Reading) -> dict[str, object]:
    """A reading in the columns of its table, as a query would give them."""
    row: dict[str, object] = reading._asdict()
    if isinstance(reading, LabReading):
        row["collected_at"] = row.pop("collected")
    if isinstance(reading, EventReading):
        row["onset_on"] = reading.onset_on or reading.onset_text
    if isinstance(reading, MedicationReading):
        row["interaction"] = row.pop("interactions")
    return row


# ------------------------------------------------------------------------------------------ the round trip


def _is_tidy(cell: str) -> bool:
    try:
        return text(defused(cell)) == cell and len(cell) <= 60
    except Refused:
        return False


def _is_a_value(cell: str) -> bool:
    try:
        read_number(cell)
    except Refused:
        return False
    return True


words = (st.text(max_size=12) | st.text("=+-@'\"\t ,;:µ<5x", max_size=6)).filter(_is_tidy)
some = words.filter(bool)
figures = st.decimals(-1000, 1000, allow_nan=False, places=3) | st.sampled_from([Decimal("5.30"), Decimal("0.0001")])
amounts = figures.map(abs)
days = st.dates(date(1900, 1, 1), date(2100, 1, 1))
answers = st.none() | st.booleans()
times = st.none() | st.integers(1, 24)


def _moment(at: datetime | date) -> Moment:
    return read_moment(at.isoformat(), ZONE)


moments = (days | st.builds(lambda day, time: datetime.combine(day, time, UTC), days, st.times())).map(_moment)
values = st.one_of(
    st.builds(lambda sign, figure: f"{sign}{figure}", st.sampled_from(["", "<", ">", "<=", ">="]), amounts),
    figures.map(str),
    some.filter(_is_a_value),
    st.just("+"),
)
one_bound = st.tuples(figures, st.none()) | st.tuples(st.none(), figures)
two_bounds = st.tuples(figures, figures).map(lambda pair: (min(pair), max(pair)))
ages = st.tuples(st.none() | st.integers(0, 17), st.none() | st.integers(18, 150))
onsets = st.tuples(days, st.just("")) | st.tuples(st.none(), st.sampled_from(["", "2026", "2026-02"]))


def _readings(kind: Callable[..., Reading], *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Reading]:
    """Readings of a kind; a strategy of pairs fills two fields."""
    pairs = (one_bound, two_bounds, ages, onsets)
    groups = [group if group in pairs else st.tuples(group) for group in fields]
    return st.tuples(*groups).map(lambda cells: kind(*chain.from_iterable(cells)))


def _results(bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Reading]:
    readings = _readings(
        LabReading, some, moments, some, values, words, bounds, words, words, words,
        st.sampled_from(STATUSES), st.none() | moments.map(lambda moment: moment.at),
    )  # fmt: skip
    return st.builds(lambda reading, fasting: reading._replace(fasting=fasting), readings, answers)


def _ranges(bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Reading]:
    return _readings(
        lambda *cells: RangeReading._make((*cells[:8], cells[9], cells[8], *cells[10:])),
        some, some, days, words, st.sampled_from(["", "female", "male"]), ages, bounds,
        st.sampled_from([">=", ">"]), st.sampled_from(["<=", "<"]), words,
    )  # fmt: skip


READINGS: dict[str, st.SearchStrategy[Any]] = {
    "patients": _readings(
        PatientReading, some, words, words, st.none() | days, st.sampled_from(["female", "male", "unknown"]),
        st.none() | amounts.filter(bool), words,
    ),
    "courses": _readings(
        CourseReading, some, some, days, st.just(""), words, st.none() | days, words, st.none() | amounts, times
    ),
    "course_events": _readings(
        CourseEventReading, some, days, st.sampled_from(COURSE_EVENT_KINDS), st.none() | amounts, times, words
    ),
    "results": _results(one_bound) | _results(two_bounds),
    "adverse_events": _readings(
        EventReading, some, st.sampled_from(EVENT_KINDS), some, onsets, st.none() | days, st.none() | days, words,
        words, st.none() | st.integers(1, 5), answers, words, answers, answers, answers, words,
    ),
    "medications": _readings(
        MedicationReading, some, some, st.lists(st.sampled_from(INTERACTIONS), unique=True, max_size=4).map(tuple),
        st.none() | days, st.none() | days,
    ),
    "observations": _readings(ObservationReading, some, days, st.sampled_from(OBSERVATION_KINDS), some),
    "ranges": _ranges(one_bound) | _ranges(two_bounds),
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_what_is_exported_reads_as_the_same(table: str) -> None:
    @given(st.lists(READINGS[table], min_size=1, max_size=3))
    def reads_as_the_same(readings: list[Reading]) -> None:
        content = exported(table, map(cells, readings))
        assert [row.reading for row in rows(content)] == readings
        assert exported(table, map(cells, readings)) == content

    reads_as_the_same()


def test_the_example_comes_out_in_the_published_columns() -> None:
    lines = [cells(row.reading) for row in rows(RESULTS) if row.reading]
    assert exported("results", lines).splitlines()[:3] == [
        "mrn,collected_at,analyte,value,unit,ref_low,ref_high,lab_flag,laboratory,accession,status,recorded_at,sub_id,"
        "fasting",
        "00231,2026-03-01T07:40:00+00:00,ANC,1.9,10*9/L,2.0,8.25,,,,final,,,",
        "00231,2026-03-08,ANC,<0.5,10*9/L,2.0,8.25,,,,final,,,",
    ]


# ------------------------------------------------------------------------------------------------ formulas


@pytest.mark.parametrize(
    ("column", "cell", "written"),
    [
        ("family_name", "=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("family_name", "+41791234567", "'+41791234567"),
        ("family_name", "-5", "'-5"),
        ("family_name", "@SUM(A1)", "'@SUM(A1)"),
        ("family_name", "\t=1", "'\t=1"),
        ("family_name", "\r=1", "\n=1"),
        ("family_name", "'=1", "''=1"),
        ("family_name", "O'Brien", "O'Brien"),
        ("family_name", "'t Hooft", "'t Hooft"),
        ("family_name", "5-3", "5-3"),
        ("weight_kg", Decimal("-5.30"), "-5.30"),
        ("weight_kg", "+5", "+5"),
        ("weight_kg", "-5+1", "'-5+1"),
        ("weight_kg", "=5", "=5"),
    ],
)
def test_text_that_begins_like_a_formula_is_defused_and_numbers_are_not(
    column: str, cell: object, written: str
) -> None:
    (line,) = csv.DictReader(io.StringIO(exported("patients", [{column: cell}]), newline=""))
    assert line[column] == written


# ------------------------------------------------------------------------------------- kinds of value, JSON


ROW: dict[str, object] = {
    "mrn": "00231",
    "grade": 4,
    "verified": True,
    "cleared_on": None,
    "opened_on": date(2026, 3, 1),
    "evidence": [{"analyte": "ANC", "value": "0.46", "collected_at": date(2026, 3, 1)}],
}


def test_each_kind_of_value_has_its_spelling() -> None:
    (line,) = csv.DictReader(io.StringIO(exported("flags", [ROW])))
    assert list(line)[:3] == ["mrn", "rule", "subject"]
    assert (line["grade"], line["verified"], line["cleared_on"], line["opened_on"]) == ("4", "yes", "", "2026-03-01")
    assert json.loads(line["evidence"]) == [{"analyte": "ANC", "value": "0.46", "collected_at": "2026-03-01"}]


def test_a_table_without_published_columns_has_those_of_its_first_row() -> None:
    assert exported("audit", [{"at": "x", "who": "a"}, {"at": "y", "more": 1}]) == "at,who\nx,a\ny,\n"
    assert exported("audit", []) == ""
    assert exported("medications", []) == "mrn,name,interaction,started_on,stopped_on\n"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_array_with_a_row_a_line(count: int) -> None:
    stream = io.StringIO()
    write_json([ROW | {"value": Decimal("5.30"), "at": _moment(date(2026, 3, 1))}] * count, stream)
    expected = ROW | {"opened_on": "2026-03-01", "value": "5.30", "at": "2026-03-01"}
    expected["evidence"] = [{"analyte": "ANC", "value": "0.46", "collected_at": "2026-03-01"}]
    assert json.loads(stream.getvalue()) == [expected] * count
    assert [json.loads(line) for line in json_lines([{"mrn": "Müller"}])] == [{"mrn": "Müller"}]


def test_rows_are_written_as_they_come() -> None:
    def endless() -> Iterable[dict[str, object]]:
        while True:
            yield {"mrn": "1"}

    lines = csv_lines("patients", endless())
    assert [next(lines) for _ in range(3)] == [",".join(TABLES["patients"]) + "\n", "1,,,,,,\n", "1,,,,,,\n"]
    stream = io.StringIO()
    write_csv("patients", [{"mrn": "1"}], stream)
    assert stream.getvalue().count("\n") == 2
