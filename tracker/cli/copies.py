"""Backup while others work, and restore: SQLite by its backup API, PostgreSQL by pg_dump of the snapshot that is told.

The manifest says what is in it: the schema's revision, and for every table its rows and a digest of them in order; the
number and digest of the last audit entry. After a restore all of that is worked out again and compared.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from sqlalchemy import Connection, Engine, LargeBinary, inspect, make_url, text

from tracker.cli import archive
from tracker.db import make_engine, newer_than_known, sqlite_driver
from tracker.domain.errors import Refused

FORMAT = 1


def back_up(url: str, target: Path, at: datetime, key: str | None = None) -> dict[str, Any]:
    """Write a backup of one consistent state to a new file; its manifest. Raises Refused."""
    if target.exists():
        raise Refused(f"{target} is there already; a backup never takes the place of another.")
    engine = make_engine(url)
    try:
        with TemporaryDirectory(prefix="jakwatch-") as folder:
            scratch = Path(folder)
            copy = _copy_sqlite if engine.dialect.name == "sqlite" else _copy_postgresql
            content, found = copy(url, engine, scratch)
            if found["revision"] is None:
                raise Refused("The database is empty: there is nothing to back up.")
            manifest = {"format": FORMAT, "made_at": at.isoformat(), "database": engine.dialect.name, **found}
            archive.pack(target, manifest, content, key, scratch)
    except (OSError, sqlite_driver().OperationalError) as why:
        said = getattr(why, "strerror", None) or why
        raise Refused(
            f"The backup could not be made: {said}. Until it is packed, the copy lies in {gettempdir()};"
            " TMPDIR names another folder."
        ) from why
    finally:
        engine.dispose()
    return manifest


def restore(url: str, source: Path, key: str | None = None) -> dict[str, Any]:
    """Bring a backup into a database without data, and compare every table; its manifest. Raises Refused."""
    with TemporaryDirectory(prefix="jakwatch-") as folder:
        manifest, content = archive.unpack(source, key, Path(folder))
        engine = make_engine(url)
        try:
            _check_fits(manifest, engine, source)
            _check_vacant(engine)
            if engine.dialect.name == "sqlite":
                _into_sqlite(engine, content, manifest)
            else:
                _into_postgresql(url, content)
            with engine.connect() as connection:
                _compare(manifest, describe(connection))
        finally:
            engine.dispose()
    return manifest


def _check_fits(manifest: Mapping[str, Any], engine: Engine, source: Path) -> None:
    if manifest.get("format") != FORMAT:
        raise Refused(f"{source.name} is a backup in format {manifest.get('format')}; this version reads {FORMAT}.")
    if manifest["database"] != engine.dialect.name:
        raise Refused(f"{source.name} is a backup of {manifest['database']}; this database is {engine.dialect.name}.")
    if newer_than_known(manifest["revision"]):
        raise Refused(
            f"{source.name} is of schema {manifest['revision']}, which this version of Jakwatch does not know."
            " Restore it with the version that made it, or a newer one."
        )


def _check_vacant(engine: Engine) -> None:
    """Refuse to restore over anything that somebody stored."""
    with engine.connect() as connection:
        rows = {name: held for name, held in describe(connection)["tables"].items() if held["rows"]}
    if set(rows) - {"alembic_version"}:
        raise Refused("This database holds data. A backup is restored into an empty one: name another, then restore.")


def _compare(manifest: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    differing = [
        name for name in sorted({*manifest["tables"], *found["tables"]})
        if manifest["tables"].get(name) != found["tables"].get(name)
    ]  # fmt: skip
    if differing or any(manifest[name] != found[name] for name in ("revision", "audit")):
        raise Refused(
            f"What came out differs from the manifest ({', '.join(differing) or 'audit head'}). Do not use it."
        )


# ---------------------------------------------------------------------------------------------- what is in it


def describe(connection: Connection) -> dict[str, Any]:
    """The revision, the rows and digest of every table as the database holds them, and the last audit entry."""
    on_sqlite = connection.dialect.name == "sqlite"
    if not on_sqlite:
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    looked = inspect(connection)
    names = sorted(name for name in looked.get_table_names() if not name.startswith("sqlite_"))
    tables = {name: _digest(connection, name, looked) for name in names}
    quoted = "alembic_version" in names
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if quoted else None
    last = None
    if "audit_entry" in names:
        last = connection.execute(text("SELECT id, digest FROM audit_entry ORDER BY id DESC LIMIT 1")).first()
    return {"revision": revision, "tables": tables, "audit": {"entries": last[0], "head": last[1]} if last else None}


def _digest(connection: Connection, name: str, looked: Any) -> dict[str, Any]:
    columns = [column["name"] for column in looked.get_columns(name)]
    order = looked.get_pk_constraint(name)["constrained_columns"] or columns
    cast = "" if connection.dialect.name == "sqlite" else "::text"
    told = ", ".join(f'"{column}"{cast}' for column in columns)
    by = ", ".join(f'"{column}"' for column in order)
    # The names are the schema's own. Every column is text, a whole number or bytes, which repr() keeps apart and exact.
    statement = text(f'SELECT {told} FROM "{name}" ORDER BY {by}')  # noqa: S608
    found, rows = hashlib.sha256(), 0
    at_once = 1 if any(isinstance(column["type"], LargeBinary) for column in looked.get_columns(name)) else 5000
    for row in connection.execution_options(yield_per=at_once).execute(statement):
        found.update(repr(tuple(row)).encode())
        rows += 1
    return {"rows": rows, "sha256": found.hexdigest()}


# ---------------------------------------------------------------------------------------------- SQLite


def _copy_sqlite(url: str, engine: Engine, scratch: Path) -> tuple[Path, dict[str, Any]]:
    content = scratch / archive.CONTENT
    driver = sqlite_driver()
    with _raw(engine) as live, closing(driver.connect(str(content))) as copy:
        live.backup(copy)  # all pages in one step: the state of one instant, and writers do not wait for it
        copy.execute("PRAGMA journal_mode=DELETE")  # the file alone is the whole database
        if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Refused("The copy is not sound: SQLite's integrity check failed on it.")
    return content, _describe_file(content)


def _into_sqlite(engine: Engine, content: Path, manifest: Mapping[str, Any]) -> None:
    _compare(manifest, _describe_file(content))  # before a page of it is brought in
    with closing(sqlite_driver().connect(str(content))) as copy, _raw(engine) as live:
        copy.backup(live)


def _describe_file(content: Path) -> dict[str, Any]:
    engine = make_engine(f"sqlite:///{content}")
    try:
        with engine.connect() as connection:
            return describe(connection)
    finally:
        engine.dispose()


@contextmanager
def _raw(engine: Engine) -> Iterator[Any]:
    """The driver's own connection, which has the backup API."""
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection
    finally:
        pooled.invalidate()  # it keeps nothing of the database it saw before


# ---------------------------------------------------------------------------------------------- PostgreSQL


def _copy_postgresql(url: str, engine: Engine, scratch: Path) -> tuple[Path, dict[str, Any]]:
    content = scratch / archive.CONTENT
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-acl", f"--snapshot={snapshot}", f"--file={content}")
        return content, describe(connection)


def _into_postgresql(url: str, content: Path) -> None:
    _run(
        "pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner", "--no-acl", "--clean",
        "--if-exists", str(content),
    )  # fmt: skip


def _run(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, which other users cannot read."""
    found = shutil.which(program, path=os.environ.get("TRACKER_PG_BIN"))
    if found is None:
        raise Refused(
            f"{program} is not installed here. Install PostgreSQL's client programs (Debian: postgresql-client),"
            " or name their folder in TRACKER_PG_BIN."
        )
    parsed = make_url(url)
    environment = dict(os.environ) | ({"PGPASSWORD": str(parsed.password)} if parsed.password else {})
    where = parsed.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    outcome = subprocess.run(  # noqa: S603 - a program of PostgreSQL, with our own arguments
        [found, f"--dbname={where}", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if outcome.returncode:
        said = next((line for line in outcome.stderr.splitlines() if line.strip()), "no reason given")
        if "version mismatch" in outcome.stderr:
            said = "it is older than the server. Name the folder of the server's own programs in TRACKER_PG_BIN."
        raise Refused(f"{program} refused: {said}")
