"""TB and hepatitis B tests with a date: before the first dose, and again while the drug is taken.

Source: composite rules I6 and I7. That a TB test holds 12 months is clinic practice, the 3 months for hepatitis B
DNA are proposed by the authors. There is no grace: the day after the date the test is overdue.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from tracker.domain.dates import Span, add
from tracker.domain.history import Course, History
from tracker.domain.protocol import Protocol, Screen, Sourced
from tracker.domain.screening_facts import NEGATIVE, POSITIVE, TB, read_test, streaks

TB_TEST_VALID, HBV_DNA_EVERY = Span(12, 0), Span(3, 0)  # author-proposed
TB_TEST, HBV_DNA = "IGRA", "HBVDNA"  # a due item goes by the code of its analyte

TB_YEARLY = "clinic practice: yearly; the label says per guideline"
DNA_QUARTERLY = "author-proposed: every 3 months where anti-HBc is positive and HBsAg is not"


class Retest(NamedTuple):
    """A test that is wanted by `due_on`, and may be asked for from `due_from` on."""

    subject: str
    due_from: date
    due_on: date
    reason: str
    origin: Sourced


def retests(history: History, course: Course, protocol: Protocol) -> Iterator[Retest]:
    """The next TB test and the next hepatitis B DNA of a course that runs or is planned, at most one of each."""
    screen = next((screen for screen in protocol.screening if screen.item == TB), None)
    if screen is not None:
        yield from _tb(history, course, protocol, screen)
    yield from _hbv_dna(history, course, protocol)


def _tb(history: History, course: Course, protocol: Protocol, screen: Screen) -> Iterator[Retest]:
    """Once positive it is not repeated: it stays positive."""
    tests = [read_test(lab) for lab in history.labs.get(TB_TEST, ())]
    if any(test.verdict == POSITIVE for test in tests):
        return
    start = course.started_on
    valid_to = add(tests[-1].on, TB_TEST_VALID) if tests else None
    if valid_to is None or (valid_to < start and not course.started(history.as_of)):
        found = f"last done on {tests[-1].on}" if tests else "never done"
        opens = start - timedelta(days=protocol.baseline_window_days)
        yield Retest(TB_TEST, opens, start, f"before the first dose on {start}, {found}", screen.origin)
        return
    reason = f"every {TB_TEST_VALID}, last done on {tests[-1].on}"
    opens = valid_to - timedelta(days=protocol.early_days)
    yield Retest(TB_TEST, opens, valid_to, reason, Sourced("", TB_YEARLY, False))


def _hbv_dna(history: History, course: Course, protocol: Protocol) -> Iterator[Retest]:
    """Where the core antibody is positive and the surface antigen is not."""
    if any(read_test(lab).verdict == POSITIVE for lab in history.labs.get("HBSAG", ())[-1:]):
        return
    core = [read_test(lab) for lab in history.labs.get("ANTIHBC", ())]
    standing = [streak for streak in streaks(core, POSITIVE, (NEGATIVE,)) if streak.ended is None]
    origin = Sourced("", DNA_QUARTERLY, False)
    last = history.labs.get(HBV_DNA, ())[-1:]
    for streak in standing:
        if last:
            due = add(last[0].collected_on, HBV_DNA_EVERY)
            reason = f"every {HBV_DNA_EVERY} (core antibody positive), last done on {last[0].collected_on}"
            yield Retest(HBV_DNA, due - timedelta(days=protocol.early_days), due, reason, origin)
        else:
            started = course.started(history.as_of)
            due = max(streak.first.on, course.started_on) if started else streak.first.on
            yield Retest(HBV_DNA, due, due, f"core antibody positive on {streak.first.on}, never done", origin)
