"""Worked-out values against the published examples (composite rules H2, H4, B6, L2, L3, D1 to D7)."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import needs_shared
from tracker.domain.derived import (
    CHOLESTASIS,
    CHOLESTATIC,
    HEPATOCELLULAR,
    HYS_LAW,
    MIXED,
    NO_CONCERN,
    ONE_SIDED,
    TEMPLE,
    FactorRow,
    Variation,
    alc_from_percent,
    anc_from_percent,
    cockcroft_gault,
    egfr_ckd_epi_2021,
    friedewald,
    martin_hopkins,
    mchc,
    mcv,
    nlr,
    non_hdl,
    quadrant,
    r_class,
    r_value,
    rcv,
    rcv_log_normal,
    sampson,
)

D = Decimal
UMOL_PER_MG_DL = D("88.42")


def rounded(figure: Decimal | None, places: int) -> Decimal | None:
    return None if figure is None else round(figure, places)


# ---------------------------------------------------------------------------------------------- blood count


def test_counts_from_percentages() -> None:
    assert anc_from_percent(D("2.4"), D(38), D(4)).value == D("1.008")
    assert alc_from_percent(D("2.4"), D(30)).value == D("0.72")


@pytest.mark.parametrize("percent", ["-1", "100.1"])
def test_what_is_not_a_share_makes_no_count(percent: str) -> None:
    assert alc_from_percent(D(5), D(percent)).value is None


def test_red_cell_indices() -> None:
    assert rounded(mcv(D(40), D("4.5")).value, 1) == D("88.9")
    assert mchc(D("13.5"), D(40)).value == D("33.75")
    assert mchc(D("31.5"), D(40)).value == D("78.75")
    assert mcv(D(40), D(0)).value is None
    assert mchc(D(13), D(0)).value is None


def test_neutrophil_to_lymphocyte_ratio() -> None:
    assert nlr(D("3.6"), D("1.2")).value == 3
    assert nlr(D("3.6"), D(0)) == (None, "no lymphocytes to divide by")


# --------------------------------------------------------------------------------------------------- lipids


@pytest.fixture(scope="module")
def factors(shared: Path) -> list[FactorRow]:
    with (shared / "clinical" / "martin_hopkins.csv").open(newline="") as file:
        rows = [[D(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    return [FactorRow(row[0], row[1], tuple(row[2:])) for row in rows]


LDL = [
    # total, HDL, TG, Friedewald, Sampson, Martin-Hopkins
    (200, 50, 150, "120.0", "123.40", "123.68"),
    (180, 45, 100, "115.0", "116.72", "114.17"),
    (250, 40, 300, "150.0", "154.18", "163.85"),
    (160, 40, 380, "44.0", "61.41", "74.22"),
    (260, 35, 600, None, "117.96", None),
]


@pytest.mark.parametrize(("total", "hdl", "tg", "by_friedewald", "by_sampson", "by_martin_hopkins"), LDL)
@needs_shared
def test_ldl_by_three_formulas(
    factors: list[FactorRow],
    total: int,
    hdl: int,
    tg: int,
    by_friedewald: str | None,
    by_sampson: str,
    by_martin_hopkins: str | None,
) -> None:
    panel = D(total), D(hdl), D(tg)
    assert rounded(friedewald(*panel).value, 1) == (D(by_friedewald) if by_friedewald else None)
    assert rounded(sampson(*panel).value, 2) == D(by_sampson)
    expected = D(by_martin_hopkins) if by_martin_hopkins else None
    assert rounded(martin_hopkins(*panel, factors).value, 2) == expected


def test_the_bound_of_friedewald_is_inside() -> None:
    assert friedewald(D(260), D(35), D(400)).value == 145
    assert "not valid" in friedewald(D(260), D(35), D("400.01")).reason


def test_sampson_holds_to_800() -> None:
    assert sampson(D(300), D(40), D(800)).value is not None
    assert sampson(D(300), D(40), D(801)).value is None


@needs_shared
def test_triglycerides_between_two_rows_of_the_table_have_a_factor(factors: list[FactorRow]) -> None:
    assert martin_hopkins(D(180), D(50), D("49.5"), factors).value is not None


@needs_shared
def test_below_the_table_there_is_none(factors: list[FactorRow]) -> None:
    assert martin_hopkins(D(180), D(50), D(5), factors).reason == "triglycerides outside the table"


def test_a_negative_ldl_is_no_value() -> None:
    assert "negative" in friedewald(D(120), D(70), D(300)).reason


def test_non_hdl() -> None:
    assert non_hdl(D(200), D(50)).value == 150
    assert non_hdl(D(60), D(70)).value is None


# --------------------------------------------------------------------------------------------------- kidney

EGFR = [
    ("1.09", "mg/dL", "male", 55, "80", 0), ("1.2", "mg/dL", "male", 55, "71", 0),
    ("85", "umol/L", "female", 65, "66", 0), ("96.3", "umol/L", "male", 55, "80.2293", 4),
    ("70", "umol/L", "female", 52, "89.7175", 4), ("77", "umol/L", "male", 67, "94.5453", 4),
    ("65", "umol/L", "female", 76, "84.4646", 4), ("0.9", "mg/dL", "female", 82, "63.8", 1),
]  # fmt: skip


@pytest.mark.parametrize(("creatinine", "unit", "sex", "age", "expected", "places"), EGFR)
def test_egfr_against_published_values(
    creatinine: str, unit: str, sex: str, age: int, expected: str, places: int
) -> None:
    in_mg = D(creatinine) / UMOL_PER_MG_DL if unit == "umol/L" else D(creatinine)
    assert rounded(egfr_ckd_epi_2021(in_mg, sex, age).value, places) == D(expected)


def test_egfr_needs_a_sex_an_age_and_an_adult() -> None:
    assert egfr_ckd_epi_2021(D(1), "unknown", 40).reason == "sex is not known"
    assert egfr_ckd_epi_2021(D(1), "female", None).reason == "age is not known"
    assert egfr_ckd_epi_2021(D(1), "female", 17).reason == "for adults only"
    assert egfr_ckd_epi_2021(D(1), "female", 18).value is not None
    assert egfr_ckd_epi_2021(D(0), "female", 40).value is None


def test_cockcroft_gault_against_published_values() -> None:
    assert rounded(cockcroft_gault(D("1.09"), "male", 55, D(90)).value, 0) == 97
    assert rounded(cockcroft_gault(D(85) / UMOL_PER_MG_DL, "female", 65, D(60)).value, 0) == 55
    assert rounded(cockcroft_gault(D("0.9"), "female", 82, D(48)).value, 1) == D("36.5")


def test_a_clearance_of_fifty_is_exactly_fifty() -> None:
    assert cockcroft_gault(D("1.0"), "male", 68, D(50)).value == 50
    assert cockcroft_gault(D("1.5"), "male", 50, D(60)).value == 50


# ---------------------------------------------------------------------------------------------------- liver

QUADRANTS = [
    # ALT/ULN, ALP/ULN, TBIL/ULN, R, pattern, quadrant (cholestatic right-upper is ruled out by ALP, not here)
    ("400/40", "120/120", "2.5/1.0", "10.0", HEPATOCELLULAR, HYS_LAW),
    ("120/40", "100/120", "2.0/1.0", "3.6", MIXED, TEMPLE),
    ("120/40", "360/120", "3.0/1.0", "1.0", CHOLESTATIC, HYS_LAW),
    ("160/40", "240/120", "0.8/1.0", "2.0", CHOLESTATIC, TEMPLE),
    ("119/40", "100/120", "2.5/1.0", "3.57", MIXED, CHOLESTASIS),
    ("30/40", "100/120", "2.0/1.0", "0.9", CHOLESTATIC, NO_CONCERN),
]


def times(text: str) -> Decimal:
    value, limit = map(D, text.split("/"))
    return value / limit


@pytest.mark.parametrize(("alt", "alp", "tbil", "r", "pattern", "where"), QUADRANTS)
def test_r_and_quadrant(alt: str, alp: str, tbil: str, r: str, pattern: str, where: str) -> None:
    ratio = r_value(times(alt), times(alp)).value
    assert ratio is not None
    assert rounded(ratio, len(r.partition(".")[2])) == D(r)
    assert r_class(ratio) == pattern
    assert quadrant(times(alt), times(tbil)) == where


@pytest.mark.parametrize(
    ("r", "pattern"), [("5", HEPATOCELLULAR), ("4.99", MIXED), ("2.01", MIXED), ("2", CHOLESTATIC)]
)
def test_the_bounds_of_r(r: str, pattern: str) -> None:
    assert r_class(D(r)) == pattern


# --------------------------------------------------------------------------------------------------- spread


@pytest.mark.parametrize(
    ("analytical", "within_person", "percent"),
    [
        ("1.0", "2.7", "7.98"),
        ("3.0", "14.1", "39.96"),
        ("3.0", "10.1", "29.20"),
        ("3.0", "8.3", "24.46"),
        ("2.5", "4.5", "14.27"),
    ],
)
def test_reference_change_values(analytical: str, within_person: str, percent: str) -> None:
    spread = Variation(D(analytical), D(within_person))
    assert rounded(rcv(spread), 2) == D(percent)
    assert rcv(spread, ONE_SIDED) < rcv(spread)


def test_a_skewed_analyte_rises_further_than_it_falls() -> None:
    both = rcv_log_normal(Variation(D("3.0"), D("14.1")))
    assert (rounded(both.rise, 1), rounded(both.fall, 1)) == (D("48.8"), D("32.8"))
