"""One course as its page shows it: what happened in it, the checklist before it, the flags about it, and who wrote."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.protocol import Protocol
from tracker.library.protocols import protocols
from tracker.models import Account, Course, CourseEvent, Flag, Patient
from tracker.queries.checklist import Checklist, checklist, concerns
from tracker.queries.history import Loader
from tracker.queries.patients import flags
from tracker.queries.trail import Entry, of_records

ABOUT_TREATMENT = ("action_limit", "do_not_start", "screening", "dosing", "hold", "overdue", "infection", "event")


@dataclass(frozen=True, slots=True)
class CourseCard:
    """Everything on the page of a course. `held` says whether the drug is on hold, `names` who recorded each line."""

    course: Course
    protocol: Protocol | None
    events: list[CourseEvent]
    names: dict[int | None, str]
    held: bool
    checklist: Checklist | None
    flags: list[Flag]
    entries: list[Entry]


def course_card(session: Session, patient: Patient, course: Course, today: date) -> CourseCard:
    """The page of one course. No rule runs: what speaks against it is read from the stored flags."""
    protocol = protocols().get(course.protocol_id)
    happened = select(CourseEvent).where(CourseEvent.course_id == course.id, CourseEvent.voided_at.is_(None))
    events = list(session.scalars(happened.order_by(CourseEvent.on, CourseEvent.id)))
    open_flags = flags(session, patient.id)
    records = [("course", course.id), *(("course_event", event.id) for event in events)]
    return CourseCard(
        course,
        protocol,
        events,
        _names(session, {course.recorded_by, *(event.recorded_by for event in events)}),
        on_hold(events),
        _checklist(session, patient, course, protocol, open_flags, today),
        [flag for flag in open_flags if flag.rule in ABOUT_TREATMENT],
        of_records(session, patient.id, records),
    )


def on_hold(events: list[CourseEvent]) -> bool:
    """Whether the last thing that happened was a hold; a dose ends one as a resume does."""
    return bool(events) and events[-1].kind == "hold"


def _names(session: Session, ids: set[int | None]) -> dict[int | None, str]:
    known = select(Account.id, Account.name).where(Account.id.in_([id for id in ids if id is not None]))
    return {row.id: row.name for row in session.execute(known)}


def _checklist(
    session: Session, patient: Patient, course: Course, protocol: Protocol | None, open_flags: list[Flag], today: date
) -> Checklist | None:
    if protocol is None or course.voided_at is not None:
        return None
    history = next(iter(Loader(session, patient.clinic_id, today).histories([patient.id])))
    facts = next(known for known in history.courses if known.id == course.id)
    return checklist(history, facts, protocol, concerns(open_flags, protocol))
