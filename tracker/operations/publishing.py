"""A drafted yardstick put in force: what it would do to the flags of the clinic, doing it, and taking it back.

Every patient of the clinic is judged again in the same transaction, so that no flag ever stands on a yardstick that
is not in force any more. From which day a version applies is said when it is published: from today, or from a day
that has passed, which judges history again. It happens in a transaction
where nobody else writes (`Database.transaction(alone=True)`), so a file that is being imported is judged by one of the
two versions, whole.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.lifecycle import MACHINE_CLEARED
from tracker.models import ClinicSetting, Flag, Patient, ReferenceRange
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.provenance import judged_by
from tracker.operations.settings import CHECKS, next_number, published_versions
from tracker.queries.yardsticks import load_yardsticks

OPENED, CHANGED, CLEARED, PAST = "opened", "changed", "cleared", "past"
FROM_TODAY, BACK_FILL = "today", "history"

Draft = ReferenceRange | ClinicSetting


@dataclass(frozen=True, slots=True)
class Effect:
    """What would become of one flag. `past` are episodes that would be found and are over already; `before` is the
    severity it has now, "" where there is no flag yet; `result_id` the latest sample it rests on.
    """

    what: str
    rule: str
    patient_id: int
    mrn: str
    name: str
    severity: str
    before: str
    sentence: str
    on: date
    result_id: int | None

    @property
    def regraded(self) -> bool:
        return self.what == CHANGED and self.severity != self.before


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing would do: from which day, how much was judged, and each flag that would be another."""

    applies_from: date
    patients: int
    results: int
    effects: tuple[Effect, ...]

    def count(self, what: str) -> int:
        return sum(effect.what == what for effect in self.effects)

    @property
    def regraded(self) -> int:
        return sum(effect.regraded for effect in self.effects)

    @property
    def people(self) -> int:
        return len({effect.patient_id for effect in self.effects})

    def by_month(self) -> list[tuple[date, dict[str, int]]]:
        """How many of each kind by the month the episode began in, newest first."""
        found: dict[date, dict[str, int]] = {}
        for effect in self.effects:
            counted = found.setdefault(effect.on.replace(day=1), dict.fromkeys((OPENED, CHANGED, CLEARED, PAST), 0))
            counted[effect.what] += 1
        return sorted(found.items(), reverse=True)

    def by_rule(self) -> list[tuple[str, Counter[str]]]:
        """How many of each kind by rule, the most first."""
        found: dict[str, Counter[str]] = {}
        for effect in self.effects:
            found.setdefault(effect.rule, Counter())[effect.what] += 1
        return sorted(found.items(), key=lambda pair: (-pair[1].total(), pair[0]))


def preview(session: Session, actor: Actor, draft: Draft, applies: str) -> Preview:
    """Judge the clinic as if the draft were published. All of it is taken back before this returns."""
    trial = session.begin_nested()
    try:
        _bring_up_to_date(session, actor, draft.clinic_id)
        severities = _severities(session, draft.clinic_id)
        _put_in_force(session, actor, draft, applies)
        changes = _judge_all(session, actor, draft.clinic_id)
        effects = _effects(session, actor, draft.clinic_id, severities)
        day = draft.effective_from
    finally:
        trial.rollback()
    return Preview(day, changes.patients, changes.results, effects)


def publish(session: Session, actor: Actor, draft: Draft, applies: str, follows: int | None = None) -> Changes:
    """Put the draft in force and judge every patient of the clinic; what that changed.

    `follows` is the number of the version that stood on the page, where the draft is a setting. Raises NotAllowed for
    the person who drafted it, Stale where it is no draft any more or another version came first.
    """
    session.refresh(draft, with_for_update=True)
    if draft.state != "draft":
        raise Stale(f"This draft was {draft.state} meanwhile.")
    if draft.drafted_by == actor.account_id:
        raise NotAllowed("A second person publishes what you drafted.")
    if isinstance(draft, ClinicSetting) and follows is not None and next_number(session, draft) != follows + 1:
        raise Stale("Another version was published meanwhile. Look again at what yours would change.")
    _bring_up_to_date(session, actor, draft.clinic_id)
    before = audit.snapshot(draft)
    _put_in_force(session, actor, draft, applies)
    audit.note(
        session, actor, "publish", draft.__tablename__, draft.id, before=before, after=audit.snapshot(draft),
        reason=draft.reason, clinic_id=draft.clinic_id,
    )  # fmt: skip
    return _judge_all(session, actor, draft.clinic_id)


def roll_back(session: Session, actor: Actor, row: ClinicSetting) -> Changes:
    """Take the latest version of a setting back: a new version says what the one before it said, from the same day on.

    One person is enough, because two people put in force what comes back. Raises Stale where it is not the latest.
    """
    session.refresh(row, with_for_update=True)
    versions = published_versions(session, row)
    if row.state != "published" or versions[0].id != row.id:
        raise Stale("This is not the latest version any more: only that one can be taken back.")
    _bring_up_to_date(session, actor, row.clinic_id)
    again = ClinicSetting(
        clinic_id=row.clinic_id, kind=row.kind, scope=row.scope, body=versions[1].body if len(versions) > 1 else {},
        source=versions[1].source if len(versions) > 1 else "", effective_from=row.effective_from,
        reason=f"version {row.number} taken back", drafted_by=actor.account_id, drafted_at=actor.utc,
        state="published", number=row.number + 1, published_by=actor.account_id, published_at=actor.utc,
    )  # fmt: skip
    audit.created(session, actor, again, clinic_id=row.clinic_id, reason=again.reason)
    return _judge_all(session, actor, row.clinic_id)


def _put_in_force(session: Session, actor: Actor, draft: Draft, applies: str) -> None:
    draft.effective_from = applies_from(draft, applies, actor.today(zone_of(session, draft.clinic_id)))
    if isinstance(draft, ClinicSetting):
        CHECKS[draft.kind](draft.scope, draft.body)
        latest = published_versions(session, draft)[:1]
        if latest and latest[0].effective_from > draft.effective_from:
            raise Refused(
                f"Version {latest[0].number} applies from {latest[0].effective_from}: date yours that day or later, "
                "or take that one back first."
            )
        draft.number = next_number(session, draft)
    draft.state, draft.published_by, draft.published_at = "published", actor.account_id, actor.utc
    session.flush()


def applies_from(draft: Draft, applies: str, today: date) -> date:
    """The first day a version judges. One dated in the past is published from today, or judges history again."""
    if draft.effective_from >= today or applies == BACK_FILL:
        return draft.effective_from
    if applies == FROM_TODAY:
        return today
    raise Refused(
        f"It is dated {draft.effective_from}, which has passed. Say whether it applies from today, or whether history "
        "is judged again with it."
    )


def _severities(session: Session, clinic_id: int) -> dict[int, str]:
    flags = select(Flag.id, Flag.severity).where(Flag.clinic_id == clinic_id)
    return {row.id: row.severity for row in session.execute(flags)}


def _bring_up_to_date(session: Session, actor: Actor, clinic_id: int) -> None:
    """Judge who was not judged today by these rules, so that what time has done is not put down to the change."""
    zone = zone_of(session, clinic_id)
    midnight = datetime.combine(actor.today(zone), time(), zone).astimezone(UTC)
    digest = judged_by(load_yardsticks(session, clinic_id).digest)
    current = (Patient.judged_at >= midnight) & (Patient.judged_digest == digest)
    left = select(Patient.id).where(Patient.clinic_id == clinic_id, Patient.judged_at.is_(None) | ~current)
    evaluate(session, clinic_id, session.scalars(left).all(), actor.utc, actor.today(zone))


def _judge_all(session: Session, actor: Actor, clinic_id: int) -> Changes:
    ids = session.scalars(select(Patient.id).where(Patient.clinic_id == clinic_id)).all()
    return evaluate(session, clinic_id, ids, _marked(actor), actor.today(zone_of(session, clinic_id)))


def _marked(actor: Actor) -> datetime:
    """The instant by which the flags are known that the yardstick itself has changed."""
    return actor.utc + timedelta(microseconds=1)


def _effects(session: Session, actor: Actor, clinic_id: int, severities: dict[int, str]) -> tuple[Effect, ...]:
    """The flags that this evaluation wrote, worst first."""
    rows = session.execute(
        select(Flag, Patient)
        .join(Patient, Patient.id == Flag.patient_id)
        .where(Flag.clinic_id == clinic_id, Flag.changed_at == _marked(actor))
        .order_by(Flag.attention, Patient.mrn, Flag.opened_on, Flag.id)
    )
    return tuple(
        Effect(
            _what(flag, actor), flag.rule, patient.id, patient.mrn, patient.full_name, flag.severity,
            severities.get(flag.id, ""), flag.sentence, flag.opened_on,
            flag.evidence[-1].get("result_id") if flag.evidence else None,
        )
        for flag, patient in rows
    )  # fmt: skip


def _what(flag: Flag, actor: Actor) -> str:
    if flag.first_seen_at == _marked(actor):
        return PAST if flag.machine == MACHINE_CLEARED else OPENED
    return CLEARED if flag.machine == MACHINE_CLEARED else CHANGED
