"""python -m tests.trust.power_workload FOLDER JOURNAL SYNCHRONOUS ROUNDS: the work that recorder.c writes down.

FOLDER/data/jakwatch.db is there, with people and records. A mark says “commit” whenever SQLite has said that it is
stored, and “answer” whenever the page of a use case has been answered.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.people import Cast, Records
from tests.trust.staff import SECOND, Staff, answered, application
from tracker import db

OFTEN = 60  # pages after which SQLite brings the log into the file: so often that many cuts fall into it


def main(folder: Path, journal: str, synchronous: str, rounds: int) -> None:
    data = folder / "data"
    db.sqlite_journal = lambda version: (journal, synchronous)  # what is put to the test, in place of the choice
    kept = json.loads((folder / "cast.json").read_text())
    cast = Cast(kept["accounts"], Records(**kept["a"]), Records(**kept["b"]))
    app = application(f"sqlite:///{data / 'jakwatch.db'}", UPLOAD_FOLDER=str(folder / "uploads"))
    event.listen(app.extensions["database"].engine, "connect", _checkpoint_often)
    marks = os.open(data / "marks", os.O_WRONLY | os.O_CREAT)
    event.listen(Session, "after_commit", lambda session: os.write(marks, b"commit"))
    staff = Staff(app, cast)
    answered(staff.erin.sign_in(SECOND), 303)
    for _ in staff.work(rounds):
        os.write(marks, b"answer")
    os._exit(0)  # no tidy end: closing would bring the log into the file


def _checkpoint_often(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={OFTEN}").fetchall()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
