"""What decides on a dose (kidneys, liver, other drugs): which line applies on a day, and what is not known."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.findings import Evidence
from tracker.domain.history import Course, Dose, History, Lab, Medication, Observation
from tracker.domain.protocol import DoseAdjust, Protocol
from tracker.domain.values import shown

RENAL, HEPATIC, INTERACTING = "renal", "hepatic", ("cyp", "transporter", "interaction")
CHILD_PUGH = "child_pugh"


class Fact(NamedTuple):
    """Why a line applies: in words, and the facts themselves."""

    says: str
    evidence: tuple[Evidence, ...]


def daily_mg(dose: Dose | None) -> Decimal | None:
    """Milligrams a day; None where the amount or the number of times is not recorded."""
    if dose is None or dose.mg is None or dose.times_per_day is None:
        return None
    return dose.mg * dose.times_per_day


def dose_on(course: Course, day: date) -> Dose | None:
    """The dose in force on `day`; before the start, the one it is planned to begin with."""
    return course.dose_on(max(day, course.started_on))


def increases(course: Course, until: date) -> Iterator[date]:
    """The days after the first dose, up to `until`, on which the daily dose was raised. An unknown dose is no rise."""
    for day in sorted({dose.on for dose in course.doses if course.started_on < dose.on <= until}):
        before, now = course.dose_on(day - timedelta(days=1)), course.dose_on(day)
        daily = daily_mg(before), daily_mg(now)
        if before is not None and now is not None and None in daily and before.times_per_day == now.times_per_day:
            daily = before.mg, now.mg
        if daily[0] is not None and daily[1] is not None and daily[1] > daily[0]:
            yield day


def subject(line: DoseAdjust) -> str:
    """RENAL, HEPATIC, or the interaction class (several joined by a plus)."""
    if line.kind in INTERACTING:
        return "+".join(line.interactions_all) or next(iter(line.interactions_any), line.kind)
    return line.kind.upper()


def applies(history: History, line: DoseAdjust, day: date) -> Fact | None:
    """Whether the line's condition is met by what was known on `day`; None where it is not, or cannot be decided."""
    if line.kind == RENAL:
        return _renal(history, line, day)
    if line.kind == HEPATIC:
        return _hepatic(history, line, day)
    return _interacting(history, line, day)


def change_days(history: History, line: DoseAdjust) -> Iterator[date]:
    """The days on which the answer of `applies` may change."""
    if line.kind == RENAL:
        yield from (lab.collected_on for lab in history.labs.get(line.measure, ()))
    elif line.kind == HEPATIC:
        yield from (seen.on for seen in history.observations if seen.kind == CHILD_PUGH)
    else:
        for drug in history.medications:
            yield from (day for day in (drug.started_on, drug.stopped_on) if day is not None)


def kidney_value(history: History, measure: str, day: date) -> Lab | None:
    """The latest clearance or filtration rate known on `day`."""
    labs = history.labs.get(measure, ())
    known = bisect_right(labs, day, key=lambda lab: lab.collected_on)
    return next((lab for lab in reversed(labs[:known]) if lab.value is not None), None)


def _renal(history: History, line: DoseAdjust, day: date) -> Fact | None:
    lab = kidney_value(history, line.measure, day)
    if lab is None or lab.value is None:
        return None
    if line.high is not None and not lab.below(line.high, line.high_inclusive):
        return None
    if line.low is not None and not lab.above(line.low, line.low_inclusive):
        return None
    worked_out = f" ({lab.computed})" if lab.computed else ""
    value = f"{lab.comparator}{shown(lab.value, 3)}"
    return Fact(f"{history.name(lab.analyte)} {value} {lab.unit}{worked_out}", (lab.evidence(),))


def _hepatic(history: History, line: DoseAdjust, day: date) -> Fact | None:
    seen = _latest(history, CHILD_PUGH, day)
    if seen is None or _child_pugh_class(seen) != line.child_pugh:
        return None
    return Fact(f"Child-Pugh {line.child_pugh} on {seen.on}", (Evidence(CHILD_PUGH, seen.value, "", seen.on),))


def _latest(history: History, kind: str, day: date) -> Observation | None:
    return next((seen for seen in reversed(history.observations) if seen.kind == kind and seen.on <= day), None)


def _child_pugh_class(seen: Observation) -> str:
    """A, B or C, also where the points were given (5-6, 7-9, 10-15)."""
    if seen.figure is not None:
        return "A" if seen.figure < 7 else "B" if seen.figure < 10 else "C"
    return seen.value.strip().upper().removeprefix("CHILD-PUGH").strip()[:1]


def _interacting(history: History, line: DoseAdjust, day: date) -> Fact | None:
    if not all(history.taking(each, day) for each in line.interactions_all):
        return None
    if line.interactions_any and not any(history.taking(each, day) for each in line.interactions_any):
        return None
    classes = (*line.interactions_all, *line.interactions_any)
    drugs = [drug for drug in history.medications if drug.taken_on(day) and set(classes) & set(drug.interactions)]
    if not drugs:
        return None  # a line without a condition says nothing
    names = ", ".join(drug.name for drug in drugs)
    return Fact(f"{names} ({line.condition})", tuple(_medication(drug, day) for drug in drugs))


def _medication(drug: Medication, day: date) -> Evidence:
    return Evidence("medication", drug.name, "", drug.started_on or day, note=", ".join(drug.interactions))


def _kidneys_matter(history: History) -> bool:
    """Whether a band for the kidneys could be reached: not under 65 with a filtration rate of 90 or more."""
    age = history.person.age_on(history.as_of)
    rate = kidney_value(history, "EGFR", history.as_of)
    return age is None or age >= 65 or rate is None or rate.below(Decimal(90)) is not False


class Unjudged(NamedTuple):
    """A dose that could not be judged: the line's subject, a key for the reason, the reason in words, what is known."""

    subject: str
    entry: str
    says: str
    evidence: tuple[Evidence, ...]


def unjudged(history: History, course: Course, protocol: Protocol) -> Iterator[Unjudged]:
    """What keeps the dose of a running or planned course from being judged as of today.

    `weight`: the label goes by creatinine clearance; creatinine is known, and weight (or sex, or age) is not. `dose`: a
    line that caps the dose applies and the dose is not recorded.
    """
    measures = {line.measure for line in protocol.dose_adjust if line.kind == RENAL}
    creatinine = history.labs.get("CREAT", ())[-1:]
    for measure in sorted(measures) if creatinine and _kidneys_matter(history) else ():
        if kidney_value(history, measure, history.as_of) is None:
            wanting = "a weight" if measure == "CRCL" else "sex or age"
            says = f"{history.name(measure)} decides on the dose of {protocol.name} and wants {wanting}"
            yield Unjudged(RENAL.upper(), "weight", says, (creatinine[0].evidence(),))
    if daily_mg(dose_on(course, history.as_of)) is None:
        for line in protocol.dose_adjust:
            fact = applies(history, line, history.as_of)
            if fact is not None and line.max_daily_mg is not None and not line.no_change:
                says = f"{fact.says}: {line.dose}; the dose is not recorded"
                yield Unjudged(subject(line), "dose", says, fact.evidence)
