"""Files that are filed: read whole before anything is stored; a few rows in one transaction, more of them in parts that
can be stopped, and go on where they were when the same files come again.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from types import FrameType

from sqlalchemy.orm import Session

from tracker.db import Database
from tracker.formats.shelves import SHELVES, Shelves
from tracker.models import Clinic, ImportRun
from tracker.operations import configure, runs
from tracker.operations.actor import Actor
from tracker.operations.attachments import LARGEST
from tracker.operations.importing import Importer, Report


@dataclass(frozen=True)
class Filing:
    """How files are filed: on whose behalf at each instant, for which clinics (none: all of them), what is allowed, and
    how many bytes a document within them may have.
    """

    actor: Callable[[], Actor]
    clinic_ids: tuple[int, ...] = ()
    create_patients: bool = False
    may_configure: bool = False
    largest: int = LARGEST

    def importer(self, session: Session) -> Importer:
        """An importer for the transaction that has begun."""
        actor = self.actor()
        where = [session.get_one(Clinic, key) for key in self.clinic_ids] or configure.the_clinics(session, actor)
        return Importer(session, actor, where, self.create_patients, self.may_configure, self.largest)


@dataclass(slots=True)
class Filed:
    """What became of the files, in their order, and how many flags moved. `left` rows are not dealt with yet where it
    was stopped; `before` were when it was taken up again.
    """

    reports: list[Report]
    flags: dict[str, int] = field(default_factory=dict)
    left: int = 0
    before: int = 0


Told = Callable[[int], bool]
"""Hears how many rows have been dealt with; False asks to stop."""


def file_all(opened: Database, shelves: Shelves, filing: Filing, how: object, told: Told) -> Filed:
    """File what lies on the shelves. `how` tells one way of reading the files from another."""
    if not shelves.is_long:
        with opened.transaction() as session:
            return _at_once(session, shelves, filing)
    return _in_parts(opened, shelves, filing, how, told)


def dry(opened: Database, shelves: Shelves, filing: Filing) -> Filed:
    """What filing would do; nothing is stored."""
    with opened.transaction() as session:
        filed = _at_once(session, shelves, filing) if not shelves.is_long else _all_parts(session, shelves, filing)
        session.rollback()
    for report in filed.reports:
        report.batch = None
    return filed


def _at_once(session: Session, shelves: Shelves, filing: Filing) -> Filed:
    importer = filing.importer(session)
    reports: dict[int, Report] = {}
    for number, rows in shelves.all():
        file = shelves.files[number]
        reports[number] = importer.file(
            file.path, file.source.format, file.source.kind, rows, file.sha256, file.remarks, file.source.elements
        )
    importer.release()
    return Filed([reports[number] for number in sorted(reports)], importer.judge().counts())


def _all_parts(session: Session, shelves: Shelves, filing: Filing) -> Filed:
    run = runs.begin(session, filing.importer(session), shelves, "", "")
    for part in runs.parts(shelves, 0):
        runs.store(session, filing.importer(session), shelves, run.id, "", part)
        session.flush()
        session.expunge_all()
    return _outcome(session, session.get_one(ImportRun, run.id), 0)


def _in_parts(opened: Database, shelves: Shelves, filing: Filing, how: object, told: Told) -> Filed:
    worker = token_hex(8)
    digest = runs.digest_of(shelves, filing.clinic_ids, filing.create_patients, how)
    with opened.transaction() as session:
        run = runs.begin(session, filing.importer(session), shelves, digest, worker)
    before, goes_on = run.stored, told(run.stored)
    for part in runs.parts(shelves, run.shelves):
        if not goes_on:
            break
        with opened.transaction() as session:
            run = runs.store(session, filing.importer(session), shelves, run.id, worker, part)
        goes_on = told(run.stored)
    if run.shelves < SHELVES:
        with opened.transaction() as session:
            runs.stop(session, filing.actor(), run.id, worker)
    with opened.reading() as session:
        return _outcome(session, session.get_one(ImportRun, run.id), before)


def _outcome(session: Session, run: ImportRun, before: int) -> Filed:
    """What has become of a long import's files by now."""
    reports = [runs.reported(session, batch) for batch in runs.batches_of(session, run.id)]
    return Filed(reports, dict(run.flags), run.rows - run.stored, before)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Within it Ctrl-C and a polite kill are only heard, and told when asked; the second one ends the program."""
    came = threading.Event()

    def hear(number: int, _frame: FrameType | None) -> None:
        if came.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        came.set()

    former = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came.is_set
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
