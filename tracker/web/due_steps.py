"""The checks of one patient that are due: taken on, put off with a reason, or no longer put off."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import InputRequired

from tracker.domain.errors import Refused
from tracker.domain.schedule import NOT_DUE
from tracker.operations import due_steps
from tracker.operations.evaluate import rejudge
from tracker.queries import waivers
from tracker.queries.due import items_of
from tracker.queries.patients import dosing
from tracker.queries.review import names
from tracker.web.access import current_actor, get_patient
from tracker.web.amending import tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import DayField, TextField
from tracker.web.filters import count, zone
from tracker.web.forms import Form, refuse
from tracker.web.sign_in import own_path

screen = Blueprint("due_steps", __name__)


class PutOffForm(Form):
    until = DayField("Put off until", [InputRequired("Until which day?")])
    reason = TextField("Why", [InputRequired("Why is it put off?")], longest=500)


@screen.get("/patients/<int:patient_id>/due")
def show(patient_id: int) -> ResponseReturnValue:
    return _page(patient_id, PutOffForm(None), request.args.getlist("subject"))


def _page(patient_id: int, form: PutOffForm, chosen: list[str]) -> str:
    session = reading()
    patient = get_patient(session, patient_id)
    items = [item for item in items_of(session, patient, today(zone())) if item.state != NOT_DUE or item.waived]
    owners = waivers.owners(session, [patient.id])
    return render_template(
        "due/patient.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        items=items,
        owners={subject: owner for (_, subject), owner in owners.items()},
        people=names(session, set(owners.values())),
        steps=waivers.steps(session, patient.id),
        version=due_steps.seen(session, patient.id),
        form=form,
        chosen=chosen,
    )


@screen.post("/patients/<int:patient_id>/due")
def put_off(patient_id: int) -> ResponseReturnValue:
    """Put the ticked checks off until a day, with a reason."""
    form, chosen = PutOffForm(), request.form.getlist("subject")
    if form.validate():
        given: dict[str, Any] = form.data
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                due_steps.put_off(
                    session, actor, patient, chosen, given["until"], given["reason"], today(zone()), _version()
                )
                changes = rejudge(session, actor, patient)
        except Refused as error:
            refuse(form, error)
        else:
            tell(f"{count(len(chosen), 'check')} of {patient.full_name} put off.", changes)
            return redirect(url_for("due_steps.show", patient_id=patient_id), 303)
    return _page(patient_id, form, chosen), 422


@screen.post("/patients/<int:patient_id>/due/back")
def bring_back(patient_id: int) -> ResponseReturnValue:
    """A check is no longer put off."""
    with writing() as session:
        actor, patient = current_actor(), get_patient(session, patient_id)
        due_steps.bring_back(session, actor, patient, request.form.get("subject", ""), today(zone()), _version())
        changes = rejudge(session, actor, patient)
    tell("No longer put off.", changes)
    return redirect(url_for("due_steps.show", patient_id=patient_id), 303)


@screen.post("/patients/<int:patient_id>/due/take")
def take(patient_id: int) -> ResponseReturnValue:
    """Care for these checks from now on."""
    with writing() as session:
        patient = get_patient(session, patient_id)
        due_steps.take(session, current_actor(), patient, request.form.getlist("subject"), today(zone()))
    flash(f"You care for what is due of {patient.full_name}, {patient.mrn}.")
    return redirect(own_path(request.form.get("next")), 303)


def _version() -> int:
    return request.form.get("version", -1, type=int)
