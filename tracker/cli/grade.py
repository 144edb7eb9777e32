"""`tracker grade FILE`: CTCAE grades for a CSV of laboratory values. Needs no database and imports nothing heavy.

The file is cut into pieces at ends of records, which are graded on all cores and written in the order of the file.
"""

import csv
import gc
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click

from tracker.cli.grade_rows import Grader, Layout, layout, records, written
from tracker.domain.errors import Refused
from tracker.library.ctcae import DEFAULT, VERSIONS, ctcae

_PIECE = 1_000_000  # bytes


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
    grade_file(file, version, output)


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
    header, *rows = records(first.removeprefix(b"\xef\xbb\xbf")) or [[]]
    grader = Grader(ctcae(version), layout(header, name))
    head = written([grader.layout.header, *grader.rows(rows)])
    pieces = _pieces(source, _PIECE)
    ahead = [piece for piece in (next(pieces, b""), next(pieces, b"")) if piece]
    if len(ahead) < 2:
        yield head + b"".join(map(grader.piece, ahead))
        return
    rest = _on_all_cores(chain(ahead, pieces), grader.layout, version)
    yield head + next(rest)
    yield from rest


def _pieces(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The file in pieces that end where a record ends: at a line's end outside quotation marks."""
    while piece := source.read(size) + source.readline():
        while piece.count(b'"') % 2 and (line := source.readline()):
            piece += line
        yield piece


def _on_all_cores(pieces: Iterable[bytes], columns: Layout, version: str) -> Iterator[bytes]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(cores, initializer=_start_worker, initargs=(version, columns)) as pool:
        # A few pieces ahead of the writer keep every core busy, and memory stays flat.
        ahead: deque[Future[bytes]] = deque()
        for piece in pieces:
            ahead.append(pool.submit(_work, piece))
            if len(ahead) > 2 * cores:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


_worker: list[Grader] = []


def _start_worker(version: str, columns: Layout) -> None:
    # What is remembered has no cycles, and looking for them takes longer than all the rest.
    gc.disable()
    _worker[:] = [Grader(ctcae(version), columns)]


def _work(piece: bytes) -> bytes:
    return _worker[0].piece(piece)
