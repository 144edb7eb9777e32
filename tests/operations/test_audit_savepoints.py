"""A file is filed row by row, each in a savepoint: its entries are stored with the whole, and none for a row that was
taken back."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.db import Database
from tracker.domain.errors import Refused
from tracker.models import AuditEntry
from tracker.operations import audit
from tracker.operations.actor import Actor

ACTOR = Actor("import", datetime(2026, 3, 1, 9, 0, tzinfo=UTC), "cli")


@pytest.fixture
def opened(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def note(session: Session, word: str) -> None:
    session.execute(select(1))  # what is noted was written before
    audit.note(session, ACTOR, word, "patient", None, after={"word": word})


def stored(opened: Database) -> list[str]:
    with opened.reading() as session:
        assert audit.first_bad_entry(session) is None
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_every_savepoint_leaves_its_entries(opened: Database) -> None:
    with opened.transaction() as session:
        for word in ("first row", "second row"):
            with session.begin_nested():
                note(session, word)
        note(session, "the file")
    assert stored(opened) == ["first row", "second row", "the file"]


def test_a_row_that_is_taken_back_leaves_none(opened: Database) -> None:
    with opened.transaction() as session:
        note(session, "before")
        with pytest.raises(Refused):
            half_a_row(session)
        note(session, "after")
    assert stored(opened) == ["before", "after"]


def half_a_row(session: Session) -> None:
    with session.begin_nested():
        note(session, "half of a row")
        with session.begin_nested():
            note(session, "a part of that half")
        raise Refused("The other half makes no sense.")


def test_a_transaction_that_is_taken_back_leaves_none(opened: Database) -> None:
    with opened.transaction() as session:
        note(session, "never")
        session.rollback()
    assert stored(opened) == []


def test_a_session_that_stores_twice_stores_each_once(opened: Database) -> None:
    with opened.transaction() as session:
        note(session, "one")
        session.commit()
        note(session, "two")
    assert stored(opened) == ["one", "two"]
