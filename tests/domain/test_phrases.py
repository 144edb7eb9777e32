"""Ranges as laboratories and people write them, read with the operators they have."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Refused
from tracker.domain.phrases import Bound, Phrase, read, read_bound


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("0.5 <= x < 1.5", "0.5 <= x < 1.5"),
        ("1.5 > x >= 0.5", "0.5 <= x < 1.5"),
        (">= 0.5 and < 1.5", "0.5 <= x < 1.5"),
        ("≥ 0.5, < 1.5", "0.5 <= x < 1.5"),
        ("x >= 3", ">= 3"),
        ("3 <= x", ">= 3"),
        (">= 0.5", ">= 0.5"),
        ("< 1.5", "< 1.5"),
        ("0.5 - 1.5", "0.5 <= x <= 1.5"),
        ("0.5–1.5", "0.5 <= x <= 1.5"),
        ("0.5 to 1.5", "0.5 <= x <= 1.5"),
        ("3,5-5,1", "3.5 <= x <= 5.1"),
        ("up to 40", "<= 40"),
        ("less than 40", "< 40"),
        ("not more than 40", "<= 40"),
        ("> 3 x ULN", "> 3 x ULN"),
        ("> 3xULN", "> 3 x ULN"),
        ("> ULN", "> 1 x ULN"),
        ("1 x ULN <= x < 3 × ULN", "1 x ULN <= x < 3 x ULN"),
        ("5.30 - 5.30", "5.30 <= x <= 5.30"),
        ("12.0-16.0g/dL", "12.0 <= x <= 16.0 g/dL"),
        ("4-11 x10^9/L", "4 <= x <= 11 x10^9/L"),
        ("> 31000/uL", "> 31000 /uL"),
        ("< 5%", "< 5 %"),
    ],
)
def test_what_is_written_is_read_with_its_operators(typed: str, understood: str) -> None:
    assert read(typed).words == understood


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("5 - 3", "The lower bound 5 is above the upper bound 3."),
        ("0.5 < x < 0.5", "No value is 0.5 < x < 0.5."),
        ("x > 3 and x > 5", "two lower bounds"),
        ("3 < x > 5", "two lower bounds"),
        ("< 3, <= 4", "two upper bounds"),
        ("150,000-400,000", "two different numbers"),
        ("150 000 - 400 000", "is not understood"),
        ("1.2.3 - 4", "“1.2.3” is not a number"),
        (">= 3 (fasting)", "“(fasting)” is not understood"),
        ("normal", "“normal” is not understood"),
        ("40", "is not understood"),
        ("3 x ULN", "is not understood"),
        ("3 - 2 x ULN", "they cannot be compared"),
        ("-5 - 3", "is not understood"),
        (">= 4 1", "is not understood"),
        ("", "There is nothing to read"),
        ("<" * 81, "longer than any range"),
    ],
)
def test_what_is_not_understood_is_named(typed: str, says: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(typed)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("typed", "op", "figure", "times"),
    [
        ("3", "", "3", False),
        ("3 x ULN", "", "3", True),
        ("> 3 x ULN", ">", "3", True),
        ("at most 1,2", "<=", "1.2", False),
    ],
)
def test_a_single_bound_may_stand_without_its_operator(typed: str, op: str, figure: str, times: bool) -> None:
    found, bound = read_bound(typed)
    assert (found, bound.figure, bound.times_uln) == (op, Decimal(figure), times)


@pytest.mark.parametrize("typed", ["1 - 2", "> 3 g/dL", "three"])
def test_what_is_no_single_bound_is_refused(typed: str) -> None:
    with pytest.raises(Refused):
        read_bound(typed)


FIGURES = st.decimals(min_value=0, max_value=1_000_000, places=3, allow_nan=False)
UNITS = st.sampled_from(["", "g/dL", "10*9/L", "%", "umol/L", "/uL", "mL/min/{1.73_m2}", "mm/h"])


@given(FIGURES, FIGURES, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["both", "low", "high"]), UNITS)
def test_what_is_written_here_is_read_again_as_the_same(
    one: Decimal, other: Decimal, first: bool, second: bool, times: bool, ends: str, unit: str
) -> None:
    low, high = sorted((one, other))
    if low == high:
        first = second = True
    phrase = Phrase(
        Bound(low, first, times) if ends != "high" else None,
        Bound(high, second, times) if ends != "low" else None,
        "" if times else unit,
    )
    assert read(phrase.words) == phrase


@given(st.text(alphabet="0123456789.,-–<>=≤≥ xXULNulnandtoup%/gL", max_size=40))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    try:
        phrase = read(typed)
    except Refused:
        return
    assert read(phrase.words) == phrase
