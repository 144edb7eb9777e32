"""Stored flags in the words of the desk: what is suggested at each turn of a flag, and by whom."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask

from tracker.models import Flag
from tracker.queries.dashboard import Dosing
from tracker.web import wording

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LABEL = "tofacitinib_us 2026-11 a5b4fb7cc780"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False), Flask("words").test_request_context():
        yield


def flag(**columns: Any) -> Flag:
    """A flag on a neutrophil count that waits for its repeat."""
    usual = {
        "rule": "action_limit", "subject": "ANC", "machine": "open", "superseded": False,
        "confirmation": "needs_repeat",
        "suggested": "stop", "due_on": date(2026, 3, 8), "source": "US PI", "verified": True, "yardstick": LABEL,
        "cleared_on": None, "sentence": "Neutrophils 0.46 10*9/L, below the action limit 0.5 10*9/L",
        "evidence": [fact("0.46")],
    }  # fmt: skip
    return Flag(**usual | columns)


def fact(value: str, **columns: Any) -> dict[str, Any]:
    usual = {
        "analyte": "ANC", "value": value, "unit": "10*9/L", "collected_on": "2026-03-01", "result_id": 1,
        "low": ">= 2.0",
        "high": "<= 8.25", "range_from": "clinic", "range_id": 2, "note": "",
    }  # fmt: skip
    return usual | columns


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "Repeat by 8 Mar; label: discontinue if confirmed"),
        ({"due_on": date(2027, 1, 5)}, "Repeat by 5 Jan 2027; label: discontinue if confirmed"),
        ({"due_on": None}, "Repeat the test; label: discontinue if confirmed"),
        ({"suggested": "hold"}, "Repeat by 8 Mar; label: interrupt if confirmed"),
        ({"confirmation": "repeat_overdue"}, "Repeat was due by 8 Mar; label: discontinue if confirmed"),
        ({"confirmation": "confirmed"}, "Label: discontinue (confirmed by repeat)"),
        ({"confirmation": "not_confirmed"}, "Label: discontinue (not confirmed by the repeat)"),
        ({"confirmation": None}, "Label: discontinue"),
        ({"confirmation": None, "yardstick": "CTCAE 5.0 1af1033def4b"}, "Guidance: discontinue"),
        ({"confirmation": None, "yardstick": ""}, "Guidance: discontinue"),
        ({"confirmation": None, "suggested": "repeat"}, "Repeat the test"),
        ({"suggested": None}, ""),
        (
            {"machine": "cleared", "cleared_on": date(2026, 3, 1)},
            "No longer at the limit since 1 Mar: closure proposed",
        ),
        (
            {"machine": "cleared", "cleared_on": date(2026, 3, 1), "rule": "out_of_range"},
            "Normal again since 1 Mar: closure proposed",
        ),
        (
            {"machine": "cleared", "cleared_on": date(2026, 3, 1), "superseded": True},
            "No longer found since 1 Mar: closure proposed",
        ),
        # Closed, or left the queue by itself: nobody has anything to decide.
        ({"machine": "cleared", "cleared_on": date(2026, 3, 1), "attention": 9}, "No longer at the limit since 1 Mar"),
    ],
)
def test_what_is_suggested_is_said_as_the_label_says_it_and_never_as_an_order(
    columns: dict[str, Any], words: str
) -> None:
    assert wording.suggestion(flag(**columns)).words == words


def test_a_value_leaves_the_limit_and_is_not_called_normal_for_that() -> None:
    """Neutrophils of 0.6 are above 0.5 and far from normal."""
    assert "Normal" not in wording.ended(flag(machine="cleared", cleared_on=date(2026, 3, 1)))


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("below the action limit 0.5 10*9/L", "below the action limit 0.5 ×10⁹/L"),
        (">= 500 and <= 1000 /uL", "≥ 500 and ≤ 1000 /uL"),
        ("last done on 2026-03-01", "last done on 1 Mar 2026"),
        ("number 2026-13-01 stays", "number 2026-13-01 stays"),
        ("5.35 x ULN", "5.35 × ULN"),
        ("5 10*12/L", "5 ×10¹²/L"),
    ],
)
def test_sentences_are_written_as_pages_write_numbers_units_and_days(sentence: str, words: str) -> None:
    assert wording.said(sentence) == words


def test_the_reason_does_not_say_the_headline_once_more() -> None:
    assert wording.why(flag()) == "below the action limit 0.5 ×10⁹/L"
    assert wording.why(flag(sentence="Something else about it")) == "Something else about it"


@pytest.mark.parametrize(
    ("value", "place"),
    [("0.46", "low"), ("2.0", ""), ("8.25", ""), ("8.26", "high"), ("<2.0", "low"), ("<3.0", ""), ("positive", "")],
)
def test_a_headline_marks_what_lies_outside_its_range_for_certain(value: str, place: str) -> None:
    assert wording.headline(flag(evidence=[fact(value)])) == ("Neutrophils", value, "10*9/L", place)


def test_exclusive_bounds_are_read_as_such() -> None:
    assert wording.placed(fact("2.0", low="> 2.0")) == "low"
    assert wording.placed(fact("2.0", low="", high="")) == ""


def test_a_missing_check_shows_no_value_as_if_it_had_been_found() -> None:
    assert wording.headline(flag(rule="overdue")) == ("Neutrophils overdue", "", "", "")
    assert wording.headline(flag(rule="overdue", subject="LIPIDS")).name == "Lipids overdue"
    assert wording.headline(flag(rule="not_evaluated")).name == "Neutrophils not judged"
    assert wording.headline(flag(rule="not_evaluated", subject="UNMAPPED")).name == "Tests that are not mapped"


def test_subjects_that_are_no_tests_have_names_too() -> None:
    assert wording.subject_name("HYS_LAW") == "Possible Hy’s law"
    assert wording.subject_name("TB_LATENT") == "TB test"
    assert wording.subject_name("herpes zoster") == "Herpes zoster"


@pytest.mark.parametrize(
    ("dosing", "words"),
    [
        (None, ("", "", None, "no course")),
        ({}, ("tofacitinib", "5 mg twice daily", date(2026, 1, 1), "")),
        ({"on_hold": True}, ("tofacitinib", "5 mg twice daily", date(2026, 1, 1), "on hold")),
        ({"mg": "", "times_per_day": None}, ("tofacitinib", "", date(2026, 1, 1), "")),
        ({"mg": "2.5", "times_per_day": 3}, ("tofacitinib", "2.5 mg 3 times daily", date(2026, 1, 1), "")),
        ({"stopped_on": date(2026, 3, 1)}, ("tofacitinib", "5 mg twice daily", None, "stopped 1 Mar 2026")),
    ],
)
def test_the_drug_is_named_as_it_stands(dosing: dict[str, Any] | None, words: tuple[Any, ...]) -> None:
    """Held and stopped are said: “month 7” after the last dose would mislead."""
    usual = {
        "drug": "tofacitinib", "protocol_id": "tofacitinib_us", "started_on": date(2026, 1, 1), "stopped_on": None,
        "mg": "5", "times_per_day": 2, "on_hold": False,
    }  # fmt: skip
    assert wording.taken(None if dosing is None else Dosing(**usual | dosing)) == words


@pytest.mark.parametrize(("subject", "said"), [
    ("HOLD", "Hold"), ("strong_cyp3a4_inhibitor", "Strong CYP3A4 inhibitor"), ("ANC", "Neutrophils"),
    ("a laboratory's_own", "A laboratory's_own"),
])  # fmt: skip
def test_a_subject_is_said_in_words(subject: str, said: str) -> None:
    assert wording.subject_name(subject) == said
