"""The packaged protocols carry over every line of the reviewed draft, each with its source."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tracker.library.analytes import ANALYTES, PANELS

SECTIONS = ("schedule", "initiation", "on_treatment", "screening", "event", "dose_adjust")
BENEFIT = ("tofacitinib_us", "tofacitinib_eu", "baricitinib_us", "ritlecitinib_us", "deuruxolitinib_us")
DRUGS = (
    "tofacitinib_us", "tofacitinib_eu", "baricitinib_us", "ritlecitinib_us",
    "deuruxolitinib_us", "upadacitinib_us", "abrocitinib_us",
)  # fmt: skip
ACTIONS = {"do_not_start", "hold", "stop", "investigate", "consult", "dose_change", "repeat"}
WARNING_WORDS = ("not recommended", "contraindicated", "avoid")


def protocol(drug: str) -> dict[str, Any]:
    path = files("tracker.library").joinpath("protocols").joinpath(f"{drug}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def entries(drug: str) -> list[tuple[str, dict[str, Any]]]:
    data = protocol(drug)
    return [(section, entry) for section in SECTIONS for entry in data.get(section, ())]


@pytest.fixture(scope="session")
def draft(shared: Path) -> dict[str, Any]:
    return tomllib.loads((shared / "clinical" / "protocols.toml").read_text(encoding="utf-8"))


def test_there_is_one_file_a_drug_of_the_draft(draft: dict[str, Any]) -> None:
    assert set(draft["drug"]) == set(DRUGS)
    assert [protocol(drug)["id"] for drug in DRUGS] == list(DRUGS)


@pytest.mark.parametrize("drug", DRUGS)
def test_every_line_of_the_draft_is_there_with_every_figure(draft: dict[str, Any], drug: str) -> None:
    ours = protocol(drug)
    for key, value in draft["drug"][drug].items():
        if key not in SECTIONS:
            assert ours[key] == value, key
            continue
        for line in value:
            matching = [entry for entry in ours[key] if line.items() <= entry.items()]
            assert len(matching) == 1, line


@pytest.mark.parametrize("drug", DRUGS)
def test_the_defaults_of_the_draft_hold_for_every_drug_with_their_sources(draft: dict[str, Any], drug: str) -> None:
    defaults = protocol(drug)["defaults"]
    assert draft["defaults"].items() <= defaults.items()
    assert defaults["early_days_source"] == "author-proposed"


@pytest.mark.parametrize("drug", DRUGS)
def test_what_the_draft_lacks_is_not_called_verified(draft: dict[str, Any], drug: str) -> None:
    for section, entry in entries(drug):
        known = any(line.items() <= entry.items() for line in draft["drug"][drug].get(section, ()))
        assert known or entry["verified"] is False, entry["id"]


def test_the_drugs_taken_for_alopecia_areata_say_when_the_benefit_is_weighed() -> None:
    said = {drug: protocol(drug)["benefit"] for drug in DRUGS if "benefit" in protocol(drug)}
    assert set(said) == set(BENEFIT)
    assert all(line["source"] and line["text"] and line["verified"] is False for line in said.values())
    assert (said["tofacitinib_us"]["after"], said["ritlecitinib_us"]["after"]) == ("P24W", "P36W")


@pytest.mark.parametrize("drug", DRUGS)
def test_every_line_has_an_id_of_its_own_and_a_source(drug: str) -> None:
    ids = [entry["id"] for _, entry in entries(drug)]
    assert len(ids) == len(set(ids))
    assert all(entry["source"] and isinstance(entry["verified"], bool) for _, entry in entries(drug))


@pytest.mark.parametrize("drug", DRUGS)
def test_every_limit_is_on_an_analyte_in_one_of_its_units_with_a_text(drug: str) -> None:
    for section, entry in entries(drug):
        if section not in ("initiation", "on_treatment"):
            continue
        assert entry["analyte"] in ANALYTES
        assert entry["text"].endswith(".")
        assert entry["action"] in ACTIONS
        if "condition" not in entry:
            assert entry["unit"] in ANALYTES[entry["analyte"]].units, entry["id"]


@pytest.mark.parametrize("drug", DRUGS)
def test_every_check_that_falls_due_is_of_an_analyte_or_a_panel(drug: str) -> None:
    for entry in protocol(drug)["schedule"]:
        assert entry.get("analyte") in ANALYTES or entry.get("panel") in PANELS, entry["id"]


@pytest.mark.parametrize("drug", DRUGS)
def test_the_prose_of_a_dose_has_its_structure_beside_it(drug: str) -> None:
    for entry in protocol(drug).get("dose_adjust", ()):
        if entry["kind"] == "renal":
            assert entry["measure"] in ("CRCL", "EGFR")
            assert "low" in entry or "high" in entry
        elif entry["kind"] == "hepatic":
            assert entry["condition"] == f"Child-Pugh {entry['child_pugh']}"
        else:
            assert entry.get("interactions_any") or entry.get("interactions_all")
        assert entry.get("avoid", False) == entry["dose"].startswith(WARNING_WORDS), entry["id"]
        assert entry.get("avoid") or entry["max_daily_mg"] > 0, entry["id"]


@pytest.mark.parametrize("drug", DRUGS)
def test_halving_is_half_the_usual_daily_dose(drug: str) -> None:
    data = protocol(drug)
    usual = data["default_dose_mg"] * data["default_times_per_day"]
    for entry in data.get("dose_adjust", ()):
        if entry.get("halve"):
            assert entry["max_daily_mg"] * 2 == usual, entry["id"]


def holds(entry: dict[str, Any], clearance: float) -> bool:
    low, high = float(entry.get("low", 0)), float(entry.get("high", 1000))
    above = low < clearance or (low == clearance and entry.get("low_inclusive", True))
    return bool(above and (clearance < high or (clearance == high and entry.get("high_inclusive", True))))


def renal(drug: str, clearance: float) -> list[str]:
    """The doses whose band holds this clearance."""
    lines = protocol(drug)["dose_adjust"]
    return [entry["dose"] for entry in lines if entry["kind"] == "renal" and holds(entry, clearance)]


@pytest.mark.parametrize(
    ("drug", "clearance", "doses"),
    [
        # A clearance of exactly 50 is moderate in the United States and mild in Europe.
        ("tofacitinib_us", 50, ["5 mg once daily"]),
        ("tofacitinib_us", 50.1, ["5 mg twice daily"]),
        ("tofacitinib_us", 80, ["5 mg twice daily"]),
        ("tofacitinib_us", 80.1, []),
        ("tofacitinib_us", 30, ["5 mg once daily"]),
        ("tofacitinib_us", 29.9, ["5 mg once daily; after dialysis on dialysis days"]),
        ("tofacitinib_eu", 50, []),
        ("tofacitinib_eu", 49.6, ["no change"]),
        ("tofacitinib_eu", 29.9, ["5 mg once daily"]),
        ("baricitinib_us", 60, []),
        ("baricitinib_us", 59.9, ["halve dose (4->2, 2->1 mg)"]),
        ("baricitinib_us", 30, ["halve dose (4->2, 2->1 mg)"]),
        ("baricitinib_us", 29.9, ["not recommended"]),
        ("deuruxolitinib_us", 30, []),
        ("deuruxolitinib_us", 29, ["not recommended"]),
    ],
)
def test_a_kidney_falls_into_one_band_or_none(drug: str, clearance: float, doses: list[str]) -> None:
    assert renal(drug, clearance) == doses


def test_the_factor_table_for_ldl_is_the_published_one(shared: Path) -> None:
    packaged = files("tracker.library").joinpath("martin_hopkins.csv").read_text(encoding="utf-8")
    lines = packaged.splitlines()
    assert lines == (shared / "clinical" / "martin_hopkins.csv").read_text(encoding="utf-8").splitlines()
    assert (len(lines), {len(line.split(",")) for line in lines}) == (31, {8})
