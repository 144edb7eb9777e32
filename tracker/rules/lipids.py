"""Lipids that call for treatment, or that cannot be computed.

What it flags:
LDL cholesterol from 190 mg/dL, measured or computed (which is said). Triglycerides from 500 mg/dL, for the risk
of pancreatitis. And a lipid panel whose triglycerides, above 400 mg/dL, make a computed LDL invalid while no
direct LDL was measured on that day: then a direct one is to be asked for.

Why it matters:
Lipids rise within the first two months on JAK inhibitors; the labels ask for management by the guidelines on
hyperlipidaemia. An LDL computed from very high triglycerides is too low, and reassures wrongly.

Example:
LDL 190 mg/dL is flagged, 189 is not. Triglycerides 400 mg/dL still allow the computation, 401 do not.

Source:
ATP III and the guidelines built on it (LDL 190 mg/dL; triglycerides 500 mg/dL); Friedewald 1972 (400 mg/dL).
Compared in mg/dL.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.derived import FRIEDEWALD_TG_MAX
from tracker.domain.episodes import Run, evidence, reading, runs
from tracker.domain.findings import INFO, ROUTINE, SOON, Evidence, Finding
from tracker.domain.history import History, Lab
from tracker.domain.values import shown

CODE = "lipids"
LDL_VERY_HIGH, TG_VERY_HIGH = Decimal(190), Decimal(500)


class _Line(NamedTuple):
    """What one check of this rule says of itself."""

    entry: str
    subject: str
    severity: str
    suggested: str
    source: str
    verified: bool


_LDL = _Line("ldl_190", "LDL", ROUTINE, "consult", "ATP III: LDL from 190 mg/dL is very high", False)
_TG = _Line("tg_500", "TG", SOON, "consult", "triglycerides from 500 mg/dL: risk of pancreatitis", False)
_DIRECT = _Line("direct_ldl", "LDL", INFO, "investigate", "Friedewald 1972: not above 400 mg/dL", True)


def check(history: History) -> Iterator[Finding]:
    yield from _high(history, _LDL, LDL_VERY_HIGH)
    yield from _high(history, _TG, TG_VERY_HIGH)
    yield from _without_ldl(history)


def _high(history: History, line: _Line, bound: Decimal) -> Iterator[Finding]:
    labs = history.labs.get(line.subject, ())
    if not any(lab.above(bound, inclusive=True) for lab in labs):
        return
    for run in runs(labs, lambda lab: lab.above(bound, inclusive=True)):
        sentence = f"{_named(history, run.last)}, at or above {bound} mg/dL{_in_mg(run.last)}"
        more = _same_day(history, "NONHDL", run.last) if line is _LDL else ()
        rest = f"; non-HDL {more[-1].shown} {more[-1].unit}" if more else ""
        yield _finding(line, run, sentence + rest, tuple(lab.evidence() for lab in more))


def _without_ldl(history: History) -> Iterator[Finding]:
    labs = history.labs.get("TG", ())
    if not any(lab.above(FRIEDEWALD_TG_MAX) for lab in labs):
        return
    ldls = history.labs.get("LDL", ())
    panels = {lab.collected_on for lab in history.labs.get("CHOL", ())}
    measured = {lab.collected_on for lab in ldls if lab.figure is not None}

    def asks(lab: Lab) -> bool | None:
        if lab.collected_on in measured or lab.above(FRIEDEWALD_TG_MAX) is False:
            return False
        return True if lab.above(FRIEDEWALD_TG_MAX) and lab.collected_on in panels else None

    # An LDL that is measured on another day answers the question as well as a lower triglyceride does.
    answers = [lab for lab in ldls if lab.figure is not None]
    series = sorted((*labs, *answers), key=lambda lab: lab.collected_at)
    for run in runs(series, lambda lab: asks(lab) if lab.analyte == "TG" else False):
        said = f"{reading(history, run.last)}, above {FRIEDEWALD_TG_MAX} mg/dL{_in_mg(run.last)}"
        yield _finding(_DIRECT, run, f"{said}: LDL cannot be computed; a direct LDL would tell", ())


def _named(history: History, lab: Lab) -> str:
    return f"{reading(history, lab)} ({lab.computed or 'measured'})"


def _in_mg(lab: Lab) -> str:
    """The value in the unit of the bound where it was reported in another."""
    if lab.value is None or lab.value == lab.figure:
        return ""
    return f" ({lab.comparator}{shown(lab.value)} mg/dL)"


def _same_day(history: History, analyte: str, lab: Lab) -> Sequence[Lab]:
    return [other for other in history.labs.get(analyte, ()) if other.collected_on == lab.collected_on]


def _finding(line: _Line, run: Run, sentence: str, more: tuple[Evidence, ...]) -> Finding:
    return Finding(
        rule=CODE,
        subject=line.subject,
        entry=line.entry,
        severity=line.severity,
        sentence=sentence,
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        suggested=line.suggested,
        source=line.source,
        verified=line.verified,
        evidence=(*evidence(run.labs), *more),
    )
