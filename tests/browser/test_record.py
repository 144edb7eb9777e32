"""The record and configuration screens in a browser: nothing for axe to find, light and dark, and what scripts add."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.people import Cast, add_account
from tracker.models import Clinic

Axe = Callable[[Page], list[str]]


def pages_of_a_clinician(cast: Cast) -> list[str]:
    a = cast.a
    return [
        "/patients", "/patients?q=nobody", "/patients/new", f"/patients/{a.patient}", f"/patients/{a.patient}/edit",
        f"/patients/{a.patient}/changes", f"/patients/{a.patient}/medications/new",
        f"/patients/{a.patient}/observations/new", f"/medications/{a.medication}", f"/observations/{a.observation}",
        f"/patients/{a.patient}/courses/new", f"/courses/{a.course}", f"/courses/{a.course}/edit",
        f"/courses/{a.course}/change?kind=dose", f"/courses/{a.course}/change?kind=hold", f"/courses/{a.course}/lines",
        f"/patients/{a.patient}/events/new", f"/events/{a.event}", f"/events/{a.event}/edit", "/ranges", "/rules",
        "/rules/hys_law", "/protocols", "/protocols/tofacitinib_us", "/about",
    ]  # fmt: skip


def pages_of_an_administrator(cast: Cast) -> list[str]:
    return ["/admin", "/admin/people/new", "/audit", "/audit?since=x", "/ranges/new", f"/ranges/{cast.a.range}"]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_on_the_record(page: Page, live_server: Server, axe: Axe, colours: str) -> None:
    check(page, live_server, axe, colours, "alice", pages_of_a_clinician(live_server.cast))


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_on_the_configuration(page: Page, live_server: Server, axe: Axe, colours: str) -> None:
    check(page, live_server, axe, colours, "carol", pages_of_an_administrator(live_server.cast))


def check(page: Page, server: Server, axe: Axe, colours: str, username: str, paths: list[str]) -> None:
    page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
    server.sign_in(page, username)
    found = {}
    for path in paths:
        page.goto(server.url + path)
        unfold(page)
        found[path] = axe(page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def unfold(page: Page) -> None:
    for summary in page.locator("main details:not([open]) > summary").all():
        if summary.is_visible():
            summary.click()


def test_axe_finds_nothing_on_a_form_that_comes_back(page: Page, live_server: Server, axe: Axe) -> None:
    patient = f"{live_server.url}/patients/{live_server.cast.a.patient}"
    live_server.sign_in(page, "alice")
    for path, button in (("/courses/new", "Save course"), ("/events/new", "Save and judge"), ("/edit", "Save")):
        page.goto(patient + path)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("alert")).to_be_focused()
        assert axe(page) == []


@pytest.mark.parametrize("width", [1280, 768, 640])
def test_nothing_is_cut_off_on_a_tablet_or_at_twice_the_size(page: Page, live_server: Server, width: int) -> None:
    """640 pixels is a window of 1280 at 200 %."""
    page.set_viewport_size({"width": width, "height": 800})
    live_server.sign_in(page, "alice")
    for path in pages_of_a_clinician(live_server.cast):
        page.goto(live_server.url + path)
        unfold(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} pixels wider than the window"


# ---------------------------------------------------------------------------------------------- by keyboard


def test_a_patient_is_found_and_opened_by_keyboard(page: Page, live_server: Server) -> None:
    live_server.sign_in(page, "bob")
    page.goto(f"{live_server.url}/patients")
    page.keyboard.press("/")
    page.keyboard.type("almon")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Found for “almon”")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Open flags")).to_be_visible()


def test_the_checklist_follows_the_protocol_and_the_day(page: Page, live_server: Server) -> None:
    live_server.sign_in(page, "bob")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/courses/new")
    checklist = page.locator("#checklist")
    page.get_by_label("Protocol").select_option("ritlecitinib_us")
    expect(checklist).to_contain_text("label dose 50 mg once daily")
    page.get_by_label("First dose on").fill("2030-03-01")
    page.get_by_label("First dose on").press("Tab")
    expect(checklist).to_contain_text("before the first dose")
    expect(checklist).to_contain_text("< 100000 /uL")
    page.get_by_label("Protocol").select_option("baricitinib_us")
    expect(checklist).to_contain_text("< 8.0 g/dL")
    expect(checklist).not_to_contain_text("< 100000 /uL")


def test_an_infection_is_entered_by_keyboard_and_flagged(page: Page, live_server: Server) -> None:
    live_server.sign_in(page, "bob")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/events/new?kind=infection")
    page.get_by_label("What happened").focus()
    page.keyboard.type("Herpes zoster left T5")
    page.get_by_label("Yes", exact=True).first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Hospital stay, begun or prolonged").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Herpes zoster left T5 is on record.")
    expect(page.get_by_role("status")).to_contain_text("New flag: Herpes zoster left T5")


def test_an_observation_shows_the_words_of_its_kind(page: Page, live_server: Server) -> None:
    live_server.sign_in(page, "bob")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/observations/new")
    page.get_by_label("What", exact=True).select_option("child_pugh")
    expect(page.get_by_text("Child-Pugh class: A, B, C")).to_be_visible()
    expect(page.get_by_text("Weight: in kg")).to_be_hidden()


def test_a_range_is_looked_at_before_it_is_published(page: Page, live_server: Server, axe: Axe) -> None:
    with live_server.database.transaction() as session:
        clinic = session.get_one(Clinic, live_server.cast.a.clinic)
        add_account(session, "cora", "Cora Cole", "admin", clinic)
    live_server.sign_in(page, "cora")
    page.goto(f"{live_server.url}/ranges/{live_server.cast.a.range}")
    page.get_by_role("radio").last.check()  # it is dated in the past: what it does to that time is a choice
    page.keyboard.press("v")
    expect(page.get_by_role("heading", name="What would change")).to_be_focused()
    assert axe(page) == []
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status")).to_contain_text("Published. 1 patient judged again")


def test_a_temporary_password_is_shown_to_be_copied(page: Page, live_server: Server, axe: Axe) -> None:
    live_server.sign_in(page, "carol")
    page.goto(f"{live_server.url}/admin")
    page.get_by_role("button", name="New password: Bob Birch").click()
    expect(page.locator(".rec-secret")).to_be_focused()
    assert axe(page) == []
