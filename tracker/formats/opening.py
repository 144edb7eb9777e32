"""From bytes to lines of text: gzip, encoding, line ends. All of it streams, in little memory however long the file.

A stream that breaks off, unpacks to more than it should or has no line ends raises Refused where that is noticed,
which may be after many lines.
"""

import codecs
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from tracker.domain.errors import Refused

CHUNK = 1 << 18
HEAD = 1 << 20  # what is looked at before anything is decided: format and encoding
UNPACKED_LIMIT = 1 << 30
SMALL, MOST_TIMES = 32 << 20, 200  # so much any gzip file may unpack to; above that, so many times what was read of it
LINE_LIMIT = 1 << 20

LOST = "\ufffd"
_GZIP = b"\x1f\x8b"
_WINDOWS = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", errors="replace") for byte in range(0x80, 0x100)
}  # what "surrogateescape" leaves where a byte is not UTF-8


class Opened(NamedTuple):
    """A file's first bytes, unpacked, for recognising it, and its content: as text, or as bytes for a format that is
    no table. One of the two is taken, once.
    """

    head: bytes
    text: "Text"
    chunks: Iterator[bytes]

    def whole(self, most: int) -> bytes:
        """All bytes, unpacked. Raises Refused where there are more than `most`."""
        taken = bytearray()
        for chunk in self.chunks:
            taken += chunk
            if len(taken) > most:
                raise Refused(f"The file holds more than {most >> 20} MiB: split it into several files.")
        return bytes(taken)


class Text:
    """The lines of a file, without their ends, once. `guessed` where some bytes were read as Windows-1252."""

    def __init__(self, chunks: Iterator[bytes], head: bytes) -> None:
        self.encoding = _encoding(head)
        self.guessed = self.encoding == "utf-8-sig" and not _is_utf8(head)
        self._lines = self._read(chunks)

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, chunks: Iterator[bytes]) -> Iterator[str]:
        errors = "surrogateescape" if self.encoding == "utf-8-sig" else "replace"
        # CR, LF and CRLF all end a line, also where a chunk ends between the two.
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(self.encoding)(errors), translate=True)
        rest = ""
        for chunk in chain(chunks, [b""]):
            text = decoder.decode(chunk, final=not chunk)
            if not text.isascii() and errors == "surrogateescape":
                text = self._mended(text)
            *lines, rest = (rest + text).split("\n")
            yield from lines
            if len(rest) > LINE_LIMIT:
                raise Refused(f"A line is longer than {LINE_LIMIT:,} characters: this is not a table.")
        if rest:
            yield rest

    def _mended(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.guessed = True
            return text.translate(_WINDOWS)
        return text


def open_text(stream: BinaryIO) -> Opened:
    """Open a file, gzip or not. Raises Refused where it is empty or binary."""
    head, chunks = _beginning(_chunks(stream))
    if head.startswith(_GZIP):
        head, chunks = _beginning(_unpacked(chunks))
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise Refused("The file is empty.")
    return Opened(head, Text(chunks, head), chunks)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _beginning(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all bytes, those included."""
    taken: list[bytes] = []
    for chunk in chunks:
        taken.append(chunk)
        if sum(map(len, taken)) >= HEAD:
            break
    return b"".join(taken), chain(taken, chunks)


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, member after member, never more than a chunk at once."""
    total = read = 0
    member = zlib.decompressobj(wbits=31)
    for packed in chunks:
        left = packed
        read += len(packed)
        while left:
            if member.eof:  # another member may follow, or zeros that fill a block
                left = left.lstrip(b"\0")
                member = zlib.decompressobj(wbits=31) if left else member
            piece, left = _piece(member, left)
            total += len(piece)
            if total > UNPACKED_LIMIT:
                raise Refused("The file unpacks to more than 1 GiB: split it into several files.")
            if total > max(SMALL, MOST_TIMES * read):
                raise Refused(
                    "The file unpacks to far more than a table would: send it as it was before it was packed."
                )
            if piece:
                yield piece
    if not member.eof:
        raise Refused("The gzip file breaks off before its end: it was not copied whole. Send it again.")


def _piece(member: "zlib._Decompress", packed: bytes) -> tuple[bytes, bytes]:
    """Up to a chunk of unpacked bytes, and the packed ones that are left."""
    if not packed:
        return b"", b""
    try:
        piece = member.decompress(packed, CHUNK)
    except zlib.error:
        raise Refused("The gzip file is damaged: it cannot be unpacked. Send it again.") from None
    return piece, member.unused_data or member.unconsumed_tail


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Refused("The file is in UTF-32, which is not read: save it as “CSV UTF-8”.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character cut by the end of the head is no fault
    except UnicodeDecodeError:
        return False
    return True
