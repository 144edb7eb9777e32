"""What any door hands us: who, what, value, unit, when, from where. Not yet trusted, not yet stored.

A form, a CSV row and a message all become the same readings, and meet the same refusals, whichever door they came by.
Dates and numbers have been read; whether they make clinical sense is settled when they are recorded.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, get_args, get_type_hints
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused

FINAL, CORRECTED, PRELIMINARY, CANCELLED = "final", "corrected", "preliminary", "cancelled"
STATUSES = (FINAL, CORRECTED, PRELIMINARY, CANCELLED)
APART = "~"
"""How a `sub_id` begins that no sender gave."""

_DAY_FIRST = re.compile(r"^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}$")


class Moment(NamedTuple):
    """When a sample was taken: the instant (UTC), the clinic's calendar day, and whether a time of day was given.

    A day without a time stands at the clinic's midnight.
    """

    at: datetime
    on: date
    time_known: bool


def read_date(text: str) -> date:
    """An ISO date. Raises Refused with the form that is read; day and month are never guessed."""
    try:
        return date.fromisoformat(text.strip()[:10]) if len(text.strip()) >= 8 else _not_a_date(text)
    except ValueError:
        return _not_a_date(text)


def _not_a_date(text: str) -> date:
    if _DAY_FIRST.match(text.strip()):
        raise Refused(f"“{text.strip()}” could mean two days: write dates as 2026-03-01.")
    raise Refused(f"“{text.strip()}” is not a date: write it as 2026-03-01.")


def read_moment(text: str, zone: ZoneInfo) -> Moment:
    """An ISO date or date and time, with or without an offset; without one it is the clinic's zone. Raises Refused."""
    text = text.strip()
    if len(text) <= 10:
        day = read_date(text)
        return Moment(datetime.combine(day, time(), zone).astimezone(UTC), day, time_known=False)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"“{text}” is not a date and time: write it as 2026-03-01T08:40.") from None
    local = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    if at.tzinfo is None and local.utcoffset() != local.replace(fold=1).utcoffset() and _in_a_gap(local):
        raise Refused(f"“{text}” does not exist in {zone.key}: clocks went forward. Give the offset or another time.")
    return Moment(local.astimezone(UTC), local.date(), time_known=True)


def _in_a_gap(local: datetime) -> bool:
    back = local.astimezone(UTC).astimezone(local.tzinfo)
    return abs(back.replace(tzinfo=None) - local.replace(tzinfo=None)) > timedelta(0)


class PatientReading(NamedTuple):
    """A line of patients.csv or SDTM DM. `stated_age` where the source gives an age and no birth date."""

    mrn: str
    family_name: str = ""
    given_name: str = ""
    birth_date: date | None = None
    sex: str = "unknown"
    weight_kg: Decimal | None = None
    clinic: str = ""
    stated_age: int | None = None
    stated_age_on: date | None = None


class CourseReading(NamedTuple):
    """A line of courses.csv. `protocol` is the id of a protocol, or "" with `drug` named for one that nothing
    watches.
    """

    mrn: str
    protocol: str
    started_on: date
    drug: str = ""
    indication: str = ""
    stopped_on: date | None = None
    stop_reason: str = ""
    dose_mg: Decimal | None = None
    times_per_day: int | None = None


class CourseEventReading(NamedTuple):
    """A line of course_events.csv: a dose from a day on, a hold, a resume."""

    mrn: str
    on: date
    kind: str
    dose_mg: Decimal | None = None
    times_per_day: int | None = None
    reason: str = ""


class ExposureReading(NamedTuple):
    """A line of SDTM EX: a drug taken at one dose from a day to a day; the first of a drug begins its course."""

    mrn: str
    drug: str
    started_on: date
    ended_on: date | None = None
    dose_mg: Decimal | None = None
    times_per_day: int | None = None


class LabReading(NamedTuple):
    """One result as a laboratory or a person wrote it.

    `analyte` is our code, a name or `loinc:1742-6`; `local_code` the sender's own. `value` is text (`5.3`, `<5`,
    `positive`). `ref_low`/`ref_high` are the printed bounds, inclusive, in `unit`. `sub_id` tells results of one test
    and sample apart: the sender's (OBX-4), or one of ours, which begins with APART. `mapped`: our code, where a person
    said that the sender's test is that (`mapping_id`); it comes before all else. `fasting`: None where it is not said.
    """

    mrn: str
    collected: Moment
    analyte: str
    value: str
    unit: str = ""
    ref_low: Decimal | None = None
    ref_high: Decimal | None = None
    lab_flag: str = ""
    laboratory: str = ""
    accession: str = ""
    status: str = FINAL
    recorded_at: datetime | None = None
    local_code: str = ""
    comment: str = ""
    sub_id: str = ""
    mapped: str = ""
    mapping_id: int | None = None
    fasting: bool | None = None


FASTING_CODES = {"F": True, "NF": False}
"""HL7's table 0916, as far as it answers the question (OBR-13, Specimen.collection.fastingStatus)."""


def fasting_words(fasting: bool | None) -> str:
    """`fasting`, `not fasting`, or that it is not said."""
    return "fasting not said" if fasting is None else "fasting" if fasting else "not fasting"


class EventReading(NamedTuple):
    """A line of adverse_events.csv or SDTM AE. Unknown answers are None. `onset_text` keeps a partial date as
    written.
    """

    mrn: str
    kind: str
    term: str
    onset_on: date | None = None
    onset_text: str = ""
    resolved_on: date | None = None
    controlled_on: date | None = None
    site: str = ""
    organism: str = ""
    grade: int | None = None
    serious: bool | None = None
    criteria: str = ""
    hospitalised: bool | None = None
    opportunistic: bool | None = None
    treated: bool | None = None
    outcome: str = ""
    source_key: str = ""


class MedicationReading(NamedTuple):
    """A line of medications.csv; `interactions` are the class words of the interchange."""

    mrn: str
    name: str
    interactions: tuple[str, ...] = ()
    started_on: date | None = None
    stopped_on: date | None = None


class ObservationReading(NamedTuple):
    """A line of observations.csv."""

    mrn: str
    on: date
    kind: str
    value: str


class RangeReading(NamedTuple):
    """A line of ranges.csv: bounds with operators, ages in years (`age_to` exclusive)."""

    analyte: str
    unit: str
    effective_from: date
    laboratory: str = ""
    sex: str = ""
    age_from: int | None = None
    age_to: int | None = None
    low: Decimal | None = None
    low_op: str = ">="
    high: Decimal | None = None
    high_op: str = "<="
    source: str = ""


class DocumentReading(NamedTuple):
    """A document that came within a message or a resource: what its sender calls it, of which sample, and its bytes as
    they were before they were encoded for the way.
    """

    mrn: str
    collected: Moment
    name: str
    content: bytes
    laboratory: str = ""
    accession: str = ""
    note: str = ""


Reading = (
    PatientReading | CourseReading | CourseEventReading | ExposureReading | LabReading
    | EventReading | MedicationReading | ObservationReading | RangeReading | DocumentReading
)  # fmt: skip


class Problem(NamedTuple):
    """What is wrong with a row, where, and how to mend it. `row` counts as a spreadsheet does: the header is row 1; 0
    is the file.
    """

    row: int
    column: str
    message: str


class Row(NamedTuple):
    """One line of a source: its reading, or None with the problems that refused it. Remarks on a good row are
    problems too. `place` names it where a number alone says too little (`Observation/abc`). `about` is what the source
    says of the patient beside the result, where it says anything.
    """

    number: int
    reading: Reading | None
    problems: tuple[Problem, ...] = ()
    place: str = ""
    about: PatientReading | None = None


KINDS: dict[str, type[Any]] = {
    "patients": PatientReading, "courses": CourseReading, "course_events": CourseEventReading,
    "exposures": ExposureReading, "results": LabReading, "adverse_events": EventReading,
    "medications": MedicationReading, "observations": ObservationReading, "ranges": RangeReading,
    "documents": DocumentReading,
}  # fmt: skip
"""Readings by the name of their table."""

KIND_OF: dict[type[Any], str] = {of: kind for kind, of in KINDS.items()}
"""The name of the table that a reading is a row of."""


def pack(reading: Any) -> list[Any]:
    """A reading as JSON values, to be kept until its patient is found."""
    return [_packed(value) for value in reading]


def _packed(value: Any) -> Any:
    if isinstance(value, Moment):
        return [value.at.isoformat(), value.on.isoformat(), value.time_known]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def unpack(kind: str, values: list[Any]) -> Any:
    """The reading that `pack` made these values of; a field that has been added since has its default."""
    of = KINDS[kind]
    hints = _hints(kind)
    return of(*(_unpacked(hints[name], value) for name, value in zip(of._fields, values, strict=False)))


@lru_cache
def _hints(kind: str) -> dict[str, Any]:
    return get_type_hints(KINDS[kind])


def pack_row(row: Row) -> dict[str, Any]:
    """A row as JSON values, with what its source says of the patient: it decides whether the row is theirs."""
    return {"reading": pack(row.reading), "about": pack(row.about) if row.about else None}


def unpack_row(kind: str, number: int, values: Any) -> Row:
    """The row that `pack_row` made these values of, or `pack` of its reading alone."""
    if isinstance(values, list):
        values = {"reading": values}
    about = values.get("about")
    return Row(number, unpack(kind, values["reading"]), about=unpack("patients", about) if about else None)


def _unpacked(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if hint is Moment:
        return Moment(datetime.fromisoformat(value[0]), date.fromisoformat(value[1]), value[2])
    kinds = get_args(hint) or (hint,)
    if isinstance(value, str):
        return next((read(value) for kind, read in _FROM_TEXT if kind in kinds), value)
    return tuple(value) if isinstance(value, list) else value


_FROM_TEXT: tuple[tuple[type, Callable[[str], Any]], ...] = (
    (bytes, b64decode), (Decimal, Decimal), (datetime, datetime.fromisoformat), (date, date.fromisoformat),
)  # fmt: skip
"""How the values are read that JSON has no kind for."""
