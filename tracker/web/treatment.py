"""What happens in a course: another dose, a hold, the resume, the stop; and a line that was recorded by mistake."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField
from wtforms.validators import InputRequired, Optional

from tracker.domain.errors import NotFound, Refused, Stale
from tracker.domain.values import plain
from tracker.models import Course, CourseEvent
from tracker.operations.enrol import events_of, void, zone_of
from tracker.operations.evaluate import rejudge
from tracker.operations.treatment import DOSE, HOLD, RESUME, STOP, change_course, seen
from tracker.queries.patients import dosing, flags
from tracker.queries.trail import of_records
from tracker.web.access import current_actor, get_course, get_patient
from tracker.web.amending import FEW_WORDS, VoidForm, tell
from tracker.web.courses import DOSE_RANGE, TIMES_RANGE
from tracker.web.database import reading, writing
from tracker.web.fields import DayField, FigureField, LongTextField, VersionField, WholeField
from tracker.web.filters import day
from tracker.web.forms import Form, refuse

screen = Blueprint("treatment", __name__)


class ChangeForm(Form):
    """What happens in a course on a day; each kind asks for its own fields on top."""

    on = DayField("On", [InputRequired("On which day?")])
    reason = LongTextField("Why", [Optional()], longest=500)
    version = VersionField()


class DoseForm(ChangeForm):
    dose_mg = FigureField("Dose", [InputRequired("How much at a time?"), DOSE_RANGE])
    times_per_day = WholeField("Times a day", [InputRequired("How many times a day?"), TIMES_RANGE])


class HoldForm(ChangeForm):
    reason = LongTextField("Why", FEW_WORDS, longest=500)
    review_on = DayField("Look at it again on", [Optional()])


class StopForm(ChangeForm):
    reason = LongTextField("Why", FEW_WORDS, longest=500)


FORMS: dict[str, type[ChangeForm]] = {DOSE: DoseForm, HOLD: HoldForm, RESUME: ChangeForm, STOP: StopForm}
WORDS = {DOSE: "Change the dose", HOLD: "Hold", RESUME: "Resume", STOP: "Stop"}
DONE = {
    DOSE: "The dose is on record",
    HOLD: "The drug is on hold",
    RESUME: "The drug is taken again",
    STOP: "The course has ended",
}


class WrongLineForm(VoidForm):
    line = RadioField("Which line is wrong", [InputRequired("Choose the line that is wrong.")])


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/courses/<int:course_id>/change")
def change(course_id: int) -> ResponseReturnValue:
    session, kind = reading(), _kind()
    course = get_course(session, course_id)
    patient = get_patient(session, course.patient_id)
    today = current_actor().today(zone_of(session, patient.clinic_id))
    return _changing(course, kind, FORMS[kind](on=max(today, course.started_on), version=seen(session, course)))


@screen.get("/courses/<int:course_id>/lines")
def lines(course_id: int) -> ResponseReturnValue:
    return _lines(get_course(reading(), course_id), WrongLineForm())


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/courses/<int:course_id>/change")
def store_change(course_id: int) -> ResponseReturnValue:
    kind = _kind()
    form = FORMS[kind]()
    if not form.validate():
        return _changing(get_course(reading(), course_id), kind, form), 422
    details = {name: value for name, value in form.data.items() if name not in ("csrf_token", "version")}
    try:
        with writing() as session:
            actor, course = current_actor(), get_course(session, course_id)
            patient = get_patient(session, course.patient_id)
            details["reason"] = details["reason"] or ""
            change_course(session, actor, patient, course, kind, details, form.version.data or "")
            done = rejudge(session, actor, patient)
    except Refused as error:
        refuse(form, error, "on")
        return _changing(get_course(reading(), course_id), kind, form), 422
    except Stale:
        course = get_course(reading(), course_id)
        form.version.data = seen(reading(), course)
        return _changing(course, kind, form, stale=True), 409
    tell(f"{DONE[kind]}.", done)
    return redirect(url_for("courses.show", course_id=course_id), 303)


@screen.post("/courses/<int:course_id>/lines")
def void_line(course_id: int) -> ResponseReturnValue:
    """Take a dose, a hold or a resume out of the course."""
    form, course = WrongLineForm(), get_course(reading(), course_id)
    form.line.choices = _choices(course)
    if not form.validate():
        return _lines(course, form), 422
    with writing() as session:
        actor, course = current_actor(), get_course(session, course_id)
        session.refresh(course, with_for_update=True)
        patient = get_patient(session, course.patient_id)
        event = next((event for event in events_of(session, course.id) if str(event.id) == form.line.data), None)
        if event is None:
            raise Stale("This line was taken out meanwhile.")
        void(session, actor, event, patient=patient, reason=form.data["reason"])
        done = rejudge(session, actor, patient)
    tell("The line is taken out of the course.", done)
    return redirect(url_for("courses.show", course_id=course_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _kind() -> str:
    """What is to happen, from the address."""
    kind = request.args.get("kind", DOSE)
    if kind not in FORMS:
        raise NotFound("That is nothing that happens in a course.")
    return kind


def _changing(course: Course, kind: str, form: ChangeForm, stale: bool = False) -> str:
    session = reading()
    asked = [flag for flag in flags(session, course.patient_id) if flag.suggested and flag.folded_under is None]
    latest = of_records(session, course.patient_id, _records(course), size=1) if stale else []
    return render_template(
        "treatment/change.html",
        patient=get_patient(session, course.patient_id),
        dosing=dosing(session, course.patient_id),
        course=course,
        kind=kind,
        words=WORDS[kind],
        form=form,
        flags=asked,
        other=latest,
    )


def _records(course: Course) -> list[tuple[str, int]]:
    return [("course", course.id), *(("course_event", event.id) for event in course.events)]


def _choices(course: Course) -> list[tuple[str, str]]:
    return [(str(event.id), _line(event)) for event in events_of(reading(), course.id)]


def _line(event: CourseEvent) -> str:
    """`1 Mar 2026: hold, neutrophils 0.46`"""
    dose = f" {plain(event.dose_mg)} mg" if event.dose_mg is not None else ""
    times = f" × {event.times_per_day} a day" if event.times_per_day is not None else ""
    return f"{day(event.on)}: {event.kind}{dose}{times}{', ' + event.reason if event.reason else ''}"


def _lines(course: Course, form: WrongLineForm) -> str:
    session = reading()
    form.line.choices = _choices(course)
    return render_template(
        "treatment/lines.html",
        patient=get_patient(session, course.patient_id),
        dosing=dosing(session, course.patient_id),
        course=course,
        form=form,
    )
