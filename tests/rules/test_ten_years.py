"""Ten years of ordinary blood tests: what a person would keep in the queue, and what stays folded away.

The values drift as a healthy woman's do: within her range nearly always, a little outside it now and then. Biological
and analytical variation are those of composite rule B6.
"""

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from tests.rules.stories import history
from tracker import rules
from tracker.domain.findings import INFO, SOON, URGENT, Finding
from tracker.domain.lifecycle import SETTLED_BY_THEMSELVES

STARTED, TODAY = date(2016, 3, 1), date(2026, 3, 1)
EVERY = timedelta(days=84)
# centre, coefficient of variation in per cent, decimal places; the range of the starter set stands in the comment
ORDINARY = {
    "WBC": (6.4, 11, 1),  # 4.0 to 11.0
    "ANC": (3.4, 14, 2),  # 2.0 to 8.25
    "ALC": (1.7, 10, 2),  # 1.2 to 4.95
    "HB": (13.6, 3, 1),  # 12 to 16
    "PLT": (250, 9, 0),  # 150 to 450
    "ALT": (24, 18, 0),  # 10 to 40
    "AST": (23, 12, 0),
    "ALP": (70, 7, 0),
    "TBIL": (0.6, 20, 1),  # 0.3 to 1.0
    "CREAT": (0.80, 5, 2),
    "CHOL": (186, 6, 0),  # below 200
    "LDL": (98, 8, 0),  # below 100 is optimal: about every second one is a little above
    "HDL": (58, 7, 0),
    "TG": (110, 20, 0),  # below 150
    "CK": (90, 23, 0),  # 30 to 135
}
SCREENED = {"HBSAG": "negative", "ANTIHBC": "negative", "ANTIHCV": "negative"}


def ten_years(seed: int) -> dict[str, Any]:
    dice = Random(seed)
    days = [STARTED - timedelta(days=7), STARTED + timedelta(days=35)]
    while days[-1] + EVERY <= TODAY:
        days.append(days[-1] + EVERY)
    results: list[dict[str, str]] = [
        {"analyte": code, "value": f"{centre * (1 + dice.gauss(0, 1) * spread / 100):.{places}f}", "on": str(day)}
        for day in days
        for code, (centre, spread, places) in ORDINARY.items()
    ]
    results += [{"analyte": code, "text": word, "on": str(days[0])} for code, word in SCREENED.items()]
    results += [
        {"analyte": "IGRA", "text": "negative", "on": str(days[0] + timedelta(days=350 * year))} for year in range(11)
    ]
    return {
        "person": {"sex": "female", "birth_date": "1985-05-05"},
        "courses": [
            {
                "protocol": "tofacitinib_us",
                "started_on": str(STARTED),
                "doses": [{"on": str(STARTED), "mg": "5", "times": "2"}],
            }
        ],
        "observations": [
            {"on": str(STARTED), "kind": "weight_kg", "value": "64"},
            {"on": str(TODAY), "kind": "weight_kg", "value": "66"},
            {"on": str(STARTED), "kind": "zoster_vaccine", "value": "complete"},
            {"on": str(STARTED), "kind": "pregnancy_status", "value": "not pregnant"},
            {"on": str(STARTED), "kind": "boxed_risk", "value": "none"},
        ],
        "results": results,
        "as_of": str(TODAY),
    }


@pytest.fixture(scope="module", params=range(5))
def found(request: pytest.FixtureRequest) -> tuple[Finding, ...]:
    return rules.run(history(ten_years(request.param)))


def queued(found: tuple[Finding, ...]) -> list[Finding]:
    """What would ask somebody to look, once everything was filed today."""
    return [each for each in found if each.is_open and each.folded_under is None and each.severity != INFO]


def test_nothing_ordinary_is_urgent_or_for_this_week(found: tuple[Finding, ...]) -> None:
    assert [each.sentence for each in queued(found) if each.severity in (URGENT, SOON)] == []


def test_the_queue_holds_at_most_two_lines_about_her(found: tuple[Finding, ...]) -> None:
    assert len(queued(found)) <= 2, [each.sentence for each in queued(found)]


def test_a_value_outside_the_range_alone_is_information(found: tuple[Finding, ...]) -> None:
    outside = [each for each in found if each.rule == "out_of_range"]
    assert outside, "in ten years something lies outside its range"
    assert {each.severity for each in outside} == {INFO}


def test_what_is_over_left_little_to_look_back_at(found: tuple[Finding, ...]) -> None:
    """Of what asked for attention in ten years: fewer than one episode a year."""
    asked = [each for each in found if each.severity != INFO and each.rule not in SETTLED_BY_THEMSELVES]
    assert len(asked) < 10, Counter(each.rule for each in asked)


def test_one_real_fall_among_them_is_seen_at_once() -> None:
    told = ten_years(0)
    told["results"] += [{"analyte": "ANC", "value": "0.46", "on": str(TODAY)}]
    found = rules.run(history(told))
    assert [each.rule for each in queued(found) if each.severity == URGENT] == ["action_limit"]
