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


def test_what_is_understood_is_told_while_one_types(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "carol")
    told = page.locator("#understood")
    for path, box, typed, said in (
        ("/protocols/tofacitinib_us/lines/tofa_us_anc_stop", "#value", "600", "acts at 600 /uL"),
        ("/protocols/tofacitinib_us/lines/tofa_us_anc_stop", "#value", "300", "The label acts below 500 /uL"),
        ("/settings/clinic/grace_days", "#grace", "7", "after 7 days of grace"),
        ("/ranges/new", "#phrase", "13 - 15 g/dL", "Which analyte?"),
    ):
        page.goto(f"{live_server.url}{path}")
        page.locator(box).press_sequentially(typed)
        expect(told).to_contain_text(said)
        assert axe(page) == []
    page.goto(f"{live_server.url}/rules/lipids/clinic")
    page.get_by_label("at most “Routine”").check()
    expect(told).to_contain_text("at most “Routine”")
    page.goto(f"{live_server.url}/rules/own/new")
    page.get_by_label("Title").fill("Watch")
    page.locator("#analyte").select_option("ALT")
    page.locator("#value").press_sequentially("> 3 x ULN")
    expect(told).to_contain_text("Alanine aminotransferase > 3 × ULN; Routine")


def test_what_a_target_would_flag_is_told_while_one_types(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/targets")
    page.locator("#analyte").select_option("ANC")
    page.get_by_label("Applies from").fill("2026-01-01")
    page.get_by_label("In words").press_sequentially("at least 0.5 10*9/L")
    expect(page.locator("#understood")).to_contain_text("Neutrophils 0.46 ×10⁹/L, below the patient's own target")
    assert axe(page) == []
