"""How much a rule asks of people: counted from flags and the first decision about each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

LATE = timedelta(hours=72)  # undecided for longer counts as unreviewed too long, exclusive
DAYS_A_MONTH = Decimal("30.44")


@dataclass(slots=True)
class Burden:
    """One rule over a period. `waits` are the times from the flag to the first decision about it.

    `closed` are flags that people closed, `without_action` those of them closed because nothing was needed; `late` wait
    undecided for more than 72 hours now.
    """

    rule: str
    flags: int = 0
    closed: int = 0
    without_action: int = 0
    late: int = 0
    waits: list[timedelta] = field(default_factory=list)

    def per_100_months(self, patient_months: Decimal) -> Decimal | None:
        """Flags per 100 months of treatment, one decimal; None without treatment."""
        return round(100 * self.flags / patient_months, 1) if patient_months else None

    @property
    def share_without_action(self) -> int | None:
        """Per cent of the closed ones that needed nothing; None where none was closed."""
        return round(100 * self.without_action / self.closed) if self.closed else None

    @property
    def median_wait(self) -> timedelta | None:
        return timedelta(seconds=median(wait.total_seconds() for wait in self.waits)) if self.waits else None

    @property
    def ninetieth_wait(self) -> timedelta | None:
        """The wait that nine in ten do not exceed (nearest rank)."""
        nine_in_ten = (9 * len(self.waits) + 9) // 10  # rounded up
        return sorted(self.waits)[nine_in_ten - 1] if self.waits else None


def waited(first_seen: datetime, decided: datetime | None, burden: Burden) -> None:
    """Count the wait of one flag that somebody decided on."""
    if decided is not None:
        burden.waits.append(max(decided - first_seen, timedelta()))


def months(days: Iterable[int]) -> Decimal:
    """Days of treatment as months."""
    return Decimal(sum(days)) / DAYS_A_MONTH
