"""What holds for all patients of a clinic: which range comes first, how soon a repeat is asked for, the grace, and
which infections are opportunistic.
"""

from collections.abc import Mapping

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from wtforms import RadioField, SelectMultipleField
from wtforms.validators import Optional
from wtforms.widgets import CheckboxInput, ListWidget

from tracker.domain.clinic_wide import OPPORTUNISTIC, PRINTED_FIRST, RANGES_FIRST, SCOPES
from tracker.domain.dates import span
from tracker.domain.errors import NotFound, Refused
from tracker.domain.opportunistic import LONGEST_TERM, MOST_TERMS, TERMS, WITHOUT, ZOSTER
from tracker.domain.overlay import CONFIRM_WITHIN, GRACE_DAYS, VALUE
from tracker.library.infections import vocabulary
from tracker.models.setting import CLINIC_WIDE
from tracker.web import drafting
from tracker.web.access import current_clinic
from tracker.web.drafting import DraftForm, Told, in_place_of, replaces, store_draft
from tracker.web.fields import LongTextField, WholeField
from tracker.web.forms import refuse
from tracker.web.setting_words import FIRST, WIDE, WIDE_SHIPPED, ZOSTERS

screen = Blueprint("clinic_wide", __name__)

SHIPPED = "shipped"
FIELDS = {
    RANGES_FIRST: ("first",), CONFIRM_WITHIN: ("window",), GRACE_DAYS: ("grace",),
    OPPORTUNISTIC: (TERMS, WITHOUT, ZOSTER),
}  # fmt: skip
BY_EPISODE = (
    "An episode that began before keeps the version of its first day; what is still open goes by that of today."
)
BEGINS = {
    RANGES_FIRST: "Judges samples of that day and later.",
    OPPORTUNISTIC: "An infection goes by the version in force on the day of its onset, to its end; where nobody knows "
    "that day, by the version of today.",
}


def _lines() -> list[tuple[str, str]]:
    """The lines of the packaged list; what Winthrop 2015 calls probable says so."""
    return [
        (term.name, term.name if term.certainty == "definite" else f"{term.name} ({term.certainty})")
        for term in vocabulary().opportunistic
    ]


class ClinicWideForm(DraftForm):
    first = RadioField(
        "A result that came with a printed range is judged by",
        choices=[(SHIPPED, f"as shipped: {FIRST[PRINTED_FIRST]}"), *FIRST.items()],
        default=SHIPPED,
    )
    window = WholeField("A repeat is asked for within", [Optional()])
    grace = WholeField("A check is overdue after", [Optional()])
    terms = LongTextField("Also counted", [Optional()], longest=MOST_TERMS * (LONGEST_TERM + 1))
    without = SelectMultipleField(
        "Not counted, of the packaged list",
        [Optional()],
        choices=_lines,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    zoster = RadioField("Zoster counts", choices=list(ZOSTERS.items()), default="")

    def fit(self, scope: str) -> None:
        """Leave the fields that are asked about."""
        for other in {name for names in FIELDS.values() for name in names} - set(FIELDS[scope]):
            del self[other]

    def body(self, scope: str) -> dict[str, str]:
        if scope == OPPORTUNISTIC:
            return self._list()
        data = self[FIELDS[scope][0]].data
        if data in (None, SHIPPED):
            return {}
        return {VALUE: f"P{data}D" if scope == CONFIRM_WITHIN else str(data)}

    def _list(self) -> dict[str, str]:
        """A term a line; lines without any character are none."""
        terms = [" ".join(line.split()) for line in (self.terms.data or "").splitlines()]
        told = {TERMS: terms, WITHOUT: self.without.data or [], ZOSTER: [self.zoster.data or ""]}
        lines = {key: "\n".join(filter(None, texts)) for key, texts in told.items()}
        return {key: text for key, text in lines.items() if text}

    def fill(self, scope: str, body: Mapping[str, str]) -> None:
        if scope == OPPORTUNISTIC:
            self.terms.data = body.get(TERMS, "")
            self.without.data = body[WITHOUT].split("\n") if WITHOUT in body else []
            self.zoster.data = body.get(ZOSTER, "")
        elif body:
            text = body[VALUE]
            self[FIELDS[scope][0]].data = span(text).days if scope == CONFIRM_WITHIN else text


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
        begins=BEGINS.get(scope, BY_EPISODE),
        replaces=replaces(),
        clinic=current_clinic(),
    )
