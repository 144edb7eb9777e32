"""What a protocol asks for before the first dose: what is there, what is missing, what speaks against starting.

No rule runs here. What was found is handed in: stored flags of a recorded course, findings of one that is only
thought of.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tracker.domain.episodes import at_or_beyond
from tracker.domain.findings import Finding
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import Limit, Protocol, Screen, Sourced
from tracker.domain.schedule import INITIATION_MAX_AGE
from tracker.domain.screening_facts import NAMES, PREGNANCY, answered, may_bear_children
from tracker.models import Flag

READY, OPEN, BLOCKED, NOT_NEEDED = "ready", "open", "blocked", "not_needed"
DO_NOT_START = "do_not_start"
_RULES = (DO_NOT_START, "dosing", "not_evaluated")
_SCREENING = "screening"


class Concern(NamedTuple):
    """What a rule says about a start: the sentence, and whether the label says not to start."""

    rule: str
    subject: str
    entry: str
    severity: str
    sentence: str
    against: bool
    source: str
    verified: bool


def concerns(found: Iterable[Flag | Finding], protocol: Protocol) -> list[Concern]:
    """The findings that are about starting on this protocol, worst first as they came."""
    return [
        Concern(
            f.rule, f.subject, f.entry, f.severity, f.sentence, f.suggested == DO_NOT_START, f.source, f.verified
        )
        for f in found
        if f.rule == _SCREENING or (f.rule in _RULES and f.yardstick.split(" ")[0] == protocol.id)
    ]  # fmt: skip


class Line(NamedTuple):
    """One thing the protocol asks for. `state` is ready, open (work to do), blocked (speaks against) or not needed.

    `done` is the day it was done, `lab` the result that answers it, `bound` the limit it is held against as printed.
    """

    name: str
    state: str
    words: str
    required: bool
    origin: Sourced
    done: date | None = None
    lab: Lab | None = None
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """The page's list: screening items, then blood tests with their limits, then what else is to be thought of.

    `begun`: the first dose has been taken, so that what is missing is made good, not awaited.
    """

    protocol: Protocol
    begun: bool
    screening: tuple[Line, ...]
    bloods: tuple[Line, ...]
    other: tuple[Concern, ...]

    @property
    def state(self) -> str:
        """blocked where anything speaks against starting, open where something required is missing, else ready."""
        lines = (*self.screening, *self.bloods)
        if any(line.state == BLOCKED for line in lines) or any(concern.against for concern in self.other):
            return BLOCKED
        return OPEN if any(line.state == OPEN and line.required for line in lines) else READY

    @property
    def to_do(self) -> int:
        return sum(line.state == OPEN and line.required for line in (*self.screening, *self.bloods))


def checklist(history: History, course: Course, protocol: Protocol, found: list[Concern]) -> Checklist:
    """What the protocol asks for before the first dose of `course`, held against the history."""
    screening = tuple(_screening(history, course, screen, found) for screen in protocol.screening)
    bloods = (*_limits(history, course, protocol, found), *_baselines(history, course, protocol))
    items = {screen.item for screen in protocol.screening}
    limited = {limit.analyte for limit in protocol.initiation}
    other = (
        concern
        for concern in found
        if concern.subject not in (items if concern.rule == _SCREENING else limited) or concern.rule == "dosing"
    )
    return Checklist(protocol, course.started(history.as_of), screening, bloods, tuple(other))


def _screening(history: History, course: Course, screen: Screen, found: list[Concern]) -> Line:
    name = NAMES.get(screen.item, screen.item)
    said = [concern for concern in found if concern.rule == _SCREENING and concern.subject == screen.item]
    days = [day for day in answered(history, course, screen) if day <= history.as_of]
    done = days[-1] if days else None
    against = next((concern for concern in said if concern.against), None)
    if against is not None:
        return Line(name, BLOCKED, _without(name, against.sentence), screen.required, screen.origin, done)
    if said:
        return Line(name, OPEN, _without(name, said[0].sentence), screen.required, screen.origin, done)
    if screen.item == PREGNANCY and not may_bear_children(history, course):
        return Line(name, NOT_NEEDED, "not asked of this patient", False, screen.origin)
    if done is None:
        return Line(name, OPEN, "nothing on record", screen.required, screen.origin)
    return Line(name, READY, "done", screen.required, screen.origin, done)


def _without(name: str, sentence: str) -> str:
    """The sentence without the name of the item, which stands before it on the page."""
    return sentence.removeprefix(f"{name}: ")


def _limits(history: History, course: Course, protocol: Protocol, found: list[Concern]) -> Iterator[Line]:
    for limit in protocol.initiation:
        lab = _latest(history, course, limit.analyte)
        state, words = _verdict(course, limit, lab, found)
        bound = limit.words if limit.high is not None else ""
        yield Line(
            history.name(limit.analyte), state, words, True, limit.origin, lab.collected_on if lab else None, lab, bound
        )


def _verdict(course: Course, limit: Limit, lab: Lab | None, found: list[Concern]) -> tuple[str, str]:
    meets = at_or_beyond(limit)
    if meets is None:
        return OPEN, limit.condition or "only a clinician can judge this"
    if any(concern.rule == DO_NOT_START and concern.entry == limit.id for concern in found):
        return BLOCKED, "do not start"
    if lab is None:
        return OPEN, "not measured"
    if lab.collected_on < course.started_on - INITIATION_MAX_AGE:
        return OPEN, "too old to judge by"
    met = meets(lab)
    if met is None:
        return OPEN, "could not be evaluated"
    return (OPEN, "was met, and has not been repeated") if met else (READY, "may start")


def _baselines(history: History, course: Course, protocol: Protocol) -> Iterator[Line]:
    """The tests asked for before the first dose that no limit is set on, each once."""
    shown = {limit.analyte for limit in protocol.initiation}
    for entry in protocol.schedule:
        for code in entry.members if entry.baseline else ():
            if code in shown:
                continue
            shown.add(code)
            lab = _latest(history, course, code)
            recent = lab is not None and (course.started_on - lab.collected_on).days <= protocol.baseline_window_days
            words = "done" if recent else f"older than {protocol.baseline_window_days} days" if lab else "not measured"
            done = lab.collected_on if lab else None
            yield Line(history.name(code), READY if recent else OPEN, words, True, entry.origin, done, lab)


def _latest(history: History, course: Course, code: str) -> Lab | None:
    """The last result before the first dose; a sample of that day counts as taken before it."""
    return next((lab for lab in reversed(history.labs.get(code, ())) if lab.collected_on <= course.started_on), None)
