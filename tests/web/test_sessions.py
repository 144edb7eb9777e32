"""Sessions live on the server and end there: left alone, grown old, revoked, disabled; never fixed, never mixed up."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.people import PASSWORD, PEOPLE, SEEDED, Cast, account
from tracker.db import Database
from tracker.models import BrowserSession, Clinic, Membership
from tracker.operations import accounts
from tracker.operations.accounts import OPEN_SESSIONS
from tracker.operations.actor import Actor

MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def clock(cast: Cast) -> Iterator[Any]:
    """It is the morning of 2 March until the test moves it."""
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app_settings(app_settings: dict[str, Any]) -> dict[str, Any]:
    return app_settings | {"IDLE_SECONDS": 15 * 60, "SESSION_SECONDS": 12 * 3600}


def held(database: Database) -> list[BrowserSession]:
    with database.reading() as session:
        return list(session.scalars(select(BrowserSession).order_by(BrowserSession.id)))


def is_in(browser: Any) -> bool:
    return bool(browser.get("/account").status_code == 200)


def test_a_browser_left_alone_for_a_quarter_of_an_hour_is_signed_out(clock: Any, alice: Any) -> None:
    clock.shift(timedelta(minutes=14, seconds=59))
    assert is_in(alice)
    clock.shift(timedelta(minutes=15, seconds=1))
    answer = alice.get("/account")
    assert answer.headers["Location"] == "/sign-in?next=/account&notice=ended"
    assert "Your session has ended" in alice.get(answer.headers["Location"]).text


def test_a_browser_in_constant_use_is_signed_out_after_twelve_hours(clock: Any, alice: Any) -> None:
    for _ in range(71):
        clock.shift(timedelta(minutes=10))
        assert is_in(alice)
    clock.shift(timedelta(minutes=10))
    assert not is_in(alice)


def test_asking_how_long_is_left_does_not_prolong_a_session(clock: Any, alice: Any) -> None:
    clock.shift(timedelta(minutes=14))
    assert alice.get("/account/left").json == {"seconds": 60}
    clock.shift(timedelta(seconds=61))
    assert alice.get("/account/left", headers={"HX-Request": "true"}).status_code == 401


def test_staying_signed_in_prolongs_it(clock: Any, alice: Any) -> None:
    clock.shift(timedelta(minutes=14))
    token = alice.token()
    assert alice.post("/account/alive", {"csrf_token": token}).status_code == 204
    clock.shift(timedelta(minutes=14))
    assert is_in(alice)


def test_a_clock_set_back_does_not_prolong_a_session(clock: Any, alice: Any) -> None:
    clock.move_to(MORNING - timedelta(days=3650))
    assert not is_in(alice)


def test_reading_pages_writes_that_somebody_was_there_once_a_minute_at_most(
    clock: Any, alice: Any, database: Database
) -> None:
    clock.shift(timedelta(seconds=59))
    alice.get("/account")
    assert held(database)[0].seen_at == MORNING
    clock.shift(timedelta(seconds=1))
    alice.get("/account")
    assert held(database)[0].seen_at == MORNING + timedelta(minutes=1)


def test_the_token_is_new_with_each_sign_in_and_one_from_before_opens_nothing(
    app: Flask, cast: Cast, visitor: Any
) -> None:
    visitor.client.set_cookie("jakwatch", "planted-by-somebody-else")
    visitor.sign_in("alice")
    first = visitor.client.get_cookie("jakwatch").value
    assert first != "planted-by-somebody-else"
    visitor.sign_in("alice")
    second = visitor.client.get_cookie("jakwatch").value
    assert second != first
    assert not opens(app, first), "signing in again ends the session before"
    assert opens(app, second)


def opens(app: Flask, token: str) -> bool:
    """Does this token, in a browser of its own, lead anywhere?"""
    thief = app.test_client()
    thief.set_cookie("jakwatch", token)
    return thief.get("/account").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "é" * 20, "'; DROP TABLE account; --"])
def test_a_token_that_was_never_given_out_opens_nothing(app: Flask, alice: Any, token: str) -> None:
    assert not opens(app, token)


def test_tokens_are_long_and_never_the_same(app: Flask, sign_in: Callable[[str], Any]) -> None:
    tokens = {sign_in("alice").client.get_cookie("jakwatch").value for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens), "256 bits"


def test_the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(visitor: Any) -> None:
    cookie = next(
        value for value in visitor.sign_in("alice").headers.getlist("Set-Cookie") if value.startswith("jakwatch=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "Expires" not in cookie


def test_a_disabled_person_is_out_at_once(alice: Any, database: Database) -> None:
    with database.transaction() as session:
        account(session, "alice").disabled_at = SEEDED
    assert not is_in(alice)


def test_the_operation_that_disables_ends_every_session(alice: Any, database: Database) -> None:
    with database.transaction() as session:
        accounts.disable_account(session, Actor("operator", MORNING, "cli"), "alice")
    with database.transaction() as session:
        account(session, "alice").disabled_at = None
    assert not is_in(alice), "enabling again does not bring old sessions back"


def test_another_role_counts_from_the_next_page(alice: Any, database: Database) -> None:
    assert "Signed in as clinician" in alice.get("/account").text
    with database.transaction() as session:
        account(session, "alice").role = "recorder"
    assert "Signed in as recorder" in alice.get("/account").text


def test_who_leaves_a_clinic_does_not_see_it_from_the_next_page(alice: Any, database: Database, cast: Cast) -> None:
    assert "Aspen Clinic" in alice.get("/account").text
    with database.transaction() as session:
        session.delete(session.scalars(select(Membership).where(Membership.account_id == cast.accounts["alice"])).one())
    assert "Aspen Clinic" not in alice.get("/account").text


def test_with_a_sixth_browser_the_one_unused_for_longest_is_signed_out(
    clock: Any, sign_in: Callable[[str], Any]
) -> None:
    browsers = []
    for _ in range(OPEN_SESSIONS):
        browsers.append(sign_in("alice"))
        clock.shift(timedelta(minutes=1))
    browsers[0].get("/account")
    browsers.append(sign_in("alice"))
    assert [is_in(browser) for browser in browsers] == [True, False, True, True, True, True]


def test_a_session_that_ended_keeps_no_typed_value_back(clock: Any, alice: Any) -> None:
    token = alice.token()
    clock.shift(timedelta(minutes=16))
    answer = alice.post("/account/clinic", {"csrf_token": token, "neutrophils": "0.46", "new_password": "a secret one"})
    assert answer.status_code == 401
    assert "0.46" in answer.text, "what was typed is shown, so that nobody types it twice"
    assert "a secret one" not in answer.text
    assert token not in answer.text


def test_many_at_once_are_each_themselves(app: Flask, cast: Cast, sign_in: Callable[[str], Any]) -> None:
    browsers = {username: sign_in(username) for username in PEOPLE}
    wrong: list[str] = []

    def look(username: str) -> None:
        for _ in range(10):
            if PEOPLE[username][0] not in browsers[username].get("/account").text:
                wrong.append(username)

    threads = [threading.Thread(target=look, args=(username,)) for username in PEOPLE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_hundred_sign_ins_at_the_same_time_are_each_somebodys_own(sign_in: Callable[[str], Any]) -> None:
    """pgAdmin once handed one person's session to another who signed in at the same moment (CVE-2023-1907)."""
    seen: list[tuple[str, bool]] = []

    def arrive(username: str) -> None:
        for _ in range(10):
            seen.append((username, PEOPLE[username][0] in sign_in(username).get("/account").text))

    threads = [threading.Thread(target=arrive, args=(username,)) for username in (*PEOPLE, *PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [username for username, themselves in seen if not themselves] == []
    assert len(seen) == 100, "somebody could not sign in"


def test_a_person_of_two_clinics_looks_at_one_and_may_change_to_the_other(
    alice: Any, database: Database, cast: Cast
) -> None:
    with database.transaction() as session:
        session.add(Membership(account_id=cast.accounts["alice"], clinic_id=cast.b.clinic))
    assert current(alice) == "Aspen Clinic"
    alice.post("/account/clinic", {"clinic_id": str(cast.b.clinic), "next": "/account"})
    assert "You are looking at Beech Clinic." in alice.get("/account").text
    assert current(alice) == "Beech Clinic"


def test_a_clinic_one_does_not_work_in_is_not_found(alice: Any, database: Database, cast: Cast) -> None:
    for chosen in (str(cast.b.clinic), "0", "", "x"):
        assert alice.post("/account/clinic", {"clinic_id": chosen}).status_code == 404


def test_who_leaves_the_clinic_they_looked_at_is_shown_the_other(alice: Any, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        session.add(Membership(account_id=cast.accounts["alice"], clinic_id=cast.b.clinic))
    alice.post("/account/clinic", {"clinic_id": str(cast.b.clinic)})
    with database.transaction() as session:
        hers = select(Membership).filter_by(clinic_id=cast.b.clinic, account_id=cast.accounts["alice"])
        session.delete(session.scalars(hers).one())
    assert "Beech Clinic" not in alice.get("/account").text.replace("You are looking at Beech Clinic.", "")


def current(browser: Any) -> str:
    """The clinic in the bar on top."""
    bar = browser.get("/account").text.partition('<details class="jw-menu">')[2].partition("</summary>")[0]
    return str(bar.rpartition("</svg>")[2].strip())


def test_times_are_in_the_zone_of_the_clinic_that_is_looked_at(
    clock: Any, alice: Any, database: Database, cast: Cast
) -> None:
    assert "2 Mar 2026, 09:00" in alice.get("/account").text, "Berlin"
    with database.transaction() as session:
        session.get_one(Clinic, cast.a.clinic).time_zone = "America/New_York"
    assert "2 Mar 2026, 03:00" in alice.get("/account").text


def test_ones_password_is_nowhere_in_the_session(alice: Any, database: Database) -> None:
    assert PASSWORD not in str(held(database)[0].data)
