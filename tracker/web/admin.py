"""People and clinics, for who administers them; and what this program is, for everybody."""

import secrets
from importlib.metadata import PackageNotFoundError, version

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField, SelectMultipleField
from wtforms.validators import DataRequired, InputRequired, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from tracker import rules
from tracker.domain.errors import Refused
from tracker.models import Account
from tracker.operations import accounts, audit, second_factor
from tracker.operations.accounts import add_account, disable_account
from tracker.operations.provenance import rulebook_digest
from tracker.queries import people
from tracker.web import sessions
from tracker.web.access import current_actor, current_clinics, current_user
from tracker.web.amending import tell
from tracker.web.clock import now
from tracker.web.database import reading, writing
from tracker.web.fields import TextField
from tracker.web.filters import count
from tracker.web.forms import Form, refuse

screen = Blueprint("admin", __name__)

ROLES = {
    "recorder": "Recorder: enters what was measured, given and observed",
    "clinician": "Clinician: records, and decides about flags and treatment",
    "admin": "Administrator: people, ranges, configuration; decides nothing clinical",
    "auditor": "Auditor: reads everything, and the audit trail",
}
# Without the letters and digits that are taken for one another when they are read out.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class PersonForm(Form):
    username = TextField(
        "User name",
        [
            DataRequired("A user name is needed."),
            Regexp(r"^[a-z0-9][a-z0-9._-]{1,39}$", message="2 to 40 small letters, digits, dots or hyphens."),
        ],
        longest=40,
        render_kw={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"},
    )
    name = TextField("Name, as it stands beside what they sign", [DataRequired("Whose account is it?")], longest=120)
    role = RadioField("Role", [InputRequired("Choose a role.")], choices=list(ROLES.items()))
    clinics = SelectMultipleField(
        "Works at",
        [InputRequired("Choose at least one clinic.")],
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/admin")
def index() -> ResponseReturnValue:
    session, mine = reading(), current_clinics()
    return render_template(
        "admin/index.html",
        people=people.colleagues(session, mine, *sessions.live_since()),
        clinics=people.clinics(session, mine),
        me=current_user().id,
    )


@screen.get("/admin/people/new")
def new() -> ResponseReturnValue:
    return _adding(_choices(PersonForm()))


@screen.get("/about")
def about() -> ResponseReturnValue:
    return render_template("admin/about.html", version=program_version(), digest=rulebook_digest(), rules=rules.RULES)


# ---------------------------------------------------------------------------------------------- writing


@screen.post("/admin/people/new")
def create() -> ResponseReturnValue:
    form = _choices(PersonForm())
    if not form.validate():
        return _adding(form), 422
    given, password = form.data, temporary_password()
    hasher = current_app.config["PASSWORD_HASHER"]
    try:
        with writing() as session:
            where = people.clinics(session, [key for key in given["clinics"] if key in current_clinics()])
            person = add_account(
                session, current_actor(), given["username"], given["name"], given["role"], password, where, hasher
            )
            accounts.give_for_a_while(session, person, now())
    except Refused as error:
        refuse(form, error, "username")
        return _adding(form), 422
    return _shown_once(person, password), 201


@screen.post("/admin/people/<int:account_id>/password")
def new_password(account_id: int) -> ResponseReturnValue:
    """For somebody who forgot theirs. All their sessions end."""
    password, hasher = temporary_password(), current_app.config["PASSWORD_HASHER"]
    with writing() as session:
        person = _colleague_not_me(people.colleague(session, current_clinics(), account_id))
        accounts.change_password(session, current_actor(), person, password, hasher)
        accounts.give_for_a_while(session, person, now())
    return _shown_once(person, password)


@screen.post("/admin/people/<int:account_id>/second-factor")
def new_factor(account_id: int) -> ResponseReturnValue:
    """For somebody whose telephone or passkey is lost. All their sessions end, and they enrol another."""
    with writing() as session:
        person = _colleague_not_me(people.colleague(session, current_clinics(), account_id))
        second_factor.take_away(session, current_actor(), person, "reset by an administrator")
    tell(f"{person.name} signs in with the password alone, and enrols another telephone or passkey.")
    return redirect(url_for("admin.index"), 303)


@screen.post("/admin/people/<int:account_id>/disable")
def disable(account_id: int) -> ResponseReturnValue:
    with writing() as session:
        person = _colleague_not_me(people.colleague(session, current_clinics(), account_id))
        disable_account(session, current_actor(), person.username)
    tell(f"{person.name} cannot sign in any more. What they signed keeps their name.")
    return redirect(url_for("admin.index"), 303)


@screen.post("/admin/people/<int:account_id>/sign-out")
def end_sessions(account_id: int) -> ResponseReturnValue:
    with writing() as session:
        person = people.colleague(session, current_clinics(), account_id)
        ended = accounts.end_sessions(session, person.id, now(), but=current_user().session_id)
        audit.note(session, current_actor(), "end_session", "account", person.id, after={"browsers_ended": ended})
    tell(f"{person.name}: {count(ended, 'browser')} signed out.")
    return redirect(url_for("admin.index"), 303)


# ---------------------------------------------------------------------------------------------- shared


def temporary_password() -> str:
    """`k7mw-9tqc-vh3x-r4pn`: 79 bits, and easy to copy from paper."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def program_version() -> str:
    try:
        return version("jakwatch")
    except PackageNotFoundError:
        return "not installed as a package"


def _choices(form: PersonForm) -> PersonForm:
    form.clinics.choices = [(clinic.id, clinic.name) for clinic in current_user().clinics]
    return form


def _adding(form: PersonForm) -> str:
    return render_template("admin/new.html", form=form)


def _shown_once(person: Account, password: str) -> str:
    return render_template("admin/password.html", person=person, password=password)


def _colleague_not_me(person: Account) -> Account:
    """Raise Refused for oneself: an administrator who locked themselves out could not be let in again."""
    if person.id == current_user().id:
        raise Refused("Not to your own account: ask another administrator, or use your account page.")
    return person
