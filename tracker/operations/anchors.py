"""The head of the audit trail, kept outside the database: a file to which one line is added after each transaction.

A chain does not notice that its end was cut off or that an older copy was put in its place; whoever has both the
database and the key can make another chain. The file notices. It is worth most where the database's owner cannot
write it: on another machine, or made append-only (`chattr +a`).

A line is on the disk before the writer goes on. The power can fail in the middle of it: such a line is said to be
unfinished and is no sign of tampering, while a whole line that disagrees is.

A line: `sealed 1207 5f0c33aa 2026-03-20T15:00:00+00:00 <digest> <seal of the line>`. `restored` in place of `sealed`
says that a backup was brought in or a new database begun: what the lines before it saw is not asked for any more.
"""

import errno
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from tracker.domain.keyring import Keyring

log = logging.getLogger(__name__)

SEALED, RESTORED = "sealed", "restored"
PARTS, SEAL_DIGITS = 6, 32
_WHOLE = re.compile(rf"(?:{SEALED}|{RESTORED}) [0-9]+ \S+ \S+ [0-9a-f]{{64}} [0-9a-f]{{{SEAL_DIGITS}}}$")


@dataclass(frozen=True, slots=True)
class Seal:
    """What the audit trail is sealed with: the keys, and the file of anchors (None where none is kept)."""

    keyring: Keyring = field(default_factory=Keyring)
    anchor: Path | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """From the settings AUDIT_KEY, AUDIT_OLD_KEYS and AUDIT_ANCHOR."""
        where = settings.get("AUDIT_ANCHOR")
        keyring = Keyring(settings.get("AUDIT_KEY", ""), settings.get("AUDIT_OLD_KEYS", ()))
        return cls(keyring, Path(where) if where else None)


class Head(NamedTuple):
    """An entry that was the last one: its number, the name of its key, its instant and its digest."""

    number: int
    key: str
    at: datetime
    digest: str


def append(seal: Seal, head: Head, word: str = SEALED) -> None:
    """Add a line, durably. The database holds the entry already, so a line that cannot be written is logged and not
    raised.
    """
    if seal.anchor is None:
        return
    told = f"{word} {head.number} {head.key or '-'} {head.at.isoformat()} {head.digest}"
    line = f"{told} {seal.keyring.digest(head.key, told)[:SEAL_DIGITS]}\n"
    try:
        handle = os.open(seal.anchor, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _add(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as why:
        log.error("the anchor of audit entry %s was not written: %s", head.number, why.strerror)


def _add(handle: int, line: bytes) -> None:
    """One write, which no other writer's falls into, and on the disk. What a power cut left unfinished keeps a line
    of its own.
    """
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    if os.write(handle, line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(handle)


class Anchors(NamedTuple):
    """Digest by number of what was seen; the numbers of the lines that are not ours, and of those left unfinished."""

    seen: dict[int, str]
    strange: list[int]
    unfinished: list[int]

    @property
    def last(self) -> int:
        return max(self.seen, default=0)


def read(seal: Seal) -> Anchors:
    """What the file says since the last restore. A line that a power cut left unfinished counts for nothing, and what
    was written after it on the same line counts.
    """
    found = Anchors({}, [], [])
    if seal.anchor is None or not seal.anchor.exists():
        return found
    content = seal.anchor.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(content.split("\n"), 1):
        whole = _WHOLE.search(line)
        rest = line[: whole.start()] if whole else line
        if whole and not _ours(seal.keyring, whole[0].split()):
            found.strange.append(number)
            continue
        if rest:
            (found.unfinished if _is_unfinished(rest) else found.strange).append(number)
        if whole:
            _take(found.seen, whole[0].split())
    return found


def warnings(seal: Seal) -> list[str]:
    """What the file of anchors shows that is no sign of tampering, a sentence each."""
    return [
        f"line {number} of the anchor file was left unfinished, as a power cut or a full disk leaves it. The entry it"
        " was for is in the database and is held against the lines after it; until the next entry is written, nobody"
        " outside the database would notice if that one were cut off."
        for number in read(seal).unfinished
    ]


def _take(seen: dict[int, str], parts: list[str]) -> None:
    if parts[0] == RESTORED:
        seen.clear()
    if int(parts[1]):
        seen[int(parts[1])] = parts[4]


def _is_unfinished(text: str) -> bool:
    """A line that only its beginning, or nothing but NULs, stands of: blocks that never reached the disk read as NULs.
    One that was altered has its whole length and none.
    """
    if "\0" in text:
        return True
    parts = text.split(" ")
    begins = any(word.startswith(parts[0]) if len(parts) == 1 else word == parts[0] for word in (SEALED, RESTORED))
    return begins and (len(parts) < PARTS or (len(parts) == PARTS and len(parts[-1]) < SEAL_DIGITS))


def _ours(keyring: Keyring, parts: list[str]) -> bool:
    key = "" if parts[2] == "-" else parts[2]
    if not keyring.knows(key):
        return parts[0] == SEALED  # an earlier key: its digest can still be compared, its seal not
    return keyring.digest(key, " ".join(parts[:5]))[:SEAL_DIGITS] == parts[5]
