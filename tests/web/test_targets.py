"""A patient's own targets on their page: set, changed by a version, ended; two people, and what may not be."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, soup, told, typed, words
from tracker.db import Database
from tracker.models import PatientTarget

SignIn = Callable[[str], Browser]
LDL = {"analyte": "LDL", "unit": "mg/dL", "low_op": ">=", "low": "", "high_op": "<", "high": "70",
       "severity": "soon", "effective_from": "2026-01-01", "reason": "stent in 2024"}  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


def page(cast: Cast) -> str:
    return f"/patients/{cast.a.patient}/targets"


def of_rule(database: Database, cast: Cast) -> list[str]:
    return [flag.sentence for flag in open_flags(database, cast.a.patient) if flag.rule == "target"]


def test_a_target_flags_what_is_on_file_and_names_itself(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    anc = LDL | {"analyte": "ANC", "unit": "10*9/L", "low": "0.5", "high": "", "reason": "after the last infection"}
    answer = alice.post(page(cast), anc)
    assert answer.status_code == 303, problems(answer)
    assert "New flag: Neutrophils 0.46 ×10⁹/L, below the patient's own target" in " ".join(
        told(alice.get(answer.headers["Location"]))
    )
    assert of_rule(database, cast) == ["Neutrophils 0.46 10*9/L, below the patient's own target >= 0.5 10*9/L"]


def test_ending_it_leaves_what_it_flagged(sign_in: SignIn, database: Database, cast: Cast) -> None:
    """An episode goes by the target of its first day; the next sample is judged by none."""
    alice = sign_in("alice")
    anc = LDL | {"analyte": "ANC", "unit": "10*9/L", "low": "0.5", "high": "", "reason": "after the last infection"}
    alice.post(page(cast), anc)
    answer = alice.post(f"{page(cast)}/end", {"end-analyte": "ANC", "end-reason": "no longer wanted"})
    assert answer.status_code == 303
    shown = words(alice.get(page(cast)))
    assert "no target any more" in shown
    assert len(of_rule(database, cast)) == 1


def test_of_two_who_change_it_the_second_is_told_and_keeps_what_was_typed(sign_in: SignIn, cast: Cast) -> None:
    alice = sign_in("alice")
    assert alice.post(page(cast), LDL).status_code == 303
    late = alice.post(page(cast), LDL | {"high": "55"})
    assert late.status_code == 409
    assert "Somebody else changed this target meanwhile." in words(late)
    assert "55" in words(late)
    assert alice.post(page(cast), LDL | {"high": "55", "follows-LDL": "1"}).status_code == 303


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"high": ""}, "A range needs at least one bound."),
        ({"low": "90"}, "The lower bound 90 is above the upper bound 70."),
        ({"unit": "furlong"}, "LDL cholesterol is not recorded in “furlong”"),
        ({"effective_from": "2026-02-21"}, "A target begins today or on a day before"),
        ({"reason": "so"}, "Say in a few words why."),
        ({"high": "much"}, "is not a number"),
    ],
)
def test_what_may_not_be_is_refused_and_stays_typed(
    sign_in: SignIn, cast: Cast, changed: dict[str, str], said: str
) -> None:
    answer = sign_in("alice").post(page(cast), LDL | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "high") == (LDL | changed)["high"]


def test_a_later_target_is_not_dated_before_the_one_it_follows(sign_in: SignIn, cast: Cast) -> None:
    alice = sign_in("alice")
    alice.post(page(cast), LDL | {"effective_from": "2026-02-01"})
    answer = alice.post(page(cast), LDL | {"follows-LDL": "1"})
    assert "The target before it begins on 2026-02-01" in problems(answer)


# ---------------------------------------------------------------------------------------------- while one writes

ASIDE = {"headers": {"HX-Request": "true"}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"high": "", "phrase": "< 70"}, "Understood < 70 mg/dL Now no target It would flag nothing that is on file"),
        ({"high": "", "phrase": "1.5 - 3", "unit": "mmol/L"}, "That is ≥ 58.005 and ≤ 116.01 mg/dL"),
        ({"analyte": "ANC", "unit": "", "high": "", "phrase": "at least 0.5 10*9/L"},
         "It would flag Neutrophils 0.46 ×10⁹/L, below the patient's own target"),
        ({"high": "", "phrase": "about 70"}, "Error: In words: “about”"),
        ({"low": "90"}, "Error: The lower bound 90 is above the upper bound 70."),
        ({"analyte": "PLT", "unit": "10*9/L", "high": "450000"}, "Error: Upper bound: PLT 450000"),
        ({"effective_from": "2026-02-21"}, "Error: A target begins today or on a day before"),
    ],
)  # fmt: skip
def test_what_is_understood_is_told_while_one_writes(
    sign_in: SignIn, database: Database, cast: Cast, changed: dict[str, str], said: str
) -> None:
    alice, before = sign_in("alice"), count(database, PatientTarget)
    answer = alice.post(f"{page(cast)}/check", LDL | {"reason": ""} | changed, **ASIDE)
    assert answer.status_code == 200
    assert said in words(soup(answer))
    assert count(database, PatientTarget) == before


def test_a_target_is_set_in_the_words_of_the_letter(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    told_in_words = LDL | {"analyte": "ANC", "unit": "", "high": "", "phrase": "0.5 < x <= 6 10*9/L"}
    answer = alice.post(page(cast), told_in_words)
    assert answer.status_code == 303, problems(answer)
    assert "> 0.5 and ≤ 6 ×10⁹/L" in words(alice.get(page(cast)))
    assert of_rule(database, cast) == ["Neutrophils 0.46 10*9/L, below the patient's own target > 0.5 and <= 6 10*9/L"]
