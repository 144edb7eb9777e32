"""Files that were damaged on the way: refused, or every row is read or refused. Nothing else, and no row is lost."""

import gzip
import random
import re
from collections.abc import Callable

import pytest

from tests.formats.files import RESULTS, opened, table
from tests.formats.test_sdtm import AE, DM, EX, LB
from tracker.domain.errors import Refused
from tracker.domain.readings import Row

MUTATIONS = 3000
_SPECIAL = b'\0\x01"",,;;\t\r\n\n\xff\xfe\xef\xbb\xbf\x80\xc3\'=-<>0159aZ| /'
ADVERSE = (
    "mrn,kind,term,onset_on,serious,grade,interaction\n"
    "00231,infection,Herpes zoster,2026-02-20,yes,3,\n"
    "00231,other,Übelkeit,2026-02,no,,\n"
)
RANGES = (
    "analyte,low,low_op,high,high_op,unit,effective_from,age_from,age_to\nANC,1.8,>=,7.7,<=,10*9/L,2026-01-01,18,65\n"
)
CONTENTS = {
    "results": RESULTS.encode(),
    "results in UTF-16": RESULTS.encode("utf-16"),
    "results packed": gzip.compress(RESULTS.encode(), mtime=0),
    "adverse events": ADVERSE.encode(),
    "ranges": RANGES.encode(),
    "lb": table(LB, LB | {"LBSEQ": "2"}).encode(),
    "dm": table(DM).encode(),
    "ex": table(EX).encode(),
    "ae": table(AE).encode(),
}


def changed(content: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(damaged) + 1)
        length = dice.choice((0, 1, 1, 2, 8))
        new = bytes(
            dice.choice(_SPECIAL) if dice.random() < 0.7 else dice.randrange(256) for _ in range(dice.randint(0, 3))
        )
        damaged[place : place + length] = new
    return bytes(damaged)


def read_or_none(content: bytes) -> list[Row] | None:
    try:
        return list(opened(content).rows)
    except Refused:
        return None


@pytest.mark.parametrize("name", CONTENTS)
def test_a_damaged_file_is_refused_or_read_and_nothing_else(name: str) -> None:
    dice = random.Random(name)
    read = 0
    for _ in range(MUTATIONS):
        found = read_or_none(changed(CONTENTS[name], dice))
        for row in found or ():
            read += 1
            assert row.reading is not None or row.problems, "a row was refused without a word"
            assert all(problem.message for problem in row.problems)
        numbers = [row.number for row in found or ()]
        assert numbers == sorted(set(numbers))
    assert read > 0, "every mutation was refused, so nothing was tried"


@pytest.mark.parametrize("name", ["results", "adverse events", "ranges"])
def test_no_row_of_a_damaged_file_is_lost(name: str) -> None:
    """Where no quotation mark joins lines, every line below the first that holds more than separators is a row."""
    dice = random.Random(name)
    counted = 0
    for _ in range(MUTATIONS):
        content = changed(CONTENTS[name], dice).replace(b'"', b"'")
        found = read_or_none(content)
        if found is None or content.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        lines = re.split(rb"\r\n|\r|\n", content)
        numbers = {row.number for row in found}
        assert {n for n, line in enumerate(lines, 1) if n > 1 and re.search(rb"[^\s\x1c-\x1f,;]", line)} <= numbers
        assert numbers <= {n for n, line in enumerate(lines, 1) if n > 1 and line}
        counted += len(found)
    assert counted > 0


def _cut(content: bytes, read: Callable[[bytes], list[Row] | None]) -> list[int]:
    return [len(read(content[:length]) or ()) for length in range(len(content))]


@pytest.mark.parametrize("name", ["results", "results packed"])
def test_a_file_may_end_anywhere(name: str) -> None:
    counts = _cut(CONTENTS[name], read_or_none)
    assert counts == sorted(counts)
