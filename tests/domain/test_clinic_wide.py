"""What a clinic may set for all of its patients, and the sentence it gets where it may not."""

import pytest

from tracker.domain.clinic_wide import check
from tracker.domain.errors import Refused
from tracker.domain.infections import NO_WORDS


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ("confirm_within", "P1D"), ("confirm_within", "P7D"), ("confirm_within", "P1W"), ("grace_days", "0"),
        ("grace_days", "28"), ("ranges_first", "printed"), ("ranges_first", "configured"),
    ],
)  # fmt: skip
def test_up_to_the_bounds_it_may_be_set(scope: str, value: str) -> None:
    check(scope, {"value": value}, NO_WORDS)
    check(scope, {}, NO_WORDS)


@pytest.mark.parametrize(
    ("scope", "value", "said"),
    [
        ("confirm_within", "P0D", "within 1 to 7 days"),
        ("confirm_within", "P8D", "may ask sooner, and not later"),
        ("confirm_within", "P1M", "may ask sooner, and not later"),
        ("confirm_within", "5", "is not a duration"),
        ("grace_days", "29", "at most 28"),
        ("grace_days", "-1", "whole number of days"),
        ("grace_days", "1.5", "whole number of days"),
        ("ranges_first", "ours", "neither printed nor configured"),
    ],
)
def test_beyond_them_it_is_refused_in_a_sentence(scope: str, value: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        check(scope, {"value": value}, NO_WORDS)


def test_nothing_else_is_set_beside_it() -> None:
    with pytest.raises(Refused, match="“off” cannot be set"):
        check("grace_days", {"value": "7", "off": "yes"}, NO_WORDS)
