"""One row of each kind but results is filed here: what is new is enrolled, what stands already is a duplicate, what
differs is refused or, where a later state of the same thing is meant, brought up to date with a reason.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CourseEventReading,
    CourseReading,
    DocumentReading,
    EventReading,
    ExposureReading,
    MedicationReading,
    ObservationReading,
    PatientReading,
    RangeReading,
)
from tracker.library.protocols import protocols
from tracker.models import AdverseEvent, Base, Clinic, Medication, Observation, Patient
from tracker.operations import attachments, audit, changes, configure, enrol
from tracker.operations.actor import Actor
from tracker.operations.record import DUPLICATE, FILED

UNKNOWN = (None, "", "unknown")


class AnotherPerson(Refused):
    """A record number that stands for somebody born on another day: nothing of that file may go to them."""


class Found:
    """A patient as the importer meets them."""

    __slots__ = ("birth_date", "clinic_id", "id")

    def __init__(self, id: int, clinic_id: int, birth_date: date | None) -> None:
        self.id, self.clinic_id, self.birth_date = id, clinic_id, birth_date


class Filer:
    """Files single rows in the caller's transaction.

    `people` and `affected` are shared with the importer: whom a record number means, and whom to judge, by clinic.
    `largest`: the most bytes that a document may have.
    """

    def __init__(
        self, session: Session, actor: Actor, clinics: list[Clinic], may_configure: bool, largest: int
    ) -> None:
        self.session = session
        self.actor = actor
        self.clinics = clinics
        self.may_configure = may_configure
        self.largest = largest
        self.people: dict[str, list[Found]] = {}
        self.affected: dict[int, set[int]] = {}

    def touch(self, found: Found) -> None:
        """This patient has to be judged again."""
        self.affected.setdefault(found.clinic_id, set()).add(found.id)

    def file(self, reading: Any, batch_id: int, found: Found | None) -> str:
        """File one row: `filed` or `duplicate`. `found` is whose it is, for every kind but patients and ranges.

        Raises Refused.
        """
        if isinstance(reading, PatientReading):
            return self._patient(reading, batch_id)
        if isinstance(reading, RangeReading):
            return self._range(reading)
        assert found is not None  # every other kind was matched before
        file_one: dict[type, Callable[[Any, Patient, int], str]] = {
            CourseReading: self._course,
            CourseEventReading: self._course_event,
            ExposureReading: self._exposure,
            EventReading: self._event,
            MedicationReading: self._medication,
            ObservationReading: self._observation,
            DocumentReading: self._document,
        }
        return file_one[type(reading)](reading, enrol.patient_by_id(self.session, found.id), batch_id)

    def _patient(self, reading: PatientReading, batch_id: int) -> str:
        clinic = self._clinic(reading.clinic) if reading.clinic else self._where(reading.mrn)
        old = self.session.scalars(
            select(Patient).where(Patient.clinic_id == clinic.id, Patient.mrn == reading.mrn)
        ).first()
        details = {
            "mrn": reading.mrn, "family_name": reading.family_name, "given_name": reading.given_name,
            "birth_date": reading.birth_date, "sex": reading.sex,
            "stated_age": reading.stated_age, "stated_age_on": reading.stated_age_on,
        }  # fmt: skip
        if old is not None:
            outcome = self._same_patient(old, details, batch_id)
            if reading.weight_kg is not None:
                outcome = self._weight(old, reading, outcome, batch_id)
            return outcome
        patient = enrol.add_patient(self.session, self.actor, clinic.id, details | {"batch_id": batch_id})
        self.people.pop(reading.mrn, None)  # looked up anew: another clinic may have that number too
        self.touch(Found(patient.id, clinic.id, patient.birth_date))
        if reading.weight_kg is not None:
            self._weight(patient, reading, FILED, batch_id)
        return FILED

    def _correct(self, row: Base, patient: Patient, details: dict[str, Any], reason: str, batch_id: int) -> bool:
        """Bring a row that stood before up to date, and keep what it was: undoing the file puts it back."""
        before = {name: audit.plain(getattr(row, name)) for name in details}
        changed = enrol.correct(self.session, self.actor, row, details, patient=patient, reason=reason)
        after = {name: audit.plain(getattr(row, name)) for name in details}
        if changed:
            changes.keep(self.session, patient, batch_id, row, before, after)
        return changed

    def _same_patient(self, old: Patient, details: dict[str, Any], batch_id: int) -> str:
        """A patient already here: what was not known is filled in, what differs is refused, never overwritten by a
        file.
        """
        unknown = (None, "", "unknown")
        differing = [n for n, v in details.items() if v not in unknown and getattr(old, n) not in (*unknown, v)]
        if differing:
            what = ", ".join(name.replace("_", " ") for name in differing)
            raise (AnotherPerson if "birth_date" in differing else Refused)(
                f"Patient {old.mrn} is on record with another {what}: correct it on the patient's page, with a reason."
            )
        filled = {n: v for n, v in details.items() if v not in unknown and getattr(old, n) in unknown}
        if not filled:
            return DUPLICATE
        self._correct(old, old, filled, "filled in from a file", batch_id)
        self.touch(Found(old.id, old.clinic_id, old.birth_date))
        self.people.pop(old.mrn, None)
        return FILED

    def _weight(self, patient: Patient, reading: PatientReading, outcome: str, batch_id: int) -> str:
        """A weight without a date stands at the day of import, and its batch (a table of patients) says that it has
        none; the same figure again changes nothing.
        """
        value = format(reading.weight_kg, "f") if reading.weight_kg is not None else ""
        last = select(Observation.value).where(
            Observation.patient_id == patient.id, Observation.kind == "weight_kg", Observation.voided_at.is_(None)
        )
        if value in self.session.scalars(last):
            return outcome
        today = self.actor.today(enrol.zone_of(self.session, patient.clinic_id))
        enrol.add_observation(self.session, self.actor, patient, today, "weight_kg", value, batch_id)
        self.touch(Found(patient.id, patient.clinic_id, patient.birth_date))
        return FILED

    def _where(self, mrn: str) -> Clinic:
        """The clinic of a row that names none. Of several it is the first, unless another has that number: who is meant
        is not guessed then. Raises Refused.
        """
        if len(self.clinics) == 1:
            return self.clinics[0]
        having = select(Patient.clinic_id).where(
            Patient.mrn == mrn, Patient.clinic_id.in_([clinic.id for clinic in self.clinics])
        )
        found = set(self.session.scalars(having))
        if found <= {self.clinics[0].id}:
            return self.clinics[0]
        codes = " and ".join(clinic.code for clinic in self.clinics if clinic.id in found)
        raise Refused(f"Record number {mrn} is known at {codes}, and the row names no clinic: name the clinic in it.")

    def _clinic(self, name: str) -> Clinic:
        for clinic in self.clinics:
            if name.casefold() in (clinic.code.casefold(), clinic.name.casefold()):
                return clinic
        if not self.may_configure:
            raise Refused(f"“{name}” is not a clinic you work in.")
        clinic = configure.add_clinic(self.session, self.actor, name, name, self.clinics[0].time_zone)
        configure.take_over_ranges(self.session, self.actor, self.clinics[0], clinic)
        self.clinics.append(clinic)
        return clinic

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
                    enrol.check_course_dates(patient, course.started_on, reading.stopped_on)
                    reason = reading.stop_reason or "stopped (from a file)"
                    end = {"stopped_on": reading.stopped_on, "stop_reason": reason}
                    self._correct(course, patient, end, reason, batch_id)
                    return FILED
                return DUPLICATE
        details = {
            "protocol_id": reading.protocol, "drug": reading.drug, "indication": reading.indication,
            "started_on": reading.started_on, "stopped_on": reading.stopped_on, "stop_reason": reading.stop_reason,
        }  # fmt: skip
        enrol.add_course(self.session, self.actor, patient, details, (reading.dose_mg, reading.times_per_day), batch_id)
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
            details = {
                "protocol_id": protocol,
                "drug": drug,
                "started_on": reading.started_on,
                "stopped_on": reading.ended_on,
            }
            enrol.add_course(self.session, self.actor, patient, details, dose, batch_id)
            return FILED
        known = enrol.events_of(self.session, course.id)
        if any((e.on, e.kind, (e.dose_mg, e.times_per_day)) == (reading.started_on, "dose", dose) for e in known):
            return DUPLICATE
        if reading.started_on < course.started_on:
            raise Refused(
                f"The exposure from {reading.started_on} is before the course's first on {course.started_on}:"
                " sort the rows by date."
            )
        end = reading.ended_on
        if course.stopped_on is not None and (end is None or end > course.stopped_on):
            self._correct(course, patient, {"stopped_on": end}, "a later exposure in the same file", batch_id)
        details = {
            "on": reading.started_on,
            "kind": "dose",
            "dose_mg": dose[0],
            "times_per_day": dose[1],
            "batch_id": batch_id,
        }
        enrol.add_course_event(self.session, self.actor, patient, course, details)
        return FILED

    def _event(self, reading: EventReading, patient: Patient, batch_id: int) -> str:
        details = reading._asdict()
        del details["mrn"]
        same = self.session.scalars(
            select(AdverseEvent).where(
                AdverseEvent.patient_id == patient.id,
                AdverseEvent.term == reading.term,
                AdverseEvent.voided_at.is_(None),
                AdverseEvent.onset_on == reading.onset_on,
                AdverseEvent.onset_text == reading.onset_text,
                AdverseEvent.source_key == reading.source_key,
            )
        ).first()
        if same is None:
            enrol.add_event(self.session, self.actor, patient, details | {"batch_id": batch_id})
            return FILED
        newer = {n: v for n, v in details.items() if v not in (None, "") and getattr(same, n) != v}
        if not newer:
            return DUPLICATE
        self._correct(same, patient, newer, "a later state of the same event, from a file", batch_id)
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
        told = {name: value for name, value in details.items() if value not in (None, "")}  # empty is "not known"
        changed = self._correct(same, patient, told, "a later state of the same drug, from a file", batch_id)
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

    def _document(self, reading: DocumentReading, patient: Patient, batch_id: int) -> str:
        new = attachments.attach_sent(self.session, self.actor, patient, reading, batch_id, self.largest)
        return FILED if new else DUPLICATE
