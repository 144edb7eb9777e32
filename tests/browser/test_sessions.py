"""Sessions as people meet them: what was typed survives the end of one, and one left elsewhere is ended from here."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from tests.browser.conftest import Server
from tests.people import PASSWORD
from tracker.models import BrowserSession


@pytest.fixture
def elsewhere(browser: Browser) -> Iterator[Page]:
    """A page of a browser on another computer."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def left_alone(server: Server, longer: timedelta, begun: bool = False) -> None:
    """So long ago was every session used last, or begun."""
    with server.database.transaction() as session:
        for row in session.scalars(select(BrowserSession)):
            row.seen_at -= longer
            row.created_at -= longer if begun else timedelta(0)


@pytest.mark.parametrize("begun", [False, True], ids=["idle for a quarter of an hour", "open for twelve hours"])
def test_what_was_typed_is_there_again_after_the_session_ended(live_server: Server, page: Page, begun: bool) -> None:
    live_server.sign_in(page, "bob")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/labs/new")
    with page.expect_response("**/labs/draft") as kept:
        page.keyboard.type("5.4")
    assert kept.value.ok
    if begun:  # in use until a moment ago
        left_alone(live_server, timedelta(hours=12), begun=True)
        with live_server.database.transaction() as session:
            for row in session.scalars(select(BrowserSession)):
                row.seen_at += timedelta(hours=12)
    else:
        left_alone(live_server, timedelta(minutes=15))
    page.reload()
    expect(page.get_by_text("Your session has ended. Sign in to go on.")).to_be_visible()
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    row = page.locator("tr", has=page.locator("input[name=analyte][value=WBC]"))
    expect(row.locator("input[name=value]")).to_have_value("5.4")


def test_a_browser_left_signed_in_elsewhere_is_listed_and_signed_out_from_here(
    live_server: Server, page: Page, elsewhere: Page
) -> None:
    live_server.sign_in(elsewhere, "alice")
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    browsers = page.get_by_role("region", name="Signed-in browsers")
    expect(browsers.get_by_role("rowheader")).to_have_count(2)
    browsers.get_by_role("button", name="Sign out", exact=False).first.click()
    expect(page.get_by_role("status").filter(has_text="That browser is signed out.")).to_be_visible()
    expect(browsers.get_by_role("rowheader")).to_have_count(1)
    elsewhere.goto(f"{live_server.url}/patients")
    expect(elsewhere.get_by_text("Your session has ended. Sign in to go on.")).to_be_visible()


def test_somebody_who_is_disabled_is_out_at_once_and_keeps_their_name(
    live_server: Server, page: Page, elsewhere: Page
) -> None:
    live_server.sign_in(elsewhere, "bob")
    live_server.sign_in(page, "carol")
    page.goto(f"{live_server.url}/admin")
    page.get_by_role("button", name="Disable: Bob Birch").click()
    expect(page.get_by_role("row").filter(has_text="Bob Birch")).to_contain_text("disabled")
    elsewhere.goto(f"{live_server.url}/patients")
    elsewhere.get_by_label("User name").fill("bob")
    elsewhere.get_by_label("Password").fill(PASSWORD)
    elsewhere.get_by_role("button", name="Sign in", exact=True).click()
    expect(elsewhere.get_by_role("alert")).to_contain_text("not right")
