"""A temperature, and how long it lasted, as people write it down."""

from decimal import Decimal

import pytest

from tracker.domain.errors import Refused
from tracker.domain.fever import read_temperature


@pytest.mark.parametrize(
    ("text", "kept", "hours"),
    [
        ("38.4", "38.4", None),
        ("38,4", "38.4", None),
        ("38.1 for 1 h", "38.1 for 1 h", "1"),
        ("38.1  for 1h", "38.1 for 1 h", "1"),
        ("38,1 for 1,5 h", "38.1 for 1.5 h", "1.5"),
        ("38.1 for 90 min", "38.1 for 90 min", "1.5"),
        ("38.1 for 60 min", "38.1 for 60 min", "1"),
    ],
)
def test_what_is_read(text: str, kept: str, hours: str | None) -> None:
    found = read_temperature(text)
    assert str(found) == kept
    assert found.hours == (None if hours is None else Decimal(hours))


@pytest.mark.parametrize(
    "text",
    ["", "warm", "<38", "38.1 for", "38.1 for an hour", "38.1 for 0 h", "38.1 for 73 h", "38.1 for -1 h",
     "38.1 for 1 day", "38.1 for 1 h or so", "for 1 h", "38.1 38.2 for 1 h"],
)  # fmt: skip
def test_what_is_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_temperature(text)
