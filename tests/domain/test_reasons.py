"""What is said of many rows is said once, and no row is lost by it."""

from tracker.domain.readings import Problem
from tracker.domain.reasons import reasons

SURVEY = ("CATEGORY", "This is of survey, no result of a laboratory.")


def test_the_same_sentence_on_many_rows_is_one_reason_with_their_number() -> None:
    empty = Problem(4, "VALUE", "There is no result in the row.")
    said = [Problem(9, *SURVEY), Problem(3, *SURVEY), empty, Problem(5, *SURVEY)]
    found = reasons(said)
    assert [(reason.first, reason.more, reason.column) for reason in found] == [
        (3, "and 2 more, to 9", "CATEGORY"), (4, "", "VALUE"),
    ]  # fmt: skip
    assert sum(reason.times for reason in found) == len(said)
