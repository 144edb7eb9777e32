"""A sender's test is mapped to one of our analytes, with a reason; its results become versions that are judged.

The version before stays on record, retired. A mapping that was wrong is ended, and its results are what they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.readings import LabReading, Moment
from tracker.domain.values import plain
from tracker.library.analytes import ANALYTES
from tracker.models import CodeMapping, LabResult, Patient, table_of
from tracker.operations import audit, enrol
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.record import NotRecordable, Whose, prepare
from tracker.queries.codes import SenderTest, fits

AT_ONCE = 400


@dataclass(slots=True)
class Remapped:
    """How many results became another test's, why others did not (with their number), and the flags that moved."""

    results: int = 0
    left: dict[str, int] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def leave(self, why: str) -> None:
        self.left[why] = self.left.get(why, 0) + 1


def map_test(
    session: Session, actor: Actor, clinic_id: int, test: SenderTest, analyte: str, reason: str
) -> tuple[CodeMapping, Remapped]:
    """Say what a sender's test is: one of our analytes, or ("") none of them. Judges who has results of it.

    Raises Refused where the unit or a LOINC says otherwise or the reason is missing, Stale where it is mapped already.
    """
    _check(test, analyte, reason)
    m = CodeMapping
    same = (m.sender == test.sender, m.code == test.code, m.name == test.name, m.unit == test.unit)
    if session.scalar(select(m.id).where(m.clinic_id == clinic_id, m.ended_at.is_(None), *same)) is not None:
        raise Stale("This test was mapped meanwhile: end that mapping first if it is wrong.")
    mapping = CodeMapping(
        clinic_id=clinic_id, analyte=analyte, reason=reason.strip(), mapped_at=actor.utc, mapped_by=actor.account_id,
        ended_reason="", **test._asdict(),
    )  # fmt: skip
    audit.created(session, actor, mapping, clinic_id=clinic_id, reason=reason.strip())
    done = Remapped()
    if analyte:
        _become(session, actor, mapping, _results_of(session, clinic_id, test), done)
    return mapping, done


def _check(test: SenderTest, analyte: str, reason: str) -> None:
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why this test is that.")
    if not analyte:
        return
    if analyte not in ANALYTES:
        raise Refused(f"“{analyte}” is not an analyte Jakwatch knows.")
    if not fits(ANALYTES[analyte], test):
        unit = f"in {test.unit}" if test.unit else "without a unit"
        raise Refused(
            f"{analyte} is not what is reported {unit} under this name or code: its units or its LOINC differ."
        )


def end(session: Session, actor: Actor, mapping: CodeMapping, reason: str) -> Remapped:
    """A mapping was wrong: its results are what they were, and are judged so. Raises Refused, Stale."""
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why the mapping is ended.")
    session.refresh(mapping, with_for_update=True)
    if mapping.ended_at is not None:
        raise Stale("This mapping was ended meanwhile.")
    details = {"ended_at": actor.utc, "ended_by": actor.account_id, "ended_reason": reason.strip()}
    before = {name: audit.plain(getattr(mapping, name)) for name in details}
    for name, value in details.items():
        setattr(mapping, name, value)
    session.flush()
    after = {name: audit.plain(value) for name, value in details.items()}
    audit.note(
        session, actor, "end", "code_mapping", mapping.id, before=before, after=after, reason=reason.strip(),
        clinic_id=mapping.clinic_id,
    )  # fmt: skip
    done = Remapped()
    held = select(LabResult).where(LabResult.mapping_id == mapping.id, LabResult.retired_at.is_(None))
    _become(session, actor, mapping, list(session.scalars(held.order_by(LabResult.id))), done, back=True)
    return done


def _results_of(session: Session, clinic_id: int, test: SenderTest) -> list[LabResult]:
    r = LabResult
    mine = select(r).join(Patient, Patient.id == r.patient_id).where(Patient.clinic_id == clinic_id)
    same = (r.laboratory == test.sender, r.local_code == test.code, r.subject == test.name, r.unit == test.unit)
    return list(session.scalars(mine.where(r.analyte == "", r.retired_at.is_(None), *same).order_by(r.id)))


def _become(
    session: Session, actor: Actor, mapping: CodeMapping, rows: Sequence[LabResult], done: Remapped, back: bool = False
) -> None:
    """Retire these versions and store what the mapping makes of them (`back`: what they were), and judge whose they
    are.
    """
    why = f"{'no longer ' if back else ''}mapped to {mapping.analyte}: {mapping.ended_reason or mapping.reason}"
    people = {row.id: row for part in _parts({row.patient_id for row in rows}) for row in _people(session, part)}
    taken = _taken(session, mapping.name if back else mapping.analyte, people)
    inserts, old_ids = [], []
    for row in rows:
        try:
            new = _as_it_was(mapping) if back else _as_mapped(mapping, row, people[row.patient_id], actor)
        except NotRecordable as refusal:
            done.leave(str(refusal))
            continue
        new = _columns(row) | new | {
            "replaces_id": row.id, "reason": why, "recorded_at": actor.utc, "recorded_by": actor.account_id,
            "origin": actor.origin, "range_id": None, "retired_at": None, "retired_reason": "",
        }  # fmt: skip
        key = _sample(new)
        if key in taken:
            done.leave(f"{new['subject']} of the same sample is on file already.")
            continue
        taken.add(key)
        inserts.append(new)
        old_ids.append(row.id)
    table = table_of(LabResult)
    for part in _parts(old_ids):
        session.execute(update(table).where(table.c.id.in_(part)).values(retired_at=actor.utc, retired_reason=why))
    if inserts:
        session.execute(insert(table), inserts)
    done.results = len(inserts)
    for row in rows:
        session.expire(row)
    today = actor.today(enrol.zone_of(session, mapping.clinic_id))
    who = {new["patient_id"] for new in inserts}
    done.changes = evaluate(session, mapping.clinic_id, who, actor.utc, today, amended=frozenset(old_ids))


def _parts(keys: Any) -> list[list[int]]:
    held = sorted(keys)
    return [held[start : start + AT_ONCE] for start in range(0, len(held), AT_ONCE)]


def _people(session: Session, ids: list[int]) -> Sequence[Patient]:
    return session.scalars(select(Patient).where(Patient.id.in_(ids))).all()


def _columns(row: LabResult) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in LabResult.__mapper__.column_attrs if column.key != "id"}


def _sample(columns: dict[str, Any]) -> tuple[Any, ...]:
    names = ("patient_id", "collected_at", "laboratory", "accession", "sub_id")
    return tuple(columns[name] for name in names)


def _taken(session: Session, subject: str, people: dict[int, Patient]) -> set[tuple[Any, ...]]:
    """The samples of these patients that have a result of that subject."""
    r = LabResult
    found: set[tuple[Any, ...]] = set()
    for part in _parts(people):
        rows = session.execute(
            select(r.patient_id, r.collected_at, r.laboratory, r.accession, r.sub_id).where(
                r.patient_id.in_(part), r.subject == subject, r.retired_at.is_(None)
            )
        )
        found |= {tuple(row) for row in rows}
    return found


def _as_mapped(mapping: CodeMapping, row: LabResult, patient: Patient, actor: Actor) -> dict[str, Any]:
    """What recording makes of the result now that its test is known. Raises NotRecordable."""
    reading = LabReading(
        patient.mrn, Moment(row.collected_at, row.collected_on, row.time_known), row.subject,
        row.text if row.figure is None else f"{row.comparator}{plain(row.figure)}", row.unit, row.ref_low, row.ref_high,
        local_code=row.local_code, mapped=mapping.analyte, mapping_id=mapping.id,
    )  # fmt: skip
    columns = prepare(reading, Whose(patient.id, patient.birth_date), actor.at).columns
    return {name: columns[name] for name in ("analyte", "subject", "local_code", "unit", "value", "text", "mapping_id")}


def _as_it_was(mapping: CodeMapping) -> dict[str, Any]:
    """What the result is where its test is none of ours."""
    return {
        "analyte": "", "subject": mapping.name, "local_code": mapping.code, "unit": mapping.unit, "value": None,
        "mapping_id": None,
    }  # fmt: skip
