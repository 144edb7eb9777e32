"""Reference ranges as a table; a change is a new version, drafted by one person and published by another."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.clinic_wide import RANGES_FIRST
from tracker.domain.errors import JakwatchError, NotFound, Refused, Stale
from tracker.domain.ranges import STARTER_FROM
from tracker.models import Clinic, ReferenceRange
from tracker.models.setting import CLINIC_WIDE
from tracker.operations import publishing, range_files
from tracker.operations.configure import draft_range, withdraw_draft
from tracker.operations.trial import Preview
from tracker.queries import clinic_settings, coverage, range_table
from tracker.queries.range_check import Understood, understood
from tracker.queries.range_table import DRAFT, IN_FORCE, TO_COME
from tracker.web import range_form, steps
from tracker.web.access import current_actor, current_clinic, get_range
from tracker.web.amending import tell
from tracker.web.bounds_form import MEASURED, UNITS
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.filters import zone
from tracker.web.forms import refuse
from tracker.web.range_form import SEXES, RangeForm, form_of
from tracker.web.setting_words import described

screen = Blueprint("ranges", __name__)

# ---------------------------------------------------------------------------------------------- pages


@screen.get("/ranges")
def index() -> ResponseReturnValue:
    session, clinic = reading(), current_clinic()
    analyte = request.args.get("analyte", "")
    if analyte and analyte not in MEASURED:
        raise NotFound("There is no such analyte.")
    on = today(zone())
    problems = coverage.problems(session, session.get_one(Clinic, clinic.id))
    waiting = range_table.drafts(session, clinic.id)
    precedence = clinic_settings.lines(session, clinic.id, on, (CLINIC_WIDE, RANGES_FIRST))
    return render_template(
        "ranges/index.html",
        clinic=clinic,
        analyte=analyte,
        analytes=MEASURED,
        lines=range_table.table(session, clinic.id, on, analyte),
        drafts=waiting,
        sets=range_table.sets(line.row for line in waiting),
        set_of=range_table.set_of,
        problems=[problem.removeprefix(f"{clinic.code}: ") for problem in problems],
        sexes=SEXES,
        first=next((line for line in precedence if line.state == IN_FORCE), None),
        coming=[line for line in precedence if line.state == TO_COME],
        described=described,
    )


@screen.get("/ranges/<int:range_id>")
def show(range_id: int) -> ResponseReturnValue:
    return _page(get_range(reading(), range_id))


@screen.get("/ranges/new")
def new() -> ResponseReturnValue:
    """An empty form, or with what a line says now: `?from=<key>`."""
    key = request.args.get("from", type=int)
    line = get_range(reading(), key) if key is not None else None
    return _drafting(RangeForm(None) if line is None else form_of(line), line)


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/ranges/new")
def create() -> ResponseReturnValue:
    form = RangeForm()
    if not form.validate():
        return _drafting(form), 422
    try:
        with writing() as session:
            actor, clinic = current_actor(), current_clinic()
            row = draft_range(session, actor, clinic.id, form.as_reading(), form.data["reason"])
    except Refused as error:
        refuse(form, error)
        return _drafting(form), 422
    tell("Drafted. It judges nothing until a second person has published it.")
    return redirect(url_for("ranges.show", range_id=row.id), 303)


@screen.post("/ranges/check")
def check() -> ResponseReturnValue:
    """What is understood of a range while it is written. Stores nothing; a part of the page where only that was asked
    for.
    """
    form = RangeForm()
    found, wrong = range_form.check(form)
    if request.headers.get("HX-Request"):
        return render_template("ranges/_understood.html", understood=found, wrong=wrong)
    return _drafting(form, found=found, wrong=wrong)


@screen.post("/ranges/<int:range_id>/preview")
def preview(range_id: int) -> ResponseReturnValue:
    """What publishing would change. Nothing is stored."""
    return steps.looked(lambda: steps.look([_draft(get_range(reading(), range_id))]), _again(range_id))


@screen.post("/ranges/<int:range_id>/publish")
def publish(range_id: int) -> ResponseReturnValue:
    try:
        with writing(alone=True) as session:
            draft = _draft(get_range(session, range_id))
            done = publishing.publish(session, current_actor(), [draft], steps.applies(), steps.seen())
    except (Refused, Stale) as error:
        return _again(range_id)(None, error), steps.status(error)
    tell(f"Published. {steps.judged(done)}")
    return redirect(url_for("ranges.show", range_id=range_id), 303)


@screen.post("/ranges/<int:range_id>/withdraw")
def withdraw(range_id: int) -> ResponseReturnValue:
    with writing() as session:
        withdraw_draft(session, current_actor(), _draft(get_range(session, range_id)))
    tell("The draft is withdrawn. It stays on record.")
    return redirect(url_for("ranges.index"), 303)


@screen.post("/ranges/<int:range_id>/take-back/preview")
def look_back(range_id: int) -> ResponseReturnValue:
    """What taking the version back would change. Nothing is stored."""
    return steps.looked(lambda: steps.look_back(get_range(reading(), range_id)), _again(range_id))


@screen.post("/ranges/<int:range_id>/take-back")
def take_back(range_id: int) -> ResponseReturnValue:
    """One person is enough: what comes back was in force before."""
    try:
        with writing(alone=True) as session:
            done = publishing.roll_back_range(session, current_actor(), get_range(session, range_id))
    except Refused as error:
        return _again(range_id)(None, error), 422
    tell(f"Taken back. {steps.judged(done)}")
    return redirect(url_for("ranges.index"), 303)


# ---------------------------------------------------------------------------------------------- shared


def _draft(row: ReferenceRange) -> ReferenceRange:
    if row.state != DRAFT:
        raise Stale(f"This range was {row.state} meanwhile.")
    if _set(row):
        raise Refused("It came in a file with others: they are published or withdrawn together.")
    return row


def _set(row: ReferenceRange) -> int | None:
    """The set that a draft came with, None where it came alone."""
    return range_table.set_of(row) if len(range_files.members(reading(), row)) > 1 else None


def _can_be_taken_back(row: ReferenceRange) -> bool:
    own = row.state == "published" and row.effective_from != STARTER_FROM
    return own and not range_table.is_followed_at_once(reading(), row)


def _drafting(
    form: RangeForm, line: ReferenceRange | None = None, found: Understood | None = None, wrong: Sequence[str] = ()
) -> str:
    return render_template(
        "ranges/new.html", form=form, line=line, units=UNITS, clinic=current_clinic(), understood=found, wrong=wrong
    )


def _again(range_id: int) -> steps.Page:
    return lambda found, refused: _page(get_range(reading(), range_id), found, refused)


def _page(row: ReferenceRange, found: Preview | None = None, refused: JakwatchError | None = None) -> str:
    session, on = reading(), today(zone())
    history = range_table.history(session, row, on)
    lines = range_table.table(session, row.clinic_id, on, row.analyte)
    return render_template(
        "ranges/show.html",
        line=next(line for line in history if line.row.id == row.id),
        understood=understood(session, row, on) if row.state == DRAFT else None,
        coverage=coverage.of_drafts(session, [row], on) if row.state == DRAFT else None,
        history=history,
        beside=[other for other in lines if range_table.scope(other.row) != range_table.scope(row)],
        together=_set(row),
        can_be_taken_back=_can_be_taken_back(row),
        sexes=SEXES,
        **steps.shown([row], found, refused),
    )
