"""What is done from the review queue itself: taking a patient over, acknowledging what is only information, having
looked.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.findings import INFO, RANK
from tracker.domain.lifecycle import NOT_QUEUED
from tracker.models import Flag, Patient, QueueVisit
from tracker.operations.actor import Actor
from tracker.operations.review import Decision, assign, decide


def take(session: Session, actor: Actor, patient: Patient, shown_owners: Collection[int]) -> list[Flag]:
    """Make the actor the owner of all queued flags of a patient; those taken.

    `shown_owners` are those on screen. Raises Stale where somebody else took the patient meanwhile, Refused where
    nothing is queued.
    """
    flags = _queued(session, patient)
    owners = {flag.owner_id for flag in flags if flag.owner_id is not None} - {actor.account_id}
    if not owners <= set(shown_owners):
        raise Stale("Somebody else took this patient over meanwhile.")
    if not flags:
        raise Refused("Nothing about this patient waits for anybody.")
    mine = [flag for flag in flags if flag.owner_id != actor.account_id]
    for flag in mine:
        assign(session, actor, flag)
    return mine


def acknowledge_info(
    session: Session, actor: Actor, patients: Sequence[Patient], shown_at: datetime, today: date
) -> list[Flag]:
    """Acknowledge the undecided flags for information of these patients; those acknowledged.

    What changed after `shown_at` was not on screen and is left as it is.
    """
    done = []
    for patient in patients:
        flags = [f for f in _queued(session, patient) if f.attention == RANK[INFO] and f.changed_at <= shown_at]
        if flags:
            versions = {flag.id: flag.version for flag in flags}
            decide(session, actor, patient, versions, Decision("acknowledge"), today)
            done += flags
    return done


def _queued(session: Session, patient: Patient) -> list[Flag]:
    statement = select(Flag).where(Flag.patient_id == patient.id, Flag.attention < NOT_QUEUED)
    return list(session.scalars(statement.order_by(Flag.id).with_for_update()))


def mark_seen(session: Session, actor: Actor, clinic_id: int, at: datetime) -> None:
    """Remember that the actor looked at the queue at that instant; never moved back, nor into the future."""
    at = min(at, actor.utc)
    visit = session.scalar(
        select(QueueVisit).where(QueueVisit.account_id == actor.account_id, QueueVisit.clinic_id == clinic_id)
    )
    if visit is None:
        session.add(QueueVisit(account_id=actor.account_id, clinic_id=clinic_id, seen_at=at))
    elif visit.seen_at < at:
        visit.seen_at = at
