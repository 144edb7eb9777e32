"""Who looked is on record: each page about a patient, each list, search and export. Two clicks show it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import select

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import soup, words
from tracker.db import Database
from tracker.models import AccessNote

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def notes(database: Database) -> list[tuple[int, str, int | None, str]]:
    with database.reading() as session:
        rows = session.scalars(select(AccessNote).order_by(AccessNote.id))
        return [(row.account_id, row.what, row.patient_id, row.detail) for row in rows]


def test_pages_about_a_patient_are_noted_with_who_and_which(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice, me = sign_in("alice"), cast.accounts["alice"]
    for path in (f"/patients/{cast.a.patient}", f"/results/{cast.a.result}", f"/courses/{cast.a.course}"):
        assert alice.get(path).status_code == 200
    assert notes(database) == [
        (me, what, cast.a.patient, "") for what in ("patients.show", "results.show", "courses.show")
    ]


def test_lists_searches_and_exports_are_noted(sign_in: SignIn, database: Database, cast: Cast) -> None:
    dan, me = sign_in("dan"), cast.accounts["dan"]
    dan.get("/")
    dan.get("/patients?q=Almond")
    dan.get("/audit.csv?mrn=AL-0001")
    assert notes(database) == [
        (me, "queue.index", None, ""),
        (me, "patients.index", None, "searched q Almond"),
        (me, "audit.export", None, "exported mrn AL-0001"),
    ]


def test_what_somebody_was_not_shown_is_no_look(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    assert alice.get(f"/patients/{cast.b.patient}").status_code == 404
    assert sign_in("carol").get(f"/patients/{cast.a.patient}/edit").status_code == 403
    alice.get("/account")
    assert notes(database) == []


def test_the_same_page_within_five_minutes_is_noted_once(
    clock: time_machine.Traveller, sign_in: SignIn, database: Database, cast: Cast
) -> None:
    alice, path = sign_in("alice"), f"/patients/{cast.a.patient}"
    alice.get(path)
    alice.get(path)
    sign_in("dan").get(path)
    assert len(notes(database)) == 2
    clock.shift(301)
    alice.get(path)
    assert len(notes(database)) == 3


def test_two_clicks_show_who_looked(sign_in: SignIn, database: Database, cast: Cast) -> None:
    sign_in("bob").get(f"/patients/{cast.a.patient}")
    sign_in("mallory").get(f"/patients/{cast.b.patient}")
    for username in ("alice", "carol", "dan"):
        reader = sign_in(username)
        record = reader.get(f"/patients/{cast.a.patient}")
        link = next(a for a in soup(record).select("a") if a.get_text() == "Who looked")
        page = words(reader.get(str(link["href"])))
        assert "Bob Birch recorder record" in page
        assert "Mallory" not in page


def test_a_page_does_not_wait_for_somebody_who_writes_and_the_note_is_stored_later(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    if database.engine.dialect.name != "sqlite":
        return  # there, writers do not wait for each other
    alice = sign_in("alice")
    with database.transaction() as importing:
        importing.execute(select(1))  # from here on it holds the one place for writers
        assert alice.get(f"/patients/{cast.a.patient}").status_code == 200
        assert notes(database) == []
    alice.get("/")
    assert [what for _, what, *_ in notes(database)] == ["patients.show", "queue.index"]
