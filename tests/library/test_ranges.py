"""The starter ranges say what the table of sources says, and nothing where the table says nothing."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tracker.domain.units import unit_of
from tracker.library.analytes import ANALYTES
from tracker.library.ranges import StarterRange, starter_ranges

WORDED = {"IGRA", "HBSAG", "ANTIHBC", "ANTIHBS", "HBVDNA", "ANTIHCV", "VZVIGG", "HCG", "UPROT"}
NO_SOURCE = {"CRCL"}


def of(code: str, sex: str) -> list[StarterRange]:
    return [line for line in starter_ranges() if line.analyte == code and line.sex in (sex, "any")]


def printed(line: StarterRange) -> str:
    """The range in the form of the table: `4.0-11.0`, `<200`, `>=40`."""
    if line.low is None:
        return f"{line.high_op}{line.high}"
    return f"{line.low_op}{line.low}" if line.high is None else f"{line.low}-{line.high}"


@pytest.mark.parametrize("sex", ["male", "female"])
def test_every_range_of_the_table_is_there_with_its_operator(shared: Path, sex: str) -> None:
    with (shared / "clinical" / "analytes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            expected = re.match(r"[<>]?=?[\d.]+(?:-[\d.]+)?", row[f"ref_{sex}"])
            lines = of(row["code"], sex)
            if row["code"] in WORDED | NO_SOURCE:
                assert lines == [], row["code"]
                continue
            assert expected is not None, row["code"]
            assert [printed(line) for line in lines] == [expected.group()], row["code"]


def test_where_women_and_men_differ_an_unknown_sex_has_no_range() -> None:
    assert {line.analyte for line in starter_ranges() if line.sex != "any"} == {
        "HB", "HCT", "RBC", "HDL", "GGT", "CREAT", "CK", "ESR",
    }  # fmt: skip
    assert len(of("HB", "unknown")) == 0


def test_no_range_covers_a_child() -> None:
    assert {(line.age_from, line.age_to) for line in starter_ranges()} == {(18, None)}


def test_a_range_is_in_a_unit_of_its_analyte_and_within_what_is_possible() -> None:
    for line in starter_ranges():
        analyte = ANALYTES[line.analyte]
        assert unit_of(analyte, line.unit) == analyte.unit
        for bound in (line.low, line.high):
            if bound is not None and analyte.hard_min is not None and analyte.hard_max is not None:
                assert analyte.hard_min <= bound <= analyte.hard_max, line.analyte


def test_a_bound_is_inclusive_unless_the_source_prints_less_than() -> None:
    strict = {line.analyte for line in starter_ranges() if line.high_op == "<"}
    assert strict == {"CHOL", "LDL", "NONHDL", "TG"}
    assert {line.low_op for line in starter_ranges()} == {">="}


def test_a_range_of_one_source_or_none_is_not_called_verified() -> None:
    for line in starter_ranges():
        agreeing = line.source.partition("differs")[0].partition("differ ")[0]
        two = " and " in agreeing or agreeing == "USMLE tables; ATP III"
        assert line.verified == two, line


def test_digits_are_kept_as_published() -> None:
    creatinine = of("CREAT", "male")[0]
    assert (str(creatinine.low), str(creatinine.high)) == ("0.70", "1.30")
    assert of("HB", "female")[0].low == Decimal(12)
