"""The encoding of HL7 v2 (ER7): bytes into messages, segments and fields. It says nothing about what they mean.

Delimiters are those of each message's own MSH. The envelopes of batches (FHS, BHS, BTS, FTS) are passed over.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tracker.formats.hl7v2.lines import ENVELOPES, split

_CHARACTER_SETS = {
    "8859/1": "cp1252", "8859": "cp1252", "ISO-8859-1": "cp1252", "ISO8859-1": "cp1252", "8859/15": "iso8859-15",
    "8859/2": "iso8859-2", "8859/5": "iso8859-5", "8859/7": "iso8859-7", "8859/9": "iso8859-9",
    "WINDOWS-1252": "cp1252", "CP1252": "cp1252", "ASCII": "cp1252",
}  # fmt: skip
_NULL = '""'


class Delimiters(NamedTuple):
    """The characters that divide a message; `escape` is "" where the message has none."""

    field: str
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"


_MOST_REPETITIONS = 1000


class Segment:
    """One segment: `field(n)` counts as HL7 does, MSH-1 being the delimiter itself. `line` is where it begins."""

    __slots__ = ("_fields", "by", "line", "name")

    def __init__(self, text: str, line: int, by: Delimiters) -> None:
        self.name = text[:3]
        self.line = line
        self.by = by
        self._fields = text.split(by.field)
        if self.name == "MSH":
            self._fields.insert(1, by.field)

    def field(self, number: int) -> str:
        """The field as it was sent; HL7's null (two quotation marks) is empty."""
        text = self._fields[number].strip() if number < len(self._fields) else ""
        return "" if text == _NULL else text

    def repetitions(self, number: int) -> list["Field"]:
        """What stands in a field between the repetition signs, the empty ones left out. Of a field with more of them
        than any has, the rest stays in the last.
        """
        field, sign = self.field(number), self.by.repetition
        sent = field.split(sign, _MOST_REPETITIONS) if sign else [field]
        return [Field(part, self.by) for part in sent if part.strip() and part.strip() != _NULL]

    def part(self, number: int, component: int = 1) -> str:
        """One component of a field's first repetition, in plain text."""
        found = self.repetitions(number)
        return found[0].component(component) if found else ""

    def text(self, number: int) -> str:
        """A whole field as plain text, repetitions on lines of their own."""
        return "\n".join(field.text for field in self.repetitions(number))


class Field:
    """One repetition of a field."""

    __slots__ = ("_sent", "by")

    def __init__(self, sent: str, by: Delimiters) -> None:
        self._sent = sent
        self.by = by

    @property
    def text(self) -> str:
        return plain(self._sent, self.by)

    def sent(self, number: int) -> str:
        """A component as it was sent, escapes and all."""
        parts = self._sent.split(self.by.component) if self.by.component else [self._sent]
        return parts[number - 1] if number <= len(parts) else ""

    def component(self, number: int) -> str:
        part = self.sent(number)
        first = part.split(self.by.sub)[0] if self.by.sub and not self._is_text(part) else part
        return plain(first, self.by).strip().strip('"') if part.strip() == _NULL else plain(first, self.by).strip()

    def _is_text(self, part: str) -> bool:
        """A lone ampersand with blanks beside it was meant as a word, not as a delimiter."""
        return f" {self.by.sub} " in part


class Message(NamedTuple):
    """The segments of one message, its MSH first. `charset` is what its characters were taken for, "" for UTF-8."""

    segments: list[Segment]
    charset: str

    @property
    def header(self) -> Segment:
        return self.segments[0]


# ------------------------------------------------------------------------------------------------ characters


def decoded(content: bytes) -> tuple[str, str]:
    """The text, and the character set where it is not UTF-8: tried strictly, then MSH-18's, then Windows-1252."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(name, errors="replace"), name
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        declared = _declared(content)
        return content.decode(declared, errors="replace"), declared


def _declared(content: bytes) -> str:
    start = content.find(b"MSH")
    header = content[start : start + 2000].splitlines()[:1] if start >= 0 else []
    fields = header[0].decode("latin-1").split(chr(header[0][3])) if header and len(header[0]) > 3 else []
    named = fields[17].split("~")[0].strip().upper() if len(fields) > 17 else ""
    return _CHARACTER_SETS.get(named.removeprefix("UNICODE ").strip(), "cp1252")


def plain(sent: str, by: Delimiters) -> str:
    """A field's text with its escapes resolved; formatting commands are line ends or nothing."""
    if not by.escape or by.escape not in sent:
        return sent
    sign = re.escape(by.escape)
    return re.sub(f"{sign}([^{sign}\\n]{{0,80}}){sign}", lambda match: _escape(match, by), sent)


def _escape(match: "re.Match[str]", by: Delimiters) -> str:
    code = match[1]
    known = {"F": by.field, "S": by.component, "T": by.sub, "R": by.repetition, "E": by.escape, "H": "", "N": ""}
    if code in known:
        return known[code]
    lowered = code.lower()
    if lowered.startswith((".br", ".sp", ".ce")):
        return "\n"
    if lowered.startswith((".in", ".ti", ".fi", ".nf", ".sk")):
        return " "
    if lowered.startswith("x"):
        return _hexadecimal(lowered[1:]) or match[0]
    return match[0]


def _hexadecimal(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    except ValueError:
        return ""


# -------------------------------------------------------------------------------------------------- messages


def messages(content: bytes) -> Iterator[Message]:
    """The messages of a file, one after another."""
    text, charset = decoded(content)
    segments: list[Segment] = []
    for line, segment in split(text):
        by = segments[0].by if segments else None
        if segment.startswith("MSH"):
            if segments:
                yield Message(segments, charset)
            segments = [Segment(segment, line, delimiters(segment))]
        elif segment[:3] in ENVELOPES or by is None:
            continue
        else:
            segments.append(Segment(segment, line, by))
    if segments:
        yield Message(segments, charset)


def delimiters(header: str) -> Delimiters:
    """The delimiters that an MSH declares. `^~&` has no escape; in `^~\\\\&` the escape was doubled on its way."""
    field = header[3:4] or "|"
    signs = header[4:].split(field, maxsplit=1)[0]
    component, repetition, *rest = (*signs, *"^~"[len(signs) :])
    if len(rest) >= 3 and rest[0] == rest[1]:
        rest = rest[1:]
    if len(rest) == 1:
        return Delimiters(field, component, repetition, "" if rest[0] == "&" else rest[0], "&")
    escape, sub = (*rest[:2], *"\\&"[len(rest[:2]) :])
    return Delimiters(field, component, repetition, escape, sub)
