"""One's passkeys: making one, by a name and the password, and removing one."""

from datetime import datetime

from flask import Blueprint, current_app, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField
from wtforms.validators import DataRequired

from tracker.domain.errors import NotFound, Refused
from tracker.models import Account
from tracker.operations import passkeys
from tracker.operations.passkeys import Challenge, Plan, Site
from tracker.web.access import BIGGEST_KEY, current_actor, current_user
from tracker.web.account import is_mine
from tracker.web.clock import now
from tracker.web.database import reading, writing
from tracker.web.fields import TextField
from tracker.web.forms import Form, refuse
from tracker.web.origin import site
from tracker.web.second_factor import PasswordForm

screen = Blueprint("passkeys", __name__)

PLANNED = "passkey_planned"  # in the session's row: the name, the handle, the challenge and when it was made


class NewForm(PasswordForm):
    name = TextField(
        "Name of the passkey", [DataRequired("Give it a name, so that you know it again.")], longest=60,
        render_kw={"autocomplete": "off"},
    )  # fmt: skip


class AnswerForm(Form):
    """What the browser made; filled in by static/js/passkey.js."""

    answer = HiddenField(validators=[DataRequired("The browser sent nothing.")])


@screen.get("/account/passkeys/new")
def new() -> ResponseReturnValue:
    _here()
    return render_template("passkeys/new.html", form=NewForm())


@screen.post("/account/passkeys/new")
def begin() -> ResponseReturnValue:
    """Who gave the password is asked to touch the device next."""
    _here()
    form = NewForm()
    if not form.validate() or not _is_mine(form):
        return render_template("passkeys/new.html", form=form), 422
    planned = passkeys.plan(reading(), current_user().id, form.name.data or "", now())
    session[PLANNED] = [planned.name, planned.handle, planned.challenge.text, planned.challenge.made.isoformat()]
    return redirect(url_for("passkeys.make"), 303)


@screen.get("/account/passkeys/make")
def make() -> ResponseReturnValue:
    where, planned = _here(), _planned()
    if planned is None:
        return redirect(url_for("passkeys.new"), 303)
    user = current_user()
    account, known = reading().get_one(Account, user.id), passkeys.of_person(reading(), user.id)
    asked = passkeys.to_make(where, account, known, planned)
    return render_template("passkeys/make.html", form=AnswerForm(), asked=asked, name=planned.name)


@screen.post("/account/passkeys/make")
def add() -> ResponseReturnValue:
    """A challenge is answered once, rightly or wrongly."""
    where, planned, form, user = _here(), _planned(), AnswerForm(), current_user()
    session.pop(PLANNED, None)
    if planned is None or not form.validate():
        return redirect(url_for("passkeys.new"), 303)
    try:
        with writing() as stored:
            account = stored.get_one(Account, user.id)
            told = form.answer.data or ""
            codes = passkeys.add(stored, current_actor(), account, where, planned, told, but=user.session_id)
    except Refused as error:
        again = NewForm(name=planned.name, formdata=None)
        refuse(again, error)
        return render_template("passkeys/new.html", form=again), 422
    flash(f"The passkey “{planned.name}” is yours. All other browsers are signed out.")
    if codes:
        return render_template("second_factor/codes.html", codes=codes), 201
    return redirect(url_for("account.show"), 303)


@screen.get("/account/passkeys/<int:passkey_id>/remove")
def ask(passkey_id: int) -> ResponseReturnValue:
    return _removing(passkey_id, PasswordForm())


@screen.post("/account/passkeys/<int:passkey_id>/remove")
def remove(passkey_id: int) -> ResponseReturnValue:
    form, user = PasswordForm(), current_user()
    passkeys.mine(reading(), user.id, _possible(passkey_id))
    if not form.validate() or not _is_mine(form):
        return _removing(passkey_id, form), 422
    required = current_app.config["SECOND_FACTOR"] == "required"
    try:
        with writing() as stored:
            account, key = stored.get_one(Account, user.id), passkeys.mine(stored, user.id, passkey_id)
            name = key.name
            passkeys.remove(stored, current_actor(), account, key, required, but=user.session_id)
    except Refused as error:
        refuse(form, error)
        return _removing(passkey_id, form), 422
    flash(f"The passkey “{name}” opens nothing any more. All other browsers are signed out.")
    return redirect(url_for("account.show"), 303)


def _here() -> Site:
    """Raises NotFound where the installation does not say where it is met."""
    found = site()
    if found is None:
        raise NotFound("Passkeys are not set up here.")
    return found


def _planned() -> Plan | None:
    name, handle, text, made = session.get(PLANNED) or ("", "", "", "")
    return Plan(name, handle, Challenge(text, datetime.fromisoformat(made))) if text else None


def _is_mine(form: PasswordForm) -> bool:
    fits = is_mine(form.password.data or "")
    if not fits:
        refuse(form, Refused("This is not your password."), "password")
    return fits


def _possible(passkey_id: int) -> int:
    if passkey_id > BIGGEST_KEY:
        raise NotFound("There is no such passkey.")
    return passkey_id


def _removing(passkey_id: int, form: PasswordForm) -> str:
    key = passkeys.mine(reading(), current_user().id, _possible(passkey_id))
    return render_template("passkeys/remove.html", form=form, key=key)
