"""When which lab is due: windows after the first dose, then intervals; and what the calendar alone can change.

Source: the schedules of the protocols, composite rules section 7. A first check has a window counted from the
first dose (or from the day a break of four weeks or more ended) and wants a sample taken on the drug inside it or
later; afterwards every sample resets the interval. Some lines want one more after a raised dose. A hold does not pause
the intervals. Months are calendar months.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tracker.domain.dates import Span, add
from tracker.domain.dosing_facts import increases
from tracker.domain.findings import Finding
from tracker.domain.history import Course, History, Hold, Lab, Waiver
from tracker.domain.illness import AFTERMATH, clusters, infections
from tracker.domain.protocol import Protocol, ScheduleEntry, Sourced
from tracker.domain.retests import HBV_DNA_EVERY, TB_TEST_VALID, Retest, retests

NOT_DUE, DUE, OVERDUE = "not_due", "due", "overdue"
DAY = timedelta(days=1)
LONG_BREAK = timedelta(days=28)  # author-proposed: so long off the drug, and the first check begins again
VERY_LATE = timedelta(days=30)
HOLD_REVIEW = timedelta(days=14)  # author-proposed
INITIATION_MAX_AGE = timedelta(days=90)  # older than this, a result no longer speaks for or against a start


class DueItem(NamedTuple):
    """What is asked for of one subject (an analyte's code or a panel's name): the earliest date, all reasons.

    `due` from `due_from` to `due_on` and the grace after it, `overdue` from `overdue_from` on. An item for a
    course that has not begun is never overdue, nor is one that is put off, up to and with `waived.until`.
    """

    subject: str
    due_from: date
    due_on: date
    overdue_from: date
    state: str
    reason: str
    source: str
    verified: bool
    course_id: int
    waived: Waiver | None = None
    waivable: bool = False


class Check(NamedTuple):
    """One check in the life of a schedule entry. `met` is the sample that did it, `last` the one before it; `grace_by`
    names the clinic's version of the grace.
    """

    subject: str
    due_from: date
    due_on: date
    overdue_from: date
    reason: str
    origin: Sourced
    met: Lab | None
    last: Lab | None
    overlay: str = ""
    grace_by: str = ""


# ------------------------------------------------------------------------------------------ what counts as done


def _days_of(history: History, code: str) -> set[date]:
    """The days with a result; one without a number in a known unit (a clotted tube) is no check."""
    return {lab.collected_on for lab in history.labs.get(code, ()) if lab.value is not None}


def _samples(history: History, members: Sequence[str], course: Course) -> tuple[Lab, ...]:
    """The samples of a course that hold all `members`, oldest first, a day each, shown by the first member."""
    others = [_days_of(history, code) for code in members[1:]]
    first, last = course.started_on, course.stopped_on or date.max
    found: dict[date, Lab] = {}  # results are oldest first, so the days are too
    for lab in history.labs.get(members[0], ()):
        day = lab.collected_on
        if first <= day <= last and lab.value is not None and all(day in days for days in others):
            found.setdefault(day, lab)
    return tuple(found.values())


# ------------------------------------------------------------------------------------------------- checks


def first_window(entry: ScheduleEntry, anchor: date) -> tuple[date, date] | None:
    """From when to when the first check is due, counted from the first dose; None where the protocol names no time."""
    latest = entry.first_to or entry.every or entry.suggested_every
    if latest is None:
        return None
    return add(anchor, entry.first_from or latest), add(anchor, latest)


def _interval(entry: ScheduleEntry) -> Span | None:
    return entry.every or (None if entry.first_to else entry.suggested_every)


def _grace(protocol: Protocol, entry: ScheduleEntry) -> timedelta:
    """From the due day to the first day it is overdue."""
    return timedelta(days=(protocol.due_grace_days if entry.grace_days is None else entry.grace_days) + 1)


def _grace_by(protocol: Protocol, entry: ScheduleEntry) -> str:
    return protocol.grace_by if entry.grace_days is None else ""


def _origin(entry: ScheduleEntry) -> Sourced:
    """An interval that only the authors propose is not verified, whatever the line says about routine monitoring."""
    proposed = entry.suggested_every is not None and entry.first_to is None and entry.every is None
    return entry.origin._replace(verified=False) if proposed else entry.origin


def _breaks(course: Course, entry: ScheduleEntry, as_of: date) -> Iterator[Hold]:
    """The long breaks that begin a first check anew. A mere interval goes on: a break never postpones it."""
    if entry.first_to is not None and entry.first_to != entry.every:
        for hold in course.holds:
            if hold.until is not None and hold.until <= as_of and hold.until - hold.on >= LONG_BREAK:
                yield hold


def _first_checks(
    protocol: Protocol, course: Course, entry: ScheduleEntry, done: Sequence[Lab], as_of: date
) -> list[Check]:
    """The checks counted from the first dose and from the end of each long break.

    One that the break left no time for gives way to the new one; one that was late already stays.
    """
    found = _first_check(protocol, course, entry, done, course.started_on, "the first dose")
    for hold in _breaks(course, entry, as_of):
        if found and hold.on <= found[-1].due_on and not (found[-1].met and found[-1].met.collected_on < hold.on):
            found.pop()
        found += _first_check(protocol, course, entry, done, hold.until or as_of, "the restart")
    return found


def _first_check(
    protocol: Protocol, course: Course, entry: ScheduleEntry, done: Sequence[Lab], anchor: date, event: str
) -> list[Check]:
    window = first_window(entry, anchor)
    if window is None:
        return []
    span = f"{entry.first_from or _interval(entry)}"
    if window[0] != window[1]:
        span = f"{entry.first_from} to {entry.first_to}"
    reason = f"first check {span} after {event} on {anchor}"
    return [_once(protocol, course, entry, done, window, reason, _origin(entry))]


def _after_increases(
    protocol: Protocol, course: Course, entry: ScheduleEntry, done: Sequence[Lab], as_of: date
) -> Iterator[Check]:
    """A check so long after each day on which the dose was raised."""
    after = entry.after_increase
    if after is None:
        return
    for day in increases(course, as_of):
        due = add(day, after)
        reason = f"{after} after the dose was raised on {day}"
        origin = Sourced(entry.origin.text, entry.increase_source, False)
        yield _once(protocol, course, entry, done, (due, due), reason, origin)


def _once(
    protocol: Protocol, course: Course, entry: ScheduleEntry, done: Sequence[Lab], window: tuple[date, date],
    reason: str, origin: Sourced,
) -> Check:  # fmt: skip
    """A check that is done once, by a sample taken on the drug in its window or later. One day has an allowance."""
    opens, closes = window
    if opens == closes:
        opens -= timedelta(days=protocol.early_days)
    in_time = (lab for lab in done if lab.collected_on >= opens)
    met = next((lab for lab in in_time if course.on_treatment(lab.collected_on)), None)
    late = closes + _grace(protocol, entry)
    named = (entry.overlay, _grace_by(protocol, entry))
    return Check(entry.subject, opens, closes, late, reason, origin, met, None, *named)


def _repeats(protocol: Protocol, entry: ScheduleEntry, every: Span, done: Sequence[Lab], start: Lab) -> Iterator[Check]:
    """One check after each sample from `start` on; the last is still to be done. Samples on a hold count."""
    early, late = timedelta(days=protocol.early_days), _grace(protocol, entry)
    later = [lab for lab in done if lab.collected_on > start.collected_on]
    for last, met in zip([start, *later], [*later, None], strict=True):
        due = add(last.collected_on, every)
        if met is None or met.collected_on > due:  # done in time: nothing to tell of years of them
            reason = f"every {every}, last done on {last.collected_on}"
            named = (entry.overlay, _grace_by(protocol, entry))
            yield Check(entry.subject, due - early, due, due + late, reason, _origin(entry), met, last, *named)


def checks(history: History, course: Course, protocol: Protocol, entry: ScheduleEntry) -> tuple[Check, ...]:
    """The checks of one schedule entry in a course that has begun: the first ones, those done late, what is to come."""
    key = (checks, course.id, entry.id, entry.overlay, protocol.due_grace_days, protocol.grace_by)
    found: tuple[Check, ...] | None = history.worked_out.get(key)
    if found is None:
        found = history.worked_out[key] = tuple(_checks(history, course, protocol, entry))
    return found


def _checks(history: History, course: Course, protocol: Protocol, entry: ScheduleEntry) -> Iterator[Check]:
    done = _samples(history, entry.members, course)
    first_checks = _first_checks(protocol, course, entry, done, history.as_of)
    yield from first_checks
    yield from _after_increases(protocol, course, entry, done, history.as_of)
    first = next((check.met for check in first_checks if check.met is not None), None)
    every = _interval(entry)
    if every is not None and first is not None:
        yield from _repeats(protocol, entry, every, done, first)


def dated_checks(history: History, course: Course, protocol: Protocol) -> Iterator[Check]:
    """The checks of every schedule entry: a check that was done by the version in force on the day it was done, one
    still open by the version in force on `as_of`.
    """
    for since, until, version in protocol.spans():
        for entry in version.schedule:
            for check in checks(history, course, version, entry):
                settled = check.met.collected_on if check.met else history.as_of
                if since <= settled < until:
                    yield check


def _baseline(history: History, course: Course, protocol: Protocol, entry: ScheduleEntry) -> Iterator[Check]:
    """What a course that has not begun still wants before its first dose."""
    opens = course.started_on - timedelta(days=protocol.baseline_window_days)
    start = course.started_on
    done = set.intersection(*(_days_of(history, code) for code in entry.members))
    if entry.baseline and not any(day >= opens for day in done):
        reason = f"baseline before the first dose on {start}"
        yield Check(entry.subject, opens, start, start + DAY, reason, entry.origin, None, None)


def _open_checks(history: History) -> Iterator[tuple[Course, Check]]:
    for course, protocol in history.treatments():
        if course.over(history.as_of):
            continue
        judge: Callable[..., Iterable[Check]] = checks if course.started(history.as_of) else _baseline
        for entry in protocol.schedule:
            asked = judge(history, course, protocol, entry)
            yield from ((course, check) for check in asked if check.met is None)


# --------------------------------------------------------------------------------------------- due items


def distinct(words: Iterable[str]) -> str:
    """The words once each, in their order."""
    return "; ".join(dict.fromkeys(word for word in words if word))


def state(check: Check, as_of: date) -> str:
    if as_of < check.due_from:
        return NOT_DUE
    return DUE if as_of < check.overdue_from else OVERDUE


def waivers_of(check: Check, waivers: Iterable[Waiver]) -> list[Waiver]:
    """What puts this check off, in order: a check that was not asked for yet on the day is another one."""
    found = (w for w in waivers if w.subject == check.subject and check.due_from <= w.on)
    return sorted(found, key=lambda waiver: waiver.on)


def due_items(history: History) -> tuple[DueItem, ...]:
    """One item a subject for the courses that run or are planned, earliest first; nothing left to do: no item."""
    by_subject: dict[str, list[tuple[Course, Check]]] = {}
    for course, check in _open_checks(history):
        by_subject.setdefault(check.subject, []).append((course, check))
    items = [_item(pairs, history) for pairs in by_subject.values()]
    items += _retests(history)
    return tuple(sorted(items, key=lambda item: (item.due_on, item.subject)))


def _retests(history: History) -> list[DueItem]:
    """The TB and hepatitis B tests that are to come, one item a test; there is no grace."""
    found: dict[str, tuple[Course, Retest]] = {}
    for course, protocol in history.treatments():
        for retest in retests(history, course, protocol) if not course.over(history.as_of) else ():
            if retest.subject not in found or retest.due_on < found[retest.subject][1].due_on:
                found[retest.subject] = (course, retest)
    return [_retest_item(course, retest, history.as_of) for course, retest in found.values()]


def _retest_item(course: Course, retest: Retest, as_of: date) -> DueItem:
    late = retest.due_on + DAY
    stands = NOT_DUE if as_of < retest.due_from else DUE if as_of < late else OVERDUE
    return DueItem(
        retest.subject, retest.due_from, retest.due_on, late, stands, retest.reason, retest.origin.source,
        retest.origin.verified, course.id,
    )  # fmt: skip


def _item(pairs: list[tuple[Course, Check]], history: History) -> DueItem:
    course, first = min(pairs, key=lambda pair: pair[1].due_on)
    wanted = sorted((check for _, check in pairs), key=lambda check: check.due_on)
    stands = state(first, history.as_of)
    waived = next((w for w in waivers_of(first, history.waivers) if w.on <= history.as_of <= w.until), None)
    return DueItem(
        first.subject, first.due_from, first.due_on, first.overdue_from,
        DUE if waived is not None and stands == OVERDUE else stands,
        distinct(check.reason for check in wanted), distinct(check.origin.source for check in wanted),
        all(check.origin.verified for check in wanted), course.id, waived, waivable=True,
    )  # fmt: skip


# --------------------------------------------------------------------------- what the calendar alone changes


def next_change(history: History, findings: Iterable[Finding] = ()) -> date | None:
    """The next day after `as_of` on which a verdict may change though nothing new is recorded; None: never.

    It errs on the early side: judging a patient once for nothing does no harm. `findings` are this history's.
    """
    days = [
        *_days_of_checks(history),
        *_days_of_courses(history),
        *_days_of_tests(history),
        *_days_of_infections(history),
        *history.changes_on,
        *(waiver.until + DAY for waiver in history.waivers),
        *(f.due_on + DAY for f in findings if f.is_open and f.due_on is not None),
    ]
    return min((day for day in days if day > history.as_of), default=None)


def _days_of_checks(history: History) -> Iterator[date]:
    for _, check in _open_checks(history):
        yield from (check.due_from, check.overdue_from, check.due_on + VERY_LATE + DAY)


def _days_of_courses(history: History) -> Iterator[date]:
    for course, protocol in history.treatments():
        yield from (course.started_on, course.started_on - timedelta(days=protocol.baseline_window_days))
        if protocol.benefit is not None:
            yield add(course.started_on, protocol.benefit.after)
        if course.stopped_on is not None:
            yield from (course.stopped_on, course.stopped_on + AFTERMATH + DAY)
        for hold in course.holds:
            yield from (hold.on, hold.on + HOLD_REVIEW + DAY, hold.until or hold.on)
            yield hold.review_on + DAY if hold.review_on else hold.on
        yield from (dose.on for dose in course.doses)
        if course.started_on > history.as_of:
            labs = (lab for limit in protocol.initiation for lab in history.labs.get(limit.analyte, ()))
            yield from (lab.collected_on + INITIATION_MAX_AGE + DAY for lab in labs)
    for medication in history.medications:
        yield from (day for day in (medication.started_on, medication.stopped_on) if day)


def _days_of_tests(history: History) -> Iterator[date]:
    for code, valid in (("IGRA", TB_TEST_VALID), ("HBVDNA", HBV_DNA_EVERY), ("ANTIHBC", HBV_DNA_EVERY)):
        for lab in history.labs.get(code, ())[-1:]:
            yield add(lab.collected_on, valid) + DAY


def _days_of_infections(history: History) -> Iterator[date]:
    for event in history.events:
        yield from (day for day in (event.onset_on, event.controlled_on, event.resolved_on) if day)
    onsets = sorted(infection.event.onset_on for infection in infections(history) if infection.event.onset_on)
    for count, within in ((3, 180), (2, 365)):
        yield from (cluster.until for cluster in clusters(onsets, count, within))
