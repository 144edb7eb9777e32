"""The request's instant, read once, so that one page never straddles two days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask import g


def now() -> datetime:
    """The instant this request began, in UTC."""
    if "now" not in g:
        g.now = datetime.now(UTC)
    instant: datetime = g.now
    return instant


def today(zone: ZoneInfo) -> date:
    """The calendar day it is in that zone."""
    return now().astimezone(zone).date()
