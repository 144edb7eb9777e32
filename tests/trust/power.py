"""Power cuts at any instant of real work (R1): what is lost, what is half there, what is corrupt.

The application runs over SQLite while recorder.c notes each write and sync. From the notes the disk is put together as
a power cut may have left it, thousands of times. The database that comes up must be the one that stood after some
transaction, whole, and none that was acknowledged before the cut may be missing: results, flags, reviews, batches and
audit entries, to the last column. The settings that SQLite comes with are the control, and have to fail.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.people import add_account, seed
from tests.trust.disk import MARKED, Disk, Files, Note, read_notes
from tests.trust.lines import Line
from tests.trust.orders import compiled
from tests.trust.staff import SECOND, SECRET
from tracker.db import Database, sqlite_driver, upgrade
from tracker.domain.keyring import Keyring
from tracker.models import Clinic
from tracker.operations import audit
from tracker.operations.anchors import Seal

HERE = Path(__file__).resolve().parent
NAME, ANCHOR = "jakwatch.db", "jakwatch.db.anchor"
FORGOTTEN = (f"{NAME}-shm", "marks")  # memory that has the form of a file; our own words


@dataclass
class Outcome:
    """Counts of crash points, and the first of each kind of failure in words."""

    commits: int = 0
    answers: int = 0
    points: int = 0
    distinct: int = 0
    lost: int = 0
    partial: int = 0
    corrupt: int = 0
    audit: int = 0
    failures: int = 0  # crash points at which any of these was found
    examples: list[str] = field(default_factory=list)

    def told(self) -> str:
        return (
            f"{self.points} cuts ({self.distinct} differing disks, {self.answers} answers, {self.commits} commits):"
            f" {self.lost} lost, {self.partial} partial, {self.corrupt} corrupt, {self.audit} audit faults"
        )


@dataclass(frozen=True)
class Recording:
    """The files as they stood before, and what was done to them."""

    before: Files
    notes: list[Note]
    sealed: bool = True  # is the audit trail that of this version, so that it can be examined?


SETTINGS = (("WAL", "FULL", False), ("DELETE", "EXTRA", False), ("WAL", "NORMAL", True), ("WAL", "OFF", True))
"""Of SQLite: journal_mode, synchronous, and whether they are too weak, which the cuts have to show."""


def check(full: bool) -> Iterator[Line]:
    points, rounds = (100_000, 12) if full else (4_000, 4)
    for journal, synchronous, weak in SETTINGS:
        share = max(points // (20 if weak else 1), 200)
        with TemporaryDirectory() as folder:
            outcome = replay(record(Path(folder), journal, synchronous, rounds), share)
        wanted = "losses are found" if weak else "0 of each"
        passed = outcome.lost > 0 if weak else outcome.failures == 0
        what = f"power cut, SQLite {journal}+{synchronous}" + (" (control)" if weak else "")
        yield Line("R1", what, outcome.told(), wanted, passed, "; ".join([] if weak else outcome.examples))


def record(folder: Path, journal: str, synchronous: str, rounds: int) -> Recording:
    """Do the work with these settings of SQLite, and take it down."""
    data = folder / "data"
    data.mkdir(parents=True)
    url = f"sqlite:///{data / NAME}"
    upgrade(url)
    database = Database(url, Seal(Keyring(SECRET), data / ANCHOR))
    cast = seed(database)
    with database.transaction() as session:
        add_account(session, SECOND, "Erin Elm", "clinician", session.get_one(Clinic, cast.a.clinic))
    (folder / "cast.json").write_text(json.dumps(asdict(cast)))
    database.close()
    with closing(sqlite_driver().connect(str(data / NAME))) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}").fetchall()
    return taken_down(folder, "tests.trust.power_workload", str(folder), journal, synchronous, str(rounds))


def taken_down(folder: Path, *workload: str) -> Recording:
    """What that module does to FOLDER/data, run with these arguments."""
    data = folder / "data"
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.name not in FORGOTTEN}
    recorder = compiled("recorder.c", folder)
    environment = os.environ | {
        "LD_PRELOAD": str(recorder), "RECORD_FOLDER": str(data), "RECORD_TO": str(folder / "notes"),
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", *workload], env=environment, cwd=HERE.parent.parent, check=True)
    notes = [note for note in read_notes((folder / "notes").read_bytes()) if note.name not in FORGOTTEN[:1]]
    return Recording(before, notes)


def replay(recording: Recording, points: int, seed_of_dice: int = 1) -> Outcome:
    """Cut the power at so many random instants, and look."""
    dice, outcome = Random(seed_of_dice), Outcome()
    cuts: dict[int, int] = {}
    for _ in range(points):
        at = dice.randrange(1, len(recording.notes) + 1)
        cuts[at] = cuts.get(at, 0) + 1
    with TemporaryDirectory(prefix="jakwatch-power-", dir=_memory()) as scratch:
        judge = Judge(recording, Path(scratch), outcome)
        disk = Disk(recording.before)
        for at, note in enumerate(recording.notes, 1):
            judge.take(note)
            disk.take(note)
            for _ in range(cuts.get(at, 0)):
                judge.look(disk.after_power_cut(dice), at)
    return outcome


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Judge:
    """Knows the states between transactions, and holds against them what a power cut left."""

    def __init__(self, recording: Recording, scratch: Path, outcome: Outcome) -> None:
        self.scratch, self.outcome = scratch, outcome
        self.stored = 0  # transactions that SQLite has called stored so far
        self.sealed = recording.sealed
        self._seen: dict[str, tuple[int | None, str]] = {}
        self.states = self._states(recording)

    def _states(self, recording: Recording) -> dict[str, int]:
        """By digest, the number of transactions after which the database is like that (the last such number)."""
        disk, stored, found = Disk(recording.before), 0, {}
        with self._opened(disk.whole()) as (content, _):
            found[content] = 0
        for note in recording.notes:
            disk.take(note)
            if note.kind == MARKED and note.content == b"commit":
                stored += 1
                with self._opened(disk.whole()) as (content, _):
                    found[content] = stored
        return found

    def take(self, note: Note) -> None:
        if note.kind == MARKED:
            self.stored += note.content == b"commit"
            self.outcome.commits += note.content == b"commit"
            self.outcome.answers += note.content == b"answer"

    def look(self, files: Files, at: int) -> None:
        self.outcome.points += 1
        key = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        if key not in self._seen:
            self.outcome.distinct += 1
            self._seen[key] = self._examine(files)
        state, wrong = self._seen[key]
        self.outcome.failures += bool(wrong) or state is None or state < self.stored
        if wrong:
            self._note(wrong.partition(":")[0], wrong, at)
        if state is not None and state < self.stored:
            self._note("lost", f"{self.stored - state} acknowledged transactions are missing", at)

    def _examine(self, files: Files) -> tuple[int | None, str]:
        """The number of transactions that are there, and what is wrong beside."""
        with self._opened(files) as (content, wrong):
            if wrong:
                return None, f"corrupt: {wrong}"
            if content not in self.states:
                return None, "partial: this state was never between two transactions"
            if not self.sealed:
                return self.states[content], ""
            database = Database(f"sqlite:///{self.scratch / NAME}", Seal(Keyring(SECRET), self.scratch / ANCHOR))
            with database.reading() as session:
                fault = audit.examine(session)
            database.close()
        return self.states[content], f"audit: {fault}" if fault else ""

    def _note(self, kind: str, words: str, at: int) -> None:
        setattr(self.outcome, kind, getattr(self.outcome, kind) + 1)
        if sum(example.startswith(kind) for example in self.outcome.examples) < 3:
            self.outcome.examples.append(f"{kind} at note {at}: {words}")

    @contextmanager
    def _opened(self, files: Files) -> Iterator[tuple[str, str]]:
        """The files in place, opened as at the next start: (digest of all rows, what SQLite says is wrong)."""
        for path in self.scratch.iterdir():
            path.unlink()
        for name, content in files.items():
            if name not in FORGOTTEN:
                (self.scratch / name).write_bytes(content)
        driver = sqlite_driver()
        try:
            with closing(driver.connect(str(self.scratch / NAME))) as connection:
                yield _digest(connection), _unsound(connection)
        except driver.DatabaseError as error:
            yield "", str(error)


def _digest(connection: object) -> str:
    told = hashlib.sha256()
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")  # type: ignore[attr-defined]
    for (name,) in names.fetchall():
        for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):  # type: ignore[attr-defined]
            told.update(repr((name, row)).encode())
    return told.hexdigest()


def _unsound(connection: object) -> str:
    found = connection.execute("PRAGMA integrity_check").fetchone()[0]  # type: ignore[attr-defined]
    links = connection.execute("PRAGMA foreign_key_check").fetchall()  # type: ignore[attr-defined]
    return "" if found == "ok" and not links else f"{found} {links[:3]}"
