"""A patient's story in the interchange files, and the flags as of a day: what was told by file is what is judged."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cli.test_commands import Machine, machine
from tracker.library.protocols import protocols

__all__ = ["machine"]  # the fixture of the commands' tests

COURSE = "mrn,protocol,started_on,dose_mg,times_per_day\nP1,{protocol},2026-01-05,{dose},{times}\n"


def told(machine: Machine, as_of: str, protocol: str = "tofacitinib_us", **files: str) -> list[dict[str, Any]]:
    """The flags of a woman of forty on 5 mg twice daily since 2026-01-05; `files` are the further tables, by name."""
    tables = {
        "patients": "mrn,birth_date,sex\nP1,1985-05-05,female\n",
        "courses": COURSE.format(protocol=protocol, dose=5, times=2),
    } | files
    for name, text in tables.items():
        machine.write(f"{name}.csv", text)
    machine.json("import", str(machine.folder), "--create-patients")
    flags: list[dict[str, Any]] = machine.json("flags", "--as-of", as_of)
    return flags


def of(flags: list[dict[str, Any]], rule: str, subject: str) -> list[dict[str, Any]]:
    return [flag for flag in flags if (flag["rule"], flag["subject"]) == (rule, subject)]


def test_a_hold_that_was_resumed_on_its_day_leaves_nothing_behind(machine: Machine) -> None:
    events = "mrn,on,kind,reason\nP1,2026-02-01,hold,cold\nP1,2026-02-01,resume,\n"
    assert of(told(machine, "2026-04-01", course_events=events), "hold", "HOLD") == []


def test_a_hold_that_was_resumed_the_day_after_is_over(machine: Machine) -> None:
    events = "mrn,on,kind,reason\nP1,2026-02-01,hold,cold\nP1,2026-02-02,resume,\n"
    assert of(told(machine, "2026-04-01", course_events=events), "hold", "HOLD") == []


def test_a_drug_held_again_on_the_day_it_was_resumed_is_held(machine: Machine) -> None:
    events = "mrn,on,kind\nP1,2026-02-01,hold\nP1,2026-02-05,resume\nP1,2026-02-05,hold\n"
    (flag,) = of(told(machine, "2026-02-20", course_events=events), "hold", "HOLD")
    assert "held since 2026-02-05" in flag["sentence"]
    assert flag["cleared_on"] is None


def test_a_measured_and_a_computed_count_of_one_day_do_not_confirm_each_other(machine: Machine) -> None:
    results = (
        "mrn,collected_at,analyte,value,unit\nP1,2026-03-01,ALC,0.48,10*9/L\n"
        "P1,2026-03-01T08:40,WBC,2.4,10*9/L\nP1,2026-03-01T08:40,LYMPH_PCT,20,%\n"
    )
    (flag,) = of(told(machine, "2026-03-02", results=results), "action_limit", "ALC")
    assert (flag["confirmation"], flag["suggested"], flag["due_on"]) == ("needs_repeat", "stop", "2026-03-08")


def test_neutrophils_that_came_as_segments_and_bands_meet_the_limit(machine: Machine) -> None:
    results = (
        "mrn,collected_at,analyte,value,unit\nP1,2026-03-01,WBC,1.2,10*9/L\n"
        "P1,2026-03-01,loinc:769-0,60,%\nP1,2026-03-01,Bands,10,%\n"
    )
    (flag,) = of(told(machine, "2026-03-01", results=results), "action_limit", "ANC")
    assert (flag["confirmation"], flag["suggested"], flag["grade"]) == ("needs_repeat", "hold", 3)
    assert flag["evidence"][0]["value"] == "0.84"


@pytest.mark.parametrize(
    ("before", "after", "risen"),
    [
        ("loinc:13457-7", "loinc:13457-7", True), ("loinc:13457-7", "LDL calculated", True), ("LDL", "LDL", True),
        ("loinc:13457-7", "loinc:18262-6", False), ("LDL", "LDL direct", False),
    ],
)  # fmt: skip
def test_an_ldl_is_compared_with_one_of_its_method(machine: Machine, before: str, after: str, risen: bool) -> None:
    results = (
        f"mrn,collected_at,analyte,value,unit\nP1,2026-01-02,{before},100,mg/dL\nP1,2026-03-01,{after},140,mg/dL\n"
    )
    assert bool(of(told(machine, "2026-03-01", results=results), "change", "LDL")) is risen


def test_hepatitis_b_dna_that_is_not_detected_is_filed(machine: Machine) -> None:
    results = "mrn,collected_at,analyte,value,unit\nP1,2026-01-02,HBVDNA,not_detected,\n"
    assert of(told(machine, "2026-01-04", results=results), "screening", "HEPATITIS_B_C")
    assert "not detected" in machine.run("export", "results").stdout


@pytest.mark.parametrize("protocol", protocols())
def test_replaying_today_gives_what_was_stored_whatever_the_drug(machine: Machine, protocol: str) -> None:
    results = "mrn,collected_at,analyte,value,unit\n" + "".join(
        f"P1,2026-{month:02}-0{day},{analyte},{value},{unit}\n"
        for analyte, unit, values in (
            ("ANC", "10*9/L", "4.0 0.9 0.95 0.46"), ("ALC", "10*9/L", "2.0 0.7 0.48 1.5"),
            ("HB", "g/dL", "14 11.5 7.9 9"),
            ("PLT", "10*9/L", "250 140 49 90"), ("ALT", "U/L", "30 70 150 340"), ("LDL", "mg/dL", "100 140 195 120"),
        )
        for (month, day), value in zip(((1, 2), (2, 4), (3, 1), (3, 5)), values.split(), strict=True)
    )  # fmt: skip
    told(machine, "2026-03-05", protocol, results=results)
    stored = machine.json("flags")
    replayed = machine.json("flags", "--as-of", datetime.now(UTC).date().isoformat())
    assert len(stored) > 10
    assert sorted(stored, key=str) == sorted(replayed, key=str)
