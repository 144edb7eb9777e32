"""MLLP, the framing of HL7 v2 on a connection: <VT> message <FS><CR>. Bytes into messages, and answers into bytes."""

import re
from collections.abc import Iterator
from typing import NamedTuple

START, END = b"\x0b", b"\x1c\r"
_HEADER = re.compile(rb"\x0b(?=MSH|FHS|BHS)")
_BLANKS = re.compile(rb"[\r\n\t ]*")


class TooLong(Exception):
    """A message that grows beyond what is taken."""


class Frame(NamedTuple):
    """A message that was ended. `sound` is False where it was not begun; `dropped` where another, never ended, stood
    before it.
    """

    content: bytes
    sound: bool = True
    dropped: bool = False


class Framing:
    """The messages of one connection, piece by piece. A new start begins anew: two messages never become one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()
        self._searched = 0

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Take what was received; the messages that have their end now. Raises TooLong."""
        self._held += piece
        while (end := self._held.find(END, self._searched)) >= 0:
            content = bytes(self._held[:end])
            del self._held[: end + len(END)]
            self._searched = 0
            yield _frame(content)
        if blank := _BLANKS.match(self._held):
            del self._held[: blank.end()]
        self._searched = max(0, len(self._held) - 1)
        if len(self._held) > self._most:
            raise TooLong

    @property
    def waits(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._held)

    @property
    def begun(self) -> bytes:
        """What there is of a message that has not ended."""
        return _frame(bytes(self._held)).content


def _frame(content: bytes) -> Frame:
    """The last message that begins in `content`. A <VT> within a text begins none."""
    starts = [match.start() for match in _HEADER.finditer(content)]
    at = starts[-1] if starts else content.find(START)
    if at < 0:
        return Frame(content.strip(), sound=False)
    return Frame(content[at + 1 :], dropped=START in content[:at])


def framed(content: bytes) -> bytes:
    return START + content + END
