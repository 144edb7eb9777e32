"""What happens in a course: doses, holds, resumes, the stop. On the day it happens, by one person at a time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.models import Course, CourseEvent

SignIn = Callable[[str], Browser]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


def version(browser: Browser, course_id: int, kind: str) -> str:
    return typed(browser.get(f"/courses/{course_id}/change?kind={kind}"), "version")


def change(browser: Browser, cast: Cast, kind: str, **given: str) -> TestResponse:
    sent = {"on": "2026-02-20", "version": version(browser, cast.a.course, kind)} | given
    return browser.post(f"/courses/{cast.a.course}/change?kind={kind}", sent)


def hold(browser: Browser, cast: Cast, **given: str) -> TestResponse:
    return change(browser, cast, "hold", **{"reason": "neutrophils 0.46", "review_on": "2026-02-27"} | given)


def events(database: Database) -> list[CourseEvent]:
    with database.reading() as session:
        return [event for event in session.query(CourseEvent).order_by(CourseEvent.id) if event.course_id == 1]


def test_the_drug_is_held_and_resumed(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    answer = hold(alice, cast)
    assert answer.status_code == 303, problems(answer)
    page = alice.get(answer.headers["Location"])
    assert "The drug is on hold." in told(page)
    assert "on hold since 20 Feb 2026" in words(page)
    assert "Hold look again 27 Feb 2026 neutrophils 0.46 Alice Archer" in words(page)
    answer = change(alice, cast, "resume", on="2026-02-20")
    assert answer.status_code == 303
    assert [event.kind for event in events(database)] == ["dose", "hold", "resume"]
    assert "running, month 2" in words(alice.get(answer.headers["Location"]))


def test_another_dose_is_taken_from_a_day_on(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    answer = change(alice, cast, "dose", on="2026-02-18", dose_mg="5", times_per_day="1", reason="kidneys")
    page = words(alice.get(answer.headers["Location"]))
    assert "18 Feb 2026 5 mg × 1 a day kidneys Alice Archer" in page
    assert "tofacitinib 5 mg once daily" in page
    assert (events(database)[-1].dose_mg, events(database)[-1].times_per_day) == (Decimal(5), 1)


def test_the_course_is_stopped_with_a_reason(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    assert change(alice, cast, "stop", reason="").status_code == 422
    answer = change(alice, cast, "stop", reason="pneumonia")
    page = alice.get(answer.headers["Location"])
    assert "The course has ended." in told(page)
    assert "stopped 20 Feb 2026" in words(page)
    assert row(database, Course, cast.a.course).stop_reason == "pneumonia"


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("hold", {"on": "2026-02-21"}, "recorded on the day it happens, not ahead"),
        ("hold", {"on": "2026-01-11"}, "outside the course"),
        ("hold", {"review_on": "2026-02-19"}, "before it begins"),
        ("hold", {"reason": ""}, "Say in a few words why."),
        ("resume", {}, "is not on hold"),
        ("dose", {"dose_mg": "", "times_per_day": "2"}, "How much at a time?"),
        ("dose", {"dose_mg": "5000", "times_per_day": "2"}, "at most 1000 mg"),
        ("stop", {"on": "2026-02-21", "reason": "pneumonia"}, "not ahead"),
        ("stop", {"on": "2026-01-11", "reason": "pneumonia"}, "before it starts"),
    ],
)
def test_what_cannot_be_is_said(
    sign_in: SignIn, database: Database, cast: Cast, kind: str, given: dict[str, str], said: str
) -> None:
    usual = {"reason": "neutrophils 0.46"} if kind == "hold" else {}
    answer = change(sign_in("alice"), cast, kind, **usual | given)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert [event.kind for event in events(database)] == ["dose"]


def test_what_is_held_is_not_held_again(sign_in: SignIn, cast: Cast) -> None:
    alice = sign_in("alice")
    hold(alice, cast)
    again = hold(alice, cast)
    assert again.status_code == 422
    assert "on hold on 2026-02-20 already" in problems(again)


def test_a_stop_before_a_later_dose_is_asked_about(sign_in: SignIn, cast: Cast) -> None:
    alice = sign_in("alice")
    change(alice, cast, "dose", on="2026-02-18", dose_mg="5", times_per_day="1")
    answer = change(alice, cast, "stop", on="2026-02-17", reason="pneumonia")
    assert "There is a dose on 2026-02-18, after that day." in problems(answer)


def test_of_two_who_decide_the_second_sees_what_the_first_did(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    stale = version(alice, cast.a.course, "dose")
    assert hold(alice, cast).status_code == 303
    late = change(alice, cast, "dose", dose_mg="10", times_per_day="2", version=stale)
    assert late.status_code == 409
    assert "neutrophils 0.46" in problems(late)
    assert typed(late, "dose_mg") == "10"
    assert [event.kind for event in events(database)] == ["dose", "hold"]


def test_beside_the_form_stands_what_the_flags_suggest(sign_in: SignIn, cast: Cast) -> None:
    page = words(sign_in("alice").get(f"/courses/{cast.a.course}/change?kind=hold"))
    assert "Neutrophils 0.46 ×10⁹/L, below the action limit 0.5 ×10⁹/L" in page


def test_a_wrong_line_is_taken_out_and_stays_on_record(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    hold(alice, cast)
    page = alice.get(f"/courses/{cast.a.course}/lines")
    assert "20 Feb 2026: hold, neutrophils 0.46" in words(page)
    line = str(events(database)[-1].id)
    path = f"/courses/{cast.a.course}/lines"
    assert "Choose the line" in problems(alice.post(path, {"reason": "entered twice"}))
    assert "Say in a few words why." in problems(alice.post(path, {"line": line, "reason": "no"}))
    answer = alice.post(path, {"line": line, "reason": "another patient's hold"})
    assert answer.status_code == 303
    assert "running, month 2" in words(alice.get(answer.headers["Location"]))
    assert count(database, CourseEvent) == 3  # the first dose at either clinic, and the hold
    assert events(database)[-1].voided_reason == "another patient's hold"


def test_a_line_of_another_course_is_none_of_these(sign_in: SignIn, database: Database, cast: Cast) -> None:
    answer = sign_in("alice").post(f"/courses/{cast.a.course}/lines", {"line": "2", "reason": "not mine to touch"})
    assert answer.status_code == 422
    assert row(database, CourseEvent, 2).voided_at is None


def test_a_recorder_is_not_offered_what_a_clinician_decides(sign_in: SignIn, cast: Cast) -> None:
    assert soup(sign_in("alice").get(f"/courses/{cast.a.course}")).select('a[href*="/change"]')
    bob = sign_in("bob")
    assert not soup(bob.get(f"/courses/{cast.a.course}")).select('a[href*="/change"]')
    assert bob.get(f"/courses/{cast.a.course}/change?kind=stop").status_code == 403


def test_what_does_not_happen_in_a_course_is_not_found(sign_in: SignIn, cast: Cast) -> None:
    assert sign_in("alice").get(f"/courses/{cast.a.course}/change?kind=double").status_code == 404
