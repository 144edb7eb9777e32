"""Passkeys in a real browser, with the authenticator that Chromium plays itself: made, used, removed, under our CSP."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Server
from tests.people import PASSWORD


class Device:
    """A laptop with a finger reader; `who` says whether the right finger comes."""

    def __init__(self, page: Page) -> None:
        self.wire: CDPSession = page.context.new_cdp_session(page)
        self.wire.send("WebAuthn.enable")
        asked = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                 "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
        self.id = self.wire.send("WebAuthn.addVirtualAuthenticator", {"options": asked})["authenticatorId"]

    def who(self, right: bool) -> None:
        self.wire.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": right})

    def forget(self) -> None:
        self.wire.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})


@pytest.fixture
def home(live_server: Server) -> Server:
    """The same server by its name: an address of figures has no passkeys."""
    return Server(live_server.url.replace("127.0.0.1", "localhost"), live_server.database, live_server.cast)


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser's console says of our policy for scripts; nothing, in the end."""
    found: list[str] = []
    page.on("console", lambda told: found.append(told.text) if "Content Security Policy" in told.text else None)
    yield found
    assert found == []


def add(page: Page, home: Server, name: str = "ward laptop") -> None:
    page.goto(f"{home.url}/account/passkeys/new")
    page.get_by_label("Name of the passkey").fill(name)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def leave(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def signed_in(page: Page) -> Any:
    return expect(page.get_by_role("button", name="Sign out", exact=True).first)


def test_a_passkey_is_made_used_alone_and_after_the_password_and_removed(
    home: Server, page: Page, axe: Callable[[Page], list[str]], complaints: list[str]
) -> None:
    Device(page)
    home.sign_in(page, "alice")
    add(page, home)
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto(f"{home.url}/account")
    expect(page.get_by_role("row").filter(has_text="Passkey “ward laptop”")).to_contain_text("never")
    assert axe(page) == []
    leave(page)

    page.get_by_role("button", name="Sign in with a passkey").click()
    signed_in(page).to_be_visible()
    leave(page)

    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    signed_in(page).to_be_visible()  # the browser was asked at once

    page.goto(f"{home.url}/account")
    page.get_by_role("link", name="Remove ward laptop").click()
    assert axe(page) == []
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_role("status").filter(has_text="opens nothing any more")).to_be_visible()
    leave(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("The passkey was not accepted")
    assert axe(page) == []


def test_the_wrong_finger_opens_nothing_and_the_page_says_what_else_there_is(
    home: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    device = Device(page)
    home.sign_in(page, "alice")
    add(page, home)
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    code = page.locator("li code").first.inner_text()
    leave(page)
    device.who(right=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("status").filter(has_text="The browser gave no passkey")).to_be_visible()
    assert axe(page) == []
    device.who(right=True)
    page.get_by_role("button", name="Ask the browser").click()
    signed_in(page).to_be_visible()
    leave(page)

    device.forget()  # the laptop is lost: the paper opens
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="The browser gave no passkey")).to_be_visible()
    assert axe(page) == []
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Go on").click()
    signed_in(page).to_be_visible()


def test_one_device_holds_one_passkey_of_a_person(home: Server, page: Page) -> None:
    Device(page)
    home.sign_in(page, "alice")
    add(page, home)
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    add(page, home, "the same again")
    expect(page.get_by_role("status").filter(has_text="holds a passkey of yours")).to_be_visible()
