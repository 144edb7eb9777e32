"""Whether the drug helps, so long after the first dose.

What it flags:
A SALT score that is no better than the one before the first dose, at the time after which the protocol has the benefit
weighed against the risk (from 28 days before it on; until then nobody is asked). At or below 20 it counts as a
response, whatever it was before. Where no SALT was recorded by then, that is said. A patient without a SALT before the
first dose is not spoken of, and neither is a smaller improvement: that is for people to weigh.

Why it matters:
A drug with the risks of a JAK inhibitor that does not help has only these. Nobody notices a course that goes on.

Example:
SALT 82 before the first dose of ritlecitinib and 84 after 36 weeks is flagged; 82 and then 81.9 is not.

Source:
Lines of the protocols: labels of ritlecitinib outside the US (36 weeks), tofacitinib as proposed by the authors (24
weeks), the others as proposed by the authors. SALT <= 20 as the response of recent trials. The 28 days are proposed by
the authors.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from tracker.domain.dates import add
from tracker.domain.findings import INFO, ROUTINE, Evidence, Finding
from tracker.domain.history import Course, History, Observation
from tracker.domain.protocol import Benefit, Protocol

CODE = "benefit"
SALT, KIND = "SALT", "salt"
NO_BETTER, NOT_ASSESSED = "no_better", "not_assessed"
RESPONSE = Decimal(20)  # at or below
EARLY = timedelta(days=28)


def check(history: History) -> Iterator[Finding]:
    scores = [seen for seen in history.observations if seen.kind == KIND and seen.figure is not None]
    for course, protocol in history.treatments():
        before = [seen for seen in scores if seen.on <= course.started_on]
        if protocol.benefit is None or not before:
            continue
        due = add(course.started_on, protocol.benefit.after)
        if due <= history.as_of and not course.over(due):
            ended = course.stopped_on if course.over(history.as_of) else None
            later = [seen for seen in scores if due - EARLY <= seen.on < (ended or date.max)]
            yield from _unknown(course, protocol, protocol.benefit, due, later, ended)
            yield from _no_better(course, protocol, protocol.benefit, before[-1], later, ended)


def _unknown(
    course: Course, protocol: Protocol, line: Benefit, due: date, later: Sequence[Observation], ended: date | None
) -> Iterator[Finding]:
    """From the day on which it is to be weighed until a SALT is recorded, or the drug is stopped."""
    until = later[0].on if later else ended
    if until is not None and until <= due:
        return
    says = (
        f"Whether {protocol.title} helps could not be judged: no SALT since {due - EARLY}, and after {line.after} "
        f"{line.origin.text}"
    )
    yield _finding(course, protocol, line, NOT_ASSESSED, INFO, says, (due, due, until), ())


def _no_better(
    course: Course, protocol: Protocol, line: Benefit, before: Observation, later: Sequence[Observation],
    ended: date | None,
) -> Iterator[Finding]:  # fmt: skip
    """Every row of scores that show no benefit, with the first that does."""
    due = add(course.started_on, line.after)
    row: list[Observation] = []
    for seen in (*later, None):
        if seen is not None and not _better(seen, before):
            row.append(seen)
            continue
        over = seen.on if seen is not None else ended
        if row and (over is None or over > due):
            last = row[-1]
            says = (
                f"SALT {last.value} on {last.on}, no better than {before.value} on {before.on} before the first dose "
                f"of {protocol.title}: after {line.after} {line.origin.text}"
            )
            days = (max(row[0].on, due), max(last.on, due), over)
            yield _finding(course, protocol, line, NO_BETTER, ROUTINE, says, days, (before, *row))
        row = []


def _better(seen: Observation, before: Observation) -> bool:
    assert seen.figure is not None  # scores without a figure were left out
    assert before.figure is not None
    return seen.figure <= RESPONSE or seen.figure < before.figure


def _finding(  # noqa: PLR0913 - what two findings differ in
    course: Course, protocol: Protocol, line: Benefit, entry: str, severity: str, says: str,
    days: tuple[date, date, date | None], seen: Sequence[Observation],
) -> Finding:  # fmt: skip
    opened, last, cleared = days
    starts = seen[1].on if seen else course.started_on
    return Finding(
        CODE, SALT, severity, says, opened, last, f"{course.started_on} {starts}", entry, cleared,
        source=line.origin.source, verified=line.origin.verified, yardstick=protocol.yardstick,
        evidence=tuple(Evidence(KIND, one.value, "", one.on) for one in seen),
    )  # fmt: skip
