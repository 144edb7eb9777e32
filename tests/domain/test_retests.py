"""TB and hepatitis B tests in the due list: I6 and I7 of the clinical notes."""

from datetime import date
from typing import Any

import pytest

from tests.rules.stories import history as told
from tracker.domain.schedule import DUE, NOT_DUE, OVERDUE, DueItem, due_items

COURSE = {"protocol": "tofacitinib_us", "started_on": "2025-01-01"}


def due(subject: str, as_of: str, *results: tuple[str, str, str], course: dict[str, Any] = COURSE) -> DueItem | None:
    """The due item of one subject, with worded results given as (analyte, word, day)."""
    labs = [{"analyte": analyte, "text": word, "on": day} for analyte, word, day in results]
    items = due_items(told({"as_of": as_of, "courses": [course], "results": labs}))
    return next((item for item in items if item.subject == subject), None)


@pytest.mark.parametrize(
    ("as_of", "state"),
    [("2025-12-05", NOT_DUE), ("2025-12-06", DUE), ("2025-12-20", DUE), ("2025-12-21", OVERDUE)],
)
def test_a_tb_test_is_wanted_again_after_twelve_months_without_grace(as_of: str, state: str) -> None:
    item = due("IGRA", as_of, ("IGRA", "negative", "2024-12-20"))
    assert item is not None
    assert (item.due_on, item.state, item.verified) == (date(2025, 12, 20), state, False)


def test_a_tb_test_never_done_was_due_by_the_first_dose() -> None:
    before, after = due("IGRA", "2024-12-20"), due("IGRA", "2025-01-02")
    assert before is not None
    assert after is not None
    assert (before.due_on, before.state) == (date(2025, 1, 1), DUE)
    assert (after.due_on, after.state) == (date(2025, 1, 1), OVERDUE)


def test_one_that_lapses_before_the_start_is_wanted_by_the_start() -> None:
    item = due("IGRA", "2024-12-20", ("IGRA", "negative", "2023-12-31"))
    assert item is not None
    assert item.due_on == date(2025, 1, 1)


def test_a_positive_test_is_not_repeated() -> None:
    assert due("IGRA", "2026-06-01", ("IGRA", "positive", "2024-12-20")) is None


CORE = ("ANTIHBC", "positive", "2024-12-20")


def test_hepatitis_b_dna_is_wanted_every_three_months_where_the_core_antibody_is_positive() -> None:
    never = due("HBVDNA", "2025-01-05", CORE, ("HBSAG", "negative", "2024-12-20"))
    assert never is not None
    assert (never.due_on, never.state) == (date(2025, 1, 1), OVERDUE)
    done = due("HBVDNA", "2025-04-10", CORE, ("HBVDNA", "not detected", "2025-01-10"))
    assert done is not None
    assert (done.due_on, done.state, done.verified) == (date(2025, 4, 10), DUE, False)


def test_not_with_the_surface_antigen_or_without_the_core_antibody() -> None:
    assert due("HBVDNA", "2025-06-01", CORE, ("HBSAG", "positive", "2024-12-20")) is None
    assert due("HBVDNA", "2025-06-01", ("ANTIHBC", "negative", "2024-12-20")) is None
