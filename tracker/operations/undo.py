"""An import undone as a whole: what it filed is taken out with a reason, what it replaced or changed stands again, and
whom it touched is judged again. Nothing is deleted.

What people built on stays, and is said: a result that a person corrected since, a course with a dose or a hold that a
person or a later file added, an event corrected since. Patients the file enrolled stay on record. Decisions about flags
stay; a flag whose finding is gone asks for closure, one that stands without the result comes back (lifecycle.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import false, func, insert, select, update
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.models import (
    AdverseEvent,
    Attachment,
    AuditEntry,
    Base,
    Course,
    CourseEvent,
    HeldRow,
    ImportBatch,
    ImportChange,
    ImportUndo,
    LabResult,
    Medication,
    Observation,
    Patient,
    table_of,
)
from tracker.operations import audit, enrol
from tracker.operations.actor import Actor
from tracker.operations.changes import typed
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.standing import UNDONE

AT_ONCE = 400  # keys in one statement; SQLite takes 32,766 variables, and lists stay readable
NAMED = 5  # later files that are named; more are counted
TRAY = "rows taken out of the tray"
_SINGLE = (AdverseEvent, Attachment, Medication, Observation)
_CORRECTED = (AdverseEvent, Course, Medication, Observation, Patient)
_WORDS = {
    AdverseEvent: ("event", "events"), Attachment: ("document", "documents"), Medication: ("drug", "drugs"),
    Observation: ("observation", "observations"),
    Course: ("course", "courses"), CourseEvent: ("line of a course", "lines of courses"),
}  # fmt: skip


@dataclass(slots=True)
class Undone:
    """What was taken out, in words with their number; what was left standing and why; the flags that moved."""

    done: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    patients: set[int] = field(default_factory=set)
    amended: set[int] = field(default_factory=set)
    changes: Changes = field(default_factory=Changes)

    def count(self, what: str, number: int) -> None:
        if number:
            self.done[what] = self.done.get(what, 0) + number


def undo(
    session: Session, actor: Actor, batch: ImportBatch, reason: str, clinics: frozenset[int] | None = None
) -> Undone:
    """Undo an import in the caller's transaction. `clinics` are those whose records the person may write (None: all).

    Raises Refused without a reason, Stale where it was undone already, NotAllowed where it touched another clinic's
    patients.
    """
    reason = reason.strip()
    if len(reason) < 5:
        raise Refused("Say in a few words why the import is undone.")
    session.refresh(batch, with_for_update=True)
    if session.scalar(select(ImportUndo.id).where(ImportUndo.batch_id == batch.id)) is not None:
        raise Stale("This import was undone already.")
    found = Undone()
    found.patients = _touched(session, batch.id)
    if clinics is not None and (_clinics_of(session, found.patients) | {batch.clinic_id}) - clinics:
        raise NotAllowed("This import filed rows of another clinic too: it is undone by command, for all of them.")
    why = f"{UNDONE}: {reason}"
    _results(session, actor, batch, why, found)
    _changed(session, actor, batch, why, found)
    _created(session, actor, batch, why, found)
    _held(session, actor, batch, why, found)
    _came_again(session, batch, found)
    _enrolled(session, batch, found)
    _note(session, actor, batch, reason, found)
    found.changes = _judged(session, actor, found, why)
    return found


def _note(session: Session, actor: Actor, batch: ImportBatch, reason: str, found: Undone) -> None:
    session.add(
        ImportUndo(
            clinic_id=batch.clinic_id, batch_id=batch.id, at=actor.utc, account_id=actor.account_id, reason=reason,
            done=dict(found.done), left=list(found.left),
        )
    )  # fmt: skip
    session.flush()
    audit.note(
        session, actor, "undo", "import_batch", batch.id, before={"undone": False},
        after={"undone": True, "taken_out": found.done, "left": found.left}, reason=reason, clinic_id=batch.clinic_id,
    )  # fmt: skip


def _parts(keys: Iterable[int]) -> Iterable[list[int]]:
    held = sorted(keys)
    return (held[start : start + AT_ONCE] for start in range(0, len(held), AT_ONCE))


# ---------------------------------------------------------------------------------------------- whose


def _touched(session: Session, batch_id: int) -> set[int]:
    """The patients this import filed anything for."""
    of_course = select(Course.patient_id).join(CourseEvent).where(CourseEvent.batch_id == batch_id)
    statements = [of_course, select(ImportChange.patient_id).where(ImportChange.batch_id == batch_id)]
    statements += [select(kind.patient_id).where(kind.batch_id == batch_id) for kind in (LabResult, Course, *_SINGLE)]
    statements.append(select(Patient.id).where(Patient.batch_id == batch_id))
    return {key for statement in statements for key in session.scalars(statement.distinct())}


def _clinics_of(session: Session, patient_ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for part in _parts(patient_ids):
        found |= set(session.scalars(select(Patient.clinic_id).where(Patient.id.in_(part)).distinct()))
    return found


# ---------------------------------------------------------------------------------------------- results


def _results(session: Session, actor: Actor, batch: ImportBatch, why: str, found: Undone) -> None:
    """Take out what stands of the import's results; what they had replaced stands again, as a new version."""
    r, table = LabResult, table_of(LabResult)
    undone = {batch.id, *session.scalars(select(ImportUndo.batch_id))}
    for part in _parts(found.patients):
        # The sum keeps SQLite from going through the whole batch for each part of its patients.
        mine = (r.patient_id.in_(part), r.batch_id + 0 == batch.id, r.retired_at.is_(None))
        replacing = list(session.scalars(select(r).where(*mine, r.replaces_id.is_not(None)).order_by(r.id)))
        taken: Any = session.execute(update(table).where(*mine).values(retired_at=actor.utc, retired_reason=why))
        for row in replacing:
            session.expire(row, ["retired_at", "retired_reason"])
            before = _before(session, row, undone)
            if before is not None:
                _stand_again(session, actor, before, row.id, batch.id, found)
        found.count("results taken out", taken.rowcount)
    _corrected_since(session, batch, found)


def _before(session: Session, row: LabResult, undone: set[int]) -> LabResult | None:
    """The version before a result that no undone import brought."""
    while row.replaces_id is not None:
        row = session.get_one(LabResult, row.replaces_id)
        if row.batch_id not in undone:
            return row
    return None


def _stand_again(
    session: Session, actor: Actor, old: LabResult, replaces_id: int, batch_id: int, found: Undone
) -> None:
    r = LabResult
    taken = select(r.id).where(
        r.patient_id == old.patient_id, r.subject == old.subject, r.collected_at == old.collected_at,
        r.laboratory == old.laboratory, r.accession == old.accession, r.sub_id == old.sub_id, r.retired_at.is_(None),
    )  # fmt: skip
    if session.scalar(taken) is not None:
        found.left.append(f"{old.subject} of {old.collected_on}: another result stands in its place by now.")
        return
    names = [column.key for column in LabResult.__mapper__.column_attrs if column.key != "id"]
    new = {name: getattr(old, name) for name in names} | {
        "replaces_id": replaces_id, "retired_at": None, "retired_reason": "", "recorded_at": actor.utc,
        "recorded_by": actor.account_id, "origin": actor.origin, "range_id": None,
        "reason": f"stands again: import {batch_id} was undone",
    }  # fmt: skip
    session.execute(insert(table_of(LabResult)), [new])
    found.count("results that stand again", 1)


def _corrected_since(session: Session, batch: ImportBatch, found: Undone) -> None:
    """What a person made of a result of this import stands, and is said."""
    mine = select(LabResult.id).where(LabResult.batch_id == batch.id)
    r = LabResult
    by_hand = select(r).where(r.replaces_id.in_(mine), r.batch_id.is_(None), r.retired_at.is_(None))
    for row in session.scalars(by_hand.order_by(r.id)):
        mrn = session.scalar(select(Patient.mrn).where(Patient.id == row.patient_id))
        said = f"{row.subject} of {row.collected_on} of patient {mrn} was corrected by a person since: it stands."
        found.left.append(f"{said} Void it on its page if it is wrong too.")


# ---------------------------------------------------------------------------------------------- changed rows


def _changed(session: Session, actor: Actor, batch: ImportBatch, why: str, found: Undone) -> None:
    """Put back what the import had changed, the last change first, where nobody changed it since."""
    kinds: dict[str, type[Any]] = {kind.__tablename__: kind for kind in _CORRECTED}
    of_batch = select(ImportChange).where(ImportChange.batch_id == batch.id).order_by(ImportChange.id.desc())
    for change in session.scalars(of_batch).all():
        if change.record == LabResult.__tablename__:
            old = session.get_one(LabResult, change.record_id)
            found.amended.add(old.id)
            _stand_again(session, actor, old, old.id, batch.id, found)
            continue
        row = session.get_one(kinds[change.record], change.record_id)
        patient = session.get_one(Patient, change.patient_id)
        now = {name: audit.plain(getattr(row, name)) for name in change.after}
        if now != change.after:
            found.left.append(f"{_named(row)} of patient {patient.mrn} was changed again since: it stays as it is.")
            continue
        back = {name: typed(row, name, value) for name, value in change.before.items()}
        enrol.correct(session, actor, row, back, patient=patient, reason=why)
        found.count("records put back as they were", 1)


def _named(row: Any) -> str:
    for name in ("drug", "term", "name", "filename", "kind"):
        if isinstance(getattr(row, name, None), str):
            return f"“{getattr(row, name)}”"
    return "The person's details"


# ---------------------------------------------------------------------------------------------- created rows


def _created(session: Session, actor: Actor, batch: ImportBatch, why: str, found: Undone) -> None:
    """Void what the import created and nobody has built on."""
    for course in session.scalars(_of(Course, batch.id)).all():
        events = enrol.events_of(session, course.id)
        others = [event for event in events if event.batch_id != batch.id]
        if others or _built_on(session, batch.id, Course, [course.id]):
            _leave(session, course, course.patient_id, found)
            continue
        for event in events:
            _void(session, actor, event, course.patient_id, why, found)
        _void(session, actor, course, course.patient_id, why, found)
    for line in session.scalars(_of(CourseEvent, batch.id)).all():
        course = session.get_one(Course, line.course_id)
        if course.batch_id != batch.id:  # what belongs to a course that is left stays with it
            _void(session, actor, line, course.patient_id, why, found)
    for kind in _SINGLE:
        rows = session.scalars(_of(kind, batch.id)).all()
        built_on = _built_on(session, batch.id, kind, [row.id for row in rows])
        for row in rows:
            if row.id in built_on:
                _leave(session, row, row.patient_id, found)
            else:
                _void(session, actor, row, row.patient_id, why, found)


def _of(kind: type[Any], batch_id: int) -> Any:
    return select(kind).where(kind.batch_id == batch_id, kind.voided_at.is_(None)).order_by(kind.id)


def _void(session: Session, actor: Actor, row: Base, patient_id: int, why: str, found: Undone) -> None:
    enrol.void(session, actor, row, patient=session.get_one(Patient, patient_id), reason=why)
    found.count(f"{_WORDS[type(row)][1]} voided", 1)


def _leave(session: Session, row: Any, patient_id: int, found: Undone) -> None:
    mrn = session.get_one(Patient, patient_id).mrn
    said = f"{_WORDS[type(row)][0].capitalize()} {_named(row)} of patient {mrn} was built on since: it stands."
    found.left.append(f"{said} Void it on its page if it is wrong too.")


def _built_on(session: Session, batch_id: int, kind: type[Any], ids: Sequence[int]) -> set[int]:
    """Those of these rows that a person corrected, or a later file that stands."""
    found: set[int] = set()
    undone = select(ImportUndo.batch_id)
    for part in _parts(ids):
        a, c = AuditEntry, ImportChange
        by_people = select(a.record_id).where(
            a.record == kind.__tablename__, a.record_id.in_(part), a.action == "correct", a.origin == "form"
        )
        by_files = select(c.record_id).where(
            c.record == kind.__tablename__, c.record_id.in_(part), c.batch_id != batch_id, c.batch_id.not_in(undone)
        )
        found |= {key for statement in (by_people, by_files) for key in session.scalars(statement) if key is not None}
    return found


# ---------------------------------------------------------------------------------------------- the rest


def _held(session: Session, actor: Actor, batch: ImportBatch, why: str, found: Undone) -> None:
    """Rows of the import that wait for their patient wait no longer."""
    waiting = select(HeldRow).where(HeldRow.batch_id == batch.id, HeldRow.state == "waiting")
    rows = session.scalars(waiting).all()
    for row in rows:
        row.state, row.settled_at, row.settled_reason = "dismissed", actor.utc, why
    found.count(TRAY, len(rows))


def _came_again(session: Session, batch: ImportBatch, found: Undone) -> None:
    """A row that a later file brought once more was not stored twice: it is out with the import that was first."""
    b = ImportBatch
    again = (b.duplicate > 0) | (b.unmatched > 0 if TRAY in found.done else false())
    later = select(b.filename).where(
        b.clinic_id == batch.clinic_id, b.id > batch.id, again, b.id.not_in(select(ImportUndo.batch_id))
    )
    names = list(dict.fromkeys(session.scalars(later.order_by(b.id)))) if found.done else []
    if names:
        told = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        said = "Later files had rows that were here already: what this import had brought of them is out now."
        found.left.append(f"{said} File those again where they are right: {told}.")


def _taken_out(patient_ids: Sequence[int], actor: Actor, why: str) -> Any:
    """The results of these patients that were taken out just now: of all of them there may be a million."""
    r = LabResult
    return select(r.id).where(r.patient_id.in_(patient_ids), r.retired_at == actor.utc, r.retired_reason == why)


def _enrolled(session: Session, batch: ImportBatch, found: Undone) -> None:
    enrolled = session.scalar(select(func.count()).where(Patient.batch_id == batch.id)) or 0
    if enrolled:
        who = "1 patient whom it enrolled stays" if enrolled == 1 else f"{enrolled} patients whom it enrolled stay"
        found.left.append(f"{who} on record: a person is not taken out with a file.")
    if "ranges" in batch.format:
        found.left.append("Ranges that it published stay: they are followed by a new version on the page of ranges.")


def _judged(session: Session, actor: Actor, found: Undone, why: str) -> Changes:
    """Judge again whom it touched, clinic by clinic, some at a time."""
    total = Changes()
    by_clinic: dict[int, list[int]] = {}
    for part in _parts(found.patients):
        for patient_id, clinic_id in session.execute(select(Patient.id, Patient.clinic_id).where(Patient.id.in_(part))):
            by_clinic.setdefault(clinic_id, []).append(patient_id)
    for clinic_id, ids in by_clinic.items():
        today = actor.today(enrol.zone_of(session, clinic_id))
        for part in _parts(ids):
            amended = found.amended | set(session.scalars(_taken_out(part, actor, why)))
            total.add(evaluate(session, clinic_id, part, actor.utc, today, amended=frozenset(amended)))
    return total
