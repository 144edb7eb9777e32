"""Numbers as laboratories print them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Refused
from tracker.domain.values import Number, above, below, read_number, shown

FIGURES = st.decimals(min_value=0, max_value=10000, places=3, allow_nan=False)


@pytest.mark.parametrize(
    ("typed", "comparator", "figure"),
    [
        ("5.3", "", "5.3"), ("5,3", "", "5.3"), ("<5", "<", "5"), (">1000", ">", "1000"), ("1.2 e3", "", "1.2E+3"),
        ("≤ 3", "<=", "3"), ("=< 3", "<=", "3"), (" 0,125 ", "", "0.125"), ("1.234", "", "1.234"), ("5.30", "", "5.30"),
    ],
)  # fmt: skip
def test_what_a_nurse_types_is_read(typed: str, comparator: str, figure: str) -> None:
    assert read_number(typed) == Number(comparator, Decimal(figure))


@pytest.mark.parametrize("typed", ["150,000", "1,234.5", "1.234,5", "1'234'567", "<1,500"])
def test_a_number_with_two_readings_is_refused(typed: str) -> None:
    with pytest.raises(Refused, match="two different numbers"):
        read_number(typed)


@pytest.mark.parametrize("typed", ["", "positive", "see comment", "5 mg", "--", "1e9999", "٣"])
def test_words_are_not_numbers(typed: str) -> None:
    assert read_number(typed) is None


@pytest.mark.parametrize(
    ("comparator", "figure", "bound", "inclusive", "answer"),
    [
        ("", "0.5", "0.5", False, False), ("", "0.5", "0.5", True, True), ("", "0.49", "0.5", False, True),
        ("<", "0.5", "0.5", False, True), ("<", "0.6", "0.5", False, None), ("<=", "0.5", "0.5", False, None),
        ("<=", "0.5", "0.5", True, True), (">", "0.5", "0.5", False, False), (">", "0.4", "0.5", False, None),
        (">=", "0.5", "0.5", True, None), (">=", "0.5", "0.5", False, False),
    ],
)  # fmt: skip
def test_below_a_bound(comparator: str, figure: str, bound: str, inclusive: bool, answer: bool | None) -> None:
    assert below(comparator, Decimal(figure), Decimal(bound), inclusive) is answer


@given(
    comparator=st.sampled_from(["", "<", "<=", ">", ">="]),
    figure=FIGURES,
    bound=FIGURES,
    inclusive=st.booleans(),
    truth=FIGURES,
)
def test_an_answer_holds_for_every_value_the_report_allows(
    comparator: str, figure: Decimal, bound: Decimal, inclusive: bool, truth: Decimal
) -> None:
    """If `<5` is said to be below the limit, then whatever the true value is, it is below the limit."""
    allowed = {
        "": truth == figure, "<": truth < figure, "<=": truth <= figure, ">": truth > figure, ">=": truth >= figure,
    }[comparator]  # fmt: skip
    if comparator == "":
        truth, allowed = figure, True
    if not allowed:
        return
    is_below = truth < bound or (inclusive and truth == bound)
    assert below(comparator, figure, bound, inclusive) in (None, is_below)
    is_above = truth > bound or (inclusive and truth == bound)
    assert above(comparator, figure, bound, inclusive) in (None, is_above)


def test_a_conversion_tail_is_rounded_for_reading_only() -> None:
    assert shown(Decimal(17) / Decimal("0.6206")) == "27.39"
    assert shown(Decimal("5.30")) == "5.30"
    assert shown(Decimal(1234567)) == "1234567"
