"""The way in and the way out. The answer to a wrong name, a wrong password, a locked and a disabled account is one."""

import logging
import re

from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, PasswordField, StringField

from tracker.operations import accounts, audit
from tracker.operations.actor import Actor
from tracker.web import sessions
from tracker.web.access import current_actor, current_user, signed_in
from tracker.web.clock import now
from tracker.web.database import writing
from tracker.web.forms import Form

screen = Blueprint("sign_in", __name__)
log = logging.getLogger("tracker.security")

WRONG = "The user name or the password is not right, or the account is closed for a while after too many attempts."
NOTICES = {  # what the page may be asked to say; nothing else gets onto it
    "out": "You are signed out.",
    "ended": "Your session has ended. Sign in to go on.",
    "again": "The page had been open for too long. Please sign in again.",
}
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,500}")


class SignInForm(Form):
    username = StringField(
        "User name", render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
    )
    password = PasswordField("Password", render_kw={"autocomplete": "current-password"})
    next = HiddenField()


def own_path(target: str | None) -> str:
    """Where to go after signing in: a path of this site, `/` for anything else."""
    return target if target and _PATH.fullmatch(target) else "/"


@screen.get("/sign-in")
def form() -> ResponseReturnValue:
    target = own_path(request.args.get("next"))
    if signed_in() is not None:
        return redirect(target, 303)
    return _page(SignInForm(next=target), NOTICES.get(request.args.get("notice", ""), ""))


@screen.post("/sign-in")
def enter() -> ResponseReturnValue:
    filled = SignInForm()
    account_id = _authenticate(filled.username.data or "", filled.password.data or "")
    if account_id is None:
        filled.form_errors.append(WRONG)
        return _page(filled, ""), 401
    answer = redirect(own_path(filled.next.data), 303)
    sessions.hand_out(answer, _begin(account_id))
    return answer


@screen.post("/sign-out")
def leave() -> ResponseReturnValue:
    user = current_user()
    with writing() as stored:
        accounts.end_session(stored, user.id, user.session_id, now())
        audit.note(stored, current_actor(), "sign_out", "browser_session", user.session_id)
    answer = redirect(url_for("sign_in.form", notice="out"), 303)
    sessions.take_back(answer)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _page(filled: SignInForm, notice: str) -> str:
    return render_template("sign_in/form.html", form=filled, notice=notice)


def _authenticate(username: str, password: str) -> int | None:
    """The account these belong to. The digest is worked out between two short transactions: it takes its time."""
    with writing() as stored:
        claim = accounts.claim_attempt(stored, username, now())
    if not accounts.password_fits(claim.stored, password, current_app.config["PASSWORD_HASHER"]):
        log.warning("sign-in refused, account %s", claim.account_id or "unknown, locked or disabled")
        return None
    return claim.account_id


def _begin(account_id: int) -> str:
    """A new session for somebody who has shown who they are, in place of the one this browser had."""
    before = signed_in()
    session.clear()  # the visitor's cookie has done its work
    with writing() as stored:
        if before is not None:
            accounts.end_session(stored, before.id, before.session_id, now())
        account = accounts.forget_attempts(stored, account_id)
        token = accounts.start_session(stored, account_id, now(), request.user_agent.string)
        actor = Actor(account.name, now(), "form", account.id, account.role, g.request_id)
        audit.note(stored, actor, "sign_in", "account", account.id)
    log.info("signed in, account %s", account_id)
    return token
