"""On whose behalf something is written, and when: read once on the top floor, handed down."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes, by which door, at which instant. `account_id` is None for a command on the server itself."""

    name: str
    at: datetime
    origin: str
    account_id: int | None = None
    role: str = ""
    request_id: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("an instant needs its zone")

    def today(self, zone: ZoneInfo) -> date:
        """The clinic's calendar day."""
        return self.at.astimezone(zone).date()

    @property
    def utc(self) -> datetime:
        return self.at.astimezone(UTC)
