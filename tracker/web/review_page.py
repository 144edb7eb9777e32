"""What the review page of one patient holds: its forms, and what a second person is shown where somebody was first."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import render_template, request, url_for
from sqlalchemy.orm import Session
from wtforms import Field, RadioField
from wtforms.validators import InputRequired, Optional, ValidationError

from tracker import rules
from tracker.domain.errors import Refused
from tracker.domain.findings import REPEAT_OVERDUE
from tracker.domain.lifecycle import ACTIONS, MACHINE_CLEARED, NOT_QUEUED, Move
from tracker.models import Patient
from tracker.operations.review import Decision
from tracker.queries.notices import unseen
from tracker.queries.patients import dosing, flags
from tracker.web.access import current_clinic, current_user, may
from tracker.web.casefile import CaseFile, Line, open_case
from tracker.web.clock import today
from tracker.web.fields import DayField, FigureField, LongTextField, TextField, WholeField
from tracker.web.filters import moment, zone
from tracker.web.forms import Form
from tracker.web.queue_rows import LEADS
from tracker.web.wording import said, taken

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Watch", ("acknowledge", "repeat", "snooze")),
    ("Treatment", ("hold", "reduce", "resume", "stop")),
    ("Others", ("treat", "refer")),
    ("Close", ("close", "no_action")),
)
REPEAT_IN = timedelta(days=7)
SHORTEST_REASON = 5  # characters
MOST_CHARTS = 8


class DecisionForm(Form):
    action = RadioField(
        "Decision",
        [InputRequired("Choose a decision.")],
        choices=[(action.code, action.words) for action in ACTIONS.values()],
    )
    until = DayField("Next check by")
    on = DayField("With effect from")
    dose_mg = FigureField("New dose")
    times_per_day = WholeField("Times a day")
    comment = LongTextField("Reason or comment", longest=2000, render_kw={"rows": 2})

    def validate_until(self, field: Field) -> None:
        if self.chosen and self.chosen.needs_until and field.data is None and not field.errors:
            raise ValidationError(f"“{self.chosen.words}” needs a date.")

    def validate_comment(self, field: Field) -> None:
        if self.chosen and self.chosen.needs_comment and len(field.data or "") < SHORTEST_REASON:
            raise ValidationError(f"“{self.chosen.words}” needs a reason in a few words.")

    def validate_dose_mg(self, field: Field) -> None:
        if self.chosen and self.chosen.code == "reduce" and field.data is None and not field.errors:
            raise ValidationError("How many mg is the new dose?")

    def validate_times_per_day(self, field: Field) -> None:
        if self.chosen and self.chosen.code == "reduce" and field.data is None and not field.errors:
            raise ValidationError("How many times a day is it taken?")

    @property
    def chosen(self) -> Move | None:
        return ACTIONS.get(self.action.data or "")

    def decision(self) -> Decision:
        """What was typed, as the record takes it; what does not belong to the action is left out."""
        given: dict[str, Any] = self.data
        action = ACTIONS[given["action"]]
        reduces = action.code == "reduce"
        return Decision(
            action.code,
            given["comment"] or "",
            until=given["until"],
            on=given["on"] if action.writes_course else None,
            dose_mg=given["dose_mg"] if reduces else None,
            times_per_day=given["times_per_day"] if reduces else None,
        )


class SecondForm(Form):
    comment = LongTextField("Comment", [Optional()], longest=2000, render_kw={"rows": 1})


class ReopenForm(Form):
    """Why a closed flag is opened again; `flag` is its key, with the version that was on screen."""

    flag = TextField("Flag", longest=40)
    why = TextField("Why it is re-opened", longest=2000)


def view_asked() -> dict[str, Any]:
    """The view of the queue that one came from, and the place in it: kept in the address from patient to patient."""
    given = {name: request.args.get(name, "")[:80] for name in ("only", "whose", "q", "at")}
    if given["only"] not in LEADS:
        given["only"] = ""
    return {name: value for name, value in given.items() if value}


def case_of(session: Session, patient: Patient, everything: bool = False) -> CaseFile:
    return open_case(session, patient.id, flags(session, patient.id, everything=everything or "past" in request.args))


def first_choice(case: CaseFile) -> list[Line]:
    """What the decision is about unless one says otherwise: the worst flag of those one came for."""
    leads = LEADS.get(request.args.get("only", ""), lambda flag: True)
    lines = sorted(case.decidable(), key=lambda line: (not leads(line.flag), line.flag.attention))
    return lines[:1]


def fresh_form(chosen: Sequence[Line]) -> DecisionForm:
    """An empty form with what lies nearest: the closure that is proposed, the day a repeat is due."""
    form = DecisionForm(None)
    for line in chosen:
        if line.flag.machine == MACHINE_CLEARED:
            form.process(data={"action": "close"})
        elif line.flag.due_on is not None and line.flag.confirmation is not None:
            overdue = line.flag.confirmation == REPEAT_OVERDUE or line.flag.due_on < today(zone())
            form.process(data={"until": today(zone()) + REPEAT_IN if overdue else line.flag.due_on})
    return form


def draw_page(  # noqa: PLR0913 - what the page holds
    session: Session,
    patient: Patient,
    case: CaseFile,
    form: DecisionForm,
    chosen: Sequence[str],
    *,
    moved: Sequence[str] = (),
    second: SecondForm | None = None,
    reopen: ReopenForm | None = None,
) -> str:
    drug = dosing(session, patient.id)
    return render_template(
        "review/show.html",
        patient=patient,
        dosing=drug,
        taken=taken(drug),
        case=case,
        form=form,
        second=second or SecondForm(None),
        chosen={key.partition(":")[0] for key in " ".join(chosen).split()},
        moved=moved,
        groups=_offered(drug is not None and drug.stopped_on is None, drug is not None and drug.on_hold),
        actions=ACTIONS,
        asked=view_asked(),
        reopen=reopen or ReopenForm(None),
        past="past" in request.args or reopen is not None,
        notices=unseen(session, current_clinic().id, current_user().id, patient.id) if current_user().clinic else [],
        titles=rules.TITLES,
        me=current_user(),
        deciding=may("review.decide"),
        spec_url=url_for("timeline.spec", patient_id=patient.id, test=_charted(case)),
    )


def _charted(case: CaseFile) -> list[str]:
    """The tests that the findings rest on, for the chart beside them."""
    lines = [line for group in case.findings for line in (group.lead, *group.others)]
    tests = [fact["analyte"] for line in lines for fact in line.flag.evidence if fact["result_id"] is not None]
    return list(dict.fromkeys(tests))[:MOST_CHARTS]


def _offered(running: bool, held: bool) -> list[tuple[str, list[str]]]:
    """The decisions that make sense for the course as it stands."""
    impossible = {"hold", "reduce", "resume", "stop"} if not running else {"hold"} if held else {"resume"}
    offered = [(words, [code for code in codes if code not in impossible]) for words, codes in GROUPS]
    return [(words, codes) for words, codes in offered if codes]


def versions_of(chosen: Sequence[str]) -> dict[int, int]:
    """The flags that were ticked, each with the version that was on screen. Raises Refused for anything else."""
    found = {}
    for key in " ".join(chosen).split():
        flag, _, version = key.partition(":")
        if not (flag.isdecimal() and version.isdecimal() and len(key) < 40):
            raise Refused("The page was not sent whole. Load it again.")
        found[int(flag)] = int(version)
    return found


def clash_page(
    session: Session, patient: Patient, form: DecisionForm, chosen: Sequence[str], reopen: ReopenForm | None = None
) -> str:
    """Somebody or something moved first: what changed, with everything that was typed."""
    case = case_of(session, patient, everything=reopen is not None)
    try:
        shown = versions_of(chosen)
    except Refused:
        shown = {}
    return draw_page(session, patient, case, form, chosen, moved=_moved(case, shown), reopen=reopen)


def _moved(case: CaseFile, shown: Mapping[int, int]) -> list[str]:
    """A sentence for each chosen flag that is no longer as it was shown."""
    lines = {line.flag.id: line for line in _all(case)}
    found = []
    for flag_id, version in shown.items():
        line = lines.get(flag_id)
        if line is None:
            found.append("A flag you had chosen no longer waits: somebody closed it, or a new result ended it.")
        elif line.flag.version != version:
            found += _what_happened(line, version)
    return found


def _what_happened(line: Line, version: int) -> list[str]:
    later = [one for one in line.decided if one.review.flag_version >= version]
    told = [
        f"{line.headline.name}: {one.by} decided “{ACTIONS[one.review.action].words}” on {moment(one.review.at)}."
        for one in later
    ]
    if told:
        return told
    if line.flag.attention >= NOT_QUEUED:
        return [f"{line.headline.name}: no longer waits for a decision."]
    owner = f" Owner: {line.owner}." if line.owner else ""
    return [f"{line.headline.name}: judged again meanwhile. Now: {said(line.flag.sentence)}.{owner}"]


def _all(case: CaseFile) -> list[Line]:
    grouped = [line for group in case.findings for line in (group.lead, *group.others)]
    unchecked = [line for one in case.unchecked for line in one.lines]
    return [*grouped, *case.missing, *unchecked, *case.info, *case.past]
