"""What a clinic sets beside its ranges: looked at before and published by a second person, taken back.

The same steps as for ranges; nothing here is edited in place.
"""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import JakwatchError, Refused, Stale
from tracker.models import ClinicSetting
from tracker.models.setting import CLINIC_WIDE
from tracker.operations import publishing
from tracker.operations.settings import withdraw as withdraw_draft
from tracker.operations.trial import Preview
from tracker.queries import clinic_settings
from tracker.queries.range_table import DRAFT, IN_FORCE
from tracker.web import steps
from tracker.web.access import current_actor, current_clinic, get_setting
from tracker.web.amending import tell
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.filters import zone
from tracker.web.setting_words import WIDE, WIDE_SHIPPED, described, edit, home, shipped, title_of

screen = Blueprint("settings", __name__)


@screen.get("/settings")
def index() -> ResponseReturnValue:
    """All that this clinic set: what waits, what is in force, and what went before."""
    clinic = current_clinic()
    found = clinic_settings.lines(reading(), clinic.id, today(zone()))
    return render_template(
        "settings/index.html",
        clinic=clinic,
        drafts=[line for line in found if line.state == DRAFT],
        standing=[line for line in found if line.state != DRAFT],
        wide=WIDE,
        wide_shipped=WIDE_SHIPPED,
        now={line.row.scope: line for line in found if line.row.kind == CLINIC_WIDE and line.state == IN_FORCE},
        described=described,
        title_of=title_of,
    )


@screen.get("/settings/<int:setting_id>")
def show(setting_id: int) -> ResponseReturnValue:
    return _page(get_setting(reading(), setting_id))


# ---------------------------------------------------------------------------------------------- publishing


@screen.post("/settings/<int:setting_id>/preview")
def preview(setting_id: int) -> ResponseReturnValue:
    """What publishing would change. Nothing is stored."""
    return steps.looked(lambda: steps.look([get_setting(reading(), setting_id)]), _again(setting_id))


@screen.post("/settings/<int:setting_id>/publish")
def publish(setting_id: int) -> ResponseReturnValue:
    try:
        with writing(alone=True) as session:
            row = get_setting(session, setting_id)
            done = publishing.publish(session, current_actor(), [row], steps.applies(), steps.seen())
    except (Refused, Stale) as error:
        return _again(setting_id)(None, error), steps.status(error)
    tell(f"Published. {steps.judged(done)}")
    return redirect(url_for("settings.show", setting_id=setting_id), 303)


@screen.post("/settings/<int:setting_id>/withdraw")
def withdraw(setting_id: int) -> ResponseReturnValue:
    with writing() as session:
        withdraw_draft(session, current_actor(), get_setting(session, setting_id))
    tell("The draft is withdrawn. It stays on record.")
    return redirect(url_for("settings.index"), 303)


@screen.post("/settings/<int:setting_id>/take-back/preview")
def look_back(setting_id: int) -> ResponseReturnValue:
    """What taking the version back would change. Nothing is stored."""
    return steps.looked(lambda: steps.look_back(get_setting(reading(), setting_id)), _again(setting_id))


@screen.post("/settings/<int:setting_id>/take-back")
def take_back(setting_id: int) -> ResponseReturnValue:
    with writing(alone=True) as session:
        done = publishing.roll_back(session, current_actor(), get_setting(session, setting_id))
    tell(f"Taken back. {steps.judged(done)}")
    return redirect(url_for("settings.index"), 303)


def _again(setting_id: int) -> steps.Page:
    return lambda found, refused: _page(get_setting(reading(), setting_id), found, refused)


def _page(row: ClinicSetting, found: Preview | None = None, refused: JakwatchError | None = None) -> str:
    session, on = reading(), today(zone())
    history = clinic_settings.lines(session, row.clinic_id, on, (row.kind, row.scope))
    return render_template(
        "settings/show.html",
        line=next(line for line in history if line.row.id == row.id),
        history=history,
        latest=max((line.row.number for line in history), default=0),
        described=described,
        title_of=title_of,
        shipped=shipped,
        edit=edit,
        home=home,
        **steps.shown([row], found, refused),
    )
