"""People: added with a password shown once, signed out, disabled, never deleted; only those of one's own clinics."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
import time_machine
from sqlalchemy import select

from tests.people import PASSWORD, Cast, account
from tests.web.conftest import Browser
from tests.web.reading import count, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.models import Account, AuditEntry, Membership
from tracker.operations.provenance import rulebook_digest

SignIn = Callable[[str], Browser]


def eve(cast: Cast, **changed: object) -> dict[str, object]:
    return {"username": "eve", "name": "Eve Elm", "role": "recorder", "clinics": [cast.a.clinic]} | changed


def test_the_list_has_colleagues_and_nobody_of_another_clinic(sign_in: SignIn) -> None:
    page = words(sign_in("carol").get("/admin"))
    assert "Alice Archer alice clinician Aspen Clinic" in page
    assert "Mallory" not in page
    assert "Beech Clinic" not in page
    assert "Aspen Clinic A Europe/Berlin" in page


def test_somebody_new_gets_a_password_that_is_shown_once(
    sign_in: SignIn, visitor: Browser, database: Database, cast: Cast
) -> None:
    carol = sign_in("carol")
    answer = carol.post("/admin/people/new", eve(cast))
    assert answer.status_code == 201
    secret = soup(answer).select_one(".rec-secret")
    assert secret is not None
    password = secret.get_text()
    assert visitor.sign_in("eve", password).status_code == 303
    assert password not in carol.get("/admin").text
    with database.reading() as session:
        person = account(session, "eve")
        assert session.scalars(select(Membership.clinic_id).filter_by(account_id=person.id)).all() == [cast.a.clinic]
        for note in session.scalars(select(AuditEntry).where(AuditEntry.record == "account")):
            assert password not in f"{note.before} {note.after}"
            assert person.password_hash not in f"{note.before} {note.after}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"username": "alice"}, "There is an account “alice” already"),
        ({"username": "Eve Elm"}, "small letters"),
        ({"username": ""}, "A user name is needed."),
        ({"name": " "}, "Whose account is it?"),
        ({"role": "wizard"}, "Not a valid choice"),
        ({"role": ""}, "Choose a role."),
        ({"clinics": []}, "Choose at least one clinic."),
    ],
)
def test_what_is_missing_is_said(
    sign_in: SignIn, database: Database, cast: Cast, changed: dict[str, object], said: str
) -> None:
    before = count(database, Account)
    answer = sign_in("carol").post("/admin/people/new", eve(cast, **changed))
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "username") == eve(cast, **changed)["username"]
    assert count(database, Account) == before


def test_nobody_is_put_into_a_clinic_that_is_not_ones_own(sign_in: SignIn, database: Database, cast: Cast) -> None:
    answer = sign_in("carol").post("/admin/people/new", eve(cast, clinics=[cast.b.clinic]))
    assert answer.status_code == 422
    answer = sign_in("carol").post("/admin/people/new", eve(cast, clinics=[cast.a.clinic, cast.b.clinic]))
    assert answer.status_code == 422
    with database.reading() as session:
        assert session.scalar(select(Account).where(Account.username == "eve")) is None


def test_who_is_disabled_is_out_at_once_and_keeps_their_name(
    sign_in: SignIn, visitor: Browser, database: Database, cast: Cast
) -> None:
    bob, carol = sign_in("bob"), sign_in("carol")
    before = count(database, Account)
    answer = carol.post(f"/admin/people/{cast.accounts['bob']}/disable")
    assert "Bob Birch cannot sign in any more." in told(carol.get(answer.headers["Location"]))[0]
    assert bob.get("/patients").status_code == 303
    assert visitor.sign_in("bob").status_code == 401
    assert count(database, Account) == before
    assert "Bob Birch bob recorder Aspen Clinic" in words(carol.get("/admin"))


def test_somebody_is_signed_out_everywhere(sign_in: SignIn, cast: Cast) -> None:
    first, second, carol = sign_in("bob"), sign_in("bob"), sign_in("carol")
    assert "2 browsers signed in" in words(carol.get("/admin"))
    answer = carol.post(f"/admin/people/{cast.accounts['bob']}/sign-out")
    assert told(carol.get(answer.headers["Location"])) == ["Bob Birch: 2 browsers signed out."]
    assert first.get("/patients").status_code == second.get("/patients").status_code == 303
    assert sign_in("bob").get("/patients").status_code == 200


def test_a_forgotten_password_is_replaced(sign_in: SignIn, visitor: Browser, cast: Cast) -> None:
    bob = sign_in("bob")
    answer = sign_in("carol").post(f"/admin/people/{cast.accounts['bob']}/password")
    secret = soup(answer).select_one(".rec-secret")
    assert secret is not None
    assert bob.get("/patients").status_code == 303
    assert visitor.sign_in("bob", PASSWORD).status_code == 401
    assert visitor.sign_in("bob", secret.get_text()).status_code == 303


def given(carol: Browser, account_id: int) -> str:
    """The password an administrator makes for somebody."""
    secret = soup(carol.post(f"/admin/people/{account_id}/password")).select_one(".rec-secret")
    assert secret is not None
    return secret.get_text()


def test_a_given_password_is_changed_before_anything_else_is_done(
    sign_in: SignIn, visitor: Browser, cast: Cast
) -> None:
    secret = given(sign_in("carol"), cast.accounts["bob"])
    visitor.sign_in("bob", secret)
    for path in ("/", "/patients", f"/patients/{cast.a.patient}", "/account/second-factor"):
        assert visitor.get(path).headers["Location"] == "/account", path
    new = {"mrn": "AL-0078", "family_name": "Fern", "sex": "female", "birth_date": "1990-01-01"}
    assert visitor.post("/patients/new", new).headers["Location"] == "/account"
    assert "given to you by an administrator" in words(visitor.get("/account"))
    own = "nine dry otters doze"
    change = {"current_password": secret, "new_password": own, "again_password": own}
    assert visitor.post("/account/password", change).status_code == 303
    assert visitor.get("/patients").status_code == 200
    assert "given to you" not in words(visitor.get("/account"))


@pytest.mark.parametrize(("seconds", "status"), [(72 * 3600 - 1, 303), (72 * 3600, 401)])
def test_a_given_password_runs_out_after_72_hours(
    sign_in: SignIn, visitor: Browser, cast: Cast, seconds: int, status: int
) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), tick=False) as clock:
        secret = given(sign_in("carol"), cast.accounts["bob"])
        clock.shift(seconds)
        assert visitor.sign_in("bob", secret).status_code == status


@pytest.mark.parametrize("act", ["disable", "password"])
def test_nobody_locks_themselves_out(sign_in: SignIn, database: Database, cast: Cast, act: str) -> None:
    carol = sign_in("carol")
    assert carol.post(f"/admin/people/{cast.accounts['carol']}/{act}").status_code == 400
    assert row(database, Account, cast.accounts["carol"]).disabled_at is None
    assert carol.get("/admin").status_code == 200


def test_each_temporary_password_is_another(sign_in: SignIn, cast: Cast) -> None:
    carol = sign_in("carol")
    seen = set()
    for _ in range(5):
        secret = soup(carol.post(f"/admin/people/{cast.accounts['bob']}/password")).select_one(".rec-secret")
        assert secret is not None
        seen.add(secret.get_text())
    assert len(seen) == 5
    assert all(len(password) == 19 for password in seen)


def test_everybody_can_read_what_this_is(sign_in: SignIn) -> None:
    page = words(sign_in("bob").get("/about"))
    assert "It is not validated for diagnosis" in page
    assert f"Version {version('jakwatch')}" in page
    assert rulebook_digest() in page
