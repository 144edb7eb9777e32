"""The same flags by every door, and as a second reckoning says (R11). `make trust` does it with many more values."""

from datetime import date

import pytest

from tests.trust import doors, reckoning


def test_every_door_raises_the_same_flags_as_were_reckoned_apart() -> None:
    found = doors.through(150, seed=4)
    assert found.wrong == []
    assert (found.values, found.checked) == (150, 150)
    assert found.flags > 30


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [("14.0", "g/dL", "inside"), ("13.9", "g/dL", "low"), ("18.1", "g/dL", "high"), ("139", "g/L", "low"),
     ("<14.0", "g/dL", "low"), ("<14.1", "g/dL", ""), (">18", "g/dL", "high"), ("8.69", "mmol/L", "inside")],
)  # fmt: skip
def test_the_second_reckoning_knows_a_mans_haemoglobin(text: str, unit: str, wanted: str) -> None:
    """By hand: 14 to 18 g/dL, both inside; 8.69 mmol/L is 14.003 g/dL."""
    assert reckoning.place("HB", text, unit, "male", date(1980, 1, 1), date(2026, 1, 1)) == wanted
    assert reckoning.place("HB", text, unit, "unknown", date(1980, 1, 1), date(2026, 1, 1)) == ""
    assert reckoning.place("HB", text, unit, "male", date(2008, 1, 2), date(2026, 1, 1)) == ""
