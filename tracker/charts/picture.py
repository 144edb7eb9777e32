"""What a chart is drawn from: values without a database, their texts ready to be read."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

URGENT, SOON, ROUTINE, INFO = "urgent", "soon", "routine", "info"
SEVERITIES = (URGENT, SOON, ROUTINE, INFO)

DOSE, HOLD, INFECTION, EVENT = "dose", "hold", "infection", "event"
LANES = ((DOSE, "Drug"), (HOLD, "On hold"), (INFECTION, "Infections"), (EVENT, "Other events"))


class Point(NamedTuple):
    """One result. `low` and `high` are the range in force for it, None an open side; `words` is all of it, to read."""

    on: date
    value: Decimal
    words: str
    low: Decimal | None = None
    high: Decimal | None = None
    place: str = ""
    censored: bool = False
    computed: bool = False


class Line(NamedTuple):
    """A level that matters over the whole chart: an action limit, the patient's own baseline. `label` is short."""

    label: str
    words: str
    value: Decimal


class Mark(NamedTuple):
    """A flag: when it began, how bad it is, the sentence, and whether somebody has decided about it."""

    on: date
    severity: str
    words: str
    decided: bool


class Panel(NamedTuple):
    """The chart of one test; `points` oldest first."""

    title: str
    unit: str
    points: Sequence[Point]
    baseline: Line | None = None
    limits: Sequence[Line] = ()
    marks: Sequence[Mark] = ()


class Bar(NamedTuple):
    """Something that lasts, in one of the LANES. `until` is None while it goes on; `words` is all of it to be read."""

    lane: str
    label: str
    words: str
    on: date
    until: date | None


class Picture(NamedTuple):
    """All there is to draw. `marks` are the flags that belong to no panel."""

    as_of: date
    panels: Sequence[Panel]
    bars: Sequence[Bar] = ()
    marks: Sequence[Mark] = ()
