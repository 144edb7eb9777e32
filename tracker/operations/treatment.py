"""Courses corrected and changed on their own page. What a decision on a flag does to a course is in `review`."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.library.protocols import protocols
from tracker.models import Course, CourseEvent, Patient
from tracker.operations import enrol
from tracker.operations.actor import Actor

DOSE, HOLD, RESUME, STOP = "dose", "hold", "resume", "stop"


def seen(session: Session, course: Course) -> str:
    """What a form carries: the version of the row, how often something happened in the course, and was taken out."""
    e = CourseEvent
    rows = select(func.count(e.id), func.count(e.voided_at)).where(e.course_id == course.id)
    happened, voided = session.execute(rows).one()
    return f"{course.version}.{happened}.{voided}"


def change_course(
    session: Session,
    actor: Actor,
    patient: Patient,
    course: Course,
    kind: str,
    details: Mapping[str, Any],
    version: str,
) -> None:
    """A dose, a hold, a resume or the stop, on `details["on"]`, in the course as the form of `version` showed it.

    Raises Refused where it cannot be so, Stale where the course was changed meanwhile.
    """
    on: date = details["on"]
    session.refresh(course, with_for_update=True)
    if course.voided_at is not None or seen(session, course) != version:
        raise Stale("Somebody else changed this course after you opened it.")
    today = actor.today(enrol.zone_of(session, patient.clinic_id))
    if on > max(today, course.started_on):
        raise Refused("A change of treatment is recorded on the day it happens, not ahead.")
    if kind == STOP:
        enrol.check_course_dates(patient, course.started_on, on)
        _nothing_after(session, course, on)
        enrol.stop_course(session, actor, patient, course, on, details["reason"])
        return
    review_on = details.get("review_on")
    if review_on is not None and review_on < on:
        raise Refused(f"The hold would be reviewed on {review_on}, before it begins on {on}.")
    enrol.add_course_event(session, actor, patient, course, {**details, "kind": kind})


def _nothing_after(session: Session, course: Course, on: date) -> None:
    later = [event for event in enrol.events_of(session, course.id) if event.on > on]
    if later:
        raise Refused(
            f"There is a {later[-1].kind} on {later[-1].on}, after that day. Void it first, or check the day."
        )


def correct_course(
    session: Session,
    actor: Actor,
    patient: Patient,
    course: Course,
    details: Mapping[str, Any],
    reason: str,
    version: int,
) -> bool:
    """Correct what was recorded of a course; whether anything changed. The first dose moves with the start.

    Raises Refused for an unknown protocol, or dates that contradict the birth, each other, another course or what
    happened in this one; Stale where somebody saved since `version`.
    """
    details = dict(details)
    protocol = protocols().get(details["protocol_id"])
    if protocol is not None:
        details["drug"] = protocol.name
    if not details["drug"]:
        raise Refused("A course needs a protocol or the name of a drug.")
    starts, stops = details["started_on"], details.get("stopped_on")
    enrol.check_course_dates(patient, starts, stops)
    _check_others(session, patient, course, details["drug"], starts, stops)
    events = enrol.events_of(session, course.id)
    first = [event for event in events if event.kind == DOSE and event.on == course.started_on]
    for event in events:
        if event not in first and not starts <= event.on <= (stops or date.max):
            raise Refused(f"There is a {event.kind} on {event.on}, outside these dates. Void it first, or check them.")
    changed = enrol.correct(session, actor, course, details, patient=patient, reason=reason, version=version)
    for event in first:
        moved = enrol.correct(session, actor, event, {"on": starts}, patient=patient, reason=reason)
        changed = changed or moved
    return changed


def _check_others(
    session: Session, patient: Patient, course: Course, drug: str, starts: date, stops: date | None
) -> None:
    for other in enrol.courses_of(session, patient.id):
        if other.id == course.id or other.drug != drug:
            continue
        if other.started_on <= (stops or date.max) and starts < (other.stopped_on or date.max):
            raise Refused(f"Another course of {drug}, from {other.started_on}, is on record for those days.")
