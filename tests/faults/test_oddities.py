"""Odd values are the same on either database (R24); many more in `make trust`."""

from tests.trust import oddities


def test_odd_values_are_answered_and_stored_alike() -> None:
    stored, wrong = oddities.compare(12)
    assert wrong == []
    assert stored > 10
