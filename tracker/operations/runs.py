"""A long import is stored in parts here, some patients at a time: after each part everybody in it has all that the
files say of them and is judged by it, and nobody else has anything.

Each part is one transaction of the caller, and how far the import is stands in it. So whatever ends the program, the
same files go on where they were: found again by their digest, as long as none of their batches was undone. Who takes an
import up owns it from then on; whoever had it finds that out at their next part, and stores nothing more.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Stale
from tracker.domain.readings import Problem, Row
from tracker.formats.shelves import SHELVES, Shelves
from tracker.models import ImportBatch, ImportProblem, ImportRun, ImportUndo
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.importing import COUNTED, Importer, Report
from tracker.operations.pace import no_search_for_cycles

PART = 20_000
"""An import of so many rows is stored at once; a longer one in parts of about so many."""

RUNNING, STOPPED, COMPLETE = "running", "stopped", "complete"


@dataclass(slots=True)
class Part:
    """The rows of some shelves by file; `upto` are the shelves that are stored with it."""

    upto: int
    rows: int = 0
    files: dict[int, list[Row]] = field(default_factory=dict)


def parts(shelves: Shelves, first: int) -> Iterator[Part]:
    """The parts of an import from a shelf on."""
    part = Part(first)
    for number in range(first, SHELVES):
        part.upto = number + 1
        with no_search_for_cycles():
            for of, rows in shelves.shelf(number):
                held = part.files.setdefault(of, [])
                before = len(held)
                held += rows
                part.rows += len(held) - before
        if part.rows >= PART or part.upto == SHELVES:
            yield part
            part = Part(part.upto)


def digest_of(shelves: Shelves, *how: object) -> str:
    """What tells the same files, read and filed in the same way."""
    files = [
        (file.sha256, file.source.format, file.source.kind, file.rows, [remark.message for remark in file.remarks])
        for file in shelves.files
    ]
    return sha256(json.dumps([files, how], default=str).encode()).hexdigest()


def begin(session: Session, importer: Importer, shelves: Shelves, digest: str, worker: str) -> ImportRun:
    """Take up the import with this digest where it was left, or begin it."""
    actor, clinic = importer.actor, importer.clinics[0]
    found = select(ImportRun).where(
        ImportRun.clinic_id == clinic.id, ImportRun.digest == digest, ImportRun.state != COMPLETE
    )
    run = session.scalars(found.order_by(ImportRun.id.desc()).limit(1).with_for_update()).first()
    if run is None or _undone(session, run.id):
        return _new(session, importer, shelves, digest, worker)
    _turn(session, actor, run, RUNNING, "resume")
    run.worker, run.seen_at = worker, actor.utc
    return run


def _new(session: Session, importer: Importer, shelves: Shelves, digest: str, worker: str) -> ImportRun:
    actor, clinic = importer.actor, importer.clinics[0]
    run = ImportRun(
        clinic_id=clinic.id, digest=digest, rows=shelves.rows, totals={}, unmapped={}, flags={}, worker=worker,
        begun_at=actor.utc, seen_at=actor.utc,
    )  # fmt: skip
    audit.created(session, actor, run, clinic_id=clinic.id)
    totals = {}
    for file in shelves.files:
        report = importer.begin(
            file.path, file.source.format, file.source.kind, file.sha256, file.remarks, run.id
        )  # fmt: skip
        importer.settle(report)
        totals[str(report.batch)] = file.rows
    run.totals = totals
    return run


def store(session: Session, importer: Importer, shelves: Shelves, run_id: int, worker: str, part: Part) -> ImportRun:
    """Store a part, judge whom it is about, and say how far the import is. Raises Stale where somebody else has taken
    it up, stopped it or undone it meanwhile.
    """
    run = _mine(session, run_id, worker)
    batches = batches_of(session, run.id)
    unmapped = {name: dict(told) for name, told in run.unmapped.items()}
    for number in (each for each in shelves.in_turn() if each in part.files):
        report, file = _report(batches[number]), shelves.files[number]
        importer.add(report, part.files[number], file.source.elements)
        importer.settle(report)
        told = unmapped.setdefault(str(report.batch), {})
        for name, (first, count) in report.unmapped.items():
            earlier, before = told.get(name, (first, 0))
            told[name] = [min(first, earlier), before + count]
    run.unmapped, run.shelves, run.stored, run.seen_at = unmapped, part.upto, run.stored + part.rows, importer.actor.utc
    if part.upto == SHELVES:
        _end(importer, run, batches)
    moved = importer.judge().counts()
    run.flags = {name: run.flags.get(name, 0) + count for name, count in moved.items()}
    return run


def _end(importer: Importer, run: ImportRun, batches: Sequence[ImportBatch]) -> None:
    for batch in batches:
        report = _report(batch)
        told = run.unmapped.get(str(batch.id), {})
        report.unmapped = {
            name: (first, count) for name, (first, count) in sorted(told.items(), key=lambda one: one[1])
        }
        importer.end(report)
    importer.release()
    run.state = COMPLETE


def stop(session: Session, actor: Actor, run_id: int, worker: str) -> None:
    """Leave it at what is stored, until it is asked for again. Raises Stale where it is not this worker's."""
    _turn(session, actor, _mine(session, run_id, worker), STOPPED, "stop")


def _turn(session: Session, actor: Actor, run: ImportRun, state: str, what: str) -> None:
    before = {"state": run.state, "stored": None}
    run.state = state
    after = {"state": state, "stored": run.stored}
    audit.note(session, actor, what, "import_run", run.id, before=before, after=after, clinic_id=run.clinic_id)


def _mine(session: Session, run_id: int, worker: str) -> ImportRun:
    run = session.get_one(ImportRun, run_id, with_for_update=True, populate_existing=True)
    if run.worker != worker or run.state != RUNNING:
        raise Stale("Somebody else has taken up this import: it goes on there. What this command stored stays.")
    # Whoever undoes a file of it holds that batch: what they have decided is seen once they have ended.
    of_it = select(ImportBatch.id).where(ImportBatch.run_id == run_id).order_by(ImportBatch.id)
    session.execute(of_it.with_for_update())
    if _undone(session, run.id):
        raise Stale("This import was undone meanwhile: nothing more of it is stored.")
    return run


def _undone(session: Session, run_id: int) -> bool:
    """Whether any file of it was undone."""
    found = select(ImportUndo.id).join(ImportBatch, ImportBatch.id == ImportUndo.batch_id)
    return session.scalar(found.where(ImportBatch.run_id == run_id).limit(1)) is not None


def batches_of(session: Session, run_id: int) -> list[ImportBatch]:
    """The batches of its files, in the order in which these were given."""
    return list(session.scalars(select(ImportBatch).where(ImportBatch.run_id == run_id).order_by(ImportBatch.id)))


def reported(session: Session, batch: ImportBatch) -> Report:
    """What has become of a batch so far, with all that was said of its rows."""
    report = _report(batch)
    for name in COUNTED:
        setattr(report, name, getattr(batch, name))
    p = ImportProblem
    said = select(p.row, p.column, p.message).where(p.batch_id == batch.id).order_by(p.row, p.id)
    report.problems = [Problem(*problem) for problem in session.execute(said)]
    return report


def _report(batch: ImportBatch) -> Report:
    layout, _, kind = batch.format.partition(" ")
    return Report(batch.filename, layout, kind, batch=batch.id)
