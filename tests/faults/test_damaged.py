"""Damaged files of every format, a small part of `make trust` (R12)."""

import pytest

from tests.trust import damaged
from tests.trust.damaged import Format


@pytest.mark.parametrize("form", damaged.FORMATS, ids=[form.name for form in damaged.FORMATS])
def test_a_damaged_file_raises_nothing_and_says_nothing_else(form: Format) -> None:
    assert damaged.spoil(form, 600, seed=3).wrong == []


def test_a_digit_that_is_exchanged_is_not_read_as_it_was() -> None:
    assert damaged.exchanged(400, seed=3).wrong == []
