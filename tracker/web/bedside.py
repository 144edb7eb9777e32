"""Seen and taken beside the drug that is watched: weight, scores, vaccinations, and the patient's other drugs."""

from datetime import date
from typing import NamedTuple

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import Field, SelectMultipleField
from wtforms.validators import DataRequired, InputRequired, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.domain.errors import Refused, Stale
from tracker.models import Medication, Observation
from tracker.operations.duplicates import refuse_twice
from tracker.operations.enrol import OBSERVATION_KINDS, add_medication, add_observation, correct, void
from tracker.operations.evaluate import Changes, rejudge
from tracker.queries.patients import dosing
from tracker.web.access import current_actor, get_medication, get_observation, get_patient
from tracker.web.amending import VoidForm, tell
from tracker.web.database import reading, writing
from tracker.web.fields import ChoiceField, DayField, TextField
from tracker.web.filters import day
from tracker.web.forms import Form, refuse

screen = Blueprint("bedside", __name__)

INTERACTIONS = {
    "strong_cyp3a4_inhibitor": "strong CYP3A4 inhibitor",
    "moderate_cyp3a4_inhibitor": "moderate CYP3A4 inhibitor",
    "strong_cyp2c19_inhibitor": "strong CYP2C19 inhibitor",
    "cyp2c9_inhibitor": "CYP2C9 inhibitor",
    "strong_cyp3a4_inducer": "strong CYP3A4 inducer",
    "strong_oat3_inhibitor": "strong OAT3 inhibitor",
    "immunosuppressant": "immunosuppressant",
    "anticoagulant": "anticoagulant",
}


class Kind(NamedTuple):
    """One thing that is observed: its name, its unit, what to write, and its only words where there are such."""

    label: str
    unit: str = ""
    hint: str = ""
    words: tuple[str, ...] = ()

    def written(self, value: str) -> str:
        """A value with its unit, which stands before how long it lasted: `38.1 °C for 1 h`."""
        figure, lasted, time = value.partition(" for ") if self.unit else (value, "", "")
        return f"{figure} {self.unit}".rstrip() + lasted + time


KINDS = {
    "weight_kg": Kind("Weight", "kg", "in kg"),
    "temperature_c": Kind("Temperature", "°C", "in °C, such as 38.4; with how long it lasted, such as 38.1 for 1 h"),
    "salt": Kind("SALT score", "of 100", "0 to 100, decimals allowed"),
    "child_pugh": Kind("Child-Pugh class", words=("A", "B", "C")),
    "cyp2c9": Kind("CYP2C9 metaboliser", words=("poor", "intermediate", "normal")),
    "zoster_vaccine": Kind("Zoster vaccine", hint="which one and how many doses, or “not given”"),
    "pregnancy_status": Kind("Pregnancy", words=("not pregnant", "pregnant")),
    "boxed_risk": Kind(
        "Boxed-risk profile",
        hint="age, smoking, heart and vessels, malignancy, thrombosis: “none”, or which and why no alternative",
    ),
}
assert set(KINDS) == set(OBSERVATION_KINDS)


class MedicationForm(Form):
    name = TextField("Drug", [DataRequired("Which drug?")])
    interaction = SelectMultipleField(
        "It is",
        [Optional()],
        choices=list(INTERACTIONS.items()),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    started_on = DayField("Taken since", [Optional()])
    stopped_on = DayField("Taken until", [Optional()])


class ObservationForm(Form):
    kind = ChoiceField(
        "What", [InputRequired("What was observed?")], choices=[(code, kind.label) for code, kind in KINDS.items()]
    )
    value = TextField("Value", [DataRequired("Which value?")], longest=60)
    on = DayField("On", [InputRequired("On which day?")])

    def validate_value(self, field: Field) -> None:
        words = KINDS[self.kind.data].words if self.kind.data in KINDS else ()
        said = next((word for word in words if word.casefold() == field.data.casefold()), None)
        if words and said is None:
            raise ValidationError(f"Write {', '.join(words[:-1])} or {words[-1]}.")
        field.data = said or field.data


class StopForm(Form):
    stopped_on = DayField("Taken until", [InputRequired("Until which day?")])


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/medications/new")
def new_drug(patient_id: int) -> ResponseReturnValue:
    return _adding(patient_id, MedicationForm(prefix="drug"))


@screen.get("/patients/<int:patient_id>/observations/new")
def new_seen(patient_id: int) -> ResponseReturnValue:
    return _adding(patient_id, ObservationForm(prefix="seen"))


@screen.get("/medications/<int:medication_id>")
def drug(medication_id: int) -> ResponseReturnValue:
    return _drug(medication_id, StopForm(prefix="stop"), VoidForm())


@screen.get("/observations/<int:observation_id>")
def seen(observation_id: int) -> ResponseReturnValue:
    return _seen(observation_id, VoidForm())


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/medications/new")
def add_drug(patient_id: int) -> ResponseReturnValue:
    form = MedicationForm(prefix="drug")
    if form.validate():
        details = {name: form.data[name] for name in ("name", "started_on", "stopped_on")}
        details["interaction"] = ";".join(form.interaction.data or ())
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                refuse_twice(session, patient, Medication, details)
                add_medication(session, actor, patient, details)
                done = rejudge(session, actor, patient)
        except Refused as error:
            refuse(form, error, "name")
        else:
            tell(f"{form.name.data} is on record.", done)
            return redirect(url_for("patients.show", patient_id=patient_id, _anchor="drugs"), 303)
    return _adding(patient_id, form), 422


@screen.post("/patients/<int:patient_id>/observations/new")
def add_seen(patient_id: int) -> ResponseReturnValue:
    form = ObservationForm(prefix="seen")
    if form.validate():
        given = form.data
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                refuse_twice(session, patient, Observation, given)
                add_observation(session, actor, patient, given["on"], given["kind"], given["value"])
                done = rejudge(session, actor, patient)
        except Refused as error:
            refuse(form, error, "value")
        else:
            tell(f"{KINDS[given['kind']].label} is on record.", done)
            return redirect(url_for("patients.show", patient_id=patient_id, _anchor="seen"), 303)
    return _adding(patient_id, form), 422


@screen.post("/medications/<int:medication_id>/stop")
def stop_drug(medication_id: int) -> ResponseReturnValue:
    form = StopForm(prefix="stop")
    if form.validate():
        try:
            with writing() as session:
                row = get_medication(session, medication_id)
                done = _stop(session, row, form.data["stopped_on"])
        except Refused as error:
            refuse(form, error, "stopped_on")
        else:
            tell(f"{row.name}: taken until {day(row.stopped_on)}.", done)
            return redirect(url_for("patients.show", patient_id=row.patient_id, _anchor="drugs"), 303)
    return _drug(medication_id, form, VoidForm(None)), 422


@screen.post("/medications/<int:medication_id>/void")
def void_drug(medication_id: int) -> ResponseReturnValue:
    form = VoidForm()
    if not form.validate():
        return _drug(medication_id, StopForm(None, prefix="stop"), form), 422
    with writing() as session:
        row = get_medication(session, medication_id)
        done = _void(session, row, form)
    tell(f"{row.name}: taken out of the record.", done)
    return redirect(url_for("patients.show", patient_id=row.patient_id, _anchor="drugs"), 303)


@screen.post("/observations/<int:observation_id>/void")
def void_seen(observation_id: int) -> ResponseReturnValue:
    form = VoidForm()
    if not form.validate():
        return _seen(observation_id, form), 422
    with writing() as session:
        row = get_observation(session, observation_id)
        done = _void(session, row, form)
    tell(f"{label(row)}: taken out of the record.", done)
    return redirect(url_for("patients.show", patient_id=row.patient_id, _anchor="seen"), 303)


# ---------------------------------------------------------------------------------------------- shared


def label(row: Observation) -> str:
    """What was observed, in words."""
    return KINDS[row.kind].label if row.kind in KINDS else row.kind


def _adding(patient_id: int, form: MedicationForm | ObservationForm) -> str:
    session = reading()
    patient, taken = get_patient(session, patient_id), dosing(session, patient_id)
    template = "bedside/new_drug.html" if isinstance(form, MedicationForm) else "bedside/new_seen.html"
    return render_template(template, patient=patient, dosing=taken, form=form, kinds=KINDS)


def _drug(medication_id: int, stop: StopForm, form: VoidForm) -> str:
    session = reading()
    row = get_medication(session, medication_id)
    patient, taken = get_patient(session, row.patient_id), dosing(session, row.patient_id)
    return render_template(
        "bedside/drug.html", patient=patient, dosing=taken, row=row, stop=stop, form=form, classes=INTERACTIONS
    )


def _seen(observation_id: int, form: VoidForm) -> str:
    session = reading()
    row = get_observation(session, observation_id)
    patient, taken = get_patient(session, row.patient_id), dosing(session, row.patient_id)
    return render_template("bedside/seen.html", patient=patient, dosing=taken, row=row, form=form, kinds=KINDS)


def _stop(session: Session, row: Medication, on: date) -> Changes:
    """The end of another drug. Raises Refused before its start, Stale where an end was recorded meanwhile."""
    actor, patient = current_actor(), get_patient(session, row.patient_id)
    session.refresh(row, with_for_update=True)
    if row.stopped_on is not None or row.voided_at is not None:
        raise Stale("The end of this drug was recorded meanwhile.")
    if row.started_on is not None and on < row.started_on:
        raise Refused(f"The drug was started on {row.started_on}, after that day.")
    correct(session, actor, row, {"stopped_on": on}, patient=patient, reason="no longer taken")
    return rejudge(session, actor, patient)


def _void(session: Session, row: Medication | Observation, form: VoidForm) -> Changes:
    actor, patient = current_actor(), get_patient(session, row.patient_id)
    session.refresh(row, with_for_update=True)
    void(session, actor, row, patient=patient, reason=form.data["reason"])
    return rejudge(session, actor, patient)
