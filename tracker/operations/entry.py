"""A panel of results typed for one patient: judged before it is saved, by the evaluator that will store it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain.findings import RANK, Finding
from tracker.domain.readings import LabReading
from tracker.models import Patient
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, rejudge
from tracker.operations.record import NotRecordable, Recorded, Whose, prepare, record
from tracker.queries.history import Loader
from tracker.queries.patients import latest

Tried = tuple[dict[str, Any] | None, tuple[str, ...], str, str]  # columns, questions, column at fault, refusal


class Verdict(NamedTuple):
    """What would be said of one typed value. `refusal` keeps it from being saved, `questions` ask first.

    `place` is low, high or inside its range (None: no verdict, never normal), `findings` are the flags the value would
    stand in, worst first, folded ones left out.
    """

    subject: str
    refusal: str
    column: str
    questions: tuple[str, ...]
    place: str | None
    low: str
    high: str
    why_no_range: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Verdicts in the order of the readings, and findings that rest on the new values together."""

    verdicts: list[Verdict]
    findings: tuple[Finding, ...]


def preview(session: Session, actor: Actor, patient: Patient, readings: Sequence[LabReading]) -> Preview:
    """Judge what is being typed; nothing is stored."""
    whose = Whose(patient.id, patient.birth_date)
    previous = {code: row.value for code, row in latest(session, patient.id, [r.analyte for r in readings]).items()}
    prepared = [_try(reading, whose, actor, previous.get(reading.analyte)) for reading in readings]
    unsaved = [columns for columns, _, _, _ in prepared if columns is not None]
    loader = Loader(session, patient.clinic_id, actor.today(zone_of(session, patient.clinic_id)), unsaved=unsaved)
    history = next(iter(loader.histories([patient.id])))
    found = [
        f
        for f in rules.run(history)
        if f.is_open and any(_new(item.result_id, item.analyte, unsaved) for item in f.evidence)
    ]
    found.sort(key=lambda finding: RANK[finding.severity])
    verdicts = []
    for reading, (columns, questions, column, refusal) in zip(readings, prepared, strict=True):
        subject = columns["subject"] if columns else reading.analyte
        lab = next((lab for lab in history.labs.get(subject, ()) if lab.id is None and not lab.computed), None)
        about = tuple(f for f in found if f.folded_under is None and f.evidence and _stands(f, subject))
        limits = lab.limits if lab else None
        verdicts.append(
            Verdict(
                subject, refusal, column, questions, lab.place if lab else None, limits.low_text if limits else "",
                limits.high_text if limits else "", lab.no_range if lab else "", about,
            )
        )  # fmt: skip
    return Preview(verdicts, tuple(f for f in found if f.folded_under is None))


def _try(reading: LabReading, whose: Whose, actor: Actor, previous: Decimal | None) -> Tried:
    try:
        columns, questions = prepare(reading, whose, actor.at, previous)
    except NotRecordable as why:
        return None, (), why.column, str(why)
    return columns, questions, "", ""


def _new(result_id: int | None, analyte: str, unsaved: Sequence[dict[str, Any]]) -> bool:
    return result_id is None and any(new["subject"] == analyte for new in unsaved)


def _stands(finding: Finding, subject: str) -> bool:
    return any(item.result_id is None and item.analyte == subject for item in finding.evidence)


def save(session: Session, actor: Actor, patient: Patient, readings: Sequence[LabReading]) -> tuple[Recorded, Changes]:
    """Record a panel and judge the patient in the same transaction.

    All or nothing: raises NotRecordable for the first value that cannot be stored, so that nothing is half-saved.
    """
    whose = Whose(patient.id, patient.birth_date)
    done = record(session, actor, [(number, reading, whose) for number, reading in enumerate(readings, 1)])
    refused = [problem for problem in done.problems if done.outcomes[problem.row - 1] == "refused"]
    if refused:
        raise NotRecordable(f"{refused[0].row}", refused[0].message)
    return done, rejudge(session, actor, patient, frozenset(done.amended))
