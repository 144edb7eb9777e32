"""Possible Hy's law, and liver values at which trial guidance stops a drug.

What it flags:
ALT or AST at 3 times the upper limit of normal (ULN) or more, together with total bilirubin above twice the ULN,
in one draw or within 30 days of each other, unless alkaline phosphatase was raised to twice the ULN or more at
the time. Where it was not measured it is still a candidate, and the sentence says so. It ends when either the
aminotransferases or the bilirubin are below again.
Further: ALT or AST above 8 times the ULN; above 5 times for more than two weeks; above 3 times with INR above 1.5
in a patient who takes no anticoagulant (urgent), with eosinophils above 5 % of the white cells, or with a symptom of
the liver (jaundice, nausea, pain under the right ribs, fever, rash) within 30 days. A creatine kinase above 5 times
its ULN at the time is named: the aminotransferases may then come from muscle.

Why it matters:
A drug that injures liver cells enough to raise bilirubin can cause liver failure in about one of ten such
patients. The labels of JAK inhibitors give no figure: they ask to interrupt the drug while drug-induced injury is
suspected. Other causes (viral hepatitis, gallstones, muscle, Gilbert) are for a clinician to weigh.

Example:
ALT 400 U/L (ULN 40), ALP 120 (120), bilirubin 2.5 mg/dL (1.0): 10.0 x and 2.5 x ULN, R 10.0, a candidate. With
bilirubin exactly 2.0 it is not: the law asks for more than twice.

Source:
FDA guidance on drug-induced liver injury, 2009. Windows of 30 days: the default of hep-explorer. The further
limits are from the same guidance and were not verified.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from tracker.domain.derived import r_class, r_value
from tracker.domain.episodes import Run, evidence, reading, runs, within
from tracker.domain.findings import SOON, URGENT, Evidence, Finding
from tracker.domain.history import WASHOUT, Event, History, Lab
from tracker.domain.illness import INFECTION, wording
from tracker.domain.liver import AMINOTRANSFERASES, THRICE, TWICE, WINDOW_DAYS
from tracker.domain.protocol import Sourced
from tracker.domain.values import shown

CODE = "hys_law"
SUBJECT = "HYS_LAW"
TWO_WEEKS = timedelta(days=14)

FIVEFOLD, EIGHTFOLD = Decimal(5), Decimal(8)
INR_LIMIT, EOSINOPHILS_LIMIT = Decimal("1.5"), Decimal(5)

_FDA = Sourced("", "FDA guidance on drug-induced liver injury, 2009", True)
_STOPPING = "FDA guidance on drug-induced liver injury, 2009: stopping rules (general knowledge)"

Judged = Sequence[tuple[Lab, bool | None]]


def check(history: History) -> Iterator[Finding]:
    liver = [lab for analyte in AMINOTRANSFERASES for lab in history.labs.get(analyte, ())]
    raised = [(lab, lab.above_uln(THRICE, inclusive=True)) for lab in liver]
    if not any(verdict for _, verdict in raised):
        return
    jaundiced = [(lab, lab.above_uln(TWICE)) for lab in history.labs.get("TBIL", ())]
    for pair in _pairs(raised, jaundiced, lambda lab, day: not _cholestatic(_alp(history, lab, day))):
        yield _candidate(history, pair)
    for analyte in AMINOTRANSFERASES:
        yield from _stopping_rules(history, analyte)


# --------------------------------------------------------------------------- two things raised at the same time


class _Pair(NamedTuple):
    """Raised results of two kinds within the window; `trigger` made the pair, `ended_by` undid it."""

    left: tuple[Lab, ...]
    right: tuple[Lab, ...]
    trigger: Lab
    ended_by: Lab | None


class _Side:
    """One kind of result while the days go by: what is raised now, and what was within the window."""

    def __init__(self) -> None:
        self.now: dict[str, Lab] = {}
        self.recent: list[Lab] = []
        self.today: list[Lab] = []

    def see(self, day: date, judged: Judged) -> Lab | None:
        """Takes in a day's results; the one with which the last raised analyte fell, if so."""
        was_raised = bool(self.now)
        self.today = [lab for lab, verdict in judged if verdict]
        fell = [lab for lab, verdict in judged if verdict is False]
        for lab in fell:
            self.now.pop(lab.analyte, None)
        self.now.update((lab.analyte, lab) for lab in self.today)
        self.recent = [lab for lab in self.recent if within(WINDOW_DAYS, lab.collected_on, day)] + self.today
        return fell[-1] if was_raised and not self.now and fell else None

    @property
    def peak(self) -> Lab:
        return max(self.recent, key=_height)


def _height(lab: Lab) -> Decimal:
    return lab.figure / lab.uln if lab.figure and lab.uln else lab.figure or Decimal(0)


def _pairs(left: Judged, right: Judged, admits: Callable[[Lab, date], bool]) -> Iterator[_Pair]:
    """Episodes in which both are raised, day by day; `admits` may refuse one by what else is known on that day.

    A side that was raised when the episode began, or became so in it, ends it when it falls; what has fallen then
    makes no further pair.
    """
    sides = (_Side(), _Side())
    open_pair: _Pair | None = None
    for day, judged in _days(left, right):
        fallen = [side.see(day, part) for side, part in zip(sides, judged, strict=True)]
        if open_pair is None:
            new = [*sides[0].today, *sides[1].today]
            if new and all(side.recent for side in sides) and admits(sides[0].peak, day):
                open_pair = _Pair(tuple(sides[0].recent), tuple(sides[1].recent), new[-1], None)
            continue
        open_pair = open_pair._replace(
            left=(*open_pair.left, *sides[0].today), right=(*open_pair.right, *sides[1].today)
        )
        if any(fallen):
            yield open_pair._replace(ended_by=next(filter(None, fallen)))
            open_pair = None
            for side, lab in zip(sides, fallen, strict=True):
                side.recent = [] if lab else side.recent
    if open_pair is not None:
        yield open_pair


def _days(left: Judged, right: Judged) -> Iterator[tuple[date, tuple[Judged, Judged]]]:
    """Both series day by day, oldest first."""
    ordered = sorted(
        [(lab, verdict, 0) for lab, verdict in left] + [(lab, verdict, 1) for lab, verdict in right],
        key=lambda entry: entry[0].collected_at,
    )
    for day, entries in groupby(ordered, key=lambda entry: entry[0].collected_on):
        parts: tuple[list[tuple[Lab, bool | None]], list[tuple[Lab, bool | None]]] = ([], [])
        for lab, verdict, side in entries:
            parts[side].append((lab, verdict))
        yield day, parts


# --------------------------------------------------------------------------------------------------- Hy's law


def _alp(history: History, lab: Lab, day: date) -> Lab | None:
    """The alkaline phosphatase that goes with a raised aminotransferase: of its day, else the last before `day`."""
    known = [
        other for other in history.labs.get("ALP", ())
        if other.collected_on <= day and within(WINDOW_DAYS, other.collected_on, lab.collected_on)
    ]  # fmt: skip
    same_day = [other for other in known if other.collected_on == lab.collected_on]
    return next(reversed(same_day or known), None)


def _cholestatic(alp: Lab | None) -> bool:
    return alp is not None and alp.above_uln(TWICE, inclusive=True) is True


def _candidate(history: History, pair: _Pair) -> Finding:
    began = pair.trigger.collected_on
    first = max((lab for lab in pair.left if lab.collected_on <= began), key=_height)
    alp = _alp(history, first, began)
    origin, yardstick, running = _label(history, began)
    seen = sorted((*pair.left, *pair.right), key=lambda lab: lab.collected_at)
    return Finding(
        rule=CODE,
        subject=SUBJECT,
        severity=URGENT,
        sentence=_sentence(history, max(pair.left, key=_height), max(pair.right, key=_height), first, alp),
        opened_on=began,
        last_seen_on=seen[-1].collected_on,
        starts=pair.trigger.collected_at.isoformat(),
        cleared_on=pair.ended_by.collected_on if pair.ended_by else None,
        suggested="hold" if running else "investigate",
        source=origin.source,
        verified=origin.verified,
        yardstick=yardstick,
        evidence=(*evidence(seen, _times), *((alp.evidence(_times(alp)),) if alp else ())),
    )


def _label(history: History, day: date) -> tuple[Sourced, str, bool]:
    """What the running course's label says of drug-induced liver injury, and whether a course is running."""
    course = history.course_at(day)
    if course is None or (course.stopped_on is not None and course.stopped_on + WASHOUT < day):
        return _FDA, "", False
    protocol = history.protocol(course)
    if protocol is None:
        return _FDA, "", True
    lines = (limit.origin for limit in protocol.on_treatment if "DILI" in limit.condition)
    return next(lines, _FDA), protocol.yardstick, True


def _sentence(history: History, left: Lab, right: Lab, first: Lab, alp: Lab | None) -> str:
    pair = f"{reading(history, left)} ({_times(left)}) with {reading(history, right)} ({_times(right)})"
    return f"{pair}, {_pattern(first, alp)}: possible Hy's law{_muscle(history, left.collected_on)}"


def _pattern(first: Lab, alp: Lab | None) -> str:
    """`ALP 1.0 x ULN, R 10.0 (hepatocellular)`."""
    if alp is None:
        return "ALP not known"
    mine, other = first.times_uln, alp.times_uln
    r = r_value(mine, other).value if mine is not None and other is not None else None
    ratio = "R not known" if r is None else f"R {r:.1f} ({r_class(r)})"
    return f"ALP {_times(alp) or 'without an upper limit'}, {ratio}"


def _times(lab: Lab) -> str:
    """`3.2 x ULN`; empty where there is no upper limit."""
    if lab.figure is None or not lab.uln:
        return ""
    return f"{lab.comparator}{shown(lab.figure / lab.uln, 3)} x ULN"


def _muscle(history: History, day: date) -> str:
    """A creatine kinase above 5 x ULN near the day; empty where there is none."""
    near = [lab for lab in history.labs.get("CK", ()) if within(WINDOW_DAYS, lab.collected_on, day)]
    high = [lab for lab in near if lab.above_uln(FIVEFOLD)]
    return f"; {reading(history, high[-1])} ({_times(high[-1])}): muscle may be the source" if high else ""


# ---------------------------------------------------------------------------------------------- stopping rules


def _stopping_rules(history: History, analyte: str) -> Iterator[Finding]:
    labs = history.labs.get(analyte, ())
    for run in runs(labs, lambda lab: lab.above_uln(EIGHTFOLD)):
        yield _stopping(history, "over_8x", run, run.first, "above 8 x ULN")
    for run in runs(labs, lambda lab: lab.above_uln(FIVEFOLD)):
        late = [lab for lab in run.labs if lab.collected_on - run.first.collected_on > TWO_WEEKS]
        if late:
            yield _stopping(history, "over_5x_2_weeks", run, late[0], "above 5 x ULN for more than two weeks")
    raised = [(lab, lab.above_uln(THRICE)) for lab in labs]
    if any(verdict for _, verdict in raised):
        yield from _with_another(history, raised)
        for run in runs(labs, lambda lab: lab.above_uln(THRICE)):
            yield from _with_symptoms(history, run)


def _with_another(history: History, raised: Judged) -> Iterator[Finding]:
    """Above 3 x ULN together with INR above 1.5 or eosinophils above 5 %."""
    inrs = [(lab, _clotting(history, lab)) for lab in history.labs.get("INR", ())]
    for pair in _pairs(raised, inrs, lambda _lab, _day: True):
        said = f"above 3 x ULN with INR {max(pair.right, key=_height).shown} (above {INR_LIMIT})"
        yield _paired(history, "over_3x_inr", pair, said, URGENT)
    shares = {id(lab): _share_of_white_cells(history, lab) for lab in history.labs.get("EOS", ())}
    many = [(lab, _many(shares[id(lab)])) for lab in history.labs.get("EOS", ())]
    for pair in _pairs(raised, many, lambda _lab, _day: True):
        most = max(shares[id(lab)] or Decimal(0) for lab in pair.right)
        said = f"above 3 x ULN with eosinophils {shown(most, 3)} % of the white cells (above {EOSINOPHILS_LIMIT} %)"
        yield _paired(history, "over_3x_eosinophils", pair, said, SOON)


def _clotting(history: History, inr: Lab) -> bool | None:
    """Is INR above 1.5 by the liver's doing? An anticoagulated patient's says nothing."""
    return None if history.taking("anticoagulant", inr.collected_on) else inr.above(INR_LIMIT)


def _share_of_white_cells(history: History, lab: Lab) -> Decimal | None:
    """Eosinophils in percent of the white cells of their draw; None where one of the two is not a plain number."""
    whites = (w for w in history.labs.get("WBC", ()) if w.collected_at == lab.collected_at and not w.comparator)
    white = next(whites, None)
    if white is None or not white.value or lab.value is None or lab.comparator:
        return None
    return lab.value * 100 / white.value


def _many(share: Decimal | None) -> bool | None:
    return None if share is None else share > EOSINOPHILS_LIMIT


def _with_symptoms(history: History, run: Run) -> Iterator[Finding]:
    """Above 3 x ULN with symptoms that began at most 30 days from a raised value, and were there at the time."""
    last_day = run.cleared_on or history.as_of
    ill = [event for event in history.events if _of_the_liver(history, event)]
    near = [
        (event, lab) for event in ill for lab in run.labs
        if event.onset_on and event.onset_on <= last_day and within(WINDOW_DAYS, event.onset_on, lab.collected_on)
        and (event.resolved_on is None or event.resolved_on >= run.first.collected_on)
    ]  # fmt: skip
    if near:
        symptoms = list(dict.fromkeys(event.term for event, _ in near))
        onset = min(event.onset_on for event, _ in near if event.onset_on)
        met_by = next(lab for _, lab in near)
        facts = [Evidence("symptom", e.term, "", e.onset_on or onset) for e in ill if e.term in symptoms]
        found = _stopping(history, "over_3x_symptoms", run, met_by, f"above 3 x ULN with {', '.join(symptoms)}")
        yield replace(
            found, opened_on=max(met_by.collected_on, onset), starts=run.first.collected_at.isoformat(),
            last_seen_on=max(found.last_seen_on, onset), evidence=(*facts, *found.evidence),
        )  # fmt: skip


def _of_the_liver(history: History, event: Event) -> bool:
    return event.kind != INFECTION and history.vocabulary.liver_symptom.fits(wording(event))


def _paired(history: History, entry: str, pair: _Pair, said: str, severity: str) -> Finding:
    seen = tuple(sorted((*pair.left, *pair.right), key=lambda lab: lab.collected_at))
    found = _stopping(history, entry, Run(pair.left, pair.ended_by), pair.trigger, said, seen)
    return replace(found, severity=severity)


def _stopping(history: History, entry: str, run: Run, met_by: Lab, said: str, seen: Sequence[Lab] = ()) -> Finding:
    muscle = _muscle(history, run.last.collected_on)
    return Finding(
        rule=CODE,
        subject=run.first.analyte,
        entry=entry,
        severity=SOON,
        sentence=f"{reading(history, run.last)} ({_times(run.last)}), {said}{muscle}",
        opened_on=met_by.collected_on,
        last_seen_on=(seen or run.labs)[-1].collected_on,
        starts=(met_by if seen else run.first).collected_at.isoformat(),
        cleared_on=run.cleared_on,
        suggested="investigate",
        source=_STOPPING,
        verified=False,
        evidence=evidence(seen or run.labs, _times),
    )
