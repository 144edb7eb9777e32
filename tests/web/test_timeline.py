"""The timeline: the chart says what was in force at each point, and the table beneath says the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup

from tests.desk import Desk, statements
from tests.people import Cast
from tracker.db import Database
from tracker.domain.readings import LabReading, Moment, RangeReading
from tracker.models import Clinic, Patient
from tracker.operations import configure, enrol, entry

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


@pytest.fixture
def berg(desk: Desk) -> int:
    """Twenty weeks on tofacitinib: falling neutrophils, a pneumonia with a hold, hair growing back."""
    key = desk.patient("B-1", "Berg", started=140)
    desk.healthy(key, 147, ANC="4.1")
    desk.healthy(key, 60, ANC="2.4", TG="410")
    desk.healthy(key, 2, ANC="0.46", CK="<20", ALC="1.0")

    def history(session: Any, actor: Any, patient: Any) -> None:
        pneumonia = {"kind": "infection", "term": "pneumonia", "onset_on": desk.ago(100), "resolved_on": desk.ago(80)}
        enrol.add_event(session, actor, patient, pneumonia | {"serious": True})
        (course,) = enrol.courses_of(session, patient.id)
        for days, kind in ((100, "hold"), (80, "resume")):
            enrol.add_course_event(
                session, actor, patient, course, {"on": desk.ago(days), "kind": kind, "reason": "pneumonia"}
            )
        enrol.add_observation(session, actor, patient, desk.ago(140), "salt", "82")
        enrol.add_observation(session, actor, patient, desk.ago(5), "salt", "31")

    desk.judge(key, history)
    return key


def chart(browser: Any, patient_id: int, query: str = "") -> dict[str, dict[str, Any]]:
    """The parts of the chart by their title; the lanes have none."""
    answer = browser.get(f"/patients/{patient_id}/timeline.json{query}")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return {part.get("title", {}).get("text", "lanes"): part for part in answer.json["vconcat"]}


def values(part: dict[str, Any], style: str) -> list[dict[str, Any]]:
    return [row for layer in part["layer"] if layer["mark"]["style"] == style for row in layer["data"]["values"]]


def table(browser: Any, patient_id: int, query: str = "") -> Any:
    answer = browser.get(f"/patients/{patient_id}/timeline{query}")
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def words(element: Any) -> str:
    return " ".join(element.get_text(" ").split())


def line(soup: Any, name: str) -> list[str]:
    row = next(row for row in soup.select(".desk-grid tbody tr") if words(row.th).startswith(name))
    return [words(cell) for cell in row.find_all(["th", "td"])]


# ---------------------------------------------------------------------------------------------- the chart


def test_a_test_is_drawn_with_its_limit_its_baseline_and_the_flag_on_it(alice: Any, berg: int) -> None:
    part = chart(alice, berg)["Neutrophils, ×10⁹/L"]
    assert [row["value"] for row in part["data"]["values"]] == [4.1, 2.4, 0.46]
    assert {row["words"] for row in values(part, "limitlabel")} == {"discontinue < 0.5", "interrupt ≤ 1"}
    assert [row["words"] for row in values(part, "baselinelabel")] == ["baseline 4.1"]
    flag = values(part, "flag")[-1]
    assert (flag["severity"], flag["decided"]) == ("urgent", False)
    assert "below the action limit 0.5 ×10⁹/L" in flag["words"]
    last = part["data"]["values"][-1]["words"].split("\n")
    assert last == ["Neutrophils 0.46 ×10⁹/L, below range", "8 Feb 2026", "Range ≥ 2.0 and ≤ 8.25 (clinic)"]


def test_the_band_changes_on_the_day_the_laboratory_changes_its_range(
    alice: Any, desk: Desk, database: Database, berg: int
) -> None:
    with database.transaction() as session:
        reading = RangeReading("ANC", "10*9/L", desk.ago(30), age_from=18, low=Decimal("1.5"), high=Decimal("7.0"))
        configure.publish_range(session, desk.actor("carol"), session.get_one(Clinic, desk.cast.a.clinic), reading)
    bands = [(band["low"], band["high"]) for band in values(chart(alice, berg)["Neutrophils, ×10⁹/L"], "band")]
    assert bands == [(2.0, 8.25), (1.5, 7.0)], "the older results keep the range they were judged by"


def test_a_censored_value_is_an_open_marker_and_a_computed_one_another(alice: Any, berg: int) -> None:
    parts = chart(alice, berg, "?tests=all")
    assert [row["shape"] for row in parts["Creatine kinase, U/L"]["data"]["values"]][-1] == "triangle-down"
    computed = next(part for title, part in parts.items() if title.startswith("Non-HDL"))
    assert {row["shape"] for row in computed["data"]["values"]} == {"square"}
    assert "computed" in computed["data"]["values"][0]["words"].lower()


def test_drug_hold_and_infection_have_their_lanes_and_hair_its_own_chart(alice: Any, berg: int) -> None:
    parts = chart(alice, berg)
    assert [row["label"] for row in values(parts["lanes"], "dose")] == ["5 mg twice daily"]
    assert [row["words"] for row in values(parts["lanes"], "hold")] == ["pneumonia: 2 Nov 2025 to 22 Nov 2025"]
    assert [row["label"] for row in values(parts["lanes"], "infection")] == ["pneumonia"]
    salt = parts["SALT, % of the scalp without hair"]
    assert [row["value"] for row in salt["data"]["values"]] == [82, 31]


def test_a_flag_somebody_decided_about_is_hollow(alice: Any, desk: Desk, berg: int) -> None:
    flag = desk.flag(berg, rule="action_limit", subject="ANC", attention=0)
    alice.post(f"/patients/{berg}/review", {"flag": f"{flag.id}:{flag.version}", "action": "acknowledge"})
    marks = values(chart(alice, berg)["Neutrophils, ×10⁹/L"], "flag")
    assert [mark["decided"] for mark in marks if mark["severity"] == "urgent" and "action limit" in mark["words"]] == [
        True
    ]
    assert "acknowledged" in marks[-1]["words"]


def test_watched_tests_are_those_with_a_limit_or_a_flag_and_all_are_all(alice: Any, berg: int) -> None:
    few, everything = chart(alice, berg), chart(alice, berg, "?tests=all")
    assert {"Neutrophils, ×10⁹/L", "Lymphocytes, ×10⁹/L", "Haemoglobin, g/dL"} <= set(few)
    assert "HDL cholesterol, mg/dL" not in few
    assert set(few) < set(everything)
    assert set(chart(alice, berg, "?test=HB")) == {"lanes", "SALT, % of the scalp without hair", "Haemoglobin, g/dL"}


def test_a_patient_without_anything_has_a_page_and_an_empty_chart(alice: Any, desk: Desk) -> None:
    nobody = desk.patient("N-1", "Novak", started=None)
    assert chart(alice, nobody) == {}
    assert "Nothing is on record yet" in table(alice, nobody).get_text()


def test_a_course_whose_dose_nobody_recorded_is_drawn_under_the_name_of_the_drug(
    alice: Any, desk: Desk, database: Database
) -> None:
    key = desk.patient("D-1", "Dosis", started=None)

    def begin(session: Any, actor: Any, patient: Any) -> None:
        enrol.add_course(session, actor, patient, {"protocol_id": "tofacitinib_us", "started_on": desk.ago(20)})

    desk.judge(key, begin)
    assert [row["label"] for row in values(chart(alice, key)["lanes"], "dose")] == ["tofacitinib"]


# ---------------------------------------------------------------------------------------------- the table


def test_the_table_has_tests_down_and_days_across_newest_first(alice: Any, berg: int) -> None:
    soup = table(alice, berg)
    days = [cell["datetime"] for cell in soup.select(".desk-grid thead time")]
    assert days == sorted(days, reverse=True)
    assert days[0] == "2026-02-08"
    row = line(soup, "Neutrophils")
    assert row[0] == "Neutrophils ×10⁹/L"
    assert row[1].startswith("≥ ")
    assert row[2] == "0.46 ↓ below range"
    assert "2.4" in row
    assert "4.1" in row


def test_bounds_words_and_computed_values_are_told_from_measured_ones(alice: Any, berg: int) -> None:
    soup = table(alice, berg)
    assert line(soup, "Creatine kinase")[2].startswith("<20")
    assert "comp." in line(soup, "Non-HDL cholesterol")[2]
    assert "negative" in line(soup, "TB interferon")


def test_a_value_in_another_unit_keeps_its_unit(alice: Any, desk: Desk, berg: int, database: Database) -> None:
    moment = Moment(datetime(2026, 2, 9, 6, 0, tzinfo=UTC), date(2026, 2, 9), time_known=True)
    with database.transaction() as session:
        row = session.get_one(Patient, berg)
        entry.save(session, desk.actor(), row, [LabReading("B-1", moment, "HB", "132", "g/L")])
    assert line(table(alice, berg), "Haemoglobin")[2] == "132 ↓ below range g/L"
    assert [row["value"] for row in chart(alice, berg)["Haemoglobin, g/dL"]["data"]["values"]][-1] == 13.2


def test_a_range_in_another_unit_than_the_row_says_its_unit(
    alice: Any, desk: Desk, berg: int, database: Database
) -> None:
    moment = Moment(datetime(2026, 2, 9, 6, 0, tzinfo=UTC), date(2026, 2, 9), time_known=True)
    with database.transaction() as session:
        row = session.get_one(Patient, berg)
        entry.save(session, desk.actor(), row, [LabReading("B-1", moment, "CREAT", "88", "umol/L")])
    creatinine = line(table(alice, berg), "Creatinine")
    assert creatinine[0] == "Creatinine mg/dL"
    assert creatinine[1].endswith("umol/L"), "44 to 97 beside mg/dL would be a hundred times too high"


def test_a_bound_that_leaves_it_open_is_not_shown_as_one_inside(alice: Any, desk: Desk, berg: int) -> None:
    desk.results(berg, 1, ANC="<5")
    assert "could not be evaluated" in line(table(alice, berg), "Neutrophils")[2]
    assert "could not be evaluated" in chart(alice, berg)["Neutrophils, ×10⁹/L"]["data"]["values"][-1]["words"]
    latest = BeautifulSoup(alice.get(f"/patients/{berg}").text, "html.parser").select_one(".rec-latest")
    assert latest is not None
    assert "<5 ? could not be evaluated" in " ".join(latest.get_text(" ").split())


def test_older_days_are_a_page_further(alice: Any, desk: Desk) -> None:
    key = desk.patient("M-1", "Many", started=100, screened=False)
    for days in range(1, 31):
        desk.results(key, days, HB="13.8")
    first = table(alice, key)
    older = first.find("a", string="Older")["href"]
    second = table(alice, key, "?" + older.partition("?")[2].partition("#")[0])
    days = [cell["datetime"] for page in (first, second) for cell in page.select(".desk-grid thead time")]
    assert len(days) == len(set(days)) == 30
    assert second.find("a", string="Newest")


@pytest.mark.parametrize("before", ["", "x", "2026-02-31", "1000-01-01"])
def test_an_odd_day_in_the_address_does_no_harm(alice: Any, berg: int, before: str) -> None:
    assert "Results" in table(alice, berg, f"?before={before}").get_text()


def test_the_number_of_statements_does_not_grow_with_the_results(alice: Any, desk: Desk, database: Database) -> None:
    few, many = desk.patient("F-1", "Few"), desk.patient("M-1", "Many")
    desk.healthy(few, 1)
    for days in (50, 40, 30, 20, 10, 1):
        desk.healthy(many, days, ANC="0.4")

    def asked(patient_id: int) -> int:
        with statements(database) as found:
            chart(alice, patient_id)
        return len(found)

    chart(alice, few)
    assert asked(many) == asked(few)
