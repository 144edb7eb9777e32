"""Documents that come within a message (OBX-2 ED) or are pointed to (RP): read, never taken for a value."""

import base64
import binascii
from typing import NoReturn

from tracker.domain.readings import Document
from tracker.formats.cells import Misfit
from tracker.formats.hl7v2.er7 import Field, Segment

KINDS = frozenset(("ED", "RP"))
_MEDIA_TYPES = {
    "PDF": "application/pdf", "RTF": "application/rtf", "HTML": "text/html", "XML": "text/xml", "CDA": "text/xml",
    "HL7-XML": "text/xml", "X-HL7-CDA-LEVEL-ONE": "text/xml", "PLAIN": "text/plain", "TXT": "text/plain",
    "PNG": "image/png", "GIF": "image/gif", "JPEG": "image/jpeg", "JPG": "image/jpeg", "TIFF": "image/tiff",
    "TIF": "image/tiff", "DICOM": "application/dicom", "MSWORD": "application/msword",
}  # fmt: skip
# By its first bytes where the sender does not say what it is.
_STARTS = (
    (b"%PDF", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"{\\rtf", "application/rtf"),
)


def document_of(obx: Segment, name: str) -> Document:
    """The document of an OBX, called by the name of its test. Raises Misfit where it cannot be read."""
    found = obx.repetitions(5)
    if not found:
        raise Misfit("OBX-5", "There is no document, so there is none to keep.")
    if obx.part(2).upper() == "RP":
        place = found[0].component(1)
        return Document(name, _media_type(found[0].component(3), found[0].component(4)), b"", place)
    content = _decoded(found[0])
    declared = _media_type(found[0].component(2), found[0].component(3))
    started = (of for start, of in _STARTS if content.startswith(start))
    return Document(name, declared or next(started, ""), content)


def _media_type(kind: str, subtype: str) -> str:
    for word in (subtype, kind):
        if "/" in word:
            return word.lower()
        if word.upper() in _MEDIA_TYPES:
            return _MEDIA_TYPES[word.upper()]
    return ""


def _decoded(field: Field) -> bytes:
    """The bytes of an ED: its encoding is component 4, its data component 5."""
    encoding, data = field.component(4).upper(), field.sent(5)
    if not data.strip():
        raise Misfit("OBX-5", "The document is empty: have it sent again.")
    try:
        if encoding == "BASE64":
            return base64.b64decode("".join(data.split()), validate=True)
        if encoding == "HEX":
            return bytes.fromhex(data)
    except (binascii.Error, ValueError):
        _broken(encoding)
    return field.component(5).encode() if encoding in ("A", "") else _broken(encoding)


def _broken(encoding: str) -> NoReturn:
    raise Misfit("OBX-5", f"The document cannot be decoded ({encoding[:20]}): have it sent again.")
