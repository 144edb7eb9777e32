"""A change from the patient's own baseline that no label names.

What it flags:
On treatment, against the baseline of the course (the last result of the 30 days before the first dose):
haemoglobin fallen by more than 30 %, on two results in a row; ALT at twice the baseline or more; LDL risen by 30 %
or more, or to 190 mg/dL, by the same method; and, where none of these says it already, a change in the direction
of concern that is more than chance (reference change value), or three results in a row each further that way, by
more than chance in all. Results of days without drug neither begin nor continue an episode; they can end it.
An LDL of a fasting sample is never compared with one of a sample that was not; where one of the two does not say, the
comparison is made and that is said.

Why it matters:
A value inside every range can be far from what is usual for this patient. The third yardstick is the patient.

Example:
Haemoglobin 13.0 and then 9.0 g/dL is a fall of 30.8 %; 13.0 to 9.1 is exactly 30 % and is not flagged. ALT 62 to
130 U/L with an upper limit of 40 is 2.1 times the baseline. LDL 100 mg/dL fasting and 140 mg/dL not fasting are not
compared.

Source:
Haemoglobin: trial programme of tofacitinib in ulcerative colitis. ALT and LDL: proposed by the authors. Reference
change values: Z 1.96, two-sided; the variation within a person is general knowledge. None overrides a label.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.chance import CHANCE, Chance
from tracker.domain.dates import Span
from tracker.domain.episodes import (
    NOT_ASKED,
    Run,
    Verdict,
    confirmation,
    evidence,
    reading,
    repeat_by,
    runs,
)
from tracker.domain.findings import INFO, ROUTINE, SOON, Finding
from tracker.domain.history import AFTER_MEALS, Course, History, Lab
from tracker.domain.ranges import HIGH, INSIDE, LOW
from tracker.domain.values import above, below, shown

CODE = "change"
FALL, DOUBLING, RISE, RCV, TREND = "fall_30", "doubling", "ldl_rise", "rcv", "trend"

KEPT_AFTER_FALL, TWICE, RISEN = Decimal("0.7"), Decimal(2), Decimal("1.3")
THREE_ULN, LDL_VERY_HIGH = Decimal(3), Decimal(190)
A_WEEK = Span(0, 7)
SHORTEST_TREND = 3
DIRECTIONS = (LOW, HIGH)  # as grades come


def check(history: History) -> Iterator[Finding]:
    for course in history.courses:
        if course.started(history.as_of):
            for analyte in CHANCE:
                labs = [lab for lab in history.labs.get(analyte, ()) if lab.collected_on > course.started_on]
                for method in dict.fromkeys(lab.method for lab in labs):
                    like = [lab for lab in labs if lab.method == method]
                    yield from _analyte(history, course, analyte, like)


def _analyte(history: History, course: Course, analyte: str, labs: Sequence[Lab]) -> Iterator[Finding]:
    """`labs` are of one method: an LDL that was measured and one that was calculated are not compared (B5)."""
    baselines = {lab.meal: history.baseline(course, analyte, lab) for lab in {lab.meal: lab for lab in labs}.values()}
    known = [lab for lab in baselines.values() if lab is not None]
    if _steady(CHANCE[analyte], (*known, *labs)):
        return

    def start(lab: Lab) -> Lab | None:
        return baselines[lab.meal]

    counts, strong = _counts(history, course), _strong(analyte, start)
    found = _trends(analyte, [lab for lab in labs if counts(lab)])
    trends = {key: row for key, row in found.items() if not any(says(row[-1]) for says in strong.values())}
    if trends:
        for run in runs(labs, _trend_verdict(analyte, labs, trends), Lab.same_specimen):
            yield _trend(history, run, trends[id(run.last)])
    chance = _beyond(start, CHANCE[analyte].direction, CHANCE[analyte].factor)
    weak = _unless((*strong.values(), lambda lab: id(lab) in trends), chance)
    for entry, meets in (*strong.items(), (RCV, weak)):
        if any(meets(lab) for lab in labs):
            for run in runs(labs, _only(counts, meets), Lab.same_specimen):
                yield _against_baseline(history, course, entry, start(run.last), run)


def _steady(chance: Chance, labs: Sequence[Lab]) -> bool:
    """The common case: no two values differ by more than chance, so no entry of this rule can be met.

    A new LDL of 190 mg/dL is one that may differ by less; it is looked at.
    """
    values = []
    for lab in labs:
        if lab.comparator or lab.value is None:
            return False
        values.append(lab.value)
    least, most = min(values), max(values)
    if labs[0].analyte == "LDL" and most >= LDL_VERY_HIGH:
        return False
    return least > most * chance.steady


# ------------------------------------------------------------------------------------------------ verdicts


def _counts(history: History, course: Course) -> Callable[[Lab], bool]:
    """Whether a result is this course's: on the drug, and before a later course began."""
    later = [other.started_on for other in history.courses if other.started_on > course.started_on]
    until = min(later, default=date.max)
    return lambda lab: lab.collected_on <= until and course.on_treatment(lab.collected_on)


def _only(counts: Callable[[Lab], bool], meets: Verdict) -> Verdict:
    def verdict(lab: Lab) -> bool | None:
        met = meets(lab)
        return None if met and not counts(lab) else met

    return verdict


def _unless(stronger: Sequence[Verdict], meets: Verdict) -> Verdict:
    return lambda lab: False if any(says(lab) for says in stronger) else meets(lab)


Start = Callable[[Lab], Lab | None]
"""What a result is compared with; None where there is nothing."""


def _strong(analyte: str, start: Start) -> Mapping[str, Verdict]:
    """The changes that count for themselves, by entry."""
    if analyte == "HB":
        return {FALL: _beyond(start, LOW, KEPT_AFTER_FALL)}
    if analyte == "ALT":
        return {DOUBLING: _beyond(start, HIGH, TWICE, inclusive=True)}
    return {RISE: _ldl_rise(start)} if analyte == "LDL" else {}


def _beyond(start: Start, direction: str, factor: Decimal, inclusive: bool = False) -> Verdict:
    """Is a result beyond `factor` times its start? Exact in the unit of both, else in the canonical one."""
    compare = below if direction == LOW else above

    def verdict(lab: Lab) -> bool | None:
        baseline = start(lab)
        now, then = _pair(lab, baseline) if baseline is not None else (None, None)
        if now is None or not then:  # a baseline of zero is compared with nothing
            return None
        return compare(lab.comparator, now, then * factor, inclusive)

    return verdict


def _pair(lab: Lab, other: Lab) -> tuple[Decimal | None, Decimal | None]:
    """The two figures in one unit, without a conversion where none is needed."""
    return (lab.figure, other.figure) if lab.unit == other.unit else (lab.value, other.value)


def _ldl_rise(start: Start) -> Verdict:
    risen = _beyond(start, HIGH, RISEN, inclusive=True)

    def verdict(lab: Lab) -> bool | None:
        baseline = start(lab)
        was_lower = baseline is not None and bool(baseline.value) and baseline.below(LDL_VERY_HIGH)
        very_high = lab.above(LDL_VERY_HIGH, inclusive=True)
        return True if was_lower and very_high else risen(lab)

    return verdict


# -------------------------------------------------------------------------------------------------- trends


def _trends(analyte: str, counting: Sequence[Lab]) -> dict[int, tuple[Lab, ...]]:
    """By result, the results in a row that it is the last of: three or more, and in all more than chance."""
    ends: dict[int, tuple[Lab, ...]] = {}
    for like in _comparable(counting):
        row: list[Lab] = []
        for lab in like:
            if lab.comparator or lab.value is None or (row and lab.same_specimen(row[-1])):
                continue
            row = [*row, lab] if row and _further(analyte, lab, row[-1]) else [lab]
            chance = _beyond(_always(row[0]), CHANCE[analyte].direction, CHANCE[analyte].factor)
            if len(row) >= SHORTEST_TREND and chance(lab):
                ends[id(lab)] = tuple(row)
    return ends


def _always(start: Lab) -> Start:
    return lambda _lab: start


def _comparable(labs: Sequence[Lab]) -> Sequence[Sequence[Lab]]:
    """The rows in which results may be compared: one, or those not known to be fasting and those that may be."""
    if len({lab.meal for lab in labs if lab.meal}) < 2:
        return (labs,)
    return [[lab for lab in labs if lab.fasting is not state] for state in (True, False)]


def _further(analyte: str, lab: Lab, before: Lab) -> bool:
    now, then = _pair(lab, before)
    if now is None or then is None:
        return False
    return now < then if CHANCE[analyte].direction == LOW else now > then


def _trend_verdict(analyte: str, labs: Sequence[Lab], ends: Mapping[int, tuple[Lab, ...]]) -> Verdict:
    """True at the end of a trend, False where the next value goes no further; a censored one says nothing."""
    verdicts: dict[int, bool] = {}
    last: Lab | None = None
    for lab in labs:
        if id(lab) in ends:
            verdicts[id(lab)], last = True, lab
        elif last is not None and _goes_no_further(analyte, lab, last):
            verdicts[id(lab)], last = False, None
    return lambda lab: verdicts.get(id(lab))


def _goes_no_further(analyte: str, lab: Lab, last: Lab) -> bool:
    """Whether a result of another specimen that can be compared certainly does not go on."""
    weighed = not lab.comparator and lab.comparable(last) and not lab.same_specimen(last)
    return weighed and not _further(analyte, lab, last)


def _trend(history: History, run: Run, row: tuple[Lab, ...]) -> Finding:
    first, last = row[0], row[-1]
    chance = CHANCE[last.analyte]
    side = DIRECTIONS.index(chance.direction)
    graded = (history.grades(last)[side].grade or 0) >= 1
    change = f"{_percent(last, first)} in all since {first.shown} {first.unit} on {first.collected_on}"
    way = "lower" if chance.direction == LOW else "higher"
    return Finding(
        rule=CODE,
        subject=last.analyte,
        entry=TREND,
        severity=ROUTINE if graded or last.place in (LOW, HIGH) else INFO,
        sentence=(
            f"{reading(history, last)}, {len(row)} results in a row each {way}, {change}: more than chance"
            f"{_unsaid(row)}"
        ),
        opened_on=run.first.collected_on,
        last_seen_on=last.collected_on,
        starts=first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        source=f"trend beyond the reference change value {chance.percent:.1f} % (author-proposed)",
        verified=False,
        evidence=evidence(row),
    )


# ------------------------------------------------------------------------------------- against the baseline


class _Line(NamedTuple):
    """What an entry says of itself."""

    severity: str
    suggested: str | None
    words: str
    source: str
    verified: bool


_LINES = {
    FALL: _Line(SOON, "investigate", "more than 30 %, asked for on two results in a row",
                "tofacitinib ulcerative-colitis programme: fall > 30 % on two sequential values", True),
    DOUBLING: _Line(ROUTINE, None, "twice or more", "author-proposed", False),
    RISE: _Line(ROUTINE, None, "30 % or more, or new from 190 mg/dL", "author-proposed", False),
    RCV: _Line(INFO, None, "more than chance", "reference change value (variation: general knowledge)", False),
}  # fmt: skip


def _against_baseline(history: History, course: Course, entry: str, baseline: Lab | None, run: Run) -> Finding:
    assert baseline is not None  # without one nothing is met
    line, last = _LINES[entry], run.last
    protocol = history.protocol(course)
    within, by = (protocol.confirm_within, protocol.window_by) if protocol else history.repeat_within(A_WEEK)
    repeat = NOT_ASKED
    if entry == FALL:
        repeat = confirmation(run.labs, 2, within, run.ended_by is not None, history.as_of)
    return Finding(
        rule=CODE,
        subject=last.analyte,
        entry=entry,
        severity=_severity_of_change(entry, last),
        sentence=_sentence(history, entry, baseline, last),
        opened_on=run.first.collected_on,
        last_seen_on=last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        confirmation=repeat.state,
        suggested=line.suggested,
        due_on=repeat.due_on,
        source=line.source,
        verified=line.verified,
        yardstick=protocol.yardstick if protocol else "",
        evidence=(baseline.evidence("baseline"), *evidence(run.labs)),
    ).under(repeat_by(by, repeat))


def _severity_of_change(entry: str, last: Lab) -> str:
    """A doubled ALT informs while it is inside its range, and is for this week from three times the upper limit."""
    if entry == DOUBLING and last.place == INSIDE:
        return INFO
    if entry == DOUBLING and last.above_uln(THREE_ULN, inclusive=True):
        return SOON
    return _LINES[entry].severity


def _sentence(history: History, entry: str, baseline: Lab, lab: Lab) -> str:
    words = _LINES[entry].words
    if entry == RCV:
        words = f"{words}, {CHANCE[lab.analyte].percent:.1f} %"
    way = "below" if CHANCE[lab.analyte].direction == LOW else "above"
    apart = _times(lab, baseline) if entry == DOUBLING else f"{_percent(lab, baseline)} {way}"
    limit = f", {shown(lab.times_uln, 3)} x ULN" if entry == DOUBLING and lab.times_uln is not None else ""
    from_day = f"the baseline {baseline.shown} {baseline.unit} of {baseline.collected_on}"
    return f"{reading(history, lab)}, {apart} {from_day} ({words}){limit}{_unsaid((baseline, lab))}"


def _unsaid(labs: Sequence[Lab]) -> str:
    """The end of a sentence that compares samples of which not all say whether the patient was fasting."""
    silent = [lab for lab in labs if lab.analyte in AFTER_MEALS and not lab.meal]
    if not silent:
        return ""
    days = "" if len(silent) == len(labs) else f" on {', '.join(str(lab.collected_on) for lab in silent)}"
    return f"; whether fasting was not said{days}"


def _times(lab: Lab, baseline: Lab) -> str:
    now, then = _pair(lab, baseline)
    assert now is not None
    assert then  # a baseline of zero is compared with nothing
    return f"{lab.comparator}{now / then:.1f} x"


def _percent(lab: Lab, baseline: Lab) -> str:
    """How far apart the two are, in percent of the earlier one, to a tenth."""
    now, then = _pair(lab, baseline)
    assert now is not None
    assert then  # a baseline of zero is compared with nothing
    return f"{'more than ' if lab.comparator else ''}{abs(now - then) / then * 100:.1f} %"
