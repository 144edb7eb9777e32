"""What is in no list is said by `tracker check`."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from tests.people import Cast, seed
from tests.tampering import past_the_triggers
from tracker.db import Database
from tracker.models import Base
from tracker.queries.accounted import unaccounted


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def cast(database: Database) -> Cast:
    return seed(database)


def said(database: Database) -> list[str]:
    with database.reading() as session:
        return unaccounted(session)


def test_of_a_clinic_at_work_nothing_is_missing(database: Database, cast: Cast) -> None:
    assert said(database) == []


WAYS = [
    ("patient", {"judged_at": None}, "2 results were stored and not judged since"),
    ("flag", {"clinic_id": 1}, "flags are on the queue of another clinic"),
    ("flag", {"attention": 9}, "open flags that nobody has decided about are on no queue"),
]


@pytest.mark.parametrize(("table", "values", "words"), WAYS)
def test_what_is_in_no_list_is_said(
    database: Database, cast: Cast, table: str, values: dict[str, object], words: str
) -> None:
    if "clinic_id" in values:
        values = {"clinic_id": cast.a.clinic}
    with past_the_triggers(database, table) as connection:
        connection.execute(update(Base.metadata.tables[table]).values(**values))
    (sentence,) = said(database)
    assert words in sentence
