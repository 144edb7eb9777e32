"""Jobs: asked for, taken by one worker at a time, counted on, ended. The work itself is done in cli/working.py."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Stale
from tracker.models import Job, Patient
from tracker.operations import audit
from tracker.operations.actor import Actor

JUDGE, PREVIEW, IMPORT = "judge", "preview", "import"
WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
LEASE = timedelta(seconds=60)  # a worker not seen for so long has stopped


def ask(session: Session, actor: Actor, clinic_id: int, kind: str, details: Mapping[str, Any] | None = None) -> Job:
    """Ask for a job. One of judging that still waits serves for another one like it."""
    waiting = select(Job).where(Job.clinic_id == clinic_id, Job.kind == kind, Job.state == WAITING)
    if kind == JUDGE and (held := session.scalars(waiting).first()) is not None:
        return held
    people = select(func.count(Patient.id)).where(Patient.clinic_id == clinic_id)
    total = 0 if kind == IMPORT else session.scalar(people) or 0  # how long a file is, is known when it is read
    job = Job(
        clinic_id=clinic_id, kind=kind, details=dict(details or {}), total=total, asked_by=actor.account_id,
        asked_at=actor.utc,
    )  # fmt: skip
    audit.created(session, actor, job, clinic_id=clinic_id)
    return job


def take(session: Session, worker: str, at: datetime) -> Job | None:
    """The oldest job that waits, or that its worker has left; it is this worker's from now on."""
    left = (Job.state == RUNNING) & (Job.seen_at < at - LEASE)
    free = select(Job).where((Job.state == WAITING) | left).order_by(Job.id).limit(1)
    job = session.scalars(free.with_for_update(skip_locked=True)).first()
    if job is not None:
        job.state, job.worker, job.seen_at, job.done = RUNNING, worker, at, 0
    return job


def proceed(session: Session, job_id: int, worker: str, at: datetime, done: int, total: int) -> bool:
    """Say how far it is. False where it was cancelled or is another worker's meanwhile: then stop."""
    job = session.get_one(Job, job_id, with_for_update=True)
    if job.state != RUNNING or job.worker != worker:
        return False
    job.done, job.total, job.seen_at = done, total, at
    return True


def end(
    session: Session, job_id: int, worker: str, at: datetime, state: str, message: str = "",
    result: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Done or failed; nothing where it was cancelled or is another worker's meanwhile."""
    job = session.get_one(Job, job_id, with_for_update=True)
    if job.state == RUNNING and job.worker == worker:
        job.state, job.ended_at, job.message, job.result = state, at, message, result


def cancel(session: Session, actor: Actor, job: Job) -> None:
    """Stop a job. What it has stored stays, each part whole. Raises Stale where it has ended."""
    session.refresh(job, with_for_update=True)
    if job.is_over:
        raise Stale("It has ended meanwhile.")
    before = audit.snapshot(job)
    job.state, job.ended_at = CANCELLED, actor.utc
    audit.note(
        session, actor, "cancel", "job", job.id, before=before, after=audit.snapshot(job), clinic_id=job.clinic_id
    )
