"""Whom a range table judges: gaps, ties and overlaps in the words of a clinician."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.coverage import spots
from tracker.domain.ranges import STARTER_FROM, ConfiguredRange, choose

DAY = date(2026, 3, 1)


def line(id: int, sex: str, first: int | None, beyond: int | None, since: date = date(2026, 1, 1)) -> ConfiguredRange:
    return ConfiguredRange(
        id, "HB", "", sex, first, beyond, Decimal(12), True, Decimal(16), True, "g/dL", since
    )  # fmt: skip


NO_RANGE = "no reference range is configured for this person"
TIE = "two configured ranges fit equally: the range table needs mending"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("", None, None)], []),
        ([("", 18, None)], []),
        ([("female", 18, None)], [f"men, from 18 years: {NO_RANGE}"]),
        ([("", 18, 60)], [f"women, from 60 years: {NO_RANGE}", f"men, from 60 years: {NO_RANGE}"]),
        ([("female", 18, 40), ("female", 41, None), ("male", 18, None)], [f"women, 40 years: {NO_RANGE}"]),
        ([("", 18, None), ("female", 18, 50)], []),
        ([("", 18, 40), ("", 20, 42), ("", 42, None)],
         [f"{one}, 20 to 39 years: {TIE}" for one in ("women", "men")]),
        ([("", 0, 12), ("", 6, 18), ("", 18, None)],
         [f"{one}, 6 to 11 years: {TIE}" for one in ("women", "men")]),
        ([("", 18, 65), ("", 60, 90), ("", 90, None)],
         ["everybody, 60 to 64 years: two lines overlap, and the narrower (60 to 89 years) judges"]),
    ],
)  # fmt: skip
def test_gaps_ties_and_overlaps_are_said_by_sex_and_age(
    lines: list[tuple[str, int | None, int | None]], said: list[str]
) -> None:
    assert list(spots([line(n, *one) for n, one in enumerate(lines)], DAY)) == said


def test_an_own_line_over_the_starter_set_is_no_overlap() -> None:
    lines = [line(1, "", 18, None, STARTER_FROM), line(2, "", 16, 70)]
    assert list(spots(lines, DAY)) == []


def test_a_line_that_ended_covers_nobody() -> None:
    lines = [line(1, "", 18, None), line(2, "", 18, None, DAY)._replace(low=None, high=None)]
    assert list(spots(lines, date(2026, 2, 28))) == []
    assert [said.partition(":")[0] for said in spots(lines, DAY)] == ["women, from 18 years", "men, from 18 years"]


SPANS = st.tuples(st.sampled_from(["", "female", "male"]), st.integers(0, 60), st.integers(61, 119))


@given(st.lists(SPANS, max_size=4), st.integers(18, 119), st.sampled_from(["female", "male"]))
def test_nothing_is_said_to_be_covered_that_no_line_judges(
    spans: list[tuple[str, int, int]], age: int, sex: str
) -> None:
    """Whoever no line judges is in one of the sentences, and whoever is judged is in none of them."""
    lines = [line(n, *span) for n, span in enumerate(spans)]
    found, _ = choose(lines, sex, age, DAY)
    people = "women" if sex == "female" else "men"
    open_ages = [said for said in spots(lines, DAY) if said.startswith(f"{people}, ") and "overlap" not in said]
    assert any(_holds(said, age) for said in open_ages) is (found is None)


def _holds(said: str, age: int) -> bool:
    words = said.partition(", ")[2].partition(":")[0]
    numbers = [int(word) for word in words.split() if word.isdigit()]
    if words.startswith("from"):
        return age >= numbers[0]
    if words.startswith("under"):
        return age < numbers[0]
    return words == "any age" or numbers[0] <= age <= numbers[-1]
