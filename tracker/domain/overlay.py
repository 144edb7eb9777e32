"""What a clinic may change of a protocol: a line made stricter, or an unverified one changed freely or switched off.

A figure that two public sources bear out is the label's floor: a clinic may act earlier, ask more often and wait less,
never the other way round. Figures the authors proposed (the grace) and unverified lines are the clinic's to set.

Which version judges: a limit, from the first sample of an episode to its end, by the version of that first sample's
day; a check of the schedule that is still open, and every other line, by the version in force on the day of judging.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from tracker.domain.dates import Span, add, span
from tracker.domain.errors import BadData, Refused
from tracker.domain.protocol import FALL_FROM_BASELINE, Limit, Protocol, ScheduleEntry, Sourced
from tracker.domain.values import plain, read_number

Body = Mapping[str, str]
LIMIT_KEYS = ("value", "confirm_within")
SCHEDULE_KEYS = ("first_from", "first_to", "every", "grace_days")
OFF = "off"
VALUE, CONFIRM_WITHIN, GRACE_DAYS = "value", "confirm_within", "grace_days"
MOST_GRACE = 60  # days
ROOMS = ("schedule", "initiation", "on_treatment", "screening", "events", "dose_adjust")


class Published(NamedTuple):
    """A published version of one setting. `body` holds what differs from the file; empty: nothing does."""

    id: int
    kind: str
    scope: str
    number: int
    effective_from: date
    body: Mapping[str, Any]
    source: str = ""


def line_id(line: Any) -> str:
    """What names a line within its protocol."""
    for name in ("id", "item", "event"):
        if hasattr(line, name):
            return str(getattr(line, name))
    raise TypeError(f"{type(line).__name__} is no line of a protocol")


def find_line(protocol: Protocol, key: str) -> Any:
    """The line called `key`. Raises Refused where the protocol has none."""
    for room in ROOMS:
        for line in getattr(protocol, room):
            if line_id(line) == key:
                return line
    raise Refused(f"The protocol {protocol.id} has no line “{key}”.")


# ---------------------------------------------------------------------------------------------- one line


def changed(line: Any, body: Body, name: str, source: str = "") -> Any:
    """The line as the clinic has it, `name` being the clinic's version; None where it is switched off.

    `body` maps one of the keys above to text: a figure in the line's unit, an ISO duration, days; or `off`. Raises
    Refused with a sentence for what may not be changed.
    """
    if body.get(OFF):
        return _off(line)
    given = {key: text for key, text in body.items() if text}
    if not given:
        return line
    keys = LIMIT_KEYS if isinstance(line, Limit) else SCHEDULE_KEYS if isinstance(line, ScheduleEntry) else ()
    strange = [key for key in given if key not in keys]
    if strange:
        raise Refused(f"Of this line “{strange[0]}” cannot be changed.")
    result = _limit(line, given) if isinstance(line, Limit) else _schedule(line, given)
    origin = Sourced(line.origin.text, _named(line.origin, name, source), line.origin.verified)
    return result._replace(overlay=name, origin=origin)


def _named(origin: Sourced, name: str, source: str) -> str:
    return f"{name}{f' ({source})' if source else ''}; the protocol's line: {origin.source}"


def _off(line: Any) -> None:
    if line.origin.verified:
        raise Refused("Two public sources bear this line out: it can be made stricter, and not be switched off.")


def _limit(line: Limit, given: Body) -> Limit:
    if line.condition and line.high is None:
        raise Refused("This line has no figure: a clinician judges it.")
    result = line
    if "value" in given:
        figure = _figure(given["value"])
        result = _fall(line, figure) if line.measure == FALL_FROM_BASELINE else _bound(line, figure)
    if "confirm_within" in given:
        within = _span(given["confirm_within"])
        if not line.confirm:
            raise Refused("This limit acts at once: there is nothing to confirm.")
        if line.origin.verified and not never_later(within, line.confirm_within):
            raise Refused(f"The label’s line waits {line.confirm_within} for the repeat: the clinic may wait less.")
        result = result._replace(confirm_within=within)
    return result


def _bound(line: Limit, figure: Decimal) -> Limit:
    assert line.high is not None
    if line.origin.verified and figure < line.high:
        raise Refused(
            f"The label acts below {plain(line.high)} {line.unit}. A clinic may act earlier, at a higher figure, "
            f"and never later: {plain(figure)} would loosen it."
        )
    if line.low is not None and figure <= line.low:
        raise Refused(f"The band begins at {plain(line.low)} {line.unit}: it has to end above that.")
    # Where the clinic holds earlier, it resumes later: not at a value at which it would hold again.
    resume = None if line.resume_value is None else max(line.resume_value, figure)
    return line._replace(high=figure, resume_value=resume)


def _fall(line: Limit, figure: Decimal) -> Limit:
    assert line.above is not None
    if line.origin.verified and figure > line.above:
        raise Refused(
            f"The label acts at a fall of more than {plain(line.above)} {line.unit}. A clinic may act at a smaller "
            f"fall, and never at a greater one: {plain(figure)} would loosen it."
        )
    return line._replace(above=figure)


def _schedule(line: ScheduleEntry, given: Body) -> ScheduleEntry:
    spans: dict[str, Any] = {key: _span(given[key]) for key in ("first_from", "first_to", "every") if key in given}
    for key, words in (("first_to", "the first check by"), ("every", "a check every")):
        label = getattr(line, key)
        if key in spans and line.origin.verified and label is not None and not never_later(spans[key], label):
            raise Refused(f"The label asks for {words} {label}: the clinic may ask sooner, and not later.")
    result = line._replace(**spans)
    if result.first_to is not None and not never_later(result.first_from or result.first_to, result.first_to):
        raise Refused(f"The first check cannot open at {result.first_from} and close at {result.first_to}.")
    if "grace_days" in given:
        result = result._replace(grace_days=_days(given["grace_days"]))
    return result


def _figure(text: str) -> Decimal:
    number = read_number(text)
    if number is None or number.comparator or number.figure <= 0:
        raise Refused(f"“{text}” is not a figure above zero. Write it like 1.2")
    return number.figure


def _span(text: str) -> Span:
    try:
        found = span(text)
    except BadData as error:
        raise Refused(str(error)) from None
    if found == Span(0, 0):
        raise Refused("A time of nothing is none.")
    return found


def _days(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > MOST_GRACE:
        raise Refused(f"The grace is a whole number of days, at most {MOST_GRACE}.")
    return int(text)


def never_later(one: Span, other: Span) -> bool:
    """Whether `one` never ends after `other`, whatever the day it is counted from (months have 28 to 31 days)."""
    days = (date(2023, 3, 1) + timedelta(days=passed) for passed in range(731))
    return all(add(day, one) <= add(day, other) for day in days)


# ---------------------------------------------------------------------------------------------- the protocol


def dated_protocol(
    protocol: Protocol, settings: Iterable[Published], clinic: str, as_of: date, wide: Iterable[Published] = ()
) -> Protocol:
    """The protocol in force on `as_of`, with every version before it. `settings` are of lines of this protocol, `wide`
    hold for all protocols of the clinic.
    """
    lines, overall = _by_scope(settings, as_of), _by_scope(wide, as_of)
    days = sorted({one.effective_from for held in (*lines.values(), *overall.values()) for one in held})
    if not days:
        return protocol
    versions = [(date.min, protocol)]
    for day in days:
        own = _standing(lines, day)
        versions.append((day, _shortened(_overlaid(protocol, own, clinic), own, _standing(overall, day), clinic)))
    return replace(versions[-1][1], versions=tuple(versions))


def _by_scope(settings: Iterable[Published], as_of: date) -> dict[str, list[Published]]:
    """The versions of each line, or of each setting that is about no line."""
    found: dict[str, list[Published]] = {}
    for setting in settings:
        if setting.effective_from <= as_of:
            found.setdefault(setting.scope.rpartition("/")[2], []).append(setting)
    return found


def _standing(versions: Mapping[str, Sequence[Published]], day: date) -> dict[str, Published]:
    held = {key: in_force(found, day) for key, found in versions.items()}
    return {key: version for key, version in held.items() if version is not None and version.body}


def in_force(versions: Iterable[Published], day: date) -> Published | None:
    """The version of one setting in force on a day: the latest to come into force, the last published of those."""
    begun = [version for version in versions if version.effective_from <= day]
    return max(begun, key=lambda version: (version.effective_from, version.number), default=None)


def _overlaid(protocol: Protocol, settings: Mapping[str, Published], clinic: str) -> Protocol:
    def room(lines: Sequence[Any]) -> tuple[Any, ...]:
        found = (_applied(line, settings.get(line_id(line)), clinic) for line in lines)
        return tuple(line for line in found if line is not None)

    rooms: dict[str, Any] = {name: room(getattr(protocol, name)) for name in ROOMS}
    return replace(protocol, **rooms)


def _applied(line: Any, setting: Published | None, clinic: str) -> Any:
    """A version that no longer fits its line (a later protocol file is stricter) leaves the line as it is."""
    if setting is None:
        return line
    try:
        return changed(line, setting.body, f"{clinic} v{setting.number}", setting.source)
    except Refused:
        return line


# ---------------------------------------------------------------------------------------------- the whole clinic


def _shortened(
    protocol: Protocol, own: Mapping[str, Published], wide: Mapping[str, Published], clinic: str
) -> Protocol:
    """With the clinic's time to a repeat, where that is shorter, and its grace. A line's own figure comes first."""
    result = protocol
    if (grace := wide.get(GRACE_DAYS)) is not None:
        result = replace(result, due_grace_days=int(grace.body[VALUE]), grace_by=f"{clinic} v{grace.number}")
    if (window := wide.get(CONFIRM_WITHIN)) is not None:
        within, name = span(window.body[VALUE]), f"{clinic} v{window.number}"

        def sooner(limit: Limit) -> Limit:
            kept = CONFIRM_WITHIN in own[limit.id].body if limit.id in own else False
            if kept or not limit.confirm or not shorter(within, limit.confirm_within):
                return limit
            return limit._replace(confirm_within=within, window_by=name)

        rooms = {room: tuple(map(sooner, getattr(result, room))) for room in ("initiation", "on_treatment")}
        result = replace(result, initiation=rooms["initiation"], on_treatment=rooms["on_treatment"])
        if shorter(within, result.confirm_within):
            result = replace(result, confirm_within=within, window_by=name)
    return result


def shorter(one: Span, other: Span) -> bool:
    return one != other and never_later(one, other)
