"""Which range judges a result, and on which side of it a value lies."""

from datetime import date
from decimal import Decimal

import pytest

from tracker.domain.errors import Refused
from tracker.domain.ranges import CLINIC, HIGH, INSIDE, LOW, ConfiguredRange, Range, check_bounds, choose, place

D = Decimal
HB = Range(D("12.0"), True, D("16.0"), True, "g/dL", CLINIC)
CHOL = Range(None, True, D(200), False, "mg/dL", CLINIC)
DAY = date(2026, 3, 1)


def line(
    id: int,
    *,
    sex: str = "",
    ages: tuple[int | None, int | None] = (None, None),
    low: str = "1",
    since: str = "2000-01-01",
) -> ConfiguredRange:
    return ConfiguredRange(
        id, "HB", "", sex, ages[0], ages[1], D(low), True, D(20), True, "g/dL", date.fromisoformat(since)
    )


@pytest.mark.parametrize(
    ("comparator", "figure", "yardstick", "where"),
    [
        ("", "12.0", HB, INSIDE),
        ("", "11.9", HB, LOW),
        ("", "16.0", HB, INSIDE),
        ("", "16.1", HB, HIGH),
        ("", "199", CHOL, INSIDE),
        ("", "200", CHOL, HIGH),
        ("<", "12.0", HB, LOW),
        ("<", "12.5", HB, None),
        (">", "16.0", HB, HIGH),
        (">", "15", HB, None),
        ("<", "200", CHOL, INSIDE),
    ],
)
def test_a_bound_belongs_to_its_operator(comparator: str, figure: str, yardstick: Range, where: str | None) -> None:
    assert place(comparator, D(figure), yardstick) == where


def test_the_version_in_force_on_the_sample_day_judges() -> None:
    lines = [line(1, low="10"), line(2, low="11", since="2026-03-01"), line(3, low="12", since="2026-03-02")]
    found, _ = choose(lines, "female", 30, DAY)
    assert found is not None
    assert found.low == D(11)


def test_the_most_specific_line_wins() -> None:
    lines = [line(1), line(2, sex="female", low="12"), line(3, sex="female", ages=(18, 50), low="13")]
    assert choose(lines, "female", 30, DAY)[0].low == D(13)  # type: ignore[union-attr]
    assert choose(lines, "female", 50, DAY)[0].low == D(12)  # type: ignore[union-attr]
    assert choose(lines, "male", 30, DAY)[0].low == D(1)  # type: ignore[union-attr]


def test_an_unknown_sex_is_no_range_where_the_range_depends_on_it() -> None:
    found, why = choose([line(1, sex="female"), line(2, sex="male")], "unknown", 30, DAY)
    assert found is None
    assert "sex" in why


def test_an_unknown_age_is_no_range_where_the_range_depends_on_it() -> None:
    found, why = choose([line(1, ages=(18, None))], "female", None, DAY)
    assert found is None
    assert "age" in why


def test_a_line_that_would_come_first_if_the_sex_were_known_leaves_the_question_open() -> None:
    lines = [line(1, low="2", since="1900-01-01"), line(2, sex="female", low="12"), line(3, sex="male", low="14")]
    found, why = choose(lines, "unknown", 30, DAY)
    assert found is None
    assert "sex" in why
    assert choose(lines, "male", None, DAY)[0].low == D(14)  # type: ignore[union-attr]


def test_an_open_line_that_would_not_come_first_asks_nothing() -> None:
    lines = [line(1, sex="female", low="12"), line(2, ages=(18, 50), low="13")]
    assert choose(lines, "female", None, DAY)[0].low == D(12)  # type: ignore[union-attr]


def test_a_tie_is_said_and_not_broken() -> None:
    found, why = choose([line(1, ages=(18, 40)), line(2, ages=(20, 42))], "female", 30, DAY)
    assert found is None
    assert "equally" in why


def test_the_starter_set_gives_way_to_the_clinics_own_line() -> None:
    lines = [line(1, ages=(18, None), low="2", since="1900-01-01"), line(2, low="3", since="2026-01-01")]
    assert choose(lines, "female", 30, DAY)[0].low == D(3)  # type: ignore[union-attr]
    assert choose(lines, "female", 30, date(2025, 12, 31))[0].low == D(2)  # type: ignore[union-attr]


def test_a_range_of_the_future_judges_nothing_yet() -> None:
    assert choose([line(1, since="2026-03-02")], "female", 30, DAY)[0] is None


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(Refused, match="above the upper bound"):
        check_bounds(D(5), D(4))
    with pytest.raises(Refused, match="at least one bound"):
        check_bounds(None, None)


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("0.50", ">= 0.50"),
        ("12.0", ">= 12.0"),
        ("44.2100", ">= 44.21"),
        ("97.26200", ">= 97.262"),
        ("150000", ">= 150000"),
    ],
)
def test_a_bound_is_read_as_it_was_set_without_the_zeros_a_factor_left(bound: str, said: str) -> None:
    assert Range(D(bound), True, None, True, "umol/L", CLINIC).low_text == said
