"""Signing in and out: one answer to everything that is wrong, a lock after ten tries, and no way off the site."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.people import PASSWORD, SEEDED, Cast, account
from tracker.db import Database
from tracker.models import Account, AuditEntry, BrowserSession
from tracker.operations import accounts
from tracker.operations.accounts import ATTEMPTS, LOCKED_FOR
from tracker.web import DEFAULTS, sign_in

WRONG = "not the herons at all"


def rows(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(func.count()).select_from(BrowserSession)).one()


def entries(database: Database, action: str) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def test_the_right_password_opens_the_start_page_and_is_on_record(visitor: Any, cast: Cast, database: Database) -> None:
    answer = visitor.sign_in("alice")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Alice Archer" in visitor.get("/account").text
    (entry,) = entries(database, "sign_in")
    assert (entry.account_id, entry.actor, entry.role) == (cast.accounts["alice"], "Alice Archer", "clinician")


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", WRONG), ("nobody", PASSWORD), ("", ""), ("alice", ""), ("alice", PASSWORD + " "),
     ("alice", PASSWORD.upper()), ("alice", "x" * 100_000), ("ALICE", PASSWORD)],
)  # fmt: skip
def test_whatever_is_wrong_the_answer_is_the_same(visitor: Any, username: str, password: str) -> None:
    answer = visitor.sign_in(username, password)
    assert answer.status_code == 401
    assert sign_in.WRONG in answer.text
    assert password == "" or password not in answer.text
    assert visitor.get("/account").status_code == 303


def test_an_unknown_a_locked_and_a_disabled_account_get_the_same_page(
    app: Flask, visitor: Any, cast: Cast, database: Database
) -> None:
    with database.transaction() as session:
        account(session, "bob").disabled_at = SEEDED
        account(session, "carol").locked_until = datetime.now(UTC) + timedelta(minutes=5)
    pages = {told_of(visitor.sign_in(username), username) for username in ("nobody", "bob", "carol")}
    assert len(pages) == 1
    assert sign_in.WRONG in pages.pop()


def told_of(answer: TestResponse, username: str) -> str:
    """The page without the name that was typed and without its token."""
    return re.sub(r'(name="csrf_token"[^>]*value=)"[^"]*"', r"\1", answer.text.replace(username, "X"))


def test_an_unknown_name_costs_the_same_digest_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    digested = []
    hasher = PasswordHasher(1, 8, 1)
    original = PasswordHasher.verify

    def counted(self: PasswordHasher, stored: str, password: str) -> bool:
        digested.append(stored)
        return original(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert not accounts.password_fits(None, "anything", hasher)
    assert not accounts.password_fits(hasher.hash(PASSWORD), WRONG, hasher)
    assert len(digested) == 2
    parameters = {stored.split("$")[3] for stored in digested}
    assert len(parameters) == 1


def test_ten_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour(visitor: Any, cast: Cast) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 9, tzinfo=UTC), tick=False) as clock:
        for _ in range(ATTEMPTS):
            assert visitor.sign_in("alice", WRONG).status_code == 401
        assert visitor.sign_in("alice").status_code == 401, "the right password must not open a locked account"
        clock.shift(LOCKED_FOR - timedelta(seconds=1))
        assert visitor.sign_in("alice").status_code == 401
        clock.shift(timedelta(seconds=2))
        assert visitor.sign_in("alice").status_code == 303


def test_after_a_lock_there_are_ten_tries_again(visitor: Any, cast: Cast) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 9, tzinfo=UTC), tick=False) as clock:
        for _ in range(ATTEMPTS):
            visitor.sign_in("alice", WRONG)
        clock.shift(LOCKED_FOR + timedelta(seconds=1))
        for _ in range(ATTEMPTS - 1):
            visitor.sign_in("alice", WRONG)
        assert visitor.sign_in("alice").status_code == 303


def test_the_tenth_try_may_still_be_right_and_starts_the_count_again(
    visitor: Any, cast: Cast, database: Database
) -> None:
    for _ in range(ATTEMPTS - 1):
        visitor.sign_in("alice", WRONG)
    assert visitor.sign_in("alice").status_code == 303
    with database.reading() as session:
        row = account(session, "alice")
        assert (row.failed_attempts, row.locked_until) == (0, None)


def test_many_tries_at_once_reach_no_more_than_ten_digests(cast: Cast, database: Database) -> None:
    claims: list[bool] = []
    barrier = threading.Barrier(4)

    def guess() -> None:
        barrier.wait()
        for _ in range(5):
            with database.transaction() as session:
                claims.append(accounts.claim_attempt(session, "alice", SEEDED).stored is not None)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(claims), sum(claims)) == (20, ATTEMPTS)


def test_a_lock_out_of_alice_does_not_touch_bob(visitor: Any, cast: Cast) -> None:
    for _ in range(ATTEMPTS + 1):
        visitor.sign_in("alice", WRONG)
    assert visitor.sign_in("bob").status_code == 303


def test_a_visitor_leaves_no_row(visitor: Any, database: Database) -> None:
    visitor.get("/")
    visitor.get("/sign-in")
    visitor.get("/nothing-here")
    visitor.sign_in("alice", WRONG)
    assert rows(database) == 0


def test_signing_out_ends_the_session_on_the_server(alice: Any, database: Database, app: Flask) -> None:
    kept = alice.client.get_cookie("jakwatch").value
    answer = alice.post("/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?notice=out")
    assert "You are signed out." in alice.get("/sign-in?notice=out").text
    thief = app.test_client()
    thief.set_cookie("jakwatch", kept)
    assert thief.get("/account").status_code == 303
    assert len(entries(database, "sign_out")) == 1


@pytest.mark.parametrize("target", ["/account", "/patients/7", "/rules/hys_law", "/patients/7/labs/new"])
def test_signing_in_goes_on_where_one_wanted_to_go(visitor: Any, target: str) -> None:
    assert visitor.sign_in("alice", next=target).headers["Location"] == target


HOSTILE = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\\/evil.example",
    "https://evil.example", "http:evil.example", "https:/evil.example", "javascript:alert(1)", "data:text/html,x",
    "evil.example", "", " /account", "/ok\r\nSet-Cookie: a=b", "/ok\nx", "/ok\tx", "/\t/evil.example",
    "\t//evil.example", "/ /evil.example", "/ok\\..\\x", "/%0d%0aSet-Cookie:a=b\r\n", "?next=//evil.example",
    "#//evil.example", "./account", "../account", "mailto:a@b.example", "/" + "a" * 600, "/\x00", "/\x7f", "//", "/\\",
]  # fmt: skip


@pytest.mark.parametrize("target", HOSTILE)
def test_signing_in_never_leads_off_the_site(target: str) -> None:
    assert sign_in.own_path(target) == "/"


def test_a_page_that_needs_a_sign_in_is_opened_after_it_without_its_query(visitor: Any) -> None:
    answer = visitor.get("/account?q=Almondine")
    assert answer.headers["Location"] == "/sign-in?next=/account"


def test_who_is_signed_in_is_not_asked_again(alice: Any) -> None:
    assert alice.get("/sign-in").headers["Location"] == "/"


def test_the_notice_on_the_sign_in_page_is_one_of_ours(visitor: Any) -> None:
    assert "call+0800" not in visitor.get("/sign-in?notice=call+0800").text


def test_a_sign_in_page_that_was_open_for_too_long_asks_once_more(app: Flask, cast: Cast) -> None:
    answer = app.test_client().post("/sign-in", data={"username": "alice", "password": PASSWORD})
    assert answer.headers["Location"] == "/sign-in?notice=again"


def test_the_demonstrations_accounts_are_shown_nowhere_else(app: Flask, visitor: Any) -> None:
    told = [("Ann Ash", "clinician", "ann", "a demo password")]
    app.config["DEMO_SIGN_INS"] = told
    assert "a demo password" not in visitor.get("/sign-in").text
    app.config["DEMO"] = True
    assert "a demo password" in visitor.get("/sign-in").text


def test_passwords_and_tokens_are_kept_as_digests_only(alice: Any, database: Database) -> None:
    token = alice.client.get_cookie("jakwatch").value
    with database.reading() as session:
        held = session.scalars(select(BrowserSession)).one()
        stored = session.scalars(select(Account.password_hash).where(Account.username == "alice")).one()
    assert token not in f"{held.token_digest}{held.data}"
    assert stored.startswith("$argon2id$")
    assert token not in alice.get("/account").text


def test_by_default_a_digest_costs_what_rfc_9106_asks() -> None:
    hasher = DEFAULTS["PASSWORD_HASHER"]
    assert (hasher.time_cost, hasher.memory_cost) >= (3, 65536)
