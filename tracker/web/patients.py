"""Patients: the list, who somebody is, and the record of one: courses, events, other drugs, observations, last labs."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import DataRequired, InputRequired, Optional

from tracker.domain.errors import Refused, Stale
from tracker.models import Clinic, Patient
from tracker.operations.enrol import add_patient
from tracker.operations.evaluate import rejudge
from tracker.operations.person import correct_person
from tracker.operations.tray import release
from tracker.queries import attachments, patient_card, patient_list, trail
from tracker.queries.patients import dosing, flags, record
from tracker.web.access import current_actor, current_clinic, get_patient
from tracker.web.amending import clash, tell
from tracker.web.attachments import blank, largest
from tracker.web.bedside import INTERACTIONS, KINDS, MedicationForm, ObservationForm
from tracker.web.changed import in_words
from tracker.web.database import reading, writing
from tracker.web.fields import ChoiceField, DayField, LongTextField, TextField, VersionField
from tracker.web.forms import Form, refuse

screen = Blueprint("patients", __name__)
screen.add_app_template_filter(in_words)

SEXES = (("female", "Female"), ("male", "Male"), ("unknown", "Not known"))


class PersonForm(Form):
    mrn = TextField("Record number", [DataRequired("A record number is needed.")], longest=60)
    family_name = TextField("Family name", [Optional()])
    given_name = TextField("Given name", [Optional()])
    birth_date = DayField("Date of birth", [Optional()])
    sex = ChoiceField("Sex", [InputRequired("Choose one; “not known” is an answer.")], choices=SEXES)

    def details(self) -> dict[str, Any]:
        return {name: self[name].data for name in ("mrn", "family_name", "given_name", "birth_date", "sex")}


class CorrectionForm(PersonForm):
    reason = LongTextField("Why it is changed", [InputRequired("Say in a few words why this is changed.")], longest=500)
    version = VersionField()


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients")
def index() -> ResponseReturnValue:
    search = " ".join(request.args.get("q", "").split())[:80]
    after = request.args.get("after", "")[:80]
    rows, following = patient_list.page(reading(), current_clinic().id, search, after)
    return render_template("patients/index.html", rows=rows, following=following, search=search, after=after)


@screen.get("/patients/new")
def new() -> ResponseReturnValue:
    return render_template("patients/new.html", form=PersonForm(), clinic=current_clinic())


@screen.get("/patients/<int:patient_id>")
def show(patient_id: int) -> ResponseReturnValue:
    return _record(get_patient(reading(), patient_id))


@screen.get("/patients/<int:patient_id>/edit")
def edit(patient_id: int) -> ResponseReturnValue:
    patient = get_patient(reading(), patient_id)
    return _editing(patient, CorrectionForm(obj=patient))


@screen.get("/patients/<int:patient_id>/changes")
def changes(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    before = request.args.get("before", type=int)
    entries, following = trail.of_patient(session, patient.id, before)
    return render_template(
        "patients/changes.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        entries=entries,
        following=following,
        before=before,
    )


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/new")
def create() -> ResponseReturnValue:
    form = PersonForm()
    if form.validate():
        try:
            with writing() as session:
                actor = current_actor()
                patient = add_patient(session, actor, current_clinic().id, form.details())
                waited, changes = release(session, actor, session.get_one(Clinic, patient.clinic_id), largest())
        except Refused as error:
            refuse(form, error)
        else:
            rows = f" {waited} rows that waited for this record number were filed." if waited else ""
            enrolled = f"{patient.full_name}, {patient.mrn}, is on record.{rows} Next: the course of treatment."
            tell(enrolled, changes if waited else None)
            return redirect(url_for("patients.show", patient_id=patient.id), 303)
    return render_template("patients/new.html", form=form, clinic=current_clinic()), 422


@screen.post("/patients/<int:patient_id>/edit")
def update(patient_id: int) -> ResponseReturnValue:
    form = CorrectionForm()
    if not form.validate():
        return _editing(get_patient(reading(), patient_id), form), 422
    try:
        with writing() as session:
            actor, patient = current_actor(), get_patient(session, patient_id)
            form.version.check(patient)
            changed = correct_person(session, actor, patient, form.details(), form.data["reason"], patient.version)
            done = rejudge(session, actor, patient) if changed else None
    except Refused as error:
        refuse(form, error)
        return _editing(get_patient(reading(), patient_id), form), 422
    except Stale:
        patient = get_patient(reading(), patient_id)
        form.version.data = str(patient.version)
        return _editing(patient, form, clash(reading(), patient.id, patient)), 409
    tell("Corrected, and judged again." if changed else "Nothing was different, so nothing was stored.", done)
    return redirect(url_for("patients.show", patient_id=patient_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _record(patient: Patient) -> str:
    session = reading()
    clinic = session.get_one(Clinic, patient.clinic_id)  # held here, so that it is read once
    today = current_actor().today(ZoneInfo(clinic.time_zone))
    told = record(session, patient.id)
    entries, _ = trail.of_patient(session, patient.id, size=6)
    return render_template(
        "patients/show.html",
        patient=patient,
        today=today,
        dosing=told.dosing,
        flags=flags(session, patient.id),
        record=told,
        latest=patient_card.latest_results(session, patient, today),
        attached=attachments.of_patient(session, patient.id),
        report_form=blank(),
        entries=entries,
        kinds=KINDS,
        classes=INTERACTIONS,
        drug_form=MedicationForm(None, prefix="drug"),
        seen_form=ObservationForm(None, prefix="seen", on=today),
    )


def _editing(patient: Patient, form: CorrectionForm, other: list[trail.Entry] | None = None) -> str:
    taken = dosing(reading(), patient.id)
    return render_template("patients/edit.html", patient=patient, dosing=taken, form=form, other=other or [])
