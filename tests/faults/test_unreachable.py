"""PostgreSQL goes away, goes silent, or goes between the question whether all is stored and its answer (R3)."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.exc import OperationalError

from tests.web.conftest import Browser, app, app_settings, cast, database, sign_in
from tracker import db
from tracker.db import Database, Impatient
from tracker.domain.errors import OutcomeUnknown
from tracker.models import Patient

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
