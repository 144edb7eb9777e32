"""The rules, in the order in which they are run and listed. One file a rule; none knows another.

A rule is a module with a docstring (what it flags, why, an example, the source: shown as its page), a CODE, and
`check(history)`, which yields Findings. It looks at a History and at nothing else.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from tracker.domain.errors import NotFound
from tracker.domain.findings import SOON, Finding
from tracker.domain.folding import fold, unique
from tracker.domain.history import History
from tracker.domain.tailoring import tailored
from tracker.rules import (
    action_limit,
    benefit,
    change,
    ctcae,
    custom,
    do_not_start,
    dosing,
    event,
    hold,
    hys_law,
    infection,
    lipids,
    muscle,
    not_evaluated,
    out_of_range,
    overdue,
    screening,
    target,
)

RULES: tuple[ModuleType, ...] = (
    action_limit,
    do_not_start,
    hys_law,
    muscle,
    infection,
    event,
    ctcae,
    change,
    target,
    lipids,
    custom,
    out_of_range,
    screening,
    dosing,
    hold,
    benefit,
    overdue,
    not_evaluated,
)

TITLES = {
    "action_limit": "Action limit of the protocol",
    "do_not_start": "Reason not to start",
    "hys_law": "Possible Hy's law",
    "muscle": "Creatine kinase",
    "infection": "Infection",
    "event": "Adverse event",
    "ctcae": "CTCAE grade",
    "change": "Change from baseline",
    "target": "The patient's own target",
    "lipids": "Lipids",
    "custom": "The clinic's own rule",
    "out_of_range": "Outside the laboratory range",
    "screening": "Screening",
    "dosing": "Dose",
    "hold": "Hold",
    "benefit": "Benefit",
    "overdue": "Monitoring overdue",
    "not_evaluated": "Could not be evaluated",
}

HEADINGS = ("What it flags", "Why it matters", "Example", "Source")


def run(history: History) -> tuple[Finding, ...]:
    """Every finding on a patient, open and past, folded where one says more than another. Never raises."""
    found = unique([finding for rule in RULES for finding in _contained(rule, history)])
    return fold(tailored(found, history.rule_versions, history.clinic) if history.rule_versions else found)


def _contained(rule: ModuleType, history: History) -> Iterator[Finding]:
    """The findings of one rule. One that fails says so, keeps what it had found, and the other rules still run."""
    try:
        yield from rule.check(history)
    except Exception:  # whatever the mistake: silence would look like health
        yield Finding(
            rule=not_evaluated.CODE,
            subject=rule.CODE,
            severity=SOON,
            sentence=f"{TITLES[rule.CODE]}: the rule could not be evaluated for this patient",
            opened_on=history.as_of,
            last_seen_on=history.as_of,
            starts="crashed",
            entry="crashed",
            source="a mistake in the program",
        )


class Page(NamedTuple):
    """What is told of a rule: its title and, under each of the headings, paragraphs of plain text."""

    code: str
    title: str
    sections: tuple[tuple[str, str], ...]


def page(code: str) -> Page:
    """The page of a rule, read from its docstring. Raises NotFound for a code that is none."""
    rule = next((rule for rule in RULES if code == rule.CODE), None)
    if rule is None:
        raise NotFound(f"There is no rule called “{code}”.")
    return Page(code, TITLES[code], sections(rule.__doc__ or ""))


def sections(text: str) -> tuple[tuple[str, str], ...]:
    """The headed parts of a docstring, in order; a heading stands alone on its line, underlined or with a colon."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        heading = line.strip().rstrip(":")
        if heading in HEADINGS:
            found.append((heading, []))
        elif found and (line.strip("-= ") or not line.strip()):
            found[-1][1].append(line.strip())
    return tuple((heading, _paragraphs(lines)) for heading, lines in found)


def _paragraphs(lines: list[str]) -> str:
    blocks = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)
