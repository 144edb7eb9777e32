"""The patient's own target.

What it flags:
Runs of results below or above the target that a clinician set for this patient. An episode goes by the version in force
on the day it began, so a new target never reaches back. A value of which it cannot be told on which side of the bound
it lies neither begins nor ends an episode, and a value in a unit that is not the analyte's is not judged.

Why it matters:
For one patient less than the laboratory's range, or more than the label's limit, may be too much: a haemoglobin that a
heart disease needs, an LDL after a stent.

Example:
Target for haemoglobin >= 11 g/dL because of heart failure: 10.6 g/dL is flagged, 11.0 g/dL is not.

Source:
The clinician who set it, with the reason given. Layer three of the yardsticks: the patient's own baseline or target.
"""

from collections.abc import Iterator, Sequence

from tracker.domain.episodes import Dated, Run, Verdict, bounds, dated_runs, evidence, reading
from tracker.domain.findings import Finding
from tracker.domain.history import History, Lab
from tracker.domain.ranges import HIGH, LOW, Range, place
from tracker.domain.targets import Target

CODE = "target"


def check(history: History) -> Iterator[Finding]:
    for analyte, versions in history.targets.items():
        labs = history.labs.get(analyte, ())
        for side in (LOW, HIGH) if labs else ():
            for target, run in dated_runs(labs, _dated(versions, side)):
                yield _finding(history, target, side, run)


def _dated(versions: Sequence[Target], side: str) -> list[Dated[Target]]:
    before: Dated[Target] = Dated(versions[0].since.min, None, None)
    return [before, *(_version(one, side) for one in versions)]


def _version(target: Target, side: str) -> Dated[Target]:
    if target.bounds is None:
        return Dated(target.since, None, None)
    return Dated(target.since, target, _verdict(target.bounds, side))


def _verdict(wanted: Range, side: str) -> Verdict:
    def beyond(lab: Lab) -> bool | None:
        where = None if lab.value is None else place(lab.comparator, lab.value, wanted)
        return None if where is None else where == side

    return beyond


def _finding(history: History, target: Target, side: str, run: Run) -> Finding:
    assert target.bounds is not None  # without bounds it judges nothing
    words = "below" if side == LOW else "above"
    return Finding(
        rule=CODE,
        subject=run.last.analyte,
        entry=side,
        severity=target.severity,
        sentence=f"{reading(history, run.last)}, {words} the patient's own target {bounds(target.bounds)}",
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        source=f"set for this patient: {target.reason}",
        yardstick=f"target v{target.number}",
        evidence=evidence(run.labs),
    )
