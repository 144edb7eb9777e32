"""The patients of a clinic as a list: who, on what drug, how many flags wait for somebody."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.findings import SEVERITIES
from tracker.domain.lifecycle import CARRIED_OFFSET, NOT_QUEUED
from tracker.models import Flag, Patient
from tracker.queries.dashboard import Dosing, dosings
from tracker.queries.patients import listing


class Listed(NamedTuple):
    """One patient of the list. `flags` are (severity, how many wait), worst first; none where nothing waits."""

    patient: Patient
    dosing: Dosing | None
    flags: list[tuple[str, int]]


def page(session: Session, clinic_id: int, search: str = "", after: str = "") -> tuple[list[Listed], str]:
    """A page of the list by record number, and where the next begins. Statements do not grow with rows."""
    patients, following = listing(session, clinic_id, search, after)
    ids = [patient.id for patient in patients]
    taken, waiting = dosings(session, ids), waiting_flags(session, ids)
    return [Listed(p, taken.get(p.id), waiting.get(p.id, [])) for p in patients], following


def waiting_flags(session: Session, patient_ids: list[int]) -> dict[int, list[tuple[str, int]]]:
    """How many flags of each severity wait, by patient, as the queue counts them: folded and closed ones do not."""
    rows = session.execute(
        select(Flag.patient_id, Flag.attention, func.count())
        .where(Flag.patient_id.in_(patient_ids), Flag.attention < NOT_QUEUED)
        .group_by(Flag.patient_id, Flag.attention)
    )
    counted: dict[int, dict[int, int]] = {}
    for patient_id, attention, number in rows:
        place = attention % CARRIED_OFFSET
        held = counted.setdefault(patient_id, {})
        held[place] = held.get(place, 0) + number
    return {id: [(SEVERITIES[place], held[place]) for place in sorted(held)] for id, held in counted.items()}
