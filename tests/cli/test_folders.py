"""Folders as laboratories send them: versions of one sample, rows in any order, a weight without a day."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import COURSES, PATIENTS, Machine

FIRST = "00231,2026-03-01,ANC,0.46,10*9/L,A1,final"
HEAD = "mrn,collected_at,analyte,value,unit,accession,status"


@pytest.fixture
def machine(database_url: str, tmp_path: Path) -> Machine:
    folder = tmp_path / "files"
    folder.mkdir()
    return Machine(database_url, folder)


def filed(machine: Machine, **tables: str) -> dict[str, Any]:
    """Imports the patient of the contract with more tables; the account of each file by its name."""
    for name, text in {"patients": PATIENTS, "courses": COURSES, **tables}.items():
        machine.write(f"{name}.csv", text)
    return again(machine)


def again(machine: Machine) -> dict[str, Any]:
    found = machine.json("import", str(machine.folder))["files"]
    return {Path(file["path"]).stem: file for file in found}


def flags(machine: Machine, rule: str, as_of: str = "2026-03-05") -> list[dict[str, Any]]:
    return [flag for flag in machine.json("flags", "--as-of", as_of) if flag["rule"] == rule]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, "00231,2026-03-01,ANC,1.46,10*9/L,A1,corrected"),
        (FIRST, "00231,2026-03-01,ANC,,,A1,cancelled"),
        (FIRST.replace("final", "preliminary"), "00231,2026-03-01,ANC,1.46,10*9/L,A1,final"),
    ],
    ids=["corrected", "cancelled", "preliminary"],
)
def test_versions_of_one_sample_in_one_file(machine: Machine, first: str, second: str, turned: bool) -> None:
    rows = [second, first] if turned else [first, second]
    account = filed(machine, results="\n".join([HEAD, *rows, ""]))["results"]
    assert (account["filed"], account["refused"]) == (2, 0)
    assert flags(machine, "action_limit") == []
    account = again(machine)["results"]
    assert (account["filed"], account["duplicate"], account["refused"]) == (0, 2, 0), "sent twice, nothing changes"
    assert flags(machine, "action_limit") == []


def test_of_two_corrections_the_one_recorded_later_stands(machine: Machine) -> None:
    for rows in permutations(
        (
            "00231,2026-03-01,ANC,0.46,10*9/L,A1,final,2026-03-01T10:00",
            "00231,2026-03-01,ANC,1.60,10*9/L,A1,corrected,2026-03-02T10:00",
            "00231,2026-03-01,ANC,0.90,10*9/L,A1,corrected,2026-03-03T10:00",
        )
    ):
        filed(machine, results="\n".join([f"{HEAD},recorded_at", *rows, ""]))
        (flag,) = flags(machine, "action_limit")
        assert (flag["suggested"], flag["evidence"][-1]["value"]) == ("hold", "0.90")


def test_a_value_without_its_number_is_refused_unless_it_is_cancelled(machine: Machine) -> None:
    account = filed(machine, results=f"{HEAD}\n00231,2026-03-01,ANC,,10*9/L,A1,final\n")["results"]
    assert (account["refused"], account["problems"][0]["column"]) == (1, "value")


def test_an_unlikely_figure_is_filed_and_asked_about(machine: Machine) -> None:
    account = filed(machine, results=f"{HEAD}\n00231,2026-03-01,ANC,1.5,/uL,A1,final\n")["results"]
    assert account["filed"] == 1
    assert "is it 10*9/L?" in account["problems"][0]["message"]


def test_events_of_a_course_may_stand_in_any_order(machine: Machine) -> None:
    events = "mrn,on,kind,reason\n00231,2026-02-20,resume,\n00231,2026-02-10,hold,fever\n"
    account = filed(machine, course_events=events)["course_events"]
    assert (account["filed"], account["refused"]) == (2, 0)


def test_a_weight_among_the_particulars_serves_the_creatinine_clearance_of_any_day(machine: Machine) -> None:
    """D6: 82 years, 48 kg, 0.9 mg/dL: 36.5 mL/min, and the US label halves the dose."""
    patients = "mrn,family_name,given_name,birth_date,sex,weight_kg\n00231,Aldana,M.,1943-05-01,female,48\n"
    filed(machine, patients=patients, results=f"{HEAD}\n00231,2026-02-10,CREAT,0.9,mg/dL,A1,final\n")
    (flag,) = flags(machine, "dosing")
    assert (flag["subject"], flag["suggested"]) == ("RENAL", "dose_change")
    assert "36.5 mL/min" in flag["sentence"]


RANGES = "analyte,high,high_op,unit,effective_from\nALT,30,<=,U/L,2020-01-01\n"
ALT = f"{HEAD}\n00231,2026-02-10,ALT,35,U/L,A1,final\n"


def test_ranges_hold_for_a_clinic_that_the_same_folder_names_first(machine: Machine) -> None:
    filed(machine, ranges=RANGES, results=ALT)
    assert [flag["subject"] for flag in flags(machine, "out_of_range")] == ["ALT"]


def test_and_for_one_that_is_named_after_they_were_published(machine: Machine) -> None:
    machine.json("import", machine.write("ranges.csv", RANGES))
    (machine.folder / "ranges.csv").unlink()
    filed(machine, results=ALT)
    assert [flag["subject"] for flag in flags(machine, "out_of_range")] == ["ALT"]
