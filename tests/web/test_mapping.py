"""A table of another shape in the browser: asked about, looked at, filed, and known again the next time."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from sqlalchemy import select

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.test_imports import NOON, counts, send, sums, token, words
from tracker.db import Database
from tracker.models import AuditEntry, LabResult, TableMapping

SignIn = Callable[[str], Browser]
TABLE = (
    "Aspen laboratory;;;\nPatient;Datum;Kreatinin;ALT (U/L)\n"
    "AL-0001;03/02/2026;1,1;31\nAL-0001;04/02/2026;1,2;\nXX-1;05/02/2026;0,9;30\nSumme;;3,2;61\n"
)


@pytest.fixture(autouse=True)
def a_monday_in_february() -> Iterator[None]:
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def app_settings(app_settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return app_settings | {"UPLOAD_FOLDER": str(tmp_path / "uploads"), "IMPORT_ROWS": 40}


@pytest.fixture
def bob(sign_in: SignIn) -> Browser:
    return sign_in("bob")


def page_of(bob: Browser, content: str = TABLE) -> tuple[str, str]:
    """The mapping page of a file that was sent: its address and its text."""
    sent = send(bob, content, "export.csv")
    assert sent.status_code == 303, words(sent.text)
    assert re.fullmatch(r"/imports/pending/[\w-]{43}/mapping", sent.location)
    return sent.location, bob.get(sent.location).text


def fields(html: str) -> dict[str, str]:
    """What the page's form would send as it stands."""
    soup = BeautifulSoup(html, "html5lib").find(id="mapping")
    found = {each["name"]: each.get("value", "") for each in soup.select("input[name]") if each["name"] != "csrf_token"}
    for each in soup.select("select[name]"):
        chosen = each.find("option", selected=True) or each.find("option")
        found[each["name"]] = chosen["value"]
    return found


ANSWERS = {"dates": "day first", "unit-2": "mg/dL"}


def test_what_has_two_readings_is_asked_and_the_guess_is_shown_and_not_used(bob: Browser, cast: Cast) -> None:
    _, html = page_of(bob)
    page = words(html)
    assert "2 things only a person can say" in page
    assert "In which unit is “Kreatinin”? None is printed." in page
    assert "Likely: mg/dL. It is not used until you choose it." in page
    assert "Is the day or the month first in “03/02/2026”?" in page
    assert fields(html)["dates"] == ""
    assert fields(html)["use-0"] == "mrn"
    assert fields(html)["use-2"] == "measured"


def test_unanswered_it_is_not_read(bob: Browser, cast: Cast, database: Database) -> None:
    before = counts(database)
    address, html = page_of(bob)
    answer = bob.post(address, fields(html))
    assert answer.status_code == 422
    assert "2 things only a person can say" in words(answer.text)
    assert counts(database) == before


def test_the_first_rows_are_shown_as_they_would_be_filed(bob: Browser, cast: Cast, database: Database) -> None:
    before = counts(database)
    address, html = page_of(bob)
    open_ones = bob.post(f"{address}/rows", fields(html))
    assert "In which unit" in words(open_ones.text)
    shown = words(bob.post(f"{address}/rows", fields(html) | ANSWERS).text)
    assert "Almondine, Ida AL-0001" in shown
    assert "Kreatinin 1.1 mg/dL · 3 Feb 2026 · CREAT" in shown
    assert "XX-1 nobody here: it would wait" in shown
    assert "a row of totals is no result of a patient" in shown
    month = words(bob.post(f"{address}/rows", fields(html) | ANSWERS | {"dates": "month first"}).text)
    assert "2 Mar 2026" in month
    assert "in the future" in month
    assert counts(database) == before


def test_answered_it_is_looked_at_and_filed_and_the_next_one_goes_straight_to_its_preview(
    bob: Browser, cast: Cast, database: Database
) -> None:
    address, html = page_of(bob)
    shown = bob.post(address, fields(html) | ANSWERS | {"keep_as": "Aspen laboratory"})
    assert shown.status_code == 200, words(shown.text)
    assert sums(shown) == [6, 3, 0, 2, 1]
    assert "Days are read day first, as was said of this table." in words(shown.text)
    filed = bob.post("/imports/file", {"token": token(shown)})
    assert filed.status_code == 303
    with database.reading() as session:
        mine = TableMapping.clinic_id == cast.a.clinic
        (kept,) = session.scalars(select(TableMapping).where(TableMapping.header != "digest of A", mine))
        assert kept.body["dates"] == "day first"
        assert kept.body["units"] == {"Kreatinin": "mg/dL"}
        noted = session.scalars(select(AuditEntry).where(AuditEntry.record == "table_mapping")).all()
        assert [(entry.action, entry.actor) for entry in noted] == [("create", "Bob Birch")]
        found = session.scalars(select(LabResult).where(LabResult.batch_id.is_not(None)))
        assert {(r.subject, str(r.figure), r.unit, r.collected_on.isoformat()) for r in found} == {
            ("CREAT", "1.1", "mg/dL", "2026-02-03"), ("ALT", "31", "U/L", "2026-02-03"),
            ("CREAT", "1.2", "mg/dL", "2026-02-04"),
        }  # fmt: skip

    following = send(bob, TABLE.replace("03/02/2026", "06/02/2026"), "next.csv")
    assert following.status_code == 200, following.location
    assert "Read by the mapping “Aspen laboratory”" in words(following.text)
    assert "Change how it is read" in words(following.text)

    listed = bob.get("/imports/mappings")
    assert "Aspen laboratory" in words(listed.text)
    forget = (
        BeautifulSoup(listed.text, "html5lib")
        .find("button", {"aria-label": "Forget Aspen laboratory"})
        .parent["action"]
    )
    assert bob.post(forget).status_code == 303
    assert bob.post(forget).status_code == 409
    assert send(bob, TABLE).status_code == 303


def test_what_was_typed_is_kept_where_two_columns_are_said_to_be_one(bob: Browser, cast: Cast) -> None:
    address, html = page_of(bob)
    answer = bob.post(address, fields(html) | {"use-1": "mrn", "keep_as": "Mine"})
    assert answer.status_code == 422
    assert "“Patient” and “Datum” are both said to be the record number: choose one." in words(answer.text)
    assert (fields(answer.text)["keep_as"], fields(answer.text)["use-1"]) == ("Mine", "mrn")


def test_a_test_may_be_given_its_analyte_and_a_column_left_out(bob: Browser, cast: Cast, database: Database) -> None:
    address, html = page_of(bob, TABLE.replace("Kreatinin", "Crea-X1"))
    assert fields(html)["use-2"] == ""
    told = fields(html) | {"dates": "day first", "use-2": "measured", "test-2": "CREAT", "unit-2": "mg/dL", "use-3": ""}
    shown = bob.post(address, told)
    assert sums(shown) == [4, 2, 0, 1, 1]
    bob.post("/imports/file", {"token": token(shown)})
    with database.reading() as session:
        found = session.scalars(select(LabResult).where(LabResult.batch_id.is_not(None)))
        assert {r.subject for r in found} == {"CREAT"}


def test_a_file_of_the_interchange_has_nothing_to_map(bob: Browser, cast: Cast) -> None:
    shown = send(bob, "mrn,collected_at,analyte,value,unit\nAL-0001,2026-02-12,ANC,2.1,10*9/L\n")
    assert "Change how it is read" not in words(shown.text)
    assert bob.get(f"/imports/pending/{token(shown)}/mapping").status_code == 400


def test_how_it_is_read_can_be_changed_after_a_look_and_after_an_undo(
    bob: Browser, cast: Cast, database: Database
) -> None:
    address, html = page_of(bob)
    shown = bob.post(address, fields(html) | ANSWERS | {"keep_as": "Aspen laboratory"})
    filed = bob.post("/imports/file", {"token": token(shown)})
    bob.post(f"{filed.location}/undo", {"reason": "sent for the wrong patient", "do": "undo"})
    again = send(bob, TABLE, "export.csv")
    assert sums(again) == [6, 3, 0, 2, 1]
    page = f"/imports/pending/{token(again)}/mapping"
    other = bob.post(page, fields(bob.get(page).text) | {"use-3": ""})
    assert sums(other) == [4, 2, 0, 1, 1]
    assert "a row of totals" in bob.get(f"/imports/pending/{token(again)}/refused.csv").text
    assert bob.post("/imports/file", {"token": token(other)}).status_code == 303


def test_a_table_without_days_is_given_one_and_asked_again_the_next_time(
    bob: Browser, cast: Cast, database: Database
) -> None:
    undated = "Patient,Kreatinin (mg/dL)\nAL-0001,1.1\n"
    address, html = page_of(bob, undated)
    assert "Where no column has it, say one day for all samples" in words(html)
    wrong = bob.post(address, fields(html) | {"sampled_on": "1 March"})
    assert wrong.status_code == 422
    assert "sampled_on of the mapping: “1 March” is not a date" in words(wrong.text)
    shown = bob.post(address, fields(html) | {"sampled_on": "2026-02-03", "keep_as": "ward 3"})
    assert sums(shown) == [1, 1, 0, 0, 0]
    assert "Every sample is of 2026-02-03" in words(shown.text)
    bob.post("/imports/file", {"token": token(shown)})
    with database.reading() as session:
        days = session.scalars(select(LabResult.collected_on).where(LabResult.subject == "CREAT")).all()
    assert [day.isoformat() for day in days] == ["2026-02-03"]
    _, again = page_of(bob, undated.replace("1.1", "1.3"))
    assert fields(again)["sampled_on"] == ""
