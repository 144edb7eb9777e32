"""What a rule asks of people, counted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tracker.domain.burden import Burden, months


@pytest.mark.parametrize(("waits", "middle", "ninetieth"), [
    ([5], 5, 5), ([1, 3], 2, 3), (list(range(1, 11)), 5.5, 9), (list(range(1, 12)), 6, 10), ([7] * 20, 7, 7),
])  # fmt: skip
def test_the_median_and_the_wait_nine_in_ten_do_not_exceed(waits: list[int], middle: float, ninetieth: int) -> None:
    burden = Burden("ctcae", waits=[timedelta(hours=wait) for wait in waits])
    assert (burden.median_wait, burden.ninetieth_wait) == (timedelta(hours=middle), timedelta(hours=ninetieth))


def test_where_nobody_decided_there_is_no_wait_and_no_share() -> None:
    burden = Burden("ctcae", flags=3)
    assert (burden.median_wait, burden.ninetieth_wait, burden.share_without_action) == (None, None, None)


def test_a_rate_needs_treatment() -> None:
    burden = Burden("ctcae", flags=3, closed=3, without_action=1)
    assert burden.per_100_months(Decimal(0)) is None
    assert burden.per_100_months(months([3044])) == Decimal("3.0")
    assert burden.share_without_action == 33
