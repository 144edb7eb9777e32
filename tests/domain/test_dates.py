"""Months are calendar months, clamped at month ends."""

from datetime import date

import pytest

from tracker.domain.dates import Span, add, span, years_between
from tracker.domain.errors import BadData


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2025-11-30", "P3M", "2026-02-28"), ("2023-11-30", "P3M", "2024-02-29"), ("2025-01-31", "P1M", "2025-02-28"),
        ("2025-01-01", "P4W", "2025-01-29"), ("2025-01-01", "P8W", "2025-02-26"), ("2025-10-15", "P3M", "2026-01-15"),
        ("2024-02-29", "P1Y", "2025-02-28"), ("2025-01-01", "P30D", "2025-01-31"),
    ],
)  # fmt: skip
def test_adding_a_duration(start: str, length: str, end: str) -> None:
    assert add(date.fromisoformat(start), span(length)) == date.fromisoformat(end)


@pytest.mark.parametrize("text", ["", "P", "3M", "PT5H", "P-3M", "P3X"])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(BadData):
        span(text)


@pytest.mark.parametrize(
    ("length", "words"),
    [("P3M", "3 months"), ("P1Y", "1 year"), ("P8W", "8 weeks"), ("P7D", "7 days"), ("P1D", "1 day")],
)
def test_a_duration_in_words(length: str, words: str) -> None:
    assert str(span(length)) == words


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        ("1990-06-15", "2026-06-14", 35),
        ("1990-06-15", "2026-06-15", 36),
        ("2004-02-29", "2026-02-28", 21),
        ("2004-02-29", "2026-03-01", 22),
    ],
)
def test_age_in_completed_years(born: str, day: str, age: int) -> None:
    assert years_between(date.fromisoformat(born), date.fromisoformat(day)) == age


def test_spans_compare_by_value() -> None:
    assert span("P1Y") == Span(12, 0) == span("P12M")
