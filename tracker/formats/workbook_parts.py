"""An XLSX before its cells are read: whether it came whole, what it would unpack to, how far its sheets reach.

What reads the cells makes room for the whole rectangle from the first cell to the last: one cell in the far corner of a
sheet would take the memory of the machine.
"""

import io
import zipfile
import zlib
from typing import IO
from xml.parsers import expat

from tracker.domain.errors import Refused

_MOST_UNPACKED = 1 << 29
_SMALL, _MOST_TIMES = 32 << 20, 100  # so much any file may unpack to; above that, so many times its own size
_MOST_PARTS = 2000
_ROOMY = 2_000_000  # a rectangle of so many places may be as empty as it likes
_EMPTY = 20  # in a larger one, places there may be for one cell that holds something
_MOST_PLACES = 50_000_000
_CHUNK = 1 << 20
_DAMAGED = "The workbook is damaged: it was not copied whole. Send it again."


def examine(content: bytes) -> int:
    """How many cells hold a formula that nothing has worked out. Raises Refused for a package that was damaged, that
    would unpack to too much, or whose cells lie too far apart.
    """
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
        parts = package.infolist()
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _unpacked_limit(len(content)):
            raise Refused(
                "The workbook unpacks to far more than a table would: split it, or save the sheet as “CSV UTF-8”."
            )
        if not any(part.filename.lower() == "xl/workbook.xml" for part in parts):
            raise Refused("This kind of workbook is not read: save it as XLSX, or the sheet as “CSV UTF-8”.")
        unknown = 0
        for part in parts:
            with package.open(part) as stream:
                unknown += _read_part(stream)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        raise Refused(_DAMAGED) from None
    return unknown


def _unpacked_limit(packed: int) -> int:
    return min(_MOST_UNPACKED, max(_SMALL, _MOST_TIMES * packed))


def _read_part(stream: IO[bytes]) -> int:
    """All of a part, which looks at its check sum; where it is a sheet, how far that reaches. Its formulas without a
    result.
    """
    extent, before, has_cells = Extent(), b"", False
    while chunk := stream.read(_CHUNK):
        has_cells = has_cells or b"sheetData" in before + chunk
        before = chunk[-20:]
        extent.take(chunk)
    extent.judge(has_cells)
    return extent.unknown


class _NoSheet(Exception):
    """The part is not the XML of a sheet."""


class Extent:
    """The rectangle of the cells of a sheet that hold something, found while its XML goes by."""

    def __init__(self) -> None:
        self.cells = self.unknown = 0
        self._text = self._awaits = False  # the cell is of text; it has a formula, and its result did not come yet
        self._row = self._column = self._depth = 0
        self._rows: list[int] = []  # the first and the last that hold something
        self._columns: list[int] = []
        self._over = self._broken = False
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser

    def take(self, chunk: bytes) -> None:
        """Look at more of the part."""
        try:
            if not self._over:
                self._parser.Parse(chunk)
        except _NoSheet:
            self._over = True
        except (expat.ExpatError, LookupError):  # an encoding that nobody knows
            self._over = self._broken = True

    def judge(self, has_cells: bool) -> None:
        """Raise Refused where the cells lie too far apart, or where it has cells and breaks off."""
        if self._broken and has_cells:
            raise Refused(_DAMAGED)
        if self.cells:
            places = (self._rows[1] - self._rows[0] + 1) * (self._columns[1] - self._columns[0] + 1)
            if places > _MOST_PLACES or (places > _ROOMY and places > _EMPTY * self.cells):
                raise Refused(
                    f"A sheet of the workbook has {self.cells:,} filled cells in a space of {places:,}: one of them"
                    " lies far from the table. Remove it, or save the sheet as “CSV UTF-8”."
                )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self._depth += 1
        if self._depth == 1 and local != "worksheet":
            raise _NoSheet
        if local == "row":
            self._row, self._column = _number(attributes.get("r", ""), self._row + 1), 0
        elif local == "c":
            self._at(attributes.get("r", ""))
            self._text = attributes.get("t") == "str"
        elif local == "f":
            self._awaits = not self._text
            self._parser.CharacterDataHandler = None
        elif local in ("v", "is"):
            self._hold()
            self._parser.CharacterDataHandler = self._result if self._awaits else None

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._awaits and name.endswith(" c"):
            self.unknown += 1
            self._awaits = False

    def _result(self, _text: str) -> None:
        self._awaits = False

    def _doctype(self, *_: object) -> None:
        raise Refused("A part of the workbook declares a document type, which workbooks have not: save it anew.")

    def _at(self, reference: str) -> None:
        letters = reference.rstrip("0123456789")
        self._column += 1
        if letters:
            self._row = _number(reference[len(letters) :], self._row)
            self._column = 0
            for letter in letters.upper()[:4]:
                self._column = 26 * self._column + ord(letter) - 64

    def _hold(self) -> None:
        self.cells += 1
        for ends, place in ((self._rows, self._row), (self._columns, self._column)):
            if not ends:
                ends += [place, place]
            elif place < ends[0]:
                ends[0] = place
            elif place > ends[1]:
                ends[1] = place


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise
