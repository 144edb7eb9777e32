"""What a sample page works out: the composite rules' own examples, and the reason where there is no figure."""

from decimal import Decimal

import pytest

from tracker.domain.sample import Body, Figure, figures
from tracker.domain.values import shown
from tracker.library.lipid_factors import martin_hopkins_factors

D = Decimal
WOMAN = Body("female", 82, D(48))
NOBODY = Body("unknown", None, None)


def said(found: tuple[Figure, ...]) -> dict[tuple[str, str], str]:
    """The value as a reader sees it, or the reason, by name and method."""
    return {
        (each.name, each.how): shown(each.found.value) if each.found.value is not None else each.found.reason
        for each in found
    }


def of(
    values: dict[str, str], body: Body = NOBODY, times_uln: dict[str, str] | None = None
) -> dict[tuple[str, str], str]:
    multiples = {code: D(text) for code, text in (times_uln or {}).items()}
    return said(figures({code: D(text) for code, text in values.items()}, multiples, body, martin_hopkins_factors()))


def test_the_three_ldl_formulas_stand_side_by_side() -> None:
    found = of({"CHOL": "160", "HDL": "40", "TG": "380"})
    assert found["LDL cholesterol", "Friedewald"] == "44"
    assert found["LDL cholesterol", "Sampson"] == "61.41"
    assert found["LDL cholesterol", "Martin and Hopkins"] == "74.22"
    assert found["Non-HDL cholesterol", "total less HDL"] == "120"


def test_where_a_formula_does_not_hold_the_reason_stands_in_its_place() -> None:
    found = of({"CHOL": "260", "HDL": "35", "TG": "600"})
    assert found["LDL cholesterol", "Friedewald"].endswith("Friedewald's LDL is not valid")
    assert found["LDL cholesterol", "Sampson"] == "118.0"
    assert found["LDL cholesterol", "Martin and Hopkins"].endswith("ask for a direct LDL")


@pytest.mark.parametrize(("tg", "note"), [("380", "poor below 70 mg/dL"), ("150", "")])
def test_a_low_friedewald_is_said_to_be_poor(tg: str, note: str) -> None:
    found = figures({"CHOL": D(160), "HDL": D(40), "TG": D(tg)}, {}, NOBODY, martin_hopkins_factors())
    assert next(each.note for each in found if each.how == "Friedewald") == note


def test_the_clearance_that_the_label_goes_by_stands_beside_the_egfr() -> None:
    found = of({"CREAT": "0.9"}, WOMAN)
    assert found["Creatinine clearance", "Cockcroft-Gault"] == "36.52"
    assert found["eGFR", "CKD-EPI 2021"] == "63.83"


def test_without_sex_age_or_weight_there_is_no_kidney_figure_and_it_is_said() -> None:
    found = of({"CREAT": "0.9"})
    assert found["eGFR", "CKD-EPI 2021"] == "sex is not known"
    assert found["Creatinine clearance", "Cockcroft-Gault"] == "weight is not known"


def test_counts_come_from_percentages_only_where_they_were_not_measured() -> None:
    found = of({"WBC": "2.4", "NEUT_PCT": "42", "LYMPH_PCT": "30", "ALC": "0.7"})
    assert found["Neutrophils", "leukocytes × per cent"] == "1.008"
    assert ("Lymphocytes", "leukocytes × per cent") not in found


def test_the_ratio_of_neutrophils_to_lymphocytes() -> None:
    assert of({"ANC": "3.6", "ALC": "1.2"})["Neutrophils to lymphocytes", "ratio"] == "3"
    assert of({"ANC": "3.6", "ALC": "0"})["Neutrophils to lymphocytes", "ratio"] == "no lymphocytes to divide by"


def test_red_cell_indices() -> None:
    found = of({"HB": "13.5", "HCT": "40", "RBC": "4.5"})
    assert (found["MCV", "haematocrit ÷ red cells"], found["MCHC", "haemoglobin ÷ haematocrit"]) == ("88.89", "33.75")


def test_r_and_the_quadrant_go_by_the_limits_of_each_result() -> None:
    found = figures({}, {"ALT": D(10), "ALP": D(1), "TBIL": D("2.5")}, NOBODY, ())
    assert [(each.name, each.note) for each in found] == [
        ("R", "hepatocellular"),
        ("ALT", "ALT and bilirubin both raised (possible Hy’s law)"),
    ]


def test_nothing_measured_gives_nothing() -> None:
    assert of({}) == {}
