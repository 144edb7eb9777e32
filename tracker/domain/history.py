"""Everything a rule may look at for one patient at one instant: facts and yardsticks, frozen.

Two clocks: `as_of` is the clinical day (what had been collected by its end); what had been recorded by some instant
is settled when the history is loaded. Rules read a History and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from tracker.domain.dates import Span, span, years_between
from tracker.domain.findings import Evidence
from tracker.domain.grading import NO_BASELINE, Baseline, Grade, Limits, Version, grade_both
from tracker.domain.grading_units import unit_key
from tracker.domain.infections import NO_WORDS, Vocabulary
from tracker.domain.opportunistic import ClinicList
from tracker.domain.overlay import VALUE, Published, shorter
from tracker.domain.phrases import Bound
from tracker.domain.protocol import Protocol
from tracker.domain.ranges import INSIDE, OPEN, Range, place
from tracker.domain.readings import fasting_words
from tracker.domain.targets import Target
from tracker.domain.values import Number, above, below, brief, plain
from tracker.domain.values import shown as readable

WASHOUT = timedelta(
    days=7
)  # composite_rules C5, author-proposed: a dose within 7 days before the sample is "on treatment"

AFTER_MEALS = frozenset({"CHOL", "LDL", "HDL", "NONHDL", "TG", "GLU"})  # a meal before the sample shows in these


class Person(NamedTuple):
    """Who. `stated_age` on `stated_age_on` stands in where a source gives an age and no birth date."""

    id: int
    mrn: str
    sex: str
    birth_date: date | None
    stated_age: int | None = None
    stated_age_on: date | None = None

    def age_on(self, day: date) -> int | None:
        """Completed years on `day`; about right (within a year) where only a stated age is known; None where neither
        is.
        """
        if self.birth_date is not None:
            return years_between(self.birth_date, day)
        if self.stated_age is None or self.stated_age_on is None:
            return None
        return (
            self.stated_age
            + (day.year - self.stated_age_on.year)
            - ((day.month, day.day) < (self.stated_age_on.month, self.stated_age_on.day))
        )


class Lab(NamedTuple):
    """One result as reported, with the range that judges it.

    `figure` and `limits` are in `unit` (as reported); `value` is the same figure in the analyte's canonical unit,
    None where the unit is not one of the analyte's. `text` holds a worded result (`positive`); then `figure` is None.
    `computed` marks a value worked out from others, never a measured one. `no_range` says why `limits` is None.
    `time_known`: a time of day was given; else `collected_at` is the clinic's midnight. `method` is how an LDL was had
    (`calculated`, `direct`), empty where that was not said. `fasting`: None where that was not said.
    """

    id: int | None
    analyte: str
    collected_at: datetime
    collected_on: date
    comparator: str
    figure: Decimal | None
    unit: str
    value: Decimal | None
    text: str
    limits: Range | None
    no_range: str
    laboratory: str
    accession: str
    status: str
    lab_flag: str
    computed: str = ""
    time_known: bool = True
    method: str = ""
    fasting: bool | None = None

    @property
    def shown(self) -> str:
        """The value as reported, comparator included; a computed one without its tail of digits."""
        if self.figure is None:
            return brief(self.text)
        return f"{self.comparator}{readable(self.figure) if self.computed else plain(self.figure)}"

    @property
    def place(self) -> str | None:
        """low, high or inside its range; None where there is no number, no range or no certainty."""
        if self.figure is None or self.limits is None:
            return None
        return place(self.comparator, self.figure, self.limits)

    @property
    def mark(self) -> str:
        """What a list of values writes beside it: its place, `open` where a bound such as `<5` leaves that undecided,
        nothing where no range judges it.
        """
        return self.place or ("" if self.figure is None or self.limits is None else OPEN)

    @property
    def baseline_flag(self) -> str:
        """The verdict on this sample by its own limits in the words grading uses; empty where there is none."""
        where = self.place
        return "" if where is None else "normal" if where == INSIDE else where

    @property
    def uln(self) -> Decimal | None:
        return None if self.limits is None else self.limits.high

    @property
    def lln(self) -> Decimal | None:
        return None if self.limits is None else self.limits.low

    def below(self, bound: Decimal, inclusive: bool = False) -> bool | None:
        """Is the canonical value below `bound` (in the canonical unit)? None where that is not known."""
        return None if self.value is None else below(self.comparator, self.value, bound, inclusive)

    def above(self, bound: Decimal, inclusive: bool = False) -> bool | None:
        """Is the canonical value above `bound` (in the canonical unit)? None where that is not known."""
        return None if self.value is None else above(self.comparator, self.value, bound, inclusive)

    def above_uln(self, times: Decimal, inclusive: bool = False) -> bool | None:
        """Is the value above `times` the upper limit of its own range? None where either is not known."""
        if self.figure is None or self.uln is None:
            return None
        return above(self.comparator, self.figure, times * self.uln, inclusive)

    def below_uln(self, times: Decimal, inclusive: bool = False) -> bool | None:
        """Is the value below `times` the upper limit of its own range? None where either is not known."""
        if self.figure is None or self.uln is None:
            return None
        return below(self.comparator, self.figure, times * self.uln, inclusive)

    @property
    def times_uln(self) -> Decimal | None:
        """Value over the upper limit of its own range, full precision; None where censored or without one."""
        if self.figure is None or self.comparator or not self.uln:
            return None
        return self.figure / self.uln

    def same_specimen(self, other: "Lab") -> bool:
        """Same accession at one laboratory or same time of collection: not a repeat.

        Of one day, what was computed and what was measured are one sample; so are two results of which one has no time
        of day, unless each has an accession of its own.
        """
        same_day = self.collected_on == other.collected_on
        if self.collected_at == other.collected_at or (same_day and bool(self.computed) != bool(other.computed)):
            return True
        if self.accession and other.accession:
            return (self.accession, self.laboratory) == (other.accession, other.laboratory)
        return same_day and not (self.time_known and other.time_known)

    @property
    def meal(self) -> str:
        """`fasting` or `not fasting`, where that was said and says something about the value; else empty."""
        return "" if self.fasting is None or self.analyte not in AFTER_MEALS else fasting_words(self.fasting)

    def comparable(self, other: "Lab") -> bool:
        """Whether a change from one to the other would be the patient's, and not the method's or the meal's (B5).

        A sample of which nothing was said may have been fasting: then whoever compares says so.
        """
        return self.method == other.method and (self.meal == other.meal or not (self.meal and other.meal))

    def evidence(self, note: str = "") -> Evidence:
        """This result as a finding keeps it."""
        limits = self.limits
        return Evidence(
            self.analyte, self.shown, self.unit, self.collected_on, self.id,
            limits.low_text if limits else "", limits.high_text if limits else "",
            limits.origin if limits else "", limits.id if limits else None,
            ", ".join(filter(None, (note or self.computed, self.meal))),
        )  # fmt: skip


class Dose(NamedTuple):
    """The dose in force from a day on. Unknown amounts are None."""

    on: date
    mg: Decimal | None
    times_per_day: int | None


class Hold(NamedTuple):
    """Days without drug: from `on` (first day without) to `until` (first day with drug again), None while it lasts."""

    on: date
    until: date | None
    reason: str = ""
    review_on: date | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One treatment with one drug. `protocol_id` is "" where no shipped protocol watches the drug."""

    id: int
    protocol_id: str
    drug: str
    indication: str
    started_on: date
    stopped_on: date | None
    doses: tuple[Dose, ...] = ()
    holds: tuple[Hold, ...] = ()

    def started(self, day: date) -> bool:
        return self.started_on <= day

    def over(self, day: date) -> bool:
        return self.stopped_on is not None and self.stopped_on <= day

    def hold_on(self, day: date) -> Hold | None:
        """The hold in force on `day`."""
        return next((h for h in self.holds if h.on <= day and (h.until is None or day < h.until)), None)

    def last_dose_before(self, day: date) -> date | None:
        """The last day on or before `day` on which the drug was taken; None before the first dose."""
        if day < self.started_on:
            return None
        if self.stopped_on is not None and day > self.stopped_on:
            day = self.stopped_on
        while (hold := self.hold_on(day)) is not None:
            day = hold.on - timedelta(days=1)
        return day if day >= self.started_on else None

    def on_treatment(self, day: date) -> bool:
        """A dose was taken within the seven days before (composite_rules C5)."""
        last = self.last_dose_before(day)
        return last is not None and day - last <= WASHOUT

    def dose_on(self, day: date) -> Dose | None:
        """The dose in force on `day`, None where none is recorded."""
        known = [dose for dose in self.doses if dose.on <= day]
        return known[-1] if known else None


class Event(NamedTuple):
    """An adverse event; an infection is one kind. Unknown is None, never "no"."""

    id: int
    kind: str
    term: str
    onset_on: date | None
    resolved_on: date | None
    controlled_on: date | None
    site: str
    organism: str
    grade: int | None
    serious: bool | None
    criteria: str
    hospitalised: bool | None
    opportunistic: bool | None
    treated: bool | None
    outcome: str


class Medication(NamedTuple):
    """Another drug with its interaction classes."""

    id: int
    name: str
    interactions: tuple[str, ...]
    started_on: date | None
    stopped_on: date | None

    def taken_on(self, day: date) -> bool:
        return (self.started_on is None or self.started_on <= day) and (
            self.stopped_on is None or day < self.stopped_on
        )


class Observation(NamedTuple):
    """Something seen at the bedside: weight, Child-Pugh class, SALT, a vaccination. `figure` where it is a number.

    `undated`: a weight that came with the patient's particulars; `on` is then the day it was recorded.
    """

    id: int
    on: date
    kind: str
    value: str
    figure: Decimal | None
    undated: bool = False


class Waiver(NamedTuple):
    """Checks of one subject put off by a person, with a reason, from `on` to `until`, both inclusive."""

    subject: str
    on: date
    until: date
    reason: str = ""


class Criterion(NamedTuple):
    """What a version of a clinic's own rule looks for: see domain/criteria.py. Figures in the canonical unit."""

    shape: str
    analyte: str
    title: str
    text: str
    severity: str
    suggested: str | None
    op: str
    value: Bound | None
    other: str
    other_op: str
    other_value: Bound | None
    since: str
    direction: str
    by: Decimal | None
    percent: bool
    results: int
    unit: str
    other_unit: str
    name: str
    source: str

    @property
    def counts_uln(self) -> tuple[str, ...]:
        """The analytes whose upper limit of normal the criterion counts in."""
        pairs = ((self.analyte, self.value), (self.other, self.other_value))
        return tuple(code for code, bound in pairs if bound is not None and bound.times_uln)


class OwnRule(NamedTuple):
    """A clinic's own rule through its versions, oldest first; None: not in force. `trouble`: why the version in force
    cannot be judged by this program.
    """

    key: str
    analyte: str
    versions: tuple[tuple[date, Criterion | None], ...]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """One patient at the end of `as_of`. `labs` by analyte code (or the laboratory's own name where unmapped), oldest
    first. `changes_on`: the days to come on which a published change of the clinic's comes into force; `rule_versions`:
    what the clinic set about a rule, by its code; `window`: its version of how soon a repeat is asked for; `targets`:
    the patient's own, by analyte; `lists`: the clinic's versions of the list of opportunistic infections, oldest first.
    """

    person: Person
    as_of: date
    grading: Version
    protocols: Mapping[str, Protocol]
    analyte_names: Mapping[str, str]
    concern: Mapping[str, str]
    labs: Mapping[str, tuple[Lab, ...]] = field(default_factory=dict)
    courses: tuple[Course, ...] = ()
    events: tuple[Event, ...] = ()
    medications: tuple[Medication, ...] = ()
    observations: tuple[Observation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    vocabulary: Vocabulary = NO_WORDS
    changes_on: tuple[date, ...] = ()
    clinic: str = ""
    rule_versions: Mapping[str, Sequence[Published]] = field(default_factory=dict)
    own_rules: tuple[OwnRule, ...] = ()
    window: Published | None = None
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    lists: tuple[ClinicList, ...] = ()
    worked_out: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was worked out once and is asked for by several rules; the history does not change, so neither does it."""

    def name(self, analyte: str) -> str:
        """The analyte's name as clinicians read it; its own text where it is not mapped."""
        return self.analyte_names.get(analyte, analyte)

    def repeat_within(self, usual: Span) -> tuple[Span, str]:
        """How soon a repeat is asked for that no protocol sets, and the clinic's version where that is sooner."""
        within = None if self.window is None or not self.window.body else span(self.window.body[VALUE])
        if self.window is None or within is None or not shorter(within, usual):
            return usual, ""
        return within, f"{self.clinic} v{self.window.number}"

    def protocol(self, course: Course) -> Protocol | None:
        return self.protocols.get(course.protocol_id)

    def treatments(self) -> tuple[tuple[Course, Protocol], ...]:
        """Every course that a protocol watches, with it, oldest first."""
        pairs = ((course, self.protocols.get(course.protocol_id)) for course in self.courses)
        return tuple((course, protocol) for course, protocol in pairs if protocol is not None)

    def baseline(self, course: Course, analyte: str, of: Lab | None = None) -> Lab | None:
        """The last numeric result on or before the first dose, at most the baseline window old; not reset by holds.

        composite_rules B1. A censored value is no baseline: a fall from `<5` has no size. `of`: one that this result is
        comparable with, and of these rather one known to be fasting, or not, as it was.
        """
        found = None
        for lab in self._before_first_dose(course, analyte):
            if of is None or (lab.comparable(of) and lab.meal == of.meal):
                return lab
            if found is None and lab.comparable(of):
                found = lab
        return found

    def _before_first_dose(self, course: Course, analyte: str) -> Iterator[Lab]:
        """The results that may be a baseline, the last first."""
        protocol = self.protocol(course)
        window = protocol.baseline_window_days if protocol else 30
        earliest = course.started_on - timedelta(days=window)
        for lab in reversed(self.labs.get(analyte, ())):
            in_window = earliest <= lab.collected_on <= course.started_on
            if in_window and lab.value is not None and not lab.comparator:
                yield lab

    def course_at(self, day: date) -> Course | None:
        """The latest course begun on or before `day`."""
        begun = [course for course in self.courses if course.started_on <= day]
        return begun[-1] if begun else None

    def taking(self, interaction: str, day: date) -> tuple[Medication, ...]:
        """The other drugs of one interaction class taken on `day`."""
        return tuple(m for m in self.medications if interaction in m.interactions and m.taken_on(day))

    def latest_observation(self, kind: str) -> Observation | None:
        return next((o for o in reversed(self.observations) if o.kind == kind), None)

    def grades(self, lab: Lab) -> tuple[Grade, Grade]:
        """(low, high) grade of one result in its reported unit, by the baseline of the course it falls in."""
        if lab.figure is None:
            return NO_NUMBER, NO_NUMBER
        course = self.course_at(lab.collected_on)
        limits = self.grading_limits(lab, self.baseline(course, lab.analyte) if course else None)
        return grade_both(self.grading, lab.analyte, Number(lab.comparator, lab.figure), lab.unit, limits)

    def grading_limits(self, lab: Lab, start: Lab | None) -> Limits:
        """What a result is graded against where `start` is the baseline, in the unit of the result."""
        anticoagulated = lab.analyte == "INR" and bool(self.taking("anticoagulant", lab.collected_on))
        return Limits(lab.lln, lab.uln, _baseline_for(lab, start), anticoagulated)


NO_NUMBER = Grade(None, "the result is not a number", "")


def _baseline_for(lab: Lab, start: Lab | None) -> Baseline:
    """The baseline in the unit of the result: an earlier result may be converted, a published cut never."""
    if start is None or start.figure is None:
        return NO_BASELINE
    if unit_key(start.unit) == unit_key(lab.unit):
        return Baseline(start.figure, start.baseline_flag)
    if start.value is None or not lab.value or not lab.figure:
        return NO_BASELINE
    return Baseline(start.value * lab.figure / lab.value, start.baseline_flag)
