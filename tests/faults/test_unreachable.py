"""PostgreSQL goes away, goes silent, or goes between the question whether all is stored and its answer (R3)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.exc import OperationalError

from tests.people import Cast
from tests.web.conftest import Browser, app, app_settings, cast, database, sign_in
from tracker import db
from tracker.cli import tracker, working
from tracker.db import Database, Impatient
from tracker.domain.errors import OutcomeUnknown
from tracker.models import Job, Patient
from tracker.operations import jobs
from tracker.operations.actor import Actor

__all__ = ["app", "app_settings", "cast", "database", "sign_in"]  # the fixtures
FERN = {"mrn": "T-1", "family_name": "Fern", "sex": "female", "birth_date": "1990-01-01"}


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def end(database: Database, backend: int) -> None:
    with database.engine.connect() as another:
        another.execute(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})


def lose_it_at_commit(database: Database) -> None:
    """PostgreSQL ends the next connection that asks whether all is stored."""

    def lose(connection: Connection) -> None:
        end(database, connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    event.listen(database.engine, "commit", lose, once=True)


def test_a_connection_lost_at_the_last_word_leaves_the_outcome_unknown(database: Database) -> None:
    lose_it_at_commit(database)
    with pytest.raises(OutcomeUnknown), database.transaction() as session:
        session.execute(text("SELECT 1"))


def test_a_connection_lost_before_the_last_word_is_the_database_gone(database: Database) -> None:
    with pytest.raises(OperationalError), database.transaction() as session:  # noqa: PT012 - the second one fails
        end(database, session.execute(text("SELECT pg_backend_pid()")).scalar_one())
        session.execute(text("SELECT 1"))


def test_whoever_saved_is_told_to_look_first_and_gets_back_what_was_typed(
    database: Database, sign_in: Callable[[str], Browser]
) -> None:
    bob = sign_in("bob")
    token = bob.token()
    lose_it_at_commit(database)
    answer = bob.post("/patients/new", {"csrf_token": token, **FERN})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "Whether this was stored is not known" in answer.text
    assert "before you send it again" in answer.text
    assert "Fern" in answer.text
    assert token not in answer.text.partition("<main")[2].partition("</main>")[0]
    assert bob.post("/patients/new", FERN).status_code == 303, "it was not, and may be sent again"


def test_what_shows_who_one_is_is_not_given_back(database: Database, sign_in: Callable[[str], Browser]) -> None:
    bob = sign_in("bob")
    token = bob.token()
    lose_it_at_commit(database)
    answer = bob.post("/sign-in", {"csrf_token": token, "username": "alice", "password": "wrong", "code": "246810"})
    assert answer.status_code == 503
    assert "246810" not in answer.text


def test_a_server_that_goes_silent_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a frozen machine; a lock that nobody gives back looks the same to whoever waits."""
    monkeypatch.setattr(db, "SILENCE", 0.5)
    with database.engine.connect() as connection:
        assert isinstance(connection.connection.dbapi_connection, Impatient)
        with pytest.raises(OperationalError, match="said nothing"):
            connection.execute(text("SELECT pg_sleep(60)"))
    with database.reading() as session:
        assert session.scalar(select(func.count(Patient.id))) == 0


def test_much_that_takes_long_is_not_silence(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "SILENCE", 0.3)
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT pg_sleep(0.002), repeat('x', 20000) FROM generate_series(1, 400)"))
        assert len(rows.all()) == 400


def test_commands_wait_for_as_long_as_it_takes(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "SILENCE", 0.1)
    opened = Database(postgres_url)
    with opened.reading() as session:
        session.execute(text("SELECT pg_sleep(0.4)"))
    opened.close()


def test_the_worker_outlives_an_outage_and_does_the_job(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a process of its own beside the service, and nobody starts it again."""
    monkeypatch.setattr(working, "PAUSE", 0.05)
    with database.transaction() as session:
        key = jobs.ask(session, Actor("Alice", datetime.now(UTC), "form"), cast.a.clinic, jobs.PREVIEW).id
    with database.transaction() as session:
        for other in session.scalars(select(Job).where(Job.id != key)):
            other.state = jobs.CANCELLED
    lose_it_at_commit(database)
    ended = Event()

    def state() -> str:
        with database.reading() as session:
            return session.get_one(Job, key).state

    def work() -> None:
        monkeypatch.setattr(working.os, "getppid", lambda: 1 if ended.is_set() else 0)
        working.work_on(database, 1, beside=0)

    thread = Thread(target=work)
    thread.start()
    try:
        for _ in range(600):
            if state() not in (jobs.WAITING, jobs.RUNNING) or not thread.is_alive():
                break
            time.sleep(0.1)
        assert thread.is_alive()
        assert state() not in (jobs.WAITING, jobs.RUNNING)
    finally:
        ended.set()
        thread.join()


def test_the_worker_waits_for_a_database_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine starts, and PostgreSQL after us."""
    asked = iter([0, 0, 0, 1])
    monkeypatch.setattr(working, "PAUSE", 0.01)
    monkeypatch.setattr(working.os, "getppid", lambda: next(asked))
    environment = {"TRACKER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    outcome = CliRunner().invoke(tracker, ["work", "--beside", "0"], env=environment)
    assert isinstance(outcome.exception, OperationalError)
    assert list(asked) == [], "it tried until nobody wanted it any more"
