"""Calendar arithmetic as drug labels mean it: months are calendar months, clamped at month ends."""

import calendar
import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from tracker.domain.errors import BadData

_DURATION = re.compile(r"^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$")
_WORDED = re.compile(r"^(\d{1,4}) ?(day|week|month|year)s?$", re.IGNORECASE)
_UNITS = ((12, "year"), (1, "month"))


class Span(NamedTuple):
    """A duration in whole calendar months and days; `P3M` is (3, 0), `P8W` is (0, 56)."""

    months: int
    days: int

    @lru_cache(maxsize=256)  # noqa: B019 - the spans of the protocols, a few dozen values
    def __str__(self) -> str:
        if self.months:
            size, word = next((s, w) for s, w in _UNITS if self.months % s == 0)
            count = self.months // size
        else:
            size, word = (7, "week") if self.days % 7 == 0 and self.days >= 28 else (1, "day")
            count = self.days // size
        return f"{count} {word}{'' if count == 1 else 's'}"

    @property
    def iso(self) -> str:
        """`P3M`, `P56D`: what `span` reads back."""
        return f"P{f'{self.months}M' if self.months else ''}{f'{self.days}D' if self.days or not self.months else ''}"


def span(text: str) -> Span:
    """Read an ISO 8601 duration of years, months, weeks and days. Raises BadData for anything else."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        raise BadData(f"“{text}” is not a duration like P4W or P3M.")
    years, months, weeks, days = (int(part or 0) for part in match.groups())
    return Span(12 * years + months, 7 * weeks + days)


def worded_span(text: str) -> Span | None:
    """`4 weeks`, `3 months`, `10 days`; None where it is not so written."""
    match = _WORDED.match(" ".join(text.split()))
    return None if match is None else span(f"P{match[1]}{match[2][0].upper()}")


@lru_cache(maxsize=16384)  # the same few days and intervals come again with every patient
def add(day: date, length: Span) -> date:
    """`day` plus a span; 30 November plus three months is the last day of February."""
    if length.months:
        month = day.month - 1 + length.months
        year, month = day.year + month // 12, month % 12 + 1
        day = date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
    return day + timedelta(days=length.days)


def years_between(earlier: date, later: date) -> int:
    """Completed years, as ages are counted: one born on 29 February turns a year older on 1 March of a common year."""
    return later.year - earlier.year - ((later.month, later.day) < (earlier.month, earlier.day))
