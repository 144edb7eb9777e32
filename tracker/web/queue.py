"""The review queue: a row a patient, worst first, and what is done from the row itself.

Reading it writes nothing. What is new since somebody last looked is marked until they say that they have seen it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import Refused
from tracker.domain.lifecycle import ACTIONS
from tracker.operations.queue import acknowledge_info, mark_seen
from tracker.operations.queue import forget_view as drop_view
from tracker.operations.queue import save_view as keep_view
from tracker.operations.queue import take as take_over
from tracker.queries import dashboard
from tracker.queries.dashboard import Cursor
from tracker.queries.notices import unseen
from tracker.queries.queue import around
from tracker.web.access import current_actor, current_clinic, current_user, get_patient, may
from tracker.web.clock import now, today
from tracker.web.database import reading, writing
from tracker.web.filters import count, zone
from tracker.web.queue_rows import LEADS, TILES, View, remember_own, review_within, row_of, waited
from tracker.web.sign_in import own_path
from tracker.web.wording import (
    ended,
    headline,
    said,
    subject_name,
    suggestion,
    taken,
    why,
)

screen = Blueprint("queue", __name__)
screen.add_app_template_filter(said)
screen.add_app_template_filter(taken)
screen.add_app_template_filter(subject_name)
screen.add_app_template_filter(suggestion)
screen.add_app_template_filter(headline)
screen.add_app_template_filter(why)
screen.add_app_template_filter(ended)


@screen.app_template_global()
def page_of(*endpoints: str, **values: Any) -> str:
    """The address of the first of these pages that there is and that this person may open; "" where none is."""
    for endpoint in endpoints:
        if endpoint in current_app.view_functions and may(endpoint):
            return url_for(endpoint, **values)
    return ""


# ---------------------------------------------------------------------------------------------- the page


@screen.get("/")
def index() -> ResponseReturnValue:
    view = _view(request.args)
    stored, clinic, user = reading(), current_clinic(), current_user()
    counts = dashboard.tiles(stored, clinic.id, waited())
    place = around(stored, clinic.id, user.id)
    found, following = dashboard.page(
        stored,
        clinic.id,
        only=view.only,
        owner_id=user.id if view.mine else None,
        search=view.search,
        after=Cursor.read(view.after),
        seen_at=place.seen_at,
        waited=waited(),
    )
    rows = [row_of(one, view, place, user.id) for one in found]
    told = unseen(stored, clinic.id, user.id)
    return render_template(
        "queue/index.html",
        view=view,
        tiles=TILES,
        counts=counts,
        around=place,
        rows=rows,
        title=title(counts["all"]),
        next_url=view.url(after=str(following)) if following else "",
        shown_at=now().isoformat(),
        notices=told,
        actions=ACTIONS,
        within=[_hours(within) for within in review_within()],
        saved=[(kept["name"], View(kept["only"], kept["whose"] == "mine", kept["q"], "")) for kept in place.views],
    )


def _view(asked: Mapping[str, str]) -> View:
    only = asked.get("only", "")
    search = " ".join(asked.get("q", "").split())[:80]
    mine = asked.get("whose") == "mine"
    return View(only if only in LEADS else "", mine, search, asked.get("after", ""))


def _hours(within: timedelta) -> str:
    """`24 hours`, `14 days`."""
    hours = int(within.total_seconds()) // 3600
    return count(hours // 24, "day") if hours > 96 and hours % 24 == 0 else count(hours, "hour")


def title(patients: int) -> str:
    if not patients:
        return "No patient needs a decision"
    return f"{count(patients, 'patient')} {'needs' if patients == 1 else 'need'} a decision"


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/patients/<int:patient_id>/take")
def take(patient_id: int) -> ResponseReturnValue:
    """Make this person the owner of everything that waits about a patient."""
    shown = {int(word) for word in request.form.get("owners", "").split() if word.isdigit()}
    with writing() as stored:
        patient = get_patient(stored, patient_id)
        flags = take_over(stored, current_actor(), patient, shown)
    remember_own(flags)
    flash(f"You own {patient.full_name}, {patient.mrn}." if flags else f"{patient.full_name} was yours already.")
    return redirect(own_path(request.form.get("next")), 303)


@screen.post("/queue/acknowledge")
def acknowledge() -> ResponseReturnValue:
    """Acknowledge what is only information about the patients that were ticked."""
    shown_at = _instant(request.form.get("shown_at", ""))
    chosen = request.form.getlist("patient", type=int)
    if not chosen:
        raise Refused("Tick at least one patient.")
    with writing() as stored:
        patients = [get_patient(stored, patient_id) for patient_id in chosen]
        flags = acknowledge_info(stored, current_actor(), patients, shown_at, today(zone()))
    remember_own(flags)
    patients_done = len({flag.patient_id for flag in flags})
    flash(f"{count(len(flags), 'flag')} for information acknowledged, of {count(patients_done, 'patient')}.")
    return redirect(own_path(request.form.get("next")), 303)


@screen.post("/queue/seen")
def seen() -> ResponseReturnValue:
    """Everything that was on the page when it was opened counts as seen."""
    with writing() as stored:
        mark_seen(stored, current_actor(), current_clinic().id, _instant(request.form.get("shown_at", "")))
    flash("What comes or changes from now on will be marked.")
    return redirect(own_path(request.form.get("next")), 303)


@screen.post("/queue/views")
def save_view() -> ResponseReturnValue:
    """Keep the view that is shown under a name."""
    view, name = _view(request.form), request.form.get("name", "")
    asked = {"only": view.only, "whose": "mine" if view.mine else "", "q": view.search}
    with writing() as stored:
        keep_view(stored, current_actor(), current_clinic().id, name, asked)
    flash(f"Kept as “{' '.join(name.split())}”.")
    return redirect(view.url(), 303)


@screen.post("/queue/views/forget")
def forget_view() -> ResponseReturnValue:
    with writing() as stored:
        drop_view(stored, current_actor(), current_clinic().id, request.form.get("name", ""))
    flash("The view is removed.")
    return redirect(own_path(request.form.get("next")), 303)


def _instant(text: str) -> datetime:
    """The instant a page was shown, as it carries it. Raises Refused for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("The page does not say when it was opened. Load it again.") from None
    if at.tzinfo is None:
        raise Refused("The page does not say when it was opened. Load it again.")
    return at
