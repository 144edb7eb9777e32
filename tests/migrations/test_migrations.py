"""The schema: every revision up and down with rows in it, on both databases, and what it ends at is what the models
say.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from tracker.db import (
    MIGRATIONS,
    Database,
    current_revision,
    head,
    make_engine,
    migrate,
    self_check,
    sqlite_journal,
    upgrade,
)
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Account, Base, LabResult, Patient
from tracker.operations import configure, enrol, entry
from tracker.operations.actor import Actor
from tracker.operations.audit import first_bad_entry

ACTOR = Actor("setup", datetime(2026, 3, 20, tzinfo=UTC), "cli")


def revisions() -> list[str]:
    return [r.revision for r in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def test_there_is_one_head() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [head()]


def test_head_equals_the_models(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    engine = make_engine(empty_database_url)
    with engine.connect() as connection:
        compares_types = engine.dialect.name == "postgresql"  # SQLite has only TEXT and INTEGER to compare
        context = MigrationContext.configure(connection, opts={"compare_type": compares_types})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_every_revision_goes_up_and_down(empty_database_url: str) -> None:
    for revision in revisions():
        migrate(empty_database_url, revision)
    for revision in [*revisions()[::-1][1:], "base"]:
        migrate(empty_database_url, revision)
    engine = make_engine(empty_database_url)
    assert current_revision(engine) is None
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def _fill(url: str) -> dict[str, int]:
    database = Database(url)
    with database.transaction() as session:
        clinic = configure.add_clinic(session, ACTOR, "derm", "Dermatology")
        patient = enrol.add_patient(
            session, ACTOR, clinic.id, {"mrn": "'; DROP TABLE patient; --", "family_name": "Ünïcode ☃", "sex": "female"}
        )
        entry.save(
            session,
            ACTOR,
            patient,
            [LabReading(patient.mrn, read_moment("2026-03-01", ZoneInfo("UTC")), "ANC", "<0.5", "10*9/L")],
        )
    with database.reading() as session:
        counts = {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables}
    database.close()
    return counts


def test_a_new_database_has_nobody_in_it(empty_database_url: str) -> None:
    """No account exists from the start, with whatever password."""
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    with database.reading() as session:
        assert session.scalars(select(Account)).all() == []
    database.close()


def test_rows_survive_an_upgrade_that_has_nothing_to_do(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    before = _fill(empty_database_url)
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    with database.reading() as session:
        after = {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables}
        assert session.scalars(select(Patient.family_name)).one() == "Ünïcode ☃"
        assert session.scalars(select(LabResult.comparator)).one() == "<"
    database.close()
    assert after == before
    assert before["flag"] >= 1


def test_a_database_of_an_unknown_revision_is_left_alone(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    engine = make_engine(empty_database_url)
    with engine.execution_options(writes=True).connect() as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = 'gone'"))
    engine.dispose()
    with pytest.raises(Exception, match="gone"):
        migrate(empty_database_url)


def test_storage_that_would_lose_data_is_said(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    assert self_check(engine) == []
    with engine.connect() as connection:
        connection.connection.dbapi_connection.execute("PRAGMA synchronous=NORMAL")  # type: ignore[union-attr]
    assert any("synchronous" in problem for problem in self_check(engine))
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "mode"),
    [((3, 40, 1), ("DELETE", "EXTRA")), ((3, 51, 2), ("DELETE", "EXTRA")), ((3, 53, 4), ("WAL", "FULL"))],
)
def test_an_older_sqlite_gets_the_journal_that_is_safe_there(version: tuple[int, ...], mode: tuple[str, str]) -> None:
    assert sqlite_journal(version) == mode


def test_writers_wait_for_each_other_instead_of_failing(database_url: str) -> None:
    """Read then write, eight at a time: with a deferred BEGIN most of these fail at once with "database is locked"."""
    database = Database(database_url)
    with database.transaction() as session:
        clinic_id = configure.add_clinic(session, ACTOR, "derm", "Dermatology").id

    def enrol_one(number: int) -> None:
        with database.transaction() as session:
            session.scalar(select(func.count(Patient.id)))
            enrol.add_patient(session, ACTOR, clinic_id, {"mrn": f"{number:04d}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enrol_one, range(40)))
    with database.reading() as session:
        assert session.scalar(select(func.count(Patient.id))) == 40
        assert first_bad_entry(session) is None
    database.close()
