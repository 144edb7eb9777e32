"""What the preview of a file shows: rows beside what becomes of them, and the refused ones as a file to mend."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CourseEventReading,
    CourseReading,
    DocumentReading,
    EventReading,
    ExposureReading,
    LabReading,
    MedicationReading,
    ObservationReading,
    PatientReading,
    Problem,
    RangeReading,
    unpack_row,
)
from tracker.domain.values import brief
from tracker.formats import TABLES, Source
from tracker.formats.cells import defused
from tracker.formats.opening import open_text
from tracker.formats.tables import open_table
from tracker.models import HeldRow, Patient
from tracker.operations.evaluate import Changes
from tracker.operations.importing import Report
from tracker.operations.intake import Taken
from tracker.queries.imports import by_number
from tracker.web.attachments import file_size
from tracker.web.filters import day
from tracker.web.wording import said

MOST_TROUBLED = 200
MOST_ALIKE = 5
MOST_QUIET = 25
MOST_PATIENTS = 60

Parts = tuple[str, ...]


class Line(NamedTuple):
    """One row: its number, what it says, whose it is, what becomes of it, and what is said about it."""

    number: int
    what: str
    mrn: str
    patient: Patient | None
    outcome: str
    problems: tuple[Problem, ...]


class Shown(NamedTuple):
    """The preview: rows something is said about (`troubled`) and how many more of which the same is said (`alike`), the
    first of the others, and how many go to whom.
    """

    report: Report
    changes: Changes
    about_file: list[Problem]
    troubled: list[Line]
    more_troubled: int
    alike: list[tuple[int, str]]
    quiet: list[Line]
    goes_to: list[tuple[Patient, int]]
    more_patients: int


def shown(session: Session, clinic_id: int, taken: Taken, read: Callable[[BinaryIO], Source], path: Path) -> Shown:
    """The preview of a file that was taken and undone; its rows are read once more, those that are shown."""
    report, outcomes = taken.report, taken.outcomes
    by_row: dict[int, list[Problem]] = {}
    for problem in report.problems:
        by_row.setdefault(problem.row, []).append(problem)
    quiet = [row for row in sorted(outcomes) if row not in by_row][:MOST_QUIET]
    with path.open("rb") as stream:
        source = read(stream)
        first = source.first_row
        of_rows = [row for row in by_row if row >= first]
        some, alike = _some_of_each(sorted(of_rows, key=lambda row: (_rank(row, outcomes), row)), by_row)
        troubled = some[:MOST_TROUBLED]
        readings = _some(source, {*troubled, *quiet})
    numbers = {row: next((mrn for mrn in map(_mrn, held) if mrn), "") for row, held in readings.items()}
    people = by_number(session, clinic_id, filter(None, numbers.values()))

    def line(row: int) -> Line:
        held = readings.get(row, [])
        outcome = outcomes.get(row, ("unmatched" if held else "refused", None))[0]
        mrn = numbers.get(row, "")
        return Line(row, "; ".join(map(in_words, held)), mrn, people.get(mrn), outcome, tuple(by_row.get(row, ())))

    patients, more = _goes_to(session, outcomes)
    return Shown(
        report, taken.changes, [p for p in report.problems if p.row < first], [line(row) for row in troubled],
        len(some) - len(troubled), alike, [line(row) for row in quiet], patients, more,
    )  # fmt: skip


def _some_of_each(rows: list[int], by_row: dict[int, list[Problem]]) -> tuple[list[int], list[tuple[int, str]]]:
    """Of rows of which the same is said the first few, and how many more there are of each such kind."""
    kept: list[int] = []
    count: Counter[tuple[tuple[str, str], ...]] = Counter()
    for row in rows:
        said = tuple((problem.column, problem.message) for problem in by_row[row])
        count[said] += 1
        if count[said] <= MOST_ALIKE:
            kept.append(row)
    more = [(number - MOST_ALIKE, " ".join(m for _, m in said)) for said, number in count.items()]
    return kept, [(number, message) for number, message in more if number > 0]


def _rank(row: int, outcomes: dict[int, tuple[str, int | None]]) -> int:
    """Refused rows first, then those that wait, then those that are only remarked upon."""
    outcome = outcomes.get(row)
    return 1 if outcome is None else 0 if outcome[0] == "refused" else 2


def _some(source: Source, wanted: set[int]) -> dict[int, list[Any]]:
    """The readings of these rows, as far as they could be read; a row of a wide table has many."""
    found: dict[int, list[Any]] = {}
    for row in source.rows:
        if row.number in wanted and row.reading is not None:
            found.setdefault(row.number, []).append(row.reading)
    return found


def _goes_to(session: Session, outcomes: dict[int, tuple[str, int | None]]) -> tuple[list[tuple[Patient, int]], int]:
    filed = [patient_id for outcome, patient_id in outcomes.values() if outcome == "filed"]
    counted = Counter(patient_id for patient_id in filed if patient_id is not None)
    wanted = dict(counted.most_common(MOST_PATIENTS))
    rows = session.scalars(select(Patient).where(Patient.id.in_(wanted)).order_by(Patient.mrn))
    return [(patient, wanted[patient.id]) for patient in rows], len(counted) - len(wanted)


def _mrn(reading: Any) -> str:
    return str(getattr(reading, "mrn", ""))


# ---------------------------------------------------------------------------------------------- refused rows


def write_refused(path: Path, target: Path, taken: Taken) -> None:
    """The refused rows with their cells as they came, then their row and why: mended, they can be sent again. Of a
    format that has no cells, the rows and why.
    """
    reasons: dict[int, list[str]] = {}
    for problem in taken.report.problems:
        place = f"{problem.column}: " if problem.column else ""
        reasons.setdefault(problem.row, []).append(f"{place}{problem.message}")
    wanted = taken.refused_rows
    with path.open("rb") as stream, target.open("x", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        if taken.report.format not in TABLES:
            writer.writerow(["refused_row", "refused_because"])
            writer.writerows([row, defused(" ".join(reasons.get(row, [])))] for row in sorted(wanted))
            return
        table = open_table(open_text(stream).text)
        writer.writerow([*map(defused, table.header), "refused_row", "refused_because"])
        with suppress(Refused):  # a file that breaks off: what is left of it has no rows
            for number, cells, _ in table.records:
                if number in wanted:
                    padded = [*cells, *[""] * (len(table.header) - len(cells))]
                    writer.writerow([*map(defused, padded), number, defused(" ".join(reasons.get(number, [])))])


# ---------------------------------------------------------------------------------------------- in words


def held_in_words(row: HeldRow) -> str:
    """What a row of the tray says."""
    try:
        return in_words(unpack_row(row.kind, row.row, json.loads(row.content)).reading)
    except (KeyError, ValueError, TypeError, AttributeError, Refused):
        return row.content[:200]


def in_words(reading: Any) -> str:
    """A reading in one line, as the preview and the tray show it; "" for a row that could not be read."""
    if reading is None:
        return ""
    return " · ".join(part for part in _WORDS[type(reading)](reading) if part)


def _lab(r: LabReading) -> Parts:
    return f"{r.analyte} {brief(r.value)} {said(r.unit)}".strip(), day(r.collected.on), r.laboratory


def _patient(r: PatientReading) -> Parts:
    name = ", ".join(filter(None, (r.family_name, r.given_name)))
    return name, r.sex, f"born {day(r.birth_date)}" if r.birth_date else ""


_WORDS: dict[type[Any], Callable[[Any], Parts]] = {
    LabReading: _lab,
    PatientReading: _patient,
    CourseReading: lambda r: (r.protocol or r.drug, f"from {day(r.started_on)}", _dose(r)),
    ExposureReading: lambda r: (r.drug, f"from {day(r.started_on)}", _dose(r)),
    CourseEventReading: lambda r: (r.kind, day(r.on), _dose(r), r.reason),
    EventReading: lambda r: (r.kind, r.term, day(r.onset_on) if r.onset_on else r.onset_text),
    MedicationReading: lambda r: (r.name, ", ".join(r.interactions)),
    ObservationReading: lambda r: (r.kind.replace("_", " "), r.value, day(r.on)),
    RangeReading: lambda r: (f"{r.analyte} {said(r.unit)}", r.laboratory, r.sex),
    DocumentReading: lambda r: (f"{r.name}, {file_size(len(r.content))}", day(r.collected.on), r.laboratory),
}


def _dose(r: CourseReading | CourseEventReading | ExposureReading) -> str:
    return f"{r.dose_mg} mg × {r.times_per_day or 'once'}" if r.dose_mg is not None else ""
