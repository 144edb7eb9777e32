"""A drafted range put in force: what it would do to the flags of the clinic, and doing it.

Every patient of the clinic is judged again in the same transaction, so that no flag ever stands on a range that is
not in force any more.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.lifecycle import MACHINE_CLEARED
from tracker.models import Flag, Patient, ReferenceRange
from tracker.operations.actor import Actor
from tracker.operations.configure import publish_draft
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.provenance import rulebook_digest

OPENED, CHANGED, CLEARED, PAST = "opened", "changed", "cleared", "past"


@dataclass(frozen=True, slots=True)
class Effect:
    """What would become of one flag. `past` are episodes that would be found and are over already."""

    what: str
    patient_id: int
    mrn: str
    name: str
    severity: str
    sentence: str
    on: date


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing would do: how much was judged, and each flag that would be another."""

    patients: int
    results: int
    effects: tuple[Effect, ...]

    def count(self, what: str) -> int:
        return sum(effect.what == what for effect in self.effects)

    def by_month(self) -> list[tuple[date, dict[str, int]]]:
        """How many of each kind by the month the episode began in, newest first."""
        found: dict[date, dict[str, int]] = {}
        for effect in self.effects:
            counted = found.setdefault(effect.on.replace(day=1), dict.fromkeys((OPENED, CHANGED, CLEARED, PAST), 0))
            counted[effect.what] += 1
        return sorted(found.items(), reverse=True)


def preview(session: Session, actor: Actor, draft: ReferenceRange) -> Preview:
    """Judge the clinic as if the draft were published. All of it is taken back before this returns."""
    trial = session.begin_nested()
    try:
        _bring_up_to_date(session, actor, draft.clinic_id)
        draft.state = "published"
        session.flush()
        changes = _judge_all(session, actor, draft.clinic_id)
        effects = _effects(session, actor, draft.clinic_id)
    finally:
        trial.rollback()
    return Preview(changes.patients, changes.results, effects)


def publish(session: Session, actor: Actor, draft: ReferenceRange) -> Changes:
    """Put the draft in force and judge every patient of the clinic; what that changed.

    Raises NotAllowed for the person who drafted it, Refused where it is no draft any more.
    """
    session.refresh(draft, with_for_update=True)
    _bring_up_to_date(session, actor, draft.clinic_id)
    publish_draft(session, actor, draft)
    return _judge_all(session, actor, draft.clinic_id)


def _bring_up_to_date(session: Session, actor: Actor, clinic_id: int) -> None:
    """Judge who was not judged today by these rules, so that what time has done is not put down to the range."""
    zone = zone_of(session, clinic_id)
    midnight = datetime.combine(actor.today(zone), time(), zone).astimezone(UTC)
    current = (Patient.judged_at >= midnight) & (Patient.judged_digest == rulebook_digest())
    left = select(Patient.id).where(Patient.clinic_id == clinic_id, Patient.judged_at.is_(None) | ~current)
    evaluate(session, clinic_id, session.scalars(left).all(), actor.utc, actor.today(zone))


def _judge_all(session: Session, actor: Actor, clinic_id: int) -> Changes:
    ids = session.scalars(select(Patient.id).where(Patient.clinic_id == clinic_id)).all()
    return evaluate(session, clinic_id, ids, _marked(actor), actor.today(zone_of(session, clinic_id)))


def _marked(actor: Actor) -> datetime:
    """The instant by which the flags are known that the range itself has changed."""
    return actor.utc + timedelta(microseconds=1)


def _effects(session: Session, actor: Actor, clinic_id: int) -> tuple[Effect, ...]:
    """The flags that this evaluation wrote, worst first."""
    rows = session.execute(
        select(Flag, Patient)
        .join(Patient, Patient.id == Flag.patient_id)
        .where(Flag.clinic_id == clinic_id, Flag.changed_at == _marked(actor))
        .order_by(Flag.attention, Patient.mrn, Flag.opened_on, Flag.id)
    )
    return tuple(
        Effect(
            _what(flag, actor), patient.id, patient.mrn, patient.full_name, flag.severity, flag.sentence, flag.opened_on
        )
        for flag, patient in rows
    )


def _what(flag: Flag, actor: Actor) -> str:
    if flag.first_seen_at == _marked(actor):
        return PAST if flag.machine == MACHINE_CLEARED else OPENED
    return CLEARED if flag.machine == MACHINE_CLEARED else CHANGED
