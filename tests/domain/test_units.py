"""Units as laboratories spell them, exact conversion, and figures that cannot be true."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.domain.units import (
    check,
    dimension,
    from_canonical,
    limit_to_canonical,
    normal_unit,
    to_canonical,
    unit_of,
)
from tracker.domain.values import read_number
from tracker.library.analytes import ANALYTES

SPELLINGS = {
    "10*9/L": (
        "10*9/L 10^9/L 10^9/l 10E9/L 10e9/l x10e9/l x10^9/L ×10⁹/L x10*9/L 10**9/L 10\\S\\9/l 109/L G/l "
        "G/L GI/L Gpt/l giga.l-1 /nl 1/nl bil/L 10*9.l-1 1e+09/l"
    ),
    "10*3/uL": (
        "10*3/uL 10^3/µL 10^3/μL 10³/µl x10E3/uL K/uL k/uL K/mm3 THOU/uL THOUS/MCL thousand/mcL "
        "Thousands/uL x1000/mm³ 1000/ul 10*3/mm3 Tsd/µl Tsd./µl K/cumm 10(3)/mcL 10*3{cells}/uL "
        "10*3/?L"
    ),
    "/uL": ("/uL cells/uL {cells}/uL /mm3 cells/mm3 /mm³ /mm^3 cells/mcL Zellen/µl /cumm /cu.mm cells/cmm 1/uL #/uL"),
    "10*6/L": "10*6/L 10^6/L 10e6/l x10^6/l",
    "10*6/uL": "10*6/uL MILL/uL M/uL Mio./mm³ Mio/µl million/uL x10^6/mm3 10E6/uL",
    "10*12/L": "10*12/L 10^12/L TI/L T/l Tpt/l x10e12/l 10\\S\\12/l tera.l-1 tril/L /pl",
    "g/dL": "g/dL g/dl G/DL gm/dl gms/dL g% gm% g/100mL",
    "g/L": "g/L g/l g/l-1 gm/L g.l-1",
    "mg/dL": "mg/dL mg/dl MG/DL mg% mg/100ml mgs/dl",
    "mg/L": "mg/L mg/l MG/L",
    "mmol/L": "mmol/L mmol/l MMOL/L MMOLL mmol.l-1 millimoles/liter",
    "umol/L": "umol/L µmol/l μmol/L mcmol/l ?mol/L \ufffdmol/L Âµmol/l UMOLL",
    "mEq/L": "mEq/L meq/l",
    "U/L": "U/L u/l IU/L UI/l IE/L [IU]/L E/l units/L",
    "ukat/L": "ukat/L µkat/l mckat/L ?kat/l",
    "m[IU]/mL": "m[IU]/mL mIU/ml mIU/mL mUI/ml mU/mL",
    "[IU]/mL": "[IU]/mL IU/ml UI/ml U/mL",
    "%": "% percent Vol% vol.% %{Hb}",
    "{fraction}": "{fraction} 1 fraction",
    "L/L": "L/L l/l I/l",
    "fL": "fL fl FL f/l µm³ femtoliter",
    "mm/h": "mm/h mm/hr mm/1h mm/Std mm/hour",
    "mmol/mol": "mmol/mol mmol/mol{Hb}",
    "mL/min": "mL/min ml/min MLMIN",
    "mL/min/{1.73_m2}": ("mL/min/{1.73_m2} mL/min/1.73m2 ml/min/1.73m² mL/min/1.73_m2 mL/min/1,73m2 ml/min/1.73sqm"),
    "{INR}": "{INR} INR",
    "{ratio}": "{ratio} ratio {Ratio}",
}
WITH_BLANKS = {
    "x 10^9 / L": "10*9/L",
    " 10^3 / uL ": "10*3/uL",
    "10*3 cells/uL": "10*3/uL",
    "thousand per microliter": "10*3/uL",
    "cells per microliter": "/uL",
    "million per microliter": "10*6/uL",
    "grams per deciliter": "g/dL",
    "mL/min/1.73 m²": "mL/min/{1.73_m2}",
    "ml/min per 1.73 m2": "mL/min/{1.73_m2}",
    "g/100 ml": "g/dL",
    "mmol/mol Hb": "mmol/mol",
    "% of total Hgb": "%",
    "": "",
}


@pytest.mark.parametrize(
    ("printed", "unit"),
    [
        ("mg/dL (calc)", "mg/dL"), ("mmol/l (berechnet)", "mmol/L"), ("umol/(s.L)", "ukat/L"), ("µmol/s*l", "ukat/L"),
        ("mL/min/1.73.m2", "mL/min/{1.73_m2}"), ("%{HemoglobinA1C}", "%"), ("(calc)", "(calc)"),
        ("mg/dL (x)", "mg/dL (x)"),
    ],
)  # fmt: skip
def test_a_unit_with_how_the_value_was_had_and_products_in_any_order(printed: str, unit: str) -> None:
    assert normal_unit(printed) == unit


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [(spelling, unit) for unit, line in SPELLINGS.items() for spelling in line.split()] + list(WITH_BLANKS.items()),
)
def test_every_spelling_of_a_unit_is_one_unit(spelling: str, unit: str) -> None:
    assert normal_unit(spelling) == unit


@pytest.mark.parametrize(
    "unit", ["MOC", "Index", "pro GF", "/100 Lc", "x", "10*4/uL", "mm Hg", "/HPF", "kU/l", "U/g{Hb}"]
)
def test_an_unknown_unit_comes_back_trimmed_and_is_of_no_dimension(unit: str) -> None:
    assert normal_unit(f"  {unit} ") == unit
    assert dimension(unit) == ""


@pytest.mark.parametrize(("giga", "grams"), [("G/l", "g/l"), ("G/L", "g/L")])
def test_giga_and_gram_differ_by_case_only(giga: str, grams: str) -> None:
    assert (dimension(giga), dimension(grams)) == ("count", "mass")


def test_a_laboratory_that_prints_one_case_only_is_understood_by_the_analyte() -> None:
    assert unit_of(ANALYTES["HB"], "G/L") == "g/L"
    assert unit_of(ANALYTES["WBC"], "g/l") == "10*9/L"
    assert unit_of(ANALYTES["CK"], "G/L") is None


CONVERSIONS = """
CHOL  5.2    mmol/L   201.084
CHOL  2.0    g/L      200
TG    1.7    mmol/L   150.569
CREAT 90     umol/L   1.0179
TBIL  34.2   umol/L   2
ALT   0.68   ukat/L   40.80
HBA1C 48     mmol/mol 6.54304
HBA1C 53     mmol/mol 7.00044
HB    4.93   mmol/L   7.944
HB    140    g/L      14
ANC   1500   /uL      1.5
ANC   1500   10*6/L   1.5
ANC   1.5    10*3/uL  1.5
PLT   225000 /mm3     225
RBC   4.2    10*6/uL  4.2
HCT   0.42   L/L      42
CRP   0.8    mg/dL    8
INR   1.1    -        1.1
"""


@pytest.mark.parametrize("line", CONVERSIONS.strip().splitlines())
def test_a_conversion_is_the_published_one(line: str) -> None:
    code, figure, unit, expected = line.split()
    converted = to_canonical(ANALYTES[code], Decimal(figure), "" if unit == "-" else unit)
    assert converted is not None
    places = Decimal(expected).as_tuple().exponent
    assert isinstance(places, int)
    assert round(converted, -places) == Decimal(expected)


def test_the_digits_a_laboratory_printed_are_kept() -> None:
    assert str(to_canonical(ANALYTES["TBIL"], Decimal("5.30"), "mg/dL")) == "5.30"


def test_a_unit_of_another_analyte_converts_to_nothing() -> None:
    assert to_canonical(ANALYTES["HB"], Decimal("14.2"), "g/mL") is None
    assert to_canonical(ANALYTES["PLT"], Decimal(200), "mmol/L") is None
    assert to_canonical(ANALYTES["CREAT"], Decimal("8.8"), "mmol/L") is None


PAIRS = [(code, unit) for code, analyte in ANALYTES.items() for unit in analyte.conversions]


@given(pair=st.sampled_from(PAIRS), figure=st.decimals(min_value=0, max_value=100_000, places=4))
@settings(max_examples=500)
def test_there_and_back_is_the_same_figure(pair: tuple[str, str], figure: Decimal) -> None:
    code, unit = pair
    canonical = to_canonical(ANALYTES[code], figure, unit)
    assert canonical is not None
    back = from_canonical(ANALYTES[code], canonical, unit)
    assert back is not None
    assert abs(back - figure) < Decimal("1e-18")


@pytest.mark.parametrize(("code", "unit"), PAIRS)
def test_the_units_of_an_analyte_are_normal_spellings(code: str, unit: str) -> None:
    assert normal_unit(unit) == unit


@pytest.mark.parametrize(
    ("code", "limit", "unit", "canonical"),
    [
        ("ALC", "500", "/uL", "0.5"),
        ("PLT", "100000", "/uL", "100"),
        ("HB", "8.0", "g/dL", "8.0"),
        ("HB", "80", "g/L", "8"),
        ("HB", "4.9", "mmol/L", None),
        ("CHOL", "7.75", "mmol/L", None),
        ("HBA1C", "48", "mmol/mol", None),
        ("TBIL", "34.2", "umol/L", None),
    ],
)
def test_a_published_limit_moves_its_point_and_nothing_else(
    code: str, limit: str, unit: str, canonical: str | None
) -> None:
    expected = None if canonical is None else Decimal(canonical)
    assert limit_to_canonical(ANALYTES[code], Decimal(limit), unit) == expected


def judged(code: str, text: str, unit: str, previous: str | None = None) -> tuple[str | None, tuple[str, ...]]:
    number = read_number(text)
    assert number is not None
    return check(ANALYTES[code], number, unit, None if previous is None else Decimal(previous))


# The neutrophils of 3000 10*3/uL stand in the official mCODE example of HL7: a thousand times too high.
IMPOSSIBLE = """
ANC      1500   10*9/L  | is above the possible maximum 100 10*9/L: it looks like cells/uL.
ANC      >1500  10*9/L  | is above the possible maximum 100 10*9/L: it looks like cells/uL.
ANC      3000   10*3/uL | is above the possible maximum 100 10*9/L: it looks like cells/uL.
PLT      250000 G/l     | is above the possible maximum 3000 10*9/L: it looks like cells/uL.
HB       140    g/dL    | is above the possible maximum 25 g/dL: it looks like g/L.
HB       14.2   g/L     | (1.42 g/dL) is below the possible minimum 2 g/dL: it looks like g/dL.
CHOL     5.2    mg/dL   | is below the possible minimum 30 mg/dL: it looks like mmol/L or g/L.
CREAT    90     mg/dL   | is above the possible maximum 30 mg/dL: it looks like umol/L or mg/L.
HBA1C    48     %       | is above the possible maximum 25 %: it looks like mmol/mol.
NEUT_PCT 101    %       | is above the possible maximum 100 %.
ALT      -5     U/L     | is negative, which it cannot be.
"""


@pytest.mark.parametrize("line", IMPOSSIBLE.strip().splitlines())
def test_a_figure_that_cannot_be_true_is_refused_and_says_what_it_looks_like(line: str) -> None:
    figure, _, says = line.partition(" | ")
    code, text, unit = figure.split()
    assert judged(code, text, unit) == (f"{code} {text} {unit} {says}", ())


@pytest.mark.parametrize("text", ["1e999", "9" * 300])
def test_a_figure_of_a_thousand_digits_is_refused_in_a_sentence_one_can_read(text: str) -> None:
    refusal, _ = judged("ANC", text, "/uL")
    assert refusal is not None
    assert "above the possible maximum 100 10*9/L" in refusal
    assert len(refusal) < 250


COUNTS = "one of 10*9/L, 10*3/uL, /uL, 10*6/L."


@pytest.mark.parametrize(
    ("code", "text", "unit", "sentence"),
    [
        ("ANC", "1.5", "", f"ANC: a unit is needed: {COUNTS}"),
        ("ANC", "1.5", " ", f"ANC: a unit is needed: {COUNTS}"),
        ("ALC", "31", "%", f"ALC: “%” is not a unit it is recorded in: {COUNTS}"),
        ("HCG", "5", "", "HCG: a unit is needed: one of m[IU]/mL, U/L."),
        ("UPROT", "5", "mg/dL", "UPROT is reported in words (negative, trace, positive), not as a number."),
    ],
)
def test_a_unit_is_never_guessed(code: str, text: str, unit: str, sentence: str) -> None:
    assert judged(code, text, unit) == (sentence, ())


@pytest.mark.parametrize(
    ("code", "text", "unit"),
    [
        ("ANC", "0", "10*9/L"),
        ("ANC", "100", "10*9/L"),
        ("HB", "2", "g/dL"),
        ("HB", "25", "g/dL"),
        ("TG", "<8", "mg/dL"),
    ],
)
def test_the_bounds_of_the_possible_are_possible_and_asked_about(code: str, text: str, unit: str) -> None:
    refusal, questions = judged(code, text, unit)
    assert refusal is None
    assert len(questions) == 1


@pytest.mark.parametrize(
    ("code", "text", "unit"),
    [
        ("ANC", "0.2", "10*9/L"),
        ("ANC", "30", "10*9/L"),
        ("ANC", "1500", "/uL"),
        ("INR", "1.1", ""),
        ("INR", "1.1", "ratio"),
        ("CK", "170", "U/L"),
        ("HCG", "5", "mIU/mL"),
        ("LDL", "<150", "mg/dL"),
    ],
)
def test_an_everyday_figure_is_taken_without_a_word(code: str, text: str, unit: str) -> None:
    assert judged(code, text, unit) == (None, ())


@pytest.mark.parametrize(
    ("code", "text", "unit", "whole"),
    [("WBC", "6.100", "/uL", "6100"), ("PLT", "250.000", "/uL", "250000"), ("CK", "1.234", "U/L", "1234"),
     ("ALT", "1.234", "U/L", "1234"), ("ANC", "1.500", "/uL", "1500")],
)  # fmt: skip
def test_a_point_that_may_part_thousands_is_refused_where_the_decimal_would_be_odd(
    code: str, text: str, unit: str, whole: str
) -> None:
    refusal, _ = judged(code, text, unit)
    assert refusal is not None
    assert f"may be {whole} with a point between the thousands" in refusal


@pytest.mark.parametrize(
    ("code", "text", "unit"), [("PLT", "250.000", "10*9/L"), ("ANC", "1.250", "10*9/L"), ("ALT", "31.250", "U/L")]
)
def test_three_decimals_of_an_everyday_figure_are_decimals(code: str, text: str, unit: str) -> None:
    assert judged(code, text, unit) == (None, ())


# A severe neutropenia is asked about and not talked into another unit.
UNUSUAL = """
ANC  1.5   /uL    | (0.0015 10*9/L) is unusually low (below 0.2 10*9/L): is it 10*9/L?
PLT  250   /uL    | (0.250 10*9/L) is unusually low (below 20 10*9/L): is it 10*9/L?
ANC  0.19  10*9/L | is unusually low (below 0.2 10*9/L): is it right?
ALT  >1000 IU/L   | is unusually high (above 1000 U/L): is it right?
TBIL 34.2  mg/dL  | is unusually high (above 20 mg/dL): is it umol/L or mg/L?
"""


@pytest.mark.parametrize("line", UNUSUAL.strip().splitlines())
def test_an_unusual_figure_is_asked_about(line: str) -> None:
    figure, _, says = line.partition(" | ")
    code, text, unit = figure.split()
    assert judged(code, text, unit) == (None, (f"{code} {text} {unit} {says}",))


@pytest.mark.parametrize(
    ("code", "text", "unit", "previous", "words"),
    [
        ("PLT", "25", "10*9/L", "250", "about 1/10 of the previous value 250 10*9/L"),
        ("CREAT", "8.5", "mg/dL", "0.85", "about 10 times the previous value 0.85 mg/dL"),
        ("ANC", "2.5", "10*9/L", "0.0025", "about 1000 times the previous value 0.0025 10*9/L"),
        ("ALT", "850", "U/L", "100", "about 10 times"),  # 8.5 times: the edge of the tolerance
        ("ALT", "690", "U/L", "60", "about 10 times"),  # 11.5 times
        ("ALT", "846", "U/L", "100", None),
        ("ALT", "695", "U/L", "60", None),
        ("ALT", "120", "U/L", "40", None),
        ("ALT", ">400", "U/L", "40", None),
        ("ALT", "40", "U/L", "0", None),
    ],
)
def test_a_leap_by_ten_or_a_thousand_is_asked_about(
    code: str, text: str, unit: str, previous: str, words: str | None
) -> None:
    refusal, questions = judged(code, text, unit, previous)
    assert refusal is None
    assert [words in question for question in questions] == [True] if words else questions == ()
