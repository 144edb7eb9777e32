"""The review of one patient: the flags with what they rest on, and one decision about those that are chosen."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import Field, RadioField
from wtforms.validators import InputRequired, Optional, ValidationError

from tracker import rules
from tracker.domain.errors import Refused, Stale
from tracker.domain.findings import REPEAT_OVERDUE
from tracker.domain.lifecycle import ACTIONS, MACHINE_CLEARED, NOT_QUEUED, Action, needs_second_person
from tracker.models import Flag, Patient, Review
from tracker.operations.evaluate import Changes, rejudge
from tracker.operations.proposals import settle
from tracker.operations.review import Decision
from tracker.operations.review import decide as store
from tracker.queries.dashboard import Cursor
from tracker.queries.patients import dosing, flags
from tracker.queries.review import following as next_in_queue
from tracker.web.access import current_actor, current_clinic, current_user, get_patient, may
from tracker.web.amending import tell
from tracker.web.casefile import CaseFile, Line, open_case
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import DayField, FigureField, LongTextField, WholeField
from tracker.web.filters import moment, zone
from tracker.web.forms import Form, refuse
from tracker.web.queue import LEADS, remember_own
from tracker.web.wording import said, short_day, subject_name, taken

screen = Blueprint("review", __name__)

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
    def chosen(self) -> Action | None:
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


# ---------------------------------------------------------------------------------------------- the page


@screen.get("/patients/<int:patient_id>/review")
def show(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    case = _case(session, patient)
    chosen = _first_choice(case)
    return _page(session, patient, case, _fresh(chosen), [line.key for line in chosen])


@screen.get("/patients/<int:patient_id>/review/next")
def following(patient_id: int) -> ResponseReturnValue:
    """On to the next patient of the queue that one came from."""
    get_patient(reading(), patient_id)
    asked = _asked()
    found = next_in_queue(
        reading(),
        current_clinic().id,
        patient_id,
        only=asked.get("only", ""),
        owner_id=current_user().id if asked.get("whose") == "mine" else None,
        search=asked.get("q", ""),
        after=Cursor.read(asked.get("at", "")),
    )
    if found is None:
        flash("That was the last one of this list.")
        asked.pop("at", None)
        return redirect(url_for("queue.index", **asked), 303)
    return redirect(url_for("review.show", patient_id=found[0], **asked | {"at": str(found[1])}), 303)


def _asked() -> dict[str, Any]:
    """The view of the queue that one came from, and the place in it: kept in the address from patient to patient."""
    given = {name: request.args.get(name, "")[:80] for name in ("only", "whose", "q", "at")}
    if given["only"] not in LEADS:
        given["only"] = ""
    return {name: value for name, value in given.items() if value}


def _case(session: Session, patient: Patient) -> CaseFile:
    return open_case(session, patient.id, flags(session, patient.id, everything="past" in request.args))


def _first_choice(case: CaseFile) -> list[Line]:
    """What the decision is about unless one says otherwise: the worst flag of those one came for."""
    leads = LEADS.get(request.args.get("only", ""), lambda flag: True)
    lines = sorted(case.decidable(), key=lambda line: (not leads(line.flag), line.flag.attention))
    return lines[:1]


def _fresh(chosen: Sequence[Line]) -> DecisionForm:
    """An empty form with what lies nearest: the closure that is proposed, the day a repeat is due."""
    form = DecisionForm(None)
    for line in chosen:
        if line.flag.machine == MACHINE_CLEARED:
            form.process(data={"action": "close"})
        elif line.flag.due_on is not None and line.flag.confirmation is not None:
            overdue = line.flag.confirmation == REPEAT_OVERDUE or line.flag.due_on < today(zone())
            form.process(data={"until": today(zone()) + REPEAT_IN if overdue else line.flag.due_on})
    return form


def _page(
    session: Session,
    patient: Patient,
    case: CaseFile,
    form: DecisionForm,
    chosen: Sequence[str],
    *,
    moved: Sequence[str] = (),
    second: SecondForm | None = None,
) -> str:
    asked = _asked()
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
        asked=asked,
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


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/review")
def decide(patient_id: int) -> ResponseReturnValue:
    """Store one decision about the flags that were ticked."""
    form, chosen = DecisionForm(), request.form.getlist("flag")
    if form.validate():
        try:
            with writing() as session:
                patient = get_patient(session, patient_id)
                done = store(session, current_actor(), patient, _versions(chosen), form.decision(), today(zone()))
                changes = rejudge(session, current_actor(), patient)
                decided = [session.get_one(Flag, review.flag_id) for review in done]
        except Refused as error:
            refuse(form, error)
        except Stale:
            return _clash(patient_id, form, chosen), 409
        else:
            return _saved(patient, form.decision(), decided, changes)
    session = reading()
    patient = get_patient(session, patient_id)
    return _page(session, patient, _case(session, patient), form, chosen), 422


def _versions(chosen: Sequence[str]) -> dict[int, int]:
    """The flags that were ticked, each with the version that was on screen. Raises Refused for anything else."""
    found = {}
    for key in " ".join(chosen).split():
        flag, _, version = key.partition(":")
        if not (flag.isdecimal() and version.isdecimal() and len(key) < 40):
            raise Refused("The page was not sent whole. Load it again.")
        found[int(flag)] = int(version)
    return found


def _saved(patient: Patient, decision: Decision, decided: Sequence[Flag], changes: Changes) -> ResponseReturnValue:
    remember_own(list(decided))
    tell(_sentence(decision, decided), changes if any(changes.counts().values()) else None)
    if request.form.get("then") == "next":
        return redirect(url_for("review.following", patient_id=patient.id, **_asked()), 303)
    return redirect(url_for("review.show", patient_id=patient.id, **_asked()), 303)


def _sentence(decision: Decision, decided: Sequence[Flag]) -> str:
    """`Order a repeat by 8 Mar: Neutrophils absolute.`"""
    about = ", ".join(dict.fromkeys(subject_name(flag.subject) for flag in decided))
    until = f" by {short_day(decision.until)}" if decision.until else ""
    waits = any(needs_second_person(decision.action, flag.grade) for flag in decided)
    proposed = " It waits for a second clinician." if waits else ""
    return f"{ACTIONS[decision.action].words}{until}: {about}.{proposed}"


def _clash(patient_id: int, form: DecisionForm, chosen: Sequence[str]) -> str:
    """Somebody or something moved first: what changed, with everything that was typed."""
    session = reading()
    patient = get_patient(session, patient_id)
    case = _case(session, patient)
    try:
        versions = _versions(chosen)
    except Refused:
        versions = {}
    return _page(session, patient, case, form, chosen, moved=_moved(case, versions))


def _moved(case: CaseFile, versions: Mapping[int, int]) -> list[str]:
    """A sentence for each chosen flag that is no longer as it was shown."""
    lines = {line.flag.id: line for line in _all(case)}
    found = []
    for flag_id, version in versions.items():
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


@screen.post("/patients/<int:patient_id>/review/second")
def second(patient_id: int) -> ResponseReturnValue:
    """A second clinician confirms or declines what the first one proposed."""
    form = SecondForm()
    get_patient(reading(), patient_id)
    review_id = request.form.get("review", type=int)
    agree = {"confirm": True, "decline": False}.get(request.form.get("answer", ""))
    if review_id is None or agree is None:
        raise Refused("Say whether you confirm or decline.")
    if form.validate():
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                settled = settle(session, actor, patient, review_id, agree, form.comment.data or "", today(zone()))
                changes = rejudge(session, actor, patient)
                moved = [session.get_one(Flag, review.flag_id) for review in settled]
        except Refused as error:
            refuse(form, error, "comment")
        else:
            return _settled(patient, settled, moved, agree, changes)
    session = reading()
    patient = get_patient(session, patient_id)
    case = _case(session, patient)
    chosen = _first_choice(case)
    return _page(session, patient, case, _fresh(chosen), [line.key for line in chosen], second=form), 422


def _settled(
    patient: Patient, settled: Sequence[Review], moved: Sequence[Flag], agree: bool, changes: Changes
) -> ResponseReturnValue:
    remember_own(list(moved))
    words = ACTIONS[settled[0].action].words
    about = ", ".join(dict.fromkeys(subject_name(flag.subject) for flag in moved))
    tell(
        f"{'Confirmed' if agree else 'Declined'}: {words}, {about}.",
        changes if any(changes.counts().values()) else None,
    )
    return redirect(url_for("review.show", patient_id=patient.id, **_asked()), 303)
