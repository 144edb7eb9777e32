"""Files: what each brought, a preview before it is filed, and the tray of rows that wait for their patient."""

import csv
import io

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired
from wtforms.validators import InputRequired, Length

from tracker.domain.errors import NotAllowed, NotFound, Refused, Stale
from tracker.formats.cells import defused
from tracker.formats.shapes import Unsettled
from tracker.models import Clinic
from tracker.operations import intake, mapping, tray, undo
from tracker.queries import imports as queries
from tracker.web import pending, preview, uploads
from tracker.web.access import current_actor, current_clinic, current_clinics, current_user, get_batch, get_held_row
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.attachments import largest
from tracker.web.database import EVERYWHERE, reading, writing
from tracker.web.fields import LongTextField
from tracker.web.filters import count
from tracker.web.forms import Form, refuse

screen = Blueprint("imports", __name__)

SHOWN_REASONS = 300
TOO_LONG = "{} rows are too many for a page: it is undone on the server by “tracker undo {} --reason …”, as a whole."


class UploadForm(Form):
    """The file that was chosen."""

    file = FileField("File", [FileRequired("Choose a file.")])


class DismissForm(Form):
    """Why rows are taken out of the tray."""

    reason = LongTextField(
        "Why they are dismissed",
        [InputRequired("Say why."), Length(min=5, message="Say in a few words why.")],
        longest=500,
    )


class UndoForm(Form):
    """Why an import is undone."""

    reason = LongTextField("Why it is undone", FEW_WORDS, longest=500)


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/imports")
def index() -> ResponseReturnValue:
    uploads.purge()
    return _index(UploadForm(formdata=None))


@screen.get("/imports/<int:batch_id>")
def show(batch_id: int) -> ResponseReturnValue:
    session = reading()
    batch = get_batch(session, batch_id)
    return render_template(
        "imports/show.html", held=queries.one(session, batch),
        reasons=queries.reasons(session, batch.id, SHOWN_REASONS),
        problem_count=queries.problem_count(session, batch.id),
    )  # fmt: skip


@screen.get("/imports/<int:batch_id>/problems.csv")
def problems(batch_id: int) -> ResponseReturnValue:
    """Everything that was said about a batch and its rows, as a table."""
    session = reading()
    batch = get_batch(session, batch_id)
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("row", "column", "message"))
    writer.writerows((p.row, defused(p.column), defused(p.message)) for p in queries.problems(session, batch.id))
    return _csv(stream.getvalue(), f"import-{batch.id}-problems.csv")


@screen.get("/imports/tray")
def tray_page() -> ResponseReturnValue:
    return _tray(DismissForm(formdata=None))


# ---------------------------------------------------------------------------------------------- a file


@screen.post("/imports/preview")
def upload() -> ResponseReturnValue:
    """What filing this file would do: the same code, in a transaction that is undone."""
    form = UploadForm()
    if not form.validate():
        return _index(form), 422
    kept = uploads.keep(form.file.data, current_clinic().id)
    try:
        return pending.look(kept)
    except Unsettled:
        return redirect(url_for("mapping.form", token=kept.token), 303)
    except Refused as error:
        uploads.forget(kept)
        refuse(form, error, "file")
        return _index(form), 422


@screen.get("/imports/pending/<token>/refused.csv")
def refused(token: str) -> ResponseReturnValue:
    """The rows of a previewed file that were refused, as they came, each with the reason: to mend and send again."""
    kept = uploads.find(token, current_clinic().id)
    if not kept.refused.is_file():
        raise NotFound("No row of this file was refused.")
    stem = kept.name.rpartition(".")[0] or kept.name
    return send_file(kept.refused, "text/csv", as_attachment=True, download_name=f"{stem}-refused.csv", max_age=0)


@screen.post("/imports/file")
def confirm() -> ResponseReturnValue:
    """File what was previewed; a long file in the background."""
    kept = uploads.find(request.form.get("token", ""), current_clinic().id)
    if kept.long:
        with writing() as session:
            job = pending.in_background(session, kept)
        return redirect(url_for("jobs.show", job_id=job.id), 303)
    with kept.path.open("rb") as stream, writing() as session:
        clinic, actor = session.get_one(Clinic, kept.clinic_id), current_actor("upload")
        source = pending.source_of(kept, stream, pending.reader_of(session, kept))
        taken = intake.take(session, actor, clinic, source, kept.sha256, pending.most_rows(), largest())
        batch_id = taken.batch_id
        if kept.keep_as and source.proposals:
            mapping.keep(session, actor, clinic.id, kept.keep_as, source.proposals[0])
    uploads.forget(kept)
    report = taken.report
    tell(f"{report.path}: {count(report.filed, 'row')} filed.", taken.changes, several=True)
    if taken.released:
        flash(f"{count(taken.released, 'row')} of the tray found a patient.")
    return redirect(url_for("imports.show", batch_id=batch_id), 303)


@screen.post("/imports/put-away")
def put_away() -> ResponseReturnValue:
    """Forget a file that was previewed and shall not be filed."""
    uploads.forget(uploads.find(request.form.get("token", ""), current_clinic().id))
    flash("The file is put away; nothing of it was stored.")
    return redirect(url_for("imports.index"), 303)


# ---------------------------------------------------------------------------------------------- taken back


@screen.get("/imports/<int:batch_id>/undo")
def undo_page(batch_id: int) -> ResponseReturnValue:
    return _undo_page(batch_id, UndoForm(formdata=None))


@screen.post("/imports/<int:batch_id>/undo")
def undo_import(batch_id: int) -> ResponseReturnValue:
    """Undo an import; first only shown, by the same code in a transaction that is taken back."""
    form, looks = UndoForm(), request.form.get("do") != "undo"
    get_batch(reading(), batch_id)
    if not form.validate():
        return _undo_page(batch_id, form), 422
    rows = get_batch(reading(), batch_id).rows_in
    if rows > pending.most_rows():
        refuse(form, Refused(TOO_LONG.format(rows, batch_id)))
        return _undo_page(batch_id, form), 422
    try:
        with writing(EVERYWHERE) as session:  # a file may have touched another clinic, which is refused
            batch = get_batch(session, batch_id)
            found = undo.undo(session, current_actor(), batch, form.reason.data or "", current_clinics())
            if looks:
                session.rollback()
    except (Stale, NotAllowed) as error:
        refuse(form, Refused(str(error)))
        return _undo_page(batch_id, form), 409
    if looks:
        return _undo_page(batch_id, form, found)
    tell(f"Import {batch_id} is undone.", found.changes, several=True)
    return redirect(url_for("imports.show", batch_id=batch_id), 303)


def _undo_page(batch_id: int, form: UndoForm, found: undo.Undone | None = None) -> str:
    session = reading()
    held = queries.one(session, get_batch(session, batch_id))
    return render_template("imports/undo.html", held=held, form=form, found=found)


# ---------------------------------------------------------------------------------------------- the tray


@screen.post("/imports/tray/assign")
def assign() -> ResponseReturnValue:
    """Take the chosen rows on."""
    chosen = _chosen()
    if not chosen:
        return _nothing_ticked(DismissForm())
    try:
        with writing() as session:
            rows = [get_held_row(session, key) for key in chosen]
            others = tray.assign(session, current_actor(), rows, _owners_seen())
            names = queries.names_of(session, others)
    except Stale as error:
        return _tray(DismissForm(formdata=None), str(error)), 409
    was = f" {count(len(others), 'was', 'were')} until now with {', '.join(names)}." if others else ""
    flash(f"{count(len(rows), 'row is', 'rows are')} yours.{was}")
    return redirect(url_for("imports.tray_page"), 303)


@screen.post("/imports/tray/dismiss")
def dismiss() -> ResponseReturnValue:
    """Take the chosen rows out, with a reason."""
    form, chosen = DismissForm(), _chosen()
    if not chosen:
        return _nothing_ticked(form)
    for key in chosen:
        get_held_row(reading(), key)  # whose they are is settled before anything is said about the form
    if not form.validate():
        return _tray(form, chosen=chosen), 422
    try:
        with writing() as session:
            rows = [get_held_row(session, key) for key in chosen]
            tray.dismiss(session, current_actor(), rows, form.reason.data or "")
    except Stale as error:
        return _tray(form, str(error), chosen), 409
    except Refused as error:
        refuse(form, error, "reason")
        return _tray(form, chosen=chosen), 422
    flash(f"{count(len(rows), 'row is', 'rows are')} dismissed.")
    return redirect(url_for("imports.tray_page"), 303)


@screen.post("/imports/tray/release")
def release() -> ResponseReturnValue:
    """File the rows whose patients are here by now."""
    with writing() as session:
        clinic = session.get_one(Clinic, current_clinic().id)
        released, changes = tray.release(session, current_actor("upload"), clinic, largest())
    if released:
        tell(f"{count(released, 'row')} left the tray.", changes, several=True)
    else:
        refused = any(item.row.settled_reason for item in queries.tray(reading(), current_clinic().id)[0])
        here = "No row left the tray: beside those whose patient is here stands why." if refused else ""
        flash(here or "Nobody with one of these record numbers is enrolled yet.")
    return redirect(url_for("imports.tray_page"), 303)


# ---------------------------------------------------------------------------------------------- shared


def _chosen() -> list[int]:
    """The rows that were ticked."""
    keys = [int(text) for text in request.form.getlist("row") if text.isascii() and text.isdigit() and len(text) < 19]
    return sorted(set(keys))


def _nothing_ticked(form: DismissForm) -> ResponseReturnValue:
    """The tray again, with the reason that was typed."""
    refuse(form, Refused("Tick at least one row of the tray."))
    return _tray(form), 422


def _owners_seen() -> dict[int, int | None]:
    """Who had each ticked row on the page that was sent."""
    told = {key: request.form.get(f"owner-{key}") for key in _chosen()}
    return {key: int(owner) if owner.isdecimal() else None for key, owner in told.items() if owner is not None}


def _index(form: UploadForm) -> str:
    session, clinic = reading(), current_clinic()
    before = request.args.get("before", "")
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    found, following = queries.batches(session, clinic.id, start)
    return render_template(
        "imports/index.html", form=form, batches=found, following=following, start=start,
        in_tray=queries.waiting(session, clinic.id), limit=(current_app.config.get("MAX_CONTENT_LENGTH") or 0) // 2**20,
        most_rows=pending.most_rows(),
    )  # fmt: skip


def _tray(form: DismissForm, clash: str = "", chosen: list[int] | None = None) -> str:
    by = request.args.get("by", "age")
    by = by if by in queries.ORDERS else "age"
    whose = request.args.get("whose", "")
    owner = {"mine": current_user().id, "nobody": 0}.get(whose)
    held, total = queries.tray(reading(), current_clinic().id, by, owner)
    said = {item.row.id: preview.held_in_words(item.row) for item in held}
    return render_template(
        "imports/tray.html", form=form, held=held, total=total, said=said, clash=clash, chosen=chosen or [], by=by,
        whose=whose if owner is not None else "",
    )  # fmt: skip


def _csv(text: str, name: str) -> Response:
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
