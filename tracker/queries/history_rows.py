"""The statements that histories are read with, each made once: making one takes longer than the database takes for it.

Each takes `ids`, a batch of patients, and `as_of`, the end of the day that is looked at. One of the `past` also takes
`known_at`, and leaves out what had been corrected or voided, or was not yet recorded, by then.
"""

from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func, select
from sqlalchemy import false as sql_false

from tracker.models import (
    AdverseEvent,
    Course,
    CourseEvent,
    ImportBatch,
    LabResult,
    Medication,
    Observation,
    Patient,
    PatientTarget,
    table_of,
)

Statement = Select[*tuple[Any, ...]]
IDS: BindParameter[Any] = bindparam("ids", expanding=True)
AS_OF: BindParameter[Any] = bindparam("as_of")
KNOWN_AT: BindParameter[Any] = bindparam("known_at")

LAB_COLUMNS = (
    "patient_id",
    "id",
    "subject",
    "analyte",
    "collected_at",
    "collected_on",
    "comparator",
    "figure",
    "unit",
    "value",
    "text",
    "ref_low",
    "ref_high",
    "range_id",
    "laboratory",
    "accession",
    "status",
    "lab_flag",
    "time_known",
    "local_code",
    "fasting",
)


def _known(statement: Statement, table: Any, past: bool) -> Statement:
    ended = table.retired_at if table is LabResult else table.voided_at
    if not past:
        return statement.where(ended.is_(None))
    return statement.where(table.recorded_at <= KNOWN_AT, ended.is_(None) | (ended > KNOWN_AT))


@cache
def people() -> Statement:
    p = Patient
    return select(p.id, p.mrn, p.sex, p.birth_date, p.stated_age, p.stated_age_on).where(p.id.in_(IDS))


@cache
def labs(past: bool) -> Statement:
    r, columns = LabResult, table_of(LabResult).c  # Core columns: the ORM would look at every row once more
    statement = (
        select(*(columns[name] for name in LAB_COLUMNS))
        .where(r.patient_id.in_(IDS), r.collected_on <= AS_OF)
        .order_by(r.patient_id, r.subject, r.collected_at, r.id)
    )
    return _known(statement, r, past)


@cache
def courses(past: bool) -> Statement:
    c = Course
    statement = (
        select(c.patient_id, c.id, c.protocol_id, c.drug, c.indication, c.started_on, c.stopped_on)
        .where(c.patient_id.in_(IDS))
        .order_by(c.patient_id, c.started_on, c.id)
    )
    return _known(statement, c, past)


@cache
def course_events(past: bool) -> Statement:
    """By course, what was done to the dose."""
    e = CourseEvent
    statement = (
        select(e.course_id, e.on, e.kind, e.dose_mg, e.times_per_day, e.reason, e.review_on)
        .join(Course, Course.id == e.course_id)
        .where(Course.patient_id.in_(IDS), e.on <= AS_OF)
        .order_by(e.course_id, e.on, e.id)
    )
    return _known(statement, e, past)


@cache
def events(past: bool) -> Statement:
    e = AdverseEvent
    statement = (
        select(
            e.patient_id, e.id, e.kind, e.term, e.onset_on, e.resolved_on, e.controlled_on, e.site, e.organism, e.grade,
            e.serious, e.criteria, e.hospitalised, e.opportunistic, e.treated, e.outcome,
        )
        .where(e.patient_id.in_(IDS), e.onset_on.is_(None) | (e.onset_on <= AS_OF))
        .order_by(e.patient_id, e.onset_on, e.id)
    )  # fmt: skip
    return _known(statement, e, past)


@cache
def medications(past: bool) -> Statement:
    m = Medication
    statement = (
        select(m.patient_id, m.id, m.name, m.interaction, m.started_on, m.stopped_on)
        .where(m.patient_id.in_(IDS))
        .order_by(m.patient_id, m.id)
    )
    return _known(statement, m, past)


@cache
def observations(past: bool) -> Statement:
    """Those seen by the end of the day, and a weight that came without a date in a table of patients."""
    o, batch = Observation, ImportBatch
    undated = (o.kind == "weight_kg") & batch.format.endswith(" patients")
    statement = (
        select(o.patient_id, o.id, o.on, o.kind, o.value, o.figure, func.coalesce(undated, sql_false()))
        .outerjoin(batch, batch.id == o.batch_id)
        .where(o.patient_id.in_(IDS), (o.on <= AS_OF) | undated)
        .order_by(o.patient_id, o.on, o.id)
    )
    return _known(statement, o, past)


@cache
def targets(past: bool) -> Statement:
    t = PatientTarget
    statement = select(
        t.patient_id, t.analyte, t.number, t.effective_from, t.severity, t.reason, t.unit, t.low, t.low_inclusive,
        t.high, t.high_inclusive,
    ).where(t.patient_id.in_(IDS), t.effective_from <= AS_OF)  # fmt: skip
    return statement.where(t.recorded_at <= KNOWN_AT) if past else statement
