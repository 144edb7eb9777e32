"""The worksheet: one panel of many patients, judged by the same judge, a row saved at a time, nothing typed lost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup

from tests.desk import Desk
from tests.people import Cast
from tracker.db import Database
from tracker.models import LabResult

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
JSON = {"Accept": "application/json"}

Who = Callable[[str], Any]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


@pytest.fixture
def bob(sign_in: Who) -> Any:
    return sign_in("bob")


@pytest.fixture
def pale(desk: Desk) -> int:
    key = desk.patient("P-1", "Paley")
    desk.healthy(key, 61)
    return key


def sheet(browser: Any, query: str) -> Any:
    answer = browser.get(f"/worksheet{query}")
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def words(element: Any) -> str:
    return " ".join(element.get_text(" ").split())


def row(**values: str) -> dict[str, Any]:
    """What a row of the sheet sends."""
    units = {"ANC": "10*9/L", "HB": "g/dL", "PLT": "10*9/L"}
    return {
        "panel": "MONITORING", "day": "2026-02-10", "laboratory": "", "analyte": list(values),
        "unit": [units[code] for code in values], "value": list(values.values()),
    }  # fmt: skip


def stored(database: Database, patient_id: int) -> dict[str, str]:
    with database.reading() as session:
        rows = session.query(LabResult).filter(LabResult.patient_id == patient_id, LabResult.retired_at.is_(None))
        return {r.subject: f"{r.figure} {r.unit}" for r in rows if r.collected_on.isoformat() == "2026-02-10"}


def test_the_sheet_has_a_row_a_patient_with_two_identifiers_and_the_last_value(bob: Any, cast: Cast, pale: int) -> None:
    found = sheet(bob, f"?panel=CBC&patient={cast.a.patient}&patient={pale}")
    first, second = found.select("tr[data-line]")
    assert words(first.th).startswith("Almondine, Ida AL-0001 · F 37 tofacitinib 5 mg twice daily, day 30")
    assert words(second.th).startswith("Paley, Kim P-1")
    assert "last 0.46" in words(first.select_one("td[data-code=ANC]"))
    assert "last 4.1" in words(second.select_one("td[data-code=ANC]"))


def test_a_patient_is_found_and_added_and_one_of_another_clinic_is_not_there(bob: Any, cast: Cast, pale: int) -> None:
    found = sheet(bob, f"?panel=CBC&patient={cast.a.patient}&q=pal")
    (add,) = found.select("[data-add]")
    assert f"patient={pale}" in add["href"]
    assert f"patient={cast.a.patient}" in add["href"]
    assert "Bilberrow" not in bob.get("/worksheet?q=Bilb").text.replace('value="Bilb"', "")
    assert bob.get(f"/worksheet?patient={cast.b.patient}").status_code == 404


def test_who_is_overdue_can_be_put_on_the_sheet_at_once(bob: Any, desk: Desk) -> None:
    late = desk.patient("L-1", "Late", started=270)
    desk.healthy(late, 130)
    link = sheet(bob, "").find("a", string=lambda text: text and "overdue the longest" in text)
    assert f"patient={late}" in link["href"]


def test_a_row_is_judged_by_the_same_judge_before_anything_is_stored(bob: Any, cast: Cast, desk: Desk) -> None:
    told = bob.post(f"/worksheet/{cast.a.patient}/preview", row(ANC="0,44", HB="13.8"), headers=JSON).json
    cells = {cell["code"]: cell for cell in told["cells"]}
    assert (cells["ANC"]["state"], cells["HB"]["state"]) == ("low", "inside")
    assert "below the action limit 0.5" in BeautifulSoup(told["says"], "html.parser").get_text()
    assert stored(desk.database, cast.a.patient) == {}


def test_a_row_is_saved_by_itself_and_read_back(bob: Any, cast: Cast, desk: Desk, pale: int) -> None:
    answer = bob.post(f"/worksheet/{pale}", row(ANC="3.9", HB="8,6"), headers=JSON)
    assert answer.json["stored"] == "Paley, Kim: 2 results stored."
    assert "8.6" in bob.get(answer.json["url"]).text
    assert stored(desk.database, pale) == {"ANC": "3.9 10*9/L", "HB": "8.6 g/dL"}
    assert stored(desk.database, cast.a.patient) == {}
    assert [flag for flag in desk.flags(pale, subject="HB", machine="open") if flag.attention < 3]


def test_a_row_says_whether_the_patient_was_fasting_and_keeps_the_answer(bob: Any, desk: Desk, pale: int) -> None:
    assert bob.post(f"/worksheet/{pale}/draft", row(HB="8.6") | {"fasting": "no"}).status_code == 204
    again = sheet(bob, f"?patient={pale}")
    assert again.select_one("select[name=fasting] option[selected]")["value"] == "no"
    bob.post(f"/worksheet/{pale}", row(HB="8.6") | {"fasting": "no"}, headers=JSON)
    with desk.database.reading() as session:
        rows = session.query(LabResult).filter(LabResult.patient_id == pale, LabResult.subject == "HB")
        assert rows.order_by(LabResult.id.desc()).first().fasting is False


def test_without_a_script_the_sheet_comes_back_with_the_row_that_was_saved(bob: Any, cast: Cast, pale: int) -> None:
    both = f"{cast.a.patient} {pale}"
    answer = bob.post(f"/worksheet/{pale}", row(HB="13.1") | {"sheet": both})
    assert answer.status_code == 303
    assert f"patient={cast.a.patient}&patient={pale}" in answer.headers["Location"]
    assert "Paley, Kim: 1 result stored." in bob.get(answer.headers["Location"]).text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"HB": "thirteen"}, "is not a number"),
        ({"PLT": "2"}, "is right"),  # asked about before it is stored
        ({"HB": ""}, "Type at least one value"),
    ],
)
def test_a_row_with_something_wrong_is_not_stored_and_keeps_what_was_typed(
    bob: Any, desk: Desk, pale: int, values: dict[str, str], expected: str
) -> None:
    scripted = bob.post(f"/worksheet/{pale}", row(ANC="", **values), headers=JSON)
    assert scripted.status_code == 422
    assert expected in scripted.json["says"]
    plain = bob.post(f"/worksheet/{pale}", row(ANC="", **values) | {"sheet": str(pale)})
    assert plain.status_code == 422
    (code, typed) = next(iter(values.items()))
    found = BeautifulSoup(plain.text, "html.parser")
    assert found.select_one(f"td[data-code={code}] input[name=value]")["value"] == typed
    assert expected in found.select_one("[data-says]").decode()
    assert stored(desk.database, pale) == {}


def test_what_was_typed_is_kept_a_row_and_offered_again(bob: Any, sign_in: Who, pale: int) -> None:
    assert bob.post(f"/worksheet/{pale}/draft", row(HB="8.6")).status_code == 204
    found = sheet(bob, "")
    link = found.find("a", string="Put on this sheet")
    assert "1 row typed before and not saved" in words(found)
    again = sheet(bob, link["href"].removeprefix("/worksheet"))
    assert again.select_one("td[data-code=HB] input[name=value]")["value"] == "8.6"
    assert "not saved" not in words(sheet(sign_in("alice"), "")), "nobody sees what somebody else is typing"
    bob.post(f"/worksheet/{pale}", row(HB="8.6"), headers=JSON)
    assert "not saved" not in words(sheet(bob, ""))


@pytest.mark.parametrize("query", ["?panel=NONE", "?day=yesterday", "?patient=x", "?patient=99999999999999999999"])
def test_an_odd_address_does_no_harm(bob: Any, query: str) -> None:
    assert bob.get(f"/worksheet{query}").status_code in (200, 404)


def test_the_sheet_has_an_end(bob: Any, desk: Desk) -> None:
    keys = [desk.patient(f"M-{number}", f"More{number}", started=None) for number in range(22)]
    found = sheet(bob, "?" + "&".join(f"patient={key}" for key in keys))
    assert len(found.select("tr[data-line]")) == 20
    assert found.select_one("#q").has_attr("disabled")
