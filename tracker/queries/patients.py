"""Patients found and shown: lists, one patient's record, the flags with what was decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tracker.models import (
    Account,
    AdverseEvent,
    Course,
    CourseEvent,
    Flag,
    LabResult,
    Medication,
    Observation,
    Patient,
    Review,
)
from tracker.queries.dashboard import Dosing, courses, dosing_of, dosings, matches

PAGE = 50


def listing(session: Session, clinic_id: int, search: str = "", after: str = "") -> tuple[list[Patient], str]:
    """Patients of a clinic by record number, a page at a time, and where the next page begins."""
    statement = select(Patient).where(Patient.clinic_id == clinic_id, Patient.mrn > after)
    if search:
        statement = statement.where(matches(search, clinic_id))
    rows = list(session.scalars(statement.order_by(Patient.mrn).limit(PAGE + 1)))
    return rows[:PAGE], rows[PAGE - 1].mrn if len(rows) > PAGE else ""


def dosing(session: Session, patient_id: int) -> Dosing | None:
    """What the patient takes now."""
    return dosings(session, [patient_id]).get(patient_id)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything on record for one patient but the results."""

    courses: list[Course]
    course_events: dict[int, list[CourseEvent]]
    events: list[AdverseEvent]
    medications: list[Medication]
    observations: list[Observation]

    @property
    def dosing(self) -> Dosing | None:
        """What the patient takes now."""
        if not self.courses:
            return None
        course = self.courses[-1]
        return dosing_of(course, self.course_events[course.id])


def record(session: Session, patient_id: int) -> Record:
    """A patient's courses, events, other drugs and observations; voided ones are left out."""
    held = courses(session, [patient_id]).get(patient_id, [])
    return Record(
        [course for course, _ in held],
        {course.id: changes for course, changes in held},
        list(
            session.scalars(
                select(AdverseEvent)
                .where(AdverseEvent.patient_id == patient_id, AdverseEvent.voided_at.is_(None))
                .order_by(AdverseEvent.onset_on)
            )
        ),
        list(
            session.scalars(
                select(Medication)
                .where(Medication.patient_id == patient_id, Medication.voided_at.is_(None))
                .order_by(Medication.started_on)
            )
        ),
        list(
            session.scalars(
                select(Observation)
                .where(Observation.patient_id == patient_id, Observation.voided_at.is_(None))
                .order_by(Observation.on)
            )
        ),
    )


def flags(session: Session, patient_id: int, everything: bool = False) -> list[Flag]:
    """The patient's flags, worst first; past ones nobody has to decide about only when everything is wanted."""
    statement = select(Flag).where(Flag.patient_id == patient_id)
    if not everything:
        statement = statement.where((Flag.machine == "open") | (Flag.attention < 9))
    return list(session.scalars(statement.order_by(Flag.attention, Flag.opened_on.desc(), Flag.id)))


def reviews(session: Session, flag_ids: Sequence[int]) -> dict[int, list[tuple[Review, str]]]:
    """What was decided about each flag and by whom, oldest first."""
    rows = session.execute(
        select(Review, Account.name)
        .join(Account, Account.id == Review.account_id)
        .where(Review.flag_id.in_(flag_ids))
        .order_by(Review.id)
    )
    found: dict[int, list[tuple[Review, str]]] = {}
    for review, name in rows:
        found.setdefault(review.flag_id, []).append((review, name))
    return found


def latest(session: Session, patient_id: int, subjects: Sequence[str]) -> dict[str, LabResult]:
    """The last result in force of each subject."""
    rows = session.scalars(
        select(LabResult)
        .where(LabResult.patient_id == patient_id, LabResult.subject.in_(subjects), LabResult.retired_at.is_(None))
        .order_by(LabResult.collected_at, LabResult.id)
    )
    return {row.subject: row for row in rows}


def results(session: Session, patient_id: int) -> list[LabResult]:
    """Every result in force, newest first."""
    statement = select(LabResult).where(LabResult.patient_id == patient_id, LabResult.retired_at.is_(None))
    return list(session.scalars(statement.order_by(LabResult.collected_at.desc(), LabResult.subject)))


def versions(session: Session, result: LabResult) -> list[LabResult]:
    """A result and those it replaced, newest first."""
    found = [result]
    while found[-1].replaces_id is not None:
        found.append(session.get_one(LabResult, found[-1].replaces_id))
    return found


def is_current(digest: str, today: date) -> ColumnElement[bool]:
    """Judged by what `digest` names, and no day has come on which the verdict changes by itself."""
    return (Patient.judged_digest == digest) & (Patient.next_check_on.is_(None) | (Patient.next_check_on > today))


def stale(session: Session, clinic_id: int, digest: str, today: date) -> list[int]:
    """The patients of a clinic who are to be judged again, in the order of their keys."""
    wanted = select(Patient.id).where(Patient.clinic_id == clinic_id, ~is_current(digest, today))
    return list(session.scalars(wanted.order_by(Patient.id)))


def everybody(session: Session, clinic_id: int) -> list[int]:
    """All patients of a clinic, in the order of their keys."""
    return list(session.scalars(select(Patient.id).where(Patient.clinic_id == clinic_id).order_by(Patient.id)))


def due_for_check(session: Session, today: date) -> dict[int, list[int]]:
    """Patients whose day has come, by clinic: a verdict about them changes by itself."""
    rows = session.execute(
        select(Patient.clinic_id, Patient.id).where(Patient.next_check_on.is_not(None), Patient.next_check_on <= today)
    )
    found: dict[int, list[int]] = {}
    for clinic_id, patient_id in rows:
        found.setdefault(clinic_id, []).append(patient_id)
    return found
