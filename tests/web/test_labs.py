"""Entering results: judged while one types, asked where odd, refused where impossible, stored once, read back."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.people import Cast
from tests.web.conftest import Browser
from tracker.db import Database
from tracker.models import Draft, Flag, LabResult

SignIn = Callable[[str], Browser]
DAY = "2026-02-16"
PANEL = {
    "WBC": ("5.4", "10*9/L"), "ANC": ("2.4", "10*9/L"), "ALC": ("1.5", "10*9/L"), "HB": ("13.1", "g/dL"),
    "PLT": ("240", "10*9/L"), "ALT": ("22", "U/L"), "AST": ("24", "U/L"), "ALP": ("70", "U/L"),
    "TBIL": ("0.6", "mg/dL"), "CREAT": ("0.8", "mg/dL"), "CHOL": ("190", "mg/dL"), "LDL": ("95", "mg/dL"),
    "HDL": ("55", "mg/dL"), "TG": ("120", "mg/dL"), "CK": ("110", "U/L"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def a_monday_in_february() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 16, 11, 30, tzinfo=UTC)):
        yield


@pytest.fixture
def bob(sign_in: SignIn) -> Browser:
    return sign_in("bob")


def sheet(rows: dict[str, tuple[str, str]], day: str = DAY, **more: Any) -> dict[str, Any]:
    """A grid as the browser sends it."""
    blank = [""] * len(rows)
    values, units = [value for value, _ in rows.values()], [unit for _, unit in rows.values()]
    return {"day": day, "analyte": list(rows), "value": values, "unit": units, "low": blank, "high": blank, **more}


def save(browser: Browser, patient: int, rows: dict[str, tuple[str, str]], **more: Any) -> TestResponse:
    return browser.post(f"/patients/{patient}/labs/new", sheet(rows, **({"do": "save"} | more)))


def preview(browser: Browser, patient: int, rows: dict[str, tuple[str, str]], **more: Any) -> dict[str, Any]:
    answer = browser.post(f"/patients/{patient}/labs/preview", sheet(rows, **more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def words(html: str) -> str:
    """What a person reads there."""
    return " ".join(BeautifulSoup(html, "html5lib").get_text(" ").split())


def on_file(database: Database, patient: int) -> dict[tuple[str, str], str]:
    """Values in force by analyte and day."""
    with database.reading() as session:
        rows = session.scalars(select(LabResult).where(LabResult.patient_id == patient, LabResult.retired_at.is_(None)))
        return {
            (
                r.subject,
                r.collected_on.isoformat(),
            ): f"{r.comparator}{r.figure if r.figure is not None else r.text} {r.unit}"
            for r in rows
        }


# ---------------------------------------------------------------------------------------------- the grid


def test_the_grid_shows_who_it_is_what_was_before_and_what_judges(bob: Browser, cast: Cast) -> None:
    page = BeautifulSoup(bob.get(f"/patients/{cast.a.patient}/labs/new").text, "html5lib")
    banner = words(str(page.find(class_="jw-patient")))
    assert "Almondine, Ida" in banner
    assert "AL-0001" in banner
    assert [field["value"] for field in page.select("input[name=analyte]")] == list(PANEL)
    neutrophils = words(str(page.select(".labs-grid tbody tr")[1]))
    assert "0.46 9 Feb 2026" in neutrophils
    assert "≥ 2.0 and ≤ 8.25 ×10⁹/L of the clinic" in neutrophils
    assert page.find("input", {"name": "day"})["value"] == DAY


def test_the_unit_this_patient_had_last_is_offered_first(bob: Browser, cast: Cast) -> None:
    assert save(bob, cast.a.patient, {"ANC": ("2400", "/uL")}).status_code == 303
    page = BeautifulSoup(bob.get(f"/patients/{cast.a.patient}/labs/new").text, "html5lib")
    row = page.select(".labs-grid tbody tr")[1]
    assert row.select_one("option[selected]")["value"] == "/uL"
    assert "≥ 2000 and ≤ 8250 /uL" in words(str(row))


def test_choosing_shows_two_identifiers_and_nobody_of_another_clinic(bob: Browser, cast: Cast) -> None:
    by_name, by_number = bob.get("/labs?q=almond").text, bob.get("/labs?q=AL-00").text
    for page in (by_name, by_number):
        assert "Almondine, Ida" in page
        assert "AL-0001" in page
        assert f"/patients/{cast.a.patient}/labs/new" in page
    assert "Nobody is found" in bob.get("/labs?q=Bilber").text


# ---------------------------------------------------------------------------------------------- verdicts while typing

VERDICTS = [
    # what is typed, and what is said beside it
    ("ANC", "0.46", "10*9/L", "low", "↓ low CTCAE 5.0 grade 4"),
    ("ANC", "0.46", "10*9/L", "low", "below the action limit 0.5 ×10⁹/L"),
    ("ANC", "460", "/uL", "low", "below the action limit 500 /uL"),
    ("ANC", "460 /uL", "10*9/L", "low", "below the action limit 500 /uL"),
    ("ANC", "2,4", "10*9/L", "inside", "inside"),
    ("PLT", "2.4 e2", "10*9/L", "inside", "inside"),
    ("CK", "<20", "U/L", "low", "low"),
    ("CK", "<200", "U/L", "not_evaluated", "could not be evaluated “<200” leaves open on which side"),
    ("TG", ">1000", "mg/dL", "high", "high"),
    ("ALT", "20", "mmol/L", "refused", "“mmol/L” is not a unit it is recorded in"),
    ("ALT", "20", "", "refused", "a unit is needed"),
    ("PLT", "9000000", "10*9/L", "refused", "above the possible maximum"),
    ("CREAT", "80", "mg/dL", "refused", "it looks like umol/L"),
    ("PLT", "1,234", "10*9/L", "refused", "could be read as two different numbers"),
    ("PLT", "many", "10*9/L", "refused", "“many” is not a number"),
    ("PLT", "-5", "10*9/L", "refused", "negative"),
    ("PLT", "2", "10*9/L", "asked", "unusually low"),
    ("ANC", "4.6", "10*9/L", "asked", "about 10 times the previous value 0.46 ×10⁹/L"),
    ("IGRA", "neg", "", "words", "kept as “neg”"),
    ("IGRA", "perhaps", "", "refused", "not one of positive, negative"),
]


@pytest.mark.parametrize(("analyte", "value", "unit", "state", "said"), VERDICTS)
def test_what_is_said_while_typing(
    bob: Browser, cast: Cast, analyte: str, value: str, unit: str, state: str, said: str
) -> None:
    (row,) = preview(bob, cast.a.patient, {analyte: (value, unit)})["rows"]
    assert (row["state"], said in words(row["verdict"])) == (state, True), words(row["verdict"])


def test_the_change_since_the_last_value_is_shown_in_the_unit_typed(bob: Browser, cast: Cast) -> None:
    rows = preview(bob, cast.a.patient, {"ANC": ("920", "/uL")})["rows"]
    assert words(rows[0]["change"]) == "+460 (+100 %)"
    assert words(preview(bob, cast.a.patient, {"ANC": ("<0.4", "10*9/L")})["rows"][0]["change"]) == ""


@pytest.mark.parametrize("value", ["1e999", "9" * 60])
def test_a_figure_beyond_all_figures_is_refused_and_has_no_change(bob: Browser, cast: Cast, value: str) -> None:
    """There is one of 0.46 to hold it against."""
    (row,) = preview(bob, cast.a.patient, {"ANC": (value, "10*9/L")})["rows"]
    assert (row["state"], words(row["change"])) == ("refused", "")


def test_looking_stores_nothing(bob: Browser, cast: Cast, database: Database) -> None:
    before = on_file(database, cast.a.patient)
    told = preview(bob, cast.a.patient, PANEL | {"ANC": ("0.4", "10*9/L")})
    assert "Act today" in words(told["summary"])
    looked = bob.post(f"/patients/{cast.a.patient}/labs/new", sheet({"ANC": ("0.4", "10*9/L")}, do="check"))
    assert "below the action limit 0.5 ×10⁹/L" in words(looked.text)
    assert on_file(database, cast.a.patient) == before
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Draft)) == 0


def test_findings_of_several_values_together_are_announced(bob: Browser, cast: Cast) -> None:
    told = preview(bob, cast.a.patient, PANEL | {"ALT": ("150", "U/L"), "TBIL": ("2.6", "mg/dL")})
    assert "Hy" in words(told["summary"])


def test_a_printed_range_judges_before_the_clinics_own(bob: Browser, cast: Cast) -> None:
    data = sheet({"ALT": ("45", "U/L")}, low=["10"], high=["50"])
    (row,) = bob.post(f"/patients/{cast.a.patient}/labs/preview", data).get_json()["rows"]
    assert row["state"] == "inside"
    assert "printed with the result" in words(row["range"])


# ---------------------------------------------------------------------------------------------- saving


def test_a_panel_is_stored_and_read_back_with_the_flags_it_opened(bob: Browser, cast: Cast, database: Database) -> None:
    answer = save(
        bob, cast.a.patient, PANEL | {"ANC": ("0.44", "10*9/L"), "ALT": ("<5", "U/L"), "CREAT": ("", "mg/dL")}
    )
    assert answer.status_code == 303
    page = words(bob.get(answer.location).text)
    assert "14 results stored." in page
    assert "Neutrophils absolute ANC 0.44 ×10⁹/L ≥ 2.0 and ≤ 8.25 of the clinic unverified ↓ low" in page
    assert "Neutrophils 0.44 ×10⁹/L, below the action limit 0.5 ×10⁹/L" in page
    assert "confirmed by repeat" in page  # the one of a week before was 0.46
    assert on_file(database, cast.a.patient)["ALT", DAY] == "<5 U/L"
    with database.reading() as session:
        limits = session.scalars(select(Flag).where(Flag.patient_id == cast.a.patient, Flag.rule == "action_limit"))
        assert "confirmed" in {flag.confirmation for flag in limits}


def test_the_same_panel_again_stores_nothing_twice_and_says_so(bob: Browser, cast: Cast, database: Database) -> None:
    first, second = save(bob, cast.a.patient, PANEL), save(bob, cast.a.patient, PANEL)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert "15 values were on file already: nothing was stored twice." in words(bob.get(second.location).text)
    with database.reading() as session:
        mine = (LabResult.patient_id == cast.a.patient, LabResult.collected_on >= date(2026, 2, 10))
        assert session.scalar(select(func.count()).where(*mine)) == 15


def test_a_panel_sent_twice_at_once_is_stored_once(app: Flask, sign_in: SignIn, cast: Cast, database: Database) -> None:
    browsers = [sign_in("bob"), sign_in("alice")]
    sent = [(browser, sheet(PANEL, do="save", csrf_token=browser.token())) for browser in browsers]

    def send(pair: tuple[Browser, dict[str, Any]]) -> TestResponse:
        return pair[0].client.post(f"/patients/{cast.a.patient}/labs/new", data=pair[1])

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(send, sent))
    assert [answer.status_code for answer in answers] == [303, 303]
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(LabResult.patient_id == cast.a.patient)) == 16


def test_another_value_for_the_same_sample_is_refused_with_the_way_out(
    bob: Browser, cast: Cast, database: Database
) -> None:
    again = save(bob, cast.a.patient, {"ANC": ("1.9", "10*9/L")}, day="2026-02-09")
    assert again.status_code == 422
    page = words(again.text)
    assert "ANC 0.46 ×10⁹/L is on file for this sample already." in page
    assert "give its time or its accession number" in page
    assert f"/results/{cast.a.result}" in again.text
    assert save(bob, cast.a.patient, {"ANC": ("1.9", "10*9/L")}, day="2026-02-09", time="8.40").status_code == 303
    assert save(bob, cast.a.patient, {"ANC": ("1.8", "10*9/L")}, day="2026-02-09", accession="S-2").status_code == 303


def test_an_odd_value_is_stored_only_when_somebody_says_it_is_right(
    bob: Browser, cast: Cast, database: Database
) -> None:
    odd = {"ANC": ("4.6", "10*9/L"), "ALT": ("22", "U/L")}
    asked = save(bob, cast.a.patient, odd)
    assert asked.status_code == 422
    assert "about 10 times the previous value" in words(asked.text)
    box = BeautifulSoup(asked.text, "html5lib").select_one("input[name=confirm]")
    other = save(bob, cast.a.patient, odd, confirm=["ANC|46|10*9/L"])
    assert other.status_code == 422, "what was confirmed is another value"
    assert on_file(database, cast.a.patient).keys() == {("ANC", "2026-02-09")}
    assert save(bob, cast.a.patient, odd, confirm=[box["value"]]).status_code == 303
    assert on_file(database, cast.a.patient)["ANC", DAY] == "4.6 10*9/L"


def test_one_impossible_value_keeps_all_of_them_out_and_what_was_typed_stays(
    bob: Browser, cast: Cast, database: Database
) -> None:
    answer = save(bob, cast.a.patient, PANEL | {"CREAT": ("80", "mg/dL")}, laboratory="Synlab")
    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html5lib")
    assert [field["value"] for field in page.select("input[name=value]")][:3] == ["5.4", "2.4", "1.5"]
    assert page.find("input", {"name": "laboratory"})["value"] == "Synlab"
    link = page.select_one(".jw-errors a")
    assert "CREAT 80 mg/dL is above the possible maximum" in link.text
    assert page.select_one(link["href"])["value"] == "80"
    assert on_file(database, cast.a.patient).keys() == {("ANC", "2026-02-09")}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"day": "2026-02-17"}, "which is in the future"),
        ({"day": DAY, "time": "23:10"}, "which is in the future"),
        ({"day": "1980-01-01"}, "before the patient's birth"),
        ({"day": "16/02/2026"}, "Write the date as"),
        ({"day": ""}, "On which day was the sample taken?"),
        ({"day": DAY, "time": "quarter past"}, "Write the time as 08:40"),
        ({"day": DAY, "time": "25:00"}, "Write the time as 08:40"),
        ({"day": "2025-03-30", "time": "02:30"}, "does not exist"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(
    bob: Browser, cast: Cast, database: Database, header: dict[str, str], said: str
) -> None:
    answer = save(bob, cast.a.patient, {"ANC": ("2.1", "10*9/L")}, **header)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert on_file(database, cast.a.patient).keys() == {("ANC", "2026-02-09")}


def test_a_fasting_sample_is_stored_and_read_back_as_one(bob: Browser, cast: Cast, database: Database) -> None:
    stored = save(bob, cast.a.patient, {"LDL": ("95", "mg/dL"), "TG": ("120", "mg/dL")}, fasting="yes")
    page = words(bob.get(stored.location).text)
    assert re.search("sample of .*, fasting", page)
    with database.reading() as session:
        rows = session.scalars(
            select(LabResult).where(LabResult.patient_id == cast.a.patient, LabResult.subject == "TG")
        )
        latest = max(rows, key=lambda row: row.id)
    assert latest.fasting is True
    result = words(bob.get(f"/results/{latest.id}").text)
    assert "Fasting yes" in result


def test_a_sample_of_which_nothing_is_said_is_not_called_fasting(bob: Browser, cast: Cast) -> None:
    stored = save(bob, cast.a.patient, {"TG": ("120", "mg/dL")})
    assert "fasting not said" in words(bob.get(stored.location).text)


def test_the_same_value_with_another_fasting_state_is_refused_with_what_is_on_file(bob: Browser, cast: Cast) -> None:
    save(bob, cast.a.patient, {"TG": ("120", "mg/dL")}, fasting="no")
    again = save(bob, cast.a.patient, {"TG": ("120", "mg/dL")}, fasting="yes")
    assert again.status_code == 422
    assert "TG 120 mg/dL, not fasting, is on file for this sample already" in words(again.text)


def test_fasting_is_one_of_its_answers(bob: Browser, cast: Cast) -> None:
    assert save(bob, cast.a.patient, {"TG": ("120", "mg/dL")}, fasting="perhaps").status_code == 422


def test_an_empty_grid_is_not_saved(bob: Browser, cast: Cast) -> None:
    answer = save(bob, cast.a.patient, {"ANC": ("", "10*9/L")})
    assert answer.status_code == 422
    assert "Type at least one value." in words(answer.text)


def test_a_test_in_the_grid_twice_is_refused(bob: Browser, cast: Cast) -> None:
    data = sheet({"ANC": ("2.1", "10*9/L"), "Neutrophils": ("2.2", "10*9/L")}, do="save")
    answer = bob.post(f"/patients/{cast.a.patient}/labs/new", data)
    assert answer.status_code == 422
    assert "ANC is in this panel twice" in words(answer.text)


def test_a_test_nobody_knows_is_kept_under_its_own_name(bob: Browser, cast: Cast, database: Database) -> None:
    answer = save(bob, cast.a.patient, {"Wonder protein": ("7", "mg/L")})
    assert answer.status_code == 303
    assert "could not be evaluated" in words(bob.get(answer.location).text)
    assert on_file(database, cast.a.patient)["Wonder protein", DAY] == "7 mg/L"


# ---------------------------------------------------------------------------------------------- more rows


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("crp", ["CRP"]),
        ("C-reactive protein", ["CRP"]),
        ("muscle", []),
        ("LIVER", ["GGT", "DBIL", "ALB", "INR"]),
        ("Wonder protein", ["Wonder protein"]),
    ],
)
def test_tests_and_panels_are_added_without_losing_what_is_typed(
    bob: Browser, cast: Cast, name: str, added: list[str]
) -> None:
    answer = bob.post(f"/patients/{cast.a.patient}/labs/new", sheet(PANEL, do="add", add=name))
    page = BeautifulSoup(answer.text, "html5lib")
    assert [field["value"] for field in page.select("input[name=analyte]")] == [*PANEL, *added]
    assert [field["value"] for field in page.select("input[name=value]")][:2] == ["5.4", "2.4"]


BLOCK = """Test\tResult\tUnit
Neutrophils\t0,46\t10^9/L\t2.0 - 7.5
ALT (GPT)\t31\tU/l\tH
Wonder protein\t7\tmg/L
Haemoglobin;13,2;g/dl
Platelets   254   G/l   150-400
Serum creatinine 0.9 mg/dl
just a remark
CRP\t<5\tmg/L"""


def test_a_pasted_block_finds_its_rows_and_loses_no_line(bob: Browser, cast: Cast, database: Database) -> None:
    grid = {code: ("", unit) for code, (_, unit) in PANEL.items()}
    answer = bob.post(f"/patients/{cast.a.patient}/labs/new", sheet(grid, do="paste", block=BLOCK))
    page = BeautifulSoup(answer.text, "html5lib")
    values = {
        row.select_one("input[name=analyte]")["value"]: row.select_one("input[name=value]")["value"]
        for row in page.select(".labs-grid tbody tr")
    }
    assert {code: value for code, value in values.items() if value} == {
        "ANC": "0,46", "ALT": "31", "HB": "13,2", "PLT": "254", "CREAT": "0.9", "CRP": "<5",
    }  # fmt: skip
    mapped = words(str(page.select_one(".labs-mapped")))
    assert "Neutrophils → put into ANC 0,46" in mapped
    assert "range printed 2.0 to 7.5" in mapped
    left = words(str(page.select_one(".labs-left")))
    for line, why in (
        ("Wonder protein", "not a test Jakwatch knows"),
        ("just a remark", "no value"),
        ("Test", "heading"),
    ):
        assert line in left
        assert why in left
    assert page.find("textarea", {"name": "block"}).text.splitlines()[-1] == "just a remark"
    assert on_file(database, cast.a.patient).keys() == {("ANC", "2026-02-09")}


def test_a_pasted_line_never_overwrites_what_was_typed(bob: Browser, cast: Cast) -> None:
    data = sheet({"ANC": ("2.1", "10*9/L")}, do="paste", block="ANC\t0.46\t10*9/L")
    page = BeautifulSoup(bob.post(f"/patients/{cast.a.patient}/labs/new", data).text, "html5lib")
    assert page.select_one("input[name=value]")["value"] == "2.1"
    assert "ANC 2.1 ×10⁹/L is in the grid already" in words(str(page.select_one(".labs-left")))


# ---------------------------------------------------------------------------------------------- drafts


def test_a_draft_survives_the_sign_out_and_is_gone_after_the_save(
    sign_in: SignIn, bob: Browser, cast: Cast, database: Database
) -> None:
    typed = sheet({"ANC": ("0.46", "10*9/L"), "HB": ("13.1", "g/dL")}, laboratory="Synlab", block="left over")
    assert bob.post(f"/patients/{cast.a.patient}/labs/draft", typed).status_code == 204
    bob.post("/sign-out")
    again = sign_in("bob")
    page = BeautifulSoup(again.get(f"/patients/{cast.a.patient}/labs/new").text, "html5lib")
    assert "Restored: what you typed here until 16 Feb 2026, 12:30" in words(str(page))
    assert [field["value"] for field in page.select("input[name=value]")] == ["0.46", "13.1"]
    assert page.find("input", {"name": "laboratory"})["value"] == "Synlab"
    assert page.find("textarea", {"name": "block"}).text.strip() == "left over"
    assert save(again, cast.a.patient, {"ANC": ("2.2", "10*9/L")}).status_code == 303
    assert "Restored" not in again.get(f"/patients/{cast.a.patient}/labs/new").text


def test_a_draft_is_for_its_author_alone_and_can_be_discarded(sign_in: SignIn, bob: Browser, cast: Cast) -> None:
    url = f"/patients/{cast.a.patient}/labs"
    bob.post(f"{url}/draft", sheet({"ANC": ("0.46", "10*9/L")}))
    assert "Restored" not in sign_in("alice").get(f"{url}/new").text
    assert bob.post(f"{url}/draft/discard").status_code == 303
    assert "Restored" not in bob.get(f"{url}/new").text


def test_emptying_the_grid_leaves_no_draft(bob: Browser, cast: Cast, database: Database) -> None:
    url = f"/patients/{cast.a.patient}/labs/draft"
    bob.post(url, sheet({"ANC": ("0.46", "10*9/L")}))
    bob.post(url, sheet({"ANC": ("", "10*9/L")}))
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Draft)) == 0


# ---------------------------------------------------------------------------------------------- who may


@pytest.mark.parametrize("username", ["carol", "dan"])
def test_who_does_not_record_does_not_type_results(sign_in: SignIn, cast: Cast, username: str) -> None:
    browser = sign_in(username)
    assert browser.get(f"/patients/{cast.a.patient}/labs/new").status_code == 403
    assert save(browser, cast.a.patient, PANEL).status_code == 403


def test_nothing_of_another_clinics_patient_is_typed_seen_or_drafted(
    sign_in: SignIn, cast: Cast, database: Database
) -> None:
    mallory = sign_in("mallory")
    url = f"/patients/{cast.a.patient}/labs"
    assert mallory.get(f"{url}/new").status_code == 404
    assert mallory.get(f"{url}/stored/{cast.a.result}").status_code == 404
    assert save(mallory, cast.a.patient, PANEL).status_code == 404
    for what in ("preview", "draft", "draft/discard"):
        assert mallory.post(f"{url}/{what}", sheet(PANEL)).status_code == 404, what
    own = f"/patients/{cast.b.patient}/labs/stored/{cast.a.result}"
    assert mallory.get(own).status_code == 404
    assert len(on_file(database, cast.a.patient)) == 1


def test_markup_that_is_typed_stays_text(bob: Browser, cast: Cast) -> None:
    odd = "<img src=x onerror=alert(1)>"
    answer = bob.post(f"/patients/{cast.a.patient}/labs/new", sheet({odd: (odd, odd)}, do="check", block=odd))
    assert re.search(r"<img src=x", answer.text) is None
    told = preview(bob, cast.a.patient, {odd: (odd, odd)})
    assert "<img" not in told["rows"][0]["verdict"] + told["summary"]


def test_a_pasted_line_nobody_knows_can_be_kept_under_its_own_name(bob: Browser, cast: Cast) -> None:
    url = f"/patients/{cast.a.patient}/labs/new"
    grid = sheet({"ANC": ("2,10", "10*9/L")}, do="paste", block="Wonder protein\t7\tmg/L\nANC\t2.1\tG/l")
    first = BeautifulSoup(bob.post(url, grid).text, "html5lib")
    assert first.select_one("button[name=keep]")["value"] == "Wonder protein"
    left = first.find("textarea", {"name": "block"}).text.strip()
    assert left == "Wonder protein\t7\tmg/L", "the same neutrophils, written otherwise, are no conflict"
    again = sheet({"ANC": ("2.1", "10*9/L")}, keep="Wonder protein", block=left)
    page = BeautifulSoup(bob.post(url, again).text, "html5lib")
    assert [field["value"] for field in page.select("input[name=value]")] == ["2.1", "7"]
    assert [field["value"] for field in page.select("[name=unit]") if field.name == "input"] == ["mg/L"]
    assert page.find("textarea", {"name": "block"}).text.strip() == ""
