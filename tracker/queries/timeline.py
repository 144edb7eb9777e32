"""One patient on one time axis: results with the range in force at each point, doses and holds, infections, flags."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.domain.history import History, Lab
from tracker.domain.protocol import FALL_FROM_BASELINE
from tracker.domain.units import limit_to_canonical, to_canonical
from tracker.library.analytes import ANALYTES
from tracker.models import Flag, Patient
from tracker.queries.history import Loader
from tracker.queries.patients import flags


@dataclass(frozen=True, slots=True)
class Point:
    """One result on the axis, in the canonical unit of its analyte (its own, where unmapped), with its band."""

    on: date
    value: Decimal
    shown: str
    unit: str
    comparator: str
    low: Decimal | None
    high: Decimal | None
    range_from: str
    mark: str
    result_id: int | None
    computed: str
    low_text: str = ""
    high_text: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """The results of one subject with its lines: the patient's own baseline, and the drug's action limits."""

    subject: str
    name: str
    unit: str
    points: tuple[Point, ...]
    baseline: Decimal | None
    limits: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasts: a dose, a hold, an infection. `until` is None while it goes on."""

    lane: str
    label: str
    on: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A flag on the axis with what people made of it."""

    on: date
    subject: str
    severity: str
    sentence: str
    review: str


@dataclass(frozen=True, slots=True)
class Word:
    """A result in words (`positive`): it has no place on an axis, and stands in the table."""

    on: date
    subject: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the chart and the table are drawn from."""

    as_of: date
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    salt: tuple[tuple[date, Decimal], ...]
    words: tuple[Word, ...] = ()


def timeline(session: Session, patient: Patient, as_of: date) -> Timeline:
    """One patient's timeline at the end of `as_of`."""
    history = next(iter(Loader(session, patient.clinic_id, as_of).histories([patient.id])))
    order = {code: place for place, code in enumerate(ANALYTES)}
    subjects = sorted(history.labs, key=lambda subject: (order.get(subject, len(order)), subject))
    series = [_series(history, subject) for subject in subjects]
    return Timeline(
        as_of, tuple(s for s in series if s.points), tuple(_bars(history)),
        tuple(_mark(flag) for flag in flags(session, patient.id, everything=True) if flag.folded_under is None),
        tuple((o.on, o.figure) for o in history.observations if o.kind == "salt" and o.figure is not None),
        tuple(
            Word(lab.collected_on, subject, history.name(subject), lab.shown)
            for subject in subjects for lab in history.labs[subject] if lab.text
        ),
    )  # fmt: skip


def _series(history: History, subject: str) -> Series:
    analyte = ANALYTES.get(subject)
    points = tuple(point for lab in history.labs[subject] if (point := _point(lab)) is not None)
    unit = analyte.unit if analyte else points[-1].unit if points else ""
    course = history.courses[-1] if history.courses else None
    start = history.baseline(course, subject) if course else None
    return Series(
        subject, history.name(subject), unit, points, start.value if start else None, _limits(history, subject)
    )


def _point(lab: Lab) -> Point | None:
    analyte = ANALYTES.get(lab.analyte)
    value = lab.value if analyte else lab.figure
    if value is None:
        return None

    def bound(figure: Decimal | None) -> Decimal | None:
        return figure if analyte is None or figure is None else to_canonical(analyte, figure, lab.unit)

    return Point(
        lab.collected_on, value, lab.shown, lab.unit, lab.comparator, bound(lab.lln), bound(lab.uln),
        lab.limits.origin if lab.limits else "", lab.mark, lab.id, lab.computed,
        lab.limits.low_text if lab.limits else "", lab.limits.high_text if lab.limits else "",
    )  # fmt: skip


def _limits(history: History, subject: str) -> tuple[tuple[str, Decimal], ...]:
    pairs = history.treatments()
    if not pairs or subject not in ANALYTES:
        return ()
    found = []
    for limit in pairs[-1][1].on_treatment:
        if limit.analyte == subject and limit.high is not None and limit.measure != FALL_FROM_BASELINE:
            value = limit_to_canonical(ANALYTES[subject], limit.high, limit.unit)
            if value is not None:
                found.append((f"{limit.action} {limit.words}", value))
    return tuple(found)


def _bars(history: History) -> list[Bar]:
    bars = []
    for course in history.courses:
        doses = course.doses
        if not doses:
            bars.append(Bar("dose", course.drug, course.started_on, course.stopped_on))
        for dose, following in zip(doses, (*doses[1:], None), strict=False):  # none without a dose
            label = f"{dose.mg} mg x {dose.times_per_day}" if dose.mg is not None else course.drug
            bars.append(Bar("dose", label, dose.on, following.on if following else course.stopped_on))
        bars += [
            Bar("hold", hold.reason or "on hold", hold.on, hold.until or course.stopped_on) for hold in course.holds
        ]
    bars += [
        Bar("infection" if event.kind == "infection" else "event", event.term, event.onset_on, event.resolved_on)
        for event in history.events
        if event.onset_on is not None
    ]
    return bars


def _mark(flag: Flag) -> Mark:
    return Mark(flag.opened_on, flag.subject, flag.severity, flag.sentence, flag.review)
