"""A rule that the clinic made for itself.

What it flags:
Runs of results that meet a criterion the clinic set and a second person published: a value beyond a bound, alone or
together with a second analyte on the same day; a change from the baseline or from the result before; a trend of three
or more results. An episode goes by the version in force on the day it began. A value of which it cannot be told whether
it meets the criterion neither begins nor ends an episode.

Why it matters:
A clinic follows patients for whom the labels and the general rules say too little.

Example:
“Lymphocytes and neutrophils both low”: lymphocytes below 0.8 and neutrophils below 1.5 10*9/L on one day.

Source:
What the clinic gave as its source. No second source bore it out, so it is marked as unverified.
"""

from collections.abc import Iterator, Sequence

from tracker.domain.criteria import Judged, judge, words
from tracker.domain.episodes import Dated, Run, Verdict, dated_runs, evidence, reading
from tracker.domain.findings import Finding
from tracker.domain.history import Criterion, History, Lab, OwnRule

CODE = "custom"


def check(history: History) -> Iterator[Finding]:
    for rule in history.own_rules:
        labs = history.labs.get(rule.analyte, ())
        if labs:
            yield from _episodes(history, rule, labs)


def _episodes(history: History, rule: OwnRule, labs: Sequence[Lab]) -> Iterator[Finding]:
    judged = {held.name: judge(history, held, labs) for _, held in rule.versions if held is not None}
    places = {id(lab): place for place, lab in enumerate(labs)}
    versions = [
        Dated(since, held, None if held is None else _verdict(judged[held.name], places))
        for since, held in rule.versions
    ]
    for held, run in dated_runs(labs, versions):
        yield _finding(history, rule, held, run, judged[held.name].beside[places[id(run.last)]])


def _verdict(judged: Judged, places: dict[int, int]) -> Verdict:
    return lambda lab: judged.verdicts[places[id(lab)]]


def _finding(history: History, rule: OwnRule, held: Criterion, run: Run, beside: Sequence[Lab]) -> Finding:
    said = words(held, history.name(held.analyte), history.name(held.other) if held.other else "")
    return Finding(
        rule=CODE,
        subject=rule.analyte,
        entry=rule.key,
        severity=held.severity,
        sentence=f"{reading(history, run.last)}: {held.title} ({said})",
        opened_on=run.first.collected_on,
        last_seen_on=run.last.collected_on,
        starts=run.first.collected_at.isoformat(),
        cleared_on=run.cleared_on,
        suggested=held.suggested,
        source=held.source,
        verified=False,
        yardstick=f"{held.name}, own rule {rule.key}",
        evidence=evidence(_with(beside, run.labs)),
    )


def _with(beside: Sequence[Lab], labs: Sequence[Lab]) -> list[Lab]:
    """The facts beside first; the run's own last, since its latest result is what the finding is about."""
    own = {id(lab) for lab in labs}
    return [*(lab for lab in beside if id(lab) not in own), *labs]
