"""The frame of the pages in a real browser: signing in, both colours, the keyboard alone, what stays after leaving."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.people import PASSWORD

WIDTHS = {"desk": (1280, 800), "tablet": (820, 1100), "zoomed": (640, 400)}  # 200 % zoom of 1280 is 640 wide
FIRST_THEME = """
new MutationObserver(() => {
  if (document.body && !window.firstTheme) window.firstTheme = document.documentElement.dataset.bsTheme;
}).observe(document, { childList: true, subtree: true });
"""
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_on_the_pages_of_the_foundation(
    page: Page, live_server: Any, axe: Callable[[Page], list[str]], scheme: Any, width: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.goto(f"{live_server.url}/sign-in")
    assert page.evaluate("() => document.documentElement.dataset.bsTheme") == scheme
    assert axe(page) == []
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert axe(page) == []
    live_server.sign_in(page, "alice")
    for path in ("/account", "/no-such-page"):
        page.goto(f"{live_server.url}{path}")
        assert axe(page) == []
        assert page.evaluate(FITS), f"{path} is wider than the screen"
    page.goto(f"{live_server.url}/account")
    page.get_by_text("Alice Archer", exact=True).first.click()
    assert axe(page) == []
    page.get_by_role("button", name="Keyboard").click()
    assert axe(page) == []


def test_signing_in_needs_no_mouse(page: Page, live_server: Any) -> None:
    page.goto(live_server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out", exact=True).first).to_be_visible()


def test_the_colours_one_chose_are_there_before_anything_is_drawn(page: Page, live_server: Any) -> None:
    page.emulate_media(color_scheme="light")
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.get_by_text("Alice Archer", exact=True).first.click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.add_init_script(FIRST_THEME)
    page.reload()
    assert page.evaluate("() => window.firstTheme") == "dark"
    page.get_by_text("Alice Archer", exact=True).first.click()
    page.get_by_role("button", name="Auto").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_the_keys_are_listed_do_something_and_can_be_switched_off(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/no-such-page")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to your account")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    page.get_by_label("Present password").press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_text("Alice Archer", exact=True).first.click()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Single keys do something on this computer").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_menu_closes_with_escape_and_by_going_elsewhere(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    summary = page.locator("summary", has_text="Alice Archer")
    summary.focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Your account")
    expect(link).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("main").click(position={"x": 5, "y": 5})
    expect(link).to_be_hidden()


def test_after_signing_out_the_back_button_shows_nothing(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "Alice Archer" not in page.content()


def test_nothing_of_a_person_is_kept_in_the_browser(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.get_by_text("Alice Archer", exact=True).first.click()
    page.get_by_role("button", name="Light").click()
    kept = page.evaluate("() => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]")
    assert kept == [["jakwatch-theme"], [], ""]


def test_before_a_session_ends_the_page_asks_and_one_may_stay(page: Page, live_server: Any) -> None:
    page.clock.install()
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.route("**/account/left", lambda route: route.fulfill(json={"seconds": 110}))
    page.clock.fast_forward(13 * 60 * 1000 + 1000)
    dialog = page.get_by_role("dialog", name="Are you still there?")
    expect(dialog).to_be_visible()
    page.unroute("**/account/left")
    with page.expect_response("**/account/alive") as answer:
        page.get_by_role("button", name="Stay signed in").click()
    assert answer.value.status == 204
    expect(dialog).to_be_hidden()


def test_when_a_session_has_ended_the_page_leaves(page: Page, live_server: Any) -> None:
    page.clock.install()
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.evaluate(
        "() => document.addEventListener('jakwatch:leaving', () => localStorage.setItem('jakwatch-left', 'yes'))"
    )
    page.context.clear_cookies()
    page.clock.fast_forward(13 * 60 * 1000 + 1000)
    expect(page.get_by_text("Your session has ended. Sign in to go on.")).to_be_visible()
    assert page.evaluate("() => localStorage.getItem('jakwatch-left')") == "yes"
    assert page.url.endswith("next=%2Faccount")


def test_htmx_sends_the_token_with_what_it_posts(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    with page.expect_response("**/account/alive") as answer:
        page.evaluate("() => { htmx.ajax('POST', '/account/alive', {target: 'main', swap: 'none'}); }")
    assert answer.value.status == 204


def test_on_paper_there_is_no_menu(page: Page, live_server: Any) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/account")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("header.jw-bar")).to_be_hidden()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
