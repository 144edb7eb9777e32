"""How a table is read, once it is settled, and that in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from tracker.formats.shapes.answers import Answers
from tracker.formats.shapes.grid import Grid
from tracker.formats.shapes.headings import ROLES


class Measured(NamedTuple):
    """A column of results: the test's name, the unit and the factor of its figures; `unit_place` where a column of
    units stands beside it.
    """

    place: int
    label: str
    name: str
    unit: str = ""
    factor: Decimal = Decimal(1)
    unit_place: int | None = None


@dataclass(frozen=True)
class Shape:
    """How a table is read: its columns by role, its columns of results (none where a row is a result)."""

    header: int
    first: int
    labels: Sequence[str]
    places: Mapping[str, int]
    measured: tuple[Measured, ...]
    answers: Answers
    order: str = ""
    birth_order: str = ""

    @property
    def long(self) -> bool:
        return not self.measured


def understood(grid: Grid, shape: Shape, unread: Sequence[str], proven: str) -> Iterator[str]:
    place = f"sheet “{grid.sheet}”, " if grid.sheet else ""
    how = "a row is a result" if shape.long else f"a row is a visit, {_columns(shape)}"
    told = [f"“{shape.labels[at]}” is {ROLES[name]}" for name, at in shape.places.items()]
    yield f"Read with the header in {place}row {grid.rows[shape.header][0]}; {'; '.join((how, *told))}."
    if proven:
        yield f"Days are read with the {proven.partition(' ')[0]} first: other days of the column can only be read so."
    if shape.answers.sampled_on:
        yield f"Every sample is of {shape.answers.sampled_on}, as was said of this table."
    if shape.answers.dates:
        yield f"Days are read {shape.answers.dates}, as was said of this table."
    if shape.answers.decimal:
        yield f"Figures are read with a decimal {shape.answers.decimal}, as was said of this table."
    if shape.measured:
        yield f"Tests: {'; '.join(map(_said_of, shape.measured))}."
    if unread:
        yield f"Not read: {', '.join(f'“{label}”' for label in unread[:40])}{' and more' if len(unread) > 40 else ''}."


def _columns(shape: Shape) -> str:
    count = len(shape.measured)
    return "1 column is a test" if count == 1 else f"{count} columns are tests"


def _said_of(m: Measured) -> str:
    unit = "unit in the column beside it" if m.unit_place is not None else m.unit or "no unit"
    scaled = "" if m.factor == 1 else f" × {m.factor:f}"
    name = "" if m.name == m.label or m.label.startswith(m.name) else f" as {m.name}"
    return f"“{m.label}”{name}{scaled} ({unit})"
