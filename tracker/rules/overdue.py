"""A lab that the protocol asks for and that is past its date.

What it flags:
A lab that the protocol of a running course asks for and that is more than the grace (14 days) past its date, from the
first day after the grace until a sample is taken or the drug is stopped. First checks have a window after the first
dose; a sample before the window, or of one analyte for another, does not do. Afterwards each sample sets the next date.
A hold does not pause monitoring; a break of 28 days or more begins the first check anew. A check that somebody put
off with a reason is not overdue up to and with the day they named, and again from the day after.

Why it matters:
Most falls in counts are found by the blood test and by nothing else. In an audit of alopecia clinics most patients were
late for theirs.

Example:
Neutrophils: due on 2025-02-26 (first check 4 weeks to 8 weeks after the first dose on 2025-01-01), no result

Source:
Schedule lines of the protocol. Grace, early samples and the restart after a break are proposed by the authors.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from tracker.domain.findings import ROUTINE, SOON, Finding
from tracker.domain.history import History
from tracker.domain.protocol import Protocol
from tracker.domain.schedule import DAY, VERY_LATE, Check, dated_checks, distinct, waivers_of

CODE = "overdue"


class _Late(NamedTuple):
    """A check that was not done in time: from when, and the day it was done, put off, or lapsed with the course."""

    check: Check
    protocol: Protocol
    begins: date
    closed: date | None
    ending: str


def check(history: History) -> Iterator[Finding]:
    """Subject is the analyte's code or the panel's name; several lines on one subject are one finding."""
    by_subject: dict[str, list[_Late]] = {}
    for late in _late(history):
        by_subject.setdefault(late.check.subject, []).append(late)
    for lates in by_subject.values():
        yield from (_finding(history, episode) for episode in _episodes(lates))


def _late(history: History) -> Iterator[_Late]:
    for course, protocol in history.treatments():
        if not course.started(history.as_of):
            continue
        stopped = course.stopped_on if course.over(history.as_of) else None
        for each in dated_checks(history, course, protocol):
            yield from _spans(history, protocol, each, stopped)


def _spans(history: History, protocol: Protocol, check: Check, stopped: date | None) -> Iterator[_Late]:
    """The days on which a check was late, without those for which it was put off."""
    done = check.met.collected_on if check.met else None
    closed = min((day for day in (done, stopped) if day is not None), default=None)
    begins = check.overdue_from
    for waiver in waivers_of(check, history.waivers):
        if waiver.on > history.as_of or (closed is not None and closed <= waiver.on):
            break
        if begins < waiver.on:
            yield _Late(check, protocol, begins, waiver.on, f"put off on {waiver.on} until {waiver.until}")
        begins = max(begins, waiver.until + DAY)
    if begins <= history.as_of if closed is None else begins < closed:
        ending = "no result" if closed is None else f"done on {done}" if done == closed else "not done by the stop on"
        yield _Late(check, protocol, begins, closed, ending if done == closed else f"{ending} {closed}")


def _episodes(lates: list[_Late]) -> Iterator[list[_Late]]:
    """Lates of one subject that overlap are one episode."""
    episode: list[_Late] = []
    until: date | None = date.min
    for late in sorted(lates, key=lambda late: (late.begins, late.check.due_on)):
        if episode and until is not None and late.begins > until:
            yield episode
            episode, until = [], date.min
        episode.append(late)
        until = None if until is None or late.closed is None else max(until, late.closed)
    if episode:
        yield episode


def _finding(history: History, episode: Sequence[_Late]) -> Finding:
    closed = None if any(late.closed is None for late in episode) else max(late.closed or date.min for late in episode)
    standing = [late for late in episode if late.closed is None] or episode
    first, origins = episode[0], [late.check.origin for late in standing]
    before = next((late.check.last for late in reversed(standing) if late.check.last), None)
    return Finding(
        CODE, first.check.subject, _severity(history, first, closed or history.as_of),
        _sentence(history, standing, closed), first.begins, closed or first.begins, _starts(first), "", closed,
        due_on=standing[0].check.due_on,
        source=distinct(origin.source for origin in origins), verified=all(origin.verified for origin in origins),
        yardstick=distinct(late.protocol.under(late.check.overlay) for late in standing),
        evidence=(before.evidence("last done"),) if before else (),
    ).under(distinct(f"grace by {late.check.grace_by}" for late in standing if late.check.grace_by))  # fmt: skip


def _starts(first: _Late) -> str:
    """The date the check was due; after it was put off, the day from which it is late again."""
    late_at_once = first.begins == first.check.overdue_from
    return (first.check.due_on if late_at_once else first.begins).isoformat()


def _severity(history: History, first: _Late, until: date) -> str:
    limited = any(limit.analyte == first.check.subject for limit in first.protocol.on_treatment if not limit.condition)
    return SOON if limited and until > first.check.due_on + VERY_LATE else ROUTINE


def _sentence(history: History, standing: Sequence[_Late], closed: date | None) -> str:
    reasons = distinct(late.check.reason for late in standing)
    ending = next(late.ending for late in standing if late.closed == closed)
    subject = standing[0].check.subject
    name = "Lipids" if subject == "LIPIDS" else history.name(subject)
    return f"{name}: due on {standing[0].check.due_on} ({reasons}), {ending}"
