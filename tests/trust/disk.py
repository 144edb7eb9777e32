"""A disk that lost its power: from the notes of recorder.c, the files as they may stand afterwards.

What was synced is there. Each write since then is there, or not, or in part: up to a sector, or as zeros where the
file had grown. Writes to one file may have come to the disk in any order. A removal that was not followed by a sync of
the folder may be undone.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

CREATED, WRITTEN, TRUNCATED, SYNCED, REMOVED, MARKED = range(1, 7)
HEADER = struct.Struct("<BHIq")
SECTOR = 512

Files = dict[str, bytes]


class Note(NamedTuple):
    kind: int
    name: str
    offset: int
    content: bytes


def read_notes(content: bytes) -> Iterator[Note]:
    at = 0
    while at < len(content):
        kind, length, size, offset = HEADER.unpack_from(content, at)
        at += HEADER.size
        name = content[at : at + length].decode()
        yield Note(kind, name, offset, content[at + length : at + length + size])
        at += length + size


@dataclass
class Held:
    """One file: what is on the disk for certain, and what was done to it since the last sync."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[Note] = field(default_factory=list)

    def whole(self) -> bytearray:
        image = bytearray(self.durable)
        for note in self.since:
            apply(image, note)
        return image


class Disk:
    """Take the notes one by one; ask at any of them what a power cut would leave."""

    def __init__(self, files: Files) -> None:
        self.files = {name: Held(bytearray(content)) for name, content in files.items()}
        self.removed: dict[str, Held] = {}  # since the folder was last synced

    def take(self, note: Note) -> None:
        if note.kind == SYNCED and not note.name:
            self.removed.clear()
        elif note.kind == SYNCED and note.name in self.files:
            held = self.files[note.name]
            held.durable, held.since = held.whole(), []
        elif note.kind == REMOVED and note.name in self.files:
            self.removed[note.name] = self.files.pop(note.name)
        elif note.kind == CREATED:
            self.files.setdefault(note.name, Held())
        elif note.kind in (WRITTEN, TRUNCATED):
            self.files.setdefault(note.name, Held()).since.append(note)

    def whole(self) -> Files:
        """As the program sees it: nothing was lost."""
        return {name: bytes(held.whole()) for name, held in self.files.items()}

    def after_power_cut(self, dice: Random) -> Files:
        held = dict(self.files)
        if self.removed and dice.random() < 0.5:
            name, back = list(self.removed.items())[-1]
            held.setdefault(name, back)
        return {name: bytes(_left_of(one, dice)) for name, one in held.items()}


def _left_of(held: Held, dice: Random) -> bytearray:
    image = bytearray(held.durable)
    lost = dice.choice((0.0, 0.5, 1.0, dice.random()))  # how likely a write is to be lost, in this cut
    for note in held.since:
        if dice.random() >= lost:
            apply(image, _torn(note, dice) if dice.random() < 0.15 else note)
        elif note.kind == WRITTEN and dice.random() < 0.5 and note.offset + len(note.content) > len(image):
            image.extend(b"\0" * (note.offset + len(note.content) - len(image)))  # the file grew, its blocks are empty
    return image


def _torn(note: Note, dice: Random) -> Note:
    """The beginning of a write, up to a sector of the disk."""
    sectors = [at - note.offset for at in range(-(-note.offset // SECTOR) * SECTOR, note.offset + len(note.content))
               if at % SECTOR == 0 and at > note.offset]  # fmt: skip
    return note._replace(content=note.content[: dice.choice(sectors)]) if sectors else note


def apply(image: bytearray, note: Note) -> None:
    if note.kind == TRUNCATED:
        image.extend(b"\0" * (note.offset - len(image)))
        del image[note.offset :]
        return
    image.extend(b"\0" * (note.offset - len(image)))
    image[note.offset : note.offset + len(note.content)] = note.content
