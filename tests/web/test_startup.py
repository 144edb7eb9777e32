"""Whoever would start an unsafe system is told what to mend."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import request
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

import config
from tracker import create_app, load_settings
from tracker.db import Database
from tracker.operations import configure
from tracker.operations.actor import Actor
from tracker.operations.anchors import Seal
from tracker.web import startup
from tracker.web.startup import Misconfigured

SECRET = "b9c1f0a37d5e4826" * 3


def settings(**environ: str) -> dict[str, Any]:
    return config.from_environment(
        {"TRACKER_SECRET_KEY": SECRET, "TRACKER_DATABASE_URL": "sqlite:///:memory:", **environ}
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TRACKER_SECRET_KEY": ""}, "TRACKER_SECRET_KEY is not set"),
        ({"TRACKER_SECRET_KEY": "short-but-random-7f3a"}, "has 21 characters; 32 or more are needed"),
        ({"TRACKER_SECRET_KEY": "a" * 64}, "could be guessed"),
        ({"TRACKER_SECRET_KEY": "please-changeme-before-you-go-live-0"}, "could be guessed"),
        ({"TRACKER_SECRET_KEY": "This-Is-A-Development-Secret-0123456"}, "could be guessed"),
        ({"FLASK_DEBUG": "1"}, "Debugging is on"),
    ],
)
def test_production_refuses_what_would_leave_it_open(environ: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        create_app(settings(**environ))


def test_production_refuses_the_demonstrations_accounts() -> None:
    with pytest.raises(Misconfigured, match="do not belong in production"):
        create_app(settings() | {"DEMO_SIGN_INS": [("Ann", "clinician", "ann", "password")]})


@pytest.mark.parametrize(
    ("place", "open_way"),
    [("db.example.org/jakwatch", True), ("db.example.org/jakwatch?sslmode=require", True),
     ("db.example.org/jakwatch?sslmode=verify-full", False), ("localhost/jakwatch", False),
     ("/jakwatch?host=/run", False), ("/jakwatch?host=db.example.org", True)],
)  # fmt: skip
def test_the_way_to_a_database_on_another_machine_has_to_be_encrypted(place: str, open_way: bool) -> None:
    told = startup.setting_problems(settings(TRACKER_DATABASE_URL=f"postgresql://jakwatch:hush@{place}"))
    assert any("verify-full" in problem for problem in told) is open_way
    assert not any("hush" in problem for problem in told)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        create_app(settings(TRACKER_SECRET_KEY="", FLASK_DEBUG="1"))
    assert len(str(caught.value).splitlines()) == 2


def test_settings_that_say_nothing_are_taken_for_production() -> None:
    with pytest.raises(Misconfigured, match="TRACKER_SECRET_KEY is not set"):
        create_app({"DATABASE_URL": "sqlite:///:memory:"})


def test_production_starts_on_a_database_of_this_version(sqlite_url: str) -> None:
    app = create_app(settings(TRACKER_DATABASE_URL=sqlite_url))
    assert app.test_client().get("/healthz").status_code == 200
    app.extensions["database"].close()


def test_production_refuses_a_database_of_another_version(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"at version none, this program needs .* tracker upgrade"):
        create_app(settings(TRACKER_DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}"))


def test_production_refuses_a_database_that_is_older_than_its_audit_anchor(sqlite_url: str, tmp_path: Path) -> None:
    named = settings(TRACKER_DATABASE_URL=sqlite_url)
    path, older = Path(sqlite_url.removeprefix("sqlite:///")), tmp_path / "older.db"
    shutil.copy(path, older)
    database = Database(sqlite_url, Seal.of(named))
    with database.transaction() as session:
        configure.add_clinic(session, Actor("setup", datetime(2026, 3, 1, tzinfo=UTC), "cli"), "derm", "Dermatology")
    database.close()
    create_app(named).extensions["database"].close()
    shutil.copy(older, path)
    with pytest.raises(Misconfigured, match="audit trail is not the one that was left, entry 1: it is missing"):
        create_app(named)


def test_production_refuses_storage_that_loses_what_it_acknowledged(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite_url)
    with database.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.connection.execute("ROLLBACK")
        connection.connection.execute("PRAGMA synchronous=OFF")
    with pytest.raises(Misconfigured, match="a power cut would lose saved results"):
        startup.check_storage(database)
    database.close()


def test_production_refuses_a_postgresql_that_loses_what_it_acknowledged(postgres_url: str) -> None:
    """The server of these tests is such a one."""
    with pytest.raises(
        Misconfigured, match=r"fsync is off[^\n]*\n.*full_page_writes is off[^\n]*\n.*synchronous_commit is off"
    ):
        create_app(settings(TRACKER_DATABASE_URL=postgres_url))


def test_a_database_that_cannot_be_reached_yet_is_waited_for() -> None:
    app = create_app(settings(TRACKER_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))
    assert app.test_client().get("/healthz").status_code == 503


# ---------------------------------------------------------------------------------------------- config.py


def test_letterheads_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "heads.toml"
    path.write_text('[derm]\naddress = ["1 Elm Street", "Exampletown"]\ntelephone = "0123 456"\n')
    read = config.from_environment({"TRACKER_LETTERHEADS": str(path)})
    assert read["LETTERHEADS"] == {"derm": {"address": ["1 Elm Street", "Exampletown"], "telephone": "0123 456"}}


@pytest.mark.parametrize("content", ["[derm", "derm = 1", "[derm]\naddress = '1 Elm Street'", "[derm]\nfax = '1'"])
def test_a_letterhead_that_cannot_be_read_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "heads.toml"
    path.write_text(content)
    for named in (path, tmp_path / "none.toml"):
        with pytest.raises(ValueError, match="TRACKER_LETTERHEADS"):
            config.from_environment({"TRACKER_LETTERHEADS": str(named)})


def test_the_environment_is_production_unless_it_says_otherwise() -> None:
    read = settings()
    assert (read["PRODUCTION"], read["DEMO"], read["DEBUG"]) == (True, False, False)
    assert (read["IDLE_SECONDS"], read["SESSION_SECONDS"]) == (15 * 60, 12 * 3600)


def test_outside_production_a_secret_is_made_up_at_each_start() -> None:
    first, second = (settings(TRACKER_ENV="demo", TRACKER_SECRET_KEY="")["SECRET_KEY"] for _ in range(2))
    assert len(first) >= 32
    assert first != second


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TRACKER_ENV": "staging"}, "TRACKER_ENV is “staging”"),
        ({"TRACKER_IDLE_MINUTES": "soon"}, "TRACKER_IDLE_MINUTES is “soon”"),
        ({"TRACKER_IDLE_MINUTES": "0"}, "1 or more"),
        ({"TRACKER_SESSION_HOURS": "-1"}, "1 or more"),
        ({"TRACKER_UPLOAD_MB": "1.5"}, "a whole number"),
        ({"TRACKER_PROXIES": "²"}, "a whole number"),
    ],
)
def test_what_cannot_be_read_is_said(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**environ)


def test_every_variable_is_read() -> None:
    read = settings(
        TRACKER_IDLE_MINUTES="5", TRACKER_SESSION_HOURS="8", TRACKER_UPLOAD_MB="2", TRACKER_PROXIES="1",
        TRACKER_TRUSTED_HOSTS="jakwatch.example, www.jakwatch.example",
    )  # fmt: skip
    assert (read["IDLE_SECONDS"], read["SESSION_SECONDS"], read["MAX_CONTENT_LENGTH"]) == (300, 28800, 2 * 1024 * 1024)
    assert (read["TRUSTED_HOSTS"], read["PROXIES"]) == (["jakwatch.example", "www.jakwatch.example"], 1)


def test_the_database_is_a_file_in_the_instance_folder_unless_it_is_named(tmp_path: Path) -> None:
    read = config.from_environment({"TRACKER_INSTANCE": str(tmp_path)})
    assert read["DATABASE_URL"] == f"sqlite:///{tmp_path / 'jakwatch.db'}"


def test_the_configuration_is_taken_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SECRET_KEY", SECRET)
    monkeypatch.setenv("TRACKER_SESSION_HOURS", "3")
    assert load_settings()["SESSION_SECONDS"] == 3 * 3600


def test_every_variable_is_in_the_table_on_top_of_the_file() -> None:
    docstring, _, code = Path(config.__file__).read_text(encoding="utf-8").partition('"""\n\nimport')
    names = set(re.findall(r'"(TRACKER_[A-Z_]+)"', code))
    assert names == set(re.findall(r"\| (TRACKER_[A-Z_]+) \|", docstring))


@pytest.mark.parametrize(("proxies", "seen"), [("0", ("127.0.0.1", False)), ("1", ("203.0.113.7", True))])
def test_what_a_proxy_says_of_the_visitor_counts_only_where_there_is_one(
    sqlite_url: str, proxies: str, seen: tuple[str, bool]
) -> None:
    environ = {"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": sqlite_url, "TRACKER_PROXIES": proxies}
    app = create_app(config.from_environment(environ))
    found: list[tuple[str | None, bool]] = []

    @app.before_request
    def look() -> None:
        found.append((request.remote_addr, request.is_secure))

    app.test_client().get("/healthz", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"})
    assert found == [seen]
    app.extensions["database"].close()


def test_a_database_that_goes_away_while_it_is_looked_at_is_waited_for(sqlite_url: str) -> None:
    """After a power cut both start at once: the service stays, and answers 503 until the database is there."""
    asked: list[str] = []

    def gone(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "audit_entry" in statement:
            asked.append(statement)
            raise OperationalError(statement, {}, Exception("the server closed the connection"))

    event.listen(Engine, "before_cursor_execute", gone)
    try:
        app = create_app(settings(TRACKER_DATABASE_URL=sqlite_url))
    finally:
        event.remove(Engine, "before_cursor_execute", gone)
    assert asked
    assert app.test_client().get("/healthz", base_url="https://localhost").status_code == 200
    app.extensions["database"].close()
