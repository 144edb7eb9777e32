"""What a clinic sets about a rule: on or silent, at least or at most how severe. A draft like any other."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from wtforms import RadioField

from tracker import rules
from tracker.domain.errors import Refused
from tracker.domain.overlay import OFF
from tracker.domain.tailoring import AT_LEAST, AT_MOST, SAFETY
from tracker.models.setting import RULE
from tracker.web.access import current_clinic
from tracker.web.forms import refuse
from tracker.web.setting_words import LEVELS, SEVERITY
from tracker.web.settings import DraftForm, in_place_of, store_draft

screen = Blueprint("rule_settings", __name__)

SHIPPED = "shipped"
RAISED = {f"{AT_LEAST} {word}": f"{LEVELS[AT_LEAST]} “{said}”" for word, said in list(SEVERITY.items())[:3]}
LOWERED = {f"{AT_MOST} {word}": f"{LEVELS[AT_MOST]} “{said}”" for word, said in list(SEVERITY.items())[1:]}


class RuleForm(DraftForm):
    wanted = RadioField("Its findings are", default=SHIPPED)

    def fit(self, code: str) -> None:
        """Leave out what would silence or soften a rule that keeps patients safe."""
        offered = {SHIPPED: "as severe as the rule says"} | RAISED
        if code not in SAFETY:
            offered |= LOWERED | {OFF: "not raised: the rule is switched off"}
        self.wanted.choices = list(offered.items())

    def body(self) -> dict[str, str]:
        key, _, word = str(self.wanted.data).partition(" ")
        return {} if key == SHIPPED else {key: word or "yes"}


@screen.get("/rules/<code>/clinic")
def form(code: str) -> ResponseReturnValue:
    page = rules.page(code)
    shown = RuleForm(None)
    shown.fit(code)
    held = in_place_of(RULE, code)
    if held is not None:
        shown.take(held)
        key = next(iter(held.body), SHIPPED)
        shown.wanted.data = f"{key} {held.body[key]}" if key in LEVELS else key
    return _drafting(shown, page)


@screen.post("/rules/<code>/clinic")
def draft(code: str) -> ResponseReturnValue:
    page = rules.page(code)
    given = RuleForm()
    given.fit(code)
    if given.validate():
        try:
            return store_draft(given.proposal(RULE, code, given.body()), request.args.get("replaces", type=int))
        except Refused as error:
            refuse(given, error)
    return _drafting(given, page), 422


def _drafting(shown: RuleForm, page: rules.Page) -> str:
    return render_template(
        "settings/rule.html",
        form=shown,
        page=page,
        safety=page.code in SAFETY,
        replaces=request.args.get("replaces", type=int),
        clinic=current_clinic(),
    )
