"""Every way to set it up so that it would be open, or lose what it said was stored (R31): the program does not start.

In each it is started as `tracker serve` starts it, and has to refuse in a sentence that names what is wrong.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

import config
from tests.trust.lines import Line
from tests.trust.staff import SECRET
from tracker import create_app, db
from tracker.db import Database, migrate, upgrade
from tracker.operations import configure
from tracker.operations.actor import Actor
from tracker.operations.anchors import Seal
from tracker.web import startup
from tracker.web.startup import Misconfigured


def settings(**environ: str) -> dict[str, Any]:
    """Those of a production system, but for what is named."""
    return config.from_environment({"TRACKER_SECRET_KEY": SECRET} | environ)


def refusal(start: Callable[[], Any]) -> str:
    """What the program says instead of starting; "" where it starts."""
    try:
        app = start()
    except Misconfigured as why:
        return str(why)
    if app is not None:
        app.extensions["database"].close()
    return ""


def made(folder: Path) -> str:
    """The address of a database of this version, with an entry in its audit trail."""
    url = f"sqlite:///{folder / 'jakwatch.db'}"
    upgrade(url)
    _write(url, datetime.now(UTC))
    return url


def _write(url: str, at: datetime) -> None:
    actor, sealed = Actor("setup", at, "cli"), Seal.of(settings(TRACKER_DATABASE_URL=url))
    with closing(Database(url, sealed)) as database, database.transaction() as session:
        configure.add_clinic(session, actor, f"c{at:%H%M%S%f}", "A clinic")


# ---------------------------------------------------------------------------------------------- settings

SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "no secret": ({"TRACKER_SECRET_KEY": ""}, "TRACKER_SECRET_KEY is not set"),
    "a short secret": ({"TRACKER_SECRET_KEY": "short-but-random-7f3a"}, "32 or more are needed"),
    "a secret that is known": ({"TRACKER_SECRET_KEY": "please-changeme-before-you-go-live-0"}, "could be guessed"),
    "debugging": ({"FLASK_DEBUG": "1"}, "Debugging is on"),
    "a short token for the metrics": ({"TRACKER_METRICS_TOKEN": "abc"}, "TRACKER_METRICS_TOKEN has 3 characters"),
}


def of_settings(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(what is wrong, words that have to be in the refusal, the refusal)."""
    url = made(folder)
    for name, (environ, words) in SETTINGS.items():
        told = settings(TRACKER_DATABASE_URL=url, **environ)
        yield name, words, refusal(lambda told=told: create_app(told))
    demonstration = settings(TRACKER_DATABASE_URL=url) | {"DEMO_SIGN_INS": [("Ann", "clinician", "ann", "password")]}
    yield "the demonstration's accounts", "do not belong in production", refusal(lambda: create_app(demonstration))


# ---------------------------------------------------------------------------------------------- SQLite

PRAGMAS = {
    "SQLite's journal": ("journal_mode=DELETE", "journal_mode is delete; WAL is needed"),
    "SQLite's synchronous": ("synchronous=NORMAL", "a power cut would lose saved results"),
    "SQLite's foreign keys": ("foreign_keys=OFF", "foreign_keys are off"),
}


def of_sqlite(folder: Path) -> Iterator[tuple[str, str, str]]:
    url = made(folder)
    for name, (pragma, words) in PRAGMAS.items():
        yield name, words, refusal(lambda pragma=pragma: _with_pragma(url, pragma))
    needed, db.OLDEST_SQLITE = db.OLDEST_SQLITE, (99, 0, 0)
    try:
        yield "an old SQLite", "99.0.0 or newer is needed", refusal(lambda: _start(url))
    finally:
        db.OLDEST_SQLITE = needed


def _start(url: str) -> Any:
    return create_app(settings(TRACKER_DATABASE_URL=url))


def _with_pragma(url: str, pragma: str) -> None:
    """What the driver was told on connecting is told otherwise, as a file system may do that has no shared memory."""
    with closing(Database(url, Seal.of(settings(TRACKER_DATABASE_URL=url)))) as database:
        with database.engine.connect() as connection:
            connection.connection.driver_connection.execute(f"PRAGMA {pragma}")  # type: ignore[union-attr]
        startup.check_storage(database)


# ---------------------------------------------------------------------------------------------- what is in it


def of_content(folder: Path) -> Iterator[tuple[str, str, str]]:
    yield "an empty database", "Run: tracker upgrade", refusal(lambda: _start(f"sqlite:///{folder / 'empty.db'}"))
    former = made(folder / "former")
    _, older_revision, *_ = ScriptDirectory(str(db.MIGRATIONS)).walk_revisions()
    migrate(former, older_revision.revision)
    yield "an older schema", "Run: tracker upgrade", refusal(lambda: _start(former))
    behind = made(folder / "behind")
    _write(behind, datetime.now(UTC) + timedelta(hours=1))
    yield "a clock that is behind", "set the clock right", refusal(lambda: _start(behind))
    replaced = made(folder / "replaced")
    path, older = folder / "replaced" / "jakwatch.db", folder / "older.db"
    shutil.copy(path, older)
    _write(replaced, datetime.now(UTC))
    shutil.copy(older, path)
    yield "an older copy of the data", "audit trail is not the one that was left", refusal(lambda: _start(replaced))


# ---------------------------------------------------------------------------------------------- PostgreSQL

WEAK = ("fsync", "full_page_writes", "synchronous_commit")


def of_postgresql() -> Iterator[tuple[str, str, str]]:
    from deploy.rehearse import Postgres  # noqa: PLC0415 - the server's package is asked for here alone

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="jakwatch-", dir="/tmp")))
        folder.chmod(0o755)  # run by root, the server belongs to another user
        postgres = Postgres(folder)
        stack.callback(postgres.server.cleanup)
        upgrade(postgres.owner)
        named = make_url(postgres.server.get_uri(driver="psycopg")).set(drivername="postgresql", database="jakwatch")
        admin = named.render_as_string(hide_password=False)
        yield "a role that may do everything", "without SUPERUSER", refusal(lambda: _start(admin))
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in WEAK:
                connection.execute(f"ALTER SYSTEM SET {name} = off".encode())
                connection.execute(b"SELECT pg_reload_conf()")
                connection.execute(b"SELECT pg_sleep(0.5)")
                yield f"PostgreSQL's {name}", f"{name} is off", refusal(lambda: _start(postgres.owner))
                connection.execute(f"ALTER SYSTEM RESET {name}".encode())
                connection.execute(b"SELECT pg_reload_conf()")


def check(_full: bool) -> Iterator[Line]:
    tried, wrong = 0, []
    with TemporaryDirectory(prefix="jakwatch-trust-") as folder:
        for place, way in enumerate((of_settings, of_sqlite, of_content)):
            own = Path(folder) / str(place)
            own.mkdir()
            for name, words, said in way(own):
                tried += 1
                wrong += [] if words in said else [f"{name}: {said or 'it starts'}"]
    for name, words, said in of_postgresql():
        tried += 1
        wrong += [] if words in said else [f"{name}: {said or 'it starts'}"]
    figure = f"{tried - len(wrong)} of {tried} refused in a sentence"
    yield Line(
        "R31", "an unsafe set-up is started", figure, "all of 15 or more", not wrong and tried >= 15, "; ".join(wrong)
    )
