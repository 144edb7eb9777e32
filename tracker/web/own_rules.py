"""Rules that a clinic makes for itself, without code: drafts of a few shapes of criterion."""

import re
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, RadioField, SelectField
from wtforms.validators import InputRequired, Optional

from tracker.domain.criteria import ALWAYS, OPS, SHAPES
from tracker.domain.errors import NotFound, Refused
from tracker.domain.findings import SUGGESTIONS
from tracker.library.analytes import ANALYTES
from tracker.models import ClinicSetting
from tracker.models.setting import OWN_RULE
from tracker.queries import clinic_settings
from tracker.queries.range_table import DRAFT, WITHDRAWN
from tracker.queries.yardsticks import UNITS
from tracker.web import drafting
from tracker.web.access import current_clinic, get_setting
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.drafting import DraftForm, Told, store_draft, stored_text, typed_value
from tracker.web.fields import BoundField, ChoiceField, FigureField, LongTextField, TextField, WholeField
from tracker.web.filters import zone
from tracker.web.forms import refuse
from tracker.web.setting_words import SEVERITY
from tracker.web.wording import ACTIONS, said

screen = Blueprint("own_rules", __name__)

MEASURED = [(code, f"{ANALYTES[code].name} ({code}), {said(unit)}") for code, unit in UNITS.items()]
LOOKS_FOR = {
    "threshold": "A value beyond a bound",
    "pair": "Two analytes beyond their bounds on one day",
    "change": "A change from the baseline or the result before",
    "trend": "Results in a row, each further one way",
}
SIGNS = {"<": "< below", "<=": "≤ at or below", ">": "> above", ">=": "≥ at or above"}
WAYS = [("fall", "a fall"), ("rise", "a rise")]


class OwnRuleForm(DraftForm):
    off = BooleanField("Switch this rule off")
    title = TextField("Title", [InputRequired("What is the rule called?")], longest=80)
    analyte = ChoiceField("Analyte", [InputRequired("Which analyte is the rule about?")], choices=MEASURED)
    shape = RadioField("It looks for", choices=list(LOOKS_FOR.items()), default="threshold")
    op = SelectField("Is", choices=[(op, SIGNS[op]) for op in OPS])
    value = BoundField("Figure", [Optional()])
    other = ChoiceField("Second analyte", [Optional()], choices=MEASURED)
    other_op = SelectField("Second is", choices=[(op, SIGNS[op]) for op in OPS])
    other_value = BoundField("Second figure", [Optional()])
    direction = SelectField("Direction", choices=WAYS)
    since = SelectField("From", choices=[("baseline", "the baseline"), ("last", "the result before")])
    by = FigureField("By", [Optional()])
    measure = SelectField("Counted in", choices=[("absolute", "the analyte’s unit"), ("percent", "percent")])
    count = WholeField("Results in a row", [Optional()])
    severity = SelectField("Severity", choices=list(SEVERITY.items()), default="routine")
    suggestion = SelectField("Suggestion", choices=[("", "none"), *((s, ACTIONS.get(s, s)) for s in SUGGESTIONS)])
    text = LongTextField("What the reader should know", [Optional()], longest=500)

    def body(self) -> dict[str, str]:
        """What the shape needs, and nothing of the other shapes; empty: switched off."""
        if self.off.data:
            return {}
        wanted = (*ALWAYS, *SHAPES.get(str(self.shape.data), ()))
        found = {key: stored_text(self[key].data) for key in wanted if self[key].data not in (None, "")}
        for op, value in (("op", "value"), ("other_op", "other_value")):  # an operator that was written decides
            if value in found and self[value].data[0]:
                found[op] = self[value].data[0]
        return found

    def scope(self, held: ClinicSetting | None) -> str:
        """`ANC/watch_closely`: what the versions of one rule share. A new version keeps it."""
        if held is not None:
            return held.scope
        key = re.sub(r"[^a-z0-9]+", "_", str(self.title.data).lower()).strip("_")
        scope = f"{self.analyte.data}/{key}"
        there = clinic_settings.lines(reading(), current_clinic().id, today(zone()), (OWN_RULE, scope))
        if any(line.state != WITHDRAWN for line in there):
            raise Refused("This clinic has a rule of that title for the analyte: open it for a new version.")
        return scope

    def fill(self, held: ClinicSetting) -> None:
        self.take(held)
        self.analyte.data = held.scope.partition("/")[0]
        self.off.data = not held.body
        for key, text in held.body.items():
            self[key].data = typed_value(self[key], text)


@screen.get("/rules/own/new")
def form() -> ResponseReturnValue:
    """An empty form, or with what a version says: `?of=<key>`."""
    shown, held = OwnRuleForm(None), _held()
    if held is not None:
        shown.fill(held)
    return _drafting(shown, held)


@screen.post("/rules/own/new")
def draft() -> ResponseReturnValue:
    given, held = OwnRuleForm(), _held()
    if given.validate():
        try:
            number = held.id if held is not None and held.state == DRAFT else None
            return store_draft(given.proposal(OWN_RULE, given.scope(held), given.body()), number)
        except Refused as error:
            refuse(given, error)
    return _drafting(given, held), 422


@screen.post("/rules/own/check")
def check() -> ResponseReturnValue:
    """What is understood of the form while it is written. Stores nothing."""
    given, held = OwnRuleForm(), _held()
    told = drafting.told(given, OWN_RULE, lambda: given.scope(held), given.body)
    return drafting.answer(told, lambda told: _drafting(given, held, told))


def _held() -> ClinicSetting | None:
    key = request.args.get("of", type=int)
    held = None if key is None else get_setting(reading(), key)
    if held is not None and held.kind != OWN_RULE:
        raise NotFound("There is no such rule.")
    return held


def _drafting(shown: OwnRuleForm, held: ClinicSetting | None, told: Told | None = None) -> str:
    where: dict[str, Any] = {"of": held.id} if held is not None else {}
    return render_template(
        "settings/own_rule.html", form=shown, told=told, held=held, where=where, clinic=current_clinic()
    )
