"""The job from end to end: a panel, the flag on the queue, a dermatologist decides, and the repeat confirms."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.desk import Desk
from tests.people import PASSWORD

PANEL = ("2.4", "0.46", "1.5", "13.1", "240", "22", "24", "70", "0.6", "0.8", "190", "95", "55", "120", "96")


def picture(page: Page, name: str) -> None:
    """Kept where JAKWATCH_PICTURES names a folder, for looking at."""
    if folder := os.environ.get("JAKWATCH_PICTURES"):
        page.screenshot(path=Path(folder) / f"job-{name}.png", full_page=True)


def enter(page: Page, server: Any, patient_id: int, day: str, neutrophils: str) -> None:
    """Fifteen values, by keyboard alone but for the address."""
    page.goto(f"{server.url}/patients/{patient_id}/labs/new")
    page.locator("input[name=day]").fill(day)
    page.locator("input[name=value]").first.focus()
    for text in (PANEL[0], neutrophils, *PANEL[2:]):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    expect(page.locator("tr", has_text="Neutrophils").first).to_contain_text("below the action limit 0.5")


def test_from_a_panel_to_a_decision_and_its_confirmation(page: Page, live_server: Any) -> None:
    server, desk = live_server, Desk(live_server.database, live_server.cast)
    patient_id = desk.patient("N-1", "Newling", started=140)
    desk.healthy(patient_id, 147)
    desk.healthy(patient_id, 60, ANC="2.4")
    today = datetime.now(UTC).date()
    first, second = (today - timedelta(days=3)).isoformat(), (today - timedelta(days=1)).isoformat()

    server.sign_in(page, "bob")
    enter(page, server, patient_id, first, "0.46")
    expect(page.locator("[data-summary]")).to_contain_text("Act today")  # judged before it is saved
    picture(page, "1-judged-before-saving")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))
    picture(page, "2-stored")

    page.get_by_role("button", name="Sign out", exact=True).first.click()
    server.sign_in(page, "alice")
    page.goto(f"{server.url}/")
    top = page.locator("[data-row]", has_text="Newling")
    expect(top).to_contain_text("Act today")
    expect(top).to_contain_text("Repeat by")
    expect(top).to_contain_text("discontinue if confirmed")
    picture(page, "3-top-of-the-queue")
    top.get_by_role("link", name="Review").click()
    expect(page.get_by_text("below the action limit 0.5 ×10⁹/L").first).to_be_visible()
    page.get_by_role("radio", name="Order a repeat").check()
    page.locator("input[name=until]").fill((today + timedelta(days=4)).isoformat())
    page.get_by_role("button", name="Save the decision").click()
    expect(page.locator("[role=status]")).to_contain_text("Order a repeat by")
    picture(page, "4-repeat-ordered")

    page.get_by_role("button", name="Sign out", exact=True).first.click()
    server.sign_in(page, "bob")
    enter(page, server, patient_id, second, "0.44")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/labs/stored/"))

    page.get_by_role("button", name="Sign out", exact=True).first.click()
    server.sign_in(page, "alice")
    page.goto(f"{server.url}/")
    again = page.locator("[data-row]", has_text="Newling")
    expect(again).to_contain_text("Act today")
    expect(again).to_contain_text("discontinue (confirmed by repeat)")
    again.get_by_role("link", name="Review").click()
    expect(page.get_by_text("the repeat confirmed it").first).to_be_visible()
    picture(page, "5-confirmed")
    assert PASSWORD not in page.content()
