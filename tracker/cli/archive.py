"""The file of a backup: a ZIP of the manifest and the database, with the digest of all of it as its last 64 characters.

The digest is the ZIP's comment, so that any program opens the file, and a flipped bit or a cut anywhere is noticed.
Encrypted, it is the same file in the age format (age-encryption.org/v1), which any age program opens. The key is a
pair: whoever makes backups holds the public half, which opens none of them.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyrage

from tracker.domain.errors import Refused

MANIFEST, CONTENT = "manifest.json", "database"
ENCRYPTED = b"age-encryption.org/"
PRIVATE = "AGE-SECRET-KEY-"
_DIGITS = 64
_CHUNK = 1024 * 1024


def pack(target: Path, manifest: Mapping[str, Any], content: Path, key: str | None, scratch: Path) -> None:
    """Write the file, whole or not at all. `scratch` is a folder where it may lie in the clear for a moment."""
    packed = scratch / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        archive.write(content, CONTENT)
        archive.comment = b"0" * _DIGITS
    with packed.open("r+b") as stream:
        digest = _digest_before_the_end(packed)
        stream.seek(-_DIGITS, os.SEEK_END)
        stream.write(digest.encode())
    _put(packed if key is None else _encrypted(packed, key), target)


def unpack(source: Path, key: str | None, scratch: Path) -> tuple[dict[str, Any], Path]:
    """(manifest, the database's file). Raises Refused for what is no backup, is damaged, or needs a key."""
    packed = _decrypted(source, key, scratch)
    if not zipfile.is_zipfile(packed):
        raise Refused(f"{source.name} is not a backup of Jakwatch, or it was cut short.")
    with packed.open("rb") as stream:
        stream.seek(-_DIGITS, os.SEEK_END)
        written = stream.read()
    if written != _digest_before_the_end(packed).encode():
        raise Refused(f"{source.name} is damaged: its content does not agree with its digest. Use another backup.")
    with zipfile.ZipFile(packed) as archive:
        if sorted(archive.namelist()) != [CONTENT, MANIFEST]:
            raise Refused(f"{source.name} is not a backup of Jakwatch.")
        archive.extract(CONTENT, scratch)
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
    return manifest, scratch / CONTENT


def new_key() -> tuple[str, str]:
    """(public half, private half) of a new pair."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), str(identity)


def _encrypted(packed: Path, key: str) -> Path:
    try:
        if key.startswith(PRIVATE):
            recipient = pyrage.x25519.Identity.from_str(key).to_public()
        else:
            recipient = pyrage.x25519.Recipient.from_str(key)
    except (pyrage.IdentityError, pyrage.RecipientError) as why:
        raise Refused("TRACKER_BACKUP_KEY is not an age key: make a pair with “tracker keygen”.") from why
    hidden = packed.with_name("packed.age")
    pyrage.encrypt_file(str(packed), str(hidden), [recipient])
    return hidden


def _decrypted(source: Path, key: str | None, scratch: Path) -> Path:
    if not source.is_file():
        raise Refused(f"{source}: there is no such file.")
    with source.open("rb") as stream:
        if stream.read(len(ENCRYPTED)) != ENCRYPTED:
            return source
    if not (key or "").startswith(PRIVATE):
        raise Refused(f"{source.name} is encrypted: give the private half of its key in TRACKER_BACKUP_KEY.")
    packed = scratch / "packed.zip"
    try:
        pyrage.decrypt_file(str(source), str(packed), [pyrage.x25519.Identity.from_str(key)])
    except (pyrage.DecryptError, pyrage.IdentityError, OSError) as why:
        raise Refused(f"{source.name} does not open: it was encrypted for another key, or it is damaged.") from why
    return packed


def _digest_before_the_end(path: Path) -> str:
    """SHA-256 of the file but its last 64 bytes."""
    found, left = hashlib.sha256(), path.stat().st_size - _DIGITS
    with path.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            found.update(chunk)
            left -= len(chunk)
    return found.hexdigest()


def _put(packed: Path, target: Path) -> None:
    """Copy to the target's folder, make it durable, and only then give it its name; readable by its owner alone."""
    if not target.parent.is_dir():
        raise Refused(f"{target.parent}: there is no such folder.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with packed.open("rb") as stream, part.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        os.link(part, target)  # refuses to take the place of a file that is there
    except FileExistsError as why:
        raise Refused(f"{target} is there already; a backup never takes the place of another.") from why
    except OSError as why:
        raise Refused(f"{target} could not be written: {why.strerror}.") from why
    finally:
        part.unlink(missing_ok=True)
