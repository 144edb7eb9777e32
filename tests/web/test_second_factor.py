"""A second factor: enrolled by a code, asked for at each sign-in, a code good once, a way in without the telephone."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

import config
from tests.people import PASSWORD, Cast, account
from tests.web.conftest import Browser
from tests.web.reading import problems, words
from tracker import create_app
from tracker.cli import tracker
from tracker.db import Database
from tracker.models import AuditEntry, RecoveryCode
from tracker.operations.accounts import ATTEMPTS
from tracker.operations.second_factor import address
from tracker.web.sign_in import WRONG_CODE

SignIn = Callable[[str], Browser]
PAGE = "/account/second-factor"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def enrol(browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """The telephone, and the recovery codes."""
    assert browser.post(f"{PAGE}/begin", {"password": PASSWORD}).status_code == 303
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", browser.get(PAGE).text)
    assert found
    telephone = pyotp.TOTP(found[1].replace(" ", ""))
    answer = browser.post(f"{PAGE}/confirm", {"code": telephone.now()})
    assert answer.status_code == 201, answer.text
    return telephone, re.findall(r"<li><code>([a-z0-9-]+)</code>", answer.text)


def half_in(app: Flask, username: str = "alice") -> Browser:
    """A browser whose person has given the right password."""
    browser = Browser(app)
    answer = browser.sign_in(username, next="/due")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/code")
    return browser


def is_in(browser: Browser) -> bool:
    return bool(browser.get("/account").status_code == 200)


def test_once_enrolled_the_password_alone_lets_nobody_in(
    app: Flask, alice: Browser, database: Database, clock: time_machine.Traveller
) -> None:
    telephone, codes = enrol(alice)
    assert is_in(alice)
    assert len(set(codes)) == 10
    clock.shift(60)
    browser = half_in(app)
    assert not is_in(browser)
    answer = browser.post("/sign-in/code", {"code": telephone.now()})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/due")
    assert is_in(browser)
    with database.reading() as session:
        actions = list(session.scalars(select(AuditEntry.action).where(AuditEntry.record == "account")))
        assert "enrol_second_factor" in actions
        kept = set(session.scalars(select(RecoveryCode.digest)))
    assert not kept & {code.replace("-", "") for code in codes}


def test_a_code_is_good_once_and_for_its_time(app: Flask, alice: Browser, clock: time_machine.Traveller) -> None:
    telephone, _ = enrol(alice)
    assert half_in(app).post("/sign-in/code", {"code": telephone.now()}).status_code == 401  # spent by enrolling
    clock.shift(60)
    seen = telephone.now()
    assert half_in(app).post("/sign-in/code", {"code": seen}).status_code == 303
    assert half_in(app).post("/sign-in/code", {"code": seen}).status_code == 401
    clock.shift(120)
    late = half_in(app)
    assert late.post("/sign-in/code", {"code": seen}).status_code == 401
    clock.shift(301)
    assert late.post("/sign-in/code", {"code": telephone.now()}).headers["Location"] == "/sign-in?notice=again"


def test_a_recovery_code_lets_in_once(app: Flask, alice: Browser) -> None:
    _, codes = enrol(alice)
    first = half_in(app)
    assert first.post("/sign-in/code", {"code": codes[0].upper()}).status_code == 303
    assert "9 recovery codes left" in words(first.get(PAGE))
    again = half_in(app).post("/sign-in/code", {"code": codes[0]})
    assert again.status_code == 401
    assert WRONG_CODE in html.unescape(again.text)


def test_guessing_codes_locks_the_account(app: Flask, alice: Browser, clock: time_machine.Traveller) -> None:
    telephone, codes = enrol(alice)
    clock.shift(60)
    guesser = half_in(app)
    for number in range(ATTEMPTS):
        assert guesser.post("/sign-in/code", {"code": f"{number:06}"}).status_code == 401
    assert guesser.post("/sign-in/code", {"code": telephone.now()}).status_code == 401
    assert guesser.post("/sign-in/code", {"code": codes[1]}).status_code == 401


def test_enrolling_asks_for_the_password_and_a_code_that_fits(alice: Browser, database: Database) -> None:
    assert "not your password" in problems(alice.post(f"{PAGE}/begin", {"password": "made up by somebody"}))
    alice.post(f"{PAGE}/begin", {"password": PASSWORD})
    page = alice.get(PAGE)
    assert 'src="data:image/svg+xml' in page.text
    assert "not the code for now" in problems(alice.post(f"{PAGE}/confirm", {"code": "000000"}))
    with database.reading() as session:
        assert account(session, "alice").totp_since is None


def test_other_browsers_are_signed_out_when_a_telephone_is_enrolled(sign_in: SignIn) -> None:
    one, other = sign_in("alice"), sign_in("alice")
    enrol(one)
    assert is_in(one)
    assert not is_in(other)


def test_an_administrator_resets_it_for_whoever_lost_the_telephone(app: Flask, sign_in: SignIn, cast: Cast) -> None:
    alice = sign_in("alice")
    enrol(alice)
    carol = sign_in("carol")
    assert "Reset second factor" in carol.get("/admin").text
    assert carol.post(f"/admin/people/{cast.accounts['alice']}/second-factor").status_code == 303
    assert not is_in(alice)
    assert Browser(app).sign_in("alice").headers["Location"] == "/"


def test_on_the_server_too(app: Flask, alice: Browser, database: Database) -> None:
    enrol(alice)
    outcome = CliRunner().invoke(tracker, ["user", "reset-factor", "alice"], env={"TRACKER_DATABASE_URL": database.url})
    assert outcome.exit_code == 0, outcome.exception
    assert Browser(app).sign_in("alice").headers["Location"] == "/"


def test_its_owner_removes_it_with_the_password(app: Flask, alice: Browser) -> None:
    enrol(alice)
    assert alice.post(f"{PAGE}/remove", {"password": PASSWORD}).status_code == 303
    assert not is_in(alice)
    assert Browser(app).sign_in("alice").headers["Location"] == "/"


# ---------------------------------------------------------------------------------------------- where it is required


@pytest.fixture
def required(app_settings: dict[str, Any], cast: Cast) -> Iterator[Flask]:
    made = create_app(app_settings | {"SECOND_FACTOR": "required"})
    yield made
    made.extensions["database"].close()


def test_where_it_is_required_nothing_else_opens_before_it_is_enrolled(required: Flask, cast: Cast) -> None:
    alice = Browser(required)
    assert alice.sign_in("alice").status_code == 303
    for path in ("/", f"/patients/{cast.a.patient}", "/due", "/audit"):
        answer = alice.get(path)
        assert answer.status_code in (303, 403)
        assert answer.status_code == 403 or answer.headers["Location"] == PAGE
    assert alice.post(f"/patients/{cast.a.patient}/edit", {"reason": "by post"}).headers["Location"] == PAGE
    assert "Enrol yours to go on" in words(alice.get(PAGE))
    enrol(alice)
    assert alice.get(f"/patients/{cast.a.patient}").status_code == 200
    assert alice.post(f"{PAGE}/remove", {"password": PASSWORD}).status_code == 403


def test_production_asks_everybody_for_it_unless_told_otherwise() -> None:
    named = {"TRACKER_SECRET_KEY": "b9c1f0a37d5e4826" * 3, "TRACKER_DATABASE_URL": "sqlite:///:memory:"}
    assert config.from_environment(named)["SECOND_FACTOR"] == "required"
    assert config.from_environment(named | {"TRACKER_SECOND_FACTOR": "optional"})["SECOND_FACTOR"] == "optional"
    assert config.from_environment({**named, "TRACKER_ENV": "demo"})["SECOND_FACTOR"] == "optional"
    with pytest.raises(ValueError, match="required or optional"):
        config.from_environment(named | {"TRACKER_SECOND_FACTOR": "yes"})


def test_the_address_in_the_picture_names_the_program_and_the_person() -> None:
    assert address("A" * 32, "alice") == f"otpauth://totp/Jakwatch:alice?secret={'A' * 32}&issuer=Jakwatch"
