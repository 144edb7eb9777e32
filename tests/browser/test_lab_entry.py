"""Entering a panel as a nurse does: with the keyboard alone, judged while typing, and nothing typed is ever lost."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import func, select

from tests.people import PASSWORD
from tracker.models import Draft, LabResult

# As the grid has them from top to bottom; the neutrophils are below the limit of the label.
TYPED = ("5.4", "0.46", "1,5", "13.1", "240", "22", "24", "70", "0.6", "0.8", "190", "95", "55", "120", "<200")
WIDTHS = {"desk": (1280, 800), "tablet": (820, 1100), "zoomed": (640, 400)}  # 200 % zoom of 1280 is 640 wide
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
PASTE = """
(element, text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  element.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}
"""


def open_grid(page: Page, server: Any, username: str = "bob") -> None:
    server.sign_in(page, username)
    page.goto(f"{server.url}/patients/{server.cast.a.patient}/labs/new")


def value(page: Page, code: str) -> Locator:
    return row(page, code).locator("input[name=value]")


def row(page: Page, code: str) -> Locator:
    return page.locator("tr", has=page.locator(f"input[name=analyte][value={code}]"))


def stored(server: Any) -> int:
    with server.database.reading() as session:
        return session.scalar(select(func.count()).where(LabResult.patient_id == server.cast.a.patient)) or 0


def test_fifteen_values_by_keyboard_alone_are_judged_saved_and_read_back(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    expect(value(page, "WBC")).to_be_focused()
    for text in TYPED:
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    # Judged before anything is saved.
    neutrophils = row(page, "ANC")
    expect(neutrophils).to_contain_text("low")
    expect(neutrophils).to_contain_text("CTCAE 5.0 grade 4")
    expect(neutrophils).to_contain_text("below the action limit 0.5 ×10⁹/L")
    expect(row(page, "CK")).to_contain_text("could not be evaluated")
    expect(row(page, "ALC")).to_contain_text("inside")
    expect(page.locator("[data-summary]")).to_contain_text("Act today")
    expect(page.get_by_role("button", name="Save 15 values")).to_be_visible()
    assert stored(live_server) == 1
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))
    expect(page.get_by_text("15 results stored.")).to_be_visible()
    expect(page.get_by_text("below the action limit 0.5 ×10⁹/L").first).to_be_visible()
    shown = page.locator("table", has_text="Neutrophils absolute")
    for text in (*TYPED[:2], "1.5", *TYPED[3:]):
        expect(shown.get_by_role("cell", name=text, exact=True).first).to_be_visible()
    assert stored(live_server) == 16


def test_tab_and_arrows_move_between_the_values(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    page.keyboard.press("Tab")
    expect(value(page, "ANC")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(value(page, "ALC")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(row(page, "ANC").locator("select")).to_be_focused()
    page.keyboard.press("Tab")
    expect(value(page, "ALC")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(value(page, "ANC")).to_be_focused()


def test_a_unit_typed_behind_the_value_goes_to_its_place(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    value(page, "ANC").fill("460 /uL")
    page.keyboard.press("Enter")
    expect(row(page, "ANC").locator("select")).to_have_value("/uL")
    expect(value(page, "ANC")).to_have_value("460")
    expect(row(page, "ANC")).to_contain_text("below the action limit 500 /uL")


def test_an_odd_value_is_asked_about_before_it_is_saved(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    value(page, "ANC").fill("4.6")
    expect(row(page, "ANC")).to_contain_text("about 10 times the previous value")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("It is right")).to_be_focused()
    assert stored(live_server) == 1
    page.keyboard.press("Space")
    expect(row(page, "ANC")).to_contain_text("inside")
    expect(page.get_by_label("It is right")).to_be_focused()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))
    assert stored(live_server) == 2


def test_a_fasting_sample_is_told_by_the_keyboard_and_one_click_saves_what_was_judged_and_kept(
    page: Page, live_server: Any
) -> None:
    open_grid(page, live_server)
    page.get_by_label("Fasting").focus()
    page.keyboard.type("y")
    page.keyboard.press("Enter")
    expect(value(page, "WBC")).to_be_focused()
    value(page, "TG").fill("120")
    expect(page.get_by_role("button", name="Save 1 value")).to_be_visible()
    expect(page.get_by_text("Draft kept")).to_be_visible()
    page.get_by_role("button", name="Save 1 value").click()
    page.wait_for_url(re.compile(r"/labs/stored/"))
    expect(page.get_by_role("heading", name=re.compile("1 result on file: .*, fasting"))).to_be_visible()


def test_what_was_typed_survives_the_sign_out(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    page.keyboard.type("5.4")
    page.keyboard.press("Enter")
    page.keyboard.type("0.46")
    expect(page.get_by_text("Draft kept")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    open_grid(page, live_server)
    expect(page.get_by_text("Restored: what you typed here until")).to_be_visible()
    expect(value(page, "ANC")).to_have_value("0.46")
    expect(row(page, "ANC")).to_contain_text("below the action limit 0.5 ×10⁹/L")
    expect(value(page, "ALC")).to_be_focused()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/labs/new")
    expect(page.get_by_text("Restored")).to_be_hidden()
    expect(value(page, "ANC")).to_have_value("")


def wait_for_draft(page: Page, live_server: Any, typed: str) -> None:
    """Until what was typed is kept: the page before sends it while the next one is drawn already."""
    for _ in range(200):
        with live_server.database.reading() as session:
            if any(typed in str(draft.data) for draft in session.scalars(select(Draft))):
                return
        page.wait_for_timeout(50)
    raise AssertionError(f"“{typed}” was not kept")


def test_what_was_typed_survives_the_back_button(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    page.keyboard.type("5.4")  # and away at once, before anything was kept by itself
    page.goto(f"{live_server.url}/account")
    wait_for_draft(page, live_server, "5.4")
    page.go_back()
    expect(value(page, "WBC")).to_have_value("5.4")


def test_a_block_pasted_into_a_cell_finds_its_rows(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    value(page, "WBC").evaluate(PASTE, "Neutrophils\t0,46\t10^9/L\nWonder protein\t7\tmg/L\nALT\t31\tU/L")
    expect(page.get_by_role("heading", name="Pasted: 2 lines put into the grid, 1 line not")).to_be_visible()
    expect(value(page, "ANC")).to_have_value("0,46")
    expect(value(page, "ALT")).to_have_value("31")
    expect(page.locator(".labs-left")).to_contain_text("Wonder protein")
    expect(row(page, "ANC")).to_contain_text("below the action limit 0.5 ×10⁹/L")
    assert stored(live_server) == 1
    # The page is the answer to a POST: on the way back the browser must not ask for that again.
    page.goto(f"{live_server.url}/due")
    wait_for_draft(page, live_server, "0,46")
    page.go_back()
    expect(value(page, "ANC")).to_have_value("0,46")
    expect(value(page, "ALT")).to_have_value("31")


def test_a_server_that_cannot_be_reached_is_said(page: Page, live_server: Any) -> None:
    open_grid(page, live_server)
    page.route("**/labs/preview", lambda route: route.abort())
    page.route("**/labs/draft", lambda route: route.abort())
    page.keyboard.type("5.4")
    expect(page.get_by_text("the server cannot be reached")).to_be_visible()


def test_it_works_without_a_script(browser: Browser, live_server: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/sign-in")
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/labs/new")
    value(page, "ANC").fill("0.46")
    with page.expect_navigation():
        value(page, "ANC").press("Enter")  # only looks
    expect(row(page, "ANC")).to_contain_text("below the action limit 0.5 ×10⁹/L")
    assert stored(live_server) == 1
    page.get_by_label("Another test or panel").fill("CRP")
    with page.expect_navigation():
        page.get_by_role("button", name="Add", exact=True).press("Enter")  # no click on a page that moves
    value(page, "CRP").fill("4")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("2 results stored.")).to_be_visible()
    context.close()


CSV = (
    "mrn,collected_at,analyte,value,unit\nAL-0001,2026-02-10,HB,13.1,g/dL\n"
    "AL-0001,2026-02-10,ALT,20,mmol/L\n77777,2026-02-10,ALT,20,U/L\n"
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    page: Page, live_server: Any, axe: Callable[[Page], list[str]], scheme: Any, width: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})

    def look(name: str) -> None:
        assert axe(page) == [], name
        assert page.evaluate(FITS), f"{name} is wider than the screen"

    open_grid(page, live_server)
    look("the empty grid")
    for code, text in (("ANC", "0.40"), ("ALT", "<90"), ("CREAT", "80"), ("PLT", "2")):
        value(page, code).fill(text)
    expect(row(page, "PLT")).to_contain_text("unusually low")
    look("a judged grid")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("It is right")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not stored yet")
    look("a grid that came back")
    value(page, "CREAT").fill("")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))
    look("a stored sample")
    page.get_by_role("link", name="Neutrophils absolute").click()
    look("a result")
    page.get_by_label("Value", exact=True).fill("0.64")
    page.get_by_label("Why it is corrected").fill("digits turned round")
    page.get_by_role("button", name="Store the correction").click()
    expect(page.get_by_text("The result is corrected.")).to_be_visible()
    look("a corrected result")
    page.goto(f"{live_server.url}/labs?q=al")
    look("choosing a patient")
    page.goto(f"{live_server.url}/imports")
    look("the imports")
    page.set_input_files("#file", {"name": "results.csv", "mimeType": "text/csv", "buffer": CSV.encode()})
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("button", name="File 1 row")).to_be_visible()
    look("the preview of a file")
    page.get_by_role("button", name="File 1 row").click()
    expect(page.get_by_text("results.csv: 1 row filed.")).to_be_visible()
    look("an import")
    page.goto(f"{live_server.url}/imports/tray")
    look("the tray")
