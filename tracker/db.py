"""One engine, one way to write. `transaction()` holds the only commit in the code.

SQLite: the bundled 3.53 where there is one, WAL with synchronous=FULL, foreign keys on, BEGIN IMMEDIATE for writers.
Measured reasons are in DESIGN.md, “Storage”.
"""

import importlib
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import psycopg
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tracker.domain.errors import OutcomeUnknown, Stale

_HERE = Path(__file__).resolve().parent
MIGRATIONS = next(  # beside the package in a checkout, inside it in a wheel
    folder for folder in (_HERE / "migrations", _HERE.parent / "migrations") if (folder / "env.py").exists()
)
PATIENCE, BRIEF = 10_000, 200  # milliseconds that a writer waits for another; and one that can come back later
SILENCE = 10.0  # seconds without a byte after which a page no longer waits for PostgreSQL
# A server, or a network on the way to it, that is gone is noticed within about eight seconds, at whatever point.
REACHABLE = {
    "connect_timeout": 5, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 5,
    "tcp_user_timeout": 8000,
}  # fmt: skip
SAFE_WAL = (3, 51, 3)  # 3.7.0 to 3.51.2 can corrupt a WAL file when two connections checkpoint at once
OLDEST_SQLITE, OLDEST_POSTGRESQL = (3, 37, 0), 15  # STRICT tables; what the tests are made with


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
            f"busy_timeout={PATIENCE}", f"journal_mode={journal}", f"synchronous={synchronous}",
            "foreign_keys=ON", "cache_size=-64000", "temp_store=MEMORY",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if options.get("brief"):
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BRIEF}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
        finally:
            if options.get("brief"):
                connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE}")


class Impatient(psycopg.Connection[Any]):
    """A connection that is given up when nothing came or went for SILENCE: a server that is frozen, or cut off by
    something that keeps its side of the line open. Many rows on their way are no silence.
    """

    def wait(self, gen: Generator[Any, Any, Any], *more: Any, **told: Any) -> Any:
        return super().wait(self._heard(gen), *more, **told)

    def _heard(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """What `gen` yields, and whether its socket is ready passed on to it (0: not since a tenth of a second)."""
        try:
            wanted, heard = next(gen), time.monotonic()
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENCE:
                    self.close()
                    raise psycopg.OperationalError(f"the server said nothing for {SILENCE:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def make_engine(url: str, impatient: bool = False) -> Engine:
    """An engine for `sqlite:///file` or `postgresql://…` with the settings that keep what was acknowledged.

    `impatient`: what PostgreSQL does not answer fails after a while, for pages; commands wait for as long as it takes.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        driver = sqlite_driver()
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed.set(drivername="sqlite+pysqlite"), module=driver, hide_parameters=True)
        _prepare_sqlite(engine, driver)
        return engine
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, max_overflow=10, hide_parameters=True,
        connect_args={name: value for name, value in REACHABLE.items() if name not in parsed.query},
    )  # fmt: skip
    if impatient:
        event.listen(engine, "do_connect", lambda _dialect, _record, args, told: Impatient.connect(*args, **told))
    return engine


_TURN = 0x4A414B59  # one number for "the yardsticks of this database"; the audit chain has another
_NOT_AVAILABLE = "55P03"


class Scope(NamedTuple):
    """Whose rows a transaction sees on PostgreSQL, where its row-level security holds (every role but the owner):
    those of these clinics (None: of all), and of single patients beside.
    """

    clinics: frozenset[int] | None = None
    patients: frozenset[int] = frozenset()


EVERYWHERE, NOWHERE = Scope(), Scope(frozenset())
_SET_SCOPE = "SELECT set_config('jakwatch.clinics', %s, true), set_config('jakwatch.patients', %s, true)"


class ScopedSession(Session):
    """A session whose transactions each begin by saying whose rows they are about."""


@event.listens_for(ScopedSession, "after_begin")
def _say_scope(session: Session, _transaction: Any, connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        scope: Scope = session.info["scope"]
        clinics = "*" if scope.clinics is None else ",".join(map(str, sorted(scope.clinics)))
        raw = connection.connection.dbapi_connection
        assert raw is not None  # a transaction has just begun on it
        gone = connection.dialect.loaded_dbapi.OperationalError
        try:
            raw.cursor().execute(_SET_SCOPE, (clinics, ",".join(map(str, sorted(scope.patients)))))
        except gone as error:  # past SQLAlchemy, which would have said so in its own words
            connection.invalidate(error)
            raise OperationalError(_SET_SCOPE, None, error, connection_invalidated=True) from error


def rescope(session: Session, scope: Scope) -> None:
    """See other rows from here on, in the transaction that is running and those that follow."""
    session.info["scope"] = scope
    if session.in_transaction():
        _say_scope(session, None, session.connection())


class Database:
    """An engine and the two ways to use it.

    `seal` is handed to every session: what the audit trail is sealed with. `scope` says whose rows a session sees
    where none is named. `impatient`: see make_engine.
    """

    def __init__(
        self, url: str, seal: object = None, scope: Callable[[], Scope] = lambda: EVERYWHERE, impatient: bool = False
    ) -> None:
        self.url = url
        self.engine = make_engine(url, impatient)
        self._seal, self._scope = seal, scope
        self._writer = self.engine.execution_options(writes=True)
        self._brief_writer = self.engine.execution_options(writes=True, brief=True)

    @contextmanager
    def transaction(
        self, scope: Scope | None = None, brief: bool = False, alone: bool = False, waits: bool = True
    ) -> Iterator[Session]:
        """A session whose work is all stored at the end, or none of it. The only place that commits. Raises
        OutcomeUnknown where that was asked for and no answer came.

        `brief`: fail soon where another writer is at it (SQLite), for what can be stored later as well.
        `alone`: no other transaction writes meanwhile, because a yardstick changes under all of them. It begins when
        those that run have ended; after eight seconds of waiting it raises Stale. What judges nothing need not wait
        for it (`waits`). On SQLite there is one writer at a time anyway.
        """
        engine = self._brief_writer if brief else self._writer
        with ScopedSession(engine, expire_on_commit=False, info=self._info(scope)) as session:
            if self.engine.dialect.name == "postgresql":
                _take_turn(session, alone, waits and not brief)
            yield session
            try:
                session.commit()
            except OperationalError as error:
                if error.statement is None:  # not one of the work's own statements: the last word itself
                    raise OutcomeUnknown from error
                raise

    @contextmanager
    def reading(self, scope: Scope | None = None) -> Iterator[Session]:
        """A session that sees one consistent state and writes nothing."""
        with ScopedSession(self.engine, autoflush=False, info=self._info(scope)) as session:
            yield session

    def _info(self, scope: Scope | None) -> dict[Any, Any]:
        return {"seal": self._seal, "scope": self._scope() if scope is None else scope}

    def close(self) -> None:
        self.engine.dispose()


def _take_turn(session: Session, alone: bool, waits: bool) -> None:
    """The writers' turn, given back at the end of the transaction: shared by all of them, or one's alone."""
    if not alone:
        if waits:
            session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _TURN})
        return
    session.execute(text("SET LOCAL lock_timeout = '8s'"))
    try:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURN})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_AVAILABLE:
            raise
        raise Stale("A file is being imported, or much is being judged. Try again when that has ended.") from None
    session.execute(text("SET LOCAL lock_timeout = DEFAULT"))


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
    if version < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        problems.append(
            f"SQLite is {'.'.join(map(str, version))}; {needed} or newer is needed, which keeps types apart."
        )
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
    version = connection.execute(text("SHOW server_version_num")).scalar_one()
    if int(version) // 10_000 < OLDEST_POSTGRESQL:
        problems.append(f"PostgreSQL is {int(version) // 10_000}; {OLDEST_POSTGRESQL} or newer is needed.")
    mighty = "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
    if (role := connection.execute(text(mighty)).scalar()) is not None:
        problems.append(
            f"The role {role} may do everything on this PostgreSQL: neither the walls between clinics nor those around"
            " the audit trail would hold. Use a role of its own, without SUPERUSER and BYPASSRLS."
        )
    return problems
