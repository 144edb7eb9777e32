"""One engine, one way to write. `transaction()` holds the only commit in the code.

SQLite: the bundled 3.53 where there is one, WAL with synchronous=FULL, foreign keys on, BEGIN IMMEDIATE for writers.
Measured reasons are in DESIGN.md, “Storage”.
"""

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

_HERE = Path(__file__).resolve().parent
MIGRATIONS = next(  # beside the package in a checkout, inside it in a wheel
    folder for folder in (_HERE / "migrations", _HERE.parent / "migrations") if (folder / "env.py").exists()
)
SAFE_WAL = (3, 51, 3)  # 3.7.0 to 3.51.2 can corrupt a WAL file when two connections checkpoint at once


def sqlite_driver() -> ModuleType:
    """The newest SQLite at hand: the one `pysqlite3` bundles, else Python's own."""
    try:
        bundled = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return sqlite3
    return bundled if bundled.sqlite_version_info > sqlite3.sqlite_version_info else sqlite3


def sqlite_journal(version: tuple[int, ...]) -> tuple[str, str]:
    """(journal_mode, synchronous) that lost nothing in the power-loss replay, for this library version."""
    return ("WAL", "FULL") if version >= SAFE_WAL else ("DELETE", "EXTRA")


def _prepare_sqlite(engine: Engine, driver: Any) -> None:
    journal, synchronous = sqlite_journal(driver.sqlite_version_info)

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "busy_timeout=10000", f"journal_mode={journal}", f"synchronous={synchronous}",
            "foreign_keys=ON", "cache_size=-64000", "temp_store=MEMORY",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql://…` with the settings that keep what was acknowledged."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        driver = sqlite_driver()
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed.set(drivername="sqlite+pysqlite"), module=driver, hide_parameters=True)
        _prepare_sqlite(engine, driver)
        return engine
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, max_overflow=10, hide_parameters=True
    )


class Database:
    """An engine and the two ways to use it. `seal` is handed to every session: what the audit trail is sealed with."""

    def __init__(self, url: str, seal: object = None) -> None:
        self.url = url
        self._info = {"seal": seal}
        self.engine = make_engine(url)
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is all stored at the end, or none of it. The only place that commits."""
        with Session(self._writer, expire_on_commit=False, info=dict(self._info)) as session:
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one consistent state and writes nothing."""
        with Session(self.engine, autoflush=False, info=dict(self._info)) as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _alembic(engine: Engine) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def head() -> str:
    """The newest schema revision this version of the program knows."""
    revision = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert revision is not None  # the folder ships with the first revision
    return revision


def newer_than_known(revision: str) -> bool:
    """Is this a revision that this version of the program has never heard of?"""
    return revision not in {r.revision for r in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to `revision` (up or down)."""
    engine = make_engine(url)
    try:
        config = _alembic(engine)
        current = current_revision(engine)
        known = [r.revision for r in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]  # newest first
        target = known[0] if revision == "head" else revision
        goes_down = current in known and (target == "base" or known.index(target) > known.index(current))
        (command.downgrade if goes_down else command.upgrade)(config, revision)
    finally:
        engine.dispose()


def upgrade(url: str) -> None:
    """Bring the schema to this version."""
    migrate(url)


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def self_check(engine: Engine) -> list[str]:
    """Storage settings that would lose or corrupt data, a sentence each; empty when there are none."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return _check_sqlite(connection)
        return _check_postgresql(connection)


def _check_sqlite(connection: Any) -> list[str]:
    version = tuple(int(part) for part in connection.execute(text("SELECT sqlite_version()")).scalar_one().split("."))
    journal, synchronous = sqlite_journal(version)
    level = {"FULL": 2, "EXTRA": 3}[synchronous]
    found = {
        name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    problems = []
    if found["journal_mode"].upper() != journal:
        problems.append(f"SQLite journal_mode is {found['journal_mode']}; {journal} is needed.")
    if found["synchronous"] < level:
        problems.append(
            f"SQLite synchronous is {found['synchronous']}; {synchronous} is needed:"
            " a power cut would lose saved results."
        )
    if not found["foreign_keys"]:
        problems.append("SQLite foreign_keys are off.")
    return problems


def _check_postgresql(connection: Any) -> list[str]:
    problems = []
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        value = connection.execute(text(f"SHOW {name}")).scalar_one()
        if value == "off":
            problems.append(f"PostgreSQL {name} is off: a power cut would lose saved results.")
    return problems
