"""The pages about trust in a real browser: they read well and are open to everybody."""

import re
from collections.abc import Callable

import pyotp
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.people import PASSWORD


def test_a_telephone_is_enrolled_and_asked_for(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account/second-factor")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Enrol a telephone").click()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    telephone = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    assert axe(page) == []
    page.get_by_label("Code on the telephone").fill(telephone.now())
    page.get_by_role("button", name="Use this telephone").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    recovery = page.locator("li code").first.inner_text()
    assert axe(page) == []
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Code of your telephone")).to_be_visible()
    assert axe(page) == []
    page.get_by_label("Code").fill(recovery)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()


def test_an_emergency_is_opened_told_and_closed(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "mallory")
    page.goto(f"{live_server.url}/patients")
    page.get_by_role("link", name="Another clinic’s patient, in an emergency").click()
    page.get_by_label("Clinic of the patient").select_option(label="Aspen Clinic")
    page.get_by_label("Record number, exactly").fill("AL-0001")
    page.get_by_label("Why it cannot wait").fill("Unconscious in our emergency room")
    assert axe(page) == []
    page.get_by_role("button", name="Open the record").click()
    expect(page.get_by_role("alert").filter(has_text="Emergency access until")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Sign out", exact=True).click()
    live_server.sign_in(page, "carol")
    page.get_by_role("link", name="2 emergencies").click()
    assert axe(page) == []
    row = page.get_by_role("row").filter(has_text="Mallory Moor")
    row.get_by_role("textbox").fill("The ward called first.")
    row.get_by_role("button", name="Close the alert").click()
    expect(page.get_by_role("status").filter(has_text="The alert is closed")).to_be_visible()
    page.get_by_role("link", name="Almondine, Ida").first.click()
    expect(page.get_by_role("row").filter(has_text="not of this clinic")).to_be_visible()
    assert axe(page) == []
