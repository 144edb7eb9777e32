"""Documents within a message (OBX-2 ED), or pointed to (RP): kept as they came, and never taken for a value."""

import base64
import binascii
from typing import NoReturn

from tracker.domain.readings import CANCELLED, CORRECTED, PRELIMINARY
from tracker.formats.cells import Misfit
from tracker.formats.hl7v2.er7 import Field, Segment

KINDS = frozenset(("ED", "RP"))
MOST_NOTES = 300  # characters of the notes on a document that are kept beside it
_STATUS_WORDS = {CORRECTED: "corrected", PRELIMINARY: "preliminary"}


def content_of(obx: Segment, status: str) -> bytes:
    """The bytes of an OBX's document. Raises Misfit where it cannot be read, is elsewhere or was withdrawn."""
    found = obx.repetitions(5)
    if status == CANCELLED:
        raise Misfit("OBX-11", "The document is withdrawn: take it out on the patient’s page, if it is there.")
    if not found:
        raise Misfit("OBX-5", "There is no document, so there is none to keep.")
    if obx.part(2).upper() == "RP":
        place = found[0].component(1)[:200]
        raise Misfit(
            "OBX-5", f"The document itself is not in the message, only its place ({place}): have it sent along."
        )
    if len(found) > 1:
        raise Misfit("OBX-5", f"{len(found)} documents stand in one field: have each sent in an OBX of its own.")
    return _decoded(found[0])


def note_of(status: str, notes: str) -> str:
    """What is kept beside a document: that it is not the first or not the last version, and what was noted on it."""
    return ". ".join(filter(None, (_STATUS_WORDS.get(status, ""), notes[:MOST_NOTES])))


def _decoded(field: Field) -> bytes:
    """The bytes of an ED: its encoding is component 4, its data component 5."""
    encoding, data = field.component(4).upper(), field.component(5)
    if not data:
        raise Misfit("OBX-5", "The document is empty: have it sent again.")
    try:
        if encoding == "BASE64":
            return base64.b64decode("".join(data.split()), validate=True)
        if encoding == "HEX":
            return bytes.fromhex(data)
    except (binascii.Error, ValueError):
        _broken(encoding)
    return data.encode() if encoding in ("A", "") else _broken(encoding)


def _broken(encoding: str) -> NoReturn:
    raise Misfit("OBX-5", f"The document cannot be decoded ({encoding[:20]}): have it sent again.")
