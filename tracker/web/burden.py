"""What each rule asks of people: flags per 100 patient-months, how many needed nothing, how long they waited."""

import csv
import io
from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from tracker.domain.burden import Burden
from tracker.queries.burden import Burdens, burdens
from tracker.rules import TITLES
from tracker.web.access import current_clinic
from tracker.web.clock import now, today
from tracker.web.database import reading
from tracker.web.filters import zone

screen = Blueprint("burden", __name__)

PERIODS = {90: "the last 90 days", 365: "the last 12 months", 3650: "the last ten years"}
HEADER = (
    "rule", "flags", "per_100_patient_months", "closed", "closed_without_action_percent", "median_hours_to_review",
    "p90_hours_to_review", "unreviewed_over_72_h",
)  # fmt: skip


class Period(NamedTuple):
    """A period that ends today."""

    days: int
    words: str


@screen.get("/burden")
def index() -> ResponseReturnValue:
    period = _period()
    return render_template(
        "burden/index.html", clinic=current_clinic(), period=period, periods=PERIODS, found=_found(period),
        titles=TITLES, hours=hours,
    )  # fmt: skip


@screen.get("/burden.csv")
def table() -> ResponseReturnValue:
    period = _period()
    found = _found(period)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(_cells(one, found) for one in found.rules)
    name = f"jakwatch-burden-{period.days}-days-{today(zone()).isoformat()}.csv"
    return Response(
        text.getvalue(), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def of_rule(code: str) -> tuple[Burden | None, Burdens]:
    """The burden of one rule over the last twelve months, None where it flagged nothing."""
    found = _found(Period(365, PERIODS[365]))
    return next((one for one in found.rules if one.rule == code), None), found


def hours(wait: timedelta | None) -> str:
    """A wait in whole hours, in days from three days on; a dash where there was none."""
    if wait is None:
        return "–"
    whole = round(wait.total_seconds() / 3600)
    return f"{whole} h" if whole < 72 else f"{round(whole / 24)} days"


def _period() -> Period:
    days = request.args.get("days", 365, type=int)
    days = days if days in PERIODS else 365
    return Period(days, PERIODS[days])


def _found(period: Period) -> Burdens:
    on = today(zone())
    return burdens(reading(), current_clinic().id, on - timedelta(days=period.days - 1), on, now())


def _cells(one: Burden, found: Burdens) -> tuple[object, ...]:
    waits = (one.median_wait, one.ninetieth_wait)
    return (
        one.rule, one.flags, one.per_100_months(found.patient_months), one.closed, one.share_without_action,
        *(None if wait is None else round(wait.total_seconds() / 3600, 1) for wait in waits), one.late,
    )  # fmt: skip
