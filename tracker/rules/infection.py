"""An infection, and the line of the label that answers it.

What it flags:
An infection while a watched drug is taken, held or about to be started, from its onset until it is recorded as
controlled or resolved. Serious and opportunistic infections and active tuberculosis are judged by the protocol's own
lines. Zoster is for a clinician to decide on where the label has no hold rule, and a hold where it is serious,
disseminated or multidermatomal, or where the label asks for it (baricitinib: until it has resolved). Any other
infection asks for a work-up, and before a planned start for a clinician's decision. An infection together with
neutrophils < 1.0 or lymphocytes < 0.5 10*9/L is urgent, and so is a temperature >= 38.3 °C, or >= 38.0 °C for an hour,
with neutrophils < 0.5 10*9/L on the same or the adjacent day. Three treated infections within 180 days, or two serious
ones within 365 days, are flagged as recurrent.

Why it matters:
Serious infection leads the boxed warning of every JAK inhibitor, and the labels interrupt treatment until it is
controlled. Low counts take away what is left of the defence, and a JAK inhibitor damps C-reactive protein.

Example:
Pneumonia since 2026-03-01, serious; tofacitinib (Xeljanz, US): the label says interrupt until infection controlled

Source:
Event lines of the protocol. The opportunistic list is that of Winthrop 2015 (Ann Rheum Dis 74:2107, table 2), where
zoster counts in any form; labels count multidermatomal or disseminated zoster. A clinic may count more or fewer, and
zoster in any form, by a version of its own: an infection goes by the one in force on the day of its onset, and the flag
names it. Infection with low counts and the numbers for recurrence are proposed by the authors; febrile neutropenia is
general knowledge. These are marked as not verified.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.fever import KIND, febrile_neutropenia
from tracker.domain.findings import ROUTINE, SOON, URGENT, Evidence, Finding
from tracker.domain.history import Course, History, Lab
from tracker.domain.illness import (
    AFTERMATH,
    CONSULT,
    HOLD,
    Infection,
    asked_for,
    clusters,
    counted_by,
    ended_on,
    grave,
    gravity,
    infections,
    until_resolved,
)
from tracker.domain.protocol import EventLine, Protocol, Sourced

CODE = "infection"

RECENT = timedelta(days=90)  # author-proposed: a count older than this at the onset says nothing
LOW_COUNTS = {"ANC": Decimal("1.0"), "ALC": Decimal("0.5")}  # 10*9/L, author-proposed
RECURRENT = (("treated", 3, 180), ("serious", 2, 365))  # author-proposed: entry, how many, within days
SAYS = {"hold": "the label says interrupt", "stop": "the label says discontinue"}

_NOT_WITH_INFECTION = Sourced("", "US labels: avoid in active serious or localised infection", False)
_NO_DRUG = Sourced("", "boxed warnings: serious infections", False)
_WITH_LOW_COUNTS = "author-proposed: infection with neutrophils < 1.0 or lymphocytes < 0.5 10*9/L"
_FEBRILE = "general knowledge: >= 38.3 °C, or >= 38.0 °C for 1 h, with neutrophils < 0.5 10*9/L"


class _Case(NamedTuple):
    """An infection as it fell on a watched course: the line that applies, and when it opened and closed."""

    infection: Infection
    course: Course
    protocol: Protocol
    line: EventLine
    opened: date
    closed: date | None


class _Verdict(NamedTuple):
    severity: str
    entry: str
    says: str
    suggested: str | None
    origin: Sourced
    yardstick: str = ""


def check(history: History) -> Iterator[Finding]:
    """Findings on infections; subject is the infection's term, or the name of a check over several facts."""
    met = tuple(infections(history))
    if met:
        cases = [case for infection in met if (case := _gravest(history, infection)) is not None]
        yield from (_on_drug(history, case) for case in cases)
        yield from _off_drug(history, met, {case.infection.event.id for case in cases})
        for case in cases:
            yield from _with_low_counts(history, case)
        yield from _recurrent(history, met, cases)
    yield from _febrile_neutropenia(history)


# ------------------------------------------------------------------------------------------ one infection


def _cases(history: History, infection: Infection) -> Iterator[_Case]:
    for course, protocol in history.treatments():
        line = asked_for(infection, protocol)
        ended = _ended(history, infection, until_resolved(infection, protocol))
        opened = max(infection.event.onset_on or course.started_on, course.started_on)
        if opened > history.as_of or (ended is not None and ended <= course.started_on):
            continue
        if course.stopped_on is not None and course.over(history.as_of):
            if opened > (course.stopped_on + AFTERMATH if grave(line) else course.stopped_on):
                continue
            if not grave(line):
                ended = min(course.stopped_on, ended or course.stopped_on)
        yield _Case(infection, course, protocol, line, opened, ended)


def _ended(history: History, infection: Infection, resolved_only: bool = False) -> date | None:
    return ended_on(infection.event, history.as_of, history.vocabulary.over, resolved_only)


def _gravest(history: History, infection: Infection) -> _Case | None:
    """The course whose protocol asks for most; the earliest of several that ask for the same."""
    return min(_cases(history, infection), key=lambda case: gravity(case.line.action), default=None)


def _running(history: History, day: date) -> bool:
    return any(course.started(day) and not course.over(day) for course, _ in history.treatments())


def _on_drug(history: History, case: _Case) -> Finding:
    line, until = case.line, case.closed or history.as_of
    if not line.action:
        says = f"a new infection: {line.origin.text}"
    else:
        says = f"{SAYS.get(line.action, 'for a clinician to decide')} {line.origin.text}".rstrip()
    running = _running(history, until)
    verdict = _Verdict(
        _severity(case, until, running), line.event, f"{case.protocol.title}: {says}",
        line.action if running and line.action else None, line.origin, _under(case.infection, case.protocol),
    )  # fmt: skip
    return _finding(case.infection, case.opened, case.closed, verdict)


def _severity(case: _Case, until: date, running: bool) -> str:
    if grave(case.line):
        stopped = case.course.stopped_on
        return URGENT if running or stopped is None or until <= stopped + AFTERMATH else SOON
    return SOON if case.line.action == CONSULT else ROUTINE


def _off_drug(history: History, met: Sequence[Infection], told: set[int]) -> Iterator[Finding]:
    """Infections outside any course: every one before a planned course, and serious ones."""
    planned = next((pair for pair in history.treatments() if not pair[0].started(history.as_of)), None)
    for infection in met:
        onset, ended = infection.event.onset_on, _ended(history, infection)
        if infection.event.id in told or onset is None:
            continue
        if planned is not None and ended is None:
            yield _finding(infection, onset, None, _before_start(infection, *planned))
        elif infection.serious:
            verdict = _Verdict(SOON, "serious_infection", "no watched drug is taken", None, _NO_DRUG)
            yield _finding(infection, onset, ended, verdict)


def _before_start(infection: Infection, course: Course, protocol: Protocol) -> _Verdict:
    """The label says not to start where it would interrupt; any other infection is for a clinician to weigh."""
    line = asked_for(infection, protocol)
    says = f"{protocol.title} is planned for {course.started_on}"
    if grave(line):
        return _Verdict(URGENT, line.event, says, "do_not_start", line.origin, _under(infection, protocol))
    origin = line.origin if line.action else _NOT_WITH_INFECTION
    says = f"{says}, and it is still active"
    return _Verdict(SOON, line.event, says, CONSULT, origin, _under(infection, protocol))


def _under(infection: Infection, protocol: Protocol) -> str:
    """The protocol, and the clinic's version of the list where that chose the line."""
    return protocol.under(counted_by(infection, protocol))


def _finding(infection: Infection, opened: date, closed: date | None, verdict: _Verdict) -> Finding:
    fact = Evidence(CODE, infection.name, "", infection.event.onset_on or opened, note=_marks(infection))
    ending = f"; over since {closed}" if closed else ""
    return Finding(
        CODE, infection.name, verdict.severity, f"{_described(infection)}; {verdict.says}{ending}",
        opened, closed or opened, infection.starts, verdict.entry, closed, suggested=verdict.suggested,
        source=verdict.origin.source, verified=verdict.origin.verified, yardstick=verdict.yardstick,
        evidence=(fact,),
    )  # fmt: skip


def _described(infection: Infection) -> str:
    since = f"since {infection.event.onset_on}" if infection.event.onset_on else "with no recorded onset"
    marks = _marks(infection)
    return f"{infection.name[:1].upper()}{infection.name[1:]} {since}{f', {marks}' if marks else ''}"


def _marks(infection: Infection) -> str:
    """The countings, the label's, the published list's and the clinic's, kept apart."""
    event, listed, own = infection.event, infection.listed, infection.own
    marks = ["serious"] if infection.serious else []
    if event.grade is not None:
        marks.append(f"grade {event.grade}")
    if infection.opportunistic:
        marks.append("opportunistic")
    if listed is not None:
        marks.append(f"{listed.certainty} on the list of Winthrop 2015 ({listed.name})")
    if own is not None:
        marks.append(own.words)
    if event.opportunistic is False and (listed is not None or own is not None):
        marks.append("recorded as not opportunistic")
    return ", ".join(marks)


# --------------------------------------------------------------------------------------------- low counts


class _Low(NamedTuple):
    """A stretch of an infection with low counts: the result it began with, and the latest low ones."""

    first: Lab
    latest: tuple[Lab, ...]
    closed: date | None


def _with_low_counts(history: History, case: _Case) -> Iterator[Finding]:
    for low in _low_spells(history, case):
        counts = ", ".join(f"{_said(history, lab)} on {lab.collected_on}" for lab in low.latest)
        running = _running(history, low.closed or history.as_of)
        yield Finding(
            CODE, case.infection.name, URGENT, f"{_described(case.infection)}, with {counts}",
            max(case.opened, low.first.collected_on), max(lab.collected_on for lab in low.latest),
            low.first.collected_at.isoformat(), "cytopenia", low.closed, suggested=HOLD if running else None,
            source=_WITH_LOW_COUNTS, verified=False, evidence=tuple(lab.evidence() for lab in low.latest),
        )  # fmt: skip


def _said(history: History, lab: Lab) -> str:
    return f"{history.name(lab.analyte)} {lab.shown} {lab.unit}"


def _low_spells(history: History, case: _Case) -> Iterator[_Low]:
    """Stretches of the infection in which the latest neutrophils or lymphocytes are low."""
    standing: dict[str, Lab] = {}
    spell: _Low | None = None
    for lab in _counts(history, case.opened - RECENT, case.closed or history.as_of):
        low = lab.below(LOW_COUNTS[lab.analyte])
        if low:
            standing[lab.analyte] = lab
            spell = _Low(spell.first if spell else lab, tuple(standing.values()), case.closed)
        elif low is False:
            standing.pop(lab.analyte, None)
        if spell and not standing:
            if lab.collected_on > case.opened:
                yield spell._replace(closed=lab.collected_on)
            spell = None
    if spell:
        yield spell


def _counts(history: History, first: date, last: date) -> list[Lab]:
    counts = (lab for code in LOW_COUNTS for lab in history.labs.get(code, ()))
    return sorted((c for c in counts if first <= c.collected_on <= last), key=lambda c: c.collected_at)


# ------------------------------------------------------------------------------------- fever, recurrence


def _febrile_neutropenia(history: History) -> Iterator[Finding]:
    for fever in febrile_neutropenia(history):
        seen, lab = fever.seen, fever.lab
        degrees, lasted, hours = seen.value.partition(" for ")
        day = max(seen.on, lab.collected_on)
        yield Finding(
            CODE, "FEBRILE_NEUTROPENIA", URGENT,
            f"Temperature {degrees} °C{lasted}{hours} on {seen.on} with {_said(history, lab)} on {lab.collected_on}: "
            "febrile neutropenia is an emergency",
            day, day, seen.on.isoformat(), "", fever.until, suggested=CONSULT, source=_FEBRILE, verified=False,
            evidence=(Evidence(KIND, degrees, "°C", seen.on, note=f"{lasted}{hours}".strip()), lab.evidence()),
        )  # fmt: skip


def _recurrent(history: History, met: Sequence[Infection], cases: Sequence[_Case]) -> Iterator[Finding]:
    on_drug = {case.infection.event.id for case in cases}
    dated = [(i.event.onset_on, i) for i in met if i.event.onset_on]
    dated.sort(key=lambda pair: (pair[0], pair[1].event.id))
    for entry, count, within in RECURRENT:
        counted = [(day, i) for day, i in dated if i.serious or (entry == "treated" and i.event.treated)]
        for first, last, until in clusters([day for day, _ in counted], count, within):
            if counted[last][1].event.id in on_drug:
                closed = until if until <= history.as_of else None
                yield _recurrence(entry, count, within, counted[first : last + 1], closed)


def _recurrence(
    entry: str, count: int, within: int, members: Sequence[tuple[date, Infection]], closed: date | None
) -> Finding:
    first = members[0][0]
    rule = f"{count} or more {entry} infections within {within} days"
    return Finding(
        CODE, "RECURRENT_INFECTION", SOON, f"{len(members)} {entry} infections since {first} ({rule})",
        members[count - 1][0], members[-1][0], first.isoformat(), entry, closed, suggested=CONSULT,
        source=f"author-proposed: {rule}", verified=False,
        evidence=tuple(Evidence(CODE, i.name, "", day, note=_marks(i)) for day, i in members),
    )  # fmt: skip
