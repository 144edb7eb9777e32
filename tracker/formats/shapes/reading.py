"""Rows of a table of any shape into readings, by a shape with nothing left open. Every row that holds something is
accounted for: read, or refused with the reason; a row of a wide table gives a reading a test.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CANCELLED,
    CORRECTED,
    FINAL,
    PRELIMINARY,
    LabReading,
    Moment,
    PatientReading,
    Problem,
    Row,
)
from tracker.formats import cells as cell_readers
from tracker.formats.bounds import range_of
from tracker.formats.cells import Remark, printed_range
from tracker.formats.shapes.figures import NOTHING, NoClock, day, figure, moment, same_unit
from tracker.formats.shapes.headings import unit_printed
from tracker.formats.shapes.proposing import Proposal
from tracker.formats.shapes.shape import Measured
from tracker.formats.specimens import elsewhere

_TOTALS = frozenset((
    "total", "totals", "sum", "summe", "gesamt", "mean", "average", "avg", "mittelwert", "median", "sd", "std", "min",
    "max", "n", "count", "anzahl", "somme", "moyenne", "total:", "mean:", "sum:", "summe:", "subtotal", "grand total",
))  # fmt: skip
_LOINC = re.compile(r"^(?:loinc:)?(\d{1,5}-\d)$", re.IGNORECASE)
_STATUSES = {
    "": FINAL, "final": FINAL, "f": FINAL, "corrected": CORRECTED, "c": CORRECTED, "amended": CORRECTED,
    "preliminary": PRELIMINARY, "p": PRELIMINARY, "cancelled": CANCELLED, "x": CANCELLED,
    "final result": FINAL, "edited result - final": CORRECTED, "edited result": CORRECTED, "completed": FINAL,
    "complete": FINAL, "validated": FINAL, "endbefund": FINAL, "validiert": FINAL, "définitif": FINAL,
    "korrigiert": CORRECTED, "korrektur": CORRECTED, "corrigé": CORRECTED, "preliminary result": PRELIMINARY,
    "partial": PRELIMINARY, "teilbefund": PRELIMINARY, "vorläufig": PRELIMINARY, "provisoire": PRELIMINARY,
    "canceled": CANCELLED, "storniert": CANCELLED, "annulé": CANCELLED,
}  # fmt: skip
_ELSEWHERE = frozenset((
    "vital-signs", "vital signs", "survey", "social-history", "social history", "exam", "procedure", "imaging",
    "activity", "therapy",
))  # fmt: skip


# What cells that are merged down a sheet say of every row they span; a result is of one row.
_SHARED = frozenset(("mrn", "date", "time", "year", "month", "day", "birth_date", "laboratory", "accession"))
Told = TypeVar("Told")


class Trouble(Refused):
    """Why a row is refused, with the column at fault."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


class _Line(NamedTuple):
    number: int
    cells: list[str]


class _Sample(NamedTuple):
    """What the results of one row share."""

    mrn: str
    collected: Moment
    laboratory: str
    accession: str
    elsewhere: str  # ` (urine)`, where it is not of blood
    about: PatientReading | None
    remarks: tuple[Problem, ...]


class Rows:
    """The rows of a table, once."""

    def __init__(self, proposal: Proposal, zone: ZoneInfo) -> None:
        if proposal.questions:
            raise ValueError("a table with open questions is not read")
        self.proposal, self.shape, self.zone = proposal, proposal.shape, zone
        self.answers, self.merged = proposal.shape.answers, proposal.grid.merged

    def __iter__(self) -> Iterator[Row]:
        for number, cells in self.proposal.grid.rows[self.shape.first :]:
            line = _Line(number, [*cells, *[""] * (len(self.shape.labels) - len(cells))])
            try:
                yield from self._row(line)
            except Trouble as why:
                yield Row(number, None, (Problem(number, why.column, str(why)),))

    # -------------------------------------------------------------------------------------------- a row

    def _cell(self, line: _Line, role: str) -> str:
        place = self.shape.places.get(role)
        if place is None:
            return ""
        return line.cells[place] or (self.merged.get((line.number, place), "") if role in _SHARED else "")

    def _label(self, role: str) -> str:
        place = self.shape.places.get(role)
        return role if place is None else self.shape.labels[place]

    def _row(self, line: _Line) -> Iterator[Row]:
        if any(line.cells[len(self.shape.labels) :]):
            raise Trouble("", f"The row has {len(line.cells)} cells and the header {len(self.shape.labels)} columns.")
        for label, cell in zip(self.shape.labels, line.cells, strict=True):
            _tidy(label, cell)
        sample = self._sample(line)
        if self.shape.long:
            yield self._result(line, sample)
            return
        found = [self._measured(line, sample, m) for m in self.shape.measured if line.cells[m.place]]
        held = [row for row in found if row is not None]
        if not held:
            raise Trouble("", "The row holds no result in any column that is read.")
        yield from held

    def _sample(self, line: _Line) -> _Sample:
        mrn = self._cell(line, "mrn")
        first = next((cell for cell in line.cells if cell), "")
        if mrn.casefold() in _TOTALS or (not mrn and first.casefold() in _TOTALS):
            raise Trouble(self._label("mrn"), f"“{mrn or first}”: a row of totals is no result of a patient.")
        if mrn.casefold() == self._label("mrn").casefold():
            raise Trouble(self._label("mrn"), "The header once more: it is no result.")
        if not mrn:
            raise Trouble(self._label("mrn"), "The record number is empty: the row says of nobody whose it is.")
        collected = self._told("date", lambda: self._collected(line))
        born, remarks = self._born(line)
        about = PatientReading(mrn, birth_date=born) if born else None
        laboratory = self._cell(line, "laboratory") or self.answers.laboratory
        return _Sample(
            cell_readers.mrn(mrn), collected, laboratory, self._cell(line, "accession"),
            self._elsewhere(line), about, remarks,
        )  # fmt: skip

    def _elsewhere(self, line: _Line) -> str:
        """` (urine)` where the sample, or else the panel, is not of blood: a glucose of urine is called glucose too."""
        for role in ("specimen", "panel", "category"):
            where = elsewhere(self._cell(line, role), is_sample=role == "specimen")
            if where is not None:
                return where
        return ""

    def _told(self, role: str, read: Callable[[], Told]) -> Told:
        try:
            return read()
        except Refused as why:
            raise Trouble(self._label("time" if isinstance(why, NoClock) else role), str(why)) from None

    def _collected(self, line: _Line) -> Moment:
        if self.answers.sampled_on:
            return moment(self.answers.sampled_on, self._cell(line, "time"), "", self.zone)
        if "date" in self.shape.places:
            told = self._cell(line, "date")
            if not told:
                raise Refused("The day the sample was taken is empty: every result needs it.")
            return moment(told, self._cell(line, "time"), self.shape.order, self.zone)
        parts = [self._cell(line, name) for name in ("year", "month", "day")]
        if not all(part.isascii() and part.isdigit() for part in parts) or len(parts[0]) != 4:
            raise Refused(f"“{' '.join(parts).strip()}” is no year, month and day: write 2026, 3 and 1.")
        return moment(f"{parts[0]}-{parts[1]:>02}-{parts[2]:>02}", self._cell(line, "time"), "", self.zone)

    def _born(self, line: _Line) -> tuple[date | None, tuple[Problem, ...]]:
        told = self._cell(line, "birth_date")
        try:
            return (day(told, self.shape.birth_order) if told else None), ()
        except Refused as why:
            said = f"{why} So it did not check whose the row is."
            return None, (Problem(line.number, self._label("birth_date"), said),)

    # -------------------------------------------------------------------------------------------- a result

    def _measured(self, line: _Line, sample: _Sample, m: Measured) -> Row | None:
        cell = line.cells[m.place]
        if cell.casefold() in NOTHING:
            return None
        try:
            value = figure(cell, self.answers.decimal, m.factor)
            unit = line.cells[m.unit_place] if m.unit_place is not None else m.unit
            if unit and value.unit and not same_unit(unit, value.unit):
                raise Refused(f"“{cell}” is in {value.unit}, its column in {unit}: which of them is right?")
        except Refused as why:
            return Row(line.number, None, (Problem(line.number, m.label, str(why)),))
        reading = LabReading(
            sample.mrn, sample.collected, f"{m.name}{sample.elsewhere}", value.value, unit or value.unit,
            lab_flag=value.flag, laboratory=sample.laboratory, accession=sample.accession,
        )  # fmt: skip
        return Row(line.number, reading, sample.remarks, about=sample.about)

    def _result(self, line: _Line, sample: _Sample) -> Row:
        category = self._cell(line, "category")
        if category.casefold() in _ELSEWHERE:
            raise Trouble(self._label("category"), f"This is of {category}, no result of a laboratory.")
        status = self._status(line)
        name, code = self._names(line, sample.laboratory)
        cell = self._cell(line, "value")
        if (not cell or cell.casefold() in NOTHING) and status != CANCELLED:
            raise Trouble(self._label("value"), "There is no result in the row.")
        unit, factor = self._unit(line)
        value = self._told("value", lambda: figure(cell, self.answers.decimal, factor))
        if unit and value.unit and not same_unit(unit, value.unit):
            raise Trouble(self._label("unit"), f"“{cell}” is in {value.unit}, the column of units says {unit}.")
        low, high, said = self._range(line, unit or value.unit, factor)
        remarks = (Problem(line.number, self._label("range"), said),) if said else ()
        test = name if code.startswith("loinc:") else f"{name}{sample.elsewhere}"
        reading = LabReading(
            sample.mrn, sample.collected, test, value.value, unit or value.unit, low, high,
            self._cell(line, "flag") or value.flag, sample.laboratory, sample.accession, status, local_code=code,
        )  # fmt: skip
        return Row(line.number, reading, (*sample.remarks, *remarks), about=sample.about)

    def _status(self, line: _Line) -> str:
        told = self._cell(line, "status")
        if told.casefold() not in _STATUSES:
            hint = 'Say in the mapping that no column is the status ([columns] status = "") where that means nothing.'
            raise Trouble(self._label("status"), f"“{told}” is not a status that is known. {hint}")
        return _STATUSES[told.casefold()]

    def _unit(self, line: _Line) -> tuple[str, Decimal]:
        told = self._cell(line, "unit")
        if not told:
            named = (self._cell(line, "test"), self._cell(line, "code"))
            told = next((self.answers.units[name] for name in named if name in self.answers.units), "")
        scaled = unit_printed(told)
        return scaled if scaled and scaled[1] != 1 else (told, Decimal(1))

    def _names(self, line: _Line, laboratory: str) -> tuple[str, str]:
        """The test as it is named, and its code: a LOINC as such, a laboratory's own with the laboratory it is of."""
        name, code = self._cell(line, "test"), self._cell(line, "code")
        if not name and not code:
            raise Trouble(self._label("test"), "The row names no test.")
        loinc = _LOINC.match(code)
        if loinc:
            return name or f"loinc:{loinc[1]}", f"loinc:{loinc[1]}"
        return name or code, f"{code}@{laboratory}" if name and code and code != name else ""

    def _range(self, line: _Line, unit: str, factor: Decimal) -> tuple[Decimal | None, Decimal | None, str]:
        """The printed bounds. What is no range bounds nothing, and is said."""
        low, high = self._cell(line, "low"), self._cell(line, "high")
        told = self._cell(line, "range")
        if told and not low and not high:
            found = range_of(told, unit, self.answers.decimal)
            return _times(found.low, factor), _times(found.high, factor), found.said
        try:
            lower, upper = (
                cell_readers.printed_bound(figure(side, self.answers.decimal).value) for side in (low, high)
            )
        except (Refused, Remark) as why:
            return None, None, f"{why} No range was taken from it."
        lower_figure, upper_figure, said = printed_range(lower, upper)
        return _times(lower_figure, factor), _times(upper_figure, factor), said


def _times(bound: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if bound is None else bound if factor == 1 else bound * factor


def _tidy(label: str, cell: str) -> None:
    try:
        cell_readers.text(cell)
    except Refused as why:
        raise Trouble(label, str(why)) from None
