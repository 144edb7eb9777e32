"""Power cuts while the schema is brought to this version (R1): what comes up is of one revision or of another, whole.

As a program (python -m tests.trust.power_migration FOLDER REVISION …) it is the work that recorder.c writes down.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import ScriptDirectory

from tests.people import seed
from tests.trust import power
from tests.trust.lines import Line
from tests.trust.power import NAME, Recording
from tracker.db import MIGRATIONS, Database, migrate, upgrade


def check(full: bool) -> Iterator[Line]:
    with TemporaryDirectory() as folder:
        outcome = power.replay(record(Path(folder), 100 if full else 4), 20_000 if full else 1_000)
    passed, told = outcome.failures == 0 and outcome.commits > 0, "; ".join(outcome.examples)
    yield Line("R1", "power cut during tracker upgrade", outcome.told(), "0 of each", passed, told)


def record(folder: Path, steps: int) -> Recording:
    """The last so many revisions, one after the other, over people and records; without the first, which has none."""
    (folder / "data").mkdir(parents=True)
    url = f"sqlite:///{folder / 'data' / NAME}"
    upgrade(url)
    with closing(Database(url)) as database:
        seed(database)
    known = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]  # the newest first
    above = known[: min(steps, len(known) - 1)]
    migrate(url, known[len(above)])
    recording = power.taken_down(folder, "tests.trust.power_migration", str(folder), *reversed(above))
    return replace(recording, sealed=False)


def main(folder: Path, revisions: list[str]) -> None:
    marks = os.open(folder / "data" / "marks", os.O_WRONLY | os.O_CREAT)
    for revision in revisions:
        migrate(f"sqlite:///{folder / 'data' / NAME}", revision)
        os.write(marks, b"commit")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
