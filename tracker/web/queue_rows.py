"""A row of the review queue, and the filters over it: what is said of a patient, and which flags lead."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from flask import current_app, session, url_for

from tracker.domain.findings import RANK, SEVERITIES, SOON
from tracker.domain.lifecycle import CARRIED, CARRIED_OFFSET, MACHINE_CLEARED, escalated
from tracker.library.analytes import ANALYTES
from tracker.models import Flag, Patient
from tracker.queries import dashboard
from tracker.queries.dashboard import QueueRow
from tracker.queries.queue import Around
from tracker.web.clock import now
from tracker.web.filters import count
from tracker.web.wording import (
    Headline,
    Suggestion,
    Taken,
    canonical_band,
    headline,
    subject_name,
    suggestion,
    taken,
    why,
)

OTHERS = 4  # further flags named in a row; the rest is counted
INFO_PLACE = dashboard.INFO_PLACE


def review_within() -> list[timedelta]:
    """After how long an undecided flag is escalated, by its place in the queue: urgent, soon, routine."""
    return [timedelta(hours=hours) for hours in current_app.config["REVIEW_HOURS"]]


def waited() -> list[datetime]:
    """By place: what nobody has decided on since before that instant waits too long."""
    return [now() - within for within in review_within()]


def waits_too_long(flag: Flag) -> bool:
    return escalated(flag.attention, flag.waiting_since, now(), review_within())


class Tile(NamedTuple):
    """One filter over the queue. `leads` tells the flags it is about, which stand first in its rows."""

    only: str
    words: str
    leads: Callable[[Flag], bool]


TILES = (
    Tile("today", "Act today", lambda flag: flag.attention == 0),
    Tile("week", "Review this week", lambda flag: flag.attention == RANK[SOON]),
    Tile("late", "Unreviewed too long", waits_too_long),
    Tile(
        "repeat",
        "Awaiting repeat",
        lambda flag: (
            flag.review == "awaiting_repeat"
            or (flag.attention < INFO_PLACE and flag.confirmation in ("needs_repeat", "repeat_overdue"))
        ),
    ),
    Tile("overdue", "Monitoring overdue", lambda flag: flag.rule == "overdue" and flag.machine == "open"),
    Tile(
        "not_evaluated",
        "Could not be evaluated",
        lambda flag: flag.rule == "not_evaluated" and flag.machine == "open",
    ),
    Tile("closure", "Closure proposed", lambda flag: flag.machine == MACHINE_CLEARED),
    Tile("info", "For information", lambda flag: flag.attention == INFO_PLACE),
)
LEADS: Mapping[str, Callable[[Flag], bool]] = {tile.only: tile.leads for tile in TILES}


class View(NamedTuple):
    """What is asked for in the address, so that a page can be kept as a bookmark."""

    only: str
    mine: bool
    search: str
    after: str

    def url(self, **changes: Any) -> str:
        """The address of this view with some of it changed; anything but the next page begins at the first."""
        asked = self._replace(**({"after": ""} | changes))
        whose = "mine" if asked.mine else None
        return url_for(
            "queue.index", only=asked.only or None, whose=whose, q=asked.search or None, after=asked.after or None
        )

    def carried(self) -> dict[str, Any]:
        """What the review page is told, so that its next patient is the next of this view."""
        asked = {"only": self.only, "whose": "mine" if self.mine else "", "q": self.search}
        return {name: value for name, value in asked.items() if value}


class Other(NamedTuple):
    """A further flag of a patient in a word; `carried` is its review state where somebody has taken it on."""

    headline: Headline
    carried: str


class Row(NamedTuple):
    """One patient as the page shows it."""

    patient: Patient
    taken: Taken
    severity: str
    worst: Flag
    headline: Headline
    why: str
    others: list[Other]
    more: int
    info: int
    points: list[tuple[date, Decimal]]
    band: tuple[Decimal | None, Decimal | None]
    trend_words: str
    owners: str
    owner_ids: str
    is_mine: bool
    news: str
    waits_since: datetime | None
    due_on: date | None
    suggestion: Suggestion
    proposed: bool
    url: str


# ---------------------------------------------------------------------------------------------- a row


def row_of(found: QueueRow, view: View, place: Around, me: int) -> Row:
    leads = LEADS.get(view.only)
    flags = sorted(found.flags, key=lambda flag: not leads(flag)) if leads else found.flags
    worst, rest = flags[0], flags[1:]
    shown = _others(worst, [flag for flag in rest if flag.attention % CARRIED_OFFSET != INFO_PLACE])
    band = _band(worst, found.trend_of)
    points = [(on, Decimal(str(value))) for on, value, _ in found.trend] if _is_drawn(worst, found.trend_of) else []
    owners = {flag.owner_id for flag in flags if flag.owner_id is not None}
    return Row(
        patient=found.patient,
        taken=taken(found.dosing),
        severity=_severity(worst),
        worst=worst,
        headline=headline(worst),
        why=why(worst),
        others=shown[:OTHERS],
        more=len(shown[OTHERS:]),
        info=sum(flag.attention == INFO_PLACE for flag in rest),
        points=points,
        band=band,
        trend_words=_trend_words(found.trend_of, points),
        owners=", ".join("you" if who == me else place.people.get(who, "somebody else") for who in sorted(owners)),
        owner_ids=" ".join(str(who) for who in sorted(owners)),
        is_mine=owners == {me},
        news=_news(flags, place.seen_at),
        waits_since=min(
            (flag.waiting_since for flag in flags if flag.waiting_since and waits_too_long(flag)), default=None
        ),
        due_on=worst.until or worst.due_on,
        suggestion=suggestion(worst),
        proposed=found.proposed,
        url=url_for("review.show", patient_id=found.patient.id, **view.carried(), at=found.cursor),
    )


def _severity(flag: Flag) -> str:
    """The word for the place in the queue: an urgent finding that eased before anybody looked stays urgent."""
    return SEVERITIES[flag.attention % CARRIED_OFFSET] if flag.review not in CARRIED else flag.severity


def _others(worst: Flag, rest: list[Flag]) -> list[Other]:
    """The other flags in a word each, the worst first: one a subject, and not what the first one says already."""
    named: dict[str, Other] = {}
    for flag in sorted(rest, key=lambda flag: (RANK[flag.severity], flag.attention)):
        if flag.subject != worst.subject:
            named.setdefault(flag.subject, Other(headline(flag), flag.review if flag.review in CARRIED else ""))
    return list(named.values())


def _is_drawn(worst: Flag, trend_of: str) -> bool:
    return trend_of == worst.subject or any(fact["analyte"] == trend_of for fact in worst.evidence)


def _band(worst: Flag, trend_of: str) -> tuple[Decimal | None, Decimal | None]:
    facts = [fact for fact in worst.evidence if fact["analyte"] == trend_of]
    return canonical_band(facts[-1]) if facts else (None, None)


def _trend_words(subject: str, points: list[tuple[date, Decimal]]) -> str:
    if not points:
        return ""
    unit = ANALYTES[subject].unit if subject in ANALYTES else ""
    return f"{subject_name(subject)}: {count(len(points), 'value')}, last {points[-1][1]} {unit}".strip()


def _news(flags: list[Flag], seen_at: datetime | None) -> str:
    """`new`, `changed` or "" since somebody last looked; what they did themselves is no news to them."""
    if seen_at is None:
        return ""
    own = session.get("own_changes", {})
    fresh = [flag for flag in flags if flag.changed_at > seen_at and own.get(str(flag.id)) != _stamp(flag.changed_at)]
    if any(flag.first_seen_at > seen_at for flag in fresh):
        return "new"
    return "changed" if fresh else ""


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def remember_own(flags: list[Flag]) -> None:
    """Keep with this browser's session which changes were the person's own, the last hundred of them."""
    own = dict(session.get("own_changes", {})) | {str(flag.id): _stamp(flag.changed_at) for flag in flags}
    session["own_changes"] = dict(list(own.items())[-100:])
