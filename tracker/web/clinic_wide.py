"""What holds for all patients of a clinic: which range comes first, how soon a repeat is asked for, the grace."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import RadioField
from wtforms.validators import Optional

from tracker.domain.clinic_wide import PRINTED_FIRST, RANGES_FIRST, SCOPES
from tracker.domain.dates import span
from tracker.domain.errors import NotFound, Refused
from tracker.domain.overlay import CONFIRM_WITHIN, GRACE_DAYS, VALUE
from tracker.models.setting import CLINIC_WIDE
from tracker.web import drafting
from tracker.web.access import current_clinic
from tracker.web.drafting import DraftForm, Told, in_place_of, replaces, store_draft
from tracker.web.fields import WholeField
from tracker.web.forms import refuse
from tracker.web.setting_words import FIRST, WIDE, WIDE_SHIPPED

screen = Blueprint("clinic_wide", __name__)

SHIPPED = "shipped"
FIELDS = {RANGES_FIRST: "first", CONFIRM_WITHIN: "window", GRACE_DAYS: "grace"}


class ClinicWideForm(DraftForm):
    first = RadioField(
        "A result that came with a printed range is judged by",
        choices=[(SHIPPED, f"as shipped: {FIRST[PRINTED_FIRST]}"), *FIRST.items()],
        default=SHIPPED,
    )
    window = WholeField("A repeat is asked for within", [Optional()])
    grace = WholeField("A check is overdue after", [Optional()])

    def fit(self, scope: str) -> None:
        """Leave the one field that is asked about."""
        for other in set(FIELDS.values()) - {FIELDS[scope]}:
            del self[other]

    def body(self, scope: str) -> dict[str, str]:
        data = self[FIELDS[scope]].data
        if data in (None, SHIPPED):
            return {}
        return {VALUE: f"P{data}D" if scope == CONFIRM_WITHIN else str(data)}

    def fill(self, scope: str, body: dict[str, str]) -> None:
        if body:
            text = body[VALUE]
            self[FIELDS[scope]].data = span(text).days if scope == CONFIRM_WITHIN else text


@screen.get("/settings/clinic/<scope>")
def form(scope: str) -> ResponseReturnValue:
    shown = _form(scope, ClinicWideForm(None))
    held = in_place_of(CLINIC_WIDE, scope)
    if held is not None:
        shown.take(held)
        shown.fill(scope, held.body)
    return _drafting(shown, scope)


@screen.post("/settings/clinic/<scope>")
def draft(scope: str) -> ResponseReturnValue:
    given = _form(scope, ClinicWideForm())
    if given.validate():
        try:
            new = given.proposal(CLINIC_WIDE, scope, given.body(scope))
            return store_draft(new, replaces())
        except Refused as error:
            refuse(given, error)
    return _drafting(given, scope), 422


@screen.post("/settings/clinic/<scope>/check")
def check(scope: str) -> ResponseReturnValue:
    """What is understood of the form while it is written. Stores nothing."""
    given = _form(scope, ClinicWideForm())
    told = drafting.told(given, CLINIC_WIDE, lambda: scope, lambda: given.body(scope))
    return drafting.answer(told, lambda told: _drafting(given, scope, told))


def _form(scope: str, found: ClinicWideForm) -> ClinicWideForm:
    if scope not in SCOPES:
        raise NotFound("There is nothing of that name to set for a whole clinic.")
    found.fit(scope)
    return found


def _drafting(shown: ClinicWideForm, scope: str, told: Told | None = None) -> str:
    return render_template(
        "settings/clinic_wide.html",
        form=shown,
        told=told,
        scope=scope,
        title=WIDE[scope],
        shipped=WIDE_SHIPPED[scope],
        replaces=replaces(),
        clinic=current_clinic(),
    )
