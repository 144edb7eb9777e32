"""Reports kept as they came: added to a patient or a sample, listed, sent back as files and never shown in a page."""

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField
from wtforms.validators import InputRequired

from tracker.domain.errors import NotFound, Refused
from tracker.formats.documents import ENDINGS, tidy
from tracker.models import Attachment, LabResult, Patient
from tracker.operations.attachments import Elsewhere, Sent, attach, void
from tracker.queries import attachments as queries
from tracker.queries.patients import dosing
from tracker.web.access import current_actor, get_attachment, get_patient, get_result
from tracker.web.amending import VoidForm, tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import DayField, TextField
from tracker.web.filters import day, zone
from tracker.web.forms import Form, refuse

screen = Blueprint("attachments", __name__)

# A file is handed over, and whatever is in it does nothing on the way: no page of ours frames or runs it.
ALONE = "default-src 'none'; sandbox; frame-ancestors 'none'"


class ReportForm(Form):
    """A file and what it is. `both` is asked for where the same file is with another patient."""

    file = FileField("File", [FileRequired("Choose a file.")])
    on = DayField("Report of", [InputRequired("Of which day is the report?")])
    note = TextField("What it is", longest=120)
    both = BooleanField("The file is about both patients")


def blank(result: LabResult | None = None) -> ReportForm:
    """The form as it stands under a list: with the day of the sample, or today."""
    return ReportForm(None, prefix="report", on=result.collected_on if result else today(zone()))


@screen.app_template_filter()
def file_size(size: int) -> str:
    """`12 kB`, `3.4 MB`."""
    return f"{size / 1024 / 1024:.1f} MB" if size >= 1024 * 1024 else f"{max(size // 1024, 1)} kB"


def largest() -> int:
    """The most bytes a report may have."""
    found: int = current_app.config["ATTACHMENT_BYTES"]
    return found


@screen.app_template_global()
def largest_file() -> str:
    """The most a report may have, in words."""
    return file_size(largest())


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/attachments/new")
def new(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    result = _sample(session, patient)
    return _adding(patient, result, blank(result))


@screen.get("/attachments/<int:attachment_id>")
def show(attachment_id: int) -> ResponseReturnValue:
    return _showing(attachment_id, VoidForm(None))


@screen.get("/attachments/<int:attachment_id>/file")
def file(attachment_id: int) -> ResponseReturnValue:
    """The file as it came, to be kept; what has been voided is not handed out any more."""
    row = get_attachment(reading(), attachment_id)
    if row.voided_at is not None:
        raise NotFound("This was taken out of the record.")
    answer = Response(row.content, mimetype=row.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=name_of(row))
    answer.headers["Content-Security-Policy"] = ALONE
    return answer


def name_of(row: Attachment) -> str:
    """The name it came with, with the ending that its content has."""
    stem, dot, _ = row.filename.rpartition(".")
    return f"{stem if dot and stem else row.filename}{ENDINGS[row.media_type]}"


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/attachments/new")
def add(patient_id: int) -> ResponseReturnValue:
    form, asked = ReportForm(prefix="report"), False
    if form.validate():
        try:
            with writing() as session:
                patient = get_patient(session, patient_id)
                result = _sample(session, patient)
                row = _attach(session, patient, result, form)
        except Refused as error:
            asked = isinstance(error, Elsewhere)
            refuse(form, error, "file")
        else:
            tell(f"{row.filename} is on record.")
            return redirect(_back(row), 303)
    patient = get_patient(reading(), patient_id)
    return _adding(patient, _sample(reading(), patient), form, asked), 422


@screen.post("/attachments/<int:attachment_id>/void")
def void_file(attachment_id: int) -> ResponseReturnValue:
    form = VoidForm()
    if not form.validate():
        return _showing(attachment_id, form), 422
    with writing() as session:
        row = get_attachment(session, attachment_id)
        session.refresh(row, with_for_update=True)
        void(session, current_actor(), row, patient=get_patient(session, row.patient_id), reason=form.data["reason"])
    tell(f"{row.filename}: taken out of the record.")
    return redirect(url_for("patients.show", patient_id=row.patient_id, _anchor="attachments"), 303)


# ---------------------------------------------------------------------------------------------- shared


def _sample(session: Session, patient: Patient) -> LabResult | None:
    """The result that the address names; NotFound where it is not this patient's."""
    key = request.args.get("result", type=int)
    if key is None:
        return None
    result = get_result(session, key)
    if result.patient_id != patient.id:
        raise NotFound("There is no such sample of this patient.")
    return result


def _attach(session: Session, patient: Patient, result: LabResult | None, form: ReportForm) -> Attachment:
    typed: dict[str, Any] = form.data
    sent: FileStorage = typed["file"]
    content = sent.stream.read(largest() + 1)  # one byte more tells that it is too large
    told = Sent(content, tidy(sent.filename or ""), typed["on"], typed["note"] or "")
    return attach(session, current_actor(), patient, told, result, largest=largest(), confirmed=bool(typed["both"]))


def _back(row: Attachment) -> str:
    if row.result_id is not None:
        return url_for("labs.stored", patient_id=row.patient_id, result_id=row.result_id, _anchor="attachments")
    return url_for("patients.show", patient_id=row.patient_id, _anchor="attachments")


def _adding(patient: Patient, result: LabResult | None, form: ReportForm, asked: bool = False) -> str:
    return render_template(
        "attachments/new.html",
        patient=patient,
        dosing=dosing(reading(), patient.id),
        result=result,
        form=form,
        asked=asked,
        about=f"the sample of {day(result.collected_on)}" if result else "the record",
    )


def _showing(attachment_id: int, form: VoidForm) -> str:
    session = reading()
    row = get_attachment(session, attachment_id)
    patient = get_patient(session, row.patient_id)
    return render_template(
        "attachments/show.html",
        patient=patient,
        dosing=dosing(session, patient.id),
        held=queries.one(session, row),
        form=form,
    )
