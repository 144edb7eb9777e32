"""The burden of each rule at a clinic over a period: stored flags, first decisions, days of treatment."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from tracker.domain.burden import LATE, Burden, months, waited
from tracker.domain.lifecycle import CLOSED, NOT_QUEUED, UNDECIDED
from tracker.models import Course, Flag, Patient, Review


class Burdens(NamedTuple):
    """Every rule that flagged anything, the most flags first, and the months of treatment they are held against."""

    rules: list[Burden]
    patient_months: Decimal


def burdens(session: Session, clinic_id: int, since: date, until: date, now: datetime) -> Burdens:
    """Flags whose episode began from `since` to `until`, both inclusive; neither folded nor taken back, for those ask
    nothing of anybody.
    """
    counted = Flag.clinic_id == clinic_id, Flag.opened_on.between(since, until), *_ASK
    found: dict[str, Burden] = {}
    for rule, review, action, first_seen, decided in session.execute(_decided(counted)):
        burden = found.setdefault(rule, Burden(rule))
        burden.flags += 1
        burden.closed += review == CLOSED
        burden.without_action += review == CLOSED and action == "no_action"
        waited(first_seen, decided, burden)
    late = (Flag.review.in_(UNDECIDED), Flag.attention < NOT_QUEUED, Flag.waiting_since < now - LATE)
    for rule, number in session.execute(select(Flag.rule, func.count()).where(*counted, *late).group_by(Flag.rule)):
        found[rule].late = number
    ordered = sorted(found.values(), key=lambda one: (-one.flags, one.rule))
    return Burdens(ordered, months(_days(session, clinic_id, since, until)))


_ASK = (Flag.folded_under.is_(None), Flag.superseded.is_(False))


def _decided(counted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """(rule, review, the last decision, when it was first seen, when first decided) of each flag."""
    final = select(
        Review.flag_id, func.min(Review.at).label("first_at"), func.max(Review.id).label("last_id")
    ).where(Review.standing != "declined").group_by(Review.flag_id).subquery()  # fmt: skip
    last = select(Review.id, Review.action).subquery()
    return (
        select(Flag.rule, Flag.review, last.c.action, Flag.first_seen_at, final.c.first_at)
        .outerjoin(final, final.c.flag_id == Flag.id)
        .outerjoin(last, last.c.id == final.c.last_id)
        .where(*counted)
    )


def _days(session: Session, clinic_id: int, since: date, until: date) -> list[int]:
    """Days of each course within the period. Days on hold count: the flags of a hold are flags."""
    rows = session.execute(
        select(Course.started_on, Course.stopped_on)
        .join(Patient, Patient.id == Course.patient_id)
        .where(Patient.clinic_id == clinic_id, Course.voided_at.is_(None), Course.started_on <= until)
    )
    spans = ((max(start, since), min(stop or until, until)) for start, stop in rows)
    return [(last - first).days + 1 for first, last in spans if first <= last]
