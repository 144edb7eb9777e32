"""A result outside the reference range that judges it.

What it flags:
Every run of results below, or above, their own reference range: the one printed with the result, else the
one configured for the laboratory, else the clinic's. The bound belongs to its operator, so a value on an
inclusive bound is inside. A censored result (`<5`) joins only where every value it may stand for is outside. A
change from low to high begins another episode. It is information, unless the laboratory itself called the value
critical (LL, HH, AA, critical, panic): then it is to be seen this week, whatever range is configured here.

Why it matters:
The range is the first of the three yardsticks. It says that a value is unusual among healthy people, not that
treatment has to change: that is the matter of the drug's limits and of the patient's own baseline.

Example:
Neutrophils 1.9 10*9/L with a range from 2.0 is low; 2.0 is not.

Source:
The range kept with each result, and the laboratory's own flag.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from tracker.domain.episodes import bounds, evidence, reading
from tracker.domain.findings import INFO, SOON, Finding
from tracker.domain.history import History, Lab
from tracker.domain.ranges import HIGH, INSIDE, LOW

CODE = "out_of_range"
CRITICAL = "critical"  # the laboratory raised the alarm, and nothing says in which direction

_BELOW, _ABOVE = ("LL", "<<", "LLL"), ("HH", ">>", "HHH")
_ALARMS = ("CRITICAL", "PANIC")


def check(history: History) -> Iterator[Finding]:
    for labs in history.labs.values():
        if not _all_inside(labs):
            yield from _episodes(history, labs)


def _all_inside(labs: Sequence[Lab]) -> bool:
    """The common case, found quickly: plain numbers well inside their ranges, or nothing to judge."""
    for lab in labs:
        if lab.lab_flag:
            return False
        limits, figure = lab.limits, lab.figure
        if limits is None or figure is None:
            continue
        low, high = limits.low, limits.high
        if lab.comparator or not ((low is None or figure > low) and (high is None or figure < high)):
            return False
    return True


def _episodes(history: History, labs: Sequence[Lab]) -> Iterator[Finding]:
    run: list[Lab] = []
    running = ""
    for lab in labs:
        where = _where(lab)
        if where is None or (run and where == INSIDE and lab.collected_at == run[-1].collected_at):
            continue
        if run and where != running:
            yield _finding(history, running, run, lab)
            run = []
        if where != INSIDE:
            run.append(lab)
            running = where
    if run:
        yield _finding(history, running, run, None)


def _where(lab: Lab) -> str | None:
    alarm = _alarm(lab.lab_flag) if lab.lab_flag else ""
    if alarm in (LOW, HIGH):
        return alarm
    where = lab.place
    return CRITICAL if alarm and where not in (LOW, HIGH) else where


@lru_cache(maxsize=512)
def _alarm(flag: str) -> str:
    """low, high or critical where the laboratory's own flag is an alarm; else empty."""
    words = flag.strip().upper()
    if words in _BELOW:
        return LOW
    if words in _ABOVE:
        return HIGH
    if words == "AA":
        return CRITICAL
    if not any(alarm in words for alarm in _ALARMS):
        return ""
    return LOW if "LOW" in words else HIGH if "HIGH" in words else CRITICAL


def _finding(history: History, running: str, run: list[Lab], ended_by: Lab | None) -> Finding:
    first, last = run[0], run[-1]
    alarm = _alarm(last.lab_flag)
    return Finding(
        rule=CODE,
        subject=first.analyte,
        entry=running,
        severity=SOON if alarm else INFO,
        sentence=_sentence(history, last, running, bool(alarm)),
        opened_on=first.collected_on,
        last_seen_on=last.collected_on,
        starts=first.collected_at.isoformat(),
        cleared_on=ended_by.collected_on if ended_by else None,
        source="reference range" if last.place == running else "the laboratory's own flag",
        yardstick=_yardstick(last),
        evidence=evidence(run),
    ).under(f"put before the printed range by {last.limits.first_by}" if last.limits and last.limits.first_by else "")


def _sentence(history: History, lab: Lab, running: str, alarm: bool) -> str:
    said = f"; the laboratory flagged it {lab.lab_flag.strip()}" if alarm else ""
    limits = lab.limits
    if limits is None or lab.place != running:
        return f"{reading(history, lab)}{said}"
    words = "below" if running == LOW else "above"
    return f"{reading(history, lab)}, {words} the reference range {bounds(limits)}{said}"


def _yardstick(lab: Lab) -> str:
    limits = lab.limits
    if limits is None:
        return ""
    return f"{limits.origin} range {limits.id}" if limits.id else f"{limits.origin} range"
