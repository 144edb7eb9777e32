"""The tables of security and safety name tests and documents that exist, and a few sentences of them are tried here."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from sqlalchemy import select

from tests.people import Cast
from tests.trust import markup
from tracker.db import Database
from tracker.models import Base, Patient

ROOT = Path(__file__).resolve().parent.parent.parent
POLICY = ROOT / "docs" / "security" / "policy.md"
ASVS = list(csv.DictReader((ROOT / "docs" / "security" / "asvs.csv").open(encoding="utf-8")))
SAFETY = yaml.safe_load((ROOT / "docs" / "safety" / "hazards.yaml").read_text(encoding="utf-8"))
APPLICABLE, LEAST = 184, 140


def exists(reference: str) -> bool:
    """Is `tests/x.py::test_y`, `deploy/probe.py::y`, `tests/x.py` or `docs/x.md#section` there?"""
    path, test, section = *reference.partition("::")[::2], ""
    path, _, section = path.partition("#")
    if not (ROOT / path).is_file():
        return False
    content = (ROOT / path).read_text(encoding="utf-8")
    if test:
        return re.search(rf"^def {test}\(", content, re.MULTILINE) is not None
    return not section or section in {
        re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", content, re.MULTILINE)
    }


def test_every_line_that_applies_is_there_once_and_most_are_met() -> None:
    assert len({line["id"] for line in ASVS}) == len(ASVS) == APPLICABLE
    assert len([line for line in ASVS if line["status"] == "covered"]) >= LEAST
    assert {line["status"] for line in ASVS} == {"covered", "document", "open"}


@pytest.mark.parametrize("line", ASVS, ids=[line["id"] for line in ASVS])
def test_what_a_line_rests_on_exists(line: dict[str, str]) -> None:
    named = line["evidence"].split()
    assert [one for one in named if not exists(one)] == []
    if line["status"] == "open":
        assert (named, bool(line["remark"])) == ([], True)
    else:
        assert named
        assert any("::" in one or one.endswith(".py") for one in named) == (line["status"] == "covered")


@pytest.mark.parametrize("hazard", SAFETY["hazards"], ids=[hazard["id"] for hazard in SAFETY["hazards"]])
def test_every_control_of_a_hazard_rests_on_tests_that_exist(hazard: dict[str, Any]) -> None:
    assert hazard["controls"]
    for control in hazard["controls"]:
        assert control["tests"], control["what"]
        assert [one for one in control["tests"] if not exists(one)] == []
    (harm, likely), (left, still) = hazard["before"], hazard["after"]
    assert 1 <= left * still <= harm * likely <= 25


def test_no_hazard_is_missing_from_the_numbers_and_nobody_signed_for_the_clinic() -> None:
    assert [hazard["id"] for hazard in SAFETY["hazards"]] == [f"H{n:02}" for n in range(1, len(SAFETY["hazards"]) + 1)]
    assert SAFETY["officer"] == ""


def test_every_file_that_the_policy_names_is_there() -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|yaml|conf|csv|json|service))`", POLICY.read_text(encoding="utf-8"))
    assert named
    assert [one for one in named if not any((ROOT / base / one).is_file() for base in ("", "tracker"))] == []


# ---------------------------------------------------------------------------------------------- tried here


@pytest.mark.parametrize("path", ["/sign-in", "/account", "/account/second-factor"])
def test_passwords_are_typed_into_fields_for_them(alice: Any, visitor: Any, path: str) -> None:
    page = (visitor if path == "/sign-in" else alice).get(path).text
    fields = [field for field in BeautifulSoup(page, "html5lib").select("input") if "password" in field.get("name", "")]
    assert fields
    assert {field["type"] for field in fields} == {"password"}
    assert all(field.get("autocomplete") in ("current-password", "new-password") for field in fields)


def test_columns_that_a_form_does_not_have_are_not_written(
    sign_in: Callable[[str], Any], database: Database, cast: Cast
) -> None:
    """Every column of a patient is sent beside the form's own fields."""
    told = {"mrn": "AL-0077", "family_name": "Fern", "sex": "female", "birth_date": "1990-01-01"}
    more = {column.name: "1" for column in Base.metadata.tables["patient"].columns if column.name not in told}
    more |= {"clinic_id": str(cast.b.clinic), "id": "4711", "judged_digest": "made up", "role": "admin"}
    assert sign_in("bob").post("/patients/new", told | more).status_code == 303
    with database.reading() as session:
        row = session.scalars(select(Patient).where(Patient.mrn == "AL-0077")).one()
    assert row.clinic_id == cast.a.clinic
    assert row.id != 4711
    assert row.judged_digest != "made up"


def test_every_column_of_words_is_of_people_or_of_the_program() -> None:
    """The two lists of tests/trust/markup.py together: what is in one is tried with markup, the other has codes."""
    there = {(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns}
    assert {(table, name) for table, names in markup.CODES.items() for name in names} <= there
    assert len(markup.columns()) > 40
