"""A power cut in the middle of an anchor line is told from tampering: the one is a note, the other a fault."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.operations.test_audit_tampering import AT, SECRET, opened, write
from tracker.cli import tracker
from tracker.db import Database
from tracker.domain.keyring import Keyring
from tracker.operations import anchors, audit
from tracker.operations.anchors import Seal


@pytest.fixture
def written(sqlite_url: str, tmp_path: Path) -> Database:
    database = opened(sqlite_url, tmp_path)
    write(database, 3)
    return database


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "anchor"


def judged(database: Database, tmp_path: Path) -> tuple[audit.Fault | None, list[int]]:
    with database.reading() as session:
        fault = audit.examine(session)
    return fault, anchors.read(Seal(Keyring(SECRET), file_of(tmp_path))).unfinished


def test_wherever_the_last_line_was_cut_it_is_unfinished_and_no_tampering(written: Database, tmp_path: Path) -> None:
    content = file_of(tmp_path).read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    for cut in range(last + 1, len(content) - 1):
        for filling in (b"", b"\0" * (len(content) - cut), b"\0" * 4096):
            file_of(tmp_path).write_bytes(content[:cut] + filling)
            assert judged(written, tmp_path) == (None, [3]), (cut, len(filling))


def test_a_line_of_nothing_but_nuls_is_unfinished(written: Database, tmp_path: Path) -> None:
    with file_of(tmp_path).open("ab") as stream:
        stream.write(b"\0" * 200)
    assert judged(written, tmp_path) == (None, [4])


def test_a_line_cut_just_before_its_end_counts(written: Database, tmp_path: Path) -> None:
    file_of(tmp_path).write_bytes(file_of(tmp_path).read_bytes()[:-1])
    assert judged(written, tmp_path) == (None, [])


@pytest.mark.parametrize("wreck", [b"sealed 4 5f0c", b"\0" * 30, b"sea"])
def test_work_goes_on_after_it_and_what_follows_counts(written: Database, tmp_path: Path, wreck: bytes) -> None:
    with file_of(tmp_path).open("ab") as stream:
        stream.write(wreck)
    write(written, 2)
    assert judged(written, tmp_path) == (None, [4])
    assert anchors.read(Seal(Keyring(SECRET), file_of(tmp_path))).last == 5


@pytest.mark.parametrize("wreck", [b"sealed 4 5f0c", b"\0" * 30])
def test_a_line_that_an_earlier_version_wrote_behind_the_wreck_counts(
    written: Database, tmp_path: Path, wreck: bytes
) -> None:
    write(written)
    lines = file_of(tmp_path).read_bytes().splitlines(keepends=True)
    file_of(tmp_path).write_bytes(b"".join([*lines[:3], wreck, lines[3]]))
    assert judged(written, tmp_path) == (None, [4])
    assert anchors.read(Seal(Keyring(SECRET), file_of(tmp_path))).last == 4


def test_a_whole_line_that_disagrees_stays_tampering(written: Database, tmp_path: Path) -> None:
    content = file_of(tmp_path).read_text()
    last = content.rindex("\n", 0, -1) + 1
    key = content.index(" ", last + len("sealed ")) + 1  # of a key that is not given, the digest alone is compared
    for at in range(last, len(content) - 1):
        if content[at] != " " and not key <= at < key + 8:
            changed = "0" if content[at] != "0" else "1"
            file_of(tmp_path).write_text(content[:at] + changed + content[at + 1 :])
            fault, unfinished = judged(written, tmp_path)
            assert fault is not None, (at, content[at])
            assert not unfinished
    file_of(tmp_path).write_text(content + "nothing of ours\n")
    assert judged(written, tmp_path)[0] is not None


def test_the_command_says_it_and_does_not_fail_for_it(tmp_path: Path, sqlite_url: str) -> None:
    anchor = tmp_path / "kept"
    environment = {
        "TRACKER_DATABASE_URL": sqlite_url, "TRACKER_SECRET_KEY": SECRET, "TRACKER_AUDIT_ANCHOR": str(anchor),
    }  # fmt: skip
    database = Database(sqlite_url, Seal(Keyring(SECRET), anchor))
    write(database, 2)
    database.close()
    with anchor.open("ab") as stream:
        stream.write(b"\0" * 64)
    outcome = CliRunner().invoke(tracker, ["check"], env=environment)
    assert "ok   audit chain" in outcome.output
    assert "note line 3 of the anchor file was left unfinished" in outcome.output
    anchor.write_text(anchor.read_text().replace(AT.isoformat(), AT.isoformat().replace("2026", "2025")))
    assert "BAD  audit chain" in CliRunner().invoke(tracker, ["check"], env=environment).output
