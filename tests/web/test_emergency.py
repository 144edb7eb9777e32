"""Another clinic's patient in an emergency: one record, an hour, for reading; the patient's clinic looks into it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.people import CLINICS, Cast
from tests.web.conftest import Browser
from tests.web.reading import problems, told, typed, words
from tracker.db import Database
from tracker.models import AuditEntry, EmergencyAccess

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
WHY = "Unconscious in our emergency room, on a JAK inhibitor"
FAMILY_B = CLINICS["B"][3]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def ask(browser: Browser, cast: Cast, **given: Any) -> Any:
    return browser.post("/emergency", {"clinic": cast.b.clinic, "mrn": "BI-0001", "reason": WHY, **given})


def entries(database: Database, record: str) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.record == record).order_by(AuditEntry.id)))


def test_one_record_is_open_for_an_hour_and_every_page_of_it_says_so(
    alice: Browser, cast: Cast, clock: time_machine.Traveller
) -> None:
    record = f"/patients/{cast.b.patient}"
    assert alice.get(record).status_code == 404
    assert ask(alice, cast).headers["Location"] == record
    pages = (record, f"/patients/{cast.b.patient}/timeline", f"/results/{cast.b.result}", f"/courses/{cast.b.course}")
    for path in pages:
        page = alice.get(path)
        assert page.status_code == 200, path
        assert "Emergency access until" in words(page)
        assert FAMILY_B in page.text
    assert "Emergency access" not in words(alice.get(f"/patients/{cast.a.patient}"))
    clock.shift(3601)
    for path in pages:
        assert alice.get(path).status_code in (303, 404)


def test_it_is_for_reading(alice: Browser, cast: Cast) -> None:
    ask(alice, cast)
    page = alice.get(f"/patients/{cast.b.patient}").text
    for word in ("Enter labs", "Add a drug", "Correct</a>"):
        assert word not in page
    for form_page in ("labs/new", "edit", "events/new", "courses/new", "attachments/new"):
        assert alice.get(f"/patients/{cast.b.patient}/{form_page}").status_code == 404, form_page
    form = {"name": "aspirin", "version": 1, "reason": "by mistake"}
    assert alice.post(f"/patients/{cast.b.patient}/drugs", form).status_code == 404
    assert alice.post(f"/patients/{cast.b.patient}/edit", form).status_code == 404


def test_nobody_else_and_no_other_record_is_opened_by_it(alice: Browser, sign_in: SignIn, cast: Cast) -> None:
    ask(alice, cast)
    assert sign_in("bob").get(f"/patients/{cast.b.patient}").status_code == 404
    assert FAMILY_B not in alice.get("/patients?q=BI").text
    assert FAMILY_B not in alice.get("/").text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mrn": "BI-000"}, "no patient with exactly this number"),
        ({"mrn": "BI-000%"}, "no patient with exactly this number"),
        ({"mrn": ""}, "whole record number"),
        ({"reason": "urgent"}, "ten letters or more"),
        ({"clinic": ""}, "Choose the clinic"),
    ],
)
def test_without_the_exact_number_and_a_reason_nothing_opens(
    alice: Browser, cast: Cast, database: Database, given: dict[str, str], said: str
) -> None:
    answer = ask(alice, cast, **given)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "reason") == given.get("reason", WHY)
    with database.reading() as session:
        assert session.scalar(select(EmergencyAccess.id).where(EmergencyAccess.reason == WHY)) is None


def test_every_try_and_every_access_is_in_the_trail_of_the_patients_clinic(
    alice: Browser, cast: Cast, database: Database
) -> None:
    ask(alice, cast, mrn="BI-7777")
    ask(alice, cast)
    (tried,) = [entry for entry in entries(database, "patient") if entry.action == "emergency_not_found"]
    assert (tried.actor, tried.clinic_id, tried.after) == ("Alice Archer", cast.b.clinic, {"mrn": "BI-7777"})
    (opened,) = entries(database, "emergency_access")
    assert (opened.reason, opened.patient_id, opened.clinic_id) == (WHY, cast.b.patient, cast.b.clinic)


def test_the_patients_clinic_is_told_and_closes_the_alert_with_a_comment(sign_in: SignIn, cast: Cast) -> None:
    mallory = sign_in("mallory")
    assert ask(mallory, cast, clinic=cast.a.clinic, mrn="AL-0001").status_code == 303
    assert mallory.get(f"/patients/{cast.a.patient}").status_code == 200
    carol = sign_in("carol")
    assert "2 emergencies" in carol.get("/admin").text
    page = carol.get("/emergency/alerts")
    assert (
        f"Mallory Moor clinician, Beech Clinic Almondine, Ida AL-0001 20 Feb 2026, 10:00 until 20 Feb 2026, 11:00 {WHY}"
        in words(page)
    )
    newest = cast.b.access + 1
    assert carol.post(f"/emergency/alerts/{newest}/close", {"comment": ""}).status_code == 422
    answer = carol.post(f"/emergency/alerts/{newest}/close", {"comment": "The ward called first."})
    assert told(carol.get(answer.headers["Location"])) == ["The alert is closed, and the access has ended."]
    assert "1 emergency<" in carol.get("/admin").text
    assert mallory.get(f"/patients/{cast.a.patient}").status_code == 404
    assert carol.post(f"/emergency/alerts/{newest}/close", {"comment": "once more"}).status_code == 409
