"""Whether the bounds of a range can be meant: what is impossible is refused, what is unusual is asked about."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.ranges import Range
from tracker.domain.units import Analyte, check, to_canonical
from tracker.domain.values import Number


class Sense(NamedTuple):
    """Sentences: `refusals` keep a range from being drafted, `questions` are for the reader."""

    refusals: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def sense(analyte: Analyte, bounds: Range, now: Range | None) -> Sense:
    """Look at each bound as at a value of the analyte: its possible and usual bounds, the order of magnitude of another
    unit, and that of `now`, the range it would follow.
    """
    found = list(_each(analyte, bounds, now))
    refusals = tuple(f"{side} bound: {refusal}" for side, refusal, _ in found if refusal)
    return Sense(refusals, tuple(f"{side} bound: {asked}" for side, _, questions in found for asked in questions))


def _each(analyte: Analyte, bounds: Range, now: Range | None) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    for side, figure, before in (
        ("Lower", bounds.low, now.low if now else None),
        ("Upper", bounds.high, now.high if now else None),
    ):
        if figure:  # a lower bound of nought is an open side
            previous = None if now is None or before is None else to_canonical(analyte, before, now.unit)
            written = Number(_mark(analyte, side, figure, bounds.unit), figure)
            yield side, *check(analyte, written, bounds.unit, previous)


def _mark(analyte: Analyte, side: str, figure: Decimal, unit: str) -> str:
    """A lower bound may lie under what is possible: then nothing is below it."""
    value = to_canonical(analyte, figure, unit)
    under = side == "Lower" and value is not None and analyte.hard_min is not None and value < analyte.hard_min
    return "<" if under else ""
