"""A long import at a terminal: a bar, Ctrl-C, the same command again, and its undoing."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tracker.db import Database
from tracker.models import ImportRun, LabResult

PEOPLE = 400
PANEL = (("ANC", "3.1,10*9/L"), ("HB", "13.1,g/dL"), ("PLT", "250,10*9/L"), ("ALT", "20,U/L"))
SMALL = "from tracker.operations import runs; from tracker.cli import files; runs.PART = files.PART = 200; "
COMMAND = SMALL + "from tracker.cli import main; main()"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """1,600 results, which are eight parts."""
    path = tmp_path / "results.csv"
    rows = (f"{mrn:05d},2026-02-01,{name},{value}" for name, value in PANEL for mrn in range(PEOPLE))
    path.write_text("mrn,collected_at,analyte,value,unit\n" + "\n".join(rows) + "\n")
    return path


def command(*told: object) -> list[str]:
    return [sys.executable, "-c", COMMAND, *map(str, told)]


def environment(url: str) -> dict[str, str]:
    return os.environ | {"TRACKER_DATABASE_URL": url, "TRACKER_SECRET_KEY": "a key for the tests " * 3, "TERM": "xterm"}


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.max(ImportRun.stored))) or 0


def at_a_terminal(url: str, results: Path, database: Database) -> tuple[int, str, str]:
    """Begin it at a terminal and press Ctrl-C once something is stored: exit code, standard output, what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("import", results, "--create-patients"), env=environment(url), stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    while not stored(database) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[0].decode()
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.returncode, told, shown.decode()


def test_ctrl_c_stops_after_a_part_and_the_same_command_goes_on(database_url: str, results: Path) -> None:
    database = Database(database_url)
    code, told, shown = at_a_terminal(database_url, results, database)
    first = stored(database)
    assert 0 < first < 4 * PEOPLE
    assert code == 130
    assert "Storing" in shown
    assert "%" in shown
    assert f"tracker: stopped, {4 * PEOPLE - first} rows are left." in shown
    assert f"{first} rows in = {first} filed + 0 duplicate" in told

    again = subprocess.run(
        command("import", results, "--create-patients", "--json"),
        env=environment(database_url), capture_output=True, check=True,
    )  # fmt: skip
    assert again.stderr == b""
    (report,) = json.loads(again.stdout)["files"]
    assert (report["rows_in"], report["filed"], report["duplicate"]) == (4 * PEOPLE, 4 * PEOPLE, 0)

    undone = subprocess.run(
        command("undo", report["batch"], "--reason", "another laboratory's"),
        env=environment(database_url), capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert re.match(rf"Import {report['batch']}: {4 * PEOPLE} results taken out\.", undone.stdout)
    with database.reading() as session:
        assert not session.scalar(select(func.count(LabResult.id)).where(LabResult.retired_at.is_(None)))
    database.close()


def test_what_cannot_be_read_is_refused_before_anything_is_stored(database_url: str, results: Path) -> None:
    results.write_text("color,size\n" + "red,1\n" * 3000)
    refused = subprocess.run(
        command("import", results), env=environment(database_url), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "nothing of this could be processed" in refused.stderr
    database = Database(database_url)
    assert stored(database) == 0
    database.close()
