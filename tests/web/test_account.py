"""One's own account: the password changes only for who knows it, and browsers that are signed in can be signed out."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.people import PASSWORD, Cast, account
from tracker.db import Database
from tracker.models import AuditEntry, BrowserSession
from tracker.operations.accounts import ATTEMPTS
from tracker.web.account import device

BETTER = "nine dry otters doze"


def change(browser: Any, present: str = PASSWORD, new: str = BETTER, again: str | None = None) -> Any:
    data = {"current_password": present, "new_password": new, "again_password": new if again is None else again}
    return browser.post("/account/password", data)


def test_a_new_password_takes_the_place_of_the_old(alice: Any, visitor: Any) -> None:
    assert change(alice).status_code == 303
    assert visitor.sign_in("alice", PASSWORD).status_code == 401
    assert visitor.sign_in("alice", BETTER).status_code == 303


def test_a_new_password_signs_out_every_other_browser_and_renews_this_one(
    alice: Any, sign_in: Callable[[str], Any]
) -> None:
    other = sign_in("alice")
    before = alice.client.get_cookie("jakwatch").value
    change(alice)
    assert alice.client.get_cookie("jakwatch").value != before
    assert "Your password is changed" in alice.get("/account").text
    assert other.get("/account").status_code == 303


def test_a_changed_password_is_on_record_without_its_digest(alice: Any, database: Database, cast: Cast) -> None:
    change(alice)
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "change_password")).one()
        digest = account(session, "alice").password_hash
    assert (entry.account_id, entry.record, entry.record_id) == (
        cast.accounts["alice"],
        "account",
        cast.accounts["alice"],
    )
    assert digest not in f"{entry.before}{entry.after}"


@pytest.mark.parametrize(
    ("present", "new", "again", "said"),
    [
        ("wrong", BETTER, BETTER, "This is not your present password."),
        ("", BETTER, BETTER, "Type your present password."),
        (PASSWORD, BETTER, "another", "The two new passwords differ."),
        (PASSWORD, "eleven char", "eleven char", "12 characters or more"),
        (PASSWORD, "x" * 257, "x" * 257, "256 characters or fewer"),
        (PASSWORD, "alice was here", "alice was here", "contains “alice”"),
        (PASSWORD, "jakwatch4ever!", "jakwatch4ever!", "contains “jakwatch”"),
        (PASSWORD, "abababababababab", "abababababababab", "would be guessed soon"),
        (PASSWORD, "iloveyou2026!!", "iloveyou2026!!", "would be guessed soon"),
        (PASSWORD, "123456789012", "123456789012", "would be guessed soon"),
        (PASSWORD, "!!qwertyuiop!!", "!!qwertyuiop!!", "would be guessed soon"),
        (PASSWORD, "p@ssw0rd!Alic", "p@ssw0rd!Alic", "would be guessed soon"),
        (PASSWORD, "Liverpool2024", "Liverpool2024", "near one that leaked"),
        (PASSWORD, "aspen trees 77", "aspen trees 77", "contains “Aspen”"),
        (PASSWORD, "", "", "Type a new password."),
    ],
)
def test_a_password_that_will_not_do_is_refused_with_the_reason(
    alice: Any, visitor: Any, present: str, new: str, again: str, said: str
) -> None:
    answer = change(alice, present, new, again)
    assert answer.status_code == 422
    assert said in answer.text
    assert visitor.sign_in("alice", PASSWORD).status_code == 303


@pytest.mark.parametrize(
    "new",
    [
        "four unrelated words",
        "  spaces at both ends  ",
        "ångström ☃ übergröße",
        "K7$aq zebra " + "ü" * 200,
        "a b c d e f g",
    ],
)
def test_any_character_may_stand_in_a_password_and_counts(alice: Any, visitor: Any, new: str) -> None:
    assert change(alice, new=new).status_code == 303
    assert visitor.sign_in("alice", new.strip() + "x").status_code == 401
    assert visitor.sign_in("alice", new).status_code == 303


def test_guessing_the_present_password_locks_the_account(alice: Any) -> None:
    for _ in range(ATTEMPTS):
        assert change(alice, "a wrong guess").status_code == 422
    assert change(alice).status_code == 422


def test_one_sees_ones_own_browsers_and_no_others(alice: Any, sign_in: Callable[[str], Any]) -> None:
    sign_in("alice")
    sign_in("bob")
    browsers = alice.get("/account").text.partition('id="factor-title"')[0]
    assert browsers.count('<th scope="row">') == 2


def test_another_browser_of_ones_own_can_be_signed_out(
    alice: Any, sign_in: Callable[[str], Any], database: Database
) -> None:
    other = sign_in("alice")
    newest = sessions(database)[-1]
    assert alice.post(f"/account/sessions/{newest}/end").status_code == 303
    assert other.get("/account").status_code == 303
    assert alice.get("/account").status_code == 200


def test_somebody_elses_browser_cannot(alice: Any, sign_in: Callable[[str], Any], database: Database) -> None:
    bob = sign_in("bob")
    assert alice.post(f"/account/sessions/{sessions(database)[-1]}/end").status_code == 404
    assert alice.post(f"/account/sessions/{10**30}/end").status_code == 404
    assert bob.get("/account").status_code == 200


def sessions(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(BrowserSession.id).order_by(BrowserSession.id)))


def test_all_others_can_be_signed_out_at_once(alice: Any, sign_in: Callable[[str], Any]) -> None:
    others = [sign_in("alice") for _ in range(3)]
    alice.post("/account/sessions/end-others")
    assert [browser.get("/account").status_code for browser in others] == [303, 303, 303]
    assert alice.get("/account").status_code == 200


def test_sign_out_is_on_every_page(alice: Any) -> None:
    for path in ("/account", "/nothing-here"):
        assert 'action="/sign-out"' in alice.get(path).text


CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) {SAFARI}", "Safari on iPad"),
        (f"Mozilla/5.0 (Linux; Android 15) {CHROME}", "Chrome on Android"),
        ("", "A browser"),
        ("<script>", "A browser"),
    ],
)
def test_a_browser_is_named_as_people_name_it(user_agent: str, words: str) -> None:
    assert device(user_agent) == words
