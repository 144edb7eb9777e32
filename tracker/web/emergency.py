"""Emergencies: opening another clinic's patient, and the list of alerts at the patient's clinic."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from wtforms.validators import DataRequired, InputRequired

from tracker.domain.errors import Refused
from tracker.models import Clinic
from tracker.operations import emergency
from tracker.queries import lookers
from tracker.web.access import current_actor, current_clinics
from tracker.web.amending import FEW_WORDS
from tracker.web.database import EVERYWHERE, reading, writing
from tracker.web.fields import ChoiceField, LongTextField, TextField
from tracker.web.forms import Form, refuse

screen = Blueprint("emergency", __name__)


class OpenForm(Form):
    clinic = ChoiceField("Clinic of the patient", [InputRequired("Choose the clinic.")])
    mrn = TextField("Record number, exactly", [DataRequired("The whole record number is needed.")], longest=60)
    reason = LongTextField("Why it cannot wait", [InputRequired("Say why this cannot wait.")], longest=500)


class CloseForm(Form):
    comment = LongTextField("What you found", FEW_WORDS, longest=500)


@screen.get("/emergency")
def new() -> ResponseReturnValue:
    return _asking(_form())


@screen.get("/emergency/alerts")
def alerts() -> ResponseReturnValue:
    return _alerts(CloseForm())


@screen.post("/emergency")
def open_record() -> ResponseReturnValue:
    form = _form()
    if not form.validate():
        return _asking(form), 422
    given = form.data
    try:
        with writing(EVERYWHERE) as session:
            found = emergency.open_record(
                session, current_actor(), current_clinics(), int(given["clinic"]), given["mrn"], given["reason"]
            )
    except Refused as error:
        refuse(form, error, "reason" if "why" in str(error) else "clinic")
        return _asking(form), 422
    if found is None:
        refuse(form, Refused("That clinic has no patient with exactly this number. The try is on record."), "mrn")
        return _asking(form), 422
    return redirect(url_for("patients.show", patient_id=found.patient_id), 303)


@screen.post("/emergency/alerts/<int:access_id>/close")
def close(access_id: int) -> ResponseReturnValue:
    form = CloseForm()
    if not form.validate():
        return _alerts(form, access_id), 422
    with writing() as session:
        emergency.close_alert(session, current_actor(), current_clinics(), access_id, form.data["comment"])
    flash("The alert is closed, and the access has ended.")
    return redirect(url_for("emergency.alerts"), 303)


def _form() -> OpenForm:
    """With the clinics that this person does not work at."""
    form = OpenForm()
    others = select(Clinic.id, Clinic.name).where(Clinic.id.not_in(current_clinics())).order_by(Clinic.name)
    form.clinic.choices = [("", "Choose…"), *((str(key), name) for key, name in reading().execute(others))]
    return form


def _asking(form: OpenForm) -> str:
    minutes = int(emergency.LASTS.total_seconds()) // 60
    return render_template("emergency/new.html", form=form, minutes=minutes)


def _alerts(form: CloseForm, chosen: int | None = None) -> str:
    session, mine = reading(), current_clinics()
    return render_template(
        "emergency/alerts.html",
        to_close=lookers.alerts(session, mine, closed=False),
        closed=lookers.alerts(session, mine, closed=True),
        form=form,
        chosen=chosen,
    )
