"""Histories, loaded in batches: one statement a table however many patients there are.

Two clocks: what had been collected by the end of `as_of`, and what had been recorded by `known_at` (everything, if
not said).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy.orm import Session

from tracker.domain.computed import with_computed
from tracker.domain.history import Course, Dose, Event, History, Hold, Lab, Medication, Observation, Person
from tracker.domain.ranges import Range
from tracker.domain.targets import TARGET, Target, in_order
from tracker.domain.units import to_canonical
from tracker.library.analytes import ANALYTES, method
from tracker.library.ctcae import ctcae
from tracker.library.infections import vocabulary
from tracker.queries import history_rows
from tracker.queries.history_rows import Statement
from tracker.queries.waivers import waivers
from tracker.queries.yardsticks import Yardsticks, load_yardsticks, printed_range

BATCH = 500
_NAMES = {code: analyte.name.removesuffix(" absolute") for code, analyte in ANALYTES.items()}  # as they are spoken of
_CONCERN = {code: analyte.direction_of_concern for code, analyte in ANALYTES.items()}

Grouped = dict[int, list[Any]]


class Loader:
    """Histories of one clinic's patients as of one day."""

    def __init__(
        self, session: Session, clinic_id: int, as_of: date, known_at: datetime | None = None,
        unsaved: Sequence[Mapping[str, Any]] = (), yardsticks: Yardsticks | None = None,
    ) -> None:  # fmt: skip
        """`unsaved` are columns of results that are judged as if they were stored: what is being typed. `yardsticks`
        are those of the clinic, read already or tried out; else they are read.
        """
        self.session = session
        self.unsaved = unsaved
        self.as_of = as_of
        self.known_at = known_at
        self.yardsticks = yardsticks or load_yardsticks(session, clinic_id)
        self.protocols = self.yardsticks.protocols_on(as_of)
        self.own_rules = self.yardsticks.own_rules(as_of)
        self.rule_versions = self.yardsticks.rule_versions()
        self.window = self.yardsticks.repeat_window(as_of)
        self.lists = self.yardsticks.infection_lists()
        self.changes_on = self.yardsticks.changes_after(as_of)
        self.range_changes: dict[int, int | None] = {}

    def histories(self, patient_ids: Sequence[int]) -> Iterator[History]:
        """One history a patient, in the order of the ids; ids that do not exist are left out."""
        for start in range(0, len(patient_ids), BATCH):
            yield from self._batch(list(patient_ids[start : start + BATCH]))

    def _batch(self, ids: list[int]) -> Iterator[History]:
        past = self.known_at is not None
        people = {row[0]: Person(*row) for row in self._rows(history_rows.people(), ids)}
        labs = self._grouped(history_rows.labs(past), ids)
        courses = self._courses(ids)
        events = self._grouped(history_rows.events(past), ids)
        drugs = self._grouped(history_rows.medications(past), ids)
        seen = self._grouped(history_rows.observations(past), ids)
        waived = waivers(self.session, ids, self.as_of, self.known_at)
        wanted = self._targets(ids)
        for id in ids:
            if id not in people:
                continue
            person = people[id]
            observations = tuple(Observation(*row[1:]) for row in seen.get(id, ()))
            yield History(
                person=person,
                as_of=self.as_of,
                grading=ctcae("5"),
                protocols=self.protocols,
                analyte_names=_NAMES,
                concern=_CONCERN,
                labs=with_computed(self._labs(person, labs.get(id, ())), person, observations, self._range_of(person)),
                courses=courses.get(id, ()),
                events=tuple(self._event(row) for row in events.get(id, ())),
                medications=tuple(
                    Medication(row[1], row[2], tuple(w for w in row[3].split(";") if w), row[4], self._past(row[5]))
                    for row in drugs.get(id, ())
                ),
                observations=observations,
                waivers=waived.get(id, ()),
                vocabulary=vocabulary(),
                changes_on=self.changes_on,
                clinic=self.yardsticks.clinic_name,
                rule_versions=self.rule_versions,
                own_rules=self.own_rules,
                window=self.window,
                targets=wanted.get(id, {}),
                lists=self.lists,
            )

    # ------------------------------------------------------------------------------------------ results

    def _labs(self, person: Person, rows: Iterable[Any]) -> dict[str, tuple[Lab, ...]]:
        found: dict[str, list[Lab]] = {}
        ages: dict[date, int | None] = {}
        for row in rows:
            found.setdefault(row[2], []).append(self._lab(person, row, ages))
        for new in self.unsaved:
            if new["patient_id"] == person.id:
                held = found.setdefault(new["subject"], [])
                held.append(self._lab(person, [new.get(name) for name in history_rows.LAB_COLUMNS], ages))
                held.sort(key=lambda lab: lab.collected_at)
        return {subject: tuple(held) for subject, held in found.items()}

    def _lab(self, person: Person, row: Any, ages: dict[date, int | None]) -> Lab:
        """One result with the range that judges it. `ages` remembers the patient's age on a day: a panel shares one."""
        (
            _,
            id,
            subject,
            analyte,
            at,
            on,
            comparator,
            figure,
            unit,
            value,
            text,
            low,
            high,
            range_id,
            laboratory,
            accession,
            status,
            lab_flag,
            time_known,
            local_code,
            fasting,
        ) = row
        limits: Range | None = None
        why = ""
        if figure is not None:
            age = ages[on] if on in ages else ages.setdefault(on, person.age_on(on))
            printed = None if low is None and high is None else printed_range(low, high, unit)
            limits, why = self.yardsticks.range_for(analyte, laboratory, person.sex, age, on, unit, printed)
            judged_by = limits[6] if limits else None
            if judged_by != range_id and id is not None:
                self.range_changes[id] = judged_by
        return Lab(
            id,
            subject,
            at,
            on,
            comparator,
            figure,
            unit,
            value,
            text,
            limits,
            why,
            laboratory,
            accession,
            status,
            lab_flag,
            "",
            time_known,
            method(analyte, local_code) if local_code else "",
            fasting,
        )

    def _range_of(self, person: Person) -> Callable[[str, date], tuple[Range | None, str]]:
        """The range for a computed value, which no laboratory printed one with."""

        def find(analyte: str, on: date) -> tuple[Range | None, str]:
            unit = ANALYTES[analyte].unit
            return self.yardsticks.ranges.find(analyte, "", person.sex, person.age_on(on), on, unit)

        return find

    # ------------------------------------------------------------------------------------------ the rest

    def _past(self, day: date | None) -> date | None:
        """A day that has not come by `as_of` is not known yet."""
        return None if day is None or day > self.as_of else day

    def _event(self, row: Any) -> Event:
        values = list(row[1:])
        values[4], values[5] = self._past(values[4]), self._past(values[5])
        return Event(*values)

    def _targets(self, ids: list[int]) -> dict[int, dict[str, tuple[Target, ...]]]:
        found: dict[int, dict[str, list[Target]]] = {}
        rows = self._rows(history_rows.targets(self.known_at is not None), ids)
        for patient_id, analyte, *columns in rows:
            found.setdefault(patient_id, {}).setdefault(analyte, []).append(_target(analyte, *columns))
        return {id: {code: in_order(held) for code, held in wanted.items()} for id, wanted in found.items()}

    def _courses(self, ids: list[int]) -> dict[int, tuple[Course, ...]]:
        past = self.known_at is not None
        changes = self._grouped(history_rows.course_events(past), ids)
        found: dict[int, list[Course]] = {}
        for row in self._rows(history_rows.courses(past), ids):
            patient_id, id, protocol_id, drug, indication, started_on, stopped_on = row
            rows = changes.get(id, [])
            found.setdefault(patient_id, []).append(
                Course(
                    id, protocol_id, drug, indication, started_on, self._past(stopped_on),
                    tuple(Dose(on, mg, times) for _, on, kind, mg, times, _, _ in rows if kind == "dose"),
                    _holds(rows),
                )
            )  # fmt: skip
        return {patient: tuple(held) for patient, held in found.items()}

    def _rows(self, statement: Statement, ids: list[int]) -> Sequence[Any]:
        values = {"ids": ids, "as_of": self.as_of, "known_at": self.known_at}
        return self.session.connection().execute(statement, values).all()

    def _grouped(self, statement: Statement, ids: list[int]) -> Grouped:
        rows = self._rows(statement, ids)
        return {key: list(held) for key, held in groupby(rows, key=itemgetter(0))}


def _holds(rows: Iterable[Any]) -> tuple[Hold, ...]:
    """Holds from the course's events: a hold lasts until the next resume, or the next dose of a later day.

    One that was resumed on the day it began held no day, and is none.
    """
    holds: list[Hold] = []
    for _, on, kind, _, _, reason, review_on in rows:
        lasting = bool(holds) and holds[-1].until is None
        if kind == "hold" and not lasting:
            holds.append(Hold(on, None, reason, review_on))
        elif lasting and (kind == "resume" or (kind == "dose" and on > holds[-1].on)):
            last = holds.pop()
            if on > last.on:
                holds.append(last._replace(until=on))
    return tuple(holds)


def _target(  # noqa: PLR0913 - the columns of a row
    analyte: str, number: int, since: date, severity: str, reason: str, unit: str, low: Decimal | None,
    low_inclusive: bool, high: Decimal | None, high_inclusive: bool,
) -> Target:  # fmt: skip
    """A version with its bounds in the canonical unit."""
    known = ANALYTES[analyte]
    below = None if low is None else to_canonical(known, low, unit)
    above = None if high is None else to_canonical(known, high, unit)
    bounds = Range(below, low_inclusive, above, high_inclusive, known.unit, TARGET)
    return Target(number, since, None if low is None and high is None else bounds, severity, reason)
