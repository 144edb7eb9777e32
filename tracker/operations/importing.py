"""A source's rows are filed here, with the accounting that always adds up: rows in = filed + duplicate + unmatched + refused.

The importer works in the caller's transaction: rolled back, it was a preview.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    KINDS,
    CourseEventReading,
    CourseReading,
    EventReading,
    ExposureReading,
    LabReading,
    MedicationReading,
    ObservationReading,
    PatientReading,
    Problem,
    RangeReading,
    Row,
    pack,
    unpack,
)
from tracker.library.protocols import protocols
from tracker.models import AdverseEvent, Clinic, HeldRow, ImportBatch, ImportProblem, Medication, Observation, Patient
from tracker.operations import audit, configure, enrol
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes, evaluate
from tracker.operations.record import DUPLICATE, FILED, REFUSED, Whose, record

CHUNK = 2000
OUTCOMES_KEPT = 50_000
UNMATCHED = "unmatched"
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

    def count(self, outcome: str) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)

    def remember(self, row: int, patient_id: int | None, outcome: str) -> None:
        """Keep what became of one row, for a page that shows it; of a very long file the first ones."""
        if len(self.filed_rows) < OUTCOMES_KEPT:
            self.filed_rows.append((row, patient_id, outcome))

    @property
    def processed(self) -> bool:
        """Whether anything of the file could be processed."""
        return self.rows_in == 0 or self.rows_in > self.refused

    def as_json(self) -> dict[str, Any]:
        names = ("path", "format", "rows_in", "filed", "duplicate", "unmatched", "refused")
        return {name: getattr(self, name) for name in names} | {"problems": [p._asdict() for p in self.problems]}


class Found:
    """A patient as the importer meets them."""

    __slots__ = ("birth_date", "clinic_id", "id")

    def __init__(self, id: int, clinic_id: int, birth_date: date | None) -> None:
        self.id, self.clinic_id, self.birth_date = id, clinic_id, birth_date


class Importer:
    """Files sources for one or several clinics. `clinics` are those whose patients may be matched, the first is the default."""

    def __init__(self, session: Session, actor: Actor, clinics: list[Clinic], create_patients: bool = False,
                 may_configure: bool = False) -> None:  # fmt: skip
        self.session = session
        self.actor = actor
        self.clinics = clinics
        self.create_patients = create_patients
        self.may_configure = may_configure
        self.affected: dict[int, set[int]] = {}
        self.amended: set[int] = set()
        self._people: dict[str, list[Found]] = {}

    # ------------------------------------------------------------------------------------------ a file

    def file(self, path: str, format: str, kind: str, rows: Iterable[Row], sha256: str = "",
             remarks: Iterable[Problem] = ()) -> Report:  # fmt: skip
        """File one source. Rows that are refused do not keep the good ones out."""
        report = Report(path, format, kind, problems=list(remarks))
        batch = ImportBatch(
            clinic_id=self.clinics[0].id, filename=path, format=f"{format} {kind}", sha256=sha256, origin=self.actor.origin,
            imported_at=self.actor.utc, imported_by=self.actor.account_id,
        )  # fmt: skip
        self.session.add(batch)
        self.session.flush()
        for chunk in _chunks(rows):
            self._chunk(chunk, kind, batch.id, report)
        report.problems += [
            Problem(first, "analyte", UNMAPPED.format(name, f"{count} rows are" if count > 1 else "the row is"))
            for name, (first, count) in report.unmapped.items()
        ]
        for name in ("rows_in", "filed", "duplicate", "unmatched", "refused"):
            setattr(batch, name, getattr(report, name))
        self.session.add_all(
            ImportProblem(batch_id=batch.id, row=p.row, column=p.column, message=p.message) for p in report.problems
        )
        self.session.flush()
        audit.note(
            self.session, self.actor, "import", "import_batch", batch.id, after=audit.snapshot(batch),
            clinic_id=batch.clinic_id,
        )  # fmt: skip
        return report

    def _chunk(self, chunk: list[Row], kind: str, batch_id: int, report: Report) -> None:
        report.rows_in += len(chunk)
        readings = [row for row in chunk if row.reading is not None]
        for row in chunk:
            report.problems += row.problems
            if row.reading is None:
                report.count(REFUSED)
        if kind in ("patients", "ranges"):
            for row in readings:
                self._one(row, batch_id, report, None)
            return
        self._meet({row.reading.mrn for row in readings})  # type: ignore[union-attr]  # every other reading names a patient
        known = []
        for row in readings:
            found = self._match(row, kind, batch_id, report)
            if found is not None:
                known.append((row, found))
        if kind == "results":
            self._results(known, batch_id, report)
        else:
            for row, found in known:
                self._one(row, batch_id, report, found)

    def _results(self, known: list[tuple[Row, Found]], batch_id: int, report: Report) -> None:
        rows = [(row.number, row.reading, Whose(found.id, found.birth_date)) for row, found in known]
        done = record(self.session, self.actor, rows, batch_id)  # type: ignore[arg-type]  # the source's kind is results
        for (row, found), outcome in zip(known, done.outcomes, strict=True):
            report.count(outcome)
            if outcome == FILED:
                self._touch(found)
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
                outcome = self._file(row.reading, batch_id, found)
        except Refused as why:
            outcome = REFUSED
            report.problems.append(Problem(row.number, "", str(why)))
        report.count(outcome)
        report.remember(row.number, found.id if found else None, outcome)
        if outcome == FILED and found is not None:
            self._touch(found)

    def _touch(self, found: Found) -> None:
        self.affected.setdefault(found.clinic_id, set()).add(found.id)

    # ------------------------------------------------------------------------------------------ whose

    def _meet(self, mrns: set[str]) -> None:
        """Look up record numbers not seen before, in one statement."""
        unseen = sorted(mrns - self._people.keys())
        if not unseen:
            return
        self._people.update({mrn: [] for mrn in unseen})
        rows = self.session.execute(
            select(Patient.mrn, Patient.id, Patient.clinic_id, Patient.birth_date).where(
                Patient.mrn.in_(unseen), Patient.clinic_id.in_([clinic.id for clinic in self.clinics])
            )
        )
        for mrn, id, clinic_id, birth_date in rows:
            self._people[mrn].append(Found(id, clinic_id, birth_date))

    def _match(self, row: Row, kind: str, batch_id: int, report: Report) -> Found | None:
        """The one patient with this record number; without one the row waits in the tray."""
        mrn: str = row.reading.mrn  # type: ignore[union-attr]
        found = self._people[mrn]
        if len(found) == 1:
            return found[0]
        if not found and self.create_patients:
            patient = enrol.add_patient(self.session, self.actor, self.clinics[0].id, {"mrn": mrn})
            self._people[mrn] = [Found(patient.id, patient.clinic_id, None)]
            return self._people[mrn][0]
        report.count(UNMATCHED)
        clinics = f"; {len(found)} clinics have that number" if found else ""
        report.problems.append(Problem(row.number, "mrn", f"There is no patient with record number {mrn} here{clinics}: the row waits in the tray."))
        self._hold(row, kind, mrn, batch_id)
        return None

    def _hold(self, row: Row, kind: str, mrn: str, batch_id: int) -> None:
        content = json.dumps(pack(row.reading), ensure_ascii=False)
        digest = hashlib.sha256(f"{kind}\n{content}".encode()).hexdigest()
        clinic_id = self.clinics[0].id
        waiting = select(HeldRow.id).where(HeldRow.clinic_id == clinic_id, HeldRow.digest == digest)
        if self.session.execute(waiting).first() is None:
            held = HeldRow(clinic_id=clinic_id, batch_id=batch_id, mrn=mrn, kind=kind, row=row.number, content=content, digest=digest)
            self.session.add(held)

    def release(self) -> int:
        """File the rows that were waiting for patients who are here now; how many there were."""
        here = [clinic.id for clinic in self.clinics]
        waiting = self.session.scalars(
            select(HeldRow)
            .where(HeldRow.clinic_id.in_(here), HeldRow.state == "waiting")
            .where(HeldRow.mrn.in_(select(Patient.mrn).where(Patient.clinic_id.in_(here))))
            .order_by(HeldRow.id)
        ).all()
        return sum(self._release_one(held) for held in sorted(waiting, key=lambda row: list(KINDS).index(row.kind)))

    def _release_one(self, held: HeldRow) -> int:
        report = Report("tray", held.kind)
        self._people.pop(held.mrn, None)
        self._chunk([Row(held.row, unpack(held.kind, json.loads(held.content)))], held.kind, held.batch_id, report)
        if report.unmatched:
            return 0
        held.state = "filed" if report.filed or report.duplicate else "dismissed"
        held.settled_at = self.actor.utc
        held.settled_reason = "; ".join(p.message for p in report.problems) or "the patient was enrolled"
        return 1

    # ------------------------------------------------------------------------------------------ a row of each kind

    def _file(self, reading: Any, batch_id: int, found: Found | None) -> str:
        if isinstance(reading, PatientReading):
            return self._patient(reading)
        if isinstance(reading, RangeReading):
            return self._range(reading)
        assert found is not None  # every other kind was matched before
        patient = enrol.patient_by_id(self.session, found.id)
        if isinstance(reading, CourseReading):
            return self._course(reading, patient, batch_id)
        if isinstance(reading, CourseEventReading):
            return self._course_event(reading, patient, batch_id)
        if isinstance(reading, ExposureReading):
            return self._exposure(reading, patient, batch_id)
        if isinstance(reading, EventReading):
            return self._event(reading, patient, batch_id)
        if isinstance(reading, MedicationReading):
            return self._medication(reading, patient, batch_id)
        return self._observation(reading, patient, batch_id)

    def _patient(self, reading: PatientReading) -> str:
        clinic = self._clinic(reading.clinic)
        old = self.session.scalars(select(Patient).where(Patient.clinic_id == clinic.id, Patient.mrn == reading.mrn)).first()
        details = {
            "mrn": reading.mrn, "family_name": reading.family_name, "given_name": reading.given_name,
            "birth_date": reading.birth_date, "sex": reading.sex,
            "stated_age": reading.stated_age, "stated_age_on": reading.stated_age_on,
        }  # fmt: skip
        if old is not None:
            outcome = self._same_patient(old, details)
            if reading.weight_kg is not None:
                outcome = self._weight(old, reading, outcome)
            return outcome
        patient = enrol.add_patient(self.session, self.actor, clinic.id, details)
        found = Found(patient.id, clinic.id, patient.birth_date)
        self._people.setdefault(reading.mrn, []).append(found)
        self._touch(found)
        if reading.weight_kg is not None:
            self._weight(patient, reading, FILED)
        return FILED

    def _same_patient(self, old: Patient, details: dict[str, Any]) -> str:
        """A patient already here: what was not known is filled in, what differs is refused, never overwritten by a file."""
        unknown = (None, "", "unknown")
        differing = [n for n, v in details.items() if v not in unknown and getattr(old, n) not in (*unknown, v)]
        if differing:
            raise Refused(
                f"Patient {old.mrn} is on record with another {', '.join(n.replace('_', ' ') for n in differing)}: correct it on the patient's page, with a reason."
            )
        filled = {n: v for n, v in details.items() if v not in unknown and getattr(old, n) in unknown}
        if not filled:
            return DUPLICATE
        enrol.correct(self.session, self.actor, old, filled, patient=old, reason="filled in from a file")
        self._touch(Found(old.id, old.clinic_id, old.birth_date))
        self._people.pop(old.mrn, None)
        return FILED

    def _weight(self, patient: Patient, reading: PatientReading, outcome: str) -> str:
        """A weight without a date stands at the day of import; the same figure again changes nothing."""
        value = format(reading.weight_kg, "f") if reading.weight_kg is not None else ""
        last = select(Observation.value).where(Observation.patient_id == patient.id, Observation.kind == "weight_kg")
        if value in self.session.scalars(last):
            return outcome
        today = self.actor.today(enrol.zone_of(self.session, patient.clinic_id))
        enrol.add_observation(self.session, self.actor, patient, today, "weight_kg", value)
        self._touch(Found(patient.id, patient.clinic_id, patient.birth_date))
        return FILED

    def _clinic(self, name: str) -> Clinic:
        if not name:
            return self.clinics[0]
        for clinic in self.clinics:
            if name.casefold() in (clinic.code.casefold(), clinic.name.casefold()):
                return clinic
        if not self.may_configure:
            raise Refused(f"“{name}” is not a clinic you work in.")
        self.clinics.append(configure.add_clinic(self.session, self.actor, name, name, self.clinics[0].time_zone))
        return self.clinics[-1]

    def _range(self, reading: RangeReading) -> str:
        if not self.may_configure:
            raise Refused("Ranges are changed on the ranges page, where a second person publishes them.")
        outcomes = {configure.publish_range(self.session, self.actor, clinic, reading) for clinic in self.clinics}
        if FILED in outcomes:
            for clinic in self.clinics:
                ids = self.session.scalars(select(Patient.id).where(Patient.clinic_id == clinic.id))
                self.affected.setdefault(clinic.id, set()).update(ids)
            return FILED
        return DUPLICATE

    def _course(self, reading: CourseReading, patient: Patient, batch_id: int) -> str:
        protocol = protocols().get(reading.protocol)
        drug = protocol.name if protocol else reading.drug or reading.protocol
        for course in enrol.courses_of(self.session, patient.id):
            if (course.drug, course.started_on) == (drug, reading.started_on):
                if reading.stopped_on is not None and course.stopped_on is None:
                    enrol.stop_course(
                        self.session, self.actor, patient, course, reading.stopped_on, reading.stop_reason or "stopped (from a file)"
                    )
                    return FILED
                return DUPLICATE
        details = {
            "protocol_id": reading.protocol, "drug": reading.drug, "indication": reading.indication,
            "started_on": reading.started_on, "stopped_on": reading.stopped_on, "stop_reason": reading.stop_reason,
        }  # fmt: skip
        enrol.add_course(
            self.session, self.actor, patient, details, (reading.dose_mg, reading.times_per_day), batch_id
        )
        return FILED

    def _course_event(self, reading: CourseEventReading, patient: Patient, batch_id: int) -> str:
        courses = [c for c in enrol.courses_of(self.session, patient.id) if c.started_on <= reading.on]
        if not courses:
            raise Refused(f"Patient {patient.mrn} has no course that had started by {reading.on}.")
        course = courses[-1]
        for event in enrol.events_of(self.session, course.id):
            same_dose = (event.dose_mg, event.times_per_day) == (reading.dose_mg, reading.times_per_day)
            if (event.on, event.kind) == (reading.on, reading.kind) and (reading.kind != "dose" or same_dose):
                return DUPLICATE
        details = {
            "on": reading.on, "kind": reading.kind, "dose_mg": reading.dose_mg, "times_per_day": reading.times_per_day,
            "reason": reading.reason, "batch_id": batch_id,
        }  # fmt: skip
        enrol.add_course_event(self.session, self.actor, patient, course, details)
        return FILED

    def _exposure(self, reading: ExposureReading, patient: Patient, batch_id: int) -> str:
        """The first exposure to a drug begins its course; later ones change its dose and move its end."""
        drug = reading.drug.lower()
        dose = (reading.dose_mg, reading.times_per_day)
        course = next((c for c in enrol.courses_of(self.session, patient.id) if c.drug == drug), None)
        if course is None:
            protocol = f"{drug}_us" if f"{drug}_us" in protocols() else ""
            details = {"protocol_id": protocol, "drug": drug, "started_on": reading.started_on, "stopped_on": reading.ended_on}
            enrol.add_course(self.session, self.actor, patient, details, dose, batch_id)
            return FILED
        known = enrol.events_of(self.session, course.id)
        if any((e.on, e.kind, (e.dose_mg, e.times_per_day)) == (reading.started_on, "dose", dose) for e in known):
            return DUPLICATE
        if reading.started_on < course.started_on:
            raise Refused(f"The exposure from {reading.started_on} is before the course's first on {course.started_on}: sort the rows by date.")
        end = reading.ended_on
        if course.stopped_on is not None and (end is None or end > course.stopped_on):
            enrol.correct(
                self.session, self.actor, course, {"stopped_on": end}, patient=patient, reason="a later exposure in the same file"
            )
        details = {"on": reading.started_on, "kind": "dose", "dose_mg": dose[0], "times_per_day": dose[1], "batch_id": batch_id}
        enrol.add_course_event(self.session, self.actor, patient, course, details)
        return FILED

    def _event(self, reading: EventReading, patient: Patient, batch_id: int) -> str:
        details = reading._asdict()
        del details["mrn"]
        same = self.session.scalars(
            select(AdverseEvent).where(
                AdverseEvent.patient_id == patient.id, AdverseEvent.term == reading.term, AdverseEvent.voided_at.is_(None),
                AdverseEvent.onset_on == reading.onset_on, AdverseEvent.onset_text == reading.onset_text,
                AdverseEvent.source_key == reading.source_key,
            )
        ).first()  # fmt: skip
        if same is None:
            enrol.add_event(self.session, self.actor, patient, details | {"batch_id": batch_id})
            return FILED
        newer = {n: v for n, v in details.items() if v not in (None, "") and getattr(same, n) != v}
        if not newer:
            return DUPLICATE
        enrol.correct(self.session, self.actor, same, newer, patient=patient, reason="a later state of the same event, from a file")
        return FILED

    def _medication(self, reading: MedicationReading, patient: Patient, batch_id: int) -> str:
        details = {
            "name": reading.name, "interaction": ";".join(reading.interactions),
            "started_on": reading.started_on, "stopped_on": reading.stopped_on,
        }  # fmt: skip
        same = self.session.scalars(
            select(Medication).where(
                Medication.patient_id == patient.id, Medication.voided_at.is_(None), Medication.name == reading.name,
                Medication.started_on == reading.started_on,
            )
        ).first()  # fmt: skip
        if same is None:
            enrol.add_medication(self.session, self.actor, patient, details | {"batch_id": batch_id})
            return FILED
        changed = enrol.correct(
            self.session, self.actor, same, details, patient=patient, reason="a later state of the same drug, from a file"
        )
        return FILED if changed else DUPLICATE

    def _observation(self, reading: ObservationReading, patient: Patient, batch_id: int) -> str:
        same = select(Observation.id).where(
            Observation.patient_id == patient.id, Observation.on == reading.on, Observation.kind == reading.kind,
            Observation.value == reading.value, Observation.voided_at.is_(None),
        )  # fmt: skip
        if self.session.execute(same).first():
            return DUPLICATE
        enrol.add_observation(self.session, self.actor, patient, reading.on, reading.kind, reading.value, batch_id)
        return FILED

    # ------------------------------------------------------------------------------------------ judging

    def judge(self) -> Changes:
        """Judge everybody the files touched, clinic by clinic."""
        total = Changes()
        for clinic_id, patient_ids in self.affected.items():
            today = self.actor.today(enrol.zone_of(self.session, clinic_id))
            changes = evaluate(
                self.session, clinic_id, patient_ids, self.actor.utc, today, amended=frozenset(self.amended)
            )
            for name in ("opened", "changed", "cleared"):
                getattr(total, name).extend(getattr(changes, name))
            total.patients += changes.patients
            total.results += changes.results
        return total


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
