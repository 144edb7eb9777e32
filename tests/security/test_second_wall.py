"""PostgreSQL's own wall between clinics, for the role that runs the service: it holds where the program forgets it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import DBAPIError

import config
from tests.people import CLINICS, PASSWORD, WEAK, Cast, seed
from tests.web.conftest import Browser
from tracker import create_app
from tracker.cli import tracker
from tracker.cli.grants import GROWS, LATER
from tracker.db import EVERYWHERE, NOWHERE, Database, Scope
from tracker.models import AuditEntry, Base, Patient
from tracker.operations.audit import first_bad_entry
from tracker.web import access

CANARY = CLINICS["B"][3]
# Tables with a clinic or a patient in them that stand outside the wall, and why.
OUTSIDE = {
    "membership": "read to find out which clinics somebody works at",
    "queue_visit": "when somebody looked",
    "access_note": "who looked: keys alone, written before the clinic is known",
    "emergency_access": "read to find out what somebody opened",
    "reference_range": "a yardstick, of no patient",
    "clinic_setting": "a yardstick, of no patient",
}


@pytest.fixture
def owner(postgres_url: str) -> Iterator[Database]:
    opened = Database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def cast(owner: Database) -> Cast:
    return seed(owner)


@pytest.fixture
def role_url(postgres_url: str, cast: Cast) -> Iterator[str]:
    """The same database for the role that runs the service, with what `tracker grants` gives it."""
    url = make_url(postgres_url)
    role = f"service_{url.database}"
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'service'")  # type: ignore[arg-type]
        connection.execute(CliRunner().invoke(tracker, ["grants", role]).stdout)  # type: ignore[arg-type]
        yield url.set(username=role, password="service").render_as_string(False)
        connection.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"  # type: ignore[arg-type]
        )
        connection.execute(f"DROP OWNED BY {role}")  # type: ignore[arg-type]
        connection.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]


@pytest.fixture
def service(role_url: str) -> Iterator[Database]:
    opened = Database(role_url)
    yield opened
    opened.close()


@pytest.fixture
def app(role_url: str) -> Iterator[Flask]:
    read = config.from_environment({"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": role_url})
    made = create_app(read | {"TESTING": True, "PASSWORD_HASHER": WEAK})
    yield made
    made.extensions["database"].close()


def rows(database: Database, scope: Scope, table: Any) -> str:
    with database.reading(scope) as session:
        return repr(session.execute(select(table)).all())


def test_every_table_of_a_clinic_is_behind_the_wall_or_named(owner: Database) -> None:
    with owner.reading() as session:
        behind = set(session.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity")))
    of_a_clinic = {
        table.name for table in Base.metadata.tables.values() if {"clinic_id", "patient_id"} & set(table.columns.keys())
    }
    assert of_a_clinic - behind == set(OUTSIDE)


def test_a_statement_without_any_condition_sees_no_row_of_another_clinic(
    owner: Database, service: Database, cast: Cast
) -> None:
    mine, theirs = Scope(frozenset({cast.a.clinic})), Scope(frozenset({cast.b.clinic}))
    for table in Base.metadata.sorted_tables:
        whole = rows(owner, EVERYWHERE, table)
        assert rows(service, EVERYWHERE, table) == whole, table.name  # a command sees all
        if table.name not in OUTSIDE:
            assert CANARY not in rows(service, mine, table), table.name
            assert ("Almondine" in rows(service, mine, table)) == ("Almondine" in whole), table.name
            assert "Almondine" not in rows(service, theirs, table), table.name
    with service.reading(NOWHERE) as session:
        assert session.scalar(select(func.count(Patient.id))) == 0
    with service.engine.connect() as connection:  # a connection that says nothing sees nothing
        assert connection.scalar(select(func.count(Patient.id))) == 0


def test_nor_changes_one(service: Database, cast: Cast) -> None:
    mine = Scope(frozenset({cast.a.clinic}))
    with service.transaction(mine) as session:
        changed = session.execute(
            text("UPDATE patient SET family_name = 'X' WHERE clinic_id = :b"), {"b": cast.b.clinic}
        )
        assert changed.rowcount == 0  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="row-level security"), service.transaction(mine) as session:
        session.execute(text("UPDATE patient SET clinic_id = :b"), {"b": cast.b.clinic})


def test_with_the_programs_own_wall_taken_down_nothing_of_the_other_clinic_is_shown(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = Browser(app)
    assert alice.sign_in("alice").status_code == 303
    assert alice.get(f"/patients/{cast.a.patient}").status_code == 200
    monkeypatch.setattr(access, "current_clinics", lambda: frozenset({cast.a.clinic, cast.b.clinic}))
    record = cast.b
    for path in (
        f"/patients/{record.patient}", f"/patients/{record.patient}/timeline", f"/results/{record.result}",
        f"/courses/{record.course}", f"/events/{record.event}", f"/imports/{record.batch}", "/patients?q=BI", "/",
    ):  # fmt: skip
        answer = alice.get(path)
        assert CANARY not in answer.text, path
        assert answer.status_code in (200, 404), path


def test_the_service_works_as_that_role(app: Flask, owner: Database, cast: Cast) -> None:
    bob, dan = Browser(app), Browser(app)
    assert bob.sign_in("bob", PASSWORD).status_code == 303
    form = {"mrn": "NEW-1", "family_name": "Newman", "sex": "female", "birth_date": "1990-01-01"}
    assert bob.post("/patients/new", form).status_code == 303
    assert "Newman" in bob.get("/patients?q=NEW").text
    dan.sign_in("dan")
    assert "Newman" in dan.get("/audit?mrn=NEW-1").text
    assert CANARY not in dan.get("/audit").text
    assert dan.post("/audit/check").status_code == 303
    with owner.reading() as session:
        assert first_bad_entry(session) is None
        assert session.scalars(select(AuditEntry.actor).order_by(AuditEntry.id.desc())).first() == "Dan Dale"


def test_that_role_deletes_no_record_and_changes_no_row_of_what_only_grows(service: Database) -> None:
    refused = [f'DELETE FROM "{table}"' for table in Base.metadata.tables if table != "draft"]
    refused += [f"UPDATE {table} SET id = id" for table in (*GROWS, *LATER)]
    for statement in refused:
        with pytest.raises(DBAPIError, match="permission denied"), service.transaction() as session:
            session.execute(text(statement))


def test_that_role_makes_changes_and_empties_no_table_and_gives_itself_nothing(service: Database) -> None:
    for statement in (
        "CREATE TABLE mine (id int)", "DROP TABLE patient", "ALTER TABLE audit_entry ADD COLUMN x int",
        "TRUNCATE audit_entry", "ALTER TABLE audit_entry DISABLE TRIGGER ALL", "DROP POLICY of_my_clinics ON patient",
        "CREATE ROLE another", "ALTER ROLE CURRENT_USER SUPERUSER",
        "UPDATE alembic_version SET version_num = 'x'", "COPY patient TO PROGRAM 'cat'",
    ):  # fmt: skip
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"), service.transaction() as session:
            session.execute(text(statement))
    with service.reading() as session:
        assert session.scalar(text("SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles "
                                   "WHERE rolname = CURRENT_USER")) is False  # fmt: skip
