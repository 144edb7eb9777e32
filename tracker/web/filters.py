"""How dates, numbers and units are written in pages. Every filter takes None for what is not known and says so.

Given to the templates: the filters in FILTERS and the functions in `functions()`.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Flask, current_app, url_for

from tracker.domain.dates import years_between
from tracker.domain.intended_use import INTENDED_USE
from tracker.domain.readings import fasting_words
from tracker.domain.values import brief, shown
from tracker.web import navigation
from tracker.web.access import emergency, may, signed_in
from tracker.web.clock import now, today

UNKNOWN = "not known"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
OPERATORS = {">=": "≥", "<=": "≤"}


# ---------------------------------------------------------------------------------------------- dates


def zone() -> ZoneInfo:
    """The zone of the clinic that is looked at."""
    user = signed_in()
    return user.clinic.zone if user is not None and user.clinic is not None else ZoneInfo("UTC")


def day(value: date | None) -> str:
    """`1 Mar 2026`."""
    return UNKNOWN if value is None else f"{value.day} {value:%b} {value.year:04}"


def moment(value: datetime | None) -> str:
    """`1 Mar 2026, 14:05` in the clinic's zone."""
    if value is None:
        return UNKNOWN
    local = value.astimezone(zone())
    return f"{day(local.date())}, {local:%H:%M}"


def since(value: datetime | date | None) -> str:
    """How long ago, in one unit: `5 min`, `2 h`, `6 d`, `11 wk`, `3 y`; from tomorrow on `in 6 d`."""
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime):
        minutes = int((now() - value).total_seconds() // 60)
        if -1 <= minutes < 24 * 60:
            return "now" if minutes < 1 else f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
        value = value.astimezone(zone()).date()
    days = (today(zone()) - value).days
    if days == 0:
        return "today"
    return _days(days) if days > 0 else f"in {_days(-days)}"


def _days(days: int) -> str:
    if days < 28:
        return f"{days} d"
    return f"{days // 7} wk" if days < 2 * 365 else f"{days // 365} y"


def age(born: date | None, on: date | None = None) -> str:
    """Completed years."""
    return "age not known" if born is None else str(years_between(born, on or today(zone())))


def time_on_drug(started: date | None) -> str:
    """`day 12`, `month 7`: the first month is month 1."""
    if started is None:
        return "start not known"
    on = today(zone())
    if on < started:
        return f"starts {day(started)}"
    months = (on.year - started.year) * 12 + on.month - started.month - (on.day < started.day)
    return f"month {months + 1}" if months else f"day {(on - started).days + 1}"


# ---------------------------------------------------------------------------------------------- numbers


def unit(value: str) -> str:
    """`10*9/L` as `×10⁹/L`, `mL/min/{1.73_m2}` as `mL/min/1.73 m²`; other units as they are."""
    if not value.startswith("10*"):
        return value.replace("{1.73_m2}", "1.73 m²").replace("[IU]", "IU").removeprefix("{ratio}").removeprefix("{INR}")
    power, slash, rest = value[3:].partition("/")
    return f"×10{power.translate(SUPERSCRIPTS)}{slash}{rest}"


def bound(value: str) -> str:
    """`>= 0.5` as `≥ 0.5`."""
    for written, sign in OPERATORS.items():
        value = value.replace(written, sign)
    return value


def count(number: int, one: str, many: str = "") -> str:
    """`1 patient`, `7 patients`, `12 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", "\u202f")


class Spark(NamedTuple):
    """A sparkline's shapes in a box `width` by `height`, everything in its units; no band where there is no range."""

    path: str
    band_top: str
    band_height: str
    last_x: str
    last_y: str


def spark(
    points: Sequence[tuple[Any, ...]],
    low: Decimal | float | None,
    high: Decimal | float | None,
    width: int = 112,
    height: int = 28,
) -> Spark | None:
    """The line through the points (day, figure, …), oldest first, with the band of the range; None without points.

    An open side of the range runs to the edge of the box. Drawn, not judged: here a figure may be a float.
    """
    if not points:
        return None
    margin = 3
    values = [float(point[1]) for point in points]
    bounds = [None if limit is None else float(limit) for limit in (low, high)]
    drawn = [*values, *(limit for limit in bounds if limit is not None)]
    room, most = (max(drawn) - min(drawn)) or 1.0, max(drawn)
    days = [(point[0] - points[0][0]).days for point in points]

    def x(day: int) -> float:
        # A single day stands at the right, where the newest always is.
        return margin + (width - 2 * margin) * (day / days[-1] if days[-1] else 1)

    def y(value: float) -> float:
        return margin + (height - 2 * margin) * (most - value) / room

    line = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in zip(days, values, strict=True))
    top, bottom = (0.0 if bounds[1] is None else y(bounds[1])), (float(height) if bounds[0] is None else y(bounds[0]))
    band = bottom - top if bounds != [None, None] else 0.0
    return Spark(f"M{line}", f"{top:.1f}", f"{band:.1f}", f"{x(days[-1]):.1f}", f"{y(values[-1]):.1f}")


# ---------------------------------------------------------------------------------------------- in templates


@lru_cache(maxsize=64)
def _content(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file under tracker/static, which changes with its content: browsers may keep it."""
    path = Path(current_app.static_folder or "") / name
    return url_for("static", filename=name, v=_content(path, path.stat().st_mtime_ns) if path.is_file() else None)


FILTERS: dict[str, Callable[..., str]] = {
    "fasting": fasting_words,
    "brief": brief,
    "day": day,
    "moment": moment,
    "since": since,
    "age": age,
    "time_on_drug": time_on_drug,
    "unit": unit,
    "bound": bound,
    "count": count,
    "shown": shown,
}


def functions() -> dict[str, Any]:
    """What every template may call besides Flask's own."""
    return {
        "asset": asset,
        "may": may,
        "signed_in": signed_in,
        "menu": navigation.menu,
        "is_current": navigation.is_current,
        "waiting": navigation.waiting,
        "alerts": navigation.alerts,
        "emergency": emergency,
        "spark": spark,
        "now": now,
        "today": lambda: today(zone()),
        "intended_use": INTENDED_USE,
    }


def init_app(app: Flask) -> None:
    # As globals, not by a context processor: macros that are imported without context see them too.
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(functions())
