"""Who somebody is, corrected. Ranges and grades depend on it: the page judges again in the same transaction."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.models import AdverseEvent, Course, LabResult, Patient
from tracker.operations.actor import Actor
from tracker.operations.enrol import check_person, correct, zone_of


def correct_person(
    session: Session, actor: Actor, patient: Patient, details: Mapping[str, Any], reason: str, version: int
) -> bool:
    """Correct record number, names, sex or birth date; whether anything changed.

    Raises Refused for a number that is taken, or a birth after what is on record; Stale where somebody saved since
    `version`.
    """
    mrn, born = details["mrn"], details["birth_date"]
    check_person(mrn, born, actor.today(zone_of(session, patient.clinic_id)))
    with session.no_autoflush:
        taken = select(Patient.id).where(
            Patient.clinic_id == patient.clinic_id, Patient.mrn == mrn, Patient.id != patient.id
        )
        if session.execute(taken).first():
            raise Refused(f"Record number {mrn} is taken at this clinic.")
        if born is not None and born != patient.birth_date:
            _check_birth(session, patient.id, born)
    return correct(session, actor, patient, details, patient=patient, reason=reason, version=version)


def _check_birth(session: Session, patient_id: int, born: date) -> None:
    r, c, e = LabResult, Course, AdverseEvent
    first = (
        ("a sample", select(func.min(r.collected_on)).where(r.patient_id == patient_id, r.retired_at.is_(None))),
        ("a course", select(func.min(c.started_on)).where(c.patient_id == patient_id, c.voided_at.is_(None))),
        ("an event", select(func.min(e.onset_on)).where(e.patient_id == patient_id, e.voided_at.is_(None))),
    )
    for what, statement in first:
        day = session.scalar(statement)
        if day is not None and day < born:
            raise Refused(f"There is {what} of {day} on record, before a birth on {born}. Check both dates.")
