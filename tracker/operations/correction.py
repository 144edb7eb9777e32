"""A result corrected or voided by a person, and the patient judged again, in one transaction."""

from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.readings import CORRECTED, LabReading
from tracker.domain.values import plain
from tracker.models import LabResult, Patient
from tracker.operations import record
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes, rejudge
from tracker.operations.record import NotRecordable, Whose, prepare
from tracker.queries.panel import previous, sample

_SAID = (
    "comparator", "figure", "unit", "text", "collected_at", "time_known", "laboratory", "accession", "ref_low",
    "ref_high", "fasting",
)  # fmt: skip


class Asked(Refused):
    """The corrected value is unusual: a person has to say that it is right."""


def correct(
    session: Session, actor: Actor, patient: Patient, result: LabResult, reading: LabReading, reason: str,
    confirmed: bool,
) -> tuple[LabResult, Changes]:  # fmt: skip
    """Replace a result by a new version. Raises Refused (NotRecordable, Asked), and Stale where it is not in force."""
    _hold(session, result)
    reading = reading._replace(status=CORRECTED)
    before = previous(session, patient.id, [result.subject], reading.collected.at).get(result.subject)
    known = before.value if before is not None and before.id != result.id else None
    new, questions = prepare(reading, Whose(patient.id, patient.birth_date), actor.at, known)
    if all(getattr(result, name) == new[name] for name in _SAID):
        raise Refused("Nothing differs from what is on file.")
    if questions and not confirmed:
        raise Asked(" ".join(questions))
    _check_room(session, patient, result, new["subject"], reading)
    row = record.correct(session, actor, result.id, reading, reason)
    return row, rejudge(session, actor, patient, frozenset({result.id}))


def _hold(session: Session, result: LabResult) -> None:
    """Of two who correct it at once, one goes first, and the other sees that."""
    session.refresh(result, with_for_update=True)
    if result.retired_at is not None:
        raise Stale("This result was corrected or voided meanwhile.")


def _check_room(session: Session, patient: Patient, result: LabResult, subject: str, reading: LabReading) -> None:
    """No other result may stand where this one moves to."""
    held = sample(session, patient.id, reading.collected.at, reading.laboratory, reading.accession).get(subject)
    if held is not None and held.id != result.id:
        shown = f"{held.comparator}{plain(held.figure)} {held.unit}" if held.figure is not None else held.text
        message = f"{subject} {shown.strip()} is on file for that sample already: void one of the two."
        raise NotRecordable("collected_at", message)


def void(session: Session, actor: Actor, patient: Patient, result: LabResult, reason: str) -> Changes:
    """Take a result out with a reason; it stays on record, struck. Raises Refused, Stale."""
    _hold(session, result)
    record.void(session, actor, result.id, reason)
    session.expire(result)
    return rejudge(session, actor, patient, frozenset({result.id}))
