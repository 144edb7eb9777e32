"""The desk in a real browser: the queue by keyboard, a decision, the chart under our policy, and how it looks."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.desk import Desk
from tracker.models import Patient

Axe = Callable[[Page], list[str]]


@pytest.fixture
def desk(live_server: Any) -> Desk:
    """Three patients at clinic A besides Ida, with findings of different weight."""
    desk = Desk(live_server.database, live_server.cast)
    low = desk.patient("L-1", "Lowe", started=140)
    desk.healthy(low, 147, ANC="4.1")
    desk.healthy(low, 60, ANC="2.4")
    desk.healthy(low, 2, ANC="0.46", ALC="<0.6", CK="640")
    pale = desk.patient("P-1", "Paley", started=140)
    desk.healthy(pale, 147)
    desk.healthy(pale, 60)
    desk.healthy(pale, 1, HB="8.7", LDL="196")
    unknown = desk.patient("U-1", "Unwin", sex="unknown", birth_date=None, screened=False)
    desk.healthy(unknown, 3)
    return desk


@pytest.fixture
def signed_in(page: Page, live_server: Any, desk: Desk) -> Page:
    live_server.sign_in(page, "alice")
    page.goto(live_server.url + "/")
    return page


def key_of(desk: Desk, mrn: str) -> int:
    """The key of the patient with that record number."""
    with desk.database.reading() as session:
        return session.query(Patient).filter(Patient.mrn == mrn).one().id


def focused_row(page: Page) -> str:
    return page.evaluate("document.activeElement.closest('[data-row]')?.innerText ?? ''")


def test_the_queue_is_worked_through_by_keyboard_alone(signed_in: Page) -> None:
    page = signed_in
    names = page.locator("[data-row-link]").all_inner_texts()
    assert len(names) == 4
    page.keyboard.press("j")
    assert names[0] in focused_row(page)
    page.keyboard.press("j")
    assert names[1] in focused_row(page)
    page.keyboard.press("k")
    assert names[0] in focused_row(page)

    page.keyboard.press("a")
    expect(page.locator("[role=status]")).to_contain_text(f"You own {names[0]}")
    assert names[0] in focused_row(page), "the row that was acted on has the focus again"
    expect(page.locator("[data-row]").first.locator(".desk-owner")).to_contain_text("you")

    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Assign the patient to me")
    expect(dialog).to_contain_text("Find in the queue")
    page.keyboard.press("Escape")

    page.keyboard.press("/")
    page.keyboard.type("Paley")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row-link]")).to_have_text(["Paley, Kim"])
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Review", exact=True)).to_be_visible()
    expect(page.locator(".jw-patient")).to_contain_text("P-1")
    page.keyboard.press("n")
    expect(page.locator("[role=status]")).to_contain_text("That was the last one of this list")


def test_a_repeat_is_ordered_without_the_mouse_and_the_next_patient_follows(signed_in: Page, desk: Desk) -> None:
    page = signed_in
    page.goto(page.url + "?q=Lowe")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("[data-about]")).to_have_text("About 1 flag: Neutrophils.")
    page.keyboard.press("d")
    page.keyboard.press("ArrowDown")  # from the first decision to the second
    expect(page.get_by_role("radio", name="Order a repeat")).to_be_checked()
    expect(page.locator("[data-field=on]")).to_be_hidden()
    page.get_by_role("button", name="in 1 week").press("Enter")
    page.get_by_label("Reason or comment").fill("called, comes on Monday")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[role=status]")).to_contain_text("Order a repeat by")
    group = page.locator(".desk-group").filter(has_text="Neutrophils").first
    expect(group).to_contain_text("Awaiting repeat until")
    expect(group).to_contain_text("called, comes on Monday")
    assert desk.flag(key_of(desk, "L-1"), rule="action_limit", subject="ANC", entry="tofa_us_anc_stop").review == (
        "awaiting_repeat"
    )


def test_the_fields_of_a_dose_appear_with_the_decision_that_needs_them(signed_in: Page, desk: Desk) -> None:
    page = signed_in
    page.goto(page.url + f"patients/{key_of(desk, 'L-1')}/review")
    expect(page.get_by_label("New dose")).to_be_hidden()
    page.get_by_role("radio", name="Reduce the dose").check()
    expect(page.get_by_label("New dose")).to_be_visible()
    page.get_by_role("button", name="Tick all").click()
    expect(page.locator("[data-about]")).to_contain_text("flags:")
    page.get_by_role("button", name="None").click()
    expect(page.locator("[data-about]")).to_contain_text("No flag is ticked")


def test_the_chart_is_drawn_under_our_policy_and_answers_pointer_and_keys(signed_in: Page, desk: Desk) -> None:
    """The fixture `page` fails the test where the policy for scripts and styles refuses anything."""
    page = signed_in
    page.goto(page.url + f"patients/{key_of(desk, 'L-1')}/timeline")
    chart = page.locator("[data-timeline][data-ready]")
    expect(chart.locator("svg")).to_be_visible()
    expect(chart.locator("svg text", has_text="Neutrophils, ×10⁹/L")).to_be_visible()
    expect(chart.locator("svg text", has_text="discontinue < 0.5").first).to_be_visible()
    stage, svg = chart.locator("[data-stage]").bounding_box(), chart.locator("svg").bounding_box()
    assert stage is not None
    assert svg is not None
    assert svg["width"] <= stage["width"] + 1

    first_day = "document.querySelector('[data-stage] svg .role-axis text')?.textContent"
    before = page.evaluate(first_day)
    page.locator("[data-stage]").focus()
    page.keyboard.press("+")
    page.wait_for_function(f"{first_day} !== {before!r}")
    page.get_by_role("button", name="All", exact=True).click()
    page.wait_for_function(f"{first_day} === {before!r}")

    dots = chart.locator("svg .role-mark path[opacity='0']")
    dots.nth(2).hover(force=True)
    expect(page.locator(".desk-tip")).to_be_visible()
    expect(page.locator(".desk-tip")).to_contain_text("Range ≥ ")


def test_the_chart_follows_the_width_and_the_colours_of_the_page(signed_in: Page, desk: Desk) -> None:
    page = signed_in
    page.goto(page.url + f"patients/{key_of(desk, 'L-1')}/timeline")
    svg = page.locator("[data-timeline][data-ready] svg")
    expect(svg).to_be_visible()

    def ink() -> str:
        return str(page.evaluate("document.querySelector('[data-stage] svg .role-title text').getAttribute('fill')"))

    light = ink()
    page.evaluate("window.jakwatchTheme.choose('dark')")
    page.wait_for_function(
        "before => document.querySelector('[data-stage] svg .role-title text')?.getAttribute('fill') !== before",
        arg=light,
    )
    page.set_viewport_size({"width": 760, "height": 900})
    page.wait_for_function("document.querySelector('[data-stage] svg').getBoundingClientRect().width < 720")
    assert page.evaluate("document.documentElement.scrollWidth") <= 760, "nothing sticks out"


PAGES = (
    "",
    "?only=info",
    "patients/{ida}/review",
    "patients/{low}/review?past=yes",
    "patients/{low}/timeline?tests=all",
    "due",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_tool_for_accessibility_finds_nothing(signed_in: Page, desk: Desk, axe: Axe, theme: str) -> None:
    page = signed_in
    root = page.url
    page.evaluate(f"window.jakwatchTheme.choose('{theme}')")
    for path in PAGES:
        page.goto(root + path.format(ida=desk.cast.a.patient, low=key_of(desk, "L-1")))
        if "patients" in path:
            expect(page.locator("[data-timeline][data-ready]")).to_be_visible()
        assert axe(page) == [], path


@pytest.mark.parametrize("size", [(1280, 800), (820, 1100), (640, 400)])
def test_nothing_sticks_out_of_the_page(signed_in: Page, desk: Desk, size: tuple[int, int]) -> None:
    """1280 pixels, a tablet, and 1280 pixels at 200 %."""
    page = signed_in
    root = page.url
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for path in PAGES:
        page.goto(root + path.format(ida=desk.cast.a.patient, low=key_of(desk, "L-1")))
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path


def test_the_timeline_is_one_clean_page_of_paper(signed_in: Page, desk: Desk) -> None:
    page = signed_in
    page.goto(page.url + f"patients/{key_of(desk, 'L-1')}/timeline")
    expect(page.locator("[data-timeline][data-ready] svg")).to_be_visible()
    page.emulate_media(media="print")
    page.wait_for_function("document.querySelector('[data-stage] svg').width.baseVal.value <= 690")
    printed = page.pdf(format="A4", print_background=True)
    assert len(re.findall(rb"/Type ?/Page[^s]", printed)) == 1
    for hidden in (".jw-bar", ".desk-chart-tools", ".jw-actions"):
        assert page.locator(hidden).first.is_hidden(), hidden
