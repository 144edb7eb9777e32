"""Small files of the kinds that are kept as they came, whole and in parts."""

import struct
import zlib


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(words: str = "") -> bytes:
    """One white dot; `words` stand in it, so that two pictures differ."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    text = _chunk(b"tEXt", b"Comment\0" + words.encode("latin-1"))
    return b"\x89PNG\r\n\x1a\n" + head + text + _chunk(b"IDAT", zlib.compress(b"\0\xff")) + _chunk(b"IEND", b"")


def pdf(words: str = "") -> bytes:
    """The smallest file that ends as a PDF does."""
    return b"%PDF-1.4\n% " + words.encode("latin-1") + b"\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n"


def jpeg(words: str = "") -> bytes:
    """The segments of a picture of one dot."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    comment, size = segment(0xFE, words.encode("latin-1")), segment(0xC0, bytes((8, 0, 1, 0, 1, 1, 1, 0x11, 0)))
    return b"\xff\xd8" + comment + size + segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + b"\x12\x34" + b"\xff\xd9"
