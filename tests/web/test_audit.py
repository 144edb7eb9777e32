"""The audit trail: found by person, patient, record and day; one's own clinic only; a broken chain is named."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from tests.people import Cast
from tests.tampering import past_the_triggers
from tests.web.conftest import Browser
from tests.web.reading import soup, told, words
from tracker.db import Database
from tracker.models import Clinic
from tracker.operations import audit
from tracker.operations.actor import Actor

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


def lines(browser: Browser, **asked: str) -> list[str]:
    answer = browser.get("/audit", query_string=asked)
    assert answer.status_code == 200
    return [words(tr) for tr in soup(answer).select("main tbody tr")]


def test_every_entry_says_who_what_when_and_on_whom(sign_in: SignIn) -> None:
    found = lines(sign_in("dan"), record="medication")
    assert len(found) == 1
    assert "9 Feb 2026, 10:00 Alice Archer clinician create medication 1 Almondine, Ida AL-0001" in found[0]
    assert "name Almondine remedy" in found[0]


def test_nothing_of_another_clinic_is_shown_or_exported(sign_in: SignIn) -> None:
    dan = sign_in("dan")
    sign_in("mallory")
    for page in (dan.get("/audit").text, dan.get("/audit.csv").text, dan.get("/audit?mrn=BI-0001").text):
        assert "Bilberrow" not in page
        assert "Mallory" not in page


def test_what_has_no_clinic_goes_by_its_patient(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        for records, word in ((cast.a, "mine"), (cast.b, "theirs")):
            audit.note(session, Actor("server", NOW, "cli"), word, "lab_result", 1, patient_id=records.patient)
    actions = " ".join(lines(sign_in("dan"), record="lab_result"))
    assert "mine" in actions
    assert "theirs" not in actions


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"actor": "archer"}, True),
        ({"actor": "birch"}, False),
        ({"mrn": "AL-0001"}, True),
        ({"mrn": "AL-000"}, False),
        ({"record": "course"}, True),
        ({"record": "observation", "mrn": "AL-0001", "actor": "Alice"}, True),
        ({"since": "2026-02-09", "until": "2026-02-09", "actor": "archer"}, True),
        ({"since": "2026-02-10", "actor": "archer"}, False),
        ({"until": "2026-02-08", "actor": "archer"}, False),
        ({"actor": "%"}, False),
    ],
)
def test_one_finds_by_person_patient_record_and_day(sign_in: SignIn, asked: dict[str, str], found: bool) -> None:
    assert any("Alice Archer" in line for line in lines(sign_in("dan"), **asked)) is found


def test_a_day_is_the_clinics_day(sign_in: SignIn, database: Database, cast: Cast) -> None:
    late = datetime(2026, 2, 15, 23, 30, tzinfo=UTC)  # half past midnight of the 16th in Berlin
    with database.transaction() as session:
        audit.note(session, Actor("owl", late, "cli"), "hoot", "clinic", 1, clinic_id=cast.a.clinic)
    dan = sign_in("dan")
    assert any("owl" in line for line in lines(dan, since="2026-02-16", until="2026-02-16"))
    assert not any("owl" in line for line in lines(dan, since="2026-02-15", until="2026-02-15"))


def test_a_day_there_is_not_is_said(sign_in: SignIn) -> None:
    answer = sign_in("dan").get("/audit?since=01/02/2026")
    assert answer.status_code == 422
    assert "Write the date as 2026-03-01" in words(answer)
    assert sign_in("dan").get("/audit.csv?since=01/02/2026").status_code == 400


def test_a_long_trail_goes_on_where_the_page_ended(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        for number in range(60):
            actor = Actor("script", NOW + timedelta(seconds=number), "cli")
            audit.note(session, actor, f"act {number:02}", "clinic", 1, clinic_id=cast.a.clinic)
    dan = sign_in("dan")
    first = dan.get("/audit?actor=script")
    assert "act 59" in words(first)
    assert "act 09" not in words(first)
    following = soup(first).select_one('a[rel="next"]')
    assert following is not None
    second = words(dan.get(str(following["href"])))
    assert "act 09" in second
    assert "act 00" in second
    assert "act 10" not in second


def test_the_export_has_what_the_search_found_oldest_first(sign_in: SignIn) -> None:
    answer = sign_in("dan").get("/audit.csv?mrn=AL-0001&actor=alice")
    assert answer.mimetype == "text/csv"
    assert "jakwatch-audit-2026-02-20.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["record"] for row in rows][:2] == ["patient", "course"]
    assert {row["mrn"] for row in rows} == {"AL-0001"}
    assert "Almondine" in rows[0]["after"]
    assert all(row["digest"] for row in rows)


def test_a_cell_that_a_spreadsheet_would_run_is_not_exported_as_such(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    with database.transaction() as session:
        actor = Actor("=cmd|' /C calc'!A0", NOW, "cli")
        audit.note(session, actor, "x", "clinic", 1, clinic_id=cast.a.clinic, reason="@SUM(1)")
    rows = list(csv.DictReader(io.StringIO(sign_in("dan").get("/audit.csv").text)))
    assert not any(cell.startswith(("=", "@", "+")) for row in rows for cell in row.values())


def test_the_chain_holds_and_a_change_behind_its_back_is_named(sign_in: SignIn, database: Database, cast: Cast) -> None:
    dan = sign_in("dan")
    assert told(dan.get(dan.post("/audit/check").headers["Location"]))[0].startswith("The chain holds")
    with past_the_triggers(database) as connection:
        connection.execute(text("UPDATE audit_entry SET actor = 'Nobody' WHERE id = 5"))
    assert "The chain is broken at entry 5" in told(dan.get(dan.post("/audit/check").headers["Location"]))[0]


def test_a_clinician_does_not_read_it(sign_in: SignIn) -> None:
    assert sign_in("alice").get("/audit").status_code == 403
    assert "Audit" not in words(soup(sign_in("alice").get("/patients")).nav)


def test_a_clinic_that_is_created_is_noted(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.reading() as session:
        assert session.get_one(Clinic, cast.a.clinic).name == "Aspen Clinic"
    assert any("create clinic 1" in line for line in lines(sign_in("dan"), record="clinic"))
