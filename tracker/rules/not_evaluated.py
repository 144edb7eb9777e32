"""A result, or a question, that could not be judged.

What it flags:
For the latest result of each analyte only: no reference range, or one that depends on a sex or an age that is not
known; a unit that is not one of the analyte's or that cannot be graded; a censored value (`<0.6`) that may lie on
either side of the range, of a limit or of a grade; no number where one is needed. For a course: no baseline where
the label limits the fall from it; no result before the start where the label limits the start; no weight where the
label sets the dose by creatinine clearance, no dose where a line of the label would cap it. For the latest
draw: values that contradict each other (a differential that does not add up, haemoglobin against haematocrit,
direct above total bilirubin, HDL above total cholesterol). Results under names that nobody has mapped are listed
in one finding. Each vanishes when what was missing comes.

Why it matters:
Silence looks like health. What could not be judged is said, this week where a limit of the running treatment is
concerned.

Example:
Lymphocytes <0.6 10*9/L against a limit of 0.5: it may be 0.55 or 0.45. <0.5 meets the limit, and its grade (3 or
4) stays open. Haemoglobin 31.5 g/dL with a haematocrit of 40 % cannot be: two digits were exchanged.

Source:
Composite rules H1 to H6 and B1; the tolerances (10 % of the white count) are proposed by the authors.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tracker.domain.dosing_facts import unjudged
from tracker.domain.draws import Contradiction, contradictions
from tracker.domain.episodes import at_or_beyond, bounds, evidence, fallen, reading
from tracker.domain.findings import INFO, ROUTINE, SOON, Finding
from tracker.domain.grading import NO_TERM, Limits, Version, scales
from tracker.domain.history import Course, History, Lab
from tracker.domain.protocol import FALL_FROM_BASELINE, Limit, Protocol

CODE = "not_evaluated"
UNMAPPED = "UNMAPPED"

NO_RANGE, SEX, AGE, UNIT, UNDECIDABLE, NO_NUMBER = "no_range", "sex", "age", "unit", "undecidable", "no_number"
NO_BASELINE, NOT_MEASURED, IMPLAUSIBLE = "no_baseline", "not_measured_before_start", "implausible_pair"

MEASURED = ("low", "high", "both")  # directions of concern that a number is judged by
SIDES = {"low": (0,), "high": (1,), "both": (0, 1)}  # of the pair of grades


# Indices and acute-phase values that only their range judges: no limit, pair or dose rests on them.
SECONDARY = frozenset(
    {"AMC", "EOS", "BASO", "HCT", "RBC", "MCV", "MCHC", "NEUT_PCT", "LYMPH_PCT", "NONHDL", "GGT", "ALB", "CRP", "ESR"}
)


class Gap(NamedTuple):
    """One reason why a result could not be judged.

    `limit`: a limit of the running treatment is concerned; `minor`: all but a grade could be judged, or nothing but
    the range judges it.
    """

    entry: str
    words: str
    limit: bool = False
    minor: bool = False

    @property
    def severity(self) -> str:
        return SOON if self.limit else INFO if self.minor else ROUTINE


Treatment = tuple[Course, Protocol]


def check(history: History) -> Iterator[Finding]:
    running = [
        (course, protocol) for course, protocol in history.treatments()
        if course.started(history.as_of) and not course.over(history.as_of)
    ]  # fmt: skip
    for analyte, labs in history.labs.items():
        if history.concern.get(analyte) in MEASURED and not _plain(history, labs[-1]):
            yield from _latest(history, labs, running)
    yield from _unmapped(history)
    for wrong in contradictions(history.labs):
        yield _implausible(history, wrong)
    for course, protocol in running:
        yield from _without_baseline(history, course, protocol)
    yield from _own_rules(history)
    for course, protocol in history.treatments():
        if not course.over(history.as_of):
            yield from _not_measured(history, course, protocol)
            yield from _dose(history, course, protocol)


# ------------------------------------------------------------------------------------- one result by itself


def _plain(history: History, lab: Lab) -> bool:
    """The common case: a number in a known unit, with a range, that can be graded."""
    limits = lab.limits
    if limits is None or lab.value is None or lab.comparator:
        return False
    concern = history.concern[lab.analyte]
    return not _obstacle(
        history.grading, lab.analyte, lab.unit, concern, (limits.low is not None, limits.high is not None)
    )


@lru_cache(maxsize=4096)
def _obstacle(grading: Version, analyte: str, unit: str, concern: str, bounds: tuple[bool, bool]) -> bool:
    """Whether an unremarkable value in this unit, with these bounds known, could not be graded."""
    low, high = (Decimal(1) if known else None for known in bounds)
    both = scales(grading, analyte, unit, Limits(low, high))
    verdicts = [both[side].otherwise for side in SIDES[concern]]
    return any(verdict.grade is None and not verdict.reason.startswith(NO_TERM) for verdict in verdicts)


def _latest(history: History, labs: Sequence[Lab], running: Sequence[Treatment]) -> Iterator[Finding]:
    last = labs[-1]
    for gap in _gaps(history, last, running):
        since = last
        for lab in reversed(labs[:-1]):
            if all(other.entry != gap.entry for other in _gaps(history, lab, running)):
                break
            since = lab
        yield _finding(last, gap._replace(words=f"{reading(history, last)} could not be judged: {gap.words}"), since)


def _gaps(history: History, lab: Lab, running: Sequence[Treatment]) -> list[Gap]:
    """What could not be judged of a result, one gap an entry."""
    watched = [
        (course, limit) for course, protocol in running for limit in protocol.on_treatment
        if limit.analyte == lab.analyte and not limit.condition and lab.collected_on > course.started_on
    ]  # fmt: skip
    if lab.figure is None:
        return [Gap(NO_NUMBER, "the result is not a number", bool(watched))]
    found: list[Gap] = []
    if lab.value is None:
        told = f"“{lab.unit}”" if lab.unit else "no unit"
        found.append(Gap(UNIT, f"{told} is not a unit in which it is recorded", bool(watched)))
    elif lab.limits is None and not lab.computed:
        found.append(_range_gap(lab))
    ungraded = _ungraded(history, lab)
    found += [gap for reason in ungraded if lab.limits and (gap := _grade_gap(reason))]
    found += _undecided(history, lab, watched, any(reason.startswith(UNDECIDABLE) for reason in ungraded))
    return list({gap.entry: gap for gap in reversed(found)}.values())[::-1]


def _range_gap(lab: Lab) -> Gap:
    why = lab.no_range
    entry = SEX if "depends on sex" in why else AGE if "depends on age" in why else NO_RANGE
    return Gap(entry, why or "no reference range is printed or configured", minor=lab.analyte in SECONDARY)


def _grade_gap(reason: str) -> Gap | None:
    """A unit without published cuts, or a bound of the range that is missing; a missing baseline is told elsewhere."""
    if "unit" in reason:
        return Gap(UNIT, f"it cannot be graded: {reason}", minor=True)
    return Gap(NO_RANGE, f"it cannot be graded: {reason}") if "limit of normal" in reason else None


def _ungraded(history: History, lab: Lab) -> list[str]:
    """Why a result has no grade in a direction of concern that has a term."""
    grades = history.grades(lab)
    sides = (grades[side] for side in SIDES[history.concern[lab.analyte]])
    return [found.reason for found in sides if found.grade is None and not found.reason.startswith(NO_TERM)]


def _undecided(history: History, lab: Lab, watched: Sequence[tuple[Course, Limit]], grade: bool) -> list[Gap]:
    """What a censored value leaves open, in one gap: limits, then the range, then the grade."""
    if not lab.comparator:
        return []
    limits = [limit.words for course, limit in watched if _verdict_open(history, course, limit, lab)]
    against = [f"the action limit {words}" for words in limits]
    if lab.limits is not None and lab.place is None:
        against.append(f"the reference range {bounds(lab.limits)}")
    if grade:
        against.append(f"the {history.grading.name} grade")
    return [Gap(UNDECIDABLE, f"open against {', and '.join(against)}", bool(limits))] if against else []


def _verdict_open(history: History, course: Course, limit: Limit, lab: Lab) -> bool:
    falls = limit.measure == FALL_FROM_BASELINE
    meets = fallen(history.baseline(course, lab.analyte), limit) if falls else at_or_beyond(limit)
    return meets is not None and lab.value is not None and meets(lab) is None


def _unmapped(history: History) -> Iterator[Finding]:
    known = history.analyte_names
    strange = {name: labs for name, labs in history.labs.items() if name not in known and labs[-1].limits is None}
    if not strange:
        return
    first = min((labs[0] for labs in strange.values()), key=lambda lab: lab.collected_at)
    latest = max((labs[-1] for labs in strange.values()), key=lambda lab: lab.collected_at)
    names = ", ".join(sorted(strange))
    yield Finding(
        rule=CODE,
        subject=UNMAPPED,
        entry=NO_RANGE,
        severity=INFO,
        sentence=f"Results under names that are not mapped and carry no range were not judged: {names}",
        opened_on=first.collected_on,
        last_seen_on=latest.collected_on,
        starts=first.collected_at.isoformat(),
        evidence=evidence([labs[-1] for _, labs in sorted(strange.items())]),
    )


# ------------------------------------------------------------------------------------ what a course asks for


def _without_baseline(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    for limit in protocol.on_treatment:
        if limit.measure != FALL_FROM_BASELINE or history.baseline(course, limit.analyte):
            continue
        labs = [lab for lab in history.labs.get(limit.analyte, ()) if lab.collected_on > course.started_on]
        if labs:
            said = (
                f"{reading(history, labs[-1])}: the fall from baseline cannot be assessed, for there is no result "
                f"of the {protocol.baseline_window_days} days before the first dose on {course.started_on} "
                f"(limit: {limit.words})"
            )
            yield _finding(
                labs[-1], Gap(NO_BASELINE, said, True), labs[0], starts=course.started_on.isoformat(),
                source=limit.origin.source, yardstick=protocol.under(limit.overlay),
            )  # fmt: skip


def _own_rules(history: History) -> Iterator[Finding]:
    """A clinic's own rule about a change from the baseline, where the running course has none."""
    course = history.course_at(history.as_of)
    if course is None or course.over(history.as_of):
        return
    for rule in history.own_rules:
        held = rule.versions[-1][1]
        if held is None or held.since != "baseline" or history.baseline(course, rule.analyte):
            continue
        labs = [lab for lab in history.labs.get(rule.analyte, ()) if lab.collected_on > course.started_on]
        if labs:
            said = (
                f"{reading(history, labs[-1])}: “{held.title}” cannot be judged, for there is no result of the days "
                f"before the first dose on {course.started_on}"
            )
            yield _finding(
                labs[-1], Gap(f"{NO_BASELINE} {rule.key}", said), labs[0], starts=course.started_on.isoformat(),
                source=held.source, yardstick=held.name,
            )  # fmt: skip


def _not_measured(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    """Before the first dose, and after it until a result on treatment takes the question over."""
    opens_on = course.started_on - timedelta(days=protocol.baseline_window_days)
    if history.as_of < opens_on:
        return
    started = course.started(history.as_of)
    for limit in protocol.initiation:
        labs = history.labs.get(limit.analyte, ())
        if not any(lab.collected_on >= opens_on and lab.value is not None for lab in labs):
            day = course.started_on if started else opens_on
            yield Finding(
                rule=CODE,
                subject=limit.analyte,
                entry=NOT_MEASURED,
                severity=ROUTINE,
                sentence=(
                    f"{history.name(limit.analyte)}: no result of the {protocol.baseline_window_days} days before "
                    f"{protocol.name} {'was started' if started else 'is to start'} on {course.started_on}; its limit "
                    f"for starting ({limit.words}) could not be judged"
                ),
                opened_on=day,
                last_seen_on=day,
                starts=course.started_on.isoformat(),
                source=limit.origin.source,
                verified=limit.origin.verified,
                yardstick=protocol.under(limit.overlay),
            )


def _dose(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    """What keeps the dose from being judged: a weight, sex or age for the kidneys, or the dose itself."""
    for gap in unjudged(history, course, protocol):
        known = max((fact.collected_on for fact in gap.evidence), default=course.started_on)
        day = max(known, course.started_on) if course.started(history.as_of) else known
        yield Finding(
            rule=CODE,
            subject=gap.subject,
            entry=gap.entry,
            severity=ROUTINE,
            sentence=f"The dose of {protocol.title} could not be judged: {gap.says}",
            opened_on=day,
            last_seen_on=day,
            starts=course.started_on.isoformat(),
            yardstick=protocol.yardstick,
            evidence=gap.evidence,
        )


# --------------------------------------------------------------------------------------------- the finding


def _implausible(history: History, wrong: Contradiction) -> Finding:
    lab = wrong.lab
    said = f"{reading(history, lab)} cannot be right with the rest of its draw: {wrong.words}"
    return _finding(lab, Gap(IMPLAUSIBLE, said), lab, others=wrong.others)


def _finding(
    last: Lab, gap: Gap, since: Lab, *, starts: str = "", source: str = "", yardstick: str = "",
    others: tuple[Lab, ...] = (),
) -> Finding:  # fmt: skip
    """What is said of the latest result; the gap has been there since `since`."""
    repeat = gap.entry in (NO_NUMBER, IMPLAUSIBLE) or (gap.entry == UNDECIDABLE and gap.limit)
    return Finding(
        rule=CODE,
        subject=last.analyte,
        entry=gap.entry,
        severity=gap.severity,
        sentence=gap.words,
        opened_on=since.collected_on,
        last_seen_on=last.collected_on,
        starts=starts or since.collected_at.isoformat(),
        suggested="repeat" if repeat else None,
        source=source,
        yardstick=yardstick,
        evidence=evidence((last, *others)),
    )
