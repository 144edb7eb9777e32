"""Other drugs and observations: entered beside the record, judged at once, taken out with a reason, never deleted."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, told, typed, words
from tracker.db import Database
from tracker.models import Medication, Observation

SignIn = Callable[[str], Browser]
KETOCONAZOLE = {
    "drug-name": "ketoconazole",
    "drug-interaction": ["strong_cyp3a4_inhibitor"],
    "drug-started_on": "2026-02-10",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


def add_drug(browser: Browser, patient_id: int) -> int:
    assert browser.post(f"/patients/{patient_id}/medications/new", KETOCONAZOLE).status_code == 303
    return 3  # the cast has one at each clinic


def test_a_drug_that_interacts_is_told_at_once(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    answer = bob.post(f"/patients/{cast.a.patient}/medications/new", KETOCONAZOLE)
    page = bob.get(answer.headers["Location"])
    assert any("New flag" in line and "strong CYP3A4 inhibitor" in line for line in told(page))
    assert "ketoconazole strong CYP3A4 inhibitor since 10 Feb 2026" in words(page)
    assert [flag.subject for flag in open_flags(database, cast.a.patient, "dosing")] == ["strong_cyp3a4_inhibitor"]


def test_once_it_is_stopped_the_flag_clears(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    key = add_drug(bob, cast.a.patient)
    answer = bob.post(f"/medications/{key}/stop", {"stop-stopped_on": "2026-02-18"})
    assert any(line.startswith("Cleared flag") for line in told(bob.get(answer.headers["Location"])))
    assert open_flags(database, cast.a.patient, "dosing") == []
    assert row(database, Medication, key).stopped_on == date(2026, 2, 18)


def test_it_is_not_stopped_before_it_was_started(sign_in: SignIn, cast: Cast) -> None:
    bob = sign_in("bob")
    answer = bob.post(f"/medications/{add_drug(bob, cast.a.patient)}/stop", {"stop-stopped_on": "2026-02-09"})
    assert answer.status_code == 422
    assert "started on 2026-02-10" in problems(answer)


def test_of_two_who_enter_the_end_the_second_is_told(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice, bob = sign_in("alice"), sign_in("bob")
    key = add_drug(bob, cast.a.patient)
    assert alice.post(f"/medications/{key}/stop", {"stop-stopped_on": "2026-02-18"}).status_code == 303
    assert bob.post(f"/medications/{key}/stop", {"stop-stopped_on": "2026-02-19"}).status_code == 409
    assert row(database, Medication, key).stopped_on == date(2026, 2, 18)


def test_a_drug_taken_out_stays_on_record_with_its_reason(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    key = add_drug(bob, cast.a.patient)
    assert bob.post(f"/medications/{key}/void", {"reason": ""}).status_code == 422
    before = count(database, Medication)
    answer = bob.post(f"/medications/{key}/void", {"reason": "another patient's drug"})
    assert (
        "ketoconazole"
        not in words(bob.get(answer.headers["Location"])).partition("What changed last")[0].partition("Other drugs")[2]
    )
    assert count(database, Medication) == before
    assert row(database, Medication, key).voided_reason == "another patient's drug"
    assert "another patient's drug" in words(bob.get(f"/medications/{key}"))
    assert open_flags(database, cast.a.patient, "dosing") == []


def test_the_same_drug_sent_twice_is_stored_once(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add_drug(bob, cast.a.patient)
    before = count(database, Medication)
    again = bob.post(f"/patients/{cast.a.patient}/medications/new", KETOCONAZOLE)
    assert again.status_code == 422
    assert "on record already" in problems(again)
    assert count(database, Medication) == before


def test_a_drug_without_a_name_is_asked_for(sign_in: SignIn, database: Database, cast: Cast) -> None:
    before = count(database, Medication)
    answer = sign_in("bob").post(f"/patients/{cast.a.patient}/medications/new", KETOCONAZOLE | {"drug-name": " "})
    assert answer.status_code == 422
    assert "Which drug?" in problems(answer)
    assert typed(answer, "drug-started_on") == "2026-02-10"
    assert count(database, Medication) == before


# ---------------------------------------------------------------------------------------------- observations


def observe(browser: Browser, patient_id: int, kind: str, value: str, on: str = "2026-02-20"):  # type: ignore[no-untyped-def]
    given = {"seen-kind": kind, "seen-value": value, "seen-on": on}
    return browser.post(f"/patients/{patient_id}/observations/new", given)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("weight_kg", "71,5", "Weight 71,5 kg"),
        ("salt", "37.4", "SALT score 37.4 of 100"),
        ("temperature_c", "38.4", "Temperature 38.4 °C"),
        ("temperature_c", "38,1 for 1h", "Temperature 38.1 °C for 1 h"),
        ("child_pugh", "b", "Child-Pugh class B"),
        ("cyp2c9", "Poor", "CYP2C9 metaboliser poor"),
        ("zoster_vaccine", "recombinant, two doses", "Zoster vaccine recombinant, two doses"),
        ("pregnancy_status", "Not pregnant", "Pregnancy not pregnant"),
    ],
)
def test_what_is_observed_stands_in_the_record(sign_in: SignIn, cast: Cast, kind: str, value: str, shown: str) -> None:
    bob = sign_in("bob")
    answer = observe(bob, cast.a.patient, kind, value)
    assert answer.status_code == 303
    assert shown in words(bob.get(answer.headers["Location"]))


@pytest.mark.parametrize(
    ("kind", "value", "on", "said"),
    [
        ("weight_kg", "720", "2026-02-20", "a number from 2 to 400"),
        ("weight_kg", "<70", "2026-02-20", "a number from 2 to 400"),
        ("salt", "101", "2026-02-20", "a number from 0 to 100"),
        ("temperature_c", "384", "2026-02-20", "a number from 30 to 45"),
        ("temperature_c", "384 for 1 h", "2026-02-20", "a number from 30 to 45"),
        ("temperature_c", "38.1 for a while", "2026-02-20", "write 38.4, or 38.1 for 1 h"),
        ("child_pugh", "D", "2026-02-20", "Write A, B or C."),
        ("pregnancy_status", "maybe", "2026-02-20", "Write not pregnant or pregnant."),
        ("weight_kg", "70", "2026-02-21", "in the future"),
        ("", "70", "2026-02-20", "What was observed?"),
    ],
)
def test_what_cannot_be_is_refused(
    sign_in: SignIn, database: Database, cast: Cast, kind: str, value: str, on: str, said: str
) -> None:
    before = count(database, Observation)
    answer = observe(sign_in("bob"), cast.a.patient, kind, value, on)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "seen-value") == value
    assert count(database, Observation) == before


def test_a_liver_that_fails_is_told_by_the_label(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    answer = observe(bob, cast.a.patient, "child_pugh", "C")
    assert any("Child-Pugh C" in line for line in told(bob.get(answer.headers["Location"])))
    observation = count(database, Observation)
    bob.post(f"/observations/{observation}/void", {"reason": "another patient's class"})
    assert open_flags(database, cast.a.patient, "dosing") == []
    assert count(database, Observation) == observation
    assert row(database, Observation, observation).voided_at is not None


def test_the_same_observation_sent_twice_is_stored_once(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    assert observe(bob, cast.a.patient, "salt", "37.4").status_code == 303
    before = count(database, Observation)
    assert "on record already" in problems(observe(bob, cast.a.patient, "salt", "37.4"))
    assert count(database, Observation) == before
    assert observe(bob, cast.a.patient, "salt", "37.4", "2026-02-19").status_code == 303


def test_what_was_taken_out_is_not_taken_out_twice(sign_in: SignIn, cast: Cast) -> None:
    bob = sign_in("bob")
    reason = {"reason": "never measured"}
    assert bob.post(f"/observations/{cast.a.observation}/void", reason).status_code == 303
    assert bob.post(f"/observations/{cast.a.observation}/void", reason).status_code == 409
