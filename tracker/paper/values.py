"""What is printed: values without a database, their texts ready to be read. The order is the order on the sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Printed:
    """What stands at the foot of every page. `instant` is `at` for the file itself, with its zone."""

    clinic: str
    by: str
    at: str
    instant: datetime
    intended_use: str


@dataclass(frozen=True, slots=True)
class Who:
    """A patient with two identifiers, and what is taken. `state`: on hold, stopped, no course; "" while it is taken."""

    name: str
    mrn: str
    born: str
    sex: str
    drug: str
    since: str
    state: str


@dataclass(frozen=True, slots=True)
class Flagged:
    """One flag. `severity` is the code that has a shape, `word` what is said; `mark` is ↓, ↑ or ""."""

    severity: str
    word: str
    name: str
    value: str
    mark: str
    sentence: str
    suggestion: str
    state: str
    since: str
    unverified: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """The last result of a test with the range that judged it, or `range` says why there is none (`judged` False)."""

    name: str
    value: str
    unit: str
    mark: str
    range: str
    judged_by: str
    judged: bool
    on: str
    before: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided, about what, and why."""

    at: str
    words: str
    about: str
    by: str
    comment: str


@dataclass(frozen=True, slots=True)
class Summary:
    """One patient on one page. `more_…` says what is left out of a list, "" where nothing is."""

    printed: Printed
    who: Who
    flags: Sequence[Flagged]
    more_flags: str
    labs: Sequence[Measured]
    more_labs: str
    decisions: Sequence[Decision]
    more_decisions: str
    chart_title: str
    spec: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What was found of a test on a day; `mark` is ↓, ↑ or "". Without a result, both are ""."""

    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Row:
    """One test over the days of the sheet; the range is that of its newest result."""

    name: str
    unit: str
    range: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The charts of one patient, a page each, and under the last one the newest values: tests down, days across.

    `older` says where the values before the first of `days` stand, "" where there are none.
    """

    printed: Printed
    who: Who
    title: str
    specs: Sequence[Mapping[str, Any]]
    days: Sequence[str]
    rows: Sequence[Row]
    older: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One patient of the queue on a line: the worst flag, and the others in a word each. `due`: what is due by when."""

    who: Who
    worst: Flagged
    others: str
    due: str
    owner: str


@dataclass(frozen=True, slots=True)
class Worklist:
    """The queue for the day the system is down. `left_out` says what the limit cut off, "" where it is whole."""

    printed: Printed
    title: str
    rows: Sequence[Waiting]
    left_out: str


@dataclass(frozen=True, slots=True)
class Check:
    """What is wanted for one reason: the names together, when, how late, why, by which line of the protocol."""

    names: str
    due: str
    late: str
    why: str
    source: str
    state: str
    unverified: bool


@dataclass(frozen=True, slots=True)
class Due:
    """One patient with the checks that are wanted."""

    who: Who
    checks: Sequence[Check]
    owner: str


@dataclass(frozen=True, slots=True)
class DueList:
    """Who is overdue, whose test is to be repeated, and who is due. `…_left_out` says what the limit cut off, ""
    where the list is whole.
    """

    printed: Printed
    title: str
    late: Sequence[Due]
    late_left_out: str
    repeats: Sequence[Due]
    repeats_left_out: str
    due: Sequence[Due]
    due_left_out: str


@dataclass(frozen=True, slots=True)
class Letter:
    """To one patient. Nothing of it is about their health: it may be opened by somebody else."""

    name: str
    reference: str


@dataclass(frozen=True, slots=True)
class Letters:
    """A page each. `address` are the lines under the clinic's name; `telephone` is "" where none is set."""

    printed: Printed
    dated: str
    address: Sequence[str]
    telephone: str
    letters: Sequence[Letter]


Sheet = Summary | Timeline | Worklist | DueList | Letters
