"""An entry of the audit trail in a line of plain words, for the page of a patient; the trail shows every field."""

import re

from tracker.domain.values import brief
from tracker.queries.trail import Entry
from tracker.web.bedside import KINDS
from tracker.web.wording import said, subject_name

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
SHOWN = 3  # fields told; the rest is behind “All changes”
VERBS = {
    "create": "Added",
    "record": "Added",
    "import": "Imported",
    "correct": "Corrected",
    "retire": "Voided",
    "void": "Voided",
    "review": "Decided",
    "undo": "Undid",
    "clinic": "Changed clinic of",
    "seen": "Saw",
}


def in_words(item: Entry) -> str:
    """`Added observation: SALT score, 34, 19 Oct 2026`; of a changed field its name as well."""
    action = item.entry.action
    if item.entry.record == "lab_result" and action in _RESULTS:
        return _of_result(item, _RESULTS[action])
    verb = VERBS.get(action) or action.replace("_", " ").capitalize()
    new = item.entry.before is None
    lines = [(name, after) for name, _, after in item.lines if name not in _INNER and not name.endswith(" id")]
    told = list(dict.fromkeys(_field(name, after, new) for name, after in lines))
    told.sort(key=lambda words: _DAY.search(words) is not None)  # what it is before when it was
    head = f"{verb} {item.entry.record.replace('_', ' ')}"
    return said(f"{head}: {', '.join(told[:SHOWN])}" if told else head)


# Kept beside what a person said.
_INNER = {"figure", "attention", "reviewed severity", "waiting since"}
_RESULTS = {"create": "Added lab result", "retire": "Took back or replaced lab result"}


def _of_result(item: Entry, head: str) -> str:
    """`Added lab result: Creatinine 130 umol/L, 27 Nov 2026`; of one that was taken back its number and the reason."""
    told = item.entry.after or {}
    if "subject" not in told:
        return f"{head} {item.entry.record_id}" + (f": {item.entry.reason}" if item.entry.reason else "")
    value = (
        f"{told['comparator']}{told['figure']} {told['unit']}"
        if told["figure"] is not None
        else brief(told["text"], 60)
    )
    return said(f"{head}: {subject_name(told['subject'])} {value.strip()}, {told['collected_on']}")


def _field(name: str, value: str, new: bool) -> str:
    words = KINDS[value].label if name == "kind" and value in KINDS else value or "empty"
    return words if new else f"{name} {words}"
