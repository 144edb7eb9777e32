"""The review queue: a row a patient, worst first, read from stored flags. No rule runs here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session

from tracker.domain.lifecycle import CARRIED_OFFSET, NOT_QUEUED
from tracker.library import analytes
from tracker.models import Course, CourseEvent, Flag, LabResult, Patient, Review

PAGE = 25
INFO_PLACE = 3


@dataclass(frozen=True, slots=True)
class Dosing:
    """What a patient takes now, for the line under the name."""

    drug: str
    protocol_id: str
    started_on: date
    stopped_on: date | None
    mg: str
    times_per_day: int | None
    on_hold: bool


@dataclass(slots=True)
class QueueRow:
    """One patient of the queue: the worst flag, then the others."""

    patient: Patient
    place: int
    flags: list[Flag]
    dosing: Dosing | None
    trend: list[tuple[date, float, bool]]
    new: bool
    proposed: bool
    trend_of: str = ""
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the queue ended: the next one begins after it."""

    place: int
    since: datetime
    patient_id: int

    def __str__(self) -> str:
        return f"{self.place}~{self.since.isoformat()}~{self.patient_id}"

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        """The cursor a link carried; None for anything else."""
        parts = text.split("~")
        try:
            return cls(int(parts[0]), datetime.fromisoformat(parts[1]), int(parts[2])) if len(parts) == 3 else None
        except ValueError:
            return None


FILTERS: Mapping[str, ColumnElement[bool]] = {
    "today": Flag.attention == 0,
    "week": Flag.attention == 1,
    "repeat": and_(Flag.attention < NOT_QUEUED, Flag.review == "awaiting_repeat")
    | and_(Flag.attention < INFO_PLACE, Flag.confirmation.in_(("needs_repeat", "repeat_overdue"))),
    "overdue": and_(Flag.attention < INFO_PLACE, Flag.rule == "overdue", Flag.machine == "open"),
    "not_evaluated": and_(Flag.attention < INFO_PLACE, Flag.rule == "not_evaluated", Flag.machine == "open"),
    "closure": and_(Flag.attention < INFO_PLACE, Flag.machine == "cleared"),
    "info": Flag.attention == INFO_PLACE,
}
"""The tiles over the queue, each a filter; beside them `LATE`, which depends on the time."""
LATE = "late"

Waited = Sequence[datetime]
"""By place in the queue: what nobody has decided on since before that instant waits too long."""


def late(waited: Waited) -> ColumnElement[bool]:
    """Escalated: undecided for longer than the time stated for its place (exclusive)."""
    return or_(false(), *(and_(Flag.attention == place, Flag.waiting_since < at) for place, at in enumerate(waited)))


def tiles(session: Session, clinic_id: int, waited: Waited = ()) -> dict[str, int]:
    """Patients behind each tile, and in the whole queue, in one statement."""
    conditions = {"all": Flag.attention < INFO_PLACE, **FILTERS, LATE: late(waited)}
    of_patient = (
        select(*(func.max(case((condition, 1), else_=0)).label(name) for name, condition in conditions.items()))
        .where(Flag.clinic_id == clinic_id, Flag.attention < NOT_QUEUED)
        .group_by(Flag.patient_id)
        .subquery()
    )
    row = session.execute(
        select(*(func.coalesce(func.sum(of_patient.c[name]), 0).label(name) for name in conditions))
    ).one()
    return {name: int(number) for name, number in row._mapping.items()}


def page(  # noqa: PLR0913 - what a page is asked by
    session: Session, clinic_id: int, *, only: str = "", owner_id: int | None = None, search: str = "",
    after: Cursor | None = None, seen_at: datetime | None = None, waited: Waited = (), size: int = PAGE,
) -> tuple[list[QueueRow], Cursor | None]:  # fmt: skip
    """One page of the queue and where the next begins. Statements do not grow with rows."""
    statement = ranking(clinic_id, only=only, owner_id=owner_id, search=search, after=after, waited=waited)
    rows = session.execute(statement.limit(size + 1)).all()
    return _rows(session, rows[:size], seen_at), _next(rows, size)


def ranking(
    clinic_id: int,
    *,
    only: str = "",
    owner_id: int | None = None,
    search: str = "",
    after: Cursor | None = None,
    waited: Waited = (),
) -> Select[Patient, int, datetime]:
    """Patients of the queue in its order: (patient, place of the worst flag, since when)."""
    conditions: list[ColumnElement[bool]] = [Flag.clinic_id == clinic_id, Flag.attention < NOT_QUEUED]
    conditions.append(late(waited) if only == LATE else FILTERS[only] if only in FILTERS else _shown())
    if owner_id is not None:
        conditions.append(Flag.owner_id == owner_id)
    ranked = (
        select(Flag.patient_id, func.min(Flag.attention).label("place"), func.min(Flag.first_seen_at).label("since"))
        .where(*conditions)
        .group_by(Flag.patient_id)
        .subquery()
    )
    statement = select(Patient, ranked.c.place, ranked.c.since).join(ranked, ranked.c.patient_id == Patient.id)
    if search:
        statement = statement.where(matches(search, clinic_id))
    if after is not None:
        statement = statement.where(
            or_(
                ranked.c.place > after.place,
                and_(ranked.c.place == after.place, ranked.c.since > after.since),
                and_(ranked.c.place == after.place, ranked.c.since == after.since, Patient.id > after.patient_id),
            )
        )
    return statement.order_by(ranked.c.place, ranked.c.since, Patient.id)


def _shown() -> ColumnElement[bool]:
    """Everything but info; what somebody carries is shown too, after what nobody does."""
    return and_(Flag.attention != INFO_PLACE, Flag.attention != INFO_PLACE + CARRIED_OFFSET)


def _next(rows: Sequence[Any], size: int) -> Cursor | None:
    if len(rows) <= size:
        return None
    patient, place, since = rows[size - 1]
    return Cursor(place, since, patient.id)


def matches(search: str, clinic_id: int) -> ColumnElement[bool]:
    """A patient by record number or name, or by analyte or rule of a queued flag."""
    start = search.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    analyte = analytes.find(search)
    subjects = [search.strip().lower(), *([analyte.code.lower()] if analyte else [])]
    flagged = select(Flag.patient_id).where(
        Flag.clinic_id == clinic_id, Flag.attention < NOT_QUEUED,
        or_(func.lower(Flag.subject).in_(subjects), Flag.rule == search.strip().lower().replace(" ", "_")),
    )  # fmt: skip
    return or_(
        Patient.mrn.ilike(start, escape="\\"), Patient.family_name.ilike(start, escape="\\"),
        Patient.given_name.ilike(start, escape="\\"), Patient.id.in_(flagged),
    )  # fmt: skip


def _rows(session: Session, ranked: Sequence[Any], seen_at: datetime | None) -> list[QueueRow]:
    ids = [patient.id for patient, _, _ in ranked]
    flags: dict[int, list[Flag]] = {}
    statement = select(Flag).where(Flag.patient_id.in_(ids), Flag.attention < NOT_QUEUED)
    for flag in session.scalars(statement.order_by(Flag.attention, Flag.opened_on, Flag.id)):
        flags.setdefault(flag.patient_id, []).append(flag)
    dosing = dosings(session, ids)
    drawn = {id: _charted(held) for id, held in flags.items()}
    trends = _trends(session, drawn)
    proposed = set(
        session.scalars(select(Review.patient_id).where(Review.patient_id.in_(ids), Review.standing == "proposed"))
    )
    return [
        QueueRow(
            patient, place, flags.get(patient.id, []), dosing.get(patient.id), trends.get(patient.id, []),
            seen_at is not None and any(flag.changed_at > seen_at for flag in flags.get(patient.id, [])),
            patient.id in proposed, drawn.get(patient.id, ""), str(Cursor(place, since, patient.id)),
        )
        for patient, place, since in ranked
    ]  # fmt: skip


def _charted(flags: Sequence[Flag]) -> str:
    """Of which subject the trend is drawn: the worst flag's own, or for one that is about several, the first it rests
    on.
    """
    for flag in flags[:1]:
        for name in (flag.subject, *(item["analyte"] for item in flag.evidence)):
            if name in analytes.ANALYTES:
                return str(name)
    return flags[0].subject if flags else ""


def _trends(session: Session, subjects: Mapping[int, str]) -> dict[int, list[tuple[date, float, bool]]]:
    """The last values of each patient's worst subject, for the sparkline: (day, value, whether censored)."""
    if not subjects:
        return {}
    r = LabResult
    rows = session.execute(
        select(r.patient_id, r.subject, r.collected_on, r.value, r.figure, r.comparator)
        .where(
            r.patient_id.in_(subjects),
            r.subject.in_(set(subjects.values())),
            r.retired_at.is_(None),
            r.figure.is_not(None),
        )
        .order_by(r.patient_id, r.collected_at)
    )
    found: dict[int, list[tuple[date, float, bool]]] = {}
    for patient_id, subject, on, value, figure, comparator in rows:
        shown = value if value is not None else figure
        if subjects[patient_id] == subject and shown is not None:
            found.setdefault(patient_id, []).append((on, float(shown), bool(comparator)))
    return {patient_id: points[-12:] for patient_id, points in found.items()}


def courses(session: Session, patient_ids: Sequence[int]) -> dict[int, list[tuple[Course, list[CourseEvent]]]]:
    """By patient, the courses on record, oldest first, each with what was done to its dose; one statement, none where
    there is no patient.
    """
    if not patient_ids:
        return {}
    c, e = Course, CourseEvent
    statement = (
        select(c, e)
        .outerjoin(e, (e.course_id == c.id) & e.voided_at.is_(None))
        .where(c.patient_id.in_(patient_ids), c.voided_at.is_(None))
        .order_by(c.started_on, c.id, e.on, e.id)
    )
    found: dict[int, list[tuple[Course, list[CourseEvent]]]] = {}
    pairs: Any = session.execute(statement)  # of the outer join the second may be None, which the types do not say
    for course, rows in groupby(pairs, key=itemgetter(0)):
        changes = [change for _, change in rows if change is not None]
        found.setdefault(course.patient_id, []).append((course, changes))
    return found


def dosings(session: Session, patient_ids: Sequence[int]) -> dict[int, Dosing]:
    """The latest course of each patient with the dose in force."""
    return {patient_id: dosing_of(*held[-1]) for patient_id, held in courses(session, patient_ids).items()}


def dosing_of(course: Course, events: list[CourseEvent]) -> Dosing:
    """The dose in force at the end of a course's changes, oldest first."""
    mg, times, held = "", None, False
    for event in events:
        if event.kind == "dose":
            mg, times = format(event.dose_mg, "f") if event.dose_mg is not None else "", event.times_per_day
        held = event.kind == "hold"
    return Dosing(course.drug, course.protocol_id, course.started_on, course.stopped_on, mg, times, held)
