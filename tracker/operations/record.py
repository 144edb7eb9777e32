"""Results are recorded here, whichever door they came by: same value, same refusals.

A correction is a new row that replaces the old one, which is retired and stays. Nothing is overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound, Refused, Stale
from tracker.domain.readings import CANCELLED, CORRECTED, FINAL, PRELIMINARY, LabReading, Problem
from tracker.domain.units import Analyte, check, normal_unit, to_canonical, unit_of
from tracker.domain.values import Number, plain, read_number
from tracker.library import analytes
from tracker.models import LabResult, Patient, table_of
from tracker.operations import audit
from tracker.operations.actor import Actor

FILED, DUPLICATE, REFUSED = "filed", "duplicate", "refused"
_VERSIONS = (PRELIMINARY, FINAL, CORRECTED, CANCELLED)


class Whose(NamedTuple):
    """What recording needs to know of the patient."""

    patient_id: int
    birth_date: date | None


class Prepared(NamedTuple):
    """A result that may be stored: columns of lab_result, and questions a person should answer first."""

    columns: dict[str, Any]
    questions: tuple[str, ...]


class NotRecordable(Refused):
    """Why a reading is refused, with the column at fault."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


@lru_cache(maxsize=4096)
def _analyte(name: str, local_code: str, unit: str) -> Analyte | None:
    return analytes.find(name, unit) or (analytes.find(local_code, unit) if local_code else None)


@lru_cache(maxsize=4096)
def _unit(analyte: Analyte | None, unit: str) -> str:
    return (unit_of(analyte, unit) if analyte else None) or normal_unit(unit)


def prepare(reading: LabReading, whose: Whose, now: datetime, previous: Decimal | None = None) -> Prepared:
    """Check one reading and turn it into columns. `previous` is the last canonical value. Raises NotRecordable."""
    _check_time(reading, whose, now)
    analyte = _analyte(reading.analyte, reading.local_code, reading.unit)
    number = _number(reading, analyte)
    questions: tuple[str, ...] = ()
    value: Decimal | None = None
    if analyte and number:
        refusal, questions = check(analyte, number, reading.unit, previous)
        if refusal:
            raise NotRecordable("value", refusal)
        value = to_canonical(analyte, number.figure, reading.unit)
    text = "" if number else _words(reading, analyte)
    columns = {
        "patient_id": whose.patient_id,
        "analyte": analyte.code if analyte else "",
        "subject": analyte.code if analyte else reading.analyte,
        "local_code": reading.local_code,
        "collected_at": reading.collected.at, "collected_on": reading.collected.on,
        "time_known": reading.collected.time_known,
        "comparator": number.comparator if number else "", "figure": number.figure if number else None,
        "unit": _unit(analyte, reading.unit), "value": value, "text": text,
        "ref_low": reading.ref_low, "ref_high": reading.ref_high, "range_id": None, "lab_flag": reading.lab_flag,
        "laboratory": reading.laboratory, "accession": reading.accession,
        "status": reading.status, "comment": reading.comment,
        "recorded_at": reading.recorded_at or now,
    }  # fmt: skip
    return Prepared(columns, questions)


def _check_time(reading: LabReading, whose: Whose, now: datetime) -> None:
    if reading.collected.at > now:
        raise NotRecordable("collected_at", f"The sample is dated {reading.collected.on}, which is in the future.")
    if whose.birth_date and reading.collected.on < whose.birth_date:
        raise NotRecordable(
            "collected_at",
            f"The sample is dated {reading.collected.on}, before the patient's birth on {whose.birth_date}.",
        )
    if reading.recorded_at and reading.recorded_at > now:
        raise NotRecordable("recorded_at", "The result is said to have been recorded in the future.")


def _number(reading: LabReading, analyte: Analyte | None) -> Number | None:
    try:
        number = read_number(reading.value)
    except Refused as why:
        raise NotRecordable("value", str(why)) from why
    if number is None and analyte and not analyte.qualitative:
        raise NotRecordable("value", f"{analyte.code}: “{reading.value}” is not a number.")
    return number


def _words(reading: LabReading, analyte: Analyte | None) -> str:
    if analyte is None:
        return reading.value
    word = analytes.word(analyte, reading.value)
    if word is None:
        raise NotRecordable("value", f"{analyte.code}: “{reading.value}” is not one of {', '.join(analyte.values)}.")
    return word


# ---------------------------------------------------------------------------------------------- storing

Identity = tuple[int, str, datetime, str, str]


@dataclass(slots=True)
class Recorded:
    """What became of the readings: an outcome each, in order, with the problems; who is affected; what was retired.

    `unmapped` are the rows whose test has no analyte here, with the laboratory's name for it.
    """

    outcomes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    patient_ids: set[int] = field(default_factory=set)
    amended: set[int] = field(default_factory=set)
    unmapped: list[tuple[int, str]] = field(default_factory=list)


class Existing(NamedTuple):
    """A result in force with the identity of a new one."""

    id: int | None
    comparator: str
    figure: Decimal | None
    text: str
    unit: str
    status: str

    def says(self, new: dict[str, Any]) -> bool:
        """Whether the new row says the same: a file sent twice changes nothing."""
        return all(getattr(self, name) == new[name] for name in ("figure", "comparator", "unit", "text"))

    @property
    def shown(self) -> str:
        return self.text if self.figure is None else f"{self.comparator}{plain(self.figure)} {self.unit}".strip()


def _identity(new: dict[str, Any]) -> Identity:
    return (new["patient_id"], new["subject"], new["collected_at"], new["laboratory"], new["accession"])


def _identity_of(reading: LabReading, whose: Whose) -> Identity:
    analyte = _analyte(reading.analyte, reading.local_code, reading.unit)
    subject = analyte.code if analyte else reading.analyte
    return (whose.patient_id, subject, reading.collected.at, reading.laboratory, reading.accession)


def record(
    session: Session, actor: Actor, rows: Sequence[tuple[int, LabReading, Whose]], batch_id: int | None = None
) -> Recorded:
    """Store readings of known patients. Each row is (row number in its source, reading, whose).

    A row with the identity of a stored one is a duplicate where it says the same, replaces it where the laboratory
    marks it corrected (or the stored one was preliminary), voids it where it is cancelled, and is refused otherwise.
    """
    done = Recorded()
    known = _existing(session, {whose.patient_id for _, _, whose in rows}, rows)
    inserts: list[dict[str, Any]] = []
    done.outcomes = [REFUSED] * len(rows)
    for place in _in_turn(rows):
        number, reading, whose = rows[place]
        try:
            ready = prepare(reading, whose, actor.at) if reading.status != CANCELLED else None
            new = ready.columns if ready else None
            if _meets_pending(reading, whose, known):
                _insert(session, actor, inserts, batch_id)
                known = _existing(session, {whose.patient_id for _, _, whose in rows}, rows)
            outcome = _file(session, actor, reading, whose, new, known, inserts, done)
        except NotRecordable as why:
            done.problems.append(Problem(number, why.column, str(why)))
            continue
        done.outcomes[place] = outcome
        if outcome == FILED:
            done.patient_ids.add(whose.patient_id)
            if ready is not None:
                done.problems += [Problem(number, "value", question) for question in ready.questions]
        if new is not None and not new["analyte"]:
            done.unmapped.append((number, reading.analyte))
    _insert(session, actor, inserts, batch_id)
    done.problems.sort(key=lambda problem: problem.row)
    return done


def _in_turn(rows: Sequence[tuple[int, LabReading, Whose]]) -> list[int]:
    """The places of the rows in the order in which a laboratory issues versions of one sample: a file may mix them."""
    return sorted(range(len(rows)), key=lambda place: _VERSIONS.index(rows[place][1].status))


def _meets_pending(reading: LabReading, whose: Whose, known: dict[Identity, Existing]) -> bool:
    """Whether a row replaces or voids one that stands in the same file and is not stored yet."""
    old = known.get(_identity_of(reading, whose))
    if old is None or old.id is not None:
        return False
    return reading.status in (CORRECTED, CANCELLED) or old.status == PRELIMINARY


def _insert(session: Session, actor: Actor, inserts: list[dict[str, Any]], batch_id: int | None) -> None:
    """Store the new rows and empty their list. What came by a file is noted with its batch, which names the file; what
    was typed, row by row.
    """
    if not inserts:
        return
    for new in inserts:
        new |= {"origin": actor.origin, "batch_id": batch_id, "recorded_by": actor.account_id}
    _store(session, actor, inserts, noted=batch_id is None)
    inserts.clear()


def _store(session: Session, actor: Actor, inserts: list[dict[str, Any]], noted: bool) -> None:
    if not noted:
        session.execute(insert(table_of(LabResult)), inserts)
        return
    ids = session.scalars(insert(LabResult).returning(LabResult.id, sort_by_parameter_order=True), inserts)
    for new, id in zip(inserts, ids, strict=True):
        after = {name: audit.plain(value) for name, value in new.items()}
        audit.note(
            session, actor, "record", "lab_result", id, after=after, reason=new["reason"], patient_id=new["patient_id"]
        )


def _file(  # noqa: PLR0913 - one row and the state it meets
    session: Session, actor: Actor, reading: LabReading, whose: Whose, new: dict[str, Any] | None,
    known: dict[Identity, Existing], inserts: list[dict[str, Any]], done: Recorded,
) -> str:  # fmt: skip
    if new is None:
        return _cancel(session, actor, reading, whose, known, done)
    identity = _identity(new)
    old = known.get(identity)
    if old is not None:
        if old.says(new) and (old.status == new["status"] or old.status != PRELIMINARY):
            return DUPLICATE
        if old.id is None:
            raise NotRecordable("value", f"This file gives two values for the same sample: {old.shown} stands already.")
        if new["status"] != CORRECTED and old.status != PRELIMINARY:
            if _replaced_before(session, identity, new):
                return DUPLICATE
            raise NotRecordable(
                "value",
                f"The same sample is on file with {old.shown}. Send it with the status “corrected” to replace it.",
            )
        _retire(session, actor, old.id, whose.patient_id, "replaced by the laboratory's correction")
        done.amended.add(old.id)
    new["replaces_id"] = old.id if old else None
    new["reason"] = "corrected by the laboratory" if old else ""
    new["retired_at"], new["retired_reason"] = None, ""
    known[identity] = Existing(None, new["comparator"], new["figure"], new["text"], new["unit"], new["status"])
    inserts.append(new)
    return FILED


def _replaced_before(session: Session, identity: Identity, new: dict[str, Any]) -> bool:
    """Whether a row is a version that has been replaced since: a file sent twice changes nothing."""
    r = LabResult
    keys = (r.patient_id, r.subject, r.collected_at, r.laboratory, r.accession)
    rows = session.execute(
        select(r.id, r.comparator, r.figure, r.text, r.unit, r.status).where(
            r.retired_at.is_not(None), *(column == value for column, value in zip(keys, identity, strict=True))
        )
    )
    return any(Existing(*row).says(new) for row in rows)


def _cancel(
    session: Session, actor: Actor, reading: LabReading, whose: Whose, known: dict[Identity, Existing], done: Recorded
) -> str:
    old = known.pop(_identity_of(reading, whose), None)
    if old is None or old.id is None:
        raise NotRecordable("status", "The result is cancelled, and there is none on file to void.")
    _retire(session, actor, old.id, whose.patient_id, "cancelled by the laboratory")
    done.amended.add(old.id)
    return FILED


def _retire(session: Session, actor: Actor, result_id: int, patient_id: int, reason: str) -> None:
    table = table_of(LabResult)
    session.execute(
        update(table).where(table.c.id == bindparam("result")).values(retired_at=actor.utc, retired_reason=reason),
        {"result": result_id},
    )
    audit.note(
        session, actor, "retire", "lab_result", result_id,
        before={"retired_at": None}, after={"retired_at": audit.plain(actor.utc)}, reason=reason, patient_id=patient_id,
    )  # fmt: skip


def _existing(
    session: Session, patient_ids: set[int], rows: Sequence[tuple[int, LabReading, Whose]]
) -> dict[Identity, Existing]:
    if not patient_ids:
        return {}
    days = [reading.collected.on for _, reading, _ in rows]
    r = LabResult
    found = session.execute(
        select(
            r.patient_id, r.subject, r.collected_at, r.laboratory, r.accession,
            r.id, r.comparator, r.figure, r.text, r.unit, r.status,
        ).where(
            r.patient_id.in_(sorted(patient_ids)), r.retired_at.is_(None),
            r.collected_on >= min(days), r.collected_on <= max(days),
        )
    )  # fmt: skip
    return {(row[0], row[1], row[2], row[3], row[4]): Existing(*row[5:]) for row in found}


# ---------------------------------------------------------------------------------------------- one result, by a person


def correct(session: Session, actor: Actor, result_id: int, reading: LabReading, reason: str) -> LabResult:
    """A person's correction: a new version with a reason. Raises Refused, Stale where it was corrected meanwhile."""
    old = _in_force(session, result_id)
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why the result is corrected.")
    patient = session.get_one(Patient, old.patient_id)
    new = prepare(reading, Whose(patient.id, patient.birth_date), actor.at).columns
    _retire(session, actor, old.id, patient.id, reason)
    row = LabResult(
        **new, origin=actor.origin, recorded_by=actor.account_id, batch_id=None, replaces_id=old.id, reason=reason,
        retired_reason="",
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=patient.clinic_id, patient_id=patient.id, reason=reason)
    return row


def void(session: Session, actor: Actor, result_id: int, reason: str) -> LabResult:
    """Take a result out with a reason; it stays on record. Raises Refused, Stale."""
    old = _in_force(session, result_id)
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why the result is voided.")
    _retire(session, actor, old.id, old.patient_id, reason)
    return old


def _in_force(session: Session, result_id: int) -> LabResult:
    result = session.get(LabResult, result_id)
    if result is None:
        raise NotFound("There is no such result.")
    if result.retired_at is not None:
        raise Stale("This result was corrected or voided meanwhile. Look at the version in force.")
    return result
