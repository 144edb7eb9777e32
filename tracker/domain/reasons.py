"""What is said of many rows of a file in the same words is one reason, with how many rows it is said of."""

from collections.abc import Iterable
from typing import NamedTuple

from tracker.domain.readings import Problem


class Reason(NamedTuple):
    """One sentence on a file: the first row it is said of, the last, and how many they are. Row 0 is the file."""

    first: int
    last: int
    times: int
    column: str
    message: str

    @property
    def more(self) -> str:
        """`and 663 more, to 991`; "" where one row alone is meant."""
        return f"and {self.times - 1} more, to {self.last}" if self.times > 1 else ""


def reasons(problems: Iterable[Problem]) -> list[Reason]:
    """The reasons in the order of the rows they are said of first."""
    found: dict[tuple[str, str], Reason] = {}
    for row, column, message in problems:
        old = found.get((column, message), Reason(row, row, 0, column, message))
        first, last = min(old.first, row), max(old.last, row)
        found[column, message] = Reason(first, last, old.times + 1, column, message)
    return sorted(found.values(), key=lambda reason: reason.first)
