"""A typed panel: rows of text become readings, are held against what is on file, and are judged before they are saved.

Nothing is stored here but by `save`, which takes all rows or none.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.findings import Finding
from tracker.domain.ranges import Range
from tracker.domain.readings import LabReading, Moment, fasting_words, read_moment
from tracker.domain.units import from_canonical, to_canonical, unit_of
from tracker.domain.values import Number, plain, read_number, shown
from tracker.library.analytes import ANALYTES
from tracker.models import LabResult, Patient
from tracker.operations import entry
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes
from tracker.operations.record import NotRecordable, Recorded, Whose, prepare
from tracker.queries.panel import Line, Wanted, lines, sample
from tracker.queries.yardsticks import printed_range

EMPTY, REFUSED, TAKEN, ON_FILE, ASKED, WORDS = "empty", "refused", "taken", "on_file", "asked", "words"
LOW, HIGH, INSIDE, NOT_EVALUATED = "low", "high", "inside", "not_evaluated"

_MOST_TIMES = 10**6
_TIME = re.compile(r"^(\d{1,2})\s*[:.h]?\s*(\d{2})\s*(?:h|uhr)?$", re.IGNORECASE)
_VALUE_AND_UNIT = re.compile(r"^(?P<value>(?:[<>≤≥]=?\s*)?[+-]?[\d.,]+(?:\s*[eE]\s*[+-]?\d{1,3})?)\s*(?P<unit>\S.*)$")


class Header(NamedTuple):
    """What all rows share: which sample it is."""

    on: date
    time: str = ""
    laboratory: str = ""
    accession: str = ""
    fasting: bool | None = None


class Row(NamedTuple):
    """A row as it was typed: analyte code or a test's own name, value, unit, printed bounds."""

    subject: str
    value: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""

    @property
    def key(self) -> str:
        """What a person confirms: this value in this unit, and no other."""
        return f"{self.subject}|{self.value}|{self.unit}"


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one row. `state` is one of the words above, `words` the refusal, `change` since the last one."""

    row: Row
    line: Line
    state: str = EMPTY
    words: str = ""
    questions: tuple[str, ...] = ()
    confirmed: bool = False
    change: str = ""
    stands: LabResult | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether this row keeps the panel from being saved."""
        return self.state in (REFUSED, TAKEN) or (bool(self.questions) and not self.confirmed)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A panel, judged. `sample_refusal` is what is wrong with the sample as a whole (its date)."""

    said: list[Said]
    findings: tuple[Finding, ...] = ()
    sample_refusal: str = ""

    @property
    def stops(self) -> bool:
        return bool(self.sample_refusal) or any(said.stops for said in self.said)

    @property
    def typed(self) -> int:
        return sum(said.state != EMPTY for said in self.said)


def moment_of(header: Header, zone: ZoneInfo) -> Moment:
    """When the sample was taken; without a time it stands at the clinic's midnight. Raises Refused."""
    if not header.time.strip():
        return read_moment(header.on.isoformat(), zone)
    match = _TIME.match(header.time.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise Refused("Write the time as 08:40, or leave it empty.")
    return read_moment(f"{header.on.isoformat()}T{int(match[1]):02}:{match[2]}", zone)


def tidied(row: Row) -> Row:
    """The row with a unit that was typed behind the value (`460 /uL`) in its place."""
    analyte = ANALYTES.get(row.subject)
    match = _VALUE_AND_UNIT.match(row.value.strip())
    if analyte is None or match is None or _number(row.value) is not None:
        return row._replace(value=row.value.strip())
    unit = unit_of(analyte, match["unit"])
    return row._replace(value=match["value"].strip(), unit=unit) if unit else row._replace(value=row.value.strip())


def same_value(one: Row, other: Row) -> bool:
    """Whether two rows say the same: `0,46` and `0.46` do."""
    number = _number(one.value)
    return one.unit == other.unit and (number == _number(other.value) if number else one.value == other.value)


def blank(session: Session, patient: Patient, header: Header, rows: Sequence[Row]) -> Sheet:
    """The panel with what stands beside each row, and no verdicts: what a page shows before anything is judged."""
    moment = read_moment(header.on.isoformat(), zone_of(session, patient.clinic_id))
    beside = _lines(session, patient, rows, header, moment, ())
    return Sheet([Said(row, line) for row, line in zip(rows, beside, strict=True)])


def judge(
    session: Session, actor: Actor, patient: Patient, header: Header, rows: Sequence[Row],
    confirmed: Collection[str] = (),
) -> Sheet:  # fmt: skip
    """Judge what is typed; nothing is stored. `confirmed` are the keys of rows a person has said to be right.

    Raises Refused where there is no such time of day.
    """
    moment = moment_of(header, zone_of(session, patient.clinic_id))
    rows = [tidied(row) for row in rows]
    held = sample(session, patient.id, moment.at, header.laboratory, header.accession)
    trial = _Trial(actor, patient, moment, header, held)
    beside = _lines(session, patient, rows, header, moment, [row.id for row in held.values()])
    said = [trial.look(row, line) for row, line in zip(rows, beside, strict=True)]
    preview = entry.preview(session, actor, patient, list(trial.open.values()))
    verdicts = dict(zip(trial.open, preview.verdicts, strict=True))
    for place, verdict in verdicts.items():
        said[place] = _with_verdict(said[place], verdict, confirmed)
    dated = [verdict.refusal for verdict in verdicts.values() if verdict.column == "collected_at"]
    return Sheet(said, preview.findings, dated[0] if dated else "")


def save(
    session: Session, actor: Actor, patient: Patient, header: Header, rows: Sequence[Row]
) -> tuple[Recorded, Changes, int]:
    """Store the rows that hold a value and judge the patient, all or nothing; the id of one result of the sample."""
    moment = moment_of(header, zone_of(session, patient.clinic_id))
    readings = [_reading(tidied(row), header, moment, patient) for row in rows if row.value.strip()]
    done, changes = entry.save(session, actor, patient, readings)
    held = sample(session, patient.id, moment.at, header.laboratory, header.accession)
    return done, changes, max(row.id for row in held.values())


# ---------------------------------------------------------------------------------------------- row by row


class _Trial:
    """One panel on trial: which rows may be judged, and which are refused before that."""

    def __init__(
        self, actor: Actor, patient: Patient, moment: Moment, header: Header, held: dict[str, LabResult]
    ) -> None:
        self.actor, self.patient, self.moment, self.header, self.held = actor, patient, moment, header, held
        self.open: dict[int, LabReading] = {}
        self.place = -1
        self.seen: set[str] = set()

    def look(self, row: Row, line: Line) -> Said:
        self.place += 1
        if not row.value:
            return Said(row, line)
        try:
            reading = _reading(row, self.header, self.moment, self.patient)
        except Refused as why:
            return Said(row, line, REFUSED, str(why))
        said = Said(row, line, change=_change(row, line))
        try:
            new = prepare(reading, Whose(self.patient.id, self.patient.birth_date), self.actor.at).columns
        except NotRecordable:
            self.open[self.place] = reading  # the verdict says why
            return said
        return self._against_file(said, new, reading)

    def _against_file(self, said: Said, new: dict[str, Any], reading: LabReading) -> Said:
        """Another result of the same sample, in this panel or on file."""
        row, line, subject = said.row, said.line, str(new["subject"])
        if subject in self.seen:
            return Said(row, line, REFUSED, f"{subject} is in this panel twice: leave one of the two empty.")
        self.seen.add(subject)
        old = self.held.get(subject)
        if old is None:
            self.open[self.place] = reading
            return said
        same = all(getattr(old, name) == new[name] for name in ("comparator", "figure", "unit", "text"))
        if same and new["fasting"] in (None, old.fasting):
            return Said(row, line, ON_FILE, stands=old)
        return Said(row, line, TAKEN, self._taken(old), stands=old)

    def _taken(self, old: LabResult) -> str:
        value = f"{old.comparator}{plain(old.figure)} {old.unit}".strip() if old.figure is not None else old.text
        if self.header.fasting not in (None, old.fasting):
            value = f"{value}, {fasting_words(old.fasting)},"
        told = (("its time", self.moment.time_known), ("its accession number", self.header.accession))
        missing = " or ".join(words for words, known in told if not known)
        another = f" If this is another sample of that day, give {missing}." if missing else ""
        return f"{old.subject} {value} is on file for this sample already.{another} If that was wrong, correct it."


def _with_verdict(said: Said, verdict: entry.Verdict, confirmed: Collection[str]) -> Said:
    row, line = said.row, said.line
    if verdict.column == "collected_at":
        return said
    if verdict.refusal:
        return Said(row, line, REFUSED, verdict.refusal)
    number = _number(row.value)
    state = verdict.place or (NOT_EVALUATED if number else WORDS)
    words = ""
    if state == NOT_EVALUATED:
        words = verdict.why_no_range or f"“{row.value}” leaves open on which side of a bound it lies"
    return Said(
        row, line, ASKED if verdict.questions and row.key not in confirmed else state, words, verdict.questions,
        row.key in confirmed, said.change, None, verdict.findings,
    )  # fmt: skip


def _lines(
    session: Session, patient: Patient, rows: Sequence[Row], header: Header, moment: Moment, same_sample: Sequence[int]
) -> list[Line]:
    wanted = [Wanted(row.subject, row.unit, _printed(row)) for row in rows]
    # Nobody knows what came first on a day without times: all of that day but the sample itself came before.
    before = moment.at if moment.time_known else moment.at + timedelta(days=1)
    return lines(session, patient, wanted, header.laboratory, moment.on, before, same_sample)


def _reading(row: Row, header: Header, moment: Moment, patient: Patient) -> LabReading:
    """The row as any door hands it in. Raises Refused where a printed bound is none."""
    worded = _number(row.value) is None and _is_worded(row.subject)
    return LabReading(
        patient.mrn, moment, row.subject, row.value.strip(), "" if worded else row.unit,
        _bound(row.low, "lower"), _bound(row.high, "upper"), "", header.laboratory, header.accession,
        fasting=header.fasting,
    )  # fmt: skip


def _is_worded(subject: str) -> bool:
    analyte = ANALYTES.get(subject)
    return analyte is not None and analyte.qualitative


def _number(text: str) -> Number | None:
    try:
        return read_number(text)
    except Refused:
        return None


def _bound(text: str, side: str) -> Decimal | None:
    if not text.strip():
        return None
    number = read_number(text)
    if number is None or number.comparator:
        raise Refused(f"The {side} bound “{text.strip()}” of the printed range is not a number.")
    return number.figure


def _printed(row: Row) -> Range | None:
    low, high = _number(row.low), _number(row.high)
    return printed_range(low.figure if low else None, high.figure if high else None, row.unit)


def _change(row: Row, line: Line) -> str:
    """`+0.30 (+25 %)` in the unit typed; "" where there is nothing to compare or a bound has no size."""
    number, old, analyte = _number(row.value), line.previous, ANALYTES.get(row.subject)
    if number is None or number.comparator or old is None or old.figure is None or old.comparator:
        return ""
    before: Decimal | None = old.figure
    if old.unit != row.unit:
        before = from_canonical(analyte, old.value, row.unit) if analyte and old.value is not None else None
    if before is None or (analyte and to_canonical(analyte, number.figure, row.unit) is None):
        return ""
    change = number.figure - before
    if not change:
        return "no change"
    if before and abs(change) > _MOST_TIMES * abs(before):
        return ""  # no change but a slip, which is said of the value itself
    percent = f" ({_signed(round(100 * change / before, 0))} %)" if before else ""
    return f"{_signed(change)}{percent}"


def _signed(change: Decimal) -> str:
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return f"{sign}{shown(abs(change))}"
