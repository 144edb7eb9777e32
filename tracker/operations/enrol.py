"""Patients, courses, events, other drugs and observations are enrolled and corrected here, by form and by file."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import fever
from tracker.domain.errors import NotFound, Refused, Stale
from tracker.domain.values import Number, read_number
from tracker.library.protocols import protocols
from tracker.models import AdverseEvent, Base, Clinic, Course, CourseEvent, Medication, Observation, Patient
from tracker.operations import audit
from tracker.operations.actor import Actor

OBSERVATION_KINDS = (
    "weight_kg", "child_pugh", "cyp2c9", "salt", "zoster_vaccine", "pregnancy_status", "temperature_c",
    "boxed_risk",
)  # fmt: skip
_NUMERIC = {"weight_kg": (2, 400), "salt": (0, 100), "temperature_c": (30, 45)}
_SAID = {"weight_kg": "a weight in kg", "salt": "a SALT score", "temperature_c": "a temperature in °C"}
OLDEST = date(1900, 1, 1)


def zone_of(session: Session, clinic_id: int) -> ZoneInfo:
    """The clinic's time zone."""
    return ZoneInfo(session.get_one(Clinic, clinic_id).time_zone)


# ---------------------------------------------------------------------------------------------- patients


def check_person(mrn: str, birth_date: date | None, today: date) -> None:
    """Raise Refused where a person cannot be as described."""
    if not mrn.strip():
        raise Refused("A record number is needed.")
    if birth_date is not None and birth_date > today:
        raise Refused(f"The birth date {birth_date} is in the future.")
    if birth_date is not None and birth_date < OLDEST:
        raise Refused(f"The birth date {birth_date} is before {OLDEST}.")


def add_patient(session: Session, actor: Actor, clinic_id: int, details: Mapping[str, Any]) -> Patient:
    """Enrol a patient. Raises Refused where the record number is taken at this clinic."""
    check_person(details["mrn"], details.get("birth_date"), actor.today(zone_of(session, clinic_id)))
    taken = select(Patient.id).where(Patient.clinic_id == clinic_id, Patient.mrn == details["mrn"])
    if session.execute(taken).first():
        raise Refused(f"Record number {details['mrn']} is taken at this clinic.")
    patient = Patient(clinic_id=clinic_id, created_at=actor.utc, **details)
    session.add(patient)
    session.flush()
    audit.created(session, actor, patient, clinic_id=clinic_id, patient_id=patient.id)
    return patient


def correct(
    session: Session, actor: Actor, row: Base, details: Mapping[str, Any], *, patient: Patient, reason: str,
    version: int | None = None,
) -> bool:  # fmt: skip
    """Change a row with a reason; whether anything changed. Raises Stale where somebody else saved since `version`."""
    if version is not None and version != row.version:  # type: ignore[attr-defined]  # every row a form edits has one
        raise Stale("Somebody else saved this meanwhile.")
    before = audit.snapshot(row)
    for name, value in details.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
    after = audit.snapshot(row)
    if after == before:
        return False
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why this is changed.")
    session.flush()
    audit.note(
        session, actor, "correct", row.__tablename__, row.id,  # type: ignore[attr-defined]
        before=before, after=audit.snapshot(row), reason=reason, patient_id=patient.id, clinic_id=patient.clinic_id,
    )  # fmt: skip
    return True


def void(session: Session, actor: Actor, row: Base, *, patient: Patient, reason: str) -> None:
    """Take a row out with a reason; it stays on record."""
    if row.voided_at is not None:  # type: ignore[attr-defined]
        raise Stale("This was voided meanwhile.")
    correct(session, actor, row, {"voided_at": actor.utc, "voided_reason": reason}, patient=patient, reason=reason)


# ---------------------------------------------------------------------------------------------- courses


def add_course(
    session: Session,
    actor: Actor,
    patient: Patient,
    details: Mapping[str, Any],
    dose: tuple[Decimal | None, int | None] | None = None,
    batch_id: int | None = None,
) -> Course:
    """Begin (or plan) a course, with its first dose. Raises Refused for an unknown protocol or contradicting dates."""
    details = dict(details)
    protocol = protocols().get(details["protocol_id"])
    if details["protocol_id"] and protocol is None:
        raise Refused(f"“{details['protocol_id']}” is not a protocol: one of {', '.join(protocols())}.")
    details["drug"] = details.get("drug") or (protocol.name if protocol else "")
    if not details["drug"]:
        raise Refused("A course needs a protocol or the name of a drug.")
    check_course_dates(patient, details["started_on"], details.get("stopped_on"))
    _check_overlap(session, patient, details)
    course = Course(
        patient_id=patient.id, recorded_at=actor.utc, recorded_by=actor.account_id, batch_id=batch_id, **details
    )
    audit.created(session, actor, course, clinic_id=patient.clinic_id, patient_id=patient.id)
    if dose is not None and any(dose):
        add_course_event(
            session,
            actor,
            patient,
            course,
            {
                "on": course.started_on,
                "kind": "dose",
                "dose_mg": dose[0],
                "times_per_day": dose[1],
                "batch_id": batch_id,
            },
        )
    return course


def check_course_dates(patient: Patient, started_on: date, stopped_on: date | None) -> None:
    """Raise Refused where a course's dates contradict each other or the birth date."""
    if stopped_on is not None and stopped_on < started_on:
        raise Refused(f"The course stops on {stopped_on}, before it starts on {started_on}.")
    if patient.birth_date and started_on < patient.birth_date:
        raise Refused(f"The course starts on {started_on}, before the patient's birth on {patient.birth_date}.")


def _check_overlap(session: Session, patient: Patient, details: Mapping[str, Any]) -> None:
    """One course of a drug at a time."""
    for course in courses_of(session, patient.id):
        begins_before_the_end = course.started_on <= (details.get("stopped_on") or date.max)
        ends_after_the_start = course.stopped_on is None or course.stopped_on > details["started_on"]
        if course.drug == details["drug"] and begins_before_the_end and ends_after_the_start:
            raise Refused(f"A course of {course.drug} from {course.started_on} is on record and has not ended by then.")


def courses_of(session: Session, patient_id: int) -> list[Course]:
    """The courses of a patient that were not voided, oldest first."""
    statement = select(Course).where(Course.patient_id == patient_id, Course.voided_at.is_(None))
    return list(session.scalars(statement.order_by(Course.started_on, Course.id)))


def add_course_event(
    session: Session, actor: Actor, patient: Patient, course: Course, details: Mapping[str, Any]
) -> CourseEvent:
    """A dose, a hold or a resume. Raises Refused where it makes no sense at that point of the course."""
    on, kind = details["on"], details["kind"]
    if on < course.started_on or (course.stopped_on is not None and on > course.stopped_on):
        raise Refused(
            f"{on} is outside the course, which runs from {course.started_on} to {course.stopped_on or 'today'}."
        )
    held = _held_on(session, course, on)
    if kind == "hold" and held:
        raise Refused(f"The drug is on hold on {on} already.")
    if kind == "resume" and not held:
        raise Refused(f"The drug is not on hold on {on}.")
    event = CourseEvent(course_id=course.id, recorded_at=actor.utc, recorded_by=actor.account_id, **details)
    audit.created(session, actor, event, clinic_id=patient.clinic_id, patient_id=patient.id)
    return event


def events_of(session: Session, course_id: int) -> list[CourseEvent]:
    """What happened in a course and was not voided, oldest first."""
    statement = select(CourseEvent).where(CourseEvent.course_id == course_id, CourseEvent.voided_at.is_(None))
    return list(session.scalars(statement.order_by(CourseEvent.on, CourseEvent.id)))


def _held_on(session: Session, course: Course, day: date) -> bool:
    held = False
    for event in events_of(session, course.id):
        if event.on <= day:
            held = event.kind == "hold" or (held and event.kind not in ("resume", "dose"))
    return held


def stop_course(session: Session, actor: Actor, patient: Patient, course: Course, on: date, reason: str) -> None:
    """End a course on a day, with a reason."""
    check_course_dates(patient, course.started_on, on)
    if course.stopped_on is not None:
        raise Refused(f"The course ended on {course.stopped_on} already.")
    correct(session, actor, course, {"stopped_on": on, "stop_reason": reason}, patient=patient, reason=reason)


# ---------------------------------------------------------------------------------------------- the rest


def add_event(session: Session, actor: Actor, patient: Patient, details: Mapping[str, Any]) -> AdverseEvent:
    """Record an infection or another adverse event. Raises Refused for dates that contradict each other."""
    check_event_dates(patient, details, actor.today(zone_of(session, patient.clinic_id)))
    event = AdverseEvent(patient_id=patient.id, recorded_at=actor.utc, recorded_by=actor.account_id, **details)
    audit.created(session, actor, event, clinic_id=patient.clinic_id, patient_id=patient.id)
    return event


def check_event_dates(patient: Patient, details: Mapping[str, Any], today: date) -> None:
    onset = details.get("onset_on")
    if onset is not None and onset > today:
        raise Refused(f"The onset {onset} is in the future.")
    if onset is not None and patient.birth_date and onset < patient.birth_date:
        raise Refused(f"The onset {onset} is before the patient's birth on {patient.birth_date}.")
    for name, word in (("resolved_on", "resolved"), ("controlled_on", "controlled")):
        day = details.get(name)
        if day is not None and onset is not None and day < onset:
            raise Refused(f"The event was {word} on {day}, before its onset on {onset}.")


def add_medication(session: Session, actor: Actor, patient: Patient, details: Mapping[str, Any]) -> Medication:
    """Record another drug the patient takes."""
    started, stopped = details.get("started_on"), details.get("stopped_on")
    if started and stopped and stopped < started:
        raise Refused(f"The drug was stopped on {stopped}, before it was started on {started}.")
    drug = Medication(patient_id=patient.id, recorded_at=actor.utc, recorded_by=actor.account_id, **details)
    audit.created(session, actor, drug, clinic_id=patient.clinic_id, patient_id=patient.id)
    return drug


def add_observation(
    session: Session, actor: Actor, patient: Patient, on: date, kind: str, value: str, batch_id: int | None = None
) -> Observation:
    """Record a weight, a class, a score, a vaccination. Raises Refused for an unknown kind or an impossible figure."""
    if kind not in OBSERVATION_KINDS:
        raise Refused(f"“{kind}” is not an observation Jakwatch knows: one of {', '.join(OBSERVATION_KINDS)}.")
    value, figure = _observed(kind, value)
    if on > actor.today(zone_of(session, patient.clinic_id)):
        raise Refused(f"The observation is dated {on}, which is in the future.")
    row = Observation(
        patient_id=patient.id, on=on, kind=kind, value=value, figure=figure,
        recorded_at=actor.utc, recorded_by=actor.account_id, batch_id=batch_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=patient.clinic_id, patient_id=patient.id)
    return row


def _observed(kind: str, value: str) -> tuple[str, Decimal | None]:
    """The value as it is kept, and its figure where it has one. Raises Refused for an impossible one."""
    number: Number | None
    if kind == fever.KIND and " for " in value:
        read = fever.read_temperature(value)
        value, number = str(read), Number("", read.degrees)
    else:
        number = read_number(value)
    if kind in _NUMERIC:
        low, high = _NUMERIC[kind]
        if number is None or number.comparator or not low <= number.figure <= high:
            raise Refused(f"“{value}” is not possible for {_SAID[kind]}: a number from {low} to {high}.")
    return value, number.figure if number else None


def patient_by_id(session: Session, patient_id: int) -> Patient:
    """A patient by key, for the commands on the server; pages use the getter that authorises."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise NotFound("There is no such patient.")
    return patient
