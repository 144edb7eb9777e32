"""What a clinic sets about a rule: on or silent, at least or at most how severe. A draft like any other."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import RadioField

from tracker import rules
from tracker.domain.errors import Refused
from tracker.domain.overlay import OFF
from tracker.domain.tailoring import AT_LEAST, AT_MOST, SAFETY
from tracker.models.setting import RULE
from tracker.web import drafting
from tracker.web.access import current_clinic
from tracker.web.drafting import DraftForm, Told, in_place_of, replaces, store_draft
from tracker.web.forms import refuse
from tracker.web.setting_words import LEVELS, SEVERITY

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
            return store_draft(given.proposal(RULE, code, given.body()), replaces())
        except Refused as error:
            refuse(given, error)
    return _drafting(given, page), 422


@screen.post("/rules/<code>/clinic/check")
def check(code: str) -> ResponseReturnValue:
    """What is understood of the form while it is written. Stores nothing."""
    page = rules.page(code)
    given = RuleForm()
    given.fit(code)
    told = drafting.told(given, RULE, lambda: code, given.body)
    return drafting.answer(told, lambda told: _drafting(given, page, told))


def _drafting(shown: RuleForm, page: rules.Page, told: Told | None = None) -> str:
    return render_template(
        "settings/rule.html",
        form=shown,
        told=told,
        page=page,
        safety=page.code in SAFETY,
        replaces=replaces(),
        clinic=current_clinic(),
    )
