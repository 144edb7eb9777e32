"""The disk fails at the n-th call (R4), whatever the program is doing: what was acknowledged is there after the next
start, nothing is there in part, whoever worked is told, and the work goes on once the disk is well.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select, text

from tests.people import Cast, seed
from tests.trust.clients import NOTHING, PANEL, STORED, UNKNOWN
from tests.trust.failing_workload import ACCESSION, CASES
from tests.trust.lines import Line
from tests.trust.orders import READ, RENAME, SYNC, WRITE, Orders, compiled
from tests.trust.staff import SECRET
from tracker.db import Database, upgrade
from tracker.domain.keyring import Keyring
from tracker.models import Flag
from tracker.operations.anchors import Seal
from tracker.operations.audit import examine
from tracker.operations.evaluate import evaluate

CALLS = {"sync": SYNC, "write": WRITE, "read": READ, "rename": RENAME}
SMALL = ["PLT", "ANC", "HB"]  # the rows of the import


@dataclass
class Outcome:
    """How many tries met a failing call, what was said of them, and what was wrong with them in words."""

    tries: int = 0
    met: int = 0
    said: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def told(self) -> str:
        words = ", ".join(f"{self.said[name]} {name}" for name in (STORED, NOTHING, UNKNOWN))
        return f"{self.tries} tries, {self.met} of them met it ({words}): {len(self.wrong)} wrong"


class Workload:
    """The process that works, and the folder it works in."""

    def __init__(self, folder: Path, cast: Cast, process: subprocess.Popen[str]) -> None:
        self.folder, self.cast, self.process = folder, cast, process

    def attempt(self, **told: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the workload ended")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def workload(folder: Path) -> Iterator[Workload]:
    """Ready for its first try. `folder` is empty, but for a `data` that may be there."""
    data = folder / "data"
    (data / "uploads").mkdir(parents=True, exist_ok=True)
    database = Database(address(folder), _seal(folder))
    upgrade(database.url)
    cast = seed(database)
    database.close()
    (folder / "cast.json").write_text(json.dumps(asdict(cast)))
    Orders(folder / "orders")
    environment = os.environ | {
        "LD_PRELOAD": str(compiled("failing.c", folder)), "FAIL_FOLDER": str(data),
        "FAIL_ORDERS": str(folder / "orders"),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "tests.trust.failing_workload", str(folder)], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        work = Workload(folder, cast, process)
        work.answer()
        for case in CASES:
            if (said := work.attempt(case=case)["said"]) != STORED:
                raise RuntimeError(f"{case} does not work on a disk that is well: {said}")
        yield work
        assert process.stdin is not None
        process.stdin.close()


def address(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'jakwatch.db'}"


def _seal(folder: Path) -> Seal:
    return Seal(Keyring(SECRET), folder / "data" / "jakwatch.db.anchor")


# ---------------------------------------------------------------------------------------------- judged


def look(work: Workload, case: str, told: dict[str, Any], where: str, outcome: Outcome) -> None:
    """Hold what was said of one try against what the next start finds."""
    outcome.tries += 1
    outcome.met += bool(told["failed"])
    outcome.said[told["said"]] += bool(told["failed"])
    faults = [*_answers(told), *_left(work, case, told["said"])]
    outcome.wrong += [f"{where}: {fault}" for fault in faults]


def _answers(told: dict[str, Any]) -> Iterator[str]:
    if told["said"] not in (STORED, NOTHING, UNKNOWN):
        yield f"answered {told['said']}"
    if told.get("page", 200) != 200:
        yield f"a page that only reads answered {told['page']}"
    if told.get("after", 303) != 303:
        yield f"once it was well again the next form answered {told['after']}"


def _left(work: Workload, case: str, said: str) -> Iterator[str]:
    with closing(Database(address(work.folder), _seal(work.folder))) as database, database.reading() as session:
        if (sound := session.scalar(text("PRAGMA integrity_check"))) != "ok":
            yield f"corrupt: {sound}"
        count, whole = _count(session, case)
        if count not in (0, whole):
            yield f"partial: {count} of {whole}"
        if said == STORED and count != whole:
            yield "lost"
        if said == NOTHING and count:
            yield "stored and denied"
        if fault := examine(session):
            yield f"audit entry {fault.entry}: {fault.why}"
        now, records = datetime.now(UTC), work.cast.a
        moved = evaluate(session, records.clinic, [records.patient], now, now.date(), store=False)
        # What a day brings with it (a lab that is overdue) is none of these; flags rest on the results.
        yield from (f"flag not judged: {words}" for _, words in (*moved.opened, *moved.changed) if count)


def _count(session: Any, case: str) -> tuple[int, int]:
    """The rows of its work that are there, and how many they are as a whole."""
    if case == "review":
        mine = select(Flag.id).where(Flag.reviewed_severity.is_not(None))
        return min(len(session.scalars(mine).all()), 1), 1
    named = "SELECT count(*) FROM lab_result WHERE accession = :name AND retired_at IS NULL"
    whole = len(PANEL) if case == "entry" else len(SMALL)
    return session.scalar(text(named), {"name": ACCESSION}), whole


# ---------------------------------------------------------------------------------------------- the checks


def failing(work: Workload, most: int, cases: tuple[str, ...] = tuple(CASES)) -> Outcome:
    """EIO at each of the first `most` calls of each kind, in each use case."""
    outcome = Outcome()
    for case in cases:
        for name, call in CALLS.items():
            for number in range(most):
                told = work.attempt(case=case, orders=(call, number, errno.EIO, 0))
                look(work, case, told, f"{case}, {name} {number + 1}", outcome)
    return outcome


def check(release: bool) -> Iterator[Line]:
    yield from checked("R4", "the disk fails at the n-th call", lambda work: failing(work, 400 if release else 20))


def checked(code: str, what: str, tried: Callable[[Workload], Outcome]) -> Iterator[Line]:
    if not shutil.which(os.environ.get("CC", "cc")):
        yield Line(code, what, "not tried: no C compiler is here to build what lets it fail", "0 wrong", passed=False)
        return
    with TemporaryDirectory(prefix="jakwatch-trust-") as folder, workload(Path(folder)) as work:
        outcome = tried(work)
    passed = not outcome.wrong and outcome.met > 0
    yield Line(code, what, outcome.told(), "0 wrong", passed, "; ".join(outcome.wrong[:5]))
