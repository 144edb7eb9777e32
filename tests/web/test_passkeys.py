"""Passkeys: made by who knows the password, a second factor or the only thing shown, and what they never open."""

import html
import json
import re
from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

import config
from tests.authenticator import SecurityKey
from tests.people import PASSWORD, Cast
from tests.web.conftest import Browser
from tests.web.reading import problems, words
from tracker import create_app
from tracker.db import Database
from tracker.models import AuditEntry, Passkey
from tracker.web.sign_in import WRONG_KEY
from tracker.web.startup import setting_problems

SignIn = Callable[[str], Browser]
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HANDLES = "".join(("QUJD", "REVG"))  # base64url of something


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def later(clock: time_machine.Traveller) -> Callable[[], None]:
    """Some seconds pass, as between any two pages."""
    return lambda: clock.shift(7)


def asked(answer: TestResponse) -> dict[str, Any]:
    """What the page asks of the browser."""
    found = re.search(r'data-passkey="([^"]+)"', answer.text)
    assert found, answer.text
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told


def begin(browser: Browser, name: str = "blue key") -> dict[str, Any]:
    assert browser.post("/account/passkeys/new", {"name": name, "password": PASSWORD}).status_code == 303
    return asked(browser.get("/account/passkeys/make"))


def add(browser: Browser, key: SecurityKey | None = None, name: str = "blue key") -> SecurityKey:
    key = key or SecurityKey()
    answer = browser.post("/account/passkeys/make", {"answer": key.make(begin(browser, name))})
    assert answer.status_code in (201, 303), answer.text
    return key


def ask(browser: Browser, target: str = "/due") -> dict[str, Any]:
    """Sign in with a passkey: what the browser is asked for."""
    assert browser.post("/sign-in/passkey/ask", {"next": target}).headers["Location"] == "/sign-in/passkey"
    return asked(browser.get("/sign-in/passkey"))


def show(browser: Browser, told: str) -> TestResponse:
    return browser.post("/sign-in/passkey", {"answer": told})


def half_in(app: Flask, username: str = "alice") -> tuple[Browser, dict[str, Any]]:
    """A browser whose person has given the right password, and what its page asks for."""
    browser = Browser(app)
    assert browser.sign_in(username, next="/due").headers["Location"] == "/sign-in/code"
    return browser, asked(browser.get("/sign-in/code"))


def is_in(browser: Browser) -> bool:
    return bool(browser.get("/account").status_code == 200)


def entries(database: Database, action: str) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def the_key(database: Database) -> Passkey:
    with database.reading() as session:
        return session.scalars(select(Passkey)).one()


def refused(browser: Browser, answer: TestResponse) -> bool:
    return (answer.status_code, WRONG_KEY in words(answer), is_in(browser)) == (401, True, False)


# ---------------------------------------------------------------------------------------------- making one


def test_a_passkey_is_made_by_who_knows_the_password_and_is_listed_by_its_name(
    alice: Browser, database: Database, cast: Cast
) -> None:
    answer = alice.post("/account/passkeys/new", {"name": "blue key", "password": "made up by somebody"})
    assert "not your password" in problems(answer)
    assert alice.get("/account/passkeys/make").status_code == 303  # nothing is asked of the browser yet
    add(alice)
    page = words(alice.get("/account"))
    assert "Passkey “blue key”" in page
    assert "never" in page
    (entry,) = entries(database, "add_passkey")
    assert (entry.actor, entry.after) == ("Alice Archer", {"name": "blue key"})


def test_the_first_factor_comes_with_recovery_codes_and_a_second_passkey_does_not(alice: Browser) -> None:
    told = alice.post("/account/passkeys/make", {"answer": SecurityKey().make(begin(alice))})
    assert len(re.findall(r"<li><code>", told.text)) == 10
    second = alice.post("/account/passkeys/make", {"answer": SecurityKey().make(begin(alice, "ward computer"))})
    assert second.status_code == 303
    assert "10 recovery codes left" in words(alice.get("/account"))


def test_the_device_learns_the_name_and_a_handle_that_says_nothing(alice: Browser, cast: Cast) -> None:
    first = begin(alice)
    assert (first["rp"]["id"], first["user"]["name"], first["user"]["displayName"]) == (
        "localhost", "alice", "Alice Archer",
    )  # fmt: skip
    assert len(first["user"]["id"]) > 40
    key = SecurityKey()
    alice.post("/account/passkeys/make", {"answer": key.make(first)})
    second = begin(alice, "another")
    assert second["user"]["id"] == first["user"]["id"]
    assert [one["id"] for one in second["excludeCredentials"]] == [json.loads(key.sign(second))["id"]]


def test_making_one_signs_out_all_other_browsers(sign_in: SignIn) -> None:
    one, other = sign_in("alice"), sign_in("alice")
    add(one)
    assert (is_in(one), is_in(other)) == (True, False)


def test_an_answer_from_another_site_to_another_challenge_or_too_late_makes_none(
    alice: Browser, database: Database, clock: time_machine.Traveller
) -> None:
    elsewhere = SecurityKey("https://jakwatch.evil.example")
    page = alice.post("/account/passkeys/make", {"answer": elsewhere.make(begin(alice))})
    assert "no passkey for this site" in problems(page)
    old = begin(alice)
    begin(alice)
    assert "no passkey for this site" in problems(
        alice.post("/account/passkeys/make", {"answer": SecurityKey().make(old)})
    )
    late = SecurityKey().make(begin(alice))
    clock.shift(301)
    assert "longer than five minutes" in problems(alice.post("/account/passkeys/make", {"answer": late}))
    with database.reading() as session:
        assert session.scalars(select(Passkey)).all() == []


def test_a_challenge_makes_one_passkey(alice: Browser, database: Database) -> None:
    told = SecurityKey().make(begin(alice))
    assert alice.post("/account/passkeys/make", {"answer": told}).status_code == 201
    again = alice.post("/account/passkeys/make", {"answer": told})
    assert again.headers["Location"] == "/account/passkeys/new"
    assert the_key(database).name == "blue key"


@pytest.mark.parametrize(
    "told", ["", "{}", "[]", "null", "{" * 30000, "[" * 19000, '{"id": "AA"}', '{"id": 1, "response": []}']
)
def test_an_answer_that_is_none_is_refused_in_a_sentence(alice: Browser, told: str) -> None:
    begin(alice)
    answer = alice.post("/account/passkeys/make", {"answer": told})
    assert answer.status_code in (303, 422)
    ask(alice)
    assert show(alice, told).status_code == 401


# ---------------------------------------------------------------------------------------------- signing in


def test_after_the_password_a_passkey_opens_and_the_password_alone_does_not(
    app: Flask, alice: Browser, database: Database, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    browser, told = half_in(app)
    assert not is_in(browser)
    key.verifies = False  # a plain security key: it is touched, and that is all
    answer = show(browser, key.sign(told))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/due")
    assert is_in(browser)
    assert entries(database, "sign_in")[-1].after == {"passkey": "blue key"}
    assert the_key(database).counter == 1


def test_it_opens_alone_where_the_device_looked_who_holds_it(
    app: Flask, alice: Browser, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    browser = Browser(app)
    told = ask(browser)
    assert (told["userVerification"], told["allowCredentials"]) == ("required", [])
    key.verifies = False
    assert refused(browser, show(browser, key.sign(told)))
    later()
    key.verifies = True
    assert show(browser, key.sign(ask(browser))).headers["Location"] == "/due"
    assert is_in(browser)


def test_a_recovery_code_stands_in_for_a_lost_passkey_once(app: Flask, alice: Browser, later: Any) -> None:
    page = alice.post("/account/passkeys/make", {"answer": SecurityKey().make(begin(alice))})
    code = re.findall(r"<li><code>([a-z0-9-]+)</code>", page.text)[0]
    browser, _ = half_in(app)
    assert browser.post("/sign-in/code", {"code": code}).status_code == 303
    again, _ = half_in(app)
    assert again.post("/sign-in/code", {"code": code}).status_code == 401


def test_an_answer_recorded_on_the_way_opens_nothing_a_second_time(
    app: Flask, alice: Browser, later: Callable[[], None]
) -> None:
    """Not even with the cookie that held its challenge, and for a key that counts nothing."""
    key = add(alice, SecurityKey(counter=None))
    later()
    browser = Browser(app)
    told = key.sign(ask(browser))
    visit = browser.client.get_cookie("jakwatch-visit")
    assert visit
    thief = Browser(app)
    thief.client.set_cookie("jakwatch-visit", visit.value)
    assert show(browser, told).status_code == 303
    thief.client.set_cookie("jakwatch-visit", visit.value)
    assert refused(thief, show(thief, told))


def test_an_answer_to_a_challenge_of_another_browser_opens_nothing(
    app: Flask, alice: Browser, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    one, other = Browser(app), Browser(app)
    told = key.sign(ask(one))
    ask(other)
    assert refused(other, show(other, told))
    assert show(Browser(app), told).headers["Location"] == "/sign-in?notice=again"  # nobody asked it anything


def test_an_answer_made_for_another_site_opens_nothing(app: Flask, alice: Browser, later: Callable[[], None]) -> None:
    """What a page that only looks like ours could get out of somebody's browser."""
    key = add(alice)
    for origin in ("https://localhost.evil.example", "http://localhost:8000", "https://localhost"):
        later()
        browser = Browser(app)
        key.origin = origin
        assert refused(browser, show(browser, key.sign(ask(browser)))), origin
    key.origin, key.host = "http://localhost", "evil.example"
    browser = Browser(app)
    assert refused(browser, show(browser, key.sign(ask(browser))))


def test_after_ones_password_the_passkey_of_somebody_else_opens_neither_account(
    app: Flask, alice: Browser, sign_in: SignIn, later: Callable[[], None]
) -> None:
    add(alice)
    bob = sign_in("bob")
    his = add(bob)
    later()
    browser, told = half_in(app, "alice")
    assert refused(browser, show(browser, his.sign(told)))


def test_another_key_that_says_it_is_this_one_opens_nothing(
    app: Flask, alice: Browser, later: Callable[[], None]
) -> None:
    key, forged = add(alice), SecurityKey()
    forged.id, forged.handle = key.id, key.handle
    later()
    browser = Browser(app)
    assert refused(browser, show(browser, forged.sign(ask(browser))))
    assert refused(browser, show(browser, key.sign(ask(browser), handle=HANDLES)))


def test_a_copied_key_whose_counter_lags_behind_is_refused_and_on_record(
    app: Flask, alice: Browser, database: Database, later: Callable[[], None]
) -> None:
    key = add(alice, SecurityKey(counter=4))
    stolen = copy(key)
    for _ in range(2):
        later()
        browser = Browser(app)
        assert show(browser, key.sign(ask(browser))).status_code == 303
    later()
    thief = Browser(app)
    assert refused(thief, show(thief, stolen.sign(ask(thief))))
    (entry,) = entries(database, "refuse_passkey")
    assert (entry.actor, entry.after) == ("Alice Archer", {"name": "blue key", "counter": 5})
    assert the_key(database).counter == 6


def test_a_challenge_is_good_for_five_minutes(app: Flask, alice: Browser, clock: time_machine.Traveller) -> None:
    key = add(alice)
    browser = Browser(app)
    told = ask(browser)
    clock.shift(301)
    assert refused(browser, show(browser, key.sign(told)))


def test_a_disabled_person_opens_nothing_with_it(
    app: Flask, alice: Browser, sign_in: SignIn, cast: Cast, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    sign_in("carol").post(f"/admin/people/{cast.accounts['alice']}/disable")
    browser = Browser(app)
    assert refused(browser, show(browser, key.sign(ask(browser))))


def test_signing_in_with_it_never_leads_off_the_site(app: Flask, alice: Browser, later: Callable[[], None]) -> None:
    key = add(alice)
    later()
    browser = Browser(app)
    assert show(browser, key.sign(ask(browser, "//evil.example"))).headers["Location"] == "/"


# ---------------------------------------------------------------------------------------------- removing one


def test_a_removed_passkey_opens_nothing_and_its_browsers_are_signed_out(
    app: Flask, alice: Browser, database: Database, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    thief = Browser(app)
    show(thief, key.sign(ask(thief)))
    path = f"/account/passkeys/{the_key(database).id}/remove"
    assert "not your password" in problems(alice.post(path, {"password": "made up by somebody"}))
    assert alice.post(path, {"password": PASSWORD}).status_code == 303
    assert not is_in(thief)
    later()
    assert refused(thief, show(thief, key.sign(ask(thief))))
    assert Browser(app).sign_in("alice").headers["Location"] == "/"  # it was the only factor
    assert the_key(database).removed_at is not None  # and is kept, with its name
    assert entries(database, "remove_passkey")[0].before == {"name": "blue key"}


def test_nobody_removes_somebody_elses(alice: Browser, sign_in: SignIn, database: Database) -> None:
    add(alice)
    path = f"/account/passkeys/{the_key(database).id}/remove"
    bob = sign_in("bob")
    assert (bob.get(path).status_code, bob.post(path, {"password": PASSWORD}).status_code) == (404, 404)
    assert the_key(database).removed_at is None


def test_an_administrators_reset_takes_the_passkeys_too(
    app: Flask, alice: Browser, sign_in: SignIn, cast: Cast, later: Callable[[], None]
) -> None:
    key = add(alice)
    later()
    carol = sign_in("carol")
    assert "Reset second factor: Alice Archer" in carol.get("/admin").text
    carol.post(f"/admin/people/{cast.accounts['alice']}/second-factor")
    assert not is_in(alice)
    browser = Browser(app)
    assert refused(browser, show(browser, key.sign(ask(browser))))
    assert Browser(app).sign_in("alice").headers["Location"] == "/"


# ---------------------------------------------------------------------------------------------- settings


@pytest.fixture
def required(app_settings: dict[str, Any], cast: Cast) -> Iterator[Flask]:
    made = create_app(app_settings | {"SECOND_FACTOR": "required"})
    yield made
    made.extensions["database"].close()


def test_where_a_second_factor_is_required_a_passkey_is_one_and_the_last_one_stays(
    required: Flask, cast: Cast, database: Database
) -> None:
    alice = Browser(required)
    alice.sign_in("alice")
    assert alice.get("/due").headers["Location"] == "/account/second-factor"
    assert "or with a passkey" in words(alice.get("/account/second-factor"))
    add(alice)
    assert alice.get("/due").status_code == 200
    path = f"/account/passkeys/{the_key(database).id}/remove"
    assert "your only one" in problems(alice.post(path, {"password": PASSWORD}))
    add(alice, name="second key")
    assert alice.post(path, {"password": PASSWORD}).status_code == 303


def test_the_origin_is_that_of_the_settings_whatever_a_visitor_says(
    app_settings: dict[str, Any], cast: Cast, later: Callable[[], None]
) -> None:
    made = create_app(app_settings | {"ORIGIN": "https://jakwatch.example:8443"})
    alice = Browser(made)
    alice.sign_in("alice")
    assert begin(alice)["rp"]["id"] == "jakwatch.example"
    key = add(alice, SecurityKey("https://jakwatch.example:8443"))
    later()
    browser = Browser(made)
    key.origin = "http://localhost"  # where this request really came in
    assert refused(browser, show(browser, key.sign(ask(browser))))
    key.origin = "https://jakwatch.example:8443"
    later()
    assert show(browser, key.sign(ask(browser))).status_code == 303
    made.extensions["database"].close()


def test_where_nobody_said_the_address_there_are_no_passkeys(app: Flask, alice: Browser) -> None:
    app.config["PRODUCTION"] = True
    assert "Sign in with a passkey" not in Browser(app).get("/sign-in").text
    assert "Passkeys are not set up here" in words(alice.get("/account"))
    assert alice.get("/account/passkeys/new").status_code == 404


def test_the_address_comes_from_the_trusted_hosts_or_a_setting_of_its_own() -> None:
    named = {"TRACKER_SECRET_KEY": "b9c1f0a37d5e4826" * 3, "TRACKER_DATABASE_URL": "sqlite:///:memory:"}
    hosts = named | {"TRACKER_TRUSTED_HOSTS": ".example.org, jakwatch.example.org"}
    assert config.from_environment(named)["ORIGIN"] == ""
    assert config.from_environment(hosts)["ORIGIN"] == "https://jakwatch.example.org"
    own = hosts | {"TRACKER_ORIGIN": "https://jakwatch.example.org:8443"}
    assert config.from_environment(own)["ORIGIN"] == "https://jakwatch.example.org:8443"
    with pytest.raises(ValueError, match="without a path"):
        config.from_environment(named | {"TRACKER_ORIGIN": "jakwatch.example.org/door"})
    plain = config.from_environment(named | {"TRACKER_ORIGIN": "http://jakwatch.example.org"})
    assert any("need https" in problem for problem in setting_problems(plain))
