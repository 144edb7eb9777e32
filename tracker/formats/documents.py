"""Documents that are kept as they came: what kind of file the bytes are, whatever the file is called.

Nothing is decoded: a file is known by its signature, and whole where its own structure says that it ends.
"""

import re
import zlib
from collections.abc import Iterator

from tracker.domain.errors import Refused

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
ENDINGS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg"}

_PNG_START = b"\x89PNG\r\n\x1a\n"
_TAIL = 2048  # of a PDF: where its last table is named
_OTHERS = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"GIF8", "a GIF picture"),
    (b"{\\rtf", "an RTF document"),
    (b"MSH|", "an HL7 message, which belongs into Import"),
    (b"MZ", "a program"),
)
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of JPEG that come with the picture's size
_SCAN = 0xDA
_ODD = re.compile(r"[^\w .,()+-]+")


def tidy(name: str) -> str:
    """The last part of a file's name as it was sent, without what a page or a terminal might stumble over."""
    last = re.split(r"[/\\]", name)[-1]
    return _ODD.sub("_", last).strip(" .")[:120] or "file"


def kind_of(content: bytes) -> str:
    """The media type of a whole PDF, PNG or JPEG file. Raises Refused for anything else, and for a part of one."""
    if not content:
        raise Refused("The file is empty.")
    for kind, (start, name, is_whole) in _KEPT.items():
        if content.startswith(start):
            if not is_whole(content):
                raise Refused(f"The file begins as a {name} file and is damaged or cut short. Fetch or scan it again.")
            return kind
    raise Refused(f"This is {_guess(content)}. PDF, PNG and JPEG files are kept here: save it as PDF.")


def _guess(content: bytes) -> str:
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "a HEIC or AVIF picture"
    return next((words for start, words in _OTHERS if content.startswith(start)), "a file of another kind")


def _whole_pdf(content: bytes) -> bool:
    tail = content[-_TAIL:]
    return b"startxref" in tail and b"%%EOF" in tail[tail.rindex(b"startxref") :]


def _whole_png(content: bytes) -> bool:
    """Chunk after chunk with its check sum, from the header to the end."""
    names = list(_chunks(content))
    return names[:1] == [b"IHDR"] and names[-1:] == [b"IEND"] and b"IDAT" in names


def _chunks(content: bytes) -> Iterator[bytes]:
    at = len(_PNG_START)
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4])
        end = at + 8 + size
        if end + 4 > len(content) or zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4]):
            return
        name = content[at + 4 : at + 8]
        yield name
        if name == b"IEND":
            return
        at = end + 4


def _whole_jpeg(content: bytes) -> bool:
    """Segment after segment to the picture itself, whose size was told, and then the mark of the end."""
    at, sized = 2, False
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a filling byte
            at += 1
            continue
        sized = sized or marker in _SIZES
        if marker == _SCAN:
            return sized and content.rfind(b"\xff\xd9") > at
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return False


_KEPT = {
    PDF: (b"%PDF-", "PDF", _whole_pdf),
    PNG: (_PNG_START, "PNG", _whole_png),
    JPEG: (b"\xff\xd8\xff", "JPEG", _whole_jpeg),
}
"""By media type: how a file begins, what it is called, and whether it is whole."""
