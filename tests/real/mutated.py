"""HL7 v2 messages with mistakes in them: nothing raises, nothing hangs, and no value is silently another's.

    python -m tests.real.mutated 30000 [--seed 1] [--data ../shared/data/oru]

Prints how many messages were tried, how many rows were read and refused, and the longest time one took. With `--data`
the real messages are mutated, else a small one of our own.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, Row
from tracker.domain.values import read_number
from tracker.formats import hl7v2
from tracker.formats.hl7v2.er7 import messages

ZONE = ZoneInfo("Europe/Zurich")
SLOW = 0.1  # seconds for one message
MOST = 20_000  # bytes of a real message that is taken as a model
_JUNK = (
    b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"\r\n", b"\x00", b"\xff", b"\x0b", b"\x1c\r", b"9", b".", b",", b"-",
    b"<", b">", b" ", b"+", b"OBX|", b"MSH|^~\\&|", b"PID|", b"NTE|1||", b'""', b"\\X0D\\", b"\\.br\\", b"1e9", b"\xc3",
    "µ".encode(), b"e5", b"'",
)  # fmt: skip
OURS = "\r".join((
    "MSH|^~\\&|LIS|Lakeside Lab|Jakwatch|Clinic|20260301101500||ORU^R01|4711|P|2.5",
    "PID|1||00231^^^Clinic^MR||Example^Ada^M||19880517|F",
    "OBR|1|P77|F4711|CBC^Blood count|||20260301083000",
    "OBX|1|NM|751-8^Neutrophils^LN||0.46|10*3/uL|2.0-8.25|L|||F",
    "NTE|1||counted twice",
    "OBX|2|SN|X^Other|a|<^5|mg/L|<8||||C|||20260301",
    "OBX|3|ST|777-3^Platelets^LN||250|10*3/uL|150 - 450||||F",
    "OBX|4|FT|S^Smear||first\\.br\\second||||||F",
    "SPM|1|S1||SER^Serum",
)).encode()  # fmt: skip


def models(data: Path | None) -> list[bytes]:
    """What is mutated: every message of a folder that is not very long, or our own."""
    files = sorted(path for path in data.rglob("*") if path.is_file()) if data else []
    return [content for path in files if len(content := path.read_bytes()) <= MOST] or [OURS]


def mutated(model: bytes, dice: Random) -> bytes:
    """The model with one to six mistakes: bytes lost, doubled, exchanged or put in, a line lost, the rest cut off."""
    content = bytearray(model)
    for _ in range(dice.randint(1, 6)):
        at, size = dice.randrange(len(content) + 1), dice.randrange(12)
        match dice.randrange(6):
            case 0:
                del content[at : at + size]
            case 1:
                content[at:at] = content[at : at + size]
            case 2:
                content[at : at + size] = dice.choice(_JUNK)
            case 3:
                content[at:at] = dice.choice(_JUNK) * dice.randint(1, 3)
            case 4:
                lines = content.split(b"\r")
                del lines[dice.randrange(len(lines))]
                content = bytearray(b"\r".join(lines))
            case _:
                del content[max(at, 40) :]
    return bytes(content)


def trouble(content: bytes) -> Iterator[str]:
    """What must not be of the rows of a message, whatever stands in it."""
    rows = hl7v2.read(content, ZONE, test_messages=True).rows
    if not rows and any(True for _ in messages(content)):
        yield "a message without a row"
    for row in rows:
        if row.reading is None and not (row.problems and row.problems[0].message.endswith((".", "?"))):
            yield f"line {row.number} is refused without a sentence"
        if isinstance(row.reading, LabReading):
            yield from _another_value(content, row)


def _another_value(content: bytes, row: Row) -> Iterator[str]:
    """A number has to stand in the message as it was read; bounds are figures that stand in it too."""
    assert isinstance(row.reading, LabReading)
    text = _digits(content.decode("utf-8", errors="replace"))
    try:
        number = read_number(row.reading.value)
    except Refused:
        yield f"line {row.number}: {row.reading.value!r} could be two numbers"
        return
    if number is not None and _digits(row.reading.value) not in text:
        yield f"line {row.number}: the value {row.reading.value!r} does not stand in the message"


def _digits(text: str) -> str:
    """The text without the delimiters, escapes and control characters that may stand within a value (`<^5`)."""
    return re.sub(r"\\X[0-9A-F]*\\|\\\.br\\|[|^~&\\\s\x00-\x1f]", "", text)


# --------------------------------------------------------------------------------------- one figure, exchanged


def figures_exchanged(model: bytes, dice: Random) -> tuple[bytes, int, str, str] | None:
    """A message in which one digit of one OBX-5 is another: its bytes, the place of the OBX, the former and the new
    value. None where no OBX holds a digit in OBX-5.
    """
    end = b"\r" if b"\r" in model else b"\n"
    lines = model.split(end)
    places = [n for n, line in enumerate(lines) if line.startswith(b"OBX|") and _has_figure(line.split(b"|"))]
    if not places:
        return None
    place = dice.choice(places)
    fields = lines[place].split(b"|")
    former = fields[5]
    at = dice.choice([n for n, c in enumerate(former) if chr(c).isdigit()])
    digit = dice.choice([d for d in b"0123456789" if d != former[at]])
    fields[5] = former[:at] + bytes([digit]) + former[at + 1 :]
    lines[place] = b"|".join(fields)
    return end.join(lines), place + 1, former.decode("latin-1"), fields[5].decode("latin-1")


def _has_figure(fields: Sequence[bytes]) -> bool:
    return len(fields) > 5 and fields[2] in (b"NM", b"SN", b"ST", b"TX") and any(48 <= c <= 57 for c in fields[5])


def unchanged(model: bytes, exchanged: tuple[bytes, int, str, str]) -> str:
    """Why the exchanged figure did not come through; "" where it did, or the row was refused."""
    content, line, former, new = exchanged
    before = {row.number: row.reading for row in hl7v2.read(model, ZONE, test_messages=True).rows}
    after = {row.number: row.reading for row in hl7v2.read(content, ZONE, test_messages=True).rows}
    old, now = before.get(line), after.get(line)
    if isinstance(old, LabReading) and isinstance(now, LabReading) and old.value == now.value:
        return f"line {line}: {former!r} became {new!r}, and {now.value!r} was read of both"
    return ""


# --------------------------------------------------------------------------------------------------- the command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    dice, given, found = Random(asked.seed), models(asked.data), Counter[str]()
    slowest = 0.0
    for number in range(asked.count):
        model = dice.choice(given)
        content = mutated(model, dice)
        begun = time.process_time()
        hl7v2.read(content, ZONE, test_messages=True)
        slowest = max(slowest, time.process_time() - begun)
        said = list(trouble(content))
        if (exchanged := figures_exchanged(model, dice)) is not None:
            found["figures exchanged"] += 1
            said += filter(None, [unchanged(model, exchanged)])
        found["wrong"] += bool(said)
        for what in said:
            print(f"{number}: {what}")
    print(f"{asked.count:,} messages, {found['figures exchanged']:,} figures exchanged, {found['wrong']} wrong;"
          f" the slowest took {slowest * 1000:.1f} ms")  # fmt: skip
    raise SystemExit(found["wrong"] > 0 or slowest > SLOW)


if __name__ == "__main__":
    main()
