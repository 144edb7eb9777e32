"""Whether every result is somewhere: judged, and what was found in a list that somebody reads.

That the rows of every file add up is a constraint of the database.
"""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tracker.domain.lifecycle import NOT_QUEUED, UNDECIDED
from tracker.models import Flag, LabResult, Patient


def unaccounted(session: Session) -> list[str]:
    """A sentence for each way in which something that came in is in no list; empty where all is accounted for."""
    return list(_said(session))


def _said(session: Session) -> Iterator[str]:
    unjudged = or_(Patient.judged_at.is_(None), Patient.judged_at < LabResult.recorded_at)
    results = select(func.count(LabResult.id)).join(Patient, Patient.id == LabResult.patient_id).where(unjudged)
    if number := session.scalar(results):
        yield f"{number} results were stored and not judged since: run “tracker evaluate --all”."
    elsewhere = select(func.count(Flag.id)).join(Patient, Patient.id == Flag.patient_id)
    if number := session.scalar(elsewhere.where(Flag.clinic_id != Patient.clinic_id)):
        yield f"{number} flags are on the queue of another clinic than their patient's."
    undecided = (Flag.machine == "open", Flag.review.in_(UNDECIDED), Flag.folded_under.is_(None), ~Flag.superseded)
    if number := _count(session, Flag.id, *undecided, Flag.attention >= NOT_QUEUED):
        yield f"{number} open flags that nobody has decided about are on no queue."


def _count(session: Session, key: InstrumentedAttribute[int], *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(key)).where(*conditions)) or 0
