"""One's own account: the clinic that is looked at, the password, the browsers that are signed in."""

from typing import Any

from flask import Blueprint, current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField
from wtforms.validators import EqualTo, InputRequired

from tracker.domain.errors import NotFound, Refused
from tracker.models import Account
from tracker.operations import accounts, audit, passkeys, second_factor
from tracker.web import sessions
from tracker.web.access import BIGGEST_KEY, current_actor, current_user
from tracker.web.clock import now
from tracker.web.database import reading, writing
from tracker.web.filters import count
from tracker.web.forms import Form, refuse
from tracker.web.origin import site
from tracker.web.sign_in import own_path

screen = Blueprint("account", __name__)

NEW = {"autocomplete": "new-password"}


class PasswordForm(Form):
    current_password = PasswordField(
        "Present password",
        [InputRequired("Type your present password.")],
        render_kw={"autocomplete": "current-password"},
    )
    new_password = PasswordField("New password", [InputRequired("Type a new password.")], render_kw=NEW)
    again_password = PasswordField(
        "New password once more", [EqualTo("new_password", "The two new passwords differ.")], render_kw=NEW
    )


@screen.get("/account")
def show() -> ResponseReturnValue:
    return _page(PasswordForm())


@screen.post("/account/password")
def change_password() -> ResponseReturnValue:
    form = PasswordForm()
    if not form.validate():
        return _page(form), 422
    if not is_mine(form.current_password.data or ""):
        refuse(form, Refused("This is not your present password."), "current_password")
        return _page(form), 422
    try:
        token = _store_password(form.new_password.data or "")
    except Refused as error:
        refuse(form, error, "new_password")
        return _page(form), 422
    answer = redirect(url_for("account.show"), 303)
    sessions.hand_out(answer, token)
    return answer


@screen.post("/account/sessions/<int:session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    user = current_user()
    if session_id > BIGGEST_KEY:
        raise NotFound("There is no such session.")
    with writing() as stored:
        accounts.end_session(stored, user.id, session_id, now())
        audit.note(stored, current_actor(), "end_session", "browser_session", session_id)
    flash("That browser is signed out.")
    return redirect(url_for("account.show"), 303)


@screen.post("/account/sessions/end-others")
def end_others() -> ResponseReturnValue:
    user = current_user()
    with writing() as stored:
        ended = accounts.end_sessions(stored, user.id, now(), but=user.session_id)
        audit.note(stored, current_actor(), "end_session", "browser_session", None, after={"others_ended": ended})
    flash("All other browsers are signed out.")
    return redirect(url_for("account.show"), 303)


@screen.post("/account/clinic")
def switch_clinic() -> ResponseReturnValue:
    """Look at another of one's clinics."""
    chosen = request.form.get("clinic_id", "")
    clinic = next((clinic for clinic in current_user().clinics if str(clinic.id) == chosen), None)
    if clinic is None:
        raise NotFound("There is no such clinic, or you do not work there.")
    session["clinic_id"] = clinic.id
    flash(f"You are looking at {clinic.name}.")
    return redirect(own_path(request.form.get("next")), 303)


@screen.get("/account/left")
def left() -> ResponseReturnValue:
    """How many seconds until this session ends by itself. Asking does not prolong it."""
    return jsonify(seconds=sessions.seconds_left(current_user()))


@screen.post("/account/alive")
def alive() -> ResponseReturnValue:
    """Somebody pressed “Stay signed in”; that it was asked is what prolongs the session."""
    return "", 204


def _page(form: PasswordForm) -> str:
    user = current_user()
    seen_after, begun_after = sessions.live_since()
    rows = accounts.open_sessions(reading(), user.id, seen_after, begun_after)
    return render_template(
        "account/show.html",
        form=form,
        user=user,
        sessions=[(row, device(row.user_agent)) for row in rows],
        idle=_duration(current_app.config["IDLE_SECONDS"]),
        longest=_duration(current_app.config["SESSION_SECONDS"]),
        telephone=reading().get_one(Account, user.id).totp_since,
        keys=passkeys.of_person(reading(), user.id),
        keys_work=site() is not None,
        codes=second_factor.codes_left(reading(), user.id),
    )


def _duration(seconds: int) -> str:
    return count(seconds // 3600, "hour") if seconds % 3600 == 0 else count(seconds // 60, "minute")


def is_mine(password: str) -> bool:
    """Counted like an attempt to sign in: a browser left open is no place to guess from."""
    with writing() as stored:
        claim = accounts.claim_attempt(stored, current_user().username, now())
    return accounts.password_fits(claim.stored, password, current_app.config["PASSWORD_HASHER"])


def _store_password(password: str) -> str:
    """The token of the one session that goes on."""
    user = current_user()
    flash("Your password is changed, and all other browsers are signed out.")
    with writing() as stored:
        account = stored.get_one(Account, user.id)
        accounts.change_password(stored, current_actor(), account, password, current_app.config["PASSWORD_HASHER"])
        kept: dict[str, Any] = dict(session)
        return accounts.start_session(stored, user.id, now(), sessions.agent(), kept)


# The words a browser uses of itself, the telling ones first: each claims to be its predecessors too.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)  # fmt: skip


def device(user_agent: str) -> str:
    """`Firefox on Windows`, from what the browser says of itself."""
    browser = next((name for word, name in _BROWSERS if word in user_agent), "A browser")
    system = next((name for word, name in _SYSTEMS if word in user_agent), "")
    return f"{browser} on {system}" if system else browser
