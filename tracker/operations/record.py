"""Results are recorded here, whichever door they came by: same value, same refusals.

A correction is a new row that replaces the old one, which is retired and stays. Nothing is overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound, Refused, Stale
from tracker.domain.readings import CANCELLED, CORRECTED, FINAL, PRELIMINARY, LabReading, Problem
from tracker.domain.units import Analyte, check, normal_unit, to_canonical, unit_of
from tracker.domain.values import Number, read_number
from tracker.library import analytes
from tracker.models import LabResult, Patient, table_of
from tracker.operations import audit, changes
from tracker.operations.actor import Actor
from tracker.operations.bulk import insert_rows
from tracker.operations.standing import (
    CANCELLED_BY_LAB,
    Existing,
    Identity,
    Standing,
    analyte_of,
    identity_of,
    identity_of_columns,
    in_force,
)

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
def _unit(code: str, unit: str) -> str:
    return (unit_of(analytes.ANALYTES[code], unit) if code else None) or normal_unit(unit)


def prepare(reading: LabReading, whose: Whose, now: datetime, previous: Decimal | None = None) -> Prepared:
    """Check one reading and turn it into columns. `previous` is the last canonical value. Raises NotRecordable."""
    _check_time(reading, whose, now)
    analyte = analyte_of(reading)
    code = analyte.code if analyte else ""
    if previous is None:
        number, value, questions = _measured(code, reading.value, reading.unit)
    else:
        number, value, questions = _measure(code, reading.value, reading.unit, previous)
    text = "" if number else _words(reading, analyte)
    columns = {
        "patient_id": whose.patient_id,
        "analyte": code, "subject": code or reading.analyte, "local_code": _called(reading, analyte),
        "collected_at": reading.collected.at, "collected_on": reading.collected.on,
        "time_known": reading.collected.time_known,
        "comparator": number.comparator if number else "", "figure": number.figure if number else None,
        "unit": _unit(code, reading.unit), "value": value, "text": text,
        "ref_low": reading.ref_low, "ref_high": reading.ref_high, "range_id": None, "lab_flag": reading.lab_flag,
        "laboratory": reading.laboratory, "accession": reading.accession, "sub_id": reading.sub_id,
        "status": reading.status, "comment": _comment(reading, text if analyte else ""), "fasting": reading.fasting,
        "mapping_id": reading.mapping_id, "recorded_at": reading.recorded_at or now,
    }  # fmt: skip
    return Prepared(columns, questions)


def _comment(reading: LabReading, word: str) -> str:
    """The notes; before them what was written, where a word was read out of more (`0.05 (negativ)`)."""
    has_more = word and word != reading.value and any(c.isdecimal() for c in reading.value)
    return f"Reported as {reading.value}. {reading.comment}".strip() if has_more else reading.comment


def _called(reading: LabReading, analyte: Analyte | None) -> str:
    """The sender's own code; with the LOINC or the name beside it that tells how the value was had."""
    code, name = reading.local_code, reading.analyte
    if analyte is None or name == analyte.code or name in code.split(";"):
        return code
    if name.startswith(analytes.LOINC) or analytes.method(analyte.code, name):
        return f"{code};{name}" if code else name
    return code


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


Measured = tuple[Number | None, Decimal | None, tuple[str, ...]]
"""The number that was written, the same in the canonical unit, and the questions it raises."""


def _measure(code: str, text: str, unit: str, previous: Decimal | None = None) -> Measured:
    analyte = analytes.ANALYTES[code] if code else None
    try:
        number = read_number(text)
    except Refused as why:
        raise NotRecordable("value", str(why)) from why
    if analyte is None or number is None:
        if analyte and not analyte.qualitative:
            raise NotRecordable("value", f"{code}: “{text}” is not a number.")
        return number, None, ()
    refusal, questions = check(analyte, number, unit, previous)
    if refusal:
        raise NotRecordable("value", refusal)
    return number, to_canonical(analyte, number.figure, unit), questions


_measured = lru_cache(maxsize=1 << 16)(_measure)  # a file has the same values again and again


def _words(reading: LabReading, analyte: Analyte | None) -> str:
    if analyte is None:
        return reading.value
    word = analytes.word(analyte, reading.value)
    if word is None:
        raise NotRecordable("value", f"{analyte.code}: “{reading.value}” is not one of {', '.join(analyte.values)}.")
    return word


# ---------------------------------------------------------------------------------------------- storing


@dataclass(slots=True)
class Recorded:
    """What became of the readings: an outcome each, in order, with the problems; who is affected; what was retired.

    `cancelled` is the last result that its laboratory took back. `unmapped` are the rows whose test has no analyte
    here, with the laboratory's name for it.

    """

    outcomes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    patient_ids: set[int] = field(default_factory=set)
    amended: set[int] = field(default_factory=set)
    cancelled: int = 0
    unmapped: list[tuple[int, str]] = field(default_factory=list)


def record(
    session: Session, actor: Actor, rows: Sequence[tuple[int, LabReading, Whose]], batch_id: int | None = None
) -> Recorded:
    """Store readings of known patients. Each row is (row number in its source, reading, whose).

    A row with the identity of a stored one is a duplicate where it says the same, replaces it where the laboratory
    marks it corrected (or the stored one was preliminary), voids it where it is cancelled, and is refused otherwise.
    """
    done = Recorded()
    known = in_force(session, [(reading, whose.patient_id) for _, reading, whose in rows])
    inserts: list[dict[str, Any]] = []
    done.outcomes = [REFUSED] * len(rows)
    for place in _in_turn(rows):
        number, reading, whose = rows[place]
        try:
            ready = prepare(reading, whose, actor.at) if reading.status != CANCELLED else None
            new = ready.columns if ready else None
            if _meets_pending(reading, whose, known):
                _insert(session, actor, inserts, batch_id)
                known = in_force(session, [(reading, whose.patient_id) for _, reading, whose in rows])
            outcome = _file(session, actor, reading, whose, new, known, inserts, done)
            if new is None and outcome == FILED and batch_id is not None:
                changes.keep_cancelled(session, whose.patient_id, batch_id, done.cancelled)
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

    def version(place: int) -> tuple[int, float]:
        reading = rows[place][1]
        return _VERSIONS.index(reading.status), reading.recorded_at.timestamp() if reading.recorded_at else 0.0

    if all(reading.status == FINAL for _, reading, _ in rows):
        return list(range(len(rows)))
    return sorted(range(len(rows)), key=version)


def _meets_pending(reading: LabReading, whose: Whose, known: Standing) -> bool:
    """Whether a row replaces or voids one that stands in the same file and is not stored yet."""
    revises = reading.status in (CORRECTED, CANCELLED)
    identity = identity_of(reading, whose.patient_id)
    if not revises and identity not in known.now:
        return False
    pending = [known.now[one] for one in (identity, *(known.beside(identity) if revises else ())) if one in known.now]
    return any(old.id is None and (revises or old.status == PRELIMINARY) for old in pending)


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
        insert_rows(session, table_of(LabResult), inserts)
        return
    ids = session.scalars(insert(LabResult).returning(LabResult.id, sort_by_parameter_order=True), inserts)
    for new, id in zip(inserts, ids, strict=True):
        after = {name: audit.plain(value) for name, value in new.items()}
        audit.note(
            session, actor, "record", "lab_result", id, after=after, reason=new["reason"], patient_id=new["patient_id"]
        )


def _file(  # noqa: PLR0913 - one row and the state it meets
    session: Session, actor: Actor, reading: LabReading, whose: Whose, new: dict[str, Any] | None,
    known: Standing, inserts: list[dict[str, Any]], done: Recorded,
) -> str:  # fmt: skip
    if new is None:
        return _cancel(session, actor, reading, whose, known, done)
    identity = _meant(identity_of_columns(new), new["status"], known)
    old, new["sub_id"] = known.now.get(identity), identity[5]
    if old is not None:
        if old.says(new) and (old.status == new["status"] or old.status != PRELIMINARY):
            return DUPLICATE
        if reading.recorded_at and known.said_before(identity, new, reading.recorded_at):
            return DUPLICATE
        if old.id is None:
            raise NotRecordable("value", f"This file gives two values for the same sample: {old.shown} stands already.")
        if new["status"] != CORRECTED and old.status != PRELIMINARY:
            if known.said_before(identity, new):
                return DUPLICATE
            raise NotRecordable(
                "value",
                f"The same sample is on file with {old.told(new)}. Send it with the status “corrected” to replace it.",
            )
        _retire(session, actor, old.id, whose.patient_id, "replaced by the laboratory's correction")
        done.amended.add(old.id)
    elif known.was_cancelled(identity, new) or known.came_otherwise(identity, new):
        return DUPLICATE
    if old is not None and new["fasting"] is None:
        new["fasting"] = old.fasting  # how the sample was taken is not changed by another value
    new["replaces_id"] = old.id if old else None
    new["reason"] = "corrected by the laboratory" if old else ""
    new["retired_at"], new["retired_reason"] = None, ""
    known.hold(identity, Existing(None, *map(new.__getitem__, Existing._fields[1:])))
    inserts.append(new)
    return FILED


def _meant(identity: Identity, status: str, known: Standing) -> Identity:
    """Which result a row is about. A correction or a cancellation without a sub-ID, or of one that came without, means
    the only result there is; where there are several it never falls on one of them by chance. Raises NotRecordable.
    """
    beside = known.beside(identity) if status in (CORRECTED, CANCELLED) else []
    if not beside or (identity[5] and (identity in known.now or all(one[5] for one in beside))):
        return identity
    if len(beside) == 1 and identity not in known.now:
        return beside[0]
    raise NotRecordable(
        "value",
        f"{len(beside) + (identity in known.now)} results of this test are on file for this sample, and which of them"
        " is meant is not said (OBX-4): correct it by hand.",
    )


def _cancel(session: Session, actor: Actor, reading: LabReading, whose: Whose, known: Standing, done: Recorded) -> str:
    identity = _meant(identity_of(reading, whose.patient_id), CANCELLED, known)
    old = known.now.pop(identity, None)
    if old is None and identity in known.cancelled:
        return DUPLICATE
    if old is None or old.id is None:
        raise NotRecordable("status", "The result is cancelled, and there is none on file to void.")
    _retire(session, actor, old.id, whose.patient_id, CANCELLED_BY_LAB)
    done.amended.add(old.id)
    done.cancelled = old.id
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
