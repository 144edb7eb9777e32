"""The worksheet in a real browser: three patients by keyboard alone, judged while typing, a row saved at a time."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select

from tests.desk import Desk
from tracker.models import LabResult

FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
FIRST = ("5.4", "0,46", "1.5", "13.1", "240", "22", "24", "70", "0.6", "0.8", "190", "95", "55", "120", "150")
SECOND = ("6.0", "4.1", "<1.9", "8.6")


@pytest.fixture
def desk(live_server: Any) -> Desk:
    return Desk(live_server.database, live_server.cast)


@pytest.fixture
def patients(desk: Desk) -> list[int]:
    return [desk.cast.a.patient, desk.patient("P-1", "Paley", started=140), desk.patient("Q-1", "Quill", started=20)]


def open_sheet(page: Page, server: Any, patients: list[int]) -> None:
    server.sign_in(page, "bob")
    page.goto(f"{server.url}/worksheet?" + "&".join(f"patient={key}" for key in patients))


def row(page: Page, family: str) -> Locator:
    return page.locator("tr[data-line]", has_text=family)


def says(page: Page, family: str) -> Locator:
    return page.locator("tr[data-line]", has_text=family).locator("xpath=following-sibling::tr[1]")


def value(page: Page, family: str, code: str) -> Locator:
    return row(page, family).locator(f"td[data-code={code}] input[name=value]")


def stored(desk: Desk, patient_id: int) -> int:
    with desk.database.reading() as session:
        statement = select(func.count()).where(LabResult.patient_id == patient_id, LabResult.value.is_not(None))
        return session.scalar(statement) or 0


def test_a_clinic_day_is_typed_with_the_keyboard_alone(
    page: Page, live_server: Any, desk: Desk, patients: list[int]
) -> None:
    open_sheet(page, live_server, patients)
    expect(value(page, "Almondine", "WBC")).to_be_focused()
    for text in FIRST:
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    # Judged before anything is saved.
    expect(row(page, "Almondine").locator("td[data-code=ANC]")).to_contain_text("low")
    expect(says(page, "Almondine")).to_contain_text("below the action limit 0.5")
    assert stored(desk, patients[0]) == 1
    page.keyboard.press("Control+Enter")
    expect(says(page, "Almondine")).to_contain_text("15 results stored")
    assert stored(desk, patients[0]) == 16
    # The row below has the focus; what is typed into it is another patient's.
    expect(value(page, "Paley", "WBC")).to_be_focused()
    for text in SECOND:
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    expect(row(page, "Paley").locator("td[data-code=HB]")).to_contain_text("low")
    page.keyboard.press("ArrowDown")
    expect(value(page, "Quill", "PLT")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+Enter")
    expect(says(page, "Paley")).to_contain_text("4 results stored")
    assert stored(desk, patients[2]) == 0


def test_an_odd_value_is_asked_about_and_answered_with_the_keyboard(
    page: Page, live_server: Any, desk: Desk, patients: list[int]
) -> None:
    open_sheet(page, live_server, patients)
    value(page, "Paley", "PLT").fill("2")
    page.keyboard.press("Control+Enter")
    question = page.get_by_label("PLT 2 is right")
    expect(question).to_be_focused()
    page.keyboard.press("Space")
    expect(question).to_be_checked()
    page.keyboard.press("Control+Enter")
    expect(says(page, "Paley")).to_contain_text("1 result stored")


def test_rows_that_were_not_saved_survive_leaving_the_page(page: Page, live_server: Any, patients: list[int]) -> None:
    open_sheet(page, live_server, patients)
    value(page, "Quill", "HB").fill("9,9")
    expect(page.get_by_text("Draft kept")).to_be_visible()
    page.goto(f"{live_server.url}/worksheet")
    page.get_by_role("link", name="Put on this sheet").press("Enter")
    expect(value(page, "Quill", "HB")).to_have_value("9,9")
    expect(row(page, "Quill").locator("td[data-code=HB]")).to_contain_text("low")


def test_adding_a_patient_keeps_what_was_typed(page: Page, live_server: Any, patients: list[int]) -> None:
    open_sheet(page, live_server, patients[:2])
    value(page, "Paley", "HB").fill("9.9")
    page.get_by_label("Add a patient").fill("Quill")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Add Quill, Kim")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row(page, "Quill")).to_be_visible()
    expect(value(page, "Paley", "HB")).to_have_value("9.9")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (820, 1100), (640, 400)])
def test_axe_finds_nothing_and_only_the_grid_scrolls(
    page: Page, live_server: Any, axe: Callable[[Page], list[str]], patients: list[int], scheme: Any, size: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_sheet(page, live_server, patients)
    value(page, "Almondine", "ANC").fill("0.40")
    value(page, "Paley", "PLT").fill("2")
    expect(says(page, "Paley")).to_contain_text("is right")
    expect(says(page, "Almondine")).to_contain_text("action limit")
    assert axe(page) == []
    assert page.evaluate(FITS)
    page.goto(f"{live_server.url}/worksheet?q=pal")
    assert axe(page) == []
