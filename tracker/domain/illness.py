"""Infections as the rules see them: what kind, how long active, which line of a protocol speaks about them.

The lines of a protocol say `serious_infection`, `opportunistic_infection`, `herpes_zoster`, `active_tb`. What a
protocol leaves out is filled in here, so that an infection on a watched drug is never passed over.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tracker.domain.history import Event, History
from tracker.domain.infections import Term
from tracker.domain.opportunistic import Verdict, list_on
from tracker.domain.protocol import EventLine, Protocol, Sourced

INFECTION = "infection"
AFTERMATH = timedelta(days=30)  # author-proposed: so long after the last dose an infection is still the drug's
HOLD, STOP, CONSULT = "hold", "stop", "consult"
_GRAVEST = (STOP, HOLD, CONSULT, "")

_ALL_LABELS = Sourced("until infection controlled", "warnings of all JAK-inhibitor labels read", True)
_INDICATOR = Sourced("", "Winthrop 2015 (indicator infection); the protocol has no line on zoster", False)
_WORK_UP = Sourced("full work-up, then monitor", "Xeljanz US label, Serious Infections", False)
_SERIOUS = EventLine("serious_infection", HOLD, _ALL_LABELS)
_ZOSTER = EventLine("herpes_zoster", CONSULT, _INDICATOR)
_NEW = EventLine("new_infection", "", _WORK_UP)


def wording(event: Event) -> str:
    """Everything that was written about what the event is."""
    return f"{event.term} {event.site} {event.organism}"


def serious(event: Event) -> bool:
    """Recorded as serious; where that was left open, a hospital stay or a criterion says so."""
    if event.serious is not None:
        return event.serious
    return event.hospitalised is True or event.criteria.strip().casefold() not in ("", "none", "no")


def ended_on(event: Event, as_of: date, over: Sequence[str], resolved_only: bool = False) -> date | None:
    """The day the event was controlled or resolved, as far as known by `as_of`; None while it is active.

    An outcome that says it is over counts where no day was written down: taken to have ended with its onset.
    """
    days = (event.resolved_on,) if resolved_only else (event.resolved_on, event.controlled_on)
    known = [day for day in days if day is not None and day <= as_of]
    if known:
        return max(min(known), event.onset_on or date.min)
    if event.outcome.strip().casefold() in over and event.resolved_on is None and event.controlled_on is None:
        return event.onset_on or date.min
    return None


class Infection(NamedTuple):
    """An infection with its marks. `listed` is its line on the opportunistic list, whatever labels count; `own` what
    the clinic's version of the list says of it, where that differs from what is shipped.
    """

    event: Event
    serious: bool
    zoster: bool
    widespread: bool
    tuberculosis: bool
    listed: Term | None
    own: Verdict | None = None

    @property
    def name(self) -> str:
        return self.event.term.strip() or INFECTION

    @property
    def opportunistic(self) -> bool:
        """As recorded, as the clinic counts, or as the labels do: of zoster what is multidermatomal or disseminated."""
        if self.event.opportunistic is True:
            return True
        if self.own is not None:
            return self.own.counts
        return self.widespread if self.zoster else self.listed is not None

    @property
    def starts(self) -> str:
        return self.event.onset_on.isoformat() if self.event.onset_on else f"event {self.event.id}"


def _read(event: Event, history: History) -> Infection:
    """With the clinic's list of the day it began; of the day of judging, where that is not known."""
    words, text = history.vocabulary, wording(event)
    own = list_on(history.lists, event.onset_on or history.as_of)
    zoster = words.zoster.fits(text)
    widespread = zoster and words.widespread.fits(text)
    kept = words.opportunistic_term(text, own.without)
    listed = kept or (words.opportunistic_term(text) if own.without else None)
    found = Infection(event, serious(event), zoster, widespread, words.tuberculosis.fits(text), listed)
    shipped, still = (widespread if zoster else line is not None for line in (listed, kept))
    return found._replace(own=own.verdict(text, zoster, shipped, still))


def infections(history: History) -> Iterator[Infection]:
    """The infections known by `as_of`; an event of another kind is one if its term is on the opportunistic list."""
    for event in history.events:
        if event.onset_on is not None and event.onset_on > history.as_of:
            continue
        infection = _read(event, history)
        if event.kind == INFECTION or (event.kind == "other" and (infection.listed or infection.own) is not None):
            yield infection


def _lines(infection: Infection, protocol: Protocol) -> Iterator[EventLine]:
    on_serious = protocol.event("serious_infection") or _SERIOUS
    active_tb = protocol.event("active_tb")
    if infection.tuberculosis and active_tb is not None:
        yield active_tb
    if infection.serious:
        yield on_serious
    if infection.opportunistic:
        name = "opportunistic_infection"
        yield protocol.event(name) or on_serious._replace(event=name)
    if infection.zoster:
        yield protocol.event("herpes_zoster") or _ZOSTER
    unanswered = protocol.event("infection_not_responding")
    if unanswered is not None and "not responding" in infection.event.outcome.casefold():
        yield unanswered
    yield _NEW


def asked_for(infection: Infection, protocol: Protocol) -> EventLine:
    """The gravest line of the protocol on this infection; "new_infection", with no action, where there is none."""
    return min(_lines(infection, protocol), key=lambda line: gravity(line.action))


def counted_by(infection: Infection, protocol: Protocol) -> str:
    """The clinic's version of the list without which another line would be asked for; "" where that is none."""
    if infection.own is None or asked_for(infection, protocol) == asked_for(infection._replace(own=None), protocol):
        return ""
    return infection.own.name


def gravity(action: str) -> int:
    """0 for stop, then hold, then everything short of it, then no action at all."""
    return _GRAVEST.index(action) if action in _GRAVEST else _GRAVEST.index(CONSULT)


def grave(line: EventLine) -> bool:
    """Whether the line asks for the drug to be interrupted or stopped."""
    return line.action in (HOLD, STOP)


def until_resolved(infection: Infection, protocol: Protocol) -> bool:
    """Whether control is not enough: baricitinib is held for zoster until the episode resolves."""
    line = protocol.event("herpes_zoster")
    return infection.zoster and line is not None and line.action == HOLD


class Cluster(NamedTuple):
    """Days (by index) that lie close together, and the day on which it has been quiet for as long again."""

    first: int
    last: int
    until: date


def clusters(days: Sequence[date], count: int, within: int) -> list[Cluster]:
    """Runs in which `count` or more of the sorted days fall within `within` days of each other (inclusive)."""
    found: list[Cluster] = []
    for last in range(count - 1, len(days)):
        first = last - count + 1
        if (days[last] - days[first]).days > within:
            continue
        until = days[last] + timedelta(days=within + 1)
        if found and found[-1].until > days[last]:
            found[-1] = Cluster(found[-1].first, last, until)
        else:
            found.append(Cluster(first, last, until))
    return found
