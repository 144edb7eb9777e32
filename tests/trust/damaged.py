"""Files that were damaged on the way (R12): nothing raises, nothing hangs, and no value is silently another's.

What is read of a damaged table has to stand in it; of HL7 and FHIR tests/real and tests/formats know what has to hold.
"""

import io
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.formats import test_fhir_hostile as fhir
from tests.formats import test_hostile as tables
from tests.formats.files import opened
from tests.formats.test_workbook import PATIENTS, RESULTS, book
from tests.real import mutated as hl7
from tests.trust.lines import Line
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading
from tracker.domain.values import read_number
from tracker.formats.opening import open_text

SLOW = 0.1  # seconds of the processor for one file
TABLES = tuple(tables.CONTENTS.values())
WORKBOOK = book(Results=RESULTS, People=PATIENTS)


class Format(NamedTuple):
    """How a file of a format is spoilt, and what is wrong with how it is then read."""

    name: str
    spoil: Callable[[Random], bytes]
    trouble: Callable[[bytes], Iterator[str]]


def _table(dice: Random) -> bytes:
    return tables.changed(dice.choice(TABLES), dice)


def _workbook(dice: Random) -> bytes:
    """A part of it changed and packed again; sometimes the package itself."""
    if dice.random() < 0.2:
        return tables.changed(WORKBOOK, dice)
    whole, target = zipfile.ZipFile(io.BytesIO(WORKBOOK)), io.BytesIO()
    chosen = dice.choice([name for name in whole.namelist() if name.endswith(".xml")])
    with zipfile.ZipFile(target, "w") as made:
        for name in whole.namelist():
            content = whole.read(name)
            made.writestr(name, tables.changed(content, dice) if name == chosen else content)
    return target.getvalue()


def _trouble(content: bytes, said: Callable[[bytes], str]) -> Iterator[str]:
    try:
        rows = list(opened(content).rows)
    except Refused as why:
        if "\n" in str(why):
            yield "refused in more than a sentence"
        return
    text = said(content)
    for row in rows:
        if row.reading is None and not (row.problems and row.problems[0].message):
            yield f"row {row.number} is refused without a word"
        if (
            isinstance(row.reading, LabReading)
            and _is_figure(row.reading.value)
            and _bare(row.reading.value) not in text
        ):
            yield f"row {row.number} says {row.reading.value!r}, which does not stand in the file"


def _is_figure(value: str) -> bool:
    """Not words, in which invisible characters are left out; nobody mistakes those for a value."""
    try:
        return read_number(value) is not None
    except Refused:
        return False


def _bare(text: str) -> str:
    """Without what a table may put between the characters of a value."""
    return "".join(text.replace('"', "").split())


def _text_of_table(content: bytes) -> str:
    return _bare("".join(open_text(io.BytesIO(content)).text))


def _text_of_workbook(content: bytes) -> str:
    """Of its cells; "" where they are not what was packed, and so nothing may be read of them."""
    whole = zipfile.ZipFile(io.BytesIO(content))
    try:
        cells = [whole.read(name) for name in whole.namelist() if "sheet" in name.lower() or "sharedStr" in name]
    except (zipfile.BadZipFile, zlib.error):
        return ""
    return _bare("".join(part.decode("utf-8", "replace") for part in cells).replace("&lt;", "<"))


def _message(dice: Random) -> bytes:
    return hl7.mutated(hl7.OURS, dice)


def _document(dice: Random) -> bytes:
    return dice.choice((fhir.misshapen, fhir.damaged))(dice)


def _of_fhir(content: bytes) -> Iterator[str]:
    fhir.check(content)
    yield from ()


FORMATS = (
    Format("CSV and SDTM", _table, lambda content: _trouble(content, _text_of_table)),
    Format("XLSX", _workbook, lambda content: _trouble(content, _text_of_workbook)),
    Format("HL7 v2", _message, hl7.trouble),
    Format("FHIR", _document, _of_fhir),
)


@dataclass
class Tried:
    """How many files of a format were tried, the longest time one took (seconds), and what was wrong."""

    files: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def spoil(form: Format, files: int, seed: int = 1) -> Tried:
    found, dice = Tried(), Random(f"{form.name} {seed}")
    for number in range(files):
        content = form.spoil(dice)
        seconds, said = _looked_at(form, content)
        if seconds > SLOW:
            seconds = min(seconds, _looked_at(form, content)[0])  # the collector of garbage had its turn
        found.slowest = max(found.slowest, seconds)
        found.wrong += [f"file {number}: {one}" for one in said]
    found.files = files
    return found


def _looked_at(form: Format, content: bytes) -> tuple[float, list[str]]:
    begun = time.process_time()
    try:
        said = list(form.trouble(content))
    except Exception as fault:  # any is wrong
        said = [f"{type(fault).__name__}: {fault}"]
    return time.process_time() - begun, said


def exchanged(files: int, seed: int = 1) -> Tried:
    """One digit of a value is another: it comes out as the other one, or the row is refused; CSV and HL7 by turns."""
    found, dice = Tried(files), Random(seed)
    for number in range(files):
        if number % 2 and (message := hl7.figures_exchanged(hl7.OURS, dice)) is not None:
            said = hl7.unchanged(hl7.OURS, message)
        else:
            said = _exchanged_cell(dice)
        found.wrong += [f"file {number}: {said}"] if said else []
    return found


def _exchanged_cell(dice: Random) -> str:
    figure = f"{dice.choice(('', '<', '>='))}{dice.randrange(1, 999)}{dice.choice(('', '.5', '.05'))}"
    at = dice.choice([place for place, letter in enumerate(figure) if letter.isdigit()])
    other = figure[:at] + dice.choice([digit for digit in "123456789" if digit != figure[at]]) + figure[at + 1 :]
    line = tables.CONTENTS["results"].decode().splitlines()[0]
    (row,) = opened(f"{line}\n00231,2026-03-01T08:40,ANC,{other},10*9/L,,\n").rows
    read = row.reading.value if isinstance(row.reading, LabReading) else None
    return "" if read is None or read_number(read) == read_number(other) else f"{other!r} was read as {read!r}"


def check(full: bool) -> Iterator[Line]:
    files = 1_000_000 if full else 30_000
    wanted = f"0 exceptions, 0 changed values, none longer than {SLOW * 1000:.0f} ms"
    for form in FORMATS:
        found = spoil(form, files)
        figure = f"{found.files} files: {len(found.wrong)} wrong, the slowest {found.slowest * 1000:.0f} ms"
        passed = not found.wrong and found.slowest <= SLOW
        yield Line("R12", f"damaged {form.name}", figure, wanted, passed, "; ".join(found.wrong[:3]))
    found = exchanged(files)
    figure = f"{found.files} values with another digit: {len(found.wrong)} came out as they had been"
    yield Line("R12", "one digit exchanged, CSV and HL7", figure, "0", not found.wrong, "; ".join(found.wrong[:3]))
