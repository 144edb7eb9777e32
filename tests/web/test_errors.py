"""What went wrong is said in words, with what to do; never a traceback, a statement, or a patient's data in the log."""

import errno
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import RequestEntityTooLarge

from tests.people import WEAK
from tracker import create_app
from tracker.db import Database
from tracker.domain.errors import Gone, NotAllowed, NotFound, OutcomeUnknown, Refused, Stale
from tracker.web import access, sessions
from tracker.web.database import database, reading

CANARY = "Almondine-4711"
CASES: list[tuple[Exception, int, str]] = [
    (NotFound("There is no such patient."), 404, "it is not yours to see"),
    (NotAllowed("This is for clinicians."), 403, "This is for clinicians."),
    (Refused("The sample is from before the birth."), 400, "The sample is from before the birth."),
    (Stale("Somebody else changed this record."), 409, "Somebody else changed this record."),
    (StaleDataError("UPDATE flag … expected 1 row"), 409, "changed while you were looking"),
    (IntegrityError("INSERT", {}, Exception(CANARY)), 409, "sent twice"),
    (OperationalError("SELECT", {}, Exception(CANARY)), 503, "Try again in a while"),
    (PoolTimeout(CANARY), 503, "Try again in a while"),
    (DatabaseError("SELECT", {}, Exception(CANARY)), 503, "Try again in a while"),
    (OutcomeUnknown(), 503, "Look at the record in a while"),
    (OSError(errno.ENOSPC, CANARY), 503, "The disk of the server is full"),
    (OSError(errno.ENOENT, CANARY), 500, "report the reference"),
    (Gone("Choose the file again."), 404, "Choose the file again."),
    (RequestEntityTooLarge(), 413, "Split it"),
    (RuntimeError(CANARY), 500, "report the reference"),
    (KeyError(CANARY), 500, "report the reference"),
]


@pytest.fixture
def app_settings(app_settings: dict[str, Any]) -> dict[str, Any]:
    return app_settings | {"TESTING": False}


@pytest.fixture
def failing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """A page at /fails that fails as told."""
    told: list[Exception] = []

    def fail() -> str:
        raise told[-1]

    app.add_url_rule("/fails", "fails", fail, methods=["GET", "POST"])
    monkeypatch.setitem(access.ENDPOINTS, "fails", access.STAFF)  # type: ignore[arg-type]
    return told.append


@pytest.mark.parametrize(("error", "status", "words"), CASES, ids=[f"{type(e).__name__}-{s}" for e, s, _ in CASES])
def test_each_kind_of_failure_has_its_page(
    failing: Callable[[Exception], None],
    alice: Any,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    words: str,
) -> None:
    failing(error)
    answer = alice.get("/fails")
    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers["X-Request-ID"] in answer.text
    told = answer.text + caplog.text
    assert CANARY not in told
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    if status == 503:
        assert answer.headers["Retry-After"] == "10"


def test_a_part_of_a_page_is_answered_with_a_part(failing: Callable[[Exception], None], alice: Any) -> None:
    failing(Refused("The sample is from before the birth."))
    answer = alice.get("/fails", headers={"HX-Request": "true"})
    assert answer.status_code == 400
    assert "<html" not in answer.text
    assert "The sample is from before the birth." in answer.text


def test_the_log_names_the_place_and_the_kind_of_an_unexpected_failure(
    failing: Callable[[Exception], None], alice: Any, caplog: pytest.LogCaptureFixture
) -> None:
    failing(RuntimeError(CANARY))
    with caplog.at_level(logging.ERROR):
        answer = alice.get("/fails")
    assert "RuntimeError at fails" in caplog.text
    assert answer.headers["X-Request-ID"] in caplog.text
    assert "test_errors.py" in caplog.text


def test_a_stale_form_gives_back_what_was_typed(failing: Callable[[Exception], None], alice: Any) -> None:
    failing(Stale("Somebody else changed this record."))
    answer = alice.post("/fails", {"new_dose": "5 mg", "version": "3", "password": "hush"})
    assert "new dose" in answer.text
    assert "5 mg" in answer.text
    assert "hush" not in answer.text
    assert alice.token() not in answer.text.partition("<main")[2].partition("</main>")[0]


def test_an_address_that_does_not_exist_is_not_found_by_anybody(alice: Any, visitor: Any) -> None:
    for browser in (alice, visitor):
        assert browser.get("/no-such-page").status_code == 404
    assert alice.client.delete("/account").status_code == 405


def test_with_the_database_gone_every_page_says_so_and_files_are_still_served(app: Flask, alice: Any) -> None:
    held = app.extensions["database"]
    gone = create_app({**app.config, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "PASSWORD_HASHER": WEAK})
    app.extensions["database"] = gone.extensions["database"]
    try:
        for path in ("/account", "/", "/healthz"):
            answer = alice.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10"), path
        assert alice.get("/static/css/jakwatch.css").status_code == 200
        assert alice.client.post("/sign-out", data={"csrf_token": "x"}).status_code == 503
    finally:
        app.extensions["database"] = held
    assert alice.get("/account").status_code == 200, "and back it is, with the session as it was"


def test_a_failed_statement_does_not_spoil_the_error_page(
    app: Flask, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        try:
            reading().execute(text("SELECT nothing FROM nowhere"))
        except Exception:  # whatever the database calls it
            raise Refused("That cannot be shown.") from None
        return ""

    app.add_url_rule("/spoilt", "spoilt", fail)
    monkeypatch.setitem(access.ENDPOINTS, "spoilt", access.STAFF)  # type: ignore[arg-type]
    answer = sign_in("alice").get("/spoilt")
    assert answer.status_code == 400
    assert "That cannot be shown." in answer.text


def test_healthz_says_ok_and_nothing_else(visitor: Any) -> None:
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok\n", "text/plain")
    assert "Set-Cookie" not in answer.headers


def test_no_connection_is_left_open_by_any_answer(failing: Callable[[Exception], None], app: Flask, alice: Any) -> None:
    failing(RuntimeError("anything"))
    for path in ("/account", "/fails", "/nothing", "/healthz", "/sign-in"):
        alice.get(path)
    with app.app_context():
        pool = database().engine.pool
    assert pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_connection_lost_while_somebody_is_recognised_is_the_database_gone(
    app: Flask, sign_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends the connection between two statements of finding out who it is: 503, as everywhere."""
    opened: Database = app.extensions["database"]
    if opened.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    alice = sign_in("alice")
    found = sessions._find

    def found_and_lost(digest: str) -> Any:
        one = found(digest)
        mine = reading().scalar(text("SELECT pg_backend_pid()"))
        with opened.engine.connect() as another:
            another.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})
        return one

    monkeypatch.setattr(sessions, "_find", found_and_lost)
    answer = alice.get("/account")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    monkeypatch.undo()
    assert "Alice Archer" in alice.get("/account").text


@pytest.mark.parametrize("body", ["username=" + "x" * 5_300_000, "&".join("a=1" for _ in range(20_001))])
def test_a_form_of_more_than_a_form_has_is_refused_before_it_is_taken_apart(visitor: Any, body: str) -> None:
    answer = visitor.client.post("/sign-in", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    assert "larger than is taken here" in answer.text
