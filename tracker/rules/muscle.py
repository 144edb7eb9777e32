"""A creatine kinase that is to be asked about.

What it flags:
While a watched drug is taken: creatine kinase (CK) above 5 times the upper limit of its own range, so that somebody
asks about exercise and statins; and above 10 times, where a second specimen within seven days confirms it.

Why it matters:
CK rises on JAK inhibitors, mostly without harm. Hard exercise and statins raise it too, and muscle breakdown harms the
kidneys. AST (and less so ALT) comes from muscle as well, and is then no sign of the liver.

Example:
CK 676 U/L with an upper limit of 135 is 5.01 times it and is asked about; 675 is exactly 5 times and is not.

Source:
Above 10 times on two results: the stopping rule of the tofacitinib ulcerative-colitis programme. Above 5 times:
composite rule D8, proposed by the authors. The labels have no limit, so both inform a decision and suggest no hold.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from tracker.domain.dates import Span
from tracker.domain.episodes import (
    NOT_ASKED,
    Run,
    Verdict,
    confirmation,
    evidence,
    last_day_of_effect,
    reading,
    repeat_by,
    runs,
)
from tracker.domain.findings import SOON, URGENT, Finding
from tracker.domain.history import Course, History, Lab
from tracker.domain.values import shown

CODE = "muscle"
SUBJECT = "CK"
OVER_5, OVER_10 = "over_5x", "over_10x"
BOUNDS = {OVER_5: Decimal(5), OVER_10: Decimal(10)}  # times the upper limit, exclusive
SOURCES = {
    OVER_5: "author-proposed: above 5 x ULN ask about exercise and statins",
    OVER_10: "tofacitinib ulcerative-colitis programme: above 10 x ULN on two results in a row (single source)",
}
SEVERITIES = {OVER_5: SOON, OVER_10: URGENT}
WITHIN = Span(0, 7)


def check(history: History) -> Iterator[Finding]:
    labs = history.labs.get(SUBJECT, ())
    if not any(lab.above_uln(BOUNDS[OVER_5]) for lab in labs):
        return
    for course, _ in history.treatments():
        if not course.started(history.as_of):
            continue
        known = [lab for lab in labs if lab.collected_on > course.started_on]
        for entry, bound in BOUNDS.items():
            for run in runs(known, _above(bound, last_day_of_effect(history, course)), Lab.same_specimen):
                yield _finding(history, course, entry, run)


def _above(bound: Decimal, until: date) -> Verdict:
    """After the drug has washed out a result may end an episode, and not begin or join one."""

    def verdict(lab: Lab) -> bool | None:
        above = lab.above_uln(bound)
        return None if above and lab.collected_on > until else above

    return verdict


def _finding(history: History, course: Course, entry: str, run: Run) -> Finding:
    repeat = NOT_ASKED
    within, by = history.repeat_within(WITHIN)
    if entry == OVER_10:
        repeat = confirmation(run.labs, 2, within, run.ended_by is not None, history.as_of)
    last = run.last
    protocol = history.protocol(course)
    return Finding(
        rule=CODE,
        subject=SUBJECT,
        entry=entry,
        severity=SEVERITIES[entry],
        sentence=(
            f"{reading(history, last)} ({_times(last)}), above {BOUNDS[entry]} x ULN: "
            f"exercise, a statin{_worse(entry)}?"
        ),
        opened_on=run.first.collected_on,
        last_seen_on=last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        confirmation=repeat.state,
        suggested="investigate",
        due_on=repeat.due_on,
        source=SOURCES[entry],
        verified=False,
        yardstick=protocol.yardstick if protocol else "",
        evidence=evidence(run.labs),
    ).under(repeat_by(by, repeat))


def _worse(entry: str) -> str:
    return ", muscle pain, dark urine" if entry == OVER_10 else ""


def _times(lab: Lab) -> str:
    assert lab.figure is not None  # a result without a number is above nothing
    assert lab.uln
    return f"{lab.comparator}{shown(lab.figure / lab.uln, 3)} x ULN"
