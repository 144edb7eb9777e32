"""What a clinician wants of one patient: a target for one analyte, in versions, each in force from a day."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from tracker.domain.ranges import Range

TARGET = "target"
SEVERITIES = ("soon", "routine", "info")  # a target is a wish, and nothing to be woken for


class Target(NamedTuple):
    """One version. `bounds` in the canonical unit of the analyte; None: no target from that day on."""

    number: int
    since: date
    bounds: Range | None
    severity: str
    reason: str


def in_order(versions: Iterable[Target]) -> tuple[Target, ...]:
    """Oldest first; of two that begin on one day the later version counts."""
    by_day = {one.since: one for one in sorted(versions, key=lambda one: one.number)}
    return tuple(by_day[day] for day in sorted(by_day))
