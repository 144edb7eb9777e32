"""The range that is printed with an HL7 v2 result: taken where it can be read for certain, else none, and said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.hl7v2 import only
from tracker.domain.readings import LabReading
from tracker.formats.bounds import range_of


@pytest.mark.parametrize(
    ("printed", "low", "high"),
    [
        ("3.5-5.0", "3.5", "5.0"), ("3.7 - 9.6", "3.7", "9.6"), ("<232", None, "232"), ("< 30", None, "30"),
        (">60", "60", None), ("(7.4-12.6)", "7.4", "12.6"), ("70_105", "70", "105"), (".4-1.5", ".4", "1.5"),
        ("0,5 - 1,2", "0.5", "1.2"), ("4-", "4", None), ("4 to 10", "4", "10"), ("", None, None), ("-", None, None),
    ],
)  # fmt: skip
def test_a_printed_range(printed: str, low: str | None, high: str | None) -> None:
    row = only(f"OBX|1|NM|X^Something||5||{printed}||||F")
    assert isinstance(row.reading, LabReading)
    assert [None if b is None else float(b) for b in (row.reading.ref_low, row.reading.ref_high)] == [
        None if b is None else float(b) for b in (low, high)
    ]
    assert row.problems == ()


@pytest.mark.parametrize(
    "printed",
    [
        "negativ",
        "neg.",
        ">1.1 positive",
        "<0.9 negative, >1.1 positive",
        "> 0.9 negativ",
        "bis",
        "bisher 5",
        "See Below",
        "1.15-0.90",
        "3.9-5.8) nüchtern",
        "0.0-0.0",
        "Follikel (1.6-12) / Luteal (1-9)",
    ],
)
def test_a_range_that_cannot_be_read_is_none_and_never_zero(printed: str) -> None:
    row = only(f"OBX|1|NM|X^Something||5||{printed}||||F")
    assert isinstance(row.reading, LabReading)
    assert (row.reading.ref_low, row.reading.ref_high) == (None, None)
    assert "no range is taken from it" in row.problems[0].message


@pytest.mark.parametrize(
    ("printed", "unit", "low", "high"),
    [
        ("3.5-5.1", "mmol/L", "3.5", "5.1"), (">=60", "", "60", None), ("-5 - 5", "mmol/L", "-5", "5"),
        ("-3-3", "mmol/L", "-3", "3"), ("-5 - -2", "", "-5", "-2"), ("(4-11)", "G/l", "4", "11"),
        ("(4-11) G/l", "G/l", "4", "11"), ("0.0 - 0.4 x10E3/uL", "10*3/uL", "0.0", "0.4"),
        ("0.0 - 0.4 x10E3/uL", "10*9/L", "0.0", "0.4"), ("0.1 - 0.4 10*3/uL", "/uL", "100", "400"),
        ("13-17 g/dL", "g/L", "130", "170"), ("4-11 x", "x", "4", "11"), ("<0.50 IU/mL", "[IU]/mL", None, "0.50"),
        ("1,500,000 - 2,000,000", "/uL", "1500000", "2000000"), ("4'000-10'000", "/uL", "4000", "10000"),
        ("1.234,5-2.000,0", "", "1234.5", "2000.0"), ("0,125-0,400", "", "0.125", "0.400"),
        ("bis 5", "mg/L", None, "5"), ("up to 5.0 mg/L", "mg/L", None, "5.0"), ("unter 35 U/l", "U/L", None, "35"),
        ("ab 60", "", "60", None), ("do 5,0", "mg/L", None, "5.0"), ("4,0 - 10,0", "G/l", "4.0", "10.0"),
        ("<0.9 negative", "S/CO", None, "0.9"), ("negativ: < 0,9", "", None, "0.9"),
        ("< 0.90 (neg.)", "", None, "0.90"), ("> OR = 50", "mg/dL", "50", None), ("< OR = 1.2", "", None, "1.2"),
        ("Inf. à 35", "U/L", None, "35"), ("Supérieur à 60", "", "60", None), ("hasta 35", "", None, "35"),
        ("fino a 40", "", None, "40"), ("até 41", "", None, "41"), ("tot 6,5", "", None, "6.5"),
        ("od 26 do 192", "", "26", "192"), ("de 0,50 a 0,90", "", "0.50", "0.90"),
        ("von 3,5 bis 5,0", "", "3.5", "5.0"),
    ],
)  # fmt: skip
def test_a_range_is_compared_in_the_unit_of_the_result(
    printed: str, unit: str, low: str | None, high: str | None
) -> None:
    found = range_of(printed, unit)
    assert [None if b is None else str(b) for b in (found.low, found.high)] == [low, high]
    assert found.said == ""


@pytest.mark.parametrize(
    ("printed", "unit", "why"),
    [
        ("150,000 - 450,000", "/uL", "read in two ways"), ("150,000-450", "/uL", "read in two ways"),
        ("<150,000", "/uL", "read in two ways"), ("13-17 g/dL", "mmol/L", "is in g/dL and the result in mmol/L"),
        ("(4-11) G/l", "g/l", "is in G/l and the result in g/l"), ("<10 ug/dl", "", "and the result is not"),
        ("M: 13-17 F: 12-16", "g/dL", "not a lower and an upper bound"), ("1-5 / 6-9", "", "not a lower"),
        ("3.5-5.1-6", "", "not a lower"), ("3+ - 4+", "", "not a lower"), ("<1:80", "", "not a lower"),
        ("5-3", "", "not a lower"), ("150 000 - 450 000", "/uL", "not a lower"), ("9" * 40 + "-1", "", "not a lower"),
        ("1..2-3", "", "not a lower"), ("\u0663-\u0665", "", "not a lower"),
        ("<9 mcg/dL:  Acceptable", "ug/dL", "not a lower"),
    ],
)  # fmt: skip
def test_what_could_be_another_range_is_none_and_said(printed: str, unit: str, why: str) -> None:
    found = range_of(printed, unit)
    assert (found.low, found.high) == (None, None)
    assert why in found.said
    assert found.said.endswith("no range is taken from it.")


@given(st.text(alphabet="0123456789.,-<>= ()'gdL/xM:", max_size=20))
def test_a_bound_is_a_figure_that_was_printed(printed: str) -> None:
    found = range_of(printed, "")
    digits = "".join(c for c in printed if c.isdigit())
    for bound in (found.low, found.high):
        assert bound is None or str(abs(bound)).replace(".", "").lstrip("0") in digits
