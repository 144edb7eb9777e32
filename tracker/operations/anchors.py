"""The head of the audit trail, kept outside the database: a file to which one line is added after each transaction.

A chain does not notice that its end was cut off or that an older copy was put in its place; whoever has both the
database and the key can make another chain. The file notices. It is worth most where the database's owner cannot
write it: on another machine, or made append-only (`chattr +a`).

A line: `sealed 1207 5f0c33aa 2026-03-20T15:00:00+00:00 <digest> <seal of the line>`. `restored` in place of `sealed`
says that a backup was brought in or a new database begun: what the lines before it saw is not asked for any more.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from tracker.domain.keyring import Keyring

log = logging.getLogger(__name__)

SEALED, RESTORED = "sealed", "restored"


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
    """Add a line. The database holds the entry already, so a line that cannot be written is logged and not raised."""
    if seal.anchor is None:
        return
    told = f"{word} {head.number} {head.key or '-'} {head.at.isoformat()} {head.digest}"
    line = f"{told} {seal.keyring.digest(head.key, told)[:32]}\n"
    try:
        handle = os.open(seal.anchor, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as why:
        log.error("the anchor of audit entry %s was not written: %s", head.number, why.strerror)


class Anchors(NamedTuple):
    """Digest by number of what was seen, and the numbers of the lines that are not ours."""

    seen: dict[int, str]
    strange: list[int]

    @property
    def last(self) -> int:
        return max(self.seen, default=0)


def read(seal: Seal) -> Anchors:
    """What the file says since the last restore. A last line without its end is one that a power cut left."""
    if seal.anchor is None or not seal.anchor.exists():
        return Anchors({}, [])
    seen: dict[int, str] = {}
    strange = []
    for number, line in enumerate(seal.anchor.read_text(encoding="utf-8", errors="replace").splitlines(True), 1):
        parts = line.split()
        if not line.endswith("\n"):
            continue
        if not _ours(seal.keyring, parts):
            strange.append(number)
            continue
        if parts[0] == RESTORED:
            seen.clear()
        if int(parts[1]):
            seen[int(parts[1])] = parts[4]
    return Anchors(seen, strange)


def _ours(keyring: Keyring, parts: list[str]) -> bool:
    if len(parts) != 6 or parts[0] not in (SEALED, RESTORED) or not parts[1].isdigit():
        return False
    key = "" if parts[2] == "-" else parts[2]
    if not keyring.knows(key):
        return parts[0] == SEALED  # an earlier key: its digest can still be compared, its seal not
    return keyring.digest(key, " ".join(parts[:5]))[:32] == parts[5]
