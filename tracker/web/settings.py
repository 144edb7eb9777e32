"""What a clinic sets beside its ranges: drafted by one person, looked at before and published by another, taken back.

The same preview and the same publishing as for ranges; nothing here is edited in place.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, Field
from wtforms.validators import InputRequired, Optional

from tracker.domain.dates import Span, span
from tracker.domain.errors import Refused
from tracker.domain.overlay import OFF, line_id
from tracker.domain.phrases import read_bound
from tracker.domain.protocol import FALL_FROM_BASELINE, Limit, Protocol
from tracker.domain.values import plain
from tracker.models import ClinicSetting
from tracker.models.setting import CLINIC_WIDE, PROTOCOL_LINE
from tracker.operations import publishing
from tracker.operations.evaluate import Changes
from tracker.operations.publishing import BACK_FILL, FROM_TODAY
from tracker.operations.settings import Proposal, draft_setting, published_versions
from tracker.operations.settings import withdraw as withdraw_draft
from tracker.operations.trial import CHANGED, CLEARED, OPENED, Preview
from tracker.queries import clinic_settings
from tracker.queries.range_table import DRAFT, IN_FORCE
from tracker.rules import TITLES
from tracker.web.access import current_actor, current_clinic, current_user, get_setting
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import BoundField, DayField, FigureField, LongTextField, SpanField, TextField, WholeField
from tracker.web.filters import count, zone
from tracker.web.forms import Form, refuse
from tracker.web.setting_words import (
    WIDE,
    WIDE_SHIPPED,
    WORDS,
    described,
    edit,
    home,
    keys_of,
    label_says,
    line_of,
    line_title,
    shipped,
    title_of,
)

screen = Blueprint("settings", __name__)

APPLIES = {
    FROM_TODAY: "From today: what began before stays as it was judged",
    BACK_FILL: "From that day: history since then is judged again",
}


class DraftForm(Form):
    """What every draft says besides what it sets."""

    effective_from = DayField("Applies from", [InputRequired("From which day on?")])
    source = TextField("Source", [Optional()], longest=300)
    reason = LongTextField("Why it changes", FEW_WORDS, longest=500)

    def proposal(self, kind: str, scope: str, body: dict[str, str]) -> Proposal:
        given = self.data
        return Proposal(kind, scope, body, given["effective_from"], given["source"] or "", given["reason"])

    def take(self, held: ClinicSetting) -> None:
        """Begin with what a draft says that another is to replace."""
        if held.state == DRAFT:
            self.effective_from.process(None, held.effective_from)
            self.source.process(None, held.source)
            self.reason.process(None, held.reason)


class LineForm(DraftForm):
    off = BooleanField("Switch this line off")
    value = BoundField("Acts at", [Optional()])
    confirm_within = SpanField("Repeat within", [Optional()])
    first_from = SpanField("First check from", [Optional()])
    first_to = SpanField("First check by", [Optional()])
    every = SpanField("Then every", [Optional()])
    grace_days = WholeField("Overdue after", [Optional()])

    def fit(self, line: Any) -> None:
        """Leave out what this kind of line does not have."""
        self.op = op_of(line)
        for name in WORDS:
            if name not in keys_of(line):
                del self[name]
        if line.origin.verified:
            del self.off

    def body(self) -> dict[str, str]:
        """What differs, as it is stored: figures and days as digits, times as ISO durations."""
        if "off" in self and self.off.data:
            return {OFF: "yes"}
        self._check_bound()
        return {name: stored_text(self[name].data) for name in WORDS if name in self and self[name].data is not None}

    def _check_bound(self) -> None:
        """A line keeps its operator, and its figure stays one that can be held against the label's."""
        written: Any = self.value.data if "value" in self else None
        if written is None:
            return
        op, bound = written
        if bound.times_uln:
            raise Refused("This line is a figure: a multiple of the upper limit cannot be held against the label’s.")
        if op not in ("", self.op):
            raise Refused(f"This line acts at values {self.op} its figure: write the figure alone, or with {self.op}.")


def applies() -> str:
    """What was chosen about a day that has passed, "" where nothing was."""
    chosen = request.form.get("applies", "")
    return chosen if chosen in APPLIES else ""


def stored_text(value: Any) -> str:
    """As a body holds it: figures and days as digits, times as ISO durations, a bound without its operator."""
    if isinstance(value, Span):
        return value.iso
    if isinstance(value, Decimal):
        return plain(value)
    return str(value[1].words if isinstance(value, tuple) else value)


def typed_value(field: Field, text: str) -> Any:
    readers = ((SpanField, span), (BoundField, read_bound), (FigureField, Decimal))
    return next((read(text) for kind, read in readers if isinstance(field, kind)), text)


def op_of(line: Any) -> str:
    """The operator of a line's figure, "" where it has none."""
    if not isinstance(line, Limit):
        return ""
    return ">" if line.measure == FALL_FROM_BASELINE else "<=" if line.high_inclusive else "<"


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/settings")
def index() -> ResponseReturnValue:
    """All that this clinic set: what waits, what is in force, and what went before."""
    clinic = current_clinic()
    found = clinic_settings.lines(reading(), clinic.id, today(zone()))
    return render_template(
        "settings/index.html",
        clinic=clinic,
        drafts=[line for line in found if line.state == DRAFT],
        standing=[line for line in found if line.state != DRAFT],
        wide=WIDE,
        wide_shipped=WIDE_SHIPPED,
        now={line.row.scope: line for line in found if line.row.kind == CLINIC_WIDE and line.state == IN_FORCE},
        described=described,
        title_of=title_of,
    )


@screen.get("/settings/<int:setting_id>")
def show(setting_id: int) -> ResponseReturnValue:
    return _page(get_setting(reading(), setting_id))


@screen.get("/protocols/<protocol_id>/lines/<key>")
def line(protocol_id: str, key: str) -> ResponseReturnValue:
    """The form for a line, with what the clinic has now, or with a draft that another is to replace."""
    protocol, found = line_of(protocol_id, key)
    form = LineForm(None)
    form.fit(found)
    held = in_place_of(PROTOCOL_LINE, f"{protocol_id}/{key}")
    if held is not None:
        _fill(form, held)
    return _drafting(form, protocol, found)


@screen.post("/protocols/<protocol_id>/lines/<key>")
def draft_line(protocol_id: str, key: str) -> ResponseReturnValue:
    protocol, found = line_of(protocol_id, key)
    form = LineForm()
    form.fit(found)
    if form.validate():
        try:
            new = form.proposal(PROTOCOL_LINE, f"{protocol_id}/{key}", form.body())
            return store_draft(new, request.args.get("replaces", type=int))
        except Refused as error:
            refuse(form, error)
    return _drafting(form, protocol, found), 422


# ---------------------------------------------------------------------------------------------- publishing


@screen.post("/settings/<int:setting_id>/preview")
def preview(setting_id: int) -> ResponseReturnValue:
    """What publishing would change. Nothing is stored."""
    try:
        found = look([get_setting(reading(), setting_id)])
        if not isinstance(found, Preview):
            return found
    except Refused as error:
        return _page(get_setting(reading(), setting_id), refused=error), 422
    return _page(get_setting(reading(), setting_id), found)


@screen.post("/settings/<int:setting_id>/publish")
def publish(setting_id: int) -> ResponseReturnValue:
    follows = request.form.get("follows", type=int)
    try:
        with writing(alone=True) as session:
            row = get_setting(session, setting_id)
            done = publishing.publish(session, current_actor(), [row], applies(), {setting_id: follows})
    except Refused as error:
        return _page(get_setting(reading(), setting_id), refused=error), 422
    tell(f"Published. {judged(done)}")
    return redirect(url_for("settings.show", setting_id=setting_id), 303)


@screen.post("/settings/<int:setting_id>/withdraw")
def withdraw(setting_id: int) -> ResponseReturnValue:
    with writing() as session:
        withdraw_draft(session, current_actor(), get_setting(session, setting_id))
    tell("The draft is withdrawn. It stays on record.")
    return redirect(url_for("settings.index"), 303)


@screen.post("/settings/<int:setting_id>/take-back")
def take_back(setting_id: int) -> ResponseReturnValue:
    with writing(alone=True) as session:
        done = publishing.roll_back(session, current_actor(), get_setting(session, setting_id))
    tell(f"Taken back. {judged(done)}")
    return redirect(url_for("settings.index"), 303)


def look(drafts: Sequence[publishing.Draft]) -> Preview | ResponseReturnValue:
    """What publishing these would change; in a large clinic, the way to the job that finds out. Raises Refused."""
    if not publishing.is_large(reading(), drafts[0].clinic_id):
        return publishing.preview(reading(), current_actor(), drafts, applies())
    with writing() as session:
        job = publishing.ask_for_preview(session, current_actor(), drafts, applies())
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def judged(done: Changes | None) -> str:
    """`2 patients judged again; flags: 0 opened, 1 changed, 0 cleared.`"""
    if done is None:
        return "Everybody is judged again in the background: see “Long work”."
    told = done.counts()
    return f"{count(done.patients, 'patient')} judged again; flags: " + (
        ", ".join(f"{told[word]} {word}" for word in (OPENED, CHANGED, CLEARED)) + "."
    )


# ---------------------------------------------------------------------------------------------- shared


def _fill(form: LineForm, held: ClinicSetting) -> None:
    form.take(held)
    for name, text in held.body.items():
        if name in form and name != OFF:
            form[name].data = typed_value(form[name], text)
    if "off" in form:
        form.off.data = bool(held.body.get(OFF))


def in_place_of(kind: str, scope: str) -> ClinicSetting | None:
    """What a form begins with: the draft it is to replace, else the latest published version."""
    number = request.args.get("replaces", type=int)
    if number is not None:
        return get_setting(reading(), number)
    wanted = ClinicSetting(clinic_id=current_clinic().id, kind=kind, scope=scope)
    return next(iter(published_versions(reading(), wanted)), None)


def store_draft(new: Proposal, number: int | None = None) -> ResponseReturnValue:
    """Store a draft, in the place of the one of that number. Raises Refused and Stale."""
    with writing() as session:
        old = get_setting(session, number) if number is not None else None
        row = draft_setting(session, current_actor(), current_clinic().id, new, old)
    tell("Drafted. It judges nothing until a second person has published it.")
    return redirect(url_for("settings.show", setting_id=row.id), 303)


def _drafting(form: LineForm, protocol: Protocol, found: Any) -> str:
    return render_template(
        "settings/line.html",
        form=form,
        protocol=protocol,
        line=found,
        key=line_id(found),
        replaces=request.args.get("replaces", type=int),
        title=line_title(protocol, found),
        label=label_says(found),
        clinic=current_clinic(),
        unit=getattr(found, "unit", ""),
        falls=isinstance(found, Limit) and found.measure == FALL_FROM_BASELINE,
    )


def _page(row: ClinicSetting, found: Preview | None = None, refused: Refused | None = None) -> str:
    session, on = reading(), today(zone())
    history = clinic_settings.lines(session, row.clinic_id, on, (row.kind, row.scope))
    published = [line for line in history if line.row.number]
    latest = max((line.row.number for line in published), default=0)
    return render_template(
        "settings/show.html",
        line=next(line for line in history if line.row.id == row.id),
        history=history,
        latest=latest,
        mine=row.drafted_by == current_user().id,
        past=row.state == DRAFT and row.effective_from < on,
        choices=APPLIES,
        chosen=applies(),
        preview=found,
        refused=refused,
        titles=TITLES,
        described=described,
        title_of=title_of,
        shipped=shipped,
        edit=edit,
        home=home,
    )
