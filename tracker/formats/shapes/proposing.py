"""How a table of any shape may be read: where its header is, what its columns are, and what only a person can say.

Whatever has two readings is a question with a guess. A guess is shown and never applied: a proposal with open questions
is not read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tracker.domain.errors import Refused
from tracker.domain.units import Analyte, dimension
from tracker.formats.cells import COMMA, POINT
from tracker.formats.shapes.answers import Answers
from tracker.formats.shapes.columns import Columns, Question
from tracker.formats.shapes.figures import DAY_FIRST, MONTH_FIRST, NOTHING, dates_of, decimals_of, figure, short_year
from tracker.formats.shapes.grid import Grid, labels
from tracker.formats.shapes.headings import Find, printed, role, unit_printed
from tracker.formats.shapes.shape import Measured, Shape, understood

_HEADER_WITHIN = 40
_SAMPLE = 20_000  # rows that are looked at for the order of days and the decimal mark: all, of any table that is read
_LONG = ("test", "code", "value", "unit", "range", "low", "high", "flag", "status", "category", "panel")
_OTHER_UNITS = ("%", "10*9/L", "g/L", "mg/L")


_NO_TEST = Question(
    "analytes", "No heading is that of a test: which columns are tests ([analytes], each with its column)?", ()
)


@dataclass(frozen=True)
class Proposal:
    """A table with how it may be read, what is open, what was understood in sentences, and the columns left out."""

    grid: Grid
    shape: Shape
    questions: tuple[Question, ...]
    understood: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(self.grid.rows[self.shape.header][1])

    @property
    def elements(self) -> dict[str, str]:
        """What the fields of a reading are called in the table."""
        names = {"mrn": "mrn", "date": "collected_at", "value": "value", "test": "analyte", "unit": "unit"}
        return {names[name]: self.shape.labels[place] for name, place in self.shape.places.items() if name in names}

    @property
    def digest(self) -> str:
        return digest_of(self.header)

    def kept(self) -> Answers:
        """What a mapping keeps: every column by name, and what a person chose. What the column itself proved, and the
        day of all samples, is asked of each file anew.
        """
        shape, given = self.shape, self.shape.answers
        columns = {name: shape.labels[place] for name, place in shape.places.items()}
        analytes = {m.label: given.analytes.get(m.label, m.name) for m in shape.measured}
        left_out = {label: "" for label, name in given.analytes.items() if not name}
        return replace(given, header_row=0, columns=columns, analytes=analytes | left_out, sampled_on="")


def digest_of(header: Sequence[str]) -> str:
    """By which a header is known again, whatever its case and spacing."""
    words = [" ".join(cell.split()).casefold() for cell in header]
    while words and not words[-1]:
        words.pop()
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()


class NoTable(Refused):
    """A table that holds no results, or a file that is no table."""


def header_of(grid: Grid, find: Find, row: int = 0) -> int:
    """Where the header stands. Raises NoTable where no row names columns that a table of results has."""
    if row:
        found = [place for place, (number, _) in enumerate(grid.rows) if number == row]
        if not found:
            raise Refused(f"The table has no row {row} that could be its header.")
        return found[0]
    scored = [(_score(cells, find), -place) for place, (_, cells) in enumerate(grid.rows[:_HEADER_WITHIN])]
    score, place = max(scored, default=(0, 0))
    if score < 2:
        raise NoTable("No row of it names columns that a table of results has.")
    return -place


def _score(cells: Sequence[str], find: Find) -> int:
    roles = {name for name, _ in map(role, cells)} - {""}
    tests = sum(1 for cell in cells if cell and printed(cell, find))
    return len(roles) + tests if tests or roles & {"mrn", "date", "test", "value"} else 0


def propose(grid: Grid, find: Find, answers: Answers = Answers()) -> Proposal:  # noqa: B008 - frozen
    """How the table may be read, with what was answered. Raises NoTable where it is no table of results, and Refused
    where an answer does not fit it.
    """
    header = header_of(grid, find, answers.header_row)
    head = _padded(grid, header)
    named = labels(head)
    answers = answers.fitted(named)
    units_row = _units_row(grid, header)
    found = Columns(head, named, answers)
    long, names_patients = found.is_long, found.names_patients
    if not long:
        found.drop(_LONG)
    first = header + (2 if units_row else 1)
    body = [cells for _, cells in grid.rows[first : first + _SAMPLE]]
    measured = () if long else tuple(_measured(head, named, units_row, found, body, find, answers))
    no_results = not long and not measured
    if no_results and not names_patients:
        raise NoTable(f"Its header in row {grid.rows[header][0]} names no test and no column of results.")
    _check_named(named, answers, long)
    shape = Shape(header, first, named, found.places, measured, answers)
    asked = [
        *found.questions,
        *([_NO_TEST] if no_results else []),
        *_duplicates(shape, find),
        *_units(shape, body, find),
    ]
    order, of_days = _days(shape, body)
    shape, said = _checked_births(replace(shape, order=answers.dates or order), body)
    asked += [*of_days, *_decimals(shape, body)]
    used = {*found.places.values(), *(m.place for m in measured), *(m.unit_place for m in measured)}
    unread = tuple(name for place, name in enumerate(named) if place not in used and head[place])
    return Proposal(
        grid,
        shape,
        tuple(asked),
        (*understood(grid, shape, unread, order), *said, *_not_measured(shape, body)),
        unread,
    )


def _check_named(named: Sequence[str], answers: Answers, long: bool) -> None:
    """Raise Refused where an answer is about a column that is not there: a typing mistake must not pass unseen."""
    told = {"analytes": answers.analytes, "units": {} if long else answers.units}
    for table, entries in told.items():
        if missing := [label for label in entries if label not in named]:
            raise Refused(f"[{table}] of the mapping names the column “{missing[0]}”, which this table does not have.")


def _padded(grid: Grid, header: int) -> list[str]:
    """The header row, as wide as the widest row below it. Where its cell is empty and one of the two rows above says
    what the column is for (`Patient` over a heading of two rows), that counts.
    """
    width = max((len(row) for _, row in grid.rows[header : header + _SAMPLE]), default=0)
    cells = [*grid.rows[header][1], *[""] * min(width - len(grid.rows[header][1]), 1000)]
    above = [row for _, row in grid.rows[max(0, header - 2) : header]][::-1]
    return [cell or _role_above(above, place) for place, cell in enumerate(cells)]


def _role_above(above: Sequence[Sequence[str]], place: int) -> str:
    """What the nearest cell above says, where that is a role of a column."""
    nearest = next((row[place] for row in above if place < len(row) and row[place]), "")
    return nearest if role(nearest)[1] else ""


def _units_row(grid: Grid, header: int) -> list[str]:
    """The row under the header where it holds units and nothing else."""
    below = grid.rows[header + 1 : header + 2]
    cells = [cell for _, row in below for cell in row if cell]
    return below[0][1] if len(cells) > 1 and all(unit_printed(cell.strip("()[]")) for cell in cells) else []


# ------------------------------------------------------------------------------------------------ columns of results


def _measured(
    head: Sequence[str], named: Sequence[str], units: Sequence[str], found: Columns, body: Sequence[Sequence[str]],
    find: Find, answers: Answers,
) -> Iterator[Measured]:  # fmt: skip
    taken = set(found.places.values())
    for place, (heading, label) in enumerate(zip(head, named, strict=True)):
        told = answers.analytes.get(label)
        if place in taken or told == "" or (not heading and told is None):
            continue
        known = printed(heading, find)
        below = unit_printed(units[place].strip("()[]")) if place < len(units) and units[place] else None
        beside = _unit_column(place, head, body) if not (known and known.unit) and not below else None
        if known is None and told is None and not below and beside is None:
            continue
        unit, factor = (known.unit, known.factor) if known and known.unit else below or ("", Decimal(1))
        name = told or (known.name if known else heading)
        given = unit_printed(answers.units.get(label, ""))
        if given:
            unit, factor = given
        yield Measured(place, label, name, unit, factor, beside)


def _unit_column(place: int, head: Sequence[str], body: Sequence[Sequence[str]]) -> int | None:
    """The column behind, where it has no heading of its own, or one that says unit, and holds units alone."""
    beside = place + 1
    if beside >= len(head) or (head[beside] and "unit" not in head[beside].casefold()):
        return None
    held = {cells[beside] for cells in body if beside < len(cells) and cells[beside]}
    return beside if held and all(map(dimension, held)) else None


# ------------------------------------------------------------------------------------------------ questions


def _duplicates(shape: Shape, find: Find) -> Iterator[Question]:
    seen: dict[str, str] = {}
    for m in shape.measured:
        analyte = find(m.name, m.unit)
        code = analyte.code if analyte else m.name.casefold()
        if code in seen and m.unit_place is None:
            asks = f"“{seen[code]}” and “{m.label}” are the same test: which of them counts? Leave the other out."
            yield Question(f"analytes.{m.label}", asks, ("", m.name), "")
        seen.setdefault(code, m.label)


def _units(shape: Shape, body: Sequence[Sequence[str]], find: Find) -> Iterator[Question]:
    given = shape.answers.units
    if shape.long:
        if "unit" in shape.places:
            return
        place = shape.places.get("test", shape.places.get("code"))
        if place is None:
            return
        value = shape.places["value"]
        held = ((cells[place], cells[value]) for cells in body if max(place, value) < len(cells) and cells[place])
        names = dict.fromkeys(name for name, cell in held if _is_bare(cell))
        without = [(name, name) for name in names if name not in given]
    else:
        bare = (m for m in shape.measured if not m.unit and m.unit_place is None)
        without = [(m.label, m.name) for m in bare if any(map(_is_bare, _column(body, m.place)))]
    for label, name in without:
        analyte = find(name, "")
        if analyte is not None and analyte.conversions:
            others = [unit for unit in _OTHER_UNITS if _other(find, name, unit, analyte)]
            asks = f"In which unit is “{label}”? None is printed."
            yield Question(f"units.{label}", asks, (*analyte.units, *others), analyte.unit)


def _is_bare(cell: str) -> bool:
    """Whether a cell has no unit of its own (`5.1 G/l`)."""
    try:
        return not figure(cell).unit
    except Refused:
        return True


def _other(find: Find, name: str, unit: str, analyte: Analyte) -> bool:
    """Whether the name stands for another analyte in that unit: neutrophils in per cent are not their count."""
    found = find(name, unit)
    return found is not None and found.code != analyte.code and unit in found.conversions


def _days(shape: Shape, body: Sequence[Sequence[str]]) -> tuple[str, list[Question]]:
    """The order that the table's own days prove, and what is open about it."""
    if shape.answers.dates:
        return "", []
    place = shape.places.get("date")
    order, unclear, against = dates_of(_column(body, place)) if place is not None else ("", "", "")
    asked = []
    if unclear and not order:
        but = f", and “{against}” and others contradict each other" if against else ""
        last = " The year is taken to stand last, in this century." if short_year(unclear) else ""
        asks = f"Is the day or the month first in “{unclear}”{but}?{last}"
        asked.append(Question("dates", asks, (DAY_FIRST, MONTH_FIRST), DAY_FIRST if "." in unclear else ""))
    return order, asked


def _checked_births(shape: Shape, body: Sequence[Sequence[str]]) -> tuple[Shape, list[str]]:
    """Birth dates say whose a row is; where they could be read in two orders they say nothing."""
    place = shape.places.get("birth_date")
    if place is None:
        return shape, []
    order, unclear, _ = dates_of(_column(body, place))
    if not unclear or order or shape.answers.dates:
        return replace(shape, birth_order=order or shape.answers.dates), []
    left = {name: at for name, at in shape.places.items() if name != "birth_date"}
    said = f"“{shape.labels[place]}” does not check whose a row is: “{unclear}” could be two days."
    return replace(shape, places=left), [said]


def _not_measured(shape: Shape, body: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = (cell for m in shape.measured for cell in _column(body, m.place))
    count = sum(cell.casefold() in NOTHING for cell in cells)
    if count:
        yield f"Cells that hold only a dash, “n/a” or the like were taken as not measured: {count} of them."


def _column(body: Sequence[Sequence[str]], place: int) -> Iterator[str]:
    return (cells[place] for cells in body if place < len(cells) and cells[place])


def _decimals(shape: Shape, body: Sequence[Sequence[str]]) -> list[Question]:
    if shape.answers.decimal:
        return []
    value = shape.places.get("value")
    places = [m.place for m in shape.measured] if not shape.long else [] if value is None else [value]
    unclear, guess = decimals_of(cell for place in places for cell in _column(body, place))
    if not unclear:
        return []
    asks = f"Is the comma or the point the decimal mark in “{unclear}”? The other one parts thousands."
    return [Question("decimal", asks, (COMMA, POINT), guess)]
