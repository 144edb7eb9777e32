"""An event other than an infection that the labels name.

What it flags:
An event other than an infection that the labels name, while a watched drug is taken: heart attack or stroke,
thrombosis, perforation of the gut, hypersensitivity, pregnancy, malignancy, and symptoms that cannot wait (chest pain,
sudden breathlessness, a swollen leg, signs of a stroke, severe abdominal pain). Where the label says discontinue, the
flag stays until the drug is stopped, not until the event is over.

Why it matters:
These are the events of the boxed warnings, apart from infection. They arrive as free text in a nurse's form, and the
line of the label that answers them must stand beside them the same day.

Example:
Deep vein thrombosis since 2026-03-01 (thrombosis); tofacitinib (Xeljanz, US): the label says discontinue

Source:
Event lines of the protocol. Where a protocol has no line on an event of the boxed warnings, it is put before a
clinician, and marked as not verified. The words by which an event is recognised are the authors'.
"""

from collections.abc import Iterator
from datetime import date

from tracker.domain.findings import SOON, URGENT, Evidence, Finding
from tracker.domain.history import Course, Event, History
from tracker.domain.illness import CONSULT, INFECTION, STOP, ended_on, grave, wording
from tracker.domain.infections import Term
from tracker.domain.protocol import EventLine, Protocol, Sourced

CODE = "event"

# even where no line says stop
ACT_TODAY = ("mi_or_stroke", "thrombosis", "gi_perforation", "pregnancy", "red_flag")
LASTING = ("pregnancy", "malignancy")  # count though they began before the first dose
NAMES = {
    "mi_or_stroke": "heart attack or stroke",
    "gi_perforation": "perforation of the gut",
    "red_flag": "a symptom that cannot wait",
}
SAYS = {"hold": "the label says interrupt", "stop": "the label says discontinue"}


def check(history: History) -> Iterator[Finding]:
    """One finding an event and course; subject is the event's term, entry the kind of event."""
    for event in history.events:
        term = history.vocabulary.event_term(wording(event)) if event.kind != INFECTION else None
        if term is None or (event.onset_on is not None and event.onset_on > history.as_of):
            continue
        for course, protocol in history.treatments():
            finding = _on_course(history, event, term, course, protocol)
            if finding is not None:
                yield finding
                break  # the first course it fell on: a switch of drugs does not make two events of one


def _on_course(history: History, event: Event, term: Term, course: Course, protocol: Protocol) -> Finding | None:
    line = protocol.event(term.name) or EventLine(term.name, CONSULT, Sourced("", term.source, False))
    opened = _opened(history, event, term, course)
    if opened is None or opened > history.as_of:
        return None
    closed = _closed(history, event, line, course)
    if closed is not None and closed < opened:
        return None
    kind = NAMES.get(term.name, term.name)
    return Finding(
        CODE, event.term, URGENT if grave(line) or term.name in ACT_TODAY else SOON,
        _sentence(event, kind, protocol, line, closed), opened, closed or opened,
        event.onset_on.isoformat() if event.onset_on else f"event {event.id}", term.name, closed,
        suggested=line.action, source=line.origin.source, verified=line.origin.verified,
        yardstick=protocol.yardstick,
        evidence=(Evidence(CODE, event.term, "", event.onset_on or opened, note=kind),),
    )  # fmt: skip


def _sentence(event: Event, kind: str, protocol: Protocol, line: EventLine, closed: date | None) -> str:
    since = f"since {event.onset_on}" if event.onset_on else "with no recorded onset"
    says = f"{SAYS.get(line.action, 'for a clinician to decide')} {line.origin.text}".rstrip()
    ending = f"; over since {closed}" if closed else ""
    return f"{event.term[:1].upper()}{event.term[1:]} {since} ({kind}); {protocol.title}: {says}{ending}"


def _opened(history: History, event: Event, term: Term, course: Course) -> date | None:
    """The day the event began to count on this course; None where it did not fall on it."""
    stopped = course.stopped_on if course.over(history.as_of) else None
    if event.onset_on is None:
        return course.started_on if stopped is None else None
    if stopped is not None and event.onset_on > stopped:
        return None
    if event.onset_on >= course.started_on:
        return event.onset_on
    return course.started_on if term.name in LASTING else None


def _closed(history: History, event: Event, line: EventLine, course: Course) -> date | None:
    """Where the label says stop, the day of the last dose; else the end of the event, or of the course."""
    stopped = course.stopped_on if course.over(history.as_of) else None
    ended = None if line.action == STOP else ended_on(event, history.as_of, history.vocabulary.over)
    return min((day for day in (stopped, ended) if day is not None), default=None)
