"""A clinic's own version of a line of a protocol: made stricter, or, where nothing bears it out, changed or silent."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import BooleanField
from wtforms.validators import Optional

from tracker.domain.errors import Refused
from tracker.domain.overlay import OFF, line_id
from tracker.domain.protocol import FALL_FROM_BASELINE, Limit, Protocol
from tracker.models import ClinicSetting
from tracker.models.setting import PROTOCOL_LINE
from tracker.web import drafting
from tracker.web.access import current_clinic
from tracker.web.drafting import DraftForm, Told, in_place_of, replaces, store_draft, stored_text, typed_value
from tracker.web.fields import BoundField, SpanField, WholeField
from tracker.web.forms import refuse
from tracker.web.setting_words import WORDS, keys_of, label_says, line_of, line_title

screen = Blueprint("protocol_lines", __name__)


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

    def fill(self, held: ClinicSetting) -> None:
        self.take(held)
        for name, text in held.body.items():
            if name in self and name != OFF:
                self[name].data = typed_value(self[name], text)
        if "off" in self:
            self.off.data = bool(held.body.get(OFF))


def op_of(line: Any) -> str:
    """The operator of a line's figure, "" where it has none."""
    if not isinstance(line, Limit):
        return ""
    return ">" if line.measure == FALL_FROM_BASELINE else "<=" if line.high_inclusive else "<"


@screen.get("/protocols/<protocol_id>/lines/<key>")
def form(protocol_id: str, key: str) -> ResponseReturnValue:
    """The form for a line, with what the clinic has now, or with a draft that another is to replace."""
    protocol, found = line_of(protocol_id, key)
    shown = LineForm(None)
    shown.fit(found)
    held = in_place_of(PROTOCOL_LINE, f"{protocol_id}/{key}")
    if held is not None:
        shown.fill(held)
    return _drafting(shown, protocol, found)


@screen.post("/protocols/<protocol_id>/lines/<key>")
def draft(protocol_id: str, key: str) -> ResponseReturnValue:
    protocol, found = line_of(protocol_id, key)
    given = LineForm()
    given.fit(found)
    if given.validate():
        try:
            return store_draft(given.proposal(PROTOCOL_LINE, f"{protocol_id}/{key}", given.body()), replaces())
        except Refused as error:
            refuse(given, error)
    return _drafting(given, protocol, found), 422


@screen.post("/protocols/<protocol_id>/lines/<key>/check")
def check(protocol_id: str, key: str) -> ResponseReturnValue:
    """What is understood of the form while it is written. Stores nothing."""
    protocol, found = line_of(protocol_id, key)
    given = LineForm()
    given.fit(found)
    told = drafting.told(given, PROTOCOL_LINE, lambda: f"{protocol_id}/{key}", given.body)
    return drafting.answer(told, lambda told: _drafting(given, protocol, found, told))


def _drafting(shown: LineForm, protocol: Protocol, found: Any, told: Told | None = None) -> str:
    return render_template(
        "settings/line.html",
        form=shown,
        told=told,
        protocol=protocol,
        line=found,
        key=line_id(found),
        replaces=replaces(),
        title=line_title(protocol, found),
        label=label_says(found),
        clinic=current_clinic(),
        unit=getattr(found, "unit", ""),
        falls=isinstance(found, Limit) and found.measure == FALL_FROM_BASELINE,
    )
