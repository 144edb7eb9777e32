"""Files in a real browser: a table is mapped with its rows beside it, the tray is worked, a test is mapped."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tracker.models import HeldRow, LabResult

Axe = Callable[[Page], list[str]]
TABLE = "Patient;Datum;Kreatinin;ALT (U/L)\nAL-0001;03/02/2026;1,1;31\nXX-1;04/02/2026;0,9;30\n"
MESSAGE = (
    "MSH|^~\\&|LIS|Aspen|||20260210101500||ORU^R01|1|P|2.5\rPID|1||AL-0001^^^Clinic^MR||Almondine^Ida\r"
    "OBR|1||F1|CHEM|||20260210083000\rOBX|1|NM|K7^Nierenwert K7||82|umol/l|45-84|N|||F\r"
)


@pytest.fixture
def imports(page: Page, live_server: Any) -> Page:
    live_server.sign_in(page, "bob")
    page.goto(live_server.url + "/imports")
    return page


def send(page: Page, name: str, content: str) -> None:
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "text/plain", "buffer": content.encode()})
    page.get_by_role("button", name="Look at it").click()


def test_a_table_is_mapped_while_its_first_rows_say_what_would_be_filed(
    imports: Page, live_server: Any, axe: Axe
) -> None:
    send(imports, "export.csv", TABLE)
    first = imports.locator("#first")
    expect(imports.get_by_role("heading", name="2 things only a person can say")).to_be_visible()
    expect(first).to_contain_text("Is the day or the month first")
    imports.get_by_label("Days such as").select_option("day first")
    expect(first).not_to_contain_text("Is the day or the month first")
    imports.get_by_label("Unit of Kreatinin", exact=False).fill("mg/dL")
    imports.get_by_label("Laboratory of all samples").click()
    expect(first).to_contain_text("Kreatinin 1.1 mg/dL · 3 Feb 2026 · CREAT")
    expect(first).to_contain_text("nobody here: it would wait")
    assert axe(imports) == []
    imports.get_by_role("button", name="Look at the whole file").click()
    expect(imports.locator(".imports-sum")).to_contain_text("4")
    assert axe(imports) == []
    imports.get_by_role("button", name="File 2 rows").click()
    expect(imports.locator("body")).to_contain_text("export.csv: 2 rows filed.")


def test_the_tray_is_worked_and_empties(imports: Page, live_server: Any, axe: Axe) -> None:
    send(imports, "m.hl7", MESSAGE.replace("AL-0001", "XX-9"))
    imports.get_by_role("button", name="Keep the account of it").click()
    imports.goto(live_server.url + "/imports/tray")
    row = imports.get_by_role("row", name="XX-9")
    expect(row).to_contain_text("Nierenwert K7 82 umol/l")
    expect(row).to_contain_text("nobody")
    row.get_by_role("checkbox").check()
    imports.get_by_role("button", name="Take the ticked rows on").click()
    expect(imports.get_by_role("row", name="XX-9")).to_contain_text("Bob")
    assert axe(imports) == []
    imports.get_by_role("row", name="XX-9").get_by_role("checkbox").check()
    imports.get_by_label("Why they are dismissed").fill("of the neighbouring clinic")
    imports.get_by_role("button", name="Dismiss the ticked rows").click()
    expect(imports.get_by_role("row", name="XX-9")).to_have_count(0)
    with live_server.database.reading() as session:
        (held,) = session.scalars(select(HeldRow).where(HeldRow.mrn == "XX-9")).all()
    assert (held.state, held.settled_reason) == ("dismissed", "of the neighbouring clinic")


def test_a_laboratorys_test_is_mapped_and_its_results_are_judged(page: Page, live_server: Any, axe: Axe) -> None:
    live_server.sign_in(page, "alice")
    page.goto(live_server.url + "/imports")
    send(page, "m.hl7", MESSAGE)
    page.get_by_role("button", name="File 1 row").click()
    page.goto(live_server.url + "/imports")
    page.get_by_role("link", name="Codes").click()
    page.get_by_role("link", name="Nierenwert K7").click()
    assert axe(page) == []
    page.get_by_label("It is", exact=True).select_option("CREAT")
    page.get_by_label("How it is known").fill("the laboratory’s list of tests")
    page.get_by_role("button", name="Map it").click()
    expect(page.locator("body")).to_contain_text("Mapped by people of this clinic")
    assert axe(page) == []
    with live_server.database.reading() as session:
        found = session.scalars(select(LabResult).where(LabResult.subject == "CREAT", LabResult.retired_at.is_(None)))
        assert [(str(result.figure), result.unit) for result in found] == [("82", "umol/L")]
