"""What is done from the review queue itself: taking a patient over, acknowledging what is only information, having
looked, keeping a view.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.findings import INFO, RANK
from tracker.domain.lifecycle import NOT_QUEUED
from tracker.models import Flag, Patient, QueueView, QueueVisit
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


MOST_VIEWS = 12
LONGEST_NAME = 40  # characters of a saved view's name


def save_view(session: Session, actor: Actor, clinic_id: int, name: str, asked: Mapping[str, str]) -> None:
    """Keep what is asked of the queue under a name; one of that name is replaced.

    Raises Refused for no name, too long a one, or one view too many.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Refused(f"Give the view a name of at most {LONGEST_NAME} characters.")
    row = _views(session, actor, clinic_id)
    others = [view for view in row.views if view["name"] != name]
    if len(others) >= MOST_VIEWS:
        raise Refused(f"You have {MOST_VIEWS} views already. Remove one first.")
    row.views = sorted([*others, {"name": name, **asked}], key=lambda view: view["name"].casefold())


def forget_view(session: Session, actor: Actor, clinic_id: int, name: str) -> None:
    """Remove a view of one's own. Raises Refused where there is none of that name."""
    row = _views(session, actor, clinic_id)
    kept = [view for view in row.views if view["name"] != name]
    if len(kept) == len(row.views):
        raise Refused("There is no such view of yours.")
    row.views = kept


def _views(session: Session, actor: Actor, clinic_id: int) -> QueueView:
    mine = select(QueueView).where(QueueView.account_id == actor.account_id, QueueView.clinic_id == clinic_id)
    row = session.scalar(mine.with_for_update())
    if row is None:
        row = QueueView(account_id=actor.account_id, clinic_id=clinic_id, views=[])
        session.add(row)
        session.flush()
    return row
