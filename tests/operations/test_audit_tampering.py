"""The audit trail against eight ways of changing it behind the program's back: all are found, and the place is named.

Whoever tampers here may write the database, past its triggers. With the last two ways they hold the key as well.
"""

import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.tampering import past_the_triggers
from tracker.db import Database
from tracker.domain.errors import Refused
from tracker.domain.keyring import Keyring
from tracker.models import AuditEntry, Base, table_of
from tracker.operations import anchors, audit
from tracker.operations.actor import Actor
from tracker.operations.anchors import Seal

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECRET = "b9c1f0a37d5e4826" * 3
LENGTH, ROUNDS = 24, 125
ENTRIES = table_of(AuditEntry)


def write(database: Database, count: int = 1) -> None:
    for number in range(count):
        with database.transaction() as session:
            actor = Actor("Dora", AT + timedelta(minutes=number), "form")
            audit.note(session, actor, "record", "lab_result", number, after={"value": f"0.{number}"}, reason="seen")


def opened(url: str, tmp_path: Path, secret: str = SECRET, former: tuple[str, ...] = ()) -> Database:
    return Database(url, Seal(Keyring(secret, former), tmp_path / "anchor"))


@pytest.fixture
def trail(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """A sealed trail of some length, with the head after each entry anchored."""
    database = opened(database_url, tmp_path)
    write(database, LENGTH)
    yield database
    database.close()


Rows = list[dict[str, Any]]
Way = Callable[[Rows, random.Random], int]  # changes the rows; the number of the first that is not as it was


def _edit(rows: Rows, dice: random.Random) -> int:
    at = dice.randrange(len(rows))
    name, value = dice.choice(
        [("actor", "Nobody"), ("reason", ""), ("after", {"value": "9"}), ("at", AT - timedelta(1)), ("role", "admin"),
         ("record_id", 999), ("origin", "cli"), ("before", {}), ("action", "void"), ("digest", "0" * 64)]
    )  # fmt: skip
    rows[at][name] = value
    return int(rows[at]["id"])


def _delete(rows: Rows, dice: random.Random) -> int:
    return int(rows.pop(dice.randrange(len(rows) - 1))["id"])


def _cut(rows: Rows, dice: random.Random) -> int:
    kept = dice.randrange(len(rows))
    del rows[kept:]
    return kept + 1


def _swap(rows: Rows, dice: random.Random) -> int:
    first, second = sorted(dice.sample(range(len(rows)), 2))
    rows[first]["id"], rows[second]["id"] = rows[second]["id"], rows[first]["id"]
    return first + 1


def _insert(rows: Rows, dice: random.Random) -> int:
    at = dice.randrange(len(rows))
    for row in rows[at:]:
        row["id"] += 1
    rows.insert(at, {**rows[at], "id": at + 1, "actor": "Nobody"})
    return at + 1


def _rechain_with(keyring: Keyring) -> Way:
    def rechain(rows: Rows, dice: random.Random) -> int:
        at = dice.randrange(len(rows))
        rows[at]["reason"] = "nothing to see"
        for row, before in zip(rows[at:], [*rows[at - 1 : at], *rows[at:]] if at else [None, *rows], strict=False):
            row["previous"] = before["digest"] if before else audit.START
            row["sealed_with"] = keyring.current
            row["digest"] = audit.digest(row["previous"], row, keyring)
        return at + 1

    return rechain


WAYS: Mapping[str, Way] = {
    "edit": _edit,
    "delete": _delete,
    "cut the tail": _cut,
    "swap": _swap,
    "insert": _insert,
    "chain anew without the key": _rechain_with(Keyring()),
    "chain anew with the key": _rechain_with(Keyring(SECRET)),
    "put an older copy back": _cut,
}


def store(database: Database, rows: Rows) -> None:
    """In place of what is there, past the triggers."""
    with past_the_triggers(database) as connection:
        connection.execute(ENTRIES.delete())
        if rows:
            connection.execute(insert(ENTRIES), rows)


def read(database: Database) -> Rows:
    with database.reading() as session:
        return [dict(row) for row in session.execute(select(ENTRIES).order_by(ENTRIES.c.id)).mappings()]


def mutate(database: Database, way: str, rounds: int) -> list[str]:
    """So many mutations of one kind; a sentence for each that was not found, or not where it is."""
    whole, dice, missed = read(database), random.Random(way), []
    for number in range(rounds):
        changed = [dict(row) for row in whole]
        first = WAYS[way](changed, dice)
        store(database, changed)
        with database.reading() as session:
            fault = audit.examine(session)
        if fault is None or fault.entry != first:
            missed.append(f"{way} {number}: {fault} instead of entry {first}")
    store(database, whole)
    return missed


@pytest.mark.parametrize("way", WAYS)
def test_every_mutation_is_found_and_its_place_named(sqlite_url: str, tmp_path: Path, way: str) -> None:
    database = opened(sqlite_url, tmp_path)
    write(database, LENGTH)
    assert mutate(database, way, ROUNDS) == []
    with database.reading() as session:
        assert audit.examine(session) is None
    database.close()


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_is_found_on_either_database(trail: Database, way: str) -> None:
    rows = read(trail)
    first = WAYS[way](rows, random.Random(way))
    store(trail, rows)
    with trail.reading() as session:
        fault = audit.examine(session)
    assert fault is not None
    assert fault.entry == first


def test_the_start_of_the_service_notices_an_older_copy(sqlite_url: str, tmp_path: Path) -> None:
    database = opened(sqlite_url, tmp_path)
    write(database, 3)
    database.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    shutil.copy(path, tmp_path / "older.db")
    database = opened(sqlite_url, tmp_path)
    write(database, 2)
    database.close()
    shutil.copy(tmp_path / "older.db", path)
    database = opened(sqlite_url, tmp_path)
    with database.reading() as session:
        fault = audit.head_fault(session)
        assert fault is not None
        assert (fault.entry, "up to 5" in fault.why) == (4, True)
        audit.begin_again(session, AT)  # what `tracker restore` says
        assert audit.head_fault(session) is None
        assert audit.examine(session) is None
    write(database)
    with database.reading() as session:
        assert audit.examine(session) is None
    database.close()


def test_a_line_that_somebody_added_to_the_anchors_does_not_count(sqlite_url: str, tmp_path: Path) -> None:
    database = opened(sqlite_url, tmp_path)
    write(database, 3)
    forged = anchors.Head(0, Keyring(SECRET).current, AT, audit.START)
    with (tmp_path / "anchor").open("a") as stream:
        stream.write(f"restored 0 {forged.key} {AT.isoformat()} {forged.digest} {'0' * 32}\n")
    store(database, read(database)[:1])
    with database.reading() as session:
        fault = audit.examine(session)
    assert fault is not None
    assert fault.entry == 2
    database.close()


# ---------------------------------------------------------------------------------------------- keys


def test_a_key_is_changed_by_whoever_holds_the_former_one_and_the_trail_says_so(
    database_url: str, tmp_path: Path
) -> None:
    for secret, former in (("", ()), (SECRET, ()), ("another secret of some length", (SECRET,))):
        database = opened(database_url, tmp_path, secret, former)
        write(database, 2)
        with database.reading() as session:
            assert audit.examine(session) is None
            last = read(database)
        database.close()
    assert [row["action"] for row in last] == ["record"] * 2 + ["change_key", "record", "record"] * 2


@pytest.mark.parametrize("secret", ["", "another secret of some length"])
def test_without_the_former_key_nobody_goes_on_with_the_trail(trail: Database, tmp_path: Path, secret: str) -> None:
    stranger = opened(trail.url, tmp_path, secret)
    with pytest.raises(Refused, match="TRACKER_AUDIT_KEY"):
        write(stranger)
    with stranger.reading() as session:
        fault = audit.examine(session)
    assert fault is not None
    assert "was not given" in fault.why
    stranger.close()
    with trail.reading() as session:
        assert audit.examine(session) is None


# ---------------------------------------------------------------------------------------------- triggers


def _refused(database: Database, statement: str) -> bool:
    try:
        with database.engine.execution_options(writes=True).begin() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        return "append-only" in str(error.orig)
    return False


def test_the_tables_that_only_grow_refuse_every_other_change(trail: Database) -> None:
    assert _refused(trail, "UPDATE audit_entry SET reason = ''")
    assert _refused(trail, "DELETE FROM audit_entry WHERE id = 3")
    if trail.engine.dialect.name == "sqlite":
        columns = ", ".join(column.name for column in ENTRIES.columns)
        assert _refused(trail, f"INSERT OR REPLACE INTO audit_entry ({columns}) SELECT {columns} FROM audit_entry")
    else:
        assert _refused(trail, "TRUNCATE audit_entry CASCADE")
    with trail.reading() as session:
        assert audit.examine(session) is None
        assert _guarded(session) == {"access_note", "audit_entry", "due_step", "import_problem", "review"}


def _guarded(session: Session) -> set[str]:
    """The tables with triggers: a rebuild of a table in a migration would lose them without a word."""
    if session.get_bind().dialect.name == "sqlite":
        asked = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' GROUP BY tbl_name HAVING count(*) = 3"
    else:
        asked = (
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
            " GROUP BY c.relname HAVING count(*) = 3"
        )
    return set(session.scalars(text(asked))) & set(Base.metadata.tables)
