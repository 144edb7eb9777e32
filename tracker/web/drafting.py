"""Drafts of what a clinic sets: what every form of one says, what is told while it is written, and how it is stored."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Optional

from tracker.domain.dates import Span, span
from tracker.domain.errors import JakwatchError, NotFound
from tracker.domain.phrases import read_bound
from tracker.domain.values import plain
from tracker.models import ClinicSetting
from tracker.operations.settings import CHECKS, Proposal, draft_setting, published_versions
from tracker.queries import clinic_settings
from tracker.queries.clinic_settings import Line
from tracker.queries.range_table import DRAFT, IN_FORCE, TO_COME
from tracker.web.access import current_actor, current_clinic, get_setting
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import BoundField, DayField, FigureField, LongTextField, SpanField, TextField
from tracker.web.filters import day as day_words
from tracker.web.filters import zone
from tracker.web.forms import Form, problems
from tracker.web.setting_words import described, shipped

WHO_AND_WHY = ("effective_from", "source", "reason")  # may be empty while the rest is written


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


# ---------------------------------------------------------------------------------------------- storing


def in_place_of(kind: str, scope: str) -> ClinicSetting | None:
    """What a form begins with: the draft it is to replace, else the latest published version."""
    number = replaces()
    if number is None:
        wanted = ClinicSetting(clinic_id=current_clinic().id, kind=kind, scope=scope)
        return next(iter(published_versions(reading(), wanted)), None)
    held = get_setting(reading(), number)
    if (held.kind, held.scope) != (kind, scope):
        raise NotFound("There is no such draft.")
    return held


def replaces() -> int | None:
    """The key of the draft that this one is to replace."""
    return request.args.get("replaces", type=int)


def store_draft(new: Proposal, number: int | None) -> ResponseReturnValue:
    """Store a draft, in the place of the one of that number. Raises Refused and Stale."""
    with writing() as session:
        old = get_setting(session, number) if number is not None else None
        row = draft_setting(session, current_actor(), current_clinic().id, new, old)
    tell("Drafted. It judges nothing until a second person has published it.")
    return redirect(url_for("settings.show", setting_id=row.id), 303)


# ---------------------------------------------------------------------------------------------- while one writes


class Told(NamedTuple):
    """What is understood of a draft that is being written: facts (name and words), what stands against it, and what
    whoever writes it should know.
    """

    facts: Sequence[tuple[str, str]] = ()
    wrong: Sequence[str] = ()
    asked: Sequence[str] = ()


def mistakes(form: BaseForm, later: Sequence[str] = WHO_AND_WHY) -> list[str]:
    """What is wrong with a form so far. A field of `later` that is still empty is not, and is not marked so."""
    form.validate()
    for name in later:
        if not any(form[name].raw_data or ()):
            form[name].errors = []
    return [f"{one.label}: {one.message}" if one.label else one.message for one in problems(form)]


def told(form: DraftForm, kind: str, scope: Callable[[], str], body: Callable[[], dict[str, str]]) -> Told:
    """What is understood of a form so far. `scope` and `body` may raise Refused. Stores nothing."""
    wrong = mistakes(form)
    if wrong:
        return Told(wrong=wrong)
    try:
        row = ClinicSetting(kind=kind, scope=scope(), body=body(), source=form.source.data or "")
        CHECKS[kind](row.scope, row.body)
    except JakwatchError as error:
        return Told(wrong=[str(error)])
    wanted: Any = form.effective_from.data
    return _beside_others(row, wanted)


def _beside_others(row: ClinicSetting, wanted: date | None) -> Told:
    """A draft held against the versions and the other drafts of the same."""
    on = today(zone())
    day = max(wanted or on, on)
    lines = clinic_settings.lines(reading(), current_clinic().id, day, (row.kind, row.scope))
    now = next((line for line in lines if line.state == IN_FORCE), None)
    facts = [("Understood", described(row))]
    if now is not None:
        facts.append(("Now", f"{described(now.row)} (version {now.row.number})"))
    facts.append(("As shipped" if now else "Now, as shipped", shipped(row)))
    too_early = [_too_early(line) for line in lines if line.state == TO_COME]
    return Told(facts, too_early, list(_asked(row, wanted, now, lines)))


def _too_early(line: Line) -> str:
    since = day_words(line.row.effective_from)
    return f"Version {line.row.number} applies from {since}: date yours that day or later, or take that one back first."


def _asked(row: ClinicSetting, wanted: date | None, now: Line | None, lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if line.state == DRAFT and line.row.id != (replaces() or request.args.get("of", type=int)):
            by = line.drafted_by or "somebody on the server"
            yield f"Another draft of the same waits, by {by}: {described(line.row)}. Of two, the last published judges."
    if row.body == (now.row.body if now else {}):
        yield "It says what is in force already."
    if wanted is not None and wanted < today(zone()):
        yield "The day has passed: whoever publishes it chooses between today and judging history again."


def answer(found: Told, page: Callable[[Told], str]) -> str:
    """The part of the page where only that was asked for, else the whole page with it."""
    if request.headers.get("HX-Request"):
        return render_template("settings/_told.html", told=found)
    return page(found)
