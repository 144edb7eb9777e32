"""What is printed says what the pages say, and who took it is on record."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.desk import Desk
from tests.pages import pages, text
from tests.people import Cast
from tests.web.conftest import Browser
from tracker.db import Database
from tracker.models import AccessNote, Patient
from tracker.operations import review
from tracker.operations.review import Decision
from tracker.queries.timeline import timeline
from tracker.web import papers
from tracker.web.timeline import picture

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


@pytest.fixture
def berg(desk: Desk) -> int:
    """Twenty weeks on tofacitinib with falling neutrophils; somebody ordered a repeat."""
    key = desk.patient("B-1", "Berg", started=140)
    desk.healthy(key, 147, ANC="4.1")
    desk.healthy(key, 60, ANC="2.4", TG="410")
    desk.healthy(key, 2, ANC="0.46", CK="<20")
    flag = desk.flag(key, rule="action_limit", subject="ANC")
    with desk.database.transaction() as session:
        decision = Decision("repeat", "the laboratory was told", until=date(2026, 2, 15))
        patient = session.get_one(Patient, key)
        review.decide(session, desk.actor("alice"), patient, {flag.id: flag.version}, decision, desk.today)
    return key


@pytest.fixture
def late(desk: Desk) -> int:
    """The last panel was on 3 October, so the next was due on 3 January."""
    key = desk.patient("L-1", "Late", started=270)
    for days_ago in (277, 230, 130):
        desk.healthy(key, days_ago)
    return key


def file(browser: Browser, path: str) -> bytes:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.data


def test_the_summary_says_what_the_record_says(alice: Browser, berg: int) -> None:
    (page,) = pages(file(alice, f"/patients/{berg}/summary.pdf"))
    for words in (
        "Berg, Kim", "B-1", "1 Feb 1986 (40)", "male", "tofacitinib 5 mg twice daily", "month 5",
        "Act today", "Neutrophils", "0.46", "Awaiting repeat until 15 Feb 2026", "discontinue if confirmed",
        "Order a repeat, next check by 15 Feb 2026", "the laboratory was told", "Alice Archer",
        "<20", "≥ 2.0 and ≤ 8.25", "clinic’s", "Aspen Clinic", "10 Feb 2026, 13:00", "does not replace",
    ):  # fmt: skip
        assert words in page, words


def test_what_could_not_be_judged_is_not_shown_as_normal(alice: Browser, desk: Desk) -> None:
    key = desk.patient("U-1", "Unknown", sex="unknown")
    desk.healthy(key, 1)
    page = text(file(alice, f"/patients/{key}/summary.pdf"))
    assert "Haemoglobin" in page
    assert "not evaluated" in page
    assert "could not be judged" in page


def test_the_sheet_has_the_charts_of_the_page(app: Flask, alice: Browser, desk: Desk, berg: int) -> None:
    """One document: what is drawn on paper is what the browser draws."""
    with desk.database.reading() as session, app.test_request_context():
        drawn = picture(timeline(session, session.get_one(Patient, berg), desk.today))
        assert papers.specs(drawn) == [alice.get(f"/patients/{berg}/timeline.json").json]
    (page,) = pages(file(alice, f"/patients/{berg}/timeline.pdf"))
    for words in (
        "Berg, Kim",
        "B-1",
        "Neutrophils, ×10",
        "discontinue < 0.5",
        "5 mg twice daily",
        "8 Feb 2026",
        "0.46",
    ):
        assert words in page, words


def test_all_tests_take_more_than_one_sheet_and_none_is_left_out(
    app: Flask, alice: Browser, desk: Desk, berg: int
) -> None:
    with desk.database.reading() as session, app.test_request_context():
        found = timeline(session, session.get_one(Patient, berg), desk.today)
    printed = pages(file(alice, f"/patients/{berg}/timeline.pdf?tests=all"))
    assert len(printed) > 1
    assert all(one.name in " ".join(printed) for one in found.series)
    assert all("Berg, Kim" in page and "B-1" in page for page in printed)


def test_somebody_without_anything_has_sheets_too(alice: Browser, desk: Desk) -> None:
    key = desk.patient("N-1", "New", started=None)
    page = text(file(alice, f"/patients/{key}/summary.pdf"))
    assert "no course" in page
    assert "No results yet." in page
    assert "Nothing is on record yet." in text(file(alice, f"/patients/{key}/timeline.pdf"))


def test_the_worklist_has_everybody_of_the_queue_in_its_order(
    alice: Browser, berg: int, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = text(file(alice, "/worklist.pdf"))
    assert page.index("Almondine, Ida") < page.index("Late, Kim")
    for words in (
        "Worklist of 10 Feb 2026: 2 patients need a decision",
        "Act today",
        "AL-0001",
        "B-1",
        "L-1",
        "overdue since 3 Jan 2026",
    ):
        assert words in page, words
    assert "The list ends here" not in page
    monkeypatch.setattr(papers, "MOST_WAITING", 1)
    cut = text(file(alice, "/worklist.pdf"))
    assert "The list ends here, after 1 patient: more are in the queue." in cut
    assert "Late, Kim" not in cut


def test_the_due_list_on_paper(alice: Browser, late: int) -> None:
    page = text(file(alice, "/due.pdf"))
    for words in ("Overdue", "Late, Kim", "L-1", "38 days late", "due 3 Jan 2026", "every 3 months", "Due now"):
        assert words in page, words
    assert "Late, Kim" not in text(file(alice, "/due.pdf?whose=mine"))


def test_a_letter_tells_nobody_why_somebody_is_treated(app: Flask, alice: Browser, late: int, berg: int) -> None:
    app.config["LETTERHEADS"] = {"A": {"address": ["1 Elm Street", "Exampletown"], "telephone": "0123 456"}}
    (page,) = pages(file(alice, "/due/letters.pdf"))
    for words in ("Aspen Clinic", "1 Elm Street · Exampletown · Telephone 0123 456", "Dear Kim Late,", "L-1"):
        assert words in page, words
    for word in (
        "tofacitinib",
        "alopecia",
        "lymphocytes",
        "neutrophils",
        "blood",
        "laboratory",
        "1986",
        "drug",
        "jakwatch",
    ):
        assert word not in page.lower(), word


def test_who_is_put_aside_gets_no_letter(alice: Browser, desk: Desk, late: int) -> None:
    flags = desk.flags(late, rule="overdue")
    with desk.database.transaction() as session:
        decision = Decision("snooze", "is abroad until May", until=date(2026, 5, 1))
        chosen = {flag.id: flag.version for flag in flags}
        review.decide(session, desk.actor("alice"), session.get_one(Patient, late), chosen, decision, desk.today)
    assert "No letter is due." in text(file(alice, "/due/letters.pdf"))


def test_letters_go_to_the_patients_of_the_page(alice: Browser, late: int) -> None:
    page = alice.get("/due").text
    assert "/due/letters.pdf?state=late" in page
    assert "Dear Kim Late," in text(file(alice, "/due/letters.pdf?state=late"))
    assert "Dear Kim Late," not in text(file(alice, "/due/letters.pdf?state=due"))


def test_what_was_printed_is_noted_as_an_export(
    sign_in: Callable[[str], Browser], database: Database, cast: Cast
) -> None:
    alice = sign_in("alice")
    for path in (f"/patients/{cast.a.patient}/summary.pdf", "/worklist.pdf", "/due/letters.pdf?state=due"):
        file(alice, path)
    with database.reading() as session:
        rows = session.scalars(select(AccessNote).order_by(AccessNote.id))
        noted: list[Any] = [(row.what, row.patient_id, row.detail) for row in rows]
    assert noted == [
        ("papers.summary", cast.a.patient, "exported"),
        ("papers.worklist", None, "exported"),
        ("papers.letters", None, "exported state due"),
    ]
