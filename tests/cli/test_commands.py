"""The commands other programs rely on, on both databases: what they print, what they end with, what they refuse."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tracker.cli import main, tracker

PATIENTS = "mrn,family_name,given_name,birth_date,sex,clinic\n00231,Aldana,M.,1992-02-03,female,derm\n"
COURSES = (
    "mrn,protocol,indication,started_on,dose_mg,times_per_day\n00231,tofacitinib_us,alopecia areata,2026-01-10,5,2\n"
)
RESULTS = (
    "mrn,collected_at,analyte,value,unit,accession\n"
    "00231,2026-01-05,ANC,3.1,10*9/L,A0\n"
    "00231,2026-03-01,ANC,0.46,10*9/L,A1\n"
)


class Machine:
    """An installation: a database, a folder of files, and the commands."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def run(self, *arguments: str, fails: int = 0) -> Result:
        outcome = CliRunner().invoke(tracker, [str(a) for a in arguments], env={"TRACKER_DATABASE_URL": self.url})
        assert fails or outcome.exit_code == 0, outcome.output
        return outcome

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def write(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)


@pytest.fixture
def machine(database_url: str, tmp_path: Path) -> Machine:
    folder = tmp_path / "files"
    folder.mkdir()
    return Machine(database_url, folder)


@pytest.fixture
def told(machine: Machine) -> Machine:
    """The patient of the contract's example."""
    for name, text in (("patients.csv", PATIENTS), ("courses.csv", COURSES), ("results.csv", RESULTS)):
        machine.write(name, text)
    machine.json("import", str(machine.folder))
    return machine


def test_a_folder_is_filed_in_the_order_its_tables_need(machine: Machine) -> None:
    for name, text in (("a_results.csv", RESULTS), ("b_courses.csv", COURSES), ("z_patients.csv", PATIENTS)):
        machine.write(name, text)
    document = machine.json("import", str(machine.folder))
    assert [(f["rows_in"], f["filed"]) for f in document["files"]] == [(2, 2), (1, 1), (1, 1)]
    assert document["flags"]["opened"] >= 2


def test_the_contracts_example_comes_out_as_it_is_printed(told: Machine) -> None:
    flags = told.json("flags", "--as-of", "2026-03-01", "--patient", "00231")
    (flag,) = [f for f in flags if f["rule"] == "action_limit"]
    expected = {
        "mrn": "00231",
        "subject": "ANC",
        "severity": "urgent",
        "grade": 4,
        "grading": "CTCAE 5.0",
        "machine": "open",
        "review": "open",
        "confirmation": "needs_repeat",
        "suggested": "stop",
        "due_on": "2026-03-08",
        "folded_under": None,
        "opened_on": "2026-03-01",
        "last_seen_on": "2026-03-01",
        "cleared_on": None,
        "verified": True,
    }
    assert {key: flag[key] for key in expected} == expected
    assert "0.46 10*9/L" in flag["sentence"]
    assert "0.5 10*9/L" in flag["sentence"]
    (evidence,) = flag["evidence"]
    assert evidence == {
        "analyte": "ANC", "value": "0.46", "unit": "10*9/L", "collected_at": "2026-03-01", "low": "2.0", "high": "8.25",
        "range_from": "clinic",
    }  # fmt: skip


def test_the_day_after_the_seventh_the_repeat_is_overdue(told: Machine) -> None:
    states = {
        day: next(f["confirmation"] for f in told.json("flags", "--as-of", day) if f["rule"] == "action_limit")
        for day in ("2026-03-08", "2026-03-09")
    }
    assert states == {"2026-03-08": "needs_repeat", "2026-03-09": "repeat_overdue"}


def test_as_of_an_earlier_day_the_result_had_not_been_collected(told: Machine) -> None:
    assert [f for f in told.json("flags", "--as-of", "2026-02-28") if f["rule"] == "action_limit"] == []


def test_the_same_folder_again_files_nothing(told: Machine) -> None:
    document = told.json("import", str(told.folder))
    assert {
        name: sum(f[name] for f in document["files"]) for name in ("filed", "duplicate", "unmatched", "refused")
    } == {
        "filed": 0,
        "duplicate": 4,
        "unmatched": 0,
        "refused": 0,
    }
    assert document["flags"] == {"opened": 0, "changed": 0, "cleared": 0}


def test_a_dry_run_says_what_would_happen_and_stores_nothing(machine: Machine) -> None:
    path = machine.write("patients.csv", PATIENTS)
    assert machine.json("import", path, "--dry-run")["files"][0]["filed"] == 1
    assert machine.json("import", path)["files"][0]["filed"] == 1


def test_good_rows_are_filed_and_the_others_say_where_why_and_how_to_mend(told: Machine) -> None:
    path = told.write(
        "more.csv",
        "mrn,collected_at,analyte,value,unit\n"
        "00231,2026-03-05,HB,13.1,g/dL\n"
        "00231,2026-03-05,ANC,1500,10*9/L\n"
        "00231,2999-01-01,ALT,20,U/L\n"
        "00231,1980-01-01,ALT,20,U/L\n"
        "00231,2026-03-05,ALT,20,furlongs\n"
        "99999,2026-03-05,ALT,20,U/L\n"
        "00231,2026-03-05,HB,13.1,g/dL\n"
        "00231,03/04/2026,ALT,20,U/L\n"
        "00231,2026-03-05,Xylitolase,3,U/L\n",
    )
    (report,) = told.json("import", path)["files"]
    assert {k: report[k] for k in ("rows_in", "filed", "duplicate", "unmatched", "refused")} == {
        "rows_in": 9, "filed": 2, "duplicate": 1, "unmatched": 1, "refused": 5,
    }  # fmt: skip
    said = {p["row"]: (p["column"], p["message"]) for p in report["problems"]}
    assert "looks like" in said[3][1]
    assert said[4] == ("collected_at", "The sample is dated 2999-01-01, which is in the future.")
    assert "birth" in said[5][1]
    assert "furlongs" in said[6][1]
    assert said[7][0] == "mrn"
    assert "2026-03-01" in said[9][1]
    assert "not a test Jakwatch knows" in said[10][1]


def test_a_row_that_waited_is_filed_when_its_patient_is_enrolled(machine: Machine) -> None:
    results = machine.write("results.csv", RESULTS)
    assert machine.json("import", results)["files"][0]["unmatched"] == 2
    document = machine.json("import", machine.write("patients.csv", PATIENTS))
    assert document["files"][0]["filed"] == 1
    assert document["flags"]["opened"] >= 1
    assert machine.json("import", results)["files"][0]["duplicate"] == 2


def test_unknown_record_numbers_are_enrolled_when_asked(machine: Machine) -> None:
    path = machine.write("results.csv", RESULTS)
    assert machine.json("import", path, "--create-patients")["files"][0]["filed"] == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"MSH|^~\\&|LAB|H|||2026||ORU^R01|1|P|2.5\r", "no result (OBX)"),
        (b'{"resourceType": "Bundle"}', "FHIR"),
        (b"PK\x03\x04" + b"\0" * 60, "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"a,b\n1,2\n", "columns"),
        (b"\x00\x01\x02\x03" * 50, ""),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_is_read(machine: Machine, content: bytes, says: str) -> None:
    path = machine.write("file.bin", content)
    outcome = machine.run("import", path, "--json", fails=1)
    assert outcome.exit_code == 1
    (report,) = json.loads(outcome.stdout)["files"]
    assert says in report["problems"][0]["message"]
    assert "Traceback" not in outcome.output


def test_a_missing_file_is_one_line(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_DATABASE_URL", machine.url)
    with pytest.raises(SystemExit) as end:
        main(["import", str(machine.folder / "nothing.csv")])
    assert end.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_an_empty_database_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(SystemExit) as end:
        main(["flags"])
    assert end.value.code == 1
    assert "tracker upgrade" in capsys.readouterr().err


def test_wrong_usage_ends_two(machine: Machine) -> None:
    assert machine.run("flags", "--as-of", "yesterday", fails=2).exit_code == 2
    assert machine.run("export", "everything", fails=2).exit_code == 2


def test_what_is_due_names_the_line_that_asks_for_it(told: Machine) -> None:
    due = told.json("due", "--as-of", "2026-03-20")
    by_subject = {item["subject"]: item for item in due}
    assert by_subject["HB"]["state"] == "due"
    assert by_subject["HB"]["due_on"] == "2026-03-07"
    assert {"mrn", "subject", "due_on", "state", "reason", "source"} <= set(due[0])
    assert {i["subject"]: i["state"] for i in told.json("due", "--as-of", "2026-03-22")}["HB"] == "overdue"


def test_judging_everybody_again_changes_nothing(told: Machine) -> None:
    document = told.json("evaluate", "--all")
    assert (document["patients"], document["opened"], document["changed"], document["cleared"]) == (1, 0, 0, 0)
    assert document["results"] >= 2


def test_what_is_exported_is_imported_again_as_duplicates(told: Machine) -> None:
    target = told.folder / "out"
    target.mkdir()
    for table in ("patients", "results"):
        told.run("export", table, "--output", str(target / f"{table}.csv"))
    document = told.json("import", str(target))
    assert [(f["filed"], f["duplicate"]) for f in document["files"]] == [(0, 1), (0, 2)]


def test_flags_and_the_audit_trail_come_out_as_tables(told: Machine) -> None:
    for table in ("flags", "audit"):
        rows = list(csv.DictReader(io.StringIO(told.run("export", table).stdout)))
        assert len(rows) >= 2
        assert json.loads(told.run("export", table, "--format", "json").stdout)


def test_a_range_by_command_is_published_and_everybody_is_judged_again(told: Machine) -> None:
    told.json("import", told.write("hb.csv", "mrn,collected_at,analyte,value,unit\n00231,2026-03-02,HB,12.5,g/dL\n"))
    assert [f for f in told.json("flags") if f["subject"] == "HB" and f["rule"] == "out_of_range"] == []
    ranges = (
        "analyte,sex,age_from,low,low_op,high,high_op,unit,effective_from,source\n"
        "HB,female,18,13.0,>=,17,<=,g/dL,2026-02-01,local study\n"
    )
    document = told.json("import", told.write("ranges.csv", ranges))
    assert document["files"][0]["filed"] == 1
    assert document["flags"]["opened"] >= 1
    (flag,) = [f for f in told.json("flags") if f["subject"] == "HB" and f["rule"] == "out_of_range"]
    assert flag["evidence"][0]["low"] == "13.0"


def test_people_are_added_listed_and_disabled(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_NEW_PASSWORD", "a long enough one")
    machine.run("user", "add", "nora", "--name", "Nora", "--role", "recorder")
    assert "nora  recorder  Nora" in machine.run("user", "list").stdout
    machine.run("user", "disable", "nora")
    assert "(disabled)" in machine.run("user", "list").stdout


def test_the_check_is_a_line_each(told: Machine) -> None:
    outcome = told.run("check", fails=1)
    names = [line[5:] for line in outcome.stdout.splitlines() if line.startswith(("ok ", "BAD"))]
    assert names == [
        "storage settings", "schema", "range coverage", "what clinics set", "audit chain", "attachments",
        "every result in a list", "clock",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "says"), [({}, "TRACKER_SECRET_KEY is not set"), ({"TRACKER_ENV": "holiday"}, "TRACKER_ENV is")]
)
def test_a_server_that_would_not_be_safe_says_so_in_a_sentence(
    machine: Machine,
    settings: dict[str, str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TRACKER_SECRET_KEY", "TRACKER_ENV"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (settings | {"TRACKER_DATABASE_URL": machine.url}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        main(["serve"])
    assert end.value.code == 1
    assert says in capsys.readouterr().err
