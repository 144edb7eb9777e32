"""The way in and the way out. The answer to a wrong name, a wrong password, a locked and a disabled account is one, and
so is the answer to a passkey that is not taken.
"""

import logging
import re
from datetime import datetime

from flask import Blueprint, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, PasswordField, StringField

from tracker.models import Account
from tracker.operations import accounts, audit, passkeys, second_factor
from tracker.operations.actor import Actor
from tracker.operations.passkeys import Challenge, Site
from tracker.web import sessions
from tracker.web.access import current_actor, current_user, signed_in
from tracker.web.clock import now
from tracker.web.database import reading, writing
from tracker.web.forms import Form
from tracker.web.origin import site

screen = Blueprint("sign_in", __name__)
log = logging.getLogger("tracker.security")

WRONG = (
    "The user name or the password is not right, a password that was given to you has run out, or the account is "
    "closed for a while after too many attempts."
)
NOTICES = {  # what the page may be asked to say; nothing else gets onto it
    "out": "You are signed out.",
    "ended": "Your session has ended. Sign in to go on.",
    "again": "The page had been open for too long. Please sign in again.",
}
HALF = "half"  # in the visitor's cookie: whose password was right, until when a code is waited for, and where to go
HALF_SECONDS = 300
WRONG_CODE = "This code is not right, was used before, or the account is closed for a while after too many attempts."
CHALLENGE = "challenge"  # in the visitor's cookie: what a passkey is to sign, when it was made, and where to go
WRONG_KEY = (
    "The passkey was not accepted: it is not known here or was removed, the account is closed, or it took longer than "
    "five minutes. Try again, or sign in with the password."
)
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,500}")


class SignInForm(Form):
    username = StringField(
        "User name", render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
    )
    password = PasswordField("Password", render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class CodeForm(Form):
    code = StringField("Code", render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "autofocus": True})


def own_path(target: str | None) -> str:
    """Where to go after signing in: a path of this site, `/` for anything else."""
    return target if target and _PATH.fullmatch(target) else "/"


class KeyForm(Form):
    """What the browser's passkey signed; filled in by static/js/passkey.js."""

    answer = HiddenField()


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
    target = own_path(filled.next.data)
    if second_factor.has_factor(reading(), account_id):
        session[HALF] = [account_id, int(now().timestamp()) + HALF_SECONDS, target]
        _challenge(target)
        return redirect(url_for("sign_in.code"), 303)
    return _let_in(account_id, target)


@screen.get("/sign-in/code")
def code() -> ResponseReturnValue:
    half = _half()
    return redirect(url_for("sign_in.form", notice="again"), 303) if half is None else _second(half[0], CodeForm())


@screen.post("/sign-in/code")
def prove() -> ResponseReturnValue:
    """The second half of signing in. A code is counted like a password: ten wrong ones lock the account."""
    half, form = _half(), CodeForm()
    if half is None:
        return redirect(url_for("sign_in.form", notice="again"), 303)
    account_id, target = half
    with writing() as stored:
        claim = accounts.claim_attempt(stored, stored.get_one(Account, account_id).username, now())
        right = claim.account_id is not None and second_factor.fits(stored, account_id, form.code.data or "", now())
    if not right:
        log.warning("second factor refused, account %s", account_id)
        form.form_errors.append(WRONG_CODE)
        return _second(account_id, form), 401
    return _let_in(account_id, target)


# ---------------------------------------------------------------------------------------------- passkeys


@screen.post("/sign-in/passkey/ask")
def ask_passkey() -> ResponseReturnValue:
    """A challenge for whoever has a passkey; who they are, the passkey says."""
    session.pop(HALF, None)
    _challenge(own_path(request.form.get("next")))
    return redirect(url_for("sign_in.passkey"), 303)


@screen.get("/sign-in/passkey")
def passkey() -> ResponseReturnValue:
    where, asked = site(), _asked()
    if where is None or asked is None:
        return redirect(url_for("sign_in.form", notice="again"), 303)
    return render_template("sign_in/passkey.html", form=KeyForm(), asked=passkeys.to_show(where, [], asked[0]))


@screen.post("/sign-in/passkey")
def show_passkey() -> ResponseReturnValue:
    """After the password, of that person; else of whoever it belongs to, if the device looked who holds it."""
    where, asked, half, form = site(), _asked(), _half(), KeyForm()
    session.pop(CHALLENGE, None)  # answered once, rightly or wrongly
    if where is None or asked is None:
        return redirect(url_for("sign_in.form", notice="again"), 303)
    challenge, target = asked
    expected = half[0] if half else None
    with writing() as stored:
        found = passkeys.owner(stored, where, challenge, form.answer.data or "", _actor, now(), expected)
        key = None if found is None else (found[0].id, found[1].name)
    if key is None:
        return _refused_key(where, target, expected)
    return _let_in(key[0], target, {"passkey": key[1]})


def _refused_key(where: Site, target: str, expected: int | None) -> ResponseReturnValue:
    """The same page, with another challenge."""
    log.warning("passkey refused, account %s", expected or "not told")
    challenge, form = _challenge(target), KeyForm(formdata=None)
    form.form_errors.append(WRONG_KEY)
    if expected is not None:
        return _second(expected, CodeForm(formdata=None), form), 401
    page = render_template("sign_in/passkey.html", form=form, asked=passkeys.to_show(where, [], challenge))
    return page, 401


def _challenge(target: str) -> Challenge:
    made = passkeys.new_challenge(now())
    session[CHALLENGE] = [made.text, made.made.isoformat(), target]
    return made


def _asked() -> tuple[Challenge, str] | None:
    """What this browser's passkey was asked to sign, and where its owner wants to go."""
    text, made, target = session.get(CHALLENGE) or ("", "", "/")
    return (Challenge(text, datetime.fromisoformat(made)), own_path(target)) if text else None


# ---------------------------------------------------------------------------------------------- the way out


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


def _half() -> tuple[int, str] | None:
    """Whose password was right in this browser a moment ago, and where they want to go."""
    account_id, until, target = session.get(HALF) or (0, 0, "/")
    return (account_id, own_path(target)) if until > now().timestamp() else None


def _second(account_id: int, form: CodeForm, key: KeyForm | None = None) -> str:
    """The page after the password: a code, or one of this person's passkeys."""
    where, asked = site(), _asked()
    known = passkeys.of_person(reading(), account_id) if where and asked else []
    return render_template(
        "sign_in/code.html",
        form=form,
        key=key or KeyForm(formdata=None),
        telephone=reading().get_one(Account, account_id).totp_since is not None,
        asked=passkeys.to_show(where, known, asked[0]) if where and asked and known else None,
    )


def _let_in(account_id: int, target: str, by: dict[str, str] | None = None) -> ResponseReturnValue:
    """`by`: what they showed beside or instead of the password, for the record."""
    answer = redirect(target, 303)
    sessions.hand_out(answer, _begin(account_id, by))
    return answer


def _page(filled: SignInForm, notice: str) -> str:
    return render_template("sign_in/form.html", form=filled, notice=notice, passkeys=site() is not None)


def _authenticate(username: str, password: str) -> int | None:
    """The account these belong to. The digest is worked out between two short transactions: it takes its time."""
    with writing() as stored:
        claim = accounts.claim_attempt(stored, username, now())
    if not accounts.password_fits(claim.stored, password, current_app.config["PASSWORD_HASHER"]):
        log.warning("sign-in refused, account %s", claim.account_id or "unknown, locked or disabled")
        return None
    return claim.account_id


def _begin(account_id: int, by: dict[str, str] | None) -> str:
    """A new session for somebody who has shown who they are, in place of the one this browser had."""
    before = signed_in()
    session.clear()  # the visitor's cookie has done its work
    with writing() as stored:
        if before is not None:
            accounts.end_session(stored, before.id, before.session_id, now())
        account = accounts.forget_attempts(stored, account_id)
        token = accounts.start_session(stored, account_id, now(), sessions.agent())
        audit.note(stored, _actor(account), "sign_in", "account", account.id, after=by)
    log.info("signed in, account %s", account_id)
    return token


def _actor(account: Account) -> Actor:
    return Actor(account.name, now(), "form", account.id, account.role, g.request_id)
