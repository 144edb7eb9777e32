"""Screening before and during treatment: what is wanting, and results that stand against the drug.

What it flags:
A check the protocol asks for before the first dose that has not been done, or is too old: a TB test older than 12
months, hepatitis B and C, a pregnancy status, vaccination, a genotype, and the profile of the boxed warnings (age,
smoking, heart and vessels, malignancy, thrombosis), with what of it is known. Results that speak against a start or
need a decision: a positive TB test, hepatitis B surface antigen, hepatitis B DNA, hepatitis C antibody, pregnancy, a
CYP2C9 poor metaboliser. Tests that came out neither positive nor negative are to be repeated; chorionic gonadotropin
without a range is positive from 25 and negative below 1 IU/L (reported as `<5`, too). During treatment the TB test
again after 12 months, and hepatitis B DNA every 3 months where the core antibody is positive and the surface antigen
is not.

Why it matters:
A JAK inhibitor can wake latent tuberculosis and hepatitis B. Both are found by a test before the first dose, and
what was forgotten then has to be made good.

Example:
TB test: no result before the first dose on 2026-03-01 (treat latent TB before start)

Source:
Screening lines of the protocol. That a TB test holds 12 months is clinic practice; the 3 months for hepatitis B DNA
are proposed by the authors; the limits for chorionic gonadotropin are general knowledge. All are marked as not
verified.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from tracker.domain import meanings
from tracker.domain.boxed_risk import BOXED_RISK, known_risks
from tracker.domain.dates import Span, add
from tracker.domain.findings import INFO, ROUTINE, SOON, URGENT, Evidence, Finding
from tracker.domain.history import Course, History
from tracker.domain.meanings import Meaning, Watched
from tracker.domain.protocol import Protocol, Screen
from tracker.domain.retests import DNA_QUARTERLY, HBV_DNA_EVERY, TB_TEST_VALID, TB_YEARLY
from tracker.domain.screening_facts import (
    HEPATITIS,
    NAMES,
    NEGATIVE,
    POSITIVE,
    PREGNANCY,
    TB,
    UNCLEAR,
    Gap,
    Reading,
    Streak,
    answered,
    gaps,
    may_bear_children,
    read_pregnancy_test,
    read_test,
    read_viral_load,
    read_words,
    streaks,
    unanswered,
)

CODE = "screening"


def check(history: History) -> Iterator[Finding]:
    """Subject is the name of the item; entry says what about it."""
    watched = history.treatments()
    for course, protocol in watched:
        for screen in protocol.screening:
            yield from _missing(history, course, protocol, screen)
        yield from _tb_again(history, course, protocol)
        yield from _hbv_dna_again(history, course, protocol)
    if watched:
        yield from _results(history, watched)


# ------------------------------------------------------------------------------------- what was not done


def _missing(history: History, course: Course, protocol: Protocol, screen: Screen) -> Iterator[Finding]:
    if screen.item == PREGNANCY and not may_bear_children(history, course):
        return
    gap = _gap_at_start(history, course, screen)
    if gap is None:
        return
    risks = known_risks(history, course) if screen.item == BOXED_RISK else ()
    severity = SOON if screen.required and course.started(history.as_of) else ROUTINE if screen.required else INFO
    if risks and severity == INFO:
        severity = ROUTINE
    yield Finding(
        CODE, screen.item, severity, _missing_sentence(history, course, screen, gap, risks), gap.opened,
        gap.closed or gap.opened, course.started_on.isoformat(), "missing", gap.closed, due_on=course.started_on,
        suggested="consult" if risks else None,
        source=screen.origin.source, verified=screen.origin.verified, yardstick=protocol.yardstick,
    )  # fmt: skip


def _missing_sentence(history: History, course: Course, screen: Screen, gap: Gap, risks: Sequence[str]) -> str:
    wanted = unanswered(history, screen)
    found = f"last done on {gap.last}" if gap.last else f"no result{f' of {wanted}' if wanted else ''}"
    if screen.item == BOXED_RISK:
        found = f"known is {', '.join(risks)}; not asked" if risks else "not asked"
    text = f" ({screen.origin.text})" if screen.origin.text else ""
    done = f"; no longer open since {gap.closed}" if gap.closed else ""
    name = NAMES.get(screen.item, screen.item)
    return f"{name}: {found} before the first dose on {course.started_on}{text}{done}"


def _gap_at_start(history: History, course: Course, screen: Screen) -> Gap | None:
    """Whether the course began, or would begin, without a valid test; and the day it was made good."""
    tests = answered(history, course, screen)
    valid = TB_TEST_VALID if screen.item == TB else None
    first = next(gaps(course.started_on, course.started_on, tests, valid), None)
    if first is None:
        return None
    if not course.started(history.as_of):
        # A plan has no date of its own: told from a month before the start, or at once where that is to come.
        return first._replace(opened=min(history.as_of, course.started_on - timedelta(days=30)))
    later = [day for day in tests if day > course.started_on]
    return first._replace(closed=min([*later[:1], *_stopped(history, course)], default=None))


def _stopped(history: History, course: Course) -> list[date]:
    return [course.stopped_on] if course.stopped_on is not None and course.over(history.as_of) else []


# ------------------------------------------------------------------------------------ what is done again


class _Again(NamedTuple):
    subject: str
    entry: str
    severity: str
    what: str
    every: Span
    source: str


_TB_AGAIN = _Again(TB, "yearly", ROUTINE, "TB test", TB_TEST_VALID, TB_YEARLY)
_DNA_AGAIN = _Again(
    HEPATITIS, "hbv_dna_due", SOON, "Hepatitis B DNA (core antibody positive)", HBV_DNA_EVERY, DNA_QUARTERLY,
)  # fmt: skip


def _tb_again(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    """The TB test during treatment. What was wanting at the start is said there; once positive it stays so."""
    if not course.started(history.as_of) or all(screen.item != TB for screen in protocol.screening):
        return
    tests = _read(history, "IGRA")
    positive = next((test.on for test in tests if test.verdict == POSITIVE), date.max)
    ends = _stopped(history, course)
    for gap in gaps(course.started_on, min([*ends, history.as_of]), [test.on for test in tests], TB_TEST_VALID):
        if gap.last is not None and course.started_on < gap.opened <= positive:
            yield _again(protocol, gap, ends, _TB_AGAIN)


def _hbv_dna_again(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    if any(test.verdict == POSITIVE for test in _read(history, "HBSAG")[-1:]):
        return
    started = course.started(history.as_of)
    what = _DNA_AGAIN if started else _DNA_AGAIN._replace(severity=ROUTINE)
    tests = [lab.collected_on for lab in history.labs.get("HBVDNA", ())]
    for streak in streaks(_read(history, "ANTIHBC"), POSITIVE, (NEGATIVE,)):
        start = max(streak.first.on, course.started_on) if started else streak.first.on
        ends = [*_stopped(history, course), *([streak.ended.on] if streak.ended else [])]
        for gap in gaps(start, min([*ends, history.as_of]), tests, HBV_DNA_EVERY):
            yield _again(protocol, gap, ends, what)


def _again(protocol: Protocol, gap: Gap, ends: Sequence[date], what: _Again) -> Finding:
    due = add(gap.last, what.every) if gap.last else gap.opened
    closed = gap.closed or min(ends, default=None)
    last = f"last done on {gap.last}" if gap.last else "never done"
    return Finding(
        CODE, what.subject, what.severity, f"{what.what} was due on {due}, every {what.every}; {last}",
        gap.opened, closed or gap.opened, due.isoformat(), what.entry, closed, due_on=due, source=what.source,
        verified=False, yardstick=protocol.yardstick,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------- results


def _read(history: History, code: str) -> list[Reading]:
    return [read_test(lab) for lab in history.labs.get(code, ())]


def _results(history: History, watched: Watched) -> Iterator[Finding]:
    igra, dna = _read(history, "IGRA"), [read_viral_load(lab) for lab in history.labs.get("HBVDNA", ())]
    either = (NEGATIVE, POSITIVE)
    surface, core, hcv = (_read(history, code) for code in ("HBSAG", "ANTIHBC", "ANTIHCV"))
    expecting = _pregnancies(history)
    for readings, verdict, against, meaning in (
        (igra, POSITIVE, (NEGATIVE,), meanings.TB_POSITIVE),
        (igra, UNCLEAR, either, meanings.TB_UNCLEAR),
        (surface, POSITIVE, (NEGATIVE,), meanings.HBSAG),
        (surface, UNCLEAR, either, meanings.HBSAG_UNCLEAR),
        (core, UNCLEAR, either, meanings.CORE_UNCLEAR),
        (hcv, POSITIVE, (NEGATIVE,), meanings.HCV),
        (hcv, UNCLEAR, either, meanings.HCV_UNCLEAR),
        (dna, POSITIVE, (NEGATIVE,), meanings.dna_detected(watched)),
        (dna, UNCLEAR, either, meanings.DNA_UNCLEAR),
        (expecting, POSITIVE, (NEGATIVE,), meanings.pregnant(history, watched)),
        (expecting, UNCLEAR, either, meanings.PREGNANCY_UNCLEAR),
    ):
        for streak in streaks(readings, verdict, against):
            yield from _standing(history, watched, streak, meaning)
    yield from _genotypes(history, watched)


def _standing(history: History, watched: Watched, streak: Streak, meaning: Meaning) -> Iterator[Finding]:
    """A result that stands while a watched drug is taken or planned; cleared by the opposite or with the drug."""
    planned = any(not course.started(history.as_of) for course, _ in watched)
    running = any(course.started(history.as_of) and not course.over(history.as_of) for course, _ in watched)
    closed = streak.ended.on if streak.ended else None
    if closed is None and not running and not planned:
        closed = max(course.stopped_on or date.min for course, _ in watched)
        if closed < streak.first.on:
            return  # found when no watched drug was taken any more
    severity, suggested = meaning.before if planned and not running else meaning.during
    last = streak.last
    yield Finding(
        CODE, meaning.subject, severity, f"{_said(history, last)} on {last.on}: {meaning.says}",
        streak.first.on, closed or last.on, streak.first.starts, meaning.entry, closed, suggested=suggested,
        source=meaning.origin.source, verified=meaning.origin.verified,
        evidence=(last.lab.evidence() if last.lab else Evidence(meaning.subject, last.shown, "", last.on),),
    )  # fmt: skip


def _said(history: History, reading: Reading) -> str:
    if reading.lab is None:
        return reading.shown[:1].upper() + reading.shown[1:]
    return f"{history.name(reading.lab.analyte)} {reading.shown} {reading.lab.unit}".rstrip()


def _pregnancies(history: History) -> list[Reading]:
    seen = (o for o in history.observations if o.kind == "pregnancy_status" and o.on <= history.as_of)
    status = [Reading(o.on, o.on.isoformat(), read_words(o.value), o.value) for o in seen]
    return sorted([*status, *map(read_pregnancy_test, history.labs.get("HCG", ()))], key=lambda reading: reading.on)


def _genotypes(history: History, watched: Watched) -> Iterator[Finding]:
    """A genotype with which the protocol says not to use the drug."""
    for course, protocol in watched:
        for screen in protocol.screening:
            seen = (o for o in history.observations if o.kind == screen.observation and o.on <= history.as_of)
            readings = [
                Reading(o.on, o.on.isoformat(), _against(screen, o.value), f"{NAMES.get(screen.item)} {o.value}")
                for o in seen
            ]
            meaning = Meaning(
                screen.item, "avoid", screen.origin.text or "the drug is not used", meanings.NO_START, (URGENT, "stop"),
                screen.origin,
            )  # fmt: skip
            for streak in streaks(readings, POSITIVE, (NEGATIVE,)):
                yield from _standing(history, [(course, protocol)], streak, meaning)


def _against(screen: Screen, value: str) -> str:
    return POSITIVE if set(screen.avoid_when) & set(value.casefold().split()) else NEGATIVE
