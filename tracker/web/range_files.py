"""Ranges as files: out as CSV or XLSX, in as drafts of one set that a second person publishes or withdraws as one."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired

from tracker import formats
from tracker.domain.errors import JakwatchError, Refused, Stale
from tracker.formats.workbook_writing import workbook
from tracker.models import ReferenceRange
from tracker.operations import publishing, range_files
from tracker.operations.range_files import CHANGED, DRAFTED, NEW, REFUSED, SAME
from tracker.operations.trial import Preview
from tracker.queries import coverage, range_table
from tracker.queries.range_table import DRAFT
from tracker.web import steps, uploads
from tracker.web.access import current_actor, current_clinic, get_range
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.clock import now, today
from tracker.web.database import reading, writing
from tracker.web.fields import LongTextField
from tracker.web.filters import count, zone
from tracker.web.forms import Form, refuse

screen = Blueprint("range_files", __name__)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OUTCOMES = {
    NEW: "new line", CHANGED: "new version", SAME: "stands already", DRAFTED: "drafted already", REFUSED: "refused",
}  # fmt: skip


class FileForm(Form):
    file = FileField("File", [FileRequired("Choose a file.")])


class ReasonForm(Form):
    reason = LongTextField("Why they change", FEW_WORDS, longest=500)


# ---------------------------------------------------------------------------------------------- out


@screen.get("/ranges/ranges.csv")
def as_csv() -> ResponseReturnValue:
    lines = formats.csv_lines("ranges", range_table.interchange(_table()))
    return _sent("".join(lines).encode(), "text/csv; charset=utf-8", "csv")


@screen.get("/ranges/ranges.xlsx")
def as_workbook() -> ResponseReturnValue:
    return _sent(workbook("ranges", range_table.interchange(_table()), now()), XLSX, "xlsx")


def _table() -> list[range_table.Line]:
    return range_table.table(reading(), current_clinic().id, today(zone()))


def _sent(content: bytes, kind: str, ending: str) -> Response:
    name = f"ranges-{today(zone()).isoformat()}.{ending}"
    return Response(content, headers={"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'})


# ---------------------------------------------------------------------------------------------- in


@screen.get("/ranges/upload")
def form() -> ResponseReturnValue:
    uploads.purge()
    return _choosing(FileForm(None))


@screen.post("/ranges/upload")
def upload() -> ResponseReturnValue:
    """What the file says, row by row. Nothing of it is stored."""
    given = FileForm()
    if given.validate():
        kept = uploads.keep(given.file.data, current_clinic().id)
        try:
            return _compared(kept, ReasonForm(None))
        except Refused as error:
            uploads.forget(kept)
            refuse(given, error, "file")
    return _choosing(given), 422


@screen.post("/ranges/upload/store")
def store() -> ResponseReturnValue:
    """Draft what the file says, as one set."""
    kept = uploads.find(request.form.get("token", ""), current_clinic().id)
    given = ReasonForm()
    if not given.validate():
        return _compared(kept, given), 422
    try:
        with writing() as session:
            told = _told(kept)
            first = range_files.draft_set(session, current_actor("upload"), kept.clinic_id, told, given.data["reason"])
            number = len(range_files.members(session, first))
    except Refused as error:
        refuse(given, error)
        return _compared(kept, given), 422
    uploads.forget(kept)
    tell(f"{count(number, 'range')} drafted. They judge nothing until a second person has published them.")
    return redirect(url_for("range_files.show", range_id=first.id), 303)


def _choosing(given: FileForm) -> str:
    return render_template("ranges/upload.html", form=given, clinic=current_clinic(), most=range_files.MOST_ROWS)


def _told(kept: uploads.Upload) -> list[range_files.Told]:
    with kept.path.open("rb") as stream:
        source = formats.read(kept.name, stream, current_clinic().zone)
        return range_files.compare(reading(), kept.clinic_id, source, today(zone()))


def _compared(kept: uploads.Upload, given: ReasonForm) -> str:
    told = _told(kept)
    counted = {word: sum(one.outcome == outcome for one in told) for outcome, word in OUTCOMES.items()}
    wanted = sum(one.outcome in (NEW, CHANGED) for one in told)
    return render_template(
        "ranges/compared.html", upload=kept, told=told, counted=counted, outcomes=OUTCOMES, form=given, wanted=wanted,
        refused=any(one.outcome == REFUSED for one in told), bounds_of=range_table.bounds_of,
        line_of=lambda row: range_table.Line(row, DRAFT, "", ""),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- a set


@screen.get("/ranges/sets/<int:range_id>")
def show(range_id: int) -> ResponseReturnValue:
    return _page(get_range(reading(), range_id))


@screen.post("/ranges/sets/<int:range_id>/preview")
def preview(range_id: int) -> ResponseReturnValue:
    """What publishing the set would change. Nothing is stored."""
    first = get_range(reading(), range_id)
    return steps.looked(lambda: steps.look(range_files.members(reading(), first)), _again(range_id))


@screen.post("/ranges/sets/<int:range_id>/publish")
def publish(range_id: int) -> ResponseReturnValue:
    try:
        with writing(alone=True) as session:
            drafts = range_files.members(session, get_range(session, range_id))
            done = publishing.publish(session, current_actor(), drafts, steps.applies(), steps.seen())
    except (Refused, Stale) as error:
        return _again(range_id)(None, error), steps.status(error)
    tell(f"{count(len(drafts), 'range')} published. {steps.judged(done)}")
    return redirect(url_for("range_files.show", range_id=range_id), 303)


@screen.post("/ranges/sets/<int:range_id>/withdraw")
def withdraw(range_id: int) -> ResponseReturnValue:
    with writing() as session:
        drafts = range_files.members(session, get_range(session, range_id))
        range_files.withdraw_set(session, current_actor(), drafts)
    tell(f"{count(len(drafts), 'draft is', 'drafts are')} withdrawn. They stay on record.")
    return redirect(url_for("ranges.index"), 303)


def _again(range_id: int) -> steps.Page:
    return lambda found, refused: _page(get_range(reading(), range_id), found, refused)


def _page(first: ReferenceRange, found: Preview | None = None, refused: JakwatchError | None = None) -> str:
    session, on = reading(), today(zone())
    rows = range_files.members(session, first)
    lines = range_table.lines(session, rows, on)
    shown = steps.shown(rows, found, refused)
    return render_template(
        "ranges/set.html",
        line=lines[0],
        lines=lines,
        follows={row.id: range_table.followed_by(session, row, on) for row in rows} if shown["draft"] else {},
        coverage=coverage.of_drafts(session, rows, on) if shown["draft"] else None,
        **shown,
    )
