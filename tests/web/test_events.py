"""Infections, adverse events and symptoms: serious by its criteria, unknown never “no”, judged with each change."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.models import AdverseEvent

SignIn = Callable[[str], Browser]
ZOSTER = {"kind": "infection", "term": "Herpes zoster left T5", "onset_on": "2026-02-15", "still": "yes"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


def add(browser: Browser, cast: Cast, **changed: Any) -> Any:
    return browser.post(f"/patients/{cast.a.patient}/events/new", ZOSTER | changed)


def stored(database: Database) -> AdverseEvent:
    """The event that was entered last."""
    found: AdverseEvent = row(database, AdverseEvent, count(database, AdverseEvent))
    return found


def form_of(browser: Browser, event_id: int, **changed: Any) -> dict[str, Any]:
    """What the edit form sends when nothing is touched, and what is changed in it."""
    page = soup(browser.get(f"/events/{event_id}/edit"))
    form = page.select_one('form[action$="/edit"]')
    assert form is not None
    sent: dict[str, Any] = {}
    for field in form.select("input, select, textarea"):
        name, kind = str(field.get("name")), field.get("type")
        if kind in ("checkbox", "radio"):
            if field.has_attr("checked"):
                sent.setdefault(name, []).append(field["value"])
        elif field.name == "select":
            chosen = field.select_one("option[selected]")
            sent[name] = chosen["value"] if chosen else ""
        else:
            sent[name] = field.get("value", "") if field.name == "input" else field.get_text()
    sent.pop("csrf_token")
    return sent | {"reason": "news at the visit"} | changed


def test_zoster_is_flagged_as_soon_as_it_is_entered(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    page = bob.get(add(bob, cast).headers["Location"])
    assert any("New flag: Herpes zoster left T5 since 15 Feb 2026" in line for line in told(page))
    assert "Herpes zoster left T5 infection 15 Feb 2026 not recovered not graded not known" in words(page)
    assert any("Herpes zoster left T5" in flag.subject for flag in open_flags(database, cast.a.patient, "infection"))


def test_what_was_left_open_is_unknown_and_not_no(sign_in: SignIn, database: Database, cast: Cast) -> None:
    add(sign_in("bob"), cast, still="unknown")
    event = stored(database)
    assert (event.serious, event.hospitalised, event.opportunistic, event.treated) == (None, None, None, None)
    assert (event.grade, event.outcome, event.resolved_on) == (None, "", None)


@pytest.mark.parametrize(
    ("criteria", "serious"),
    [
        ([], None),
        (["none"], False),
        (["hospitalisation"], True),
        (["death", "life-threatening"], True),
        (["medically important"], True),
    ],
)
def test_serious_follows_from_its_criteria(
    sign_in: SignIn, database: Database, cast: Cast, criteria: list[str], serious: bool | None
) -> None:
    add(sign_in("bob"), cast, criteria=criteria)
    assert (stored(database).serious, stored(database).criteria) == (serious, "; ".join(criteria))


def test_a_serious_infection_asks_for_the_drug_to_be_held(sign_in: SignIn, database: Database, cast: Cast) -> None:
    add(sign_in("bob"), cast, term="Pneumonia", criteria=["hospitalisation"])
    found = [f for f in open_flags(database, cast.a.patient, "infection") if f.subject == "Pneumonia"]
    assert ("serious_infection", "urgent", "hold") in [(f.entry, f.severity, f.suggested) for f in found]


def test_the_details_are_kept(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add(
        bob, cast, grade="3", site="left T5", organism="VZV, PCR", opportunistic="no", hospitalised="no", treated="yes",
        treatment="valaciclovir", controlled_on="2026-02-19", comment="seen by Dr Lee",
    )  # fmt: skip
    event = stored(database)
    assert (event.grade, event.site, event.organism, event.treatment) == (3, "left T5", "VZV, PCR", "valaciclovir")
    assert (event.opportunistic, event.hospitalised, event.treated) == (False, False, True)
    assert event.controlled_on == date(2026, 2, 19)
    page = words(bob.get(f"/events/{event.id}"))
    assert "How bad grade 3 severe" in page
    assert "Treated yes: valaciclovir" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"term": ""}, "Say what happened"),
        ({"onset_on": "2026-02-21"}, "in the future"),
        ({"onset_on": "1988-05-16"}, "before the patient's birth"),
        ({"still": "no", "resolved_on": "2026-02-14"}, "before its onset"),
        ({"controlled_on": "2026-02-14"}, "before its onset"),
        ({"resolved_on": "2026-02-19"}, "said to be still there"),
        ({"outcome": "recovered"}, "said to be still there"),
        ({"criteria": ["none", "death"]}, "contradicts"),
        ({"criteria": ["a scratch"]}, "not a valid choice"),
        ({"grade": "6"}, "Not a valid choice"),
    ],
)
def test_what_contradicts_itself_is_said_and_nothing_is_lost(
    sign_in: SignIn, database: Database, cast: Cast, changed: dict[str, Any], said: str
) -> None:
    before = count(database, AdverseEvent)
    answer = add(sign_in("bob"), cast, **{"site": "left T5"} | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "site") == "left T5"
    assert soup(answer).select_one("details.rec-fold-flat[open]") is not None
    assert count(database, AdverseEvent) == before


def test_the_same_sent_twice_is_stored_once(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add(bob, cast)
    before = count(database, AdverseEvent)
    again = add(sign_in("alice"), cast, term="herpes ZOSTER left T5", grade="2")
    assert again.status_code == 422
    assert "on record already" in problems(again)
    assert count(database, AdverseEvent) == before
    assert add(bob, cast, onset_on="2026-02-18").status_code == 303


def test_when_it_is_over_the_flag_clears_and_the_page_says_so(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add(bob, cast)
    event = stored(database)
    sent = form_of(bob, event.id, still="no", resolved_on="2026-02-19", outcome="recovered")
    answer = bob.post(f"/events/{event.id}/edit", sent)
    assert answer.status_code == 303, problems(answer)
    page = bob.get(answer.headers["Location"])
    assert any("Cleared flag: Herpes zoster" in line for line in told(page))
    assert "resolved on empty → became 2026-02-19" in words(page)
    assert "news at the visit" in words(page)


def test_the_form_sends_back_what_is_stored(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add(bob, cast, criteria=["hospitalisation"], hospitalised="yes", grade="4", still="unknown")
    event = stored(database)
    answer = bob.post(f"/events/{event.id}/edit", form_of(bob, event.id))
    assert told(bob.get(answer.headers["Location"])) == ["Nothing was different, so nothing was stored."]


def test_what_a_file_said_in_its_own_words_is_not_lost(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        event = session.get_one(AdverseEvent, cast.a.event)
        event.serious, event.criteria, event.outcome = True, "IMPORTANT MEDICAL EVENT", "RECOVERED/RESOLVED"
    bob = sign_in("bob")
    answer = bob.post(f"/events/{cast.a.event}/edit", form_of(bob, cast.a.event, site="nose"))
    assert answer.status_code == 303, problems(answer)
    event = row(database, AdverseEvent, cast.a.event)
    assert (event.serious, event.criteria, event.outcome) == (True, "IMPORTANT MEDICAL EVENT", "RECOVERED/RESOLVED")
    assert event.site == "nose"


def test_serious_without_criteria_stays_serious(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        session.get_one(AdverseEvent, cast.a.event).serious = True
    bob = sign_in("bob")
    bob.post(f"/events/{cast.a.event}/edit", form_of(bob, cast.a.event, site="nose"))
    assert row(database, AdverseEvent, cast.a.event).serious is True


def test_who_saves_second_sees_what_the_first_changed(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice, bob = sign_in("alice"), sign_in("bob")
    first, second = (form_of(browser, cast.a.event) for browser in (alice, bob))
    assert alice.post(f"/events/{cast.a.event}/edit", first | {"grade": "2"}).status_code == 303
    late = bob.post(f"/events/{cast.a.event}/edit", second | {"site": "nose"})
    assert late.status_code == 409
    assert "Alice Archer" in problems(late)
    assert "grade empty → became 2" in problems(late)
    assert typed(late, "site") == "nose"
    assert row(database, AdverseEvent, cast.a.event).site == ""


def test_an_event_taken_out_clears_its_flag_and_stays_readable(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    add(bob, cast)
    event = stored(database)
    before = count(database, AdverseEvent)
    assert bob.post(f"/events/{event.id}/void", {"reason": "no"}).status_code == 422
    answer = bob.post(f"/events/{event.id}/void", {"reason": "another patient's rash"})
    assert any("Cleared flag: Herpes zoster" in line for line in told(bob.get(answer.headers["Location"])))
    assert count(database, AdverseEvent) == before
    assert "Taken out of the record" in words(bob.get(f"/events/{event.id}"))
    assert "another patient's rash" in words(bob.get(f"/events/{event.id}"))


@pytest.mark.parametrize("kind", ["infection", "other", "symptom"])
def test_the_form_opens_on_what_was_chosen(sign_in: SignIn, cast: Cast, kind: str) -> None:
    answer = sign_in("bob").get(f"/patients/{cast.a.patient}/events/new?kind={kind}")
    assert typed(answer, "kind") == kind
