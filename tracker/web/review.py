"""The review of one patient: the flags with what they rest on, and one decision about those that are chosen."""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import Refused, Stale
from tracker.domain.lifecycle import ACTIONS, needs_second_person
from tracker.models import Flag, Patient, Review
from tracker.operations import notices
from tracker.operations.evaluate import Changes, rejudge
from tracker.operations.proposals import settle
from tracker.operations.review import Decision
from tracker.operations.review import decide as store
from tracker.queries.dashboard import Cursor
from tracker.queries.review import following as next_in_queue
from tracker.web.access import current_actor, current_clinic, current_user, get_patient
from tracker.web.amending import tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.filters import zone
from tracker.web.forms import refuse
from tracker.web.queue_rows import remember_own, waited
from tracker.web.review_page import (
    DecisionForm,
    ReopenForm,
    SecondForm,
    case_of,
    clash_page,
    draw_page,
    first_choice,
    fresh_form,
    versions_of,
    view_asked,
)
from tracker.web.sign_in import own_path
from tracker.web.wording import short_day, subject_name

screen = Blueprint("review", __name__)

# ---------------------------------------------------------------------------------------------- the page


@screen.get("/patients/<int:patient_id>/review")
def show(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    case = case_of(session, patient)
    chosen = first_choice(case)
    return draw_page(session, patient, case, fresh_form(chosen), [line.key for line in chosen])


@screen.get("/patients/<int:patient_id>/review/next")
def following(patient_id: int) -> ResponseReturnValue:
    """On to the next patient of the queue that one came from."""
    get_patient(reading(), patient_id)
    asked = view_asked()
    found = next_in_queue(
        reading(),
        current_clinic().id,
        patient_id,
        only=asked.get("only", ""),
        owner_id=current_user().id if asked.get("whose") == "mine" else None,
        search=asked.get("q", ""),
        after=Cursor.read(asked.get("at", "")),
        waited=waited(),
    )
    if found is None:
        flash("That was the last one of this list.")
        asked.pop("at", None)
        return redirect(url_for("queue.index", **asked), 303)
    return redirect(url_for("review.show", patient_id=found[0], **asked | {"at": str(found[1])}), 303)


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/review")
def decide(patient_id: int) -> ResponseReturnValue:
    """Store one decision about the flags that were ticked."""
    form, chosen = DecisionForm(), request.form.getlist("flag")
    if form.validate():
        try:
            with writing() as session:
                patient = get_patient(session, patient_id)
                done = store(session, current_actor(), patient, versions_of(chosen), form.decision(), today(zone()))
                changes = rejudge(session, current_actor(), patient)
                decided = [session.get_one(Flag, review.flag_id) for review in done]
        except Refused as error:
            refuse(form, error)
        except Stale:
            session = reading()
            return clash_page(session, get_patient(session, patient_id), form, chosen), 409
        else:
            return _saved(patient, form.decision(), decided, changes)
    session = reading()
    patient = get_patient(session, patient_id)
    return draw_page(session, patient, case_of(session, patient), form, chosen), 422


def _saved(patient: Patient, decision: Decision, decided: Sequence[Flag], changes: Changes) -> ResponseReturnValue:
    remember_own(list(decided))
    tell(_sentence(decision, decided), changes if any(changes.counts().values()) else None)
    if request.form.get("then") == "next":
        return redirect(url_for("review.following", patient_id=patient.id, **view_asked()), 303)
    return redirect(url_for("review.show", patient_id=patient.id, **view_asked()), 303)


def _sentence(decision: Decision, decided: Sequence[Flag]) -> str:
    """`Order a repeat by 8 Mar: Neutrophils absolute.`"""
    about = ", ".join(dict.fromkeys(subject_name(flag.subject) for flag in decided))
    until = f" by {short_day(decision.until)}" if decision.until else ""
    waits = any(needs_second_person(decision.action, flag.grade) for flag in decided)
    proposed = " It waits for a second clinician." if waits else ""
    return f"{ACTIONS[decision.action].words}{until}: {about}.{proposed}"


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
    case = case_of(session, patient)
    chosen = first_choice(case)
    return draw_page(session, patient, case, fresh_form(chosen), [line.key for line in chosen], second=form), 422


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
    return redirect(url_for("review.show", patient_id=patient.id, **view_asked()), 303)


@screen.post("/patients/<int:patient_id>/review/reopen")
def reopen(patient_id: int) -> ResponseReturnValue:
    """Open a closed flag again, with a reason."""
    form = ReopenForm()
    chosen = [form.flag.data or ""]
    if form.validate():
        try:
            with writing() as session:
                actor, patient = current_actor(), get_patient(session, patient_id)
                decision = Decision("reopen", form.why.data or "")
                done = store(session, actor, patient, versions_of(chosen), decision, today(zone()))
                changes = rejudge(session, actor, patient)
                decided = [session.get_one(Flag, review.flag_id) for review in done]
        except Refused as error:
            refuse(form, error, "why")
        except Stale:
            session = reading()
            patient = get_patient(session, patient_id)
            return clash_page(session, patient, DecisionForm(None), chosen, form), 409
        else:
            return _saved(patient, decision, decided, changes)
    session = reading()
    patient = get_patient(session, patient_id)
    case = case_of(session, patient, everything=True)
    return draw_page(session, patient, case, DecisionForm(None), [], reopen=form), 422


@screen.post("/notices/seen")
def noticed() -> ResponseReturnValue:
    """The lines about this person's own decisions that were shown count as seen."""
    with writing() as session:
        notices.seen(session, current_actor(), request.form.getlist("notice", type=int)[:200])
    return redirect(own_path(request.form.get("next")), 303)
