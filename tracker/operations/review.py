"""What people decide about flags: each decision an append-only Review, based on the evaluation that was on screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import lifecycle
from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.models import Course, CourseEvent, Flag, Patient, Review
from tracker.operations import audit, enrol, notices
from tracker.operations.actor import Actor


@dataclass(frozen=True, slots=True)
class Decision:
    """A coded action with what it must come with. `on` is the day a hold, dose or stop takes effect."""

    action: str
    comment: str = ""
    until: date | None = None
    on: date | None = None
    dose_mg: Decimal | None = None
    times_per_day: int | None = None


def decide(
    session: Session, actor: Actor, patient: Patient, versions: dict[int, int], decision: Decision, today: date
) -> list[Review]:
    """Apply one decision to flags of one patient; `versions` maps flag id to the version that was on screen.

    Hold, reduce, resume and stop write the course in the same transaction; whoever decided before is told. Raises
    Refused where something is missing, Stale where a flag changed since it was shown.
    """
    action = lifecycle.ACTIONS.get(decision.action)
    if action is None:
        raise Refused("Choose a decision.")
    _check(action, decision, today)
    flags = _flags(session, patient, versions)
    _check_flags(action, flags, decision, today)
    earlier = notices.last_deciders(session, [flag.id for flag in flags])
    second = any(lifecycle.needs_second_person(action.code, flag.grade) for flag in flags)
    if action.writes_course and not second:
        event_id = _write_course(session, actor, patient, decision, flags[0].id, today)
    else:
        event_id = None
    done = [_review(session, actor, flag, action, decision, second, event_id) for flag in flags]
    for review in done:
        notices.tell(session, actor, earlier.get(review.flag_id), review)
    return done


def _check(action: lifecycle.Move, decision: Decision, today: date) -> None:
    if action.needs_until and decision.until is None:
        raise Refused(f"“{action.words}” needs a date.")
    if decision.until is not None and decision.until < today:
        raise Refused("The date of the next check is in the past.")
    if decision.until is not None and decision.until > today + lifecycle.LONGEST_DELAY:
        raise Refused("The date of the next check is more than a year away. Choose an earlier one.")
    if action.needs_comment and len(decision.comment.strip()) < 5:
        raise Refused(f"“{action.words}” needs a reason in a few words.")
    if decision.on is not None and decision.on > today:
        raise Refused("A change of treatment is recorded on the day it happens, not ahead.")


def _check_flags(action: lifecycle.Move, flags: Sequence[Flag], decision: Decision, today: date) -> None:
    for flag in flags:
        lifecycle.move(flag.review, action.code)
        late = lifecycle.needs_day(action.code, flag.confirmation, flag.due_on, today)
        if late and decision.until is None:
            raise Refused(f"The repeat was due by {flag.due_on}. Say by which day this is looked at again.")
        settled = flag.rule in lifecycle.SETTLED_BY_THEMSELVES and flag.machine == lifecycle.MACHINE_CLEARED
        if action.code == "reopen" and settled:
            raise Refused("What this flag asked for has been done. It comes back by itself when it is wanted again.")


def _flags(session: Session, patient: Patient, versions: dict[int, int]) -> Sequence[Flag]:
    if not versions:
        raise Refused("Choose at least one flag.")
    flags = session.scalars(
        select(Flag).where(Flag.id.in_(versions), Flag.patient_id == patient.id).order_by(Flag.id).with_for_update()
    ).all()
    if len(flags) != len(versions):
        raise Refused("That flag belongs to another patient.")
    if any(flag.version != versions[flag.id] for flag in flags):
        raise Stale("This flag changed while you were deciding: a new result came in, or somebody else decided.")
    return flags


def _review(
    session: Session,
    actor: Actor,
    flag: Flag,
    action: lifecycle.Move,
    decision: Decision,
    second: bool,
    event_id: int | None,
) -> Review:
    after = lifecycle.move(flag.review, action.code)
    review = Review(
        flag_id=flag.id,
        patient_id=flag.patient_id,
        at=actor.utc,
        account_id=actor.account_id,
        action=action.code,
        from_state=flag.review,
        to_state=flag.review if second else after,
        comment=decision.comment,
        until=decision.until,
        flag_version=flag.version,
        course_event_id=event_id,
        standing="proposed" if second else "final",
        details=_details(decision),
        based_on={
            "sentence": flag.sentence,
            "grade": flag.grade,
            "severity": flag.severity,
            "yardstick": flag.yardstick,
            "confirmation": flag.confirmation,
            "rules": flag.rules_digest,
            "last_seen_on": flag.last_seen_on.isoformat(),
        },
    )
    audit.created(session, actor, review, clinic_id=flag.clinic_id, patient_id=flag.patient_id)
    if second:
        _touch(session, actor, flag, owner_id=flag.owner_id or actor.account_id)
    else:
        _settle(session, actor, flag, after, decision)
    return review


def _details(decision: Decision) -> dict[str, Any]:
    return {
        "on": audit.plain(decision.on),
        "dose_mg": audit.plain(decision.dose_mg),
        "times_per_day": decision.times_per_day,
        "until": audit.plain(decision.until),
    }


def _settle(session: Session, actor: Actor, flag: Flag, state: str, decision: Decision) -> None:
    reopened = state == lifecycle.REOPENED
    place = lifecycle.attention(flag.severity, flag.machine, state, flag.folded_under is not None)
    _touch(
        session, actor, flag, review=state, until=decision.until, reviewed_grade=flag.grade,
        reviewed_severity=flag.severity, reopened_because=f"by {actor.name}: {decision.comment}" if reopened else "",
        attention=place, waiting_since=actor.utc if reopened and place < lifecycle.NOT_QUEUED else None,
        owner_id=flag.owner_id or actor.account_id,
    )  # fmt: skip
    patient = session.get_one(Patient, flag.patient_id)
    until = decision.until
    if until is not None and (patient.next_check_on is None or until < patient.next_check_on):
        patient.next_check_on = until


def _touch(session: Session, actor: Actor, flag: Flag, **columns: Any) -> None:
    before = {name: audit.plain(getattr(flag, name)) for name in columns}
    for name, value in columns.items():
        setattr(flag, name, value)
    flag.changed_at = actor.utc
    session.flush()
    audit.note(
        session, actor, "review", "flag", flag.id, before=before,
        after={name: audit.plain(value) for name, value in columns.items()},
        patient_id=flag.patient_id, clinic_id=flag.clinic_id,
    )  # fmt: skip


def assign(session: Session, actor: Actor, flag: Flag, version: int | None = None) -> None:
    """Take a flag over. Raises Stale where it changed since it was shown."""
    if version is not None and flag.version != version:
        raise Stale("This flag changed meanwhile.")
    _touch(session, actor, flag, owner_id=actor.account_id)


def second_opinion(
    session: Session, actor: Actor, review: Review, agree: bool, comment: str, today: date, *, writes: bool = True
) -> None:
    """A second person confirms or declines what the first proposed. Raises NotAllowed for the first person.

    `writes` is False where another review of the same proposal has written the course already.
    """
    if review.standing != "proposed":
        raise Stale("This proposal has been settled meanwhile.")
    if review.account_id == actor.account_id:
        raise NotAllowed("A second person has to confirm what you proposed.")
    if not agree and len(comment.strip()) < 5:
        raise Refused("Say in a few words why you decline.")
    flag = session.get_one(Flag, review.flag_id)
    review.standing = "confirmed" if agree else "declined"
    review.second_account_id, review.second_at = actor.account_id, actor.utc
    session.flush()
    audit.note(
        session, actor, review.standing, "review", review.id, before={"standing": "proposed"},
        after={"standing": review.standing}, reason=comment, patient_id=review.patient_id, clinic_id=flag.clinic_id,
    )  # fmt: skip
    notices.tell(session, actor, review.account_id, review)
    if not agree:
        _touch(session, actor, flag, reopened_because="the second person declined the proposal")
        return
    decision = _proposed(review)
    if lifecycle.ACTIONS[review.action].writes_course and writes:
        patient = session.get_one(Patient, review.patient_id)
        review.course_event_id = _write_course(session, actor, patient, decision, flag.id, today)
    _settle(session, actor, flag, lifecycle.move(flag.review, review.action), decision)


def _proposed(review: Review) -> Decision:
    kept = review.details or {}
    return Decision(
        review.action, review.comment,
        until=date.fromisoformat(kept["until"]) if kept.get("until") else None,
        on=date.fromisoformat(kept["on"]) if kept.get("on") else None,
        dose_mg=Decimal(kept["dose_mg"]) if kept.get("dose_mg") else None, times_per_day=kept.get("times_per_day"),
    )  # fmt: skip


def _write_course(
    session: Session, actor: Actor, patient: Patient, decision: Decision, flag_id: int, today: date
) -> int | None:
    """Hold, reduce, resume or stop the running course; the id of the event, None for a stop."""
    course = _running(session, patient, today)
    on = decision.on or today
    if decision.action == "stop":
        enrol.stop_course(session, actor, patient, course, on, decision.comment)
        return None
    details: dict[str, Any] = {"on": on, "kind": "hold", "reason": decision.comment, "flag_id": flag_id}
    if decision.action == "hold":
        details["review_on"] = decision.until
    elif decision.action == "resume":
        details["kind"] = "resume"
    else:
        if decision.dose_mg is None or decision.times_per_day is None:
            raise Refused("A reduced dose needs the amount in mg and how many times a day.")
        details |= {"kind": "dose", "dose_mg": decision.dose_mg, "times_per_day": decision.times_per_day}
    event: CourseEvent = enrol.add_course_event(session, actor, patient, course, details)
    return event.id


def _running(session: Session, patient: Patient, today: date) -> Course:
    for course in reversed(enrol.courses_of(session, patient.id)):
        if course.started_on <= today and course.stopped_on is None:
            return course
    raise Refused("There is no running course to change.")
