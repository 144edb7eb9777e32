"""`tracker grade FILE`: CTCAE grades for a CSV of laboratory values. Needs no database and imports nothing heavy.

The file is cut into pieces at ends of records, which are graded on all cores and written in the order of the file.
"""

import csv
import io
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from tracker.domain.errors import Refused
from tracker.domain.grading import Baseline, Grade, Limits, Scale, Version, scales
from tracker.domain.values import Number, read_number
from tracker.library.ctcae import DEFAULT, VERSIONS, ctcae

COLUMNS = ("analyte", "unit", "lln", "uln", "baseline_value", "baseline_flag", "value")
ADDED = ("grade_low", "grade_high", "reason")

_PIECE = 1_000_000  # bytes
_REMEMBERED = 50_000
_UNKNOWN = frozenset(("", ".", "-", "na", "n/a", "nan", "null", "none"))
_FLAGS = {
    **dict.fromkeys(("low", "l", "ll", "low low"), "low"),
    **dict.fromkeys(("normal", "n"), "normal"),
    **dict.fromkeys(("high", "h", "hh", "high high"), "high"),
    **dict.fromkeys(_UNKNOWN - {"n"}, ""),
}


@click.command("grade")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--ctcae", "version", type=click.Choice(VERSIONS), default=DEFAULT, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Standard output if not given.")
def grade(file: Path, version: str, output: Path | None) -> None:
    """Add CTCAE grades to a CSV of laboratory values.

    FILE has the columns analyte, value, unit, lln, uln, baseline_value and baseline_flag (low, normal, high or
    empty), in any order; limits and baseline are in the row's own unit. An analyte is a code (ANC) or a CTCAE
    term. grade_low, grade_high (0 to 4, or empty) and reason are added; other columns are kept.
    """
    try:
        grade_file(file, version, output)
    except Refused as error:
        raise click.ClickException(str(error)) from None


def grade_file(path: Path, version: str, output: Path | None) -> None:
    """Grade the CSV at `path` by a version ("4", "5", "6") into `output` or standard output. Raises Refused."""
    try:
        with path.open("rb") as source, _target(output) as target:
            for piece in _graded(source, path.name, version):
                target.write(piece)
    except UnicodeDecodeError:
        raise Refused(f"{path.name} is not UTF-8 text: save it as “CSV UTF-8”.") from None
    except csv.Error as error:
        raise Refused(f"{path.name} is not a CSV file: {error}.") from None
    except BrokenPipeError:
        raise  # whoever reads our output has seen enough; not an error of the file
    except OSError as error:
        raise Refused(f"{error.filename or path}: {error.strerror}.") from None


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    """Where the graded file goes; a named file appears only when it is complete."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if output.exists() and not output.is_file():
        with output.open("wb") as stream:
            yield stream
        return
    part = output.with_name(f".{output.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _graded(source: BinaryIO, name: str, version: str) -> Iterator[bytes]:
    first = next(_pieces(source, 0), b"")
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first:
        raise Refused(f"{name} is not UTF-8 text: save it as “CSV UTF-8”.")
    # More than the header only where lines end as they did on old Macs.
    header, *rows = _records(first.removeprefix(b"\xef\xbb\xbf")) or [[]]
    grader = Grader(ctcae(version), layout(header, name))
    yield _written([grader.layout.header, *grader.rows(rows)])
    pieces = _pieces(source, _PIECE)
    ahead = [piece for piece in (next(pieces, b""), next(pieces, b"")) if piece]
    if len(ahead) == 1:
        yield grader.piece(ahead[0])
    elif ahead:
        yield from _on_all_cores(chain(ahead, pieces), grader.layout, version)


def _pieces(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The file in pieces that end where a record ends: at a line's end outside quotation marks."""
    while piece := source.read(size) + source.readline():
        while piece.count(b'"') % 2 and (line := source.readline()):
            piece += line
        yield piece


def _records(piece: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(piece.decode("utf-8"), newline="")))


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


# -------------------------------------------------------------------------------------------- all cores


def _on_all_cores(pieces: Iterable[bytes], layout: "Layout", version: str) -> Iterator[bytes]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(cores, initializer=_start_worker, initargs=(version, layout)) as pool:
        # A few pieces ahead of the writer keep every core busy, and memory stays flat.
        ahead: deque[Future[bytes]] = deque()
        for piece in pieces:
            ahead.append(pool.submit(_work, piece))
            if len(ahead) > 2 * cores:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


_worker: "list[Grader]" = []


def _start_worker(version: str, layout: "Layout") -> None:
    _worker[:] = [Grader(ctcae(version), layout)]


def _work(piece: bytes) -> bytes:
    return _worker[0].piece(piece)


# ------------------------------------------------------------------------------------------------- rows


class Layout(NamedTuple):
    """Where the columns stand: `places` in the order of COLUMNS, and where the three answers go."""

    header: list[str]
    width: int
    places: tuple[int, ...]
    answers: tuple[int, ...]


def layout(header: Sequence[str], name: str) -> Layout:
    """The columns of a file by its header; raises Refused where one is missing or stands twice."""
    names = [column.strip().casefold() for column in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        hint = " Columns are separated by commas." if len(header) == 1 and header[0] else ""
        raise Refused(f"{name} has no column {', '.join(missing)}.{hint}")
    for column in (*COLUMNS, *ADDED):
        if names.count(column) > 1:
            raise Refused(f"{name} has two columns {column}.")
    widened = [*header, *(column for column in ADDED if column not in names)]
    final = [*names, *(column for column in ADDED if column not in names)]
    return Layout(
        widened, len(header), tuple(map(names.index, COLUMNS)), tuple(final.index(column) for column in ADDED)
    )


class _Judge(NamedTuple):
    """Rows alike but for the value: their two scales, and the answers given so far by the text of the value."""

    scales: tuple[Scale, Scale]
    answers: dict[str, tuple[str, str, str]]


class Grader:
    """Grades the rows of one file, remembering what it has worked out."""

    def __init__(self, version: Version, layout: Layout) -> None:
        self.version = version
        self.layout = layout
        self._judges: dict[tuple[str, ...], _Judge] = {}
        self._room = _REMEMBERED

    def piece(self, piece: bytes) -> bytes:
        """Grade a piece of the file, without its header."""
        return _written(self.rows(_records(piece)))

    def rows(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        """Each row with its grades and the reason; an empty line is no row."""
        width, places, answers = self.layout.width, self.layout.places, self.layout.answers
        key_of, value_at = itemgetter(*places[:-1]), places[-1]
        appended = answers == (width, width + 1, width + 2)
        for row in rows:
            if len(row) != width:
                if row:
                    yield self._ragged(row)
                continue
            answer = self._answer(key_of(row), row[value_at])
            yield [*row, *answer] if appended else _placed(row, answers, answer)

    def _answer(self, key: tuple[str, ...], value: str) -> tuple[str, str, str]:
        judge = self._judges.get(key)
        if judge is None:
            judge = self._judges[key] = _Judge(self._scales(*key), {})
        answer = judge.answers.get(value)
        if answer is None:
            answer = judge.answers[value] = _answer(judge.scales, value)
            self._room -= 1
            if self._room < 0:
                self._judges.clear()
                self._room = _REMEMBERED
        return answer

    def _scales(self, analyte: str, unit: str, lln: str, uln: str, value: str, flag: str) -> tuple[Scale, Scale]:
        try:
            baseline = Baseline(_figure("baseline_value", value), _flag(flag))
            limits = Limits(_figure("lln", lln), _figure("uln", uln), baseline)
        except Refused as error:
            refused = Scale((), Grade(None, str(error), ""))
            return refused, refused
        return scales(self.version, analyte, unit, limits)

    def _ragged(self, row: list[str]) -> list[str]:
        """A row that has not as many fields as the header is not read: its values may stand in the wrong columns."""
        width = self.layout.width
        reason = f"the row has {len(row)} fields, the header {width}"
        kept = (row + [""] * width)[:width]
        return _placed(kept, self.layout.answers, ("", "", reason))


def _placed(row: list[str], places: Sequence[int], answer: Sequence[str]) -> list[str]:
    row = row + [""] * (1 + max(places) - len(row))
    for place, text in zip(places, answer, strict=True):
        row[place] = text
    return row


def _answer(both: tuple[Scale, Scale], value: str) -> tuple[str, str, str]:
    number = _number(value)
    if isinstance(number, str):
        return "", "", number
    low, high = both[0].grade(number), both[1].grade(number)
    said = [f"{given.term}: {given.reason}" for given in (low, high) if given.term and given.reason]
    silent = not (low.term or high.term)
    return _shown(low), _shown(high), low.reason if silent else "; ".join(said)


def _shown(given: Grade) -> str:
    return "" if given.grade is None else str(given.grade)


def _number(text: str) -> Number | str:
    """The value, or why there is none."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Number("", Decimal(text))
    if text.strip().casefold() in _UNKNOWN:
        return "no value"
    try:
        return read_number(text) or f"the value “{text}” is not a number"
    except Refused as error:
        return str(error)


def _figure(column: str, text: str) -> Decimal | None:
    if text.strip().casefold() in _UNKNOWN:
        return None
    number = _number(text)
    if isinstance(number, str) or number.comparator:
        raise Refused(f"{column} “{text}” is not a plain number")
    return number.figure


def _flag(text: str) -> str:
    flag = _FLAGS.get(text.strip().casefold())
    if flag is None:
        raise Refused(f"baseline_flag “{text}” is not low, normal, high or empty")
    return flag
