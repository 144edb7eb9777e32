"""A patient's own targets: what is wanted of this patient, in versions; a change is a new one, and judges at once."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectField
from wtforms.validators import InputRequired

from tracker.domain.errors import NotFound, Refused
from tracker.models import PatientTarget
from tracker.operations.evaluate import rejudge
from tracker.operations.targets import Wanted, end_target, set_target, try_target
from tracker.queries.patients import dosing
from tracker.queries.targets import Line, in_words, versions
from tracker.web import drafting
from tracker.web.access import current_actor, get_patient
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.bounds_form import MEASURED, UNITS, BoundsForm
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.drafting import Told
from tracker.web.fields import DayField, LongTextField
from tracker.web.filters import zone
from tracker.web.forms import Form, refuse

screen = Blueprint("targets", __name__)

SEVERITIES = {"routine": "routine", "soon": "soon: this week", "info": "for information"}


class TargetForm(BoundsForm):
    severity = SelectField("Outside it the flag is", choices=list(SEVERITIES.items()), default="routine")
    effective_from = DayField("Applies from", [InputRequired("From which day of sampling on?")])
    reason = LongTextField("Why", FEW_WORDS, longest=500)

    def wanted(self) -> Wanted:
        given = self.data | self.bounds()
        return Wanted(
            given["analyte"], given["low"], given["low_op"] == ">=", given["high"], given["high_op"] == "<=",
            given["unit"], given["severity"], given["effective_from"] or today(zone()), given["reason"] or "",
        )  # fmt: skip


class EndForm(Form):
    analyte = HiddenField()
    reason = LongTextField("Why it ends", FEW_WORDS, longest=500)


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/targets")
def show(patient_id: int) -> ResponseReturnValue:
    """The targets and a form for one; `?analyte=HB` begins with what it is now."""
    form = _blank()
    held = _held(patient_id, request.args.get("analyte", ""))
    if held is not None:
        _fill(form, held)
    return _page(patient_id, form)


@screen.post("/patients/<int:patient_id>/targets")
def add(patient_id: int) -> ResponseReturnValue:
    form = TargetForm()
    if form.validate():
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                set_target(session, actor, patient, form.wanted(), _follows())
                done = rejudge(session, actor, patient)
        except Refused as error:
            refuse(form, error, "low")
        else:
            tell(f"Target for {MEASURED[form.analyte.data].name} is set.", done)
            return redirect(url_for("targets.show", patient_id=patient_id), 303)
    return _page(patient_id, form), 422


@screen.post("/patients/<int:patient_id>/targets/check")
def check(patient_id: int) -> ResponseReturnValue:
    """What is understood of a target while it is written, and what it would flag. Stores nothing."""
    form = TargetForm()
    told = _told(patient_id, form)
    return drafting.answer(told, lambda told: _page(patient_id, form, told=told))


@screen.post("/patients/<int:patient_id>/targets/end")
def end(patient_id: int) -> ResponseReturnValue:
    form = EndForm(prefix="end")
    if not form.validate():
        return _page(patient_id, _blank(), form), 422
    held = _held(patient_id, form.data["analyte"])
    if held is None:
        raise NotFound("There is no such target.")
    with writing() as session:
        actor, patient = current_actor(), get_patient(session, patient_id)
        end_target(session, actor, patient, held, form.data["reason"])
        done = rejudge(session, actor, patient)
    tell(f"Target for {MEASURED[held.analyte].name}: none from today on.", done)
    return redirect(url_for("targets.show", patient_id=patient_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _told(patient_id: int, form: TargetForm) -> Told:
    patient = get_patient(reading(), patient_id)
    if wrong := drafting.mistakes(form, ("effective_from", "reason")):
        return Told(wrong=wrong)
    wanted = form.wanted()
    try:
        tried = try_target(reading(), current_actor(), patient, wanted)
    except Refused as error:
        return Told(wrong=[str(error)])
    facts = [("Understood", in_words(wanted.bounds))]
    if wanted.unit != wanted.canonical.unit:
        facts.append(("That is", in_words(wanted.canonical)))
    facts += [
        ("Now", Line(tried.latest, "", True).words if tried.latest else "no target"),
        ("It would flag", "; ".join(flag.sentence for flag in tried.flags) or "nothing that is on file"),
    ]
    return Told(facts, asked=tried.sense.questions)


def _follows() -> int:
    """The number of the version of the chosen analyte that stood on the page."""
    number = request.form.get(f"follows-{request.form.get('analyte', '')}", "0")
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _held(patient_id: int, analyte: str) -> PatientTarget | None:
    """The latest version of a target of a patient one may see."""
    session = reading()
    patient = get_patient(session, patient_id)
    lines = versions(session, patient.id)
    return next((line.row for line in lines if line.row.analyte == analyte and line.latest), None)


def _blank() -> TargetForm:
    """A target from today on of which nothing has been said yet."""
    form = TargetForm(None)
    form.effective_from.process(None, today(zone()))
    return form


def _fill(form: TargetForm, held: PatientTarget) -> None:
    kept: dict[str, Any] = {
        "analyte": held.analyte, "unit": held.unit, "low": held.low, "high": held.high, "severity": held.severity,
        "low_op": ">=" if held.low_inclusive else ">", "high_op": "<=" if held.high_inclusive else "<",
    }  # fmt: skip
    for name, value in kept.items():
        form[name].data = value


def _page(patient_id: int, form: TargetForm, ending: EndForm | None = None, told: Told | None = None) -> str:
    session = reading()
    patient = get_patient(session, patient_id)
    return render_template(
        "targets/show.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        lines=versions(session, patient.id),
        form=form,
        told=told,
        ending=ending or EndForm(None, prefix="end"),
        units=UNITS,
        severities=SEVERITIES,
    )
