"""What people do about checks that are due: take them on, put them off with a reason, or no longer put them off."""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.lifecycle import LONGEST_DELAY
from tracker.domain.schedule import DUE, OVERDUE, DueItem
from tracker.models import DueStep, Patient
from tracker.models.desk import OWN, RESUME, WAIVE
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.queries.due import items_of

SHORTEST_REASON = 5  # characters


def seen(session: Session, patient_id: int) -> int:
    """What a form carries: the number of the last step about this patient's checks, 0 where there is none."""
    return session.scalar(select(func.max(DueStep.id)).where(DueStep.patient_id == patient_id)) or 0


def take(session: Session, actor: Actor, patient: Patient, subjects: Collection[str], today: date) -> None:
    """The actor cares for these checks from now on. Raises Refused for one that is not due."""
    for item in _due(session, patient, subjects, today):
        _step(session, actor, patient, item.subject, OWN, today, owner_id=actor.account_id)


def put_off(  # noqa: PLR0913 - what a decision needs
    session: Session, actor: Actor, patient: Patient, subjects: Collection[str], until: date, reason: str,
    today: date, version: int,
) -> None:  # fmt: skip
    """These checks are not overdue up to and with `until`. The caller judges the patient again.

    Raises Refused for a check that is not due or cannot be put off, a day that is past or more than a year away, or
    without a reason; Stale where somebody did something about this patient's checks since `version`.
    """
    if until < today:
        raise Refused("The day until which it is put off is in the past.")
    if until > today + LONGEST_DELAY:
        raise Refused("That is more than a year away. Choose an earlier day.")
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused("Say in a few words why it is put off.")
    _check_version(session, patient, version)
    for item in _due(session, patient, subjects, today):
        if not item.waivable:
            raise Refused(f"{item.subject} is asked for before treatment or by screening: decide on it in the review.")
        _step(session, actor, patient, item.subject, WAIVE, today, until=until, reason=reason.strip())


def bring_back(session: Session, actor: Actor, patient: Patient, subject: str, today: date, version: int) -> None:
    """This check is no longer put off, from today. The caller judges the patient again. Raises Refused where it is not
    put off, Stale as `put_off`.
    """
    _check_version(session, patient, version)
    if not any(item.waived for item in _due(session, patient, [subject], today)):
        raise Refused("This check is not put off.")
    _step(session, actor, patient, subject, RESUME, today)


def _check_version(session: Session, patient: Patient, version: int) -> None:
    if seen(session, patient.id) != version:
        raise Stale("Somebody else did something about these checks meanwhile.")


def _due(session: Session, patient: Patient, subjects: Collection[str], today: date) -> Sequence[DueItem]:
    if not subjects:
        raise Refused("Tick at least one check.")
    session.get_one(Patient, patient.id, with_for_update=True)
    items = {i.subject: i for i in items_of(session, patient, today) if i.state in (DUE, OVERDUE) or i.waived}
    unknown = [subject for subject in subjects if subject not in items]
    if unknown:
        raise Refused(f"{', '.join(unknown)}: nothing is due now.")
    return [items[subject] for subject in dict.fromkeys(subjects)]


def _step(  # noqa: PLR0913 - the columns of a step
    session: Session, actor: Actor, patient: Patient, subject: str, action: str, on: date, *,
    until: date | None = None, owner_id: int | None = None, reason: str = "",
) -> None:  # fmt: skip
    row = DueStep(
        patient_id=patient.id, subject=subject, action=action, on=on, until=until, owner_id=owner_id, reason=reason,
        recorded_at=actor.utc, recorded_by=actor.account_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=patient.clinic_id, patient_id=patient.id, reason=reason)
