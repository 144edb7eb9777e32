"""The audit trail: searched by person, patient, record and day, exported, and its chain checked."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import Refused
from tracker.formats.export import csv_lines
from tracker.models import Base
from tracker.operations.anchors import warnings
from tracker.operations.audit import examine, seal_of
from tracker.queries import trail
from tracker.queries.trail import Search
from tracker.web.access import current_clinics
from tracker.web.clock import today
from tracker.web.database import EVERYWHERE, database, my_scope, reading
from tracker.web.fields import read_day
from tracker.web.filters import zone

screen = Blueprint("audit", __name__)

RECORDS = tuple(sorted(Base.metadata.tables))
LONGEST = 120


@screen.get("/audit")
def index() -> ResponseReturnValue:
    asked, wrong = _asked()
    before = request.args.get("before", type=int)
    entries, following = trail.entries(reading(), current_clinics(), asked, before)
    terms = {name: value for name, value in request.args.items() if name != "before" and value}
    page = render_template(
        "audit/index.html",
        entries=entries,
        following=following,
        before=before,
        terms=terms,
        wrong=wrong,
        records=RECORDS,
    )
    return page, 422 if wrong else 200


@screen.get("/audit.csv")
def export() -> ResponseReturnValue:
    """What is found, oldest first, as it is read: a session of its own, because this one is closed by then."""
    asked, wrong = _asked()
    if wrong:
        raise Refused(" ".join(wrong.values()))
    mine, opened, scope = current_clinics(), database(), my_scope()

    def lines() -> Iterator[str]:
        with opened.reading(scope) as session:
            yield from csv_lines("audit", trail.stream(session, mine, asked))

    name = f"jakwatch-audit-{today(zone()).isoformat()}.csv"
    return Response(lines(), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@screen.post("/audit/check")
def check() -> ResponseReturnValue:
    """Walk the chain of digests from the first entry to the last. Nothing is written."""
    with database().reading(EVERYWHERE) as session:
        fault, to_know = examine(session), warnings(seal_of(session))
    if fault is None:
        flash("The chain holds: every entry follows from the one before it.")
    else:
        flash(f"The chain is broken at entry {fault.entry}: {fault.why}. This was done outside Jakwatch.")
    for sentence in to_know:
        flash(f"To know: {sentence}")
    return redirect(url_for("audit.index"), 303)


def _asked() -> tuple[Search, dict[str, str]]:
    """The search in the address, and what cannot be read of it by field."""
    given = {name: " ".join(request.args.get(name, "").split())[:LONGEST] for name in ("actor", "mrn", "record")}
    days: dict[str, date | None] = {}
    wrong = {}
    for name in ("since", "until"):
        written = request.args.get(name, "").strip()[:LONGEST]
        try:
            days[name] = read_day(written) if written else None
        except Refused as error:
            days[name], wrong[name] = None, str(error)
    since, until = days["since"], days["until"]
    last = None if until is None or until == date.max else until + timedelta(days=1)
    return Search(**given, since=_begins(since, zone()), until=_begins(last, zone())), wrong


def _begins(day: date | None, where: ZoneInfo) -> datetime | None:
    """The instant at which a day begins in the clinic."""
    return None if day is None else datetime.combine(day, time(), where).astimezone(UTC)
