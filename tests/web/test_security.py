"""What every answer carries, errors and files included, and which requests are refused whoever sends them."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.people import PASSWORD, WEAK, Cast, account
from tracker import create_app
from tracker.db import Database
from tracker.models import Base

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
PATHS = [
    "/",
    "/sign-in",
    "/account",
    "/nothing",
    "/healthz",
    "/static/css/jakwatch.css",
    "/static/none.css",
    "/static/",
    "/account/left",
]


METHODS = ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "TRACE"]


def state(database: Database, besides: tuple[str, ...] = ()) -> str:
    """One digest of everything that is stored, but for the log of who looked and the tables `besides`."""
    told = hashlib.sha256()
    with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in ("access_note", *besides):
                continue
            for row in session.execute(select(table).order_by(*table.primary_key.columns)):
                told.update(repr((table.name, tuple(row))).encode())
    return told.hexdigest()


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(alice: Any, visitor: Any, path: str) -> None:
    for browser, method in product((alice, visitor), METHODS):
        answer = browser.client.open(path, method=method, headers={"Origin": "https://evil.example"}, buffered=True)
        headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert answer.status_code < 500


@pytest.mark.parametrize("path", ["/", "/sign-in", "/account", "/nothing", "/account/left"])
def test_no_page_is_kept_anywhere(alice: Any, visitor: Any, path: str) -> None:
    for browser in (alice, visitor):
        headers = browser.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert "Cookie" in headers["Vary"]


def test_files_that_change_their_address_with_their_content_are_kept(visitor: Any) -> None:
    page = visitor.get("/sign-in").text
    address = page.partition('href="/static/css/jakwatch.css')[2].partition('"')[0]
    assert address.startswith("?v=")
    assert "immutable" in visitor.get(f"/static/css/jakwatch.css{address}").headers["Cache-Control"]
    assert "immutable" not in visitor.get("/static/css/jakwatch.css").headers["Cache-Control"]


def test_a_file_sets_no_cookie_and_asks_no_database(alice: Any, visitor: Any) -> None:
    for browser in (alice, visitor):
        assert "Set-Cookie" not in browser.get("/static/css/jakwatch.css").headers


@pytest.fixture
def production(
    app: Flask, cast: Cast, app_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """The same database served as in production; what is checked of the storage at the start has tests of its own."""
    monkeypatch.setattr("tracker.web.startup.check_storage", lambda database: None)
    settings = app_settings | {
        "PRODUCTION": True,
        "SECRET_KEY": "b9c1f0a37d5e4826" * 3,
        "PASSWORD_HASHER": WEAK,
    }
    made = create_app(settings)
    yield made
    made.extensions["database"].close()


def test_in_production_cookies_need_https_and_browsers_are_told_so(production: Flask) -> None:
    client = production.test_client()
    page = client.get("/sign-in", base_url="https://jakwatch.example")
    (visit,) = page.headers.getlist("Set-Cookie")
    token = page.text.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
    answer = client.post(
        "/sign-in",
        base_url="https://jakwatch.example",
        headers={"Referer": "https://jakwatch.example/sign-in"},
        data={"csrf_token": token, "username": "alice", "password": PASSWORD},
    )
    assert answer.status_code == 303, answer.text
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("__Host-jakwatch="))
    for value in (visit, cookie):
        assert value.startswith("__Host-")
        assert "Secure" in value
        assert "HttpOnly" in value
        assert "Path=/" in value
        assert "Domain" not in value
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    out = client.get("/nothing", base_url="https://jakwatch.example")
    assert out.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_signing_out_clears_what_the_browser_kept(alice: Any) -> None:
    answer = alice.post("/sign-out")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert "Expires=Thu, 01 Jan 1970" in answer.headers["Set-Cookie"]


# ---------------------------------------------------------------------------------------------- forged requests

POSTS = [
    "/account/password",
    "/account/sessions/1/end",
    "/account/sessions/end-others",
    "/account/clinic",
    "/account/alive",
    "/sign-out",
]


@pytest.mark.parametrize("path", POSTS)
def test_a_forged_form_is_refused_and_changes_nothing(
    alice: Any, sign_in: Callable[[str], Any], database: Database, path: str
) -> None:
    bobs, own = sign_in("bob").token(), alice.token()
    before = state(database)
    for forged in (
        {"data": {}},
        {"data": {"csrf_token": ""}},
        {"data": {"csrf_token": "made up"}},
        {"data": {"csrf_token": bobs}},
        {"data": {"csrf_token": own[:-1]}},
        {"json": {"csrf_token": own}},
        {"data": {"csrf_token": own}, "headers": {"Sec-Fetch-Site": "cross-site"}},
        {"data": {"csrf_token": own}, "headers": {"Sec-Fetch-Site": "same-site"}},
    ):
        answer = alice.client.post(path, **forged)
        assert answer.status_code in (400, 403), forged
        assert "Nothing was stored" in answer.text or "another site" in answer.text
    assert state(database) == before


def test_a_form_without_its_token_shows_what_was_typed_and_what_to_do(alice: Any) -> None:
    answer = alice.client.post("/account/clinic", data={"comment": "neutrophils repeated", "new_password": "hush hush"})
    assert answer.status_code == 400
    assert "Reload it and try again" in answer.text
    assert "neutrophils repeated" in answer.text
    assert "hush hush" not in answer.text


def test_htmx_sends_the_token_as_a_header(alice: Any) -> None:
    answer = alice.client.post("/account/alive", headers={"X-CSRFToken": alice.token(), "HX-Request": "true"})
    assert answer.status_code == 204


@pytest.mark.parametrize("path", ["/", "/sign-in", "/account", "/account/left", "/nothing", "/healthz"])
def test_reading_changes_nothing(alice: Any, database: Database, path: str) -> None:
    before = state(database)
    for method in ("GET", "HEAD", "OPTIONS"):
        alice.client.open(path, method=method)
    assert state(database) == before


@pytest.mark.parametrize("text", ["a\0b", "\0"])
def test_a_nul_is_refused_wherever_it_stands(alice: Any, text: str) -> None:
    assert alice.post("/account/clinic", {"clinic_id": text}).status_code == 400
    assert alice.get("/account", query_string={"q": text}).status_code == 400
    assert alice.get("/account/%00").status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "jakwatch.example.evil.example", ""])
def test_another_host_name_than_ours_is_refused(app: Flask, visitor: Any, host: str) -> None:
    app.config["TRUSTED_HOSTS"] = ["jakwatch.example"]
    answer = visitor.get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert visitor.get("/sign-in", base_url="http://jakwatch.example").status_code == 200


MARKUP = '"><img src=x onerror=alert(1)>'


def test_markup_in_a_name_is_text(alice: Any, database: Database) -> None:
    with database.transaction() as session:
        account(session, "alice").name = MARKUP
    page = alice.get("/account").text
    assert "<img" not in page
    assert "&lt;img" in page
    assert "<img" not in alice.get(f"/sign-in?next=/{MARKUP}&notice={MARKUP}").text
    assert "<img" not in alice.get(f"/{MARKUP}").text


def test_no_page_has_a_script_or_a_style_in_it(alice: Any, visitor: Any) -> None:
    for browser, path in ((alice, "/account"), (alice, "/nothing"), (visitor, "/sign-in")):
        page = browser.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        for script in page.split("<script")[1:]:
            assert script.startswith(' src="/static/')
