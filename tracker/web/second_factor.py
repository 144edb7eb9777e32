"""One's second factor: enrolling a telephone by a QR code, the recovery codes, and giving it up where one may."""

import segno
from flask import Blueprint, current_app, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField
from wtforms.validators import DataRequired, InputRequired

from tracker.domain.errors import NotAllowed, Refused
from tracker.models import Account
from tracker.operations import passkeys, second_factor
from tracker.web import sessions
from tracker.web.access import current_actor, current_user
from tracker.web.account import is_mine
from tracker.web.database import reading, writing
from tracker.web.fields import TextField
from tracker.web.forms import Form, refuse
from tracker.web.origin import site

screen = Blueprint("second_factor", __name__)

PENDING = "totp_pending"  # in the session's row: a secret that no code has been shown for yet
CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}


class PasswordForm(Form):
    password = PasswordField(
        "Your password", [InputRequired("Type your password.")], render_kw={"autocomplete": "current-password"}
    )


class CodeForm(Form):
    code = TextField("Code on the telephone", [DataRequired("Type the six digits.")], longest=12, render_kw=CODE)


@screen.get("/account/second-factor")
def show() -> ResponseReturnValue:
    return _page(PasswordForm(), CodeForm())


@screen.post("/account/second-factor/begin")
def begin() -> ResponseReturnValue:
    """A new secret, shown until a code proves that the telephone has it. The one in force stays until then."""
    form = PasswordForm()
    if not form.validate() or not _is_mine(form):
        return _page(form, CodeForm()), 422
    session[PENDING] = second_factor.new_secret()
    return redirect(url_for("second_factor.show"), 303)


@screen.post("/account/second-factor/confirm")
def confirm() -> ResponseReturnValue:
    form, secret = CodeForm(), session.get(PENDING)
    if not secret:
        return redirect(url_for("second_factor.show"), 303)
    if not form.validate():
        return _page(PasswordForm(), form), 422
    user = current_user()
    try:
        with writing() as stored:
            account = stored.get_one(Account, user.id)
            codes = second_factor.enrol(
                stored, current_actor(), account, secret, form.code.data or "", but=user.session_id
            )
    except Refused as error:
        refuse(form, error, "code")
        return _page(PasswordForm(), form), 422
    session.pop(PENDING)
    return render_template("second_factor/codes.html", codes=codes), 201


@screen.post("/account/second-factor/remove")
def remove() -> ResponseReturnValue:
    """The telephone goes; passkeys stay. Raises NotAllowed for the last factor where everybody needs one."""
    if not _may_go():
        raise NotAllowed("Everybody here has a second factor. Enrol another telephone in place of this one.")
    form = PasswordForm()
    if not form.validate() or not _is_mine(form):
        return _page(form, CodeForm()), 422
    with writing() as stored:
        second_factor.remove_telephone(stored, current_actor(), stored.get_one(Account, current_user().id))
    answer = redirect(url_for("sign_in.form", notice="out"), 303)
    sessions.take_back(answer)
    flash("The telephone is removed.")
    return answer


def _is_mine(form: PasswordForm) -> bool:
    fits = is_mine(form.password.data or "")
    if not fits:
        refuse(form, Refused("This is not your password."), "password")
    return fits


def _page(asking: PasswordForm, proving: CodeForm) -> str:
    user, secret = current_user(), session.get(PENDING)
    picture = segno.make(second_factor.address(secret, user.username), error="m") if secret else None
    return render_template(
        "second_factor/show.html",
        asking=asking,
        proving=proving,
        secret=secret and " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        picture=picture.svg_data_uri(scale=5, border=2, dark="#000", light="#fff") if picture else None,
        enrolled=reading().get_one(Account, user.id).totp_since is not None,
        left=second_factor.codes_left(reading(), user.id),
        has_factor=user.has_factor,
        removable=_may_go(),
        passkeys=site() is not None,
    )


def _may_go() -> bool:
    optional = current_app.config["SECOND_FACTOR"] != "required"
    return optional or bool(passkeys.of_person(reading(), current_user().id))
