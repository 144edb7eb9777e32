"""One result: what judged it, its versions, where it came from; corrected or voided with a reason."""

from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import BooleanField, SelectField
from wtforms.validators import InputRequired, Length

from tracker.domain.errors import Refused, Stale
from tracker.domain.readings import LabReading, Moment
from tracker.domain.values import plain
from tracker.library.analytes import ANALYTES
from tracker.models import LabResult, Patient
from tracker.operations import correction
from tracker.operations.record import NotRecordable
from tracker.operations.sheet import Header, moment_of
from tracker.queries import panel, patients
from tracker.web.access import current_actor, get_patient, get_result, may
from tracker.web.amending import tell
from tracker.web.database import reading, writing
from tracker.web.fields import DayField, FastingField, FigureField, LongTextField, TextField
from tracker.web.filters import unit, zone
from tracker.web.forms import Form, refuse

screen = Blueprint("results", __name__)

WHY = [InputRequired("Say why."), Length(min=5, message="Say in a few words why: five letters or more.")]
FIELDS = {"value": "value", "collected_at": "day", "unit": "unit", "recorded_at": "day"}  # of the record, to the form


class CorrectionForm(Form):
    """The result as it should be. `confirmed` is asked for where the value is unusual."""

    value = TextField("Value", [InputRequired("What is the value?")], longest=60)
    unit = SelectField("Unit", validate_choice=False)
    low = FigureField("Printed range, from")
    high = FigureField("to")
    day = DayField("Sample taken on", [InputRequired("On which day was the sample taken?")])
    time = TextField("Time", longest=20)
    laboratory = TextField("Laboratory")
    accession = TextField("Accession number", longest=80)
    fasting = FastingField()
    confirmed = BooleanField("The value is right as it stands here")
    reason = LongTextField("Why it is corrected", WHY, longest=500)


class VoidForm(Form):
    """Why a result is taken out."""

    reason = LongTextField("Why it is voided", WHY, longest=500)


class Forms(NamedTuple):
    """The forms of the page as they stand, and which of them was sent."""

    correction: CorrectionForm
    void: VoidForm
    sent: str = ""
    asked: bool = False
    clash: str = ""


@screen.get("/results/<int:result_id>")
def show(result_id: int) -> ResponseReturnValue:
    session = reading()
    result = get_result(session, result_id)
    return _page(session, result, Forms(_form_of(result), VoidForm(prefix="void")))


@screen.post("/results/<int:result_id>/correct")
def correct(result_id: int) -> ResponseReturnValue:
    form = CorrectionForm()
    asked = False
    if form.validate():
        try:
            with writing() as session:
                result = get_result(session, result_id)
                patient = get_patient(session, result.patient_id)
                read = _reading(form, result, patient)
                new, changes = correction.correct(
                    session, current_actor(), patient, result, read, form.reason.data or "", form.confirmed.data
                )
        except Stale as error:
            return _clash(result_id, Forms(form, VoidForm(formdata=None, prefix="void"), "correct", clash=str(error)))
        except correction.Asked as error:
            refuse(form, error, "value")
            asked = True
        except NotRecordable as error:
            refuse(form, error, FIELDS.get(error.column, "value"))
        except Refused as error:
            refuse(form, error)
        else:
            tell("The result is corrected.", changes)
            return redirect(url_for("results.show", result_id=new.id), 303)
    session = reading()
    forms = Forms(form, VoidForm(formdata=None, prefix="void"), "correct", asked or bool(form.confirmed.data))
    return _page(session, get_result(session, result_id), forms), 422


@screen.post("/results/<int:result_id>/void")
def void(result_id: int) -> ResponseReturnValue:
    form = VoidForm(prefix="void")
    if form.validate():
        try:
            with writing() as session:
                result = get_result(session, result_id)
                patient = get_patient(session, result.patient_id)
                changes = correction.void(session, current_actor(), patient, result, form.reason.data or "")
        except Stale as error:
            return _clash(result_id, Forms(CorrectionForm(formdata=None), form, "void", clash=str(error)))
        tell("The result is voided.", changes)
        return redirect(url_for("results.show", result_id=result_id), 303)
    session = reading()
    result = get_result(session, result_id)
    return _page(session, result, Forms(_form_of(result), form, "void")), 422


# ---------------------------------------------------------------------------------------------- shared


def _clash(result_id: int, forms: Forms) -> ResponseReturnValue:
    """Somebody saved first: the version in force, with what was typed still in the form."""
    session = reading()
    newest = panel.in_force(session, get_result(session, result_id))
    form = forms.correction
    if form.value.data is None:
        form = _form_of(newest)
    return _page(session, newest, forms._replace(correction=form)), 409


def _reading(form: CorrectionForm, old: LabResult, patient: Patient) -> LabReading:
    typed: dict[str, Any] = form.data
    header = Header(typed["day"], typed["time"] or "", typed["laboratory"] or "", typed["accession"] or "")
    # Untouched, it keeps its seconds, and in autumn its hour.
    untouched = (header.on, header.time) == (old.collected_on, _time_of(old))
    collected = Moment(old.collected_at, old.collected_on, old.time_known) if untouched else moment_of(header, zone())
    name = old.analyte or old.subject
    return LabReading(
        patient.mrn, collected, name, typed["value"] or "", typed["unit"] or "", typed["low"], typed["high"],
        old.lab_flag, header.laboratory, header.accession, local_code=old.local_code, comment=old.comment,
        sub_id=old.sub_id, mapped=old.analyte if old.mapping_id else "", mapping_id=old.mapping_id,
        fasting=form.fasting.said if form.fasting.raw_data else old.fasting,
    )  # fmt: skip


def _form_of(result: LabResult) -> CorrectionForm:
    """The form filled with what is on file."""
    return CorrectionForm(
        formdata=None, value=_written(result), unit=result.unit, low=result.ref_low, high=result.ref_high,
        day=result.collected_on, time=_time_of(result), laboratory=result.laboratory,
        accession=result.accession, fasting=FastingField.written(result.fasting),
    )  # fmt: skip


def _time_of(result: LabResult) -> str:
    return f"{result.collected_at.astimezone(zone()):%H:%M}" if result.time_known else ""


def _written(result: LabResult) -> str:
    return result.text if result.figure is None else f"{result.comparator}{plain(result.figure)}"


def _units(result: LabResult, typed: str) -> list[tuple[str, str]]:
    analyte = ANALYTES.get(result.analyte)
    known = [*(analyte.units if analyte else ()), result.unit, typed]
    return [(name, unit(name) or "none") for name in dict.fromkeys(known)]


def _page(session: Session, shown: LabResult, forms: Forms) -> str:
    patient = get_patient(session, shown.patient_id)
    newest = panel.in_force(session, shown)
    versions = patients.versions(session, newest)
    judged: Any = panel.judged(session, patient, [shown])[0]
    forms.correction.unit.choices = _units(shown, forms.correction.unit.data or "")
    return render_template(
        "results/show.html", patient=patient, dosing=patients.dosing(session, patient.id), result=shown, newest=newest,
        judged=judged, versions=versions, origins=panel.origins(session, versions),
        yardsticks=panel.yardsticks_of(session, patient, shown), forms_here=forms, analyte=ANALYTES.get(shown.analyte),
        flags=panel.resting_on(session, patient.id, [shown.id]),
        editable=shown.retired_at is None and may("results.correct"),
        name=ANALYTES[shown.analyte].name if shown.analyte in ANALYTES else shown.subject,
    )  # fmt: skip
