"""A course that is only thought of, judged as if it were recorded: what speaks against starting. Nothing is stored."""

from dataclasses import replace

from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain.findings import Finding
from tracker.domain.history import Course, History
from tracker.models import Patient
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.queries.history import Loader

NOT_STORED = 0  # the key of a course that has none


def judge_plan(session: Session, actor: Actor, patient: Patient, course: Course) -> tuple[History, tuple[Finding, ...]]:
    """The patient's history with that course in it, and every open finding of that day."""
    today = actor.today(zone_of(session, patient.clinic_id))
    known = next(iter(Loader(session, patient.clinic_id, today).histories([patient.id])))
    planned = replace(known, courses=(*known.courses, course))
    return planned, tuple(finding for finding in rules.run(planned) if finding.is_open)
