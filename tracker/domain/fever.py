"""Fever as it is written down and judged: a temperature in °C, and for how long it lasted where somebody knows.

Composite rule I1 (general knowledge): 38.3 °C or more, or 38.0 °C or more for an hour, together with neutrophils below
0.5 10*9/L, is febrile neutropenia. All bounds of the fever are inclusive.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.history import History, Lab, Observation
from tracker.domain.values import plain, read_number

KIND = "temperature_c"
AT_ONCE, LASTING, AN_HOUR = Decimal("38.3"), Decimal("38.0"), Decimal(1)
NEXT_TO_NONE = Decimal("0.5")  # neutrophils in 10*9/L, exclusive
LONGEST = Decimal(72)  # hours: what is longer is another observation
A_DAY = timedelta(days=1)

_LASTED = re.compile(r"^(?P<degrees>\S+) for (?P<time>\d+(?:[.,]\d+)?) ?(?P<unit>h|min)$", re.ASCII)


class Temperature(NamedTuple):
    """`hours`: how long it stayed at `degrees` (°C) or above, None where that is not known; `lasted` as written."""

    degrees: Decimal
    hours: Decimal | None
    lasted: str = ""

    def __str__(self) -> str:
        return f"{plain(self.degrees)} for {self.lasted}" if self.lasted else plain(self.degrees)

    @property
    def febrile(self) -> bool | None:
        """None: a fever if it lasted an hour, and nobody wrote down whether it did."""
        if self.degrees >= AT_ONCE:
            return True
        if self.degrees < LASTING:
            return False
        return None if self.hours is None else self.hours >= AN_HOUR


def read_temperature(text: str) -> Temperature:
    """`38.4`, `38.1 for 1 h`, `38,1 for 90 min`. Raises Refused for anything else."""
    lasted = _LASTED.match(" ".join(text.split()))
    number = read_number(lasted["degrees"] if lasted else text)
    if number is None or number.comparator:
        raise Refused(f"“{text}” is not a temperature: write 38.4, or 38.1 for 1 h.")
    if lasted is None:
        return Temperature(number.figure, None)
    time = Decimal(lasted["time"].replace(",", "."))
    hours = time if lasted["unit"] == "h" else time / 60
    if not 0 < hours <= LONGEST:
        raise Refused(f"“{text}”: how long it lasted is more than 0 and at most {LONGEST} h.")
    return Temperature(number.figure, hours, f"{plain(time)} {lasted['unit']}")


def _febrile(seen: Observation) -> bool | None:
    try:
        return read_temperature(seen.value).febrile
    except Refused:  # what an earlier program kept
        return None if seen.figure is None else Temperature(seen.figure, None).febrile


class Fever(NamedTuple):
    """The temperature an episode began with, the neutrophils beside it, and the day on which it was over."""

    seen: Observation
    lab: Lab
    until: date | None


def febrile_neutropenia(history: History) -> Iterator[Fever]:
    """Every episode, oldest first."""
    warmth = _temperatures(history)
    until: date | None = date.min
    for seen in warmth:
        lab = _bare(history, seen.on) if _febrile(seen) else None
        if lab is None or until is None or seen.on < until:
            continue  # no fever, neutrophils enough, or the episode before goes on
        until = _over(history, warmth, seen.on)
        yield Fever(seen, lab, until)


def undecided(history: History) -> Fever | None:
    """The latest temperature, where it is febrile neutropenia if it lasted an hour, and that is not known."""
    warmth = _temperatures(history)
    latest = [seen for seen in warmth if seen.on == warmth[-1].on]
    open_question = next((seen for seen in latest if _febrile(seen) is None), None)
    lab = _bare(history, open_question.on) if open_question is not None else None
    if open_question is None or lab is None or _over(history, warmth, open_question.on):
        return None
    if any(fever.until is None or fever.until > open_question.on for fever in febrile_neutropenia(history)):
        return None  # said already
    return Fever(open_question, lab, None)


def _temperatures(history: History) -> Sequence[Observation]:
    return [seen for seen in history.observations if seen.kind == KIND and seen.on <= history.as_of]


def _bare(history: History, day: date) -> Lab | None:
    """The result that shows next to no neutrophils on the day of a fever or the one beside it."""
    near = (lab for lab in history.labs.get("ANC", ()) if abs(lab.collected_on - day) <= A_DAY)
    return next((lab for lab in near if lab.below(NEXT_TO_NONE)), None)


def _over(history: History, warmth: Sequence[Observation], day: date) -> date | None:
    """The first later day on which no temperature may have been a fever, or with neutrophils back."""
    cool = [seen.on for seen in warmth if seen.on > day and _febrile(seen) is False]
    counts = (lab for lab in history.labs.get("ANC", ()) if lab.collected_on > day)
    return min(cool + [lab.collected_on for lab in counts if lab.below(NEXT_TO_NONE) is False], default=None)
