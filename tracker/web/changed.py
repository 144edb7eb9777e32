"""An entry of the audit trail in a line of plain words, for the page of a patient; the trail shows every field."""

import re

from tracker.queries.trail import Entry
from tracker.web.bedside import KINDS
from tracker.web.wording import said

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
    verb = VERBS.get(action) or action.replace("_", " ").capitalize()
    new = item.entry.before is None
    told = list(dict.fromkeys(_field(name, after, new) for name, _, after in item.lines if name != "figure"))
    told.sort(key=lambda words: _DAY.search(words) is not None)  # what it is before when it was
    head = f"{verb} {item.entry.record.replace('_', ' ')}"
    return said(f"{head}: {', '.join(told[:SHOWN])}" if told else head)


def _field(name: str, value: str, new: bool) -> str:
    words = KINDS[value].label if name == "kind" and value in KINDS else value or "empty"
    return words if new else f"{name} {words}"
