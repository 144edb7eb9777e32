"""One result: what judges it, where it came from, and what happens when it is corrected or voided."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from sqlalchemy import select

from tests.people import Cast
from tests.web.conftest import Browser
from tracker.db import Database
from tracker.models import AuditEntry, Flag, LabResult

SignIn = Callable[[str], Browser]


@pytest.fixture(autouse=True)
def a_monday_in_february() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 16, 11, 30, tzinfo=UTC)):
        yield


@pytest.fixture
def bob(sign_in: SignIn) -> Browser:
    return sign_in("bob")


def words(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html5lib").get_text(" ").split())


def corrected(**more: str) -> dict[str, Any]:
    """The correction of the seeded neutrophil count to 4.6, as the form sends it."""
    return {
        "value": "4.6", "unit": "10*9/L", "day": "2026-02-09", "time": "", "laboratory": "", "accession": "",
        "low": "", "high": "", "reason": "the point was in the wrong place",
    } | more  # fmt: skip


def open_limits(database: Database, patient: int) -> list[str]:
    with database.reading() as session:
        statement = select(Flag.sentence).where(
            Flag.patient_id == patient, Flag.rule == "action_limit", Flag.machine == "open"
        )
        return list(session.scalars(statement))


def test_the_page_says_what_judges_a_result_and_where_it_came_from(bob: Browser, cast: Cast) -> None:
    page = words(bob.get(f"/results/{cast.a.result}").text)
    assert "Almondine, Ida Record AL-0001" in page
    assert "0.46 ×10⁹/L ↓ low" in page
    assert "≥ 2.0 and ≤ 8.25 ×10⁹/L of the clinic (judges)" in page
    assert "typed by Alice Archer" in page
    assert "Neutrophils 0.46 ×10⁹/L, below the action limit 0.5 ×10⁹/L" in page


def test_both_ranges_are_shown_and_the_printed_one_judges(bob: Browser, cast: Cast) -> None:
    answer = bob.post(f"/results/{cast.a.result}/correct", corrected(value="0.46", low="0.4", high="8"))
    page = words(bob.get(answer.location).text)
    assert "≥ 0.4 and ≤ 8 ×10⁹/L printed with the result (judges)" in page
    assert "≥ 2.0 and ≤ 8.25 ×10⁹/L of the clinic In force" in page
    assert "✓ inside" in page


def test_a_correction_is_a_new_version_and_the_page_says_which_flags_it_ended(
    bob: Browser, cast: Cast, database: Database
) -> None:
    assert open_limits(database, cast.a.patient)
    answer = bob.post(f"/results/{cast.a.result}/correct", corrected())
    assert answer.status_code == 303
    page = BeautifulSoup(bob.get(answer.location).text, "html5lib")
    said = words(str(page))
    assert "The result is corrected." in said
    assert "Cleared flag: Neutrophils 0.46" in said
    assert "4.6 ×10⁹/L ✓ inside" in said
    assert "the point was in the wrong place" in said
    assert [words(str(line)) for line in page.find_all("del")] == ["0.46 ×10⁹/L"]
    assert open_limits(database, cast.a.patient) == []
    with database.reading() as session:
        old = session.get_one(LabResult, cast.a.result)
        new = session.scalars(select(LabResult).where(LabResult.replaces_id == old.id)).one()
        assert (str(old.figure), old.retired_reason) == ("0.46", "the point was in the wrong place")
        assert (str(new.figure), new.status, new.recorded_by) == ("4.6", "corrected", cast.accounts["bob"])
        by_bob = (AuditEntry.record == "lab_result", AuditEntry.account_id == cast.accounts["bob"])
        assert set(session.scalars(select(AuditEntry.action).where(*by_bob))) == {"retire", "create"}


def test_the_record_tells_a_correction_with_its_value_and_its_reason(bob: Browser, cast: Cast) -> None:
    bob.post(f"/results/{cast.a.result}/correct", corrected())
    after = words(bob.get(f"/patients/{cast.a.patient}").text).partition("What changed last")[2]
    assert "Added lab result: Neutrophils 4.6 ×10⁹/L, " in after
    assert f"Took back or replaced lab result {cast.a.result}: the point was in the wrong place" in after


def test_the_old_version_says_it_is_no_longer_in_force_and_offers_no_form(bob: Browser, cast: Cast) -> None:
    newer = bob.post(f"/results/{cast.a.result}/correct", corrected()).location
    page = bob.get(f"/results/{cast.a.result}").text
    assert "Corrected on 16 Feb 2026, 12:30" in words(page)
    assert newer in page
    assert "Store the correction" not in page


def test_a_voided_result_stays_struck_and_judges_nothing(bob: Browser, cast: Cast, database: Database) -> None:
    answer = bob.post(f"/results/{cast.a.result}/void", {"void-reason": "of another patient"})
    assert answer.status_code == 303
    page = words(bob.get(answer.location).text)
    assert "The result is voided." in page
    assert "Cleared flag" in page
    assert "Voided on 16 Feb 2026, 12:30 of another patient." in page
    assert open_limits(database, cast.a.patient) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": ""}, "Say why."),
        ({"reason": "oops"}, "five letters or more"),
        ({"value": ""}, "What is the value?"),
        ({"value": "4,600,000"}, "could be read as two different numbers"),
        ({"value": "-1"}, "negative"),
        ({"unit": "mg/dL"}, "is not a unit it is recorded in"),
        ({"day": "2026-03-01"}, "in the future"),
        ({"day": "1980-03-01"}, "before the patient's birth"),
        ({"time": "noon"}, "Write the time as 08:40"),
        ({"low": "<2"}, "is not a number"),
        ({"value": "0.46"}, "Nothing differs from what is on file."),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_stays(
    bob: Browser, cast: Cast, database: Database, change: dict[str, str], said: str
) -> None:
    answer = bob.post(f"/results/{cast.a.result}/correct", corrected(**change))
    assert answer.status_code == 422
    assert said in words(answer.text)
    page = BeautifulSoup(answer.text, "html5lib")
    assert page.find("input", {"name": "value"})["value"] == change.get("value", "4.6")
    assert open_limits(database, cast.a.patient)


def test_whether_the_patient_was_fasting_is_corrected_alone_and_once(
    bob: Browser, cast: Cast, database: Database
) -> None:
    said = corrected(value="0.46", fasting="yes", reason="asked the patient")
    stored = bob.post(f"/results/{cast.a.result}/correct", said)
    assert stored.status_code == 303
    assert "Fasting yes" in words(bob.get(stored.location).text)
    again = bob.post(f"{stored.location}/correct", said)
    assert again.status_code == 422
    assert "Nothing differs" in words(again.text)
    with database.reading() as session:
        newest = session.scalars(select(LabResult).where(LabResult.replaces_id == cast.a.result)).one()
    assert (f"{newest.figure}", newest.fasting) == ("0.46", True)


def test_a_correction_that_does_not_speak_of_it_leaves_it_as_it_was(
    bob: Browser, cast: Cast, database: Database
) -> None:
    first = bob.post(f"/results/{cast.a.result}/correct", corrected(fasting="no"))
    second = bob.post(f"{first.location}/correct", corrected(value="4.7"))
    with database.reading() as session:
        assert session.get_one(LabResult, int(second.location.rpartition("/")[2])).fasting is False


def test_an_odd_correction_is_asked_about(bob: Browser, cast: Cast) -> None:
    asked = bob.post(f"/results/{cast.a.result}/correct", corrected(value="90"))
    assert asked.status_code == 422
    assert "unusually high" in words(asked.text)
    assert 'name="confirmed"' in asked.text
    assert bob.post(f"/results/{cast.a.result}/correct", corrected(value="90", confirmed="y")).status_code == 303


def test_two_results_never_end_up_in_one_place(bob: Browser, cast: Cast) -> None:
    rows = {
        "day": "2026-02-11",
        "analyte": "ANC",
        "value": "2.1",
        "unit": "10*9/L",
        "low": "",
        "high": "",
        "do": "save",
    }
    assert bob.post(f"/patients/{cast.a.patient}/labs/new", rows).status_code == 303
    answer = bob.post(f"/results/{cast.a.result}/correct", corrected(day="2026-02-11"))
    assert answer.status_code == 422
    assert "ANC 2.1 10*9/L is on file for that sample already" in words(answer.text)


def test_who_corrects_second_sees_what_the_first_did_and_loses_nothing(
    bob: Browser, sign_in: SignIn, cast: Cast, database: Database
) -> None:
    assert bob.post(f"/results/{cast.a.result}/correct", corrected()).status_code == 303
    alice = sign_in("alice")
    answer = alice.post(f"/results/{cast.a.result}/correct", corrected(value="0.64", reason="digits turned round"))
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    for part in ("In force is 4.6 ×10⁹/L since 16 Feb 2026, 12:30", "by Bob Birch: the point was in the wrong place."):
        assert part in words(str(page))
    assert page.find("input", {"name": "value"})["value"] == "0.64"
    assert page.find("textarea", {"name": "reason"}).text.strip() == "digits turned round"
    form = next(form for form in page.find_all("form") if form.find("input", {"name": "value"}))
    assert alice.post(form["action"], corrected(value="0.64", reason="digits turned round")).status_code == 303
    assert bob.post(f"/results/{cast.a.result}/void", {"void-reason": "not hers"}).status_code == 409


def test_others_read_and_do_not_correct_and_strangers_see_nothing(sign_in: SignIn, cast: Cast) -> None:
    dan = sign_in("dan")
    page = dan.get(f"/results/{cast.a.result}")
    assert page.status_code == 200
    assert "Store the correction" not in page.text
    assert dan.post(f"/results/{cast.a.result}/correct", corrected()).status_code == 403
    mallory = sign_in("mallory")
    assert mallory.get(f"/results/{cast.a.result}").status_code == 404
    assert mallory.post(f"/results/{cast.a.result}/correct", corrected()).status_code == 404
    assert mallory.post(f"/results/{cast.a.result}/correct", corrected(reason="")).status_code == 404
    assert mallory.post(f"/results/{cast.a.result}/void", {"void-reason": "not hers"}).status_code == 404
