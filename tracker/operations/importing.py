"""A source's rows are filed here, with the accounting that always adds up: rows in = filed + duplicate + unmatched +
refused.

The importer works in the caller's transaction: rolled back, it was a preview.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import KIND_OF, KINDS, PatientReading, Problem, Row, unpack_row
from tracker.models import Clinic, HeldRow, ImportBatch, ImportProblem, Patient
from tracker.operations import audit, enrol
from tracker.operations.actor import Actor
from tracker.operations.attachments import LARGEST
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.filing import AnotherPerson, Filer, Found
from tracker.operations.holding import Stray, hold
from tracker.operations.pace import no_search_for_cycles
from tracker.operations.record import FILED, REFUSED, Whose, record
from tracker.queries.codes import Codes, codes

CHUNK = 2000
OUTCOMES_KEPT = 50_000
UNMATCHED = "unmatched"
COUNTED = ("rows_in", "filed", "duplicate", "unmatched", "refused")
NOT_THEM = "By this file patient {} is born on another day than the one on record: nothing of theirs is filed."
NO_NAMES: Mapping[str, str] = MappingProxyType({})
UNMAPPED = "“{}” is not a test Jakwatch knows: {} kept, and only a range printed with the result judges it."


@dataclass(slots=True)
class Report:
    """What became of one file."""

    path: str
    format: str
    kind: str = ""
    rows_in: int = 0
    filed: int = 0
    duplicate: int = 0
    unmatched: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)
    filed_rows: list[tuple[int, int | None, str]] = field(default_factory=list)
    unmapped: dict[str, tuple[int, int]] = field(default_factory=dict)
    not_them: set[str] = field(default_factory=set)
    strays: list[Stray] = field(default_factory=list)
    batch: int | None = None

    def count(self, outcome: str, times: int = 1) -> None:
        setattr(self, outcome, getattr(self, outcome) + times)

    def remember(self, row: int, patient_id: int | None, outcome: str) -> None:
        """Keep what became of one row, for a page that shows it; of a very long file the first ones."""
        if len(self.filed_rows) < OUTCOMES_KEPT:
            self.filed_rows.append((row, patient_id, outcome))

    @property
    def processed(self) -> bool:
        """Whether anything of the file could be processed."""
        return self.rows_in == 0 or self.rows_in > self.refused

    def as_json(self) -> dict[str, Any]:
        names = ("path", "batch", "format", *COUNTED)
        return {name: getattr(self, name) for name in names} | {"problems": [p._asdict() for p in self.problems]}


class Importer:
    """Files sources for one or several clinics. `clinics` are those whose patients may be matched, the first is the
    default; `largest` is the most bytes that a document within a message may have.
    """

    def __init__(self, session: Session, actor: Actor, clinics: list[Clinic], create_patients: bool = False,
                 may_configure: bool = False, largest: int = LARGEST) -> None:  # fmt: skip
        self.session = session
        self.actor = actor
        self.clinics = clinics
        self.create_patients = create_patients
        self.filer = Filer(session, actor, clinics, may_configure, largest)
        self.amended: set[int] = set()
        self.codes: dict[int, Codes] = {}

    # ------------------------------------------------------------------------------------------ a file

    def file(self, path: str, layout: str, kind: str, rows: Iterable[Row], sha256: str = "",
             remarks: Iterable[Problem] = (), elements: Mapping[str, str] = NO_NAMES) -> Report:  # fmt: skip
        """File one source. Rows that are refused do not keep the good ones out.

        `kind` says in words what the source holds; what a row is, its reading says. `elements` are the names that the
        file has for the fields of a reading.
        """
        report = self.begin(path, layout, kind, sha256, remarks)
        self.add(report, rows, elements)
        self.end(report)
        return report

    def begin(self, path: str, layout: str, kind: str, sha256: str = "", remarks: Iterable[Problem] = (),
              run_id: int | None = None) -> Report:  # fmt: skip
        """The batch of a source, with nothing in it yet."""
        batch = ImportBatch(
            clinic_id=self.clinics[0].id, filename=path, format=f"{layout} {kind}", sha256=sha256, run_id=run_id,
            origin=self.actor.origin, imported_at=self.actor.utc, imported_by=self.actor.account_id,
        )  # fmt: skip
        self.session.add(batch)
        self.session.flush()
        return Report(path, layout, kind, problems=list(remarks), batch=batch.id)

    def add(self, report: Report, rows: Iterable[Row], elements: Mapping[str, str] = NO_NAMES) -> None:
        """File rows of a source; what became of them stands in its report."""
        for chunk in _chunks(rows):
            said = len(report.problems)
            with no_search_for_cycles():
                self._chunk(chunk, report)
            report.problems[said:] = _placed(report.problems[said:], chunk, elements)

    def end(self, report: Report) -> None:
        """Say what there is to say of the source as a whole, and store the account."""
        report.problems += [
            Problem(first, "analyte", UNMAPPED.format(name, f"{count} rows are" if count > 1 else "the row is"))
            for name, (first, count) in report.unmapped.items()
        ]
        self.settle(report)

    def settle(self, report: Report) -> None:
        """Add the report's account to that of its batch, and store what it says."""
        batch = self.session.get_one(ImportBatch, report.batch)
        before = audit.snapshot(batch) if batch.rows_in else None
        for name in COUNTED:
            setattr(batch, name, getattr(batch, name) + getattr(report, name))
        said = [{"batch_id": batch.id, **problem._asdict()} for problem in report.problems]
        if said:
            self.session.execute(insert(ImportProblem), said)
        self.session.flush()
        audit.note(
            self.session, self.actor, "import", "import_batch", batch.id, before=before, after=audit.snapshot(batch),
            clinic_id=batch.clinic_id,
        )  # fmt: skip

    def _chunk(self, chunk: list[Row], report: Report) -> None:
        assert report.batch is not None  # every source has one
        report.rows_in += len(chunk)
        for row in chunk:
            report.problems += row.problems
            if row.reading is None:
                report.count(REFUSED)
        readings = (row for row in chunk if row.reading is not None)
        for kind, rows in groupby(readings, key=lambda row: KIND_OF[type(row.reading)]):
            self._of_one_kind(list(rows), kind, report.batch, report)
        if report.strays:
            hold(self.session, self.clinics[0].id, report.batch, report.strays)
            report.strays.clear()

    def _of_one_kind(self, readings: list[Row], kind: str, batch_id: int, report: Report) -> None:
        if kind in ("patients", "ranges"):
            for row in readings:
                self._one(row, batch_id, report, None)
            return
        # every other reading names a patient
        self._meet({row.reading.mrn for row in readings})  # type: ignore[union-attr]
        known = []
        for row in readings:
            found = self._match(row, kind, batch_id, report)
            if found is not None:
                known.append((row, found))
        if kind == "results":
            self._results(known, batch_id, report)
        else:
            if kind == "course_events":  # a resume needs its hold, wherever in the file that stands
                known.sort(key=lambda pair: pair[0].reading.on)  # type: ignore[union-attr]  # its readings have a day
            for row, found in known:
                self._one(row, batch_id, report, found)

    def _results(self, known: list[tuple[Row, Found]], batch_id: int, report: Report) -> None:
        rows = [
            # the source's kind is results
            (row.number, self._codes(found.clinic_id).applied(row.reading), Whose(found.id, found.birth_date))  # type: ignore[arg-type]
            for row, found in known
        ]
        done = record(self.session, self.actor, rows, batch_id)
        for outcome, times in Counter(done.outcomes).items():
            report.count(outcome, times)
        for (row, found), outcome in zip(known, done.outcomes, strict=True):
            if outcome == FILED:
                self.filer.touch(found)
            report.remember(row.number, found.id, outcome)
        report.problems += done.problems
        for number, name in done.unmapped:
            first, count = report.unmapped.get(name, (number, 0))
            report.unmapped[name] = (first, count + 1)
        self.amended |= done.amended

    def _one(self, row: Row, batch_id: int, report: Report, found: Found | None) -> None:
        """File one row of any other kind; a refusal costs that row alone."""
        try:
            with self.session.begin_nested():
                outcome = self.filer.file(row.reading, batch_id, found)
        except Refused as why:
            if isinstance(why, AnotherPerson):
                report.not_them.add(row.reading.mrn)  # type: ignore[union-attr]  # a patient
            outcome = REFUSED
            report.problems.append(Problem(row.number, "", str(why)))
        report.count(outcome)
        report.remember(row.number, found.id if found else None, outcome)
        if outcome == FILED and found is not None:
            self.filer.touch(found)

    def _codes(self, clinic_id: int) -> Codes:
        """What people at that clinic said the tests of senders are."""
        if clinic_id not in self.codes:
            self.codes[clinic_id] = codes(self.session, clinic_id)
        return self.codes[clinic_id]

    # ------------------------------------------------------------------------------------------ whose

    def _meet(self, mrns: set[str]) -> None:
        """Look up record numbers not seen before, in one statement."""
        unseen = sorted(mrns - self.filer.people.keys())
        if not unseen:
            return
        self.filer.people.update({mrn: [] for mrn in unseen})
        rows = self.session.execute(
            select(Patient.mrn, Patient.id, Patient.clinic_id, Patient.birth_date).where(
                Patient.mrn.in_(unseen), Patient.clinic_id.in_([clinic.id for clinic in self.clinics])
            )
        )
        for mrn, id, clinic_id, birth_date in rows:
            self.filer.people[mrn].append(Found(id, clinic_id, birth_date))

    def _match(self, row: Row, kind: str, batch_id: int, report: Report) -> Found | None:
        """The one patient with this record number; without one the row waits in the tray."""
        mrn: str = row.reading.mrn  # type: ignore[union-attr]
        if mrn in report.not_them:
            report.count(REFUSED)
            report.remember(row.number, None, REFUSED)
            report.problems.append(Problem(row.number, "mrn", NOT_THEM.format(mrn)))
            return None
        found = self.filer.people[mrn]
        if len(found) == 1:
            return None if self._is_another(found[0], row, report) else found[0]
        if not found and self.create_patients:
            told = row.about or PatientReading(mrn)
            details = {name: getattr(told, name) for name in ("mrn", "family_name", "given_name", "birth_date", "sex")}
            details["batch_id"] = batch_id
            patient = enrol.add_patient(self.session, self.actor, self.clinics[0].id, details)
            self.filer.people[mrn] = [Found(patient.id, patient.clinic_id, patient.birth_date)]
            return self.filer.people[mrn][0]
        report.count(UNMATCHED)
        clinics = f"; {len(found)} clinics have that number" if found else ""
        report.problems.append(
            Problem(
                row.number,
                "mrn",
                f"There is no patient with record number {mrn} here{clinics}: the row waits in the tray.",
            )
        )
        report.strays.append(Stray(row, kind, mrn))
        return None

    def _is_another(self, found: Found, row: Row, report: Report) -> bool:
        """Whether a result says of its patient that they were born on another day than the one with this number."""
        born = row.about.birth_date if row.about else None
        if born is None or found.birth_date is None or born == found.birth_date:
            return False
        report.count(REFUSED)
        report.remember(row.number, None, REFUSED)
        said = f"The message is about somebody born on {born}, which the patient with this record number is not."
        report.problems.append(Problem(row.number, "mrn", f"{said} Check the number with the sender."))
        return True

    def release(self) -> int:
        """File the rows that were waiting for patients who are here now; how many there were. What is refused all the
        same waits on, with the reason, for somebody to settle it.
        """
        here = [clinic.id for clinic in self.clinics]
        waiting = self.session.scalars(
            select(HeldRow)
            .where(HeldRow.clinic_id.in_(here), HeldRow.state == "waiting")
            .where(HeldRow.mrn.in_(select(Patient.mrn).where(Patient.clinic_id.in_(here))))
            .order_by(HeldRow.id)
        ).all()
        return sum(self._release_one(held) for held in sorted(waiting, key=lambda row: list(KINDS).index(row.kind)))

    def _release_one(self, held: HeldRow) -> int:
        report = Report("tray", held.kind, batch=held.batch_id)
        self.filer.people.pop(held.mrn, None)
        self._chunk([unpack_row(held.kind, held.row, json.loads(held.content))], report)
        said = "; ".join(p.message for p in report.problems)
        if report.unmatched or report.refused:
            held.settled_reason = said if report.refused else ""
            return 0
        held.state = "filed"
        held.settled_at = self.actor.utc
        held.settled_reason = said or "the patient was enrolled"
        return 1

    # ------------------------------------------------------------------------------------------ judging

    def judge(self) -> Changes:
        """Judge everybody the files touched, clinic by clinic."""
        total = Changes()
        for clinic_id, patient_ids in self.filer.affected.items():
            today = self.actor.today(enrol.zone_of(self.session, clinic_id))
            changes = evaluate(
                self.session, clinic_id, patient_ids, self.actor.utc, today, amended=frozenset(self.amended)
            )
            total.add(changes)
        return total


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows some at a time; those of one patient that follow each other are not cut apart."""
    chunk: list[Row] = []
    for row in rows:
        if len(chunk) >= CHUNK and _whose(row) != _whose(chunk[-1]):
            yield chunk
            chunk = []
        chunk.append(row)
    if chunk:
        yield chunk


def _whose(row: Row) -> str | int:
    """The record number a row names; its own number where it names none."""
    return getattr(row.reading, "mrn", row.number)


def _placed(problems: list[Problem], rows: list[Row], elements: Mapping[str, str]) -> list[Problem]:
    """The problems of these rows, each with the name of its row, in the words of the file."""
    places = {row.number: f"{row.place}: " for row in rows if row.place}
    if not places and not elements:
        return problems
    return [
        p._replace(column=elements.get(p.column, p.column), message=places.get(p.row, "") + p.message) for p in problems
    ]
