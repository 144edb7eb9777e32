"""Tables of other shapes by command, and an import taken back: what is asked, what answers it, what is left."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import COURSES, PATIENTS, RESULTS, Machine

TABLE = "Patient;Datum;Kreatinin;Survey\n00231;03/02/2026;1,1;\n00231;04/02/2026;1,2;\n"
ANSWERS = 'dates = "day first"\n[units]\n"Kreatinin" = "mg/dL"\n'
SURVEYS = "patient,date,test,value,unit,category\n" + "00231,2026-02-03,Pain score,3,,survey\n" * 30


@pytest.fixture
def machine(database_url: str, tmp_path: Path) -> Machine:
    return Machine(database_url, tmp_path)


@pytest.fixture
def told(machine: Machine) -> Machine:
    """An installation with a patient and two neutrophil counts."""
    for name, text in (("patients.csv", PATIENTS), ("courses.csv", COURSES), ("results.csv", RESULTS)):
        machine.run("import", machine.write(name, text))
    return machine


@pytest.fixture
def asked(told: Machine) -> Machine:
    """And a table with two open questions."""
    told.write("export.csv", TABLE)
    return told


def values(machine: Machine) -> list[tuple[str, str]]:
    """Day and value of the creatinine results that stand."""
    lines = [line.split(",") for line in machine.run("export", "results").output.splitlines() if ",CREAT," in line]
    return [(line[1][:10], line[3]) for line in lines]


def test_a_table_with_two_readings_is_refused_with_the_lines_that_answer_it(asked: Machine) -> None:
    outcome = asked.run("import", str(asked.folder / "export.csv"), fails=1)
    assert outcome.exit_code == 1
    said = outcome.output
    assert "Is the day or the month first in “03/02/2026”?" in said
    assert '[units] "Kreatinin" = "mg/dL"' in said
    assert 'dates = "day first" or "month first"' in said
    assert values(asked) == []


def test_a_file_of_answers_settles_it_and_what_was_understood_is_said(asked: Machine) -> None:
    mapping = asked.write("ward.toml", ANSWERS)
    outcome = asked.run("import", str(asked.folder / "export.csv"), "--mapping", mapping)
    assert "2 rows in = 2 filed + 0 duplicate + 0 unmatched + 0 refused" in outcome.output
    assert "Days are read day first, as was said of this table." in outcome.output
    assert values(asked) == [("2026-02-03", "1.1"), ("2026-02-04", "1.2")]


def test_one_day_for_the_whole_table_may_stand_in_the_file_of_answers(asked: Machine) -> None:
    undated = asked.write("undated.csv", "Patient;Kreatinin (mg/dL)\n00231;1,1\n")
    mapping = asked.write("day.toml", "sampled_on = 2026-02-05\n")
    asked.run("import", undated, "--mapping", mapping)
    assert values(asked) == [("2026-02-05", "1.1")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dates = 'first'\n", "write 'day first' or 'month first'"),
        ("dates = \n", "is not a TOML file"),
        ('[columns]\nmrn = "Nobody"\n', "from the column “Nobody”, which this table does not have"),
        ('pudding = "yes"\n', "The mapping says “pudding”, which it cannot"),
    ],
)
def test_a_wrong_file_of_answers_says_which_entry_and_nothing_is_filed(asked: Machine, text: str, says: str) -> None:
    outcome = asked.run(
        "import", str(asked.folder / "export.csv"), "--mapping", asked.write("wrong.toml", text), fails=1
    )
    assert outcome.exit_code == 1
    assert says in outcome.output or says in str(outcome.exception)
    assert values(asked) == []


def test_a_mapping_that_nobody_kept_is_named_with_those_there_are(asked: Machine) -> None:
    outcome = asked.run("import", str(asked.folder / "export.csv"), "--mapping", "Aspen", fails=1)
    assert "There is no mapping “Aspen”" in f"{outcome.output}{outcome.exception}"


def test_what_is_said_of_thirty_rows_is_printed_once_and_listed_for_each(told: Machine) -> None:
    path = told.write("surveys.csv", SURVEYS)
    printed = told.run("import", path, fails=1).output
    assert "row 2 and 29 more, to 31, category: This is of survey, no result of a laboratory." in printed
    assert printed.count("This is of survey") == 1
    (file,) = json.loads(told.run("import", path, "--json", fails=1).stdout)["files"]
    of_rows = [problem for problem in file["problems"] if problem["row"]]
    assert (file["rows_in"], file["refused"], len(of_rows)) == (30, 30, 30)


# ---------------------------------------------------------------------------------------------- taken back


def test_an_import_is_undone_by_its_number_and_a_dry_run_only_says_so(told: Machine) -> None:
    told.write("more.csv", RESULTS.replace("0.46", "3.3").replace(",A", ",B"))
    (file,) = told.json("import", str(told.folder / "more.csv"))["files"]
    number = str(file["batch"])
    looked = told.run("undo", number, "--reason", "sent for the wrong clinic", "--dry-run").output
    assert "2 results taken out" in looked
    assert "Nothing was stored (dry run)." in looked
    done = told.json("undo", number, "--reason", "sent for the wrong clinic")
    assert done["taken_out"] == {"results taken out": 2}
    again = told.run("undo", number, "--reason", "sent for the wrong clinic", fails=1)
    assert "This import was undone already." in f"{again.output}{again.exception}"


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (("999", "--reason", "sent twice"), "There is no import 999.", 1),
        (("1", "--reason", " "), "Say in a few words why the import is undone.", 1),
        (("1",), "Missing option '--reason'", 2),
        (("one", "--reason", "sent twice"), "is not a valid integer", 2),
    ],
)
def test_what_cannot_be_undone_says_why(told: Machine, arguments: tuple[str, ...], says: str, code: int) -> None:
    outcome = told.run("undo", *arguments, fails=code)
    assert says in f"{outcome.output}{outcome.exception}"
    assert outcome.exit_code == code


def test_patients_that_a_file_enrolled_stay_and_that_is_said(machine: Machine) -> None:
    (file,) = machine.json("import", machine.write("patients.csv", PATIENTS))["files"]
    done = machine.json("undo", str(file["batch"]), "--reason", "sent for the wrong clinic")
    assert done["left"] == ["1 patient whom it enrolled stays on record: a person is not taken out with a file."]
