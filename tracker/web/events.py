"""Infections, other adverse events and symptoms: a short form first, the details unfold. Unknown is never “no”."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field, RadioField, SelectMultipleField
from wtforms.validators import DataRequired, InputRequired, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.domain.errors import Refused, Stale
from tracker.models import AdverseEvent
from tracker.operations.duplicates import refuse_twice
from tracker.operations.enrol import add_event, check_event_dates, correct, void, zone_of
from tracker.operations.evaluate import rejudge
from tracker.queries.patients import dosing
from tracker.queries.trail import Entry, of_records
from tracker.web.access import current_actor, get_event, get_patient
from tracker.web.amending import FEW_WORDS, VoidForm, clash, tell
from tracker.web.database import reading, writing
from tracker.web.fields import ChoiceField, DayField, LongTextField, TextField, VersionField
from tracker.web.forms import Form, refuse

screen = Blueprint("events", __name__)

KINDS = {"infection": "Infection", "other": "Other adverse event", "symptom": "Symptom"}
GRADES = {"1": "1 mild", "2": "2 moderate", "3": "3 severe", "4": "4 life-threatening", "5": "5 fatal"}
STILL = {"yes": "Yes", "no": "No, it is over", "unknown": "Not known"}
ANSWERS = {"": "Not known", "yes": "Yes", "no": "No"}
NONE = "none"
CRITERIA = {
    "death": "Death",
    "life-threatening": "Life-threatening",
    "hospitalisation": "Hospital stay, begun or prolonged",
    "disability": "Lasting or significant disability",
    "congenital anomaly": "Congenital anomaly",
    "medically important": "Otherwise medically important",
    NONE: "None of these",
}
OUTCOMES = {
    "recovered": "Recovered",
    "recovering": "Recovering",
    "not recovered": "Not recovered",
    "not responding": "Not responding to treatment",
    "recovered with sequelae": "Recovered with sequelae",
    "fatal": "Fatal",
}
_OVER = ("recovered", "recovered with sequelae", "fatal")
_STILL_THERE = ("recovering", "not recovered", "not responding")
_YES = {"": None, "yes": True, "no": False}
_WRITTEN = {None: "", True: "yes", False: "no"}
_ANSWERED = ("opportunistic", "hospitalised", "treated")
DETAILS = (
    "site", "organism", "opportunistic", "hospitalised", "treated", "treatment", "outcome", "controlled_on",
    "onset_text", "comment",
)  # fmt: skip


def _answer(label: str) -> RadioField:
    return RadioField(label, choices=list(ANSWERS.items()), default="")


class EventForm(Form):
    kind = RadioField("What is it", [InputRequired("Choose one.")], choices=list(KINDS.items()), default="infection")
    term = TextField("What happened", [DataRequired("Say what happened, in a few words.")])
    onset_on = DayField("Since", [Optional()])
    grade = ChoiceField("How bad", [Optional()], choices=list(GRADES.items()))
    still = RadioField(
        "Is it still there", [InputRequired("Choose one.")], choices=list(STILL.items()), default="unknown"
    )
    resolved_on = DayField("Over since", [Optional()])
    criteria = SelectMultipleField(
        "Does any of this apply",
        [Optional()],
        choices=list(CRITERIA.items()),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    site = TextField("Where in the body", [Optional()])
    organism = TextField("Organism, and how it was confirmed", [Optional()])
    opportunistic = _answer("Opportunistic")
    hospitalised = _answer("In hospital for it")
    treated = _answer("Treated")
    treatment = TextField("Treated with", [Optional()])
    outcome = ChoiceField("Outcome", [Optional()], choices=list(OUTCOMES.items()))
    controlled_on = DayField("Under control since", [Optional()])
    onset_text = TextField("When it began, in words", [Optional()])
    comment = LongTextField("Comment", [Optional()])

    def validate_criteria(self, field: Field) -> None:
        if NONE in (field.data or ()) and len(field.data) > 1:
            raise ValidationError("“None of these” contradicts what else is ticked.")

    def validate_resolved_on(self, field: Field) -> None:
        if field.data is not None and self.still.data == "yes":
            raise ValidationError("It is said to be still there: choose “No, it is over”, or leave the day out.")

    def validate_outcome(self, field: Field) -> None:
        if field.data in _OVER and self.still.data == "yes":
            raise ValidationError("It is said to be still there, and this outcome says it is over.")

    def details(self) -> dict[str, Any]:
        """The columns. Serious is derived from its criteria: none ticked is not known, “none of these” is no."""
        given = self.data
        criteria: list[str] = given["criteria"] or []
        names = ("kind", "term", "site", "organism", "treatment", "outcome", "onset_text", "comment")
        days = ("onset_on", "resolved_on", "controlled_on")
        details = {name: given[name] or "" for name in names} | {name: given[name] for name in days}
        details |= {name: _YES[given[name] or ""] for name in _ANSWERED}
        details["grade"] = int(given["grade"]) if given["grade"] else None
        details["criteria"] = "; ".join(criteria)
        details["serious"] = None if not criteria else criteria != [NONE]
        if given["still"] == "no" and not details["resolved_on"] and details["outcome"] not in _OVER:
            details["outcome"] = "recovered"
        if given["still"] == "yes" and not details["outcome"]:
            details["outcome"] = "not recovered"
        return details

    @property
    def unfolded(self) -> bool:
        """Whether there is anything in the details, right or wrong."""
        return any(self[name].errors or self[name].data for name in DETAILS)


class CorrectionForm(EventForm):
    reason = LongTextField("Why it is changed", FEW_WORDS, longest=500)
    version = VersionField()


def filled(event: AdverseEvent) -> CorrectionForm:
    """The form with what is stored, criteria and outcome also where they are in a file's own words."""
    form = CorrectionForm(None, obj=event)
    form.criteria.data = _ticked(event)
    form.grade.data = str(event.grade or "")
    for name in _ANSWERED:
        form[name].data = _WRITTEN[getattr(event, name)]
    over = event.resolved_on is not None or event.outcome in _OVER
    form.still.data = "no" if over else "yes" if event.outcome in _STILL_THERE else "unknown"
    return _offering(form, event)


def _ticked(event: AdverseEvent) -> list[str]:
    return [word.strip() for word in event.criteria.split(";") if word.strip()]


def _corrected(form: CorrectionForm, event: AdverseEvent) -> dict[str, Any]:
    """The columns; a seriousness that came without our criteria stays where the criteria do."""
    details = form.details()
    if (form.criteria.data or []) == _ticked(event):
        details |= {"criteria": event.criteria, "serious": event.serious}
    return details


def _offering(form: CorrectionForm, event: AdverseEvent) -> CorrectionForm:
    """Besides our own words those that the event came with."""
    form.criteria.choices = [*CRITERIA.items(), *((word, word) for word in _ticked(event) if word not in CRITERIA)]
    if event.outcome and event.outcome not in OUTCOMES:
        form.outcome.choices = [("", "Choose…"), *OUTCOMES.items(), (event.outcome, event.outcome)]
    return form


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/events/new")
def new(patient_id: int) -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    return _beginning(patient_id, EventForm(kind=kind if kind in KINDS else "infection"))


@screen.get("/events/<int:event_id>")
def show(event_id: int) -> ResponseReturnValue:
    session = reading()
    event = get_event(session, event_id)
    return render_template(
        "events/show.html",
        patient=get_patient(session, event.patient_id),
        dosing=dosing(session, event.patient_id),
        event=event,
        kinds=KINDS,
        grades=GRADES,
        words=CRITERIA | OUTCOMES,
        entries=of_records(session, event.patient_id, [("adverse_event", event.id)]),
    )


@screen.get("/events/<int:event_id>/edit")
def edit(event_id: int) -> ResponseReturnValue:
    event = get_event(reading(), event_id)
    return _editing(event, filled(event), VoidForm(None))


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/events/new")
def create(patient_id: int) -> ResponseReturnValue:
    form = EventForm()
    if not form.validate():
        return _beginning(patient_id, form), 422
    try:
        with writing() as session:
            actor, patient = current_actor(), get_patient(session, patient_id)
            refuse_twice(session, patient, AdverseEvent, form.details())
            event = add_event(session, actor, patient, form.details())
            done = rejudge(session, actor, patient)
    except Refused as error:
        refuse(form, error, "onset_on")
        return _beginning(patient_id, form), 422
    tell(f"{event.term} is on record.", done)
    return redirect(url_for("patients.show", patient_id=patient_id, _anchor="events"), 303)


@screen.post("/events/<int:event_id>/edit")
def update(event_id: int) -> ResponseReturnValue:
    form = _offering(CorrectionForm(), get_event(reading(), event_id))
    if not form.validate():
        return _editing(get_event(reading(), event_id), form, VoidForm(None)), 422
    try:
        with writing() as session:
            actor, event = current_actor(), get_event(session, event_id)
            form.version.check(event)
            patient, details = get_patient(session, event.patient_id), _corrected(form, event)
            check_event_dates(patient, details, actor.today(zone_of(session, patient.clinic_id)))
            changed = correct(session, actor, event, details, patient=patient, reason=form.data["reason"])
            done = rejudge(session, actor, patient) if changed else None
    except Refused as error:
        refuse(form, error, "onset_on")
        return _editing(get_event(reading(), event_id), form, VoidForm(None)), 422
    except Stale:
        event = get_event(reading(), event_id)
        form.version.data = str(event.version)
        return _editing(event, form, VoidForm(None), clash(reading(), event.patient_id, event)), 409
    tell("Corrected, and judged again." if changed else "Nothing was different, so nothing was stored.", done)
    return redirect(url_for("events.show", event_id=event_id), 303)


@screen.post("/events/<int:event_id>/void")
def void_event(event_id: int) -> ResponseReturnValue:
    form = VoidForm()
    if not form.validate():
        event = get_event(reading(), event_id)
        return _editing(event, filled(event), form), 422
    with writing() as session:
        actor, event = current_actor(), get_event(session, event_id)
        patient = get_patient(session, event.patient_id)
        void(session, actor, event, patient=patient, reason=form.data["reason"])
        done = rejudge(session, actor, patient)
    tell(f"{event.term} is taken out of the record.", done)
    return redirect(url_for("patients.show", patient_id=event.patient_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _beginning(patient_id: int, form: EventForm) -> str:
    session = reading()
    patient = get_patient(session, patient_id)
    return render_template("events/new.html", patient=patient, dosing=dosing(session, patient.id), form=form)


def _editing(event: AdverseEvent, form: CorrectionForm, void_form: VoidForm, other: list[Entry] | None = None) -> str:
    session = reading()
    return render_template(
        "events/edit.html",
        patient=get_patient(session, event.patient_id),
        dosing=dosing(session, event.patient_id),
        event=event,
        form=form,
        void_form=void_form,
        other=other or [],
    )
