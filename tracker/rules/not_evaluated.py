"""A result, or a question, that could not be judged.

What it flags:
For the latest result of each analyte only: no reference range, or one that depends on a sex or an age that is not
known; a unit that is not one of the analyte's or that cannot be graded; a censored value (`<0.6`) that may lie on
either side of the range, of a limit (on treatment, or for starting) or of a grade; no number where one is needed; the
index of an antibody that neither its range nor its flag reads as positive or negative. For a course: no baseline where
the label limits the fall from it; no result before the start where the label limits the start; no weight where the
label sets the dose by creatinine clearance, no dose where a line of the label would cap it; an LDL whose baseline was
had by another method, or fasting where this one was not. A temperature from 38.0 °C beside
neutrophils < 0.5 10*9/L of which nobody recorded whether it lasted an hour.
Half of a possible Hy's law (ALT or AST at 3 times the upper limit, or bilirubin above twice it) without the other half.
For the latest draw: values that contradict each other (a differential that does not add up, haemoglobin against
haematocrit, direct above total bilirubin, HDL above total cholesterol). Results under names that nobody has
mapped are listed in one finding. Each vanishes when what was missing comes.

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
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile

from tracker.domain.dosing_facts import unjudged
from tracker.domain.draws import Contradiction, contradictions
from tracker.domain.episodes import evidence, reading, within
from tracker.domain.fever import KIND, LASTING, undecided
from tracker.domain.findings import INFO, ROUTINE, URGENT, Evidence, Finding
from tracker.domain.gaps import MEASURED, NO_NUMBER, NO_RANGE, UNDECIDABLE, Gap, gaps_of, plain
from tracker.domain.history import Course, History, Lab
from tracker.domain.liver import AMINOTRANSFERASES, THRICE, TWICE, WINDOW_DAYS
from tracker.domain.protocol import FALL_FROM_BASELINE, Protocol
from tracker.domain.screening_facts import READ_IN_WORDS, asks_for, read_test

CODE = "not_evaluated"
UNMAPPED = "UNMAPPED"

NO_BASELINE, NOT_MEASURED, IMPLAUSIBLE = "no_baseline", "not_measured_before_start", "implausible_pair"
UNREAD, UNLIKE, FEVER_HOUR = "unread", "unlike_baseline", "fever_hour"
UNPAIRED, HYS_LAW = "not_paired", "HYS_LAW"

Treatment = tuple[Course, Protocol]


def check(history: History) -> Iterator[Finding]:
    running = [
        (course, protocol) for course, protocol in history.treatments()
        if course.started(history.as_of) and not course.over(history.as_of)
    ]  # fmt: skip
    asked = [(course, protocol) for course, protocol in history.treatments() if not course.over(history.as_of)]
    for analyte, labs in history.labs.items():
        if history.concern.get(analyte) in MEASURED and not plain(history, labs[-1]):
            yield from _latest(history, labs, asked)
    yield from _unread(history, asked)
    yield from _unmapped(history)
    yield from _unpaired(history, running)
    for wrong in contradictions(history.labs):
        yield _implausible(history, wrong)
    for course, protocol in running:
        yield from _without_baseline(history, course, protocol)
        yield from _unlike_baseline(history, course, protocol)
    yield from _fever(history)
    yield from _own_rules(history)
    yield from _without_uln(history)
    yield from _broken_rules(history)
    for course, protocol in asked:
        yield from _not_measured(history, course, protocol)
        yield from _dose(history, course, protocol)


# ------------------------------------------------------------------------------------- one result by itself


def _latest(history: History, labs: Sequence[Lab], courses: Sequence[Treatment]) -> Iterator[Finding]:
    last = labs[-1]
    for gap in gaps_of(history, last, courses):
        since = last
        for lab in reversed(labs[:-1]):
            if all(other.entry != gap.entry for other in gaps_of(history, lab, courses)):
                break
            since = lab
        yield _finding(last, gap._replace(words=f"{reading(history, last)} could not be judged: {gap.words}"), since)


def _unread(history: History, courses: Sequence[Treatment]) -> Iterator[Finding]:
    """An antibody's index of which neither the printed bound nor the flag says whether it is positive."""
    for code in READ_IN_WORDS:
        labs = history.labs.get(code, ())
        unread = list(takewhile(_is_unread, reversed(labs)))
        if not unread:
            continue
        wanted = any(asks_for(screen, code) for _, protocol in courses for screen in protocol.screening)
        said = (
            f"{reading(history, unread[0])} could not be read as positive or negative: neither a range with one upper "
            "bound nor a flag says which. Look at the report and enter the word"
        )
        yield _finding(unread[0], Gap(UNREAD, said, limit=wanted), unread[-1])


def _is_unread(lab: Lab) -> bool:
    return lab.figure is not None and read_test(lab).verdict is None


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


def _unpaired(history: History, running: Sequence[Treatment]) -> Iterator[Finding]:
    """Half of a possible Hy's law whose other half was not measured at the time: it cannot be ruled out.

    It goes when the other half comes, high or not, or when the next value of the half that is there is no longer high.
    """
    latest = [history.labs[code][-1] for code in AMINOTRANSFERASES if code in history.labs]
    raised = [lab for lab in latest if lab.above_uln(THRICE, inclusive=True)]
    jaundice = [lab for lab in history.labs.get("TBIL", ())[-1:] if lab.above_uln(TWICE)]
    for found, others, wanted in (
        (raised, ("TBIL",), "no total bilirubin with an upper limit"),
        (jaundice, AMINOTRANSFERASES, "no aminotransferase with an upper limit"),
    ):
        for lab in sorted(found, key=lambda lab: lab.collected_at)[-1:]:
            known = (
                other for code in others for other in history.labs.get(code, ()) if other.above_uln(TWICE) is not None
            )
            if not any(within(WINDOW_DAYS, other.collected_on, lab.collected_on) for other in known):
                said = (
                    f"{reading(history, lab)} could not be judged for possible Hy's law: {wanted} within "
                    f"{WINDOW_DAYS} days"
                )
                told = _finding(lab, Gap(UNPAIRED, said, bool(running)), lab)
                yield replace(told, subject=HYS_LAW, suggested="investigate", source="composite rule L1")


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


def _unlike_baseline(history: History, course: Course, protocol: Protocol) -> Iterator[Finding]:
    """The latest LDL, where all that was measured before the first dose was had in another way."""
    last = next((lab for lab in reversed(history.labs.get("LDL", ())) if lab.value is not None), None)
    if last is None or last.collected_on <= course.started_on:
        return
    baseline = history.baseline(course, "LDL")
    if baseline is not None and history.baseline(course, "LDL", last) is None:
        said = (
            f"{reading(history, last)}: the change from the baseline {baseline.shown} {baseline.unit} of "
            f"{baseline.collected_on} could not be judged: this one was {_apart(last, baseline)}, that one "
            f"{_apart(baseline, last)}"
        )
        yield _finding(
            last, Gap(UNLIKE, said, minor=True), last, starts=course.started_on.isoformat(),
            source="composite rule B5", yardstick=protocol.yardstick, others=(baseline,),
        )  # fmt: skip


def _apart(lab: Lab, other: Lab) -> str:
    """How a result was had, as far as the other was had in another way."""
    method = "" if lab.method == other.method else lab.method or "of no known method"
    meal = lab.meal if lab.meal and other.meal and lab.meal != other.meal else ""
    return " and ".join(filter(None, (method, meal)))


def _fever(history: History) -> Iterator[Finding]:
    """A temperature that is an emergency beside these neutrophils if it lasted an hour."""
    fever = undecided(history)
    if fever is None:
        return
    seen, lab = fever.seen, fever.lab
    day = max(seen.on, lab.collected_on)
    yield Finding(
        rule=CODE,
        subject="FEBRILE_NEUTROPENIA",
        entry=FEVER_HOUR,
        severity=URGENT,
        sentence=(
            f"Temperature {seen.value} °C on {seen.on} with {reading(history, lab)} on {lab.collected_on} could not be "
            f"judged: whether it lasted an hour was not recorded; {LASTING} °C for an hour is febrile neutropenia"
        ),
        opened_on=day,
        last_seen_on=day,
        starts=seen.on.isoformat(),
        suggested="consult",
        source="general knowledge (composite rule I1)",
        verified=False,
        evidence=(Evidence(KIND, seen.value, "°C", seen.on), lab.evidence()),
    )


def _own_rules(history: History) -> Iterator[Finding]:
    """A clinic's own rule about a change from the baseline, where the running course has none."""
    course = history.course_at(history.as_of)
    if course is None or course.over(history.as_of):
        return
    for rule in history.own_rules:
        held = rule.versions[-1][1]
        labs = [lab for lab in history.labs.get(rule.analyte, ()) if lab.collected_on > course.started_on]
        if held is None or held.since != "baseline" or not labs:
            continue
        if not history.baseline(course, rule.analyte, labs[-1]):
            said = (
                f"{reading(history, labs[-1])}: “{held.title}” cannot be judged, for there is no result to compare it "
                f"with of the days before the first dose on {course.started_on}"
            )
            yield _finding(
                labs[-1], Gap(f"{NO_BASELINE} {rule.key}", said), labs[0], starts=course.started_on.isoformat(),
                source=held.source, yardstick=held.name,
            )  # fmt: skip


def _without_uln(history: History) -> Iterator[Finding]:
    """A clinic's own rule that counts upper limits of normal, where the range of the latest result has none."""
    for rule in history.own_rules:
        held = rule.versions[-1][1]
        for code in held.counts_uln if held is not None else ():
            last = next(iter(history.labs.get(code, ())[-1:]), None)
            if held is not None and last is not None and last.figure is not None and last.uln is None:
                said = f"{reading(history, last)}: “{held.title}” cannot be judged, for its range has no upper limit"
                gap = Gap(f"no_uln {rule.key}", said)
                yield _finding(last, gap, last, source=held.source, yardstick=held.name)


def _broken_rules(history: History) -> Iterator[Finding]:
    """A clinic's own rule that this program cannot judge any more, where the patient has what it is about."""
    for rule in history.own_rules:
        labs = history.labs.get(rule.analyte, ()) if rule.trouble else ()
        if labs:
            said = f"{history.name(rule.analyte)}: the clinic's own rule {rule.trouble}"
            yield _finding(labs[-1], Gap(f"own rule {rule.key}", said), labs[0])


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
