"""The latest result of each analyte of one patient, with the range that judges it: for the page of the record."""

from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from tracker.domain.history import Lab
from tracker.library.analytes import ANALYTES, PANELS
from tracker.models import Patient
from tracker.queries.history import Loader


class Latest(NamedTuple):
    """The last result of one subject and the one before it."""

    subject: str
    name: str
    lab: Lab
    previous: Lab | None
    monitored: bool


def latest_results(session: Session, patient: Patient, as_of: date) -> list[Latest]:
    """Monitored analytes first, in the order they are read, then the others, then what nobody has mapped."""
    history = next(iter(Loader(session, patient.clinic_id, as_of).histories([patient.id])))
    order = {code: place for place, code in enumerate((*PANELS["MONITORING"], *ANALYTES))}
    monitored = frozenset(PANELS["MONITORING"])
    found = [
        Latest(subject, history.name(subject), labs[-1], labs[-2] if len(labs) > 1 else None, subject in monitored)
        for subject, labs in history.labs.items()
    ]
    first = {code: place for place, code in enumerate(PANELS["MONITORING"])}
    return sorted(
        found, key=lambda each: (first.get(each.subject, len(first)), order.get(each.subject, len(order)), each.subject)
    )
