"""FHIR, tables and workbooks with mistakes in them: nothing raises, nothing hangs, and no value is silently another's.

    python -m tests.real.mutated_files 30000 [--format fhir] [--seed 1]

The samples of tests/formats are mutated as the messages of `mutated` are. Named is each file that took longer than a
tenth of a second.
"""

import argparse
import io
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.real.mutated import SLOW, ZONE, mutated
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading
from tracker.domain.values import plain, read_number
from tracker.formats import read
from tracker.formats.shapes import Answers, Reader
from tracker.library import analytes

SAMPLES = Path(__file__).parent.parent / "formats" / "samples"
FORMATS = {
    "hl7": (".hl7",), "fhir": (".json", ".ndjson", ".xml"), "table": (".csv", ".tsv"), "workbook": (".xlsx", ".xls"),
}  # fmt: skip
_JSON_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def samples(form: str) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(SAMPLES.iterdir()) if path.suffix in FORMATS[form]]


def trouble(form: str, content: bytes) -> Iterator[str]:
    """What must not be of a file, whatever stands in it."""
    reader = Reader(analytes.find, answers=Answers())
    try:
        rows = list(read("a file", io.BytesIO(content), ZONE, reader).rows)
    except Refused as why:
        if not str(why).rstrip().endswith((".", "?", ")")):
            yield f"refused without a sentence: {why}"
        return
    figures = _figures(form, content)
    for row in rows:
        if row.reading is None and not (row.problems and row.problems[0].message.strip()):
            yield f"row {row.number} is refused without a reason"
        if isinstance(row.reading, LabReading) and form != "workbook":
            number = _number(row.reading.value)
            if number is not None and number not in figures:
                yield f"row {row.number}: the value {row.reading.value!r} does not stand in the file"


def _number(text: str) -> str | None:
    try:
        found = read_number(text)
    except Refused:
        return None
    return None if found is None else _bare(plain(found.figure))


def _figures(form: str, content: bytes) -> "_Standing":
    return _Standing(form, content)


class _Standing:
    """The digits of a file, without marks and signs: those of a value have to stand in it one after another."""

    def __init__(self, form: str, content: bytes) -> None:
        text = content.decode("utf-8", errors="replace")
        self.text = re.sub(r"\\X[0-9A-F]*\\|[|^~&\\\s\x00-\x1f.,']", "", text)
        found = _JSON_NUMBER.findall(text) if form == "fhir" else []
        self.numbers = {_bare(plain(Decimal(one))) for one in found if len(one) < 40 and "e" not in one.lower()} | {
            _bare(plain(Decimal(one))) for one in found if "e" in one.lower() and len(one) < 12
        }

    def __contains__(self, digits: str) -> bool:
        return digits in self.text or digits in self.numbers


def _bare(figure: str) -> str:
    return figure.replace(".", "").replace("-", "").lstrip("0") or "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("count", type=int, help="files of each format")
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    wrong = 0
    for form in asked.format or FORMATS:
        dice, given, slowest = Random(asked.seed), samples(form), 0.0
        for number in range(asked.count):
            name, model = dice.choice(given)
            content = mutated(model, dice)
            begun = time.process_time()
            said = list(trouble(form, content))
            took = time.process_time() - begun
            slowest = max(slowest, took)
            said += [f"took {took * 1000:.0f} ms ({len(content)} bytes)"] if took > SLOW else []
            wrong += bool(said)
            for what in said:
                print(f"{form} {number} ({name}): {what}")
        print(f"{form}: {asked.count:,} files; the slowest took {slowest * 1000:.1f} ms")
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
