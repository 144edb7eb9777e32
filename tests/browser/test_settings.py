"""A clinic's own version of a line in a real browser: the pages, and what a tool for accessibility says of them."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server


def test_a_stricter_limit_is_drafted_and_looked_at(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "carol")
    page.goto(f"{live_server.url}/protocols/tofacitinib_us")
    assert axe(page) == []
    page.get_by_role("link", name="Change tofa_us_anc_stop").click()
    page.get_by_label("Acts at").fill("600")
    page.get_by_label("Applies from").fill("2026-01-01")
    page.get_by_label("Why it changes").fill("we act earlier")
    assert axe(page) == []
    page.get_by_role("button", name="Save draft").click()
    page.get_by_label("history since then is judged again").check()
    page.get_by_role("button", name="What would change").click()
    expect(page.get_by_role("heading", name="What would change")).to_be_focused()
    assert axe(page) == []
    for path in ("/rules/own/new", "/rules/lipids/clinic", "/rules/lipids"):
        page.goto(f"{live_server.url}{path}")
        assert axe(page) == []
    page.goto(f"{live_server.url}/settings")
    assert axe(page) == []
