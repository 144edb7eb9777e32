"""Courses of treatment: begun with the protocol's checklist in view, then doses, holds, resumes and the stop."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import InputRequired, NumberRange, Optional

from tracker.domain import history as facts
from tracker.domain.errors import Refused, Stale
from tracker.domain.protocol import Protocol
from tracker.library.protocols import protocols
from tracker.models import Course
from tracker.operations.enrol import add_course, void, zone_of
from tracker.operations.evaluate import rejudge
from tracker.operations.planning import NOT_STORED, judge_plan
from tracker.operations.treatment import correct_course
from tracker.queries import trail
from tracker.queries.checklist import Checklist, checklist, concerns
from tracker.queries.course_card import course_card
from tracker.queries.patients import dosing
from tracker.web.access import current_actor, get_course, get_patient
from tracker.web.amending import FEW_WORDS, NeededWith, VoidForm, clash, tell
from tracker.web.database import reading, writing
from tracker.web.fields import ChoiceField, DayField, FigureField, LongTextField, TextField, VersionField, WholeField
from tracker.web.filters import day
from tracker.web.forms import Form, refuse

screen = Blueprint("courses", __name__)

OTHER = "other"
LICENSING = {"licensed": "Licensed for this indication", "off-label": "Off-label"}


def _protocol_choices() -> list[tuple[str, str]]:
    known = [(p.id, f"{p.title}, {p.default_dose}") for p in protocols().values()]
    return [*known, (OTHER, "Another drug, which no protocol watches")]


class CourseForm(Form):
    protocol_id = ChoiceField(
        "Protocol", [InputRequired("Choose the protocol, or another drug.")], choices=_protocol_choices()
    )
    drug = TextField("Name of the other drug", [Optional()])
    indication = TextField("Indication", [Optional()], default="alopecia areata")
    licensing = ChoiceField("Licence", [Optional()], choices=list(LICENSING.items()))
    discussion = LongTextField("What was discussed", [Optional()])
    discussed_on = DayField("Discussed on", [NeededWith("discussion", "On which day was it discussed?"), Optional()])
    started_on = DayField("First dose on", [InputRequired("When is or was the first dose?")])

    def details(self) -> dict[str, Any]:
        """The columns of the course. Raises Refused where another drug has no name."""
        given = self.data
        other = given["protocol_id"] == OTHER
        if other and not given["drug"]:
            raise Refused("Name the other drug.")
        names = ("indication", "licensing", "discussion", "discussed_on", "started_on")
        return {name: given[name] or None if name.endswith("_on") else given[name] or "" for name in names} | {
            "protocol_id": "" if other else given["protocol_id"],
            "drug": given["drug"] if other else "",
        }


DOSE_RANGE = NumberRange(min=0.01, max=1000, message="A dose is more than 0 and at most 1000 mg.")
TIMES_RANGE = NumberRange(min=1, max=6, message="Once to six times a day.")


class NewCourseForm(CourseForm):
    dose_mg = FigureField("Dose", [Optional(), DOSE_RANGE])
    times_per_day = WholeField("Times a day", [NeededWith("dose_mg", "How many times a day?"), Optional(), TIMES_RANGE])
    stopped_on = DayField("Last dose on", [Optional()])
    stop_reason = LongTextField("Why it was stopped", [Optional()], longest=500)


class CorrectionForm(CourseForm):
    stopped_on = DayField("Last dose on", [Optional()])
    stop_reason = LongTextField("Why it was stopped", [Optional()], longest=500)
    reason = LongTextField("Why it is changed", FEW_WORDS, longest=500)
    version = VersionField()


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/courses/new")
def new(patient_id: int) -> ResponseReturnValue:
    return _beginning(patient_id, NewCourseForm())


@screen.post("/patients/<int:patient_id>/courses/check")
def check(patient_id: int) -> ResponseReturnValue:
    """The checklist for what is being typed. Stores nothing; a part of the page where only that was asked for."""
    form = NewCourseForm()
    form.protocol_id.validate(form)
    form.started_on.validate(form)
    if request.headers.get("HX-Request"):
        asked = _planned(patient_id, form)
        return render_template("courses/_planned.html", form=form, list=asked, protocol=_protocol(form))
    return _beginning(patient_id, form)


@screen.get("/courses/<int:course_id>")
def show(course_id: int) -> ResponseReturnValue:
    return _page(get_course(reading(), course_id))


@screen.get("/courses/<int:course_id>/edit")
def edit(course_id: int) -> ResponseReturnValue:
    course = get_course(reading(), course_id)
    form = CorrectionForm(obj=course)
    form.protocol_id.data = course.protocol_id or OTHER
    return _editing(course, form, VoidForm(None))


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/courses/new")
def create(patient_id: int) -> ResponseReturnValue:
    form = NewCourseForm()
    if not form.validate():
        return _beginning(patient_id, form), 422
    given = form.data
    try:
        details = form.details() | {"stopped_on": given["stopped_on"], "stop_reason": given["stop_reason"] or ""}
        with writing() as session:
            actor, patient = current_actor(), get_patient(session, patient_id)
            session.refresh(patient, with_for_update=True)  # the same sent twice begins one course
            course = add_course(session, actor, patient, details, (given["dose_mg"], given["times_per_day"]))
            done = rejudge(session, actor, patient)
    except Refused as error:
        refuse(form, error)
        return _beginning(patient_id, form), 422
    tell(f"{course.drug} from {day(course.started_on)} is on record.", done)
    return redirect(url_for("courses.show", course_id=course.id), 303)


@screen.post("/courses/<int:course_id>/edit")
def update(course_id: int) -> ResponseReturnValue:
    form = CorrectionForm()
    if not form.validate():
        return _editing(get_course(reading(), course_id), form, VoidForm(None)), 422
    given = form.data
    try:
        details = form.details() | {"stopped_on": given["stopped_on"], "stop_reason": given["stop_reason"] or ""}
        with writing() as session:
            actor, course = current_actor(), get_course(session, course_id)
            form.version.check(course)
            patient = get_patient(session, course.patient_id)
            changed = correct_course(session, actor, patient, course, details, given["reason"], course.version)
            done = rejudge(session, actor, patient) if changed else None
    except Refused as error:
        refuse(form, error)
        return _editing(get_course(reading(), course_id), form, VoidForm(None)), 422
    except Stale:
        course = get_course(reading(), course_id)
        form.version.data = str(course.version)
        return _editing(course, form, VoidForm(None), clash(reading(), course.patient_id, course)), 409
    tell("Corrected, and judged again." if changed else "Nothing was different, so nothing was stored.", done)
    return redirect(url_for("courses.show", course_id=course_id), 303)


@screen.post("/courses/<int:course_id>/void")
def void_course(course_id: int) -> ResponseReturnValue:
    form = VoidForm()
    if not form.validate():
        course = get_course(reading(), course_id)
        edited = CorrectionForm(None, obj=course)
        edited.protocol_id.data = course.protocol_id or OTHER
        return _editing(course, edited, form), 422
    with writing() as session:
        actor, course = current_actor(), get_course(session, course_id)
        patient = get_patient(session, course.patient_id)
        void(session, actor, course, patient=patient, reason=form.data["reason"])
        done = rejudge(session, actor, patient)
    tell(f"The course of {course.drug} is taken out of the record.", done)
    return redirect(url_for("patients.show", patient_id=course.patient_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _protocol(form: NewCourseForm) -> Protocol | None:
    return protocols().get(form.protocol_id.data or "")


def _beginning(patient_id: int, form: NewCourseForm) -> str:
    session = reading()
    patient = get_patient(session, patient_id)
    return render_template(
        "courses/new.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        form=form,
        protocol=_protocol(form),
        list=_planned(patient_id, form),
    )


def _planned(patient_id: int, form: NewCourseForm) -> Checklist | None:
    """The checklist of a course that is only typed; None until its protocol and its first day are."""
    protocol, given = _protocol(form), form.data
    if protocol is None or given["started_on"] is None:
        return None
    session = reading()
    dose = facts.Dose(given["started_on"], given["dose_mg"], given["times_per_day"])
    doses = (dose,) if given["dose_mg"] is not None else ()
    course = facts.Course(
        NOT_STORED, protocol.id, protocol.name, given["indication"] or "", given["started_on"], None, doses
    )
    history, found = judge_plan(session, current_actor(), get_patient(session, patient_id), course)
    return checklist(history, course, protocol, concerns(found, protocol))


def _page(course: Course) -> str:
    session = reading()
    patient = get_patient(session, course.patient_id)
    today = current_actor().today(zone_of(session, patient.clinic_id))
    return render_template(
        "courses/show.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        card=course_card(session, patient, course, today),
        licensing=LICENSING,
        today=today,
    )


def _editing(course: Course, form: CorrectionForm, void_form: VoidForm, other: list[trail.Entry] | None = None) -> str:
    session = reading()
    return render_template(
        "courses/edit.html",
        patient=get_patient(session, course.patient_id),
        dosing=dosing(session, course.patient_id),
        course=course,
        form=form,
        void_form=void_form,
        other=other or [],
    )
