"""Rows of a CSV of laboratory values, graded: which columns they have, what is added to each.

Files have a million rows and few different ones, so what was worked out is remembered: per analyte and unit, per set
of those limits and baselines that its terms look at, and per value.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.grading import NO_TERM, Baseline, Grade, Limits, Scale, Version, scales
from tracker.domain.values import Number, read_number

COLUMNS = ("analyte", "value", "unit", "lln", "uln", "baseline_value", "baseline_flag")
ADDED = ("grade_low", "grade_high", "reason")

_REMEMBERED = 100_000
_UNKNOWN = frozenset(("", ".", "-", "na", "n/a", "nan", "null", "none"))
_FLAGS = {
    **dict.fromkeys(_UNKNOWN, ""),
    **dict.fromkeys(("low", "l", "ll", "low low"), "low"),
    **dict.fromkeys(("normal", "n"), "normal"),
    **dict.fromkeys(("high", "h", "hh", "high high"), "high"),
}

Row = list[str]


class Layout(NamedTuple):
    """The header of the graded file, how many columns were given, where each of COLUMNS stands and each of ADDED."""

    header: Row
    width: int
    at: dict[str, int]
    added_at: tuple[int, ...]

    @property
    def appended(self) -> bool:
        """Are all three answers new columns at the end? Otherwise they replace those of an earlier grading."""
        return self.added_at == (self.width, self.width + 1, self.width + 2)


def layout(header: Sequence[str], name: str) -> Layout:
    """The columns of the file `name` by its header. Raises Refused where one is missing or stands twice."""
    names = [column.strip().casefold() for column in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        hint = " Columns are separated by commas." if len(names) == 1 else ""
        raise Refused(f"{name} has no column {', '.join(missing)}.{hint}")
    twice = [column for column in (*COLUMNS, *ADDED) if names.count(column) > 1]
    if twice:
        raise Refused(f"{name} has two columns {twice[0]}.")
    new = [column for column in ADDED if column not in names]
    at = {column: names.index(column) for column in COLUMNS}
    return Layout([*header, *new], len(names), at, tuple((names + new).index(column) for column in ADDED))


class Answer(NamedTuple):
    """What is added to a row, and the same as the end of a CSV line."""

    low: str
    high: str
    reason: str
    ending: str


class _Alike(NamedTuple):
    """Rows that differ in the value only: their two scales, and the answers so far by the text of the value."""

    scales: tuple[Scale, Scale]
    answers: dict[str, Answer]


class _Subject(NamedTuple):
    """An analyte in a unit, and the rows that were met by what stands in the columns its terms look at."""

    columns: Callable[[Row], object]
    flags: frozenset[str]  # where the baseline has one of these, its value is looked at too
    reads: frozenset[str]
    met: dict[object, _Alike]


class Grader:
    """Grades the rows of one file."""

    def __init__(self, version: Version, layout: Layout) -> None:
        self.version = version
        self.layout = layout
        self._subjects: dict[tuple[str, str], _Subject] = {}
        self._room = _REMEMBERED
        at = layout.at
        self._subject_of = itemgetter(at["analyte"], at["unit"])
        self._value_at, self._flag_at, self._baseline_at = at["value"], at["baseline_flag"], at["baseline_value"]

    def piece(self, piece: bytes) -> bytes:
        """Grade whole records of the file, without its header. Raises UnicodeDecodeError and csv.Error."""
        text = piece.decode("utf-8").replace("\r\n", "\n")
        if '"' not in text and "\r" not in text and self.layout.appended:
            return "".join(self._lines(text)).encode("utf-8")
        return written(self.rows(records(piece)))

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Each row with its answers; an empty line is no row."""
        for row in rows:
            if row:
                yield self._answered(row, self._answer(row) if len(row) == self.layout.width else None)

    def _lines(self, text: str) -> Iterator[str]:
        """The same where nothing is quoted, without the CSV reader and writer, which take more time than grading."""
        width = self.layout.width
        for line in text.split("\n"):
            row = line.split(",")
            if len(row) == width:
                yield line + self._answer(row).ending
            elif line:
                yield written([self._answered(row, None)]).decode("utf-8")

    def _answered(self, row: Row, answer: Answer | None) -> Row:
        """A row with too few or too many fields has no answer: its values may stand in the wrong columns."""
        width = self.layout.width
        if answer is None:
            answer = Answer("", "", f"The row has {len(row)} fields, the header {width}.", "")
        answered = [*row[:width], *[""] * (len(self.layout.header) - min(len(row), width))]
        for place, text in zip(self.layout.added_at, answer[:3], strict=True):
            answered[place] = text
        return [*answered, *row[width:]]

    def _answer(self, row: Row) -> Answer:
        names = self._subject_of(row)
        subject = self._subjects.get(names) or self._new_subject(names)
        key = subject.columns(row)
        if subject.flags and _FLAGS.get(row[self._flag_at].strip().casefold()) in subject.flags:
            key = (key, row[self._baseline_at])
        alike = subject.met.get(key)
        if alike is None:
            alike = subject.met[key] = _Alike(self._scales(row, subject), {})
        value = row[self._value_at]
        return alike.answers.get(value) or self._new_answer(alike, value)

    def _new_subject(self, names: tuple[str, str]) -> _Subject:
        self._make_room()
        uses = frozenset[str]().union(*(term.uses for term in self.version.terms_for(names[0]) if term))
        flags = uses & {"low", "high"}
        reads = frozenset(column for column, use in _USES if uses & use)
        # The analyte is the same in all these rows; it is there because the others may be none.
        columns = itemgetter(self.layout.at["analyte"], *(self.layout.at[column] for column in sorted(reads)))
        subject = self._subjects[names] = _Subject(columns, flags, reads, {})
        return subject

    def _new_answer(self, alike: _Alike, value: str) -> Answer:
        self._make_room()
        number = _number(value)
        if isinstance(number, str):
            answer = _told(Grade(None, number, ""), Grade(None, number, ""))
        else:
            answer = _told(alike.scales[0].grade(number), alike.scales[1].grade(number))
        alike.answers[value] = answer
        return answer

    def _scales(self, row: Row, subject: _Subject) -> tuple[Scale, Scale]:
        """The scales of a row; what its terms do not look at is not read and may be anything."""
        self._make_room()
        reads, at = subject.reads, self.layout.at
        try:
            lln = _figure("lln", row[at["lln"]]) if "lln" in reads else None
            uln = _figure("uln", row[at["uln"]]) if "uln" in reads else None
            flag = _flag(row[self._flag_at]) if subject.flags else ""
            counts = "baseline_value" in reads or flag in subject.flags
            baseline = _figure("baseline_value", row[self._baseline_at]) if counts else None
        except Refused as error:
            refused = Scale((), Grade(None, str(error), ""))
            return refused, refused
        analyte, unit = self._subject_of(row)
        return scales(self.version, analyte, unit, Limits(lln, uln, Baseline(baseline, flag)))

    def _make_room(self) -> None:
        self._room -= 1
        if self._room < 0:
            self._subjects.clear()
            self._room = _REMEMBERED


_USES = (
    ("lln", {"LLN"}),
    ("uln", {"ULN"}),
    ("baseline_value", {"baseline"}),
    ("baseline_flag", {"low", "high"}),
)


@lru_cache(maxsize=4096)
def _told(low: Grade, high: Grade) -> Answer:
    reasons = [_sentence(given) for given in (low, high) if given.term and given.reason]
    # Neither direction has a term, or the row could not be read: said once.
    reason = " ".join(reasons) if low.term or high.term else _sentence(low)
    below, above = ("" if given.grade is None else str(given.grade) for given in (low, high))
    return Answer(below, above, reason, written([["", below, above, reason]]).decode("utf-8"))


def _sentence(given: Grade) -> str:
    reason = given.reason.removeprefix(f"{NO_TERM}: ").removesuffix(".")
    if not given.term:
        return f"{reason[:1].upper()}{reason[1:]}."
    if given.grade is not None:
        return f"{given.term} grade {given.grade}: {reason}."
    verb = "is not graded by a value" if given.reason.startswith(NO_TERM) else "cannot be graded"
    return f"{given.term} {verb}: {reason}."


def _number(text: str) -> Number | str:
    """The value, or why there is none."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Number("", Decimal(text))
    if text.strip().casefold() in _UNKNOWN:
        return "the value is missing"
    try:
        return read_number(text) or f"the value “{text}” is not a number"
    except Refused as error:
        return str(error)


def _figure(column: str, text: str) -> Decimal | None:
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Decimal(text)
    if text.strip().casefold() in _UNKNOWN:
        return None
    number = _number(text)
    if isinstance(number, str) or number.comparator:
        raise Refused(f"the {column} “{text}” is not a plain number")
    return number.figure


def _flag(text: str) -> str:
    flag = _FLAGS.get(text.strip().casefold())
    if flag is None:
        raise Refused(f"the baseline_flag “{text}” is not low, normal, high or empty")
    return flag


def records(piece: bytes) -> list[Row]:
    """The records of a piece of a CSV file. Raises UnicodeDecodeError and csv.Error."""
    return list(csv.reader(io.StringIO(piece.decode("utf-8"), newline="")))


def written(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as a piece of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")
