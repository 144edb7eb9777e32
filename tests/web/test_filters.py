"""How dates, numbers, units and trends are written."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask, g

from tracker.web import filters
from tracker.web.filters import spark

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(bare_app: Flask) -> Iterator[None]:
    with time_machine.travel(NOW, tick=False), bare_app.test_request_context():
        g.user = None
        yield


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (date(2026, 3, 1), "1 Mar 2026"),
        (date(988, 12, 31), "31 Dec 0988"),
        (None, "not known"),
    ],
)
def test_a_day_has_its_month_in_letters(value: date | None, words: str) -> None:
    assert filters.day(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (NOW, "now"),
        (NOW - timedelta(minutes=5), "5 min"),
        (NOW - timedelta(hours=2), "2 h"),
        (NOW - timedelta(days=6), "6 d"),
        (date(2026, 3, 20), "today"),
        (date(2026, 3, 14), "6 d"),
        (date(2026, 1, 2), "11 wk"),
        (date(2023, 1, 2), "3 y"),
        (date(2026, 3, 26), "in 6 d"),
        (None, "not known"),
    ],
)
def test_how_long_ago_has_one_unit(value: Any, words: str) -> None:
    assert filters.since(value) == words


@pytest.mark.parametrize(
    ("started", "words"),
    [
        (date(2026, 3, 20), "day 1"),
        (date(2026, 3, 9), "day 12"),
        (date(2026, 2, 20), "month 2"),
        (date(2025, 8, 25), "month 7"),
        (date(2026, 4, 1), "starts 1 Apr 2026"),
        (None, "start not known"),
    ],
)
def test_time_on_a_drug(started: date | None, words: str) -> None:
    assert filters.time_on_drug(started) == words


def test_an_age_is_in_completed_years() -> None:
    assert filters.age(date(1990, 3, 20)) == "36"
    assert filters.age(date(1990, 3, 21)) == "35"
    assert filters.age(None) == "age not known"


@pytest.mark.parametrize(
    ("value", "words"),
    [("10*9/L", "×10⁹/L"), ("10*12/L", "×10¹²/L"), ("10*3/uL", "×10³/uL"), ("mg/dL", "mg/dL"), ("%", "%"), ("", "")],
)
def test_powers_of_ten_are_raised(value: str, words: str) -> None:
    assert filters.unit(value) == words


def test_a_bound_keeps_its_operator() -> None:
    assert filters.bound(">= 0.5") == "≥ 0.5"
    assert filters.bound("<= 3 x ULN") == "≤ 3 x ULN"
    assert filters.bound("< 0.5") == "< 0.5"


def test_counts_agree_with_their_noun() -> None:
    assert filters.count(1, "patient") == "1 patient"
    assert filters.count(0, "patient") == "0 patients"
    assert filters.count(12, "entry", "entries") == "12 entries"
    assert filters.count(30213, "row") == "30\u202f213 rows"


def at(*values: str) -> list[tuple[date, Decimal]]:
    return [(date(2026, 1, 1) + timedelta(days=10 * n), Decimal(value)) for n, value in enumerate(values)]


def test_a_falling_trend_falls_and_ends_at_the_right() -> None:
    drawn = spark(at("4", "2", "0"), Decimal(2), None)
    assert drawn is not None
    assert drawn.path == "M3.0,3.0 56.0,14.0 109.0,25.0"
    assert (drawn.last_x, drawn.last_y) == ("109.0", "25.0")
    assert (drawn.band_top, drawn.band_height) == ("0.0", "14.0"), "from the lower bound to the open upper side"


def test_time_and_not_the_number_of_results_spaces_a_trend() -> None:
    drawn = spark([(date(2026, 1, 1), 1), (date(2026, 1, 2), 1), (date(2026, 1, 11), 1)], None, None)
    assert drawn is not None
    assert drawn.path.split()[1].startswith("13.6,")


def test_a_band_wider_than_the_values_is_inside_the_box() -> None:
    drawn = spark(at("5", "6"), Decimal(1), Decimal(10))
    assert drawn is not None
    assert (drawn.band_top, drawn.band_height) == ("3.0", "22.0")


def test_one_value_stands_at_the_right_and_none_is_nothing() -> None:
    drawn = spark(at("5"), None, None)
    assert drawn is not None
    assert (drawn.path, drawn.band_height) == ("M109.0,3.0", "0.0")
    assert spark([], None, None) is None
