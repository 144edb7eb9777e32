"""What a rule says, before anybody remembers it. A Finding is a value; a stored one is a Flag."""

from dataclasses import dataclass, replace
from datetime import date

URGENT, SOON, ROUTINE, INFO = "urgent", "soon", "routine", "info"
SEVERITIES = (URGENT, SOON, ROUTINE, INFO)  # worst first
RANK = {word: place for place, word in enumerate(SEVERITIES)}

NEEDS_REPEAT, CONFIRMED = "needs_repeat", "confirmed"
REPEAT_OVERDUE, NOT_CONFIRMED = "repeat_overdue", "not_confirmed"

SUGGESTIONS = ("repeat", "hold", "stop", "do_not_start", "dose_change", "resume", "investigate", "consult")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact a finding rests on, as it was when the rule looked: exact, with the range that judged it.

    `low` and `high` carry their operator (`>= 2.0`); `note` holds what was worked out from the fact (`grade 4`, `3.2
    x ULN`).
    """

    analyte: str
    value: str
    unit: str
    collected_on: date
    result_id: int | None = None
    low: str = ""
    high: str = ""
    range_from: str = ""
    range_id: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One episode a rule found in a history, open or already over (`cleared_on` set).

    `entry` tells findings of one rule on one subject apart (the protocol line, the direction); `starts` pins the
    episode to the sample or the day it began with. Together with rule and subject they are its fingerprint.
    """

    rule: str
    subject: str
    severity: str
    sentence: str
    opened_on: date
    last_seen_on: date
    starts: str
    entry: str = ""
    cleared_on: date | None = None
    grade: int | None = None
    grading: str = ""
    peak_grade: int | None = None
    confirmation: str | None = None
    suggested: str | None = None
    due_on: date | None = None
    source: str = ""
    verified: bool = True
    yardstick: str = ""
    folded_under: str | None = None
    evidence: tuple[Evidence, ...] = ()

    def under(self, said: str) -> "Finding":
        """The finding with another thing said of what it was judged by; "" adds nothing."""
        return replace(self, yardstick="; ".join(filter(None, (self.yardstick, said)))) if said else self

    @property
    def fingerprint(self) -> str:
        return f"{self.rule}|{self.subject}|{self.entry}|{self.starts}"

    @property
    def is_open(self) -> bool:
        return self.cleared_on is None
