"""A dose above what kidneys, liver or another drug allow.

What it flags:
A dose above what the protocol allows for the patient's creatinine clearance or filtration rate (whichever the label
goes by), Child-Pugh class or other drugs, as long as the condition lasts; and a drug or an organ with which the label
says not to use the drug at all. A dose that the label halves counts as halved when it was halved after the condition
arose.

Why it matters:
Clearance falls with age and weight before creatinine looks high, and a strong inhibitor may be started by somebody
else. By clearance and by filtration rate the same patient can fall into different bands: the label says which counts.

Example:
Creatinine clearance 36.5 mL/min: the label says 5 mg once daily (10 mg a day recorded)

Source:
Dose lines of the protocol; clearance by Cockcroft-Gault, filtration rate by CKD-EPI 2021.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.dosing_facts import INTERACTING, Fact, applies, change_days, daily_mg, dose_on, subject
from tracker.domain.findings import SOON, URGENT, Finding
from tracker.domain.history import Course, History
from tracker.domain.protocol import DoseAdjust, Protocol
from tracker.domain.values import plain

CODE = "dosing"


class _Spell(NamedTuple):
    """Days on which a line was not kept: why, at which daily dose, and the day that was mended."""

    opened: date
    fact: Fact
    mg: Decimal | None
    closed: date | None


def check(history: History) -> Iterator[Finding]:
    """Subject is RENAL, HEPATIC or the interaction class; entry the protocol's line."""
    for course, protocol in history.treatments():
        for line in protocol.dose_adjust:
            if line.no_change or not (line.avoid or line.max_daily_mg is not None):
                continue
            for spell in _spells(history, course, line):
                if course.started(history.as_of) or spell.closed is None:  # what is over before a start never mattered
                    yield _finding(history, course, protocol, line, spell)


def _spells(history: History, course: Course, line: DoseAdjust) -> Iterator[_Spell]:
    spell: _Spell | None = None
    since: date | None = None  # the day from which the condition has been met without a break
    for day in _days(history, course, line):
        fact = applies(history, line, day)
        since = None if fact is None else since or day
        mg = daily_mg(dose_on(course, day))
        if fact is not None and since is not None and (line.avoid or _too_much(course, line, mg, day, since)):
            spell = _Spell(spell.opened if spell else day, fact, mg, None)
        elif spell is not None:
            yield spell._replace(closed=day)
            spell = None
    if spell is not None:
        yield spell._replace(closed=course.stopped_on if course.over(history.as_of) else None)


def _days(history: History, course: Course, line: DoseAdjust) -> list[date]:
    """The days on which the verdict may change, from the start to today or the stop; for a plan, all that is known."""
    last = history.as_of
    if not course.started(last):
        return sorted(day for day in set(change_days(history, line)) if day <= last) or [last]
    if course.stopped_on is not None and course.over(last):
        last = course.stopped_on - timedelta(days=1)
    changes = {*change_days(history, line), *(dose.on for dose in course.doses), course.started_on}
    return sorted(day for day in changes if course.started_on <= day <= last)


def _too_much(course: Course, line: DoseAdjust, mg: Decimal | None, day: date, since: date) -> bool:
    if mg is None or line.max_daily_mg is None or mg <= line.max_daily_mg:
        return False
    dose = dose_on(course, day)
    if not line.halve or dose is None or dose.on < since:
        return True
    before = daily_mg(course.dose_on(dose.on - timedelta(days=1)))
    return before is None or mg * 2 > before


def _finding(history: History, course: Course, protocol: Protocol, line: DoseAdjust, spell: _Spell) -> Finding:
    started = course.started(history.as_of)
    contraindicated = line.avoid and line.dose.startswith("contraindicated")
    suggested = "dose_change" if not line.avoid else "consult" if started else "do_not_start"
    return Finding(
        CODE, subject(line), URGENT if contraindicated else SOON, _sentence(protocol, line, spell), spell.opened,
        spell.closed or max(spell.opened, *(fact.collected_on for fact in spell.fact.evidence)),
        max(spell.opened, course.started_on).isoformat(), line.id, spell.closed,
        suggested=suggested, source=line.origin.source, verified=line.origin.verified,
        yardstick=protocol.yardstick, evidence=spell.fact.evidence,
    )  # fmt: skip


def _sentence(protocol: Protocol, line: DoseAdjust, spell: _Spell) -> str:
    recorded = "" if line.avoid or spell.mg is None else f" ({plain(spell.mg.normalize())} mg a day recorded)"
    why = spell.fact.says if line.kind in INTERACTING else f"{spell.fact.says} ({line.condition})"
    ending = f"; no longer so since {spell.closed}" if spell.closed else ""
    return f"{why}: the label of {protocol.title} says {line.dose}{recorded}{ending}"
