"""What is added to a patient's results: counts, lipids, kidney function, each from one draw and marked as computed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tracker.domain.computed import Labs, weight_for, with_computed
from tracker.domain.history import Lab, Observation, Person
from tracker.domain.ranges import CLINIC, Range

D = Decimal

WOMAN = Person(1, "1", "female", date(1943, 6, 1))
MORNING = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def lab(code: str, value: str, comparator: str = "", at: datetime = MORNING) -> Lab:
    return Lab(
        7, code, at, at.date(), comparator, D(value), "", D(value), "", None, "", "Central", "A1", "final", ""
    )  # fmt: skip


def computed(*labs: Lab, weights: tuple[Observation, ...] = ()) -> dict[str, Lab]:
    """What `with_computed` adds to these results, by analyte."""
    series: dict[str, tuple[Lab, ...]] = {}
    for one in labs:
        series[one.analyte] = (*series.get(one.analyte, ()), one)
    after: Labs = with_computed(series, WOMAN, weights, lambda _code, _day: (None, "none configured"))
    return {code: one for code, found in after.items() for one in found if one.computed}


def weight(kg: str, on: date) -> Observation:
    return Observation(1, on, "weight_kg", kg, D(kg))


def test_a_draw_without_counts_gets_them() -> None:
    added = computed(lab("WBC", "2.4"), lab("NEUT_PCT", "42"), lab("LYMPH_PCT", "30"))
    assert {code: one.value for code, one in added.items()} == {"ANC": D("1.008"), "ALC": D("0.72")}
    anc = added["ANC"]
    assert (anc.id, anc.unit, anc.computed, anc.accession) == (None, "10*9/L", "computed from WBC and percent", "A1")
    assert anc.no_range == "none configured"


def test_a_measured_count_is_not_computed_again() -> None:
    assert "ALC" not in computed(lab("WBC", "2.4"), lab("LYMPH_PCT", "30"), lab("ALC", "0.7"))


def test_two_draws_are_not_mixed() -> None:
    later = MORNING + timedelta(hours=3)
    assert computed(lab("WBC", "2.4"), lab("LYMPH_PCT", "30", at=later)) == {}


def test_a_share_of_a_bound_is_a_bound() -> None:
    alc = computed(lab("WBC", "1.0", "<"), lab("LYMPH_PCT", "30"))["ALC"]
    assert (alc.comparator, alc.value, alc.shown) == ("<", D("0.30"), "<0.3")


def test_a_share_that_is_only_a_bound_is_not_computed_with() -> None:
    assert computed(lab("WBC", "1.0"), lab("LYMPH_PCT", "30", "<")) == {}


_BOTH = "segmented and band neutrophils"


@pytest.mark.parametrize(
    ("draw", "anc", "how"),
    [
        ({"WBC": "2.4", "NEUT_SEG_PCT": "38", "NEUT_BAND_PCT": "4"}, "1.008", _BOTH),
        ({"WBC": "1.2", "NEUT_SEG_PCT": "60", "NEUT_BAND_PCT": "10"}, "0.84", _BOTH),
        ({"NEUT_SEG": "0.72", "NEUT_BAND": "0.12"}, "0.84", _BOTH),
        ({"WBC": "1.2", "NEUT_SEG": "0.72", "NEUT_BAND_PCT": "10"}, "0.84", _BOTH),
        ({"WBC": "1.2", "NEUT_SEG_PCT": "60"}, "0.72", "segmented neutrophils, no bands reported"),
        ({"WBC": "1.2", "NEUT_SEG_PCT": "60", "NEUT_BAND_PCT": "10", "NEUT_PCT": "60"}, "0.84", _BOTH),
        ({"WBC": "2.4", "NEUT_PCT": "42", "NEUT_BAND_PCT": "4"}, "1.008", "WBC and percent"),
        ({"WBC": "1.2", "NEUT_SEG_PCT": "50", "NEUT_BAND_PCT": "50"}, "1.2", _BOTH),
    ],
)  # fmt: skip
def test_neutrophils_are_segments_and_bands(draw: dict[str, str], anc: str, how: str) -> None:
    found = computed(*(lab(code, value) for code, value in draw.items()))["ANC"]
    assert (found.value, found.computed) == (D(anc), f"computed from {how}")


@pytest.mark.parametrize(
    "draw",
    [
        {"WBC": "1.2", "NEUT_SEG_PCT": "60", "NEUT_BAND_PCT": "41"},
        {"WBC": "1.2", "NEUT_BAND_PCT": "10"},
        {"NEUT_SEG_PCT": "60", "NEUT_BAND_PCT": "10"},
        {"NEUT_SEG": "0.72", "NEUT_BAND": "0.12", "ANC": "0.9"},
    ],
)
def test_neutrophils_are_not_computed_from_too_much_or_too_little(draw: dict[str, str]) -> None:
    assert computed(*(lab(code, value) for code, value in draw.items())) == {}


def test_a_lipid_panel_gets_ldl_and_non_hdl() -> None:
    added = computed(lab("CHOL", "200"), lab("HDL", "50"), lab("TG", "150"))
    assert (added["LDL"].value, added["NONHDL"].value) == (D(120), D(150))


def test_a_measured_ldl_is_kept_and_none_is_computed_beyond_400_of_triglycerides() -> None:
    assert "LDL" not in computed(lab("CHOL", "200"), lab("HDL", "50"), lab("TG", "150"), lab("LDL", "118"))
    assert set(computed(lab("CHOL", "260"), lab("HDL", "35"), lab("TG", "600"))) == {"NONHDL"}


def test_a_lipid_panel_is_what_was_drawn_on_one_day() -> None:
    later = MORNING + timedelta(hours=1)
    added = computed(lab("CHOL", "200"), lab("HDL", "50", at=later), lab("TG", "150", at=later))
    assert added["LDL"].value == D(120)
    assert "LDL" not in computed(lab("CHOL", "200"), lab("HDL", "50"), lab("TG", "150"), lab("LDL", "118", at=later))


def test_creatinine_gives_both_kidney_values_where_there_is_a_weight() -> None:
    added = computed(lab("CREAT", "0.9"), weights=(weight("48", date(2026, 1, 2)),))
    assert round(added["EGFR"].value or 0, 1) == D("63.8")
    assert round(added["CRCL"].value or 0, 1) == D("36.5")
    assert added["CRCL"].computed == "computed by Cockcroft-Gault, 48 kg on 2026-01-02"
    assert added["CRCL"].shown == "36.52"
    assert set(computed(lab("CREAT", "0.9"))) == {"EGFR"}


def test_the_weight_before_the_sample_goes_before_the_one_after_it() -> None:
    before, after = weight("50", date(2026, 2, 1)), weight("60", date(2026, 3, 5))
    assert weight_for((before, after), date(2026, 3, 1)) == before
    assert weight_for((after,), date(2026, 3, 1)) == after


def test_a_weight_without_a_date_serves_where_no_other_does() -> None:
    undated, dated = weight("50", date(2026, 11, 22))._replace(undated=True), weight("60", date(2025, 6, 1))
    assert weight_for((undated,), date(2025, 1, 1)) == undated
    assert weight_for((dated, undated), date(2025, 7, 1)) == dated
    assert weight_for((undated,), date(2027, 11, 23)) is None


def test_a_weight_is_good_for_a_year() -> None:
    day = date(2026, 3, 1)
    assert weight_for((weight("50", day - timedelta(days=365)),), day) is not None
    assert weight_for((weight("50", day - timedelta(days=366)),), day) is None


def test_the_range_of_a_computed_value_comes_from_outside() -> None:
    limits = Range(D("1.2"), True, D("4.95"), True, "10*9/L", CLINIC, 3)
    series: Labs = {"WBC": (lab("WBC", "2.4"),), "LYMPH_PCT": (lab("LYMPH_PCT", "30"),)}
    added = with_computed(series, WOMAN, (), lambda code, day: (limits, f"{code} {day}"))
    assert added["ALC"][0].limits == limits


def test_results_stay_in_order() -> None:
    day_before = MORNING - timedelta(days=1)
    series: Labs = {
        "WBC": (lab("WBC", "2.4", at=day_before),),
        "LYMPH_PCT": (lab("LYMPH_PCT", "30", at=day_before),),
        "ALC": (lab("ALC", "0.9"),),
    }
    after = with_computed(series, WOMAN, (), lambda _code, _day: (None, ""))
    assert [one.shown for one in after["ALC"]] == ["0.72", "0.9"]
