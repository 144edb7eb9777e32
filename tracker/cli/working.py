"""tracker work: does the jobs that pages ask for, one after the other, and takes up what another worker left."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tracker import formats
from tracker.cli.context import database, largest_document, open_database
from tracker.cli.filing import Filed, Filing, file_all
from tracker.cli.judging import CHUNK, judge_part
from tracker.cli.sharing import pool, writers
from tracker.db import Database
from tracker.domain.errors import JakwatchError, OutcomeUnknown, Refused, Stale
from tracker.formats.shapes import Answers, Reader
from tracker.formats.shelves import Shelves
from tracker.models import Account, Clinic, Job, Membership
from tracker.operations import jobs, mapping, trial
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import left_to_judge
from tracker.operations.runs import PART
from tracker.operations.trial import Preview
from tracker.queries import coverage, mappings
from tracker.queries.patients import everybody
from tracker.queries.yardsticks import Trial

log = logging.getLogger("tracker.jobs")
PAUSE = 2.0  # seconds between two looks for work
BEAT = 10.0  # seconds between two words that a file is still being read
MAY_FILE = frozenset(("recorder", "clinician"))  # the roles to whom the pages of imports are open
AWAY = (OperationalError, OutcomeUnknown)  # the database, for now


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="That share a job.")
@click.option("--once", is_flag=True, help="Do what waits and end.")
@click.option("--beside", type=int, hidden=True, help="End when the process of this number is the parent no longer.")
def work(processes: int, once: bool, beside: int | None) -> None:
    """Do the jobs that pages ask for: previews and judging again in large clinics, long files."""
    done = None
    while done is None:
        try:
            with database() as opened:
                done = work_on(opened, processes, once, beside)
        except AWAY:  # from the beginning: the machine starts, and we are before the database
            if once or not _wanted(beside):
                raise
            time.sleep(PAUSE)
    if once:
        click.echo(f"{done} {'job' if done == 1 else 'jobs'} done.")


def _wanted(beside: int | None) -> bool:
    """Is the process there beside which this one works?"""
    return beside is None or os.getppid() == beside


def work_on(opened: Database, processes: int, once: bool = False, beside: int | None = None) -> int:
    """Do jobs until there are none (`once`), or for as long as the parent lives; how many were done. While the database
    is away it waits; a job that was broken off by that is taken up again.
    """
    worker, done = secrets.token_hex(8), 0
    while _wanted(beside):
        try:
            found = _next(opened, worker, processes)
        except AWAY as why:
            if once:
                raise
            log.warning("the database is not to be had (%s)", type(why).__name__)
            found = False
        done += found
        if not found and once:
            break
        if not found:
            time.sleep(PAUSE)
    return done


def _next(opened: Database, worker: str, processes: int) -> bool:
    """Do the job that waits for longest; False where none does."""
    with opened.transaction() as session:
        job = jobs.take(session, worker, datetime.now(UTC))
    if job is not None:
        _do(opened, job, worker, processes)
    return job is not None


def _do(opened: Database, job: Job, worker: str, processes: int) -> None:
    """One job to its end. A fault fails the job and not the worker; what was stored stays, each part whole."""
    state, message, result = jobs.DONE, "", None
    try:
        with pool(_processes(opened, job, processes)) as executor:
            result = WORK[job.kind](opened, job, worker, executor)
    except AWAY:
        raise  # no fault of the job's: it is taken up again when its lease is over
    except JakwatchError as refusal:
        state, message = jobs.FAILED, str(refusal)
    except Exception:
        log.exception("Job %s failed", job.id)
        state, message = jobs.FAILED, "The worker met a fault; its log says which. Ask again."
    with opened.transaction() as session:
        jobs.end(session, job.id, worker, datetime.now(UTC), state, message, result)


def _processes(opened: Database, job: Job, processes: int) -> int:
    """How many share a job: all of them a preview, as many as may write a judging; one an import."""
    if job.kind == jobs.IMPORT:
        return 1
    return processes if job.kind == jobs.PREVIEW else writers(opened.url, processes)


# ---------------------------------------------------------------------------------------------- the kinds


def _preview(opened: Database, job: Job, worker: str, executor: Executor) -> dict[str, Any] | None:
    planned, today = Trial.from_json(job.details), date.fromisoformat(job.details["today"])
    found = Preview(planned.applies_from)
    with opened.reading() as session:
        ids = everybody(session, job.clinic_id)
        mended = coverage.change(session, job.clinic_id, planned, today)
    tasks = [(opened.url, job.clinic_id, part, planned, today) for part in _parts(ids)]
    for part in _each(executor, preview_part, tasks):
        found.add(part)
        if not _proceed(opened, job, worker, found.patients, len(ids)):
            return None
    return found.as_json() | {"coverage": mended._asdict()}


def preview_part(task: tuple[str, int, list[int], Trial, date]) -> Preview:
    """Some patients of a preview; runs in a process of its own."""
    url, clinic_id, ids, planned, today = task
    opened = open_database(url)
    try:
        with opened.reading() as session:
            return trial.preview(session, clinic_id, ids, planned, today)
    finally:
        opened.close()


def _judge(opened: Database, job: Job, worker: str, executor: Executor) -> dict[str, Any] | None:
    """Judge whoever is not judged by what is in force, until there is nobody: a job taken up again goes on."""
    total = {"patients": 0, "results": 0, "opened": 0, "changed": 0, "cleared": 0}
    while ids := _stale(opened, job.clinic_id):
        before = total["patients"]
        tasks = [(opened.url, job.clinic_id, part, False) for part in _parts(ids)]
        for counts in _each(executor, judge_part, tasks):
            total = {name: total[name] + counts[name] for name in total}
            if not _proceed(opened, job, worker, total["patients"], before + len(ids)):
                return None
    return total


def _import(opened: Database, job: Job, worker: str, _pool: Executor) -> dict[str, Any]:
    """File what somebody sent; cancelled, it stops after a part, and the same file goes on from there."""
    path = Path(job.details["path"])
    with opened.reading() as session:
        clinic, account = session.get_one(Clinic, job.clinic_id), session.get_one(Account, job.asked_by)
        reader = mappings.reader(session, [clinic.id], Answers.of(job.details["answers"]))
        still = account.active and account.role in MAY_FILE and _works_in(session, account, clinic)
    if not path.is_file():
        raise Refused(
            "The file is not here any more: send it again. What was stored of it stays, and it goes on from there."
        )
    if not still:
        _put_away(opened, job, worker, path)
        raise Refused(f"{account.name} may not file here any more: somebody else has to send the file.")
    filing = Filing(partial(_on_behalf_of, account), (clinic.id,), largest=largest_document())
    try:
        filed = _file(opened, job, worker, path, filing, reader, ZoneInfo(clinic.time_zone))
    except AWAY:
        raise  # the job is taken up again, and needs the file; so it is where the service ends
    except Exception:
        _put_away(opened, job, worker, path)
        raise
    _put_away(opened, job, worker, path)
    return filed.flags


def _works_in(session: Session, account: Account, clinic: Clinic) -> bool:
    m = Membership
    held = select(m.id).where(m.account_id == account.id, m.clinic_id == clinic.id)
    return session.scalar(held) is not None


def _put_away(opened: Database, job: Job, worker: str, path: Path) -> None:
    """The file is needed no more, unless another worker has taken the job up meanwhile: then it is theirs."""
    with opened.reading() as session:
        now = session.get_one(Job, job.id)
    if now.state != jobs.RUNNING or now.worker == worker:
        path.unlink(missing_ok=True)


def _file(opened: Database, job: Job, worker: str, path: Path, filing: Filing, reader: Reader, zone: ZoneInfo) -> Filed:
    with Shelves(PART) as shelves, path.open("rb") as stream:
        source = formats.read(job.details["name"], stream, zone, reader)
        shelves.take(source.name, job.details["sha256"], source, _reading(opened, job, worker, shelves))
        how = (zone.key, job.details["answers"])
        filed = file_all(opened, shelves, filing, how, lambda rows: _proceed(opened, job, worker, rows, shelves.rows))
        if not filed.left:
            _proceed(opened, job, worker, shelves.rows, shelves.rows)
            _keep_mapping(opened, job, filing.actor(), source)
        return filed


def _reading(opened: Database, job: Job, worker: str, shelves: Shelves) -> Callable[[], None]:
    """What says now and then that a file is still being read, which may take longer than a lease. It raises Stale where
    the job is not this worker's any more.
    """
    said = time.monotonic()

    def told() -> None:
        nonlocal said
        if time.monotonic() - said < BEAT:
            return
        said = time.monotonic()
        if not _proceed(opened, job, worker, 0, shelves.rows):
            raise Stale("It was stopped, or another worker does it.")

    return told


def _on_behalf_of(account: Account) -> Actor:
    return Actor(account.name, datetime.now(UTC), "upload", account.id, account.role)


def _keep_mapping(opened: Database, job: Job, actor: Actor, source: formats.Source) -> None:
    if job.details["keep_as"] and source.proposals:
        with opened.transaction() as session:
            mapping.keep(session, actor, job.clinic_id, job.details["keep_as"], source.proposals[0])


def _stale(opened: Database, clinic_id: int) -> list[int]:
    with opened.reading() as session:
        today = datetime.now(zone_of(session, clinic_id)).date()
        return left_to_judge(session, clinic_id, today)


def _parts(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _each(executor: Executor, work: Any, tasks: Iterable[Any]) -> Iterator[Any]:
    """The results in the order of the tasks, no more than a few of them on the way: a cancelled job ends soon."""
    rest, running = iter(tasks), list[Future[Any]]()
    running += [executor.submit(work, task) for task in islice(rest, 4)]
    while running:
        yield running.pop(0).result()
        running += [executor.submit(work, task) for task in islice(rest, 1)]


def _proceed(opened: Database, job: Job, worker: str, done: int, total: int) -> bool:
    with opened.transaction(waits=False) as session:
        return jobs.proceed(session, job.id, worker, datetime.now(UTC), done, total)


WORK: dict[str, Callable[[Database, Job, str, Executor], dict[str, Any] | None]] = {
    jobs.PREVIEW: _preview, jobs.JUDGE: _judge, jobs.IMPORT: _import,
}  # fmt: skip
