"""What stands beside a value that is typed or shown: the range in force, what was measured before, its sample."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.history import Person
from tracker.domain.ranges import Range, place
from tracker.domain.units import unit_of
from tracker.library.analytes import ANALYTES
from tracker.models import Account, Flag, ImportBatch, LabResult, Patient, ReferenceRange
from tracker.queries.yardsticks import Yardsticks, load_yardsticks, printed_range


class Wanted(NamedTuple):
    """A row of a panel: analyte code or a test's own name, the unit chosen ("" for none yet), the printed range."""

    subject: str
    unit: str = ""
    printed: Range | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What the panel shows beside one analyte. `limits` are in `unit`, or None with the reason in `why`."""

    subject: str
    name: str
    units: tuple[str, ...]
    words: tuple[str, ...]
    unit: str
    previous: LabResult | None
    limits: Range | None
    why: str
    verified: bool


class Judged(NamedTuple):
    """A stored result with the range that judges it, and where it lies: low, high, inside or None."""

    result: LabResult
    limits: Range | None
    why: str
    place: str | None
    verified: bool = True


def person_of(patient: Patient) -> Person:
    return Person(patient.id, patient.mrn, patient.sex, patient.birth_date, patient.stated_age, patient.stated_age_on)


# ---------------------------------------------------------------------------------------------- a panel


def lines(
    session: Session, patient: Patient, wanted: Sequence[Wanted], laboratory: str, on: date,
    before: datetime, leave_out: Collection[int] = (),
) -> list[Line]:  # fmt: skip
    """A line for each row wanted, in their order; what was measured before that instant, some results left out."""
    yardsticks = load_yardsticks(session, patient.clinic_id)
    earlier = previous(session, patient.id, [row.subject for row in wanted], before, leave_out)
    found = [_line(yardsticks, patient, row, laboratory, on, earlier.get(row.subject)) for row in wanted]
    unverified = _unverified(session, {line.limits.id for line in found if line.limits and line.limits.id})
    return [line if line.limits is None or line.limits.id not in unverified else _marked(line) for line in found]


def _line(
    yardsticks: Yardsticks, patient: Patient, row: Wanted, laboratory: str, on: date, earlier: LabResult | None
) -> Line:
    analyte = ANALYTES.get(row.subject)
    units = analyte.units if analyte else ()
    unit = row.unit or _usual_unit(units, earlier)
    code = analyte.code if analyte else ""
    limits: Range | None = None
    why = "judged in words, not by a range"
    if analyte is None or (unit and unit_of(analyte, unit)):
        age = person_of(patient).age_on(on)
        limits, why = yardsticks.range_for(code, laboratory, patient.sex, age, on, unit, row.printed)
    elif units:
        why = f"“{unit}” is not a unit it is recorded in" if unit else "a unit is needed"
    return Line(
        row.subject, analyte.name if analyte else row.subject, units, analyte.values if analyte else (), unit, earlier,
        limits, why, verified=True,
    )  # fmt: skip


def _usual_unit(units: tuple[str, ...], earlier: LabResult | None) -> str:
    """The unit this patient's last result came in, else the canonical one."""
    if earlier is not None and (earlier.unit in units or not units):
        return earlier.unit
    return units[0] if units else ""


def _unverified(session: Session, range_ids: set[int]) -> set[int]:
    if not range_ids:
        return set()
    statement = select(ReferenceRange.id).where(ReferenceRange.id.in_(range_ids), ReferenceRange.verified.is_(False))
    return set(session.scalars(statement))


def _marked(line: Line) -> Line:
    values = {name: getattr(line, name) for name in Line.__dataclass_fields__}
    return Line(**(values | {"verified": False}))


def previous(
    session: Session, patient_id: int, subjects: Sequence[str], before: datetime, leave_out: Collection[int] = ()
) -> dict[str, LabResult]:
    """The last result in force of each subject that was collected before that instant, in one statement."""
    r = LabResult
    mine = [r.patient_id == patient_id, r.subject.in_(sorted(set(subjects))), r.retired_at.is_(None)]
    if leave_out:
        mine.append(r.id.not_in(leave_out))
    last = (
        select(r.subject, func.max(r.collected_at).label("at"))
        .where(*mine, r.collected_at < before)
        .group_by(r.subject)
        .subquery()
    )
    rows = session.scalars(
        select(r).join(last, (last.c.subject == r.subject) & (last.c.at == r.collected_at)).where(*mine).order_by(r.id)
    )
    return {row.subject: row for row in rows}


# ---------------------------------------------------------------------------------------------- a sample


def sample(session: Session, patient_id: int, at: datetime, laboratory: str, accession: str) -> dict[str, LabResult]:
    """What is on file of one sample, by subject: the results a new one of the same identity would collide with. Several
    of one subject are told apart by their sub-ID, which the first of them has not in its name.
    """
    rows = session.scalars(
        select(LabResult)
        .where(
            LabResult.patient_id == patient_id,
            LabResult.collected_at == at,
            LabResult.laboratory == laboratory,
            LabResult.accession == accession,
            LabResult.retired_at.is_(None),
        )
        .order_by(LabResult.sub_id, LabResult.id)
    )
    found: dict[str, LabResult] = {}
    for row in rows:
        found[f"{row.subject} {row.sub_id}" if row.subject in found else row.subject] = row
    return found


def judged(session: Session, patient: Patient, results: Sequence[LabResult]) -> list[Judged]:
    """Results with the range that judges each now, as the evaluator chooses it."""
    yardsticks = load_yardsticks(session, patient.clinic_id)
    found = [_judged(yardsticks, patient, result) for result in results]
    unverified = _unverified(session, {each.limits.id for each in found if each.limits and each.limits.id})
    return [each._replace(verified=not (each.limits and each.limits.id in unverified)) for each in found]


def _judged(yardsticks: Yardsticks, patient: Patient, r: LabResult) -> Judged:
    if r.figure is None:
        return Judged(r, None, "judged in words, not by a range", None)
    age = person_of(patient).age_on(r.collected_on)
    printed = printed_range(r.ref_low, r.ref_high, r.unit)
    limits, why = yardsticks.range_for(r.analyte, r.laboratory, patient.sex, age, r.collected_on, r.unit, printed)
    return Judged(r, limits, why, place(r.comparator, r.figure, limits) if limits else None)


def touched(session: Session, patient_id: int, at: datetime) -> Mapping[str, list[Flag]]:
    """Flags of a patient that moved last at that instant: opened, changed, cleared. Folded ones are left out."""
    found: dict[str, list[Flag]] = {"opened": [], "changed": [], "cleared": []}
    statement = select(Flag).where(Flag.patient_id == patient_id, Flag.changed_at == at, Flag.folded_under.is_(None))
    for flag in session.scalars(statement.order_by(Flag.attention, Flag.opened_on, Flag.id)):
        if flag.machine == "open":
            found["opened" if flag.first_seen_at == at else "changed"].append(flag)
        elif flag.first_seen_at != at:  # an episode that was over when it was found is no news
            found["cleared"].append(flag)
    return found


# ---------------------------------------------------------------------------------------------- one result


def successor(session: Session, result_id: int) -> LabResult | None:
    """The result that replaced this one."""
    return session.scalars(select(LabResult).where(LabResult.replaces_id == result_id).order_by(LabResult.id)).first()


def in_force(session: Session, result: LabResult) -> LabResult:
    """The newest version of a result, which may itself be voided."""
    newest = result
    while (following := successor(session, newest.id)) is not None:
        newest = following
    return newest


class Yardstick(NamedTuple):
    """A range that could judge a result. `row` is the configured line it is from, None for the printed one."""

    limits: Range
    row: ReferenceRange | None


def yardsticks_of(session: Session, patient: Patient, r: LabResult) -> list[Yardstick]:
    """The printed and the configured range of a result, the printed one first: both are shown, one of them judges."""
    found = []
    printed = printed_range(r.ref_low, r.ref_high, r.unit)
    if printed is not None:
        found.append(Yardstick(printed, None))
    if r.analyte and r.figure is not None:
        age = person_of(patient).age_on(r.collected_on)
        ranges = load_yardsticks(session, patient.clinic_id).ranges
        configured, _ = ranges.find(r.analyte, r.laboratory, patient.sex, age, r.collected_on, r.unit)
        if configured is not None:
            found.append(Yardstick(configured, session.get(ReferenceRange, configured.id)))
    return found


class Origin(NamedTuple):
    """Where a result came from: the person who recorded it, and the file."""

    person: str
    batch: ImportBatch | None


def origins(session: Session, results: Sequence[LabResult]) -> dict[int, Origin]:
    """By result id, in two statements."""
    accounts = {r.recorded_by for r in results if r.recorded_by is not None}
    batches = {r.batch_id for r in results if r.batch_id is not None}
    people = {row.id: row.name for row in session.scalars(select(Account).where(Account.id.in_(accounts)))}
    files = {row.id: row for row in session.scalars(select(ImportBatch).where(ImportBatch.id.in_(batches)))}
    return {r.id: Origin(people.get(r.recorded_by or 0, ""), files.get(r.batch_id or 0)) for r in results}


def resting_on(session: Session, patient_id: int, result_ids: Sequence[int]) -> list[Flag]:
    """The patient's flags whose evidence names one of these results, worst first."""
    statement = select(Flag).where(Flag.patient_id == patient_id, Flag.superseded.is_(False))
    flags = session.scalars(statement.order_by(Flag.attention, Flag.opened_on.desc(), Flag.id))
    return [flag for flag in flags if any(item.get("result_id") in result_ids for item in flag.evidence)]


def laboratories(session: Session, patient: Patient) -> list[str]:
    """Laboratories to offer: those of the patient's results and those the clinic has ranges for."""
    r, c = LabResult, ReferenceRange
    used = session.scalars(select(r.laboratory).where(r.patient_id == patient.id, r.laboratory != "").distinct())
    ours = (c.clinic_id == patient.clinic_id, c.laboratory != "")
    configured = session.scalars(select(c.laboratory).where(*ours).distinct())
    return sorted({*used, *configured})
