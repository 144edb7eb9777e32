"""Clinics, people and yardsticks: what an administrator changes."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused, Stale
from tracker.domain.ranges import STARTER_FROM, check_bounds
from tracker.domain.readings import RangeReading
from tracker.domain.units import to_canonical
from tracker.library.analytes import ANALYTES, find
from tracker.library.ranges import starter_ranges
from tracker.models import Clinic, ReferenceRange
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.record import DUPLICATE, FILED
from tracker.queries.range_check import understood
from tracker.queries.range_table import is_followed_at_once


def add_clinic(session: Session, actor: Actor, code: str, name: str, time_zone: str = "UTC") -> Clinic:
    """A clinic with the starter ranges. Raises Refused where the code is taken."""
    if session.scalars(select(Clinic).where(Clinic.code == code)).first():
        raise Refused(f"There is a clinic “{code}” already.")
    clinic = Clinic(code=code, name=name, time_zone=time_zone, created_at=actor.utc)
    session.add(clinic)
    session.flush()
    audit.created(session, actor, clinic, clinic_id=clinic.id)
    for line in starter_ranges():
        session.add(
            ReferenceRange(
                clinic_id=clinic.id, analyte=line.analyte, sex="" if line.sex == "any" else line.sex,
                age_from=line.age_from, age_to=line.age_to, low=line.low, low_inclusive=line.low_op != ">",
                high=line.high, high_inclusive=line.high_op != "<", unit=line.unit, effective_from=STARTER_FROM,
                source=line.source, verified=line.verified, reason="starter set", drafted_at=actor.utc,
                published_at=actor.utc,
            )
        )  # fmt: skip
    audit.note(
        session,
        actor,
        "publish",
        "reference_range",
        None,
        after={"starter_set": len(starter_ranges())},
        clinic_id=clinic.id,
    )
    session.flush()
    return clinic


def the_clinics(session: Session, actor: Actor) -> list[Clinic]:
    """Every clinic; a first one where there is none yet."""
    clinics = list(session.scalars(select(Clinic).order_by(Clinic.id)))
    return clinics or [add_clinic(session, actor, "clinic", "Clinic")]


# ---------------------------------------------------------------------------------------------- ranges


def _columns(reading: RangeReading) -> dict[str, Any]:
    analyte = find(reading.analyte, reading.unit)
    if analyte is None:
        raise Refused(f"“{reading.analyte}” is not an analyte Jakwatch knows.", "analyte")
    check_bounds(reading.low, reading.high)
    for bound in (reading.low, reading.high):
        if bound is not None and to_canonical(ANALYTES[analyte.code], bound, reading.unit) is None:
            known = ", ".join(analyte.units)
            raise Refused(f"{analyte.code} is not recorded in “{reading.unit}”: one of {known}.", "unit")
    if reading.age_from is not None and reading.age_to is not None and reading.age_from >= reading.age_to:
        raise Refused(f"The ages {reading.age_from} to {reading.age_to} are empty: “to” is exclusive.", "age_to")
    return {
        "analyte": analyte.code, "laboratory": reading.laboratory, "sex": reading.sex, "age_from": reading.age_from,
        "age_to": reading.age_to, "low": reading.low, "low_inclusive": reading.low_op != ">", "high": reading.high,
        "high_inclusive": reading.high_op != "<", "unit": reading.unit, "effective_from": reading.effective_from,
        "source": reading.source,
    }  # fmt: skip


def publish_range(
    session: Session, actor: Actor, clinic: Clinic, reading: RangeReading, reason: str = "operator's act"
) -> str:
    """Publish a range at once: an operator's act on the server, recorded as such. The same line again changes
    nothing.
    """
    columns = _columns(reading)
    if stands(session, clinic.id, columns) is not None:
        return DUPLICATE
    row = ReferenceRange(
        clinic_id=clinic.id, reason=reason, drafted_at=actor.utc, drafted_by=actor.account_id,
        published_at=actor.utc, published_by=actor.account_id, **columns,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=clinic.id, reason=reason)
    return FILED


def stands(session: Session, clinic_id: int, columns: Mapping[str, Any]) -> ReferenceRange | None:
    """The published version that says exactly this, and that nothing has taken the place of from its day on."""
    same = _saying(session, clinic_id, columns, "published")
    return next((row for row in same if not is_followed_at_once(session, row)), None)


def says_already(session: Session, clinic_id: int, reading: RangeReading, state: str) -> bool:
    """Whether a published version that stands, or a draft, says exactly this."""
    columns = _columns(reading)
    if state == "published":
        return stands(session, clinic_id, columns) is not None
    return next(_saying(session, clinic_id, columns, state), None) is not None


def _saying(session: Session, clinic_id: int, columns: Mapping[str, Any], state: str) -> Iterator[ReferenceRange]:
    """Figures are compared as such: 12 and 12.0 are the same bound."""
    line = ReferenceRange
    near = select(line).where(
        line.clinic_id == clinic_id, line.state == state, line.analyte == columns["analyte"],
        line.effective_from == columns["effective_from"],
    )  # fmt: skip
    rows = session.scalars(near).all()
    return (row for row in rows if all(getattr(row, name) == columns[name] for name in columns))


def take_over_ranges(session: Session, actor: Actor, giver: Clinic, clinic: Clinic) -> None:
    """A clinic that an operator's table names for the first time: the ranges published on the server hold there too."""
    lines = select(ReferenceRange).where(
        ReferenceRange.clinic_id == giver.id, ReferenceRange.state == "published",
        ReferenceRange.effective_from != STARTER_FROM,
    )  # fmt: skip
    for line in session.scalars(lines.order_by(ReferenceRange.id)).all():
        if line.low is None and line.high is None:
            _end_line(session, actor, clinic, line)
            continue
        reading = RangeReading(
            line.analyte, line.unit, line.effective_from, line.laboratory, line.sex, line.age_from, line.age_to,
            line.low, ">=" if line.low_inclusive else ">", line.high, "<=" if line.high_inclusive else "<", line.source,
        )  # fmt: skip
        publish_range(session, actor, clinic, reading, reason=f"taken over from {giver.name}")


def _end_line(session: Session, actor: Actor, clinic: Clinic, line: ReferenceRange) -> None:
    """The same line ends on the same day at another clinic."""
    row = ReferenceRange(
        clinic_id=clinic.id, analyte=line.analyte, laboratory=line.laboratory, sex=line.sex, age_from=line.age_from,
        age_to=line.age_to, unit=line.unit, effective_from=line.effective_from, reason=line.reason,
        drafted_at=actor.utc, published_at=actor.utc, drafted_by=actor.account_id, published_by=actor.account_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=clinic.id, reason=line.reason)


def range_row(clinic_id: int, reading: RangeReading) -> ReferenceRange:
    """The draft that a reading says, not stored. Raises Refused for a contradiction, or what is not known."""
    return ReferenceRange(clinic_id=clinic_id, state="draft", **_columns(reading))


def draft_range(
    session: Session, actor: Actor, clinic_id: int, reading: RangeReading, reason: str, set_id: int | None = None
) -> ReferenceRange:
    """A new version of a range, in force once a second person has published it. Raises Refused for what cannot be.
    `set_id` is the key of the first draft of the file that it comes with.
    """
    if len(reason.strip()) < 5:
        raise Refused("Say in a few words why the range changes.")
    row = range_row(clinic_id, reading)
    if reading.effective_from <= STARTER_FROM:
        raise Refused(f"{STARTER_FROM} is the day of the starter set: give the day from which yours judges.")
    impossible = understood(session, row, actor.today(zone_of(session, clinic_id))).sense.refusals
    if impossible:
        raise Refused(" ".join(impossible))
    row.reason, row.drafted_at, row.drafted_by, row.set_id = reason, actor.utc, actor.account_id, set_id
    audit.created(session, actor, row, clinic_id=clinic_id, reason=reason)
    return row


def withdraw_draft(session: Session, actor: Actor, row: ReferenceRange) -> None:
    """Take a draft back; it stays on record as withdrawn. Raises Stale where somebody settled it first."""
    session.refresh(row, with_for_update=True)
    if row.state != "draft":
        raise Stale(f"This draft was {row.state} meanwhile.")
    row.state = "withdrawn"
    session.flush()
    audit.note(
        session,
        actor,
        "withdraw",
        "reference_range",
        row.id,
        before={"state": "draft"},
        after={"state": "withdrawn"},
        clinic_id=row.clinic_id,
    )
