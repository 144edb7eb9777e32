"""A patient's own targets: set, changed and ended by versions; the page that calls judges again in its transaction."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker import rules
from tracker.domain.errors import Refused, Stale
from tracker.domain.findings import Finding
from tracker.domain.range_sense import Sense, sense
from tracker.domain.ranges import Range, check_bounds
from tracker.domain.targets import SEVERITIES, TARGET, Target, in_order
from tracker.domain.units import to_canonical
from tracker.library.analytes import ANALYTES
from tracker.models import Patient, PatientTarget
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.queries.history import Loader

SHORTEST_REASON = 5


class Wanted(NamedTuple):
    """A target as it is written: bounds in `unit` with their operators, None an open side; no bound: none any more."""

    analyte: str
    low: Decimal | None
    low_inclusive: bool
    high: Decimal | None
    high_inclusive: bool
    unit: str
    severity: str
    effective_from: date
    reason: str

    @property
    def bounds(self) -> Range:
        return Range(self.low, self.low_inclusive, self.high, self.high_inclusive, self.unit, TARGET)

    @property
    def canonical(self) -> Range:
        """The same in the canonical unit of the analyte."""
        known = ANALYTES[self.analyte]
        low, high = (
            None if bound is None else to_canonical(known, bound, self.unit) for bound in (self.low, self.high)
        )
        return self.bounds._replace(low=low, high=high, unit=known.unit)


def set_target(session: Session, actor: Actor, patient: Patient, wanted: Wanted, follows: int) -> PatientTarget:
    """A new version. `follows` is the number of the version on the page, 0 for none.

    Raises Refused for what cannot be a target, Stale where another version came first.
    """
    latest = _latest(session, patient, wanted.analyte, lock=True)
    if follows != (latest.number if latest else 0):
        raise Stale("Somebody else changed this target meanwhile. Look at it again.")
    if len(wanted.reason.strip()) < SHORTEST_REASON:
        raise Refused("Say in a few words why.")
    _check(wanted, actor.today(zone_of(session, patient.clinic_id)), latest)
    row = PatientTarget(
        patient_id=patient.id, number=follows + 1, recorded_at=actor.utc, recorded_by=actor.account_id,
        **wanted._asdict(),
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=patient.clinic_id, patient_id=patient.id, reason=wanted.reason)
    return row


def end_target(session: Session, actor: Actor, patient: Patient, latest: PatientTarget, reason: str) -> PatientTarget:
    """No target from today on. Raises as setting does, and Refused where there is none."""
    if latest.low is None and latest.high is None:
        raise Refused("There is no target to end.")
    today = actor.today(zone_of(session, patient.clinic_id))
    none = Wanted(latest.analyte, None, True, None, True, latest.unit, latest.severity, today, reason)
    return set_target(session, actor, patient, none, latest.number)


class Tried(NamedTuple):
    """What a target that is being written would do: the version it would follow, what it would flag of what is on file,
    and what is unusual about its bounds.
    """

    latest: PatientTarget | None
    flags: tuple[Finding, ...]
    sense: Sense


def try_target(session: Session, actor: Actor, patient: Patient, wanted: Wanted) -> Tried:
    """Judge the patient as if the target were set. Reads alone; raises Refused as setting would, but for the reason."""
    today = actor.today(zone_of(session, patient.clinic_id))
    latest = _latest(session, patient, wanted.analyte)
    found = _check(wanted, today, latest)
    number = latest.number + 1 if latest else 1
    version = Target(number, wanted.effective_from, wanted.canonical, wanted.severity, wanted.reason)
    (history,) = Loader(session, patient.clinic_id, today).histories([patient.id])
    versions = in_order([*history.targets.get(wanted.analyte, ()), version])
    judged = rules.run(replace(history, targets={**history.targets, wanted.analyte: versions}))
    name = f"{TARGET} v{number}"
    mine = (one for one in judged if one.rule == TARGET and one.subject == wanted.analyte and one.yardstick == name)
    return Tried(latest, tuple(mine), found)


def _latest(session: Session, patient: Patient, analyte: str, *, lock: bool = False) -> PatientTarget | None:
    t = PatientTarget
    held = select(t).where(t.patient_id == patient.id, t.analyte == analyte).order_by(t.number.desc()).limit(1)
    return session.scalars(held.with_for_update() if lock else held).first()


def _check(wanted: Wanted, today: date, latest: PatientTarget | None) -> Sense:
    """Raise Refused for what cannot be a target; what is unusual about it. One that ends is of the same analyte."""
    known = ANALYTES.get(wanted.analyte)
    if known is None or not known.units:
        raise Refused("That is no analyte with figures.")
    if wanted.severity not in SEVERITIES:
        raise Refused(f"Choose a severity: {', '.join(SEVERITIES)}.")
    if wanted.effective_from > today:
        raise Refused("A target begins today or on a day before, so that what it flags is seen now.")
    if latest is not None and wanted.effective_from < latest.effective_from:
        raise Refused(f"The target before it begins on {latest.effective_from}: date this one that day or later.")
    if latest is not None and wanted.low is None and wanted.high is None:
        return Sense()
    check_bounds(wanted.low, wanted.high)
    for bound in (wanted.low, wanted.high):
        if bound is not None and to_canonical(known, bound, wanted.unit) is None:
            raise Refused(f"{known.name} is not recorded in “{wanted.unit}”: one of {', '.join(known.units)}.")
    found = sense(known, wanted.bounds, None)
    if found.refusals:
        raise Refused(" ".join(found.refusals))
    return found
