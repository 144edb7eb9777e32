"""Files between their preview and their filing: apart from the web, named by chance, of one session, for an hour.

They are never sent back as they came. What is known of each stands in the session's row in the database, not in the
browser.
"""

import hashlib
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import current_app, session
from sqlalchemy import make_url
from werkzeug.datastructures import FileStorage

from tracker.domain.errors import Gone
from tracker.formats.documents import tidy
from tracker.web.clock import now

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600
JOB_SECONDS = 7 * 24 * 3600  # what a job has not removed by then was left by one that never ran
MOST = 5  # waiting files of one session
GONE = "This preview is gone: it was filed or put away, or an hour is over. Choose the file again."
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Upload(NamedTuple):
    """A file that waits: its name as it was sent (tidied), where it lies, its digest, the clinic it is for.

    `answers`: how its table is read, where a person said so; `keep_as`: the name under which that is to be kept;
    `long`: it is filed in the background.
    """

    token: str
    name: str
    path: Path
    sha256: str
    clinic_id: int
    answers: Mapping[str, Any] = MappingProxyType({})
    keep_as: str = ""
    long: bool = False

    @property
    def refused(self) -> Path:
        """Beside it, the rows that were refused."""
        return self.path.with_suffix(".refused")


def folder() -> Path:
    """Where they lie: beside the database file, or in a folder of this user's where the database is a server."""
    named = current_app.config.get("UPLOAD_FOLDER")
    url = make_url(current_app.config["DATABASE_URL"])
    if named:
        found = Path(named)
    elif url.get_backend_name() == "sqlite" and url.database:
        found = Path(url.database).resolve().parent / "uploads"
    else:
        found = Path(tempfile.gettempdir()) / f"jakwatch-uploads-{os.getuid() if hasattr(os, 'getuid') else 'own'}"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and found.stat().st_uid != os.getuid():
        raise PermissionError(f"the folder for uploads, {found}, belongs to another user")
    return found


def keep(sent: FileStorage, clinic_id: int) -> Upload:
    """Put a file that was sent away until it is filed."""
    purge()
    token = secrets.token_urlsafe(32)
    path = folder() / f"{token}.upload"
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as target:
        while chunk := sent.stream.read(1 << 18):
            digest.update(chunk)
            target.write(chunk)
    os.utime(path, (now().timestamp(),) * 2)  # its hour is counted by the clock that counts everything else
    upload = Upload(token, tidy(sent.filename or ""), path, digest.hexdigest(), clinic_id)
    held: dict[str, Any] = dict(session.get("uploads", {}))
    held[token] = {"name": upload.name, "sha256": upload.sha256, "clinic": clinic_id}
    for old in list(held)[:-MOST]:
        _remove(old)
        del held[old]
    session["uploads"] = held
    return upload


def find(token: str, clinic_id: int) -> Upload:
    """The file of this session with that token, for that clinic. Raises Gone where it is."""
    told = session.get("uploads", {}).get(token)
    if told is None or told["clinic"] != clinic_id or not _TOKEN.fullmatch(token):
        raise Gone(GONE)
    path = folder() / f"{token}.upload"
    if not path.is_file() or now().timestamp() - path.stat().st_mtime > KEPT_SECONDS:
        raise Gone(GONE)
    return Upload(token, told["name"], path, told["sha256"], clinic_id, told.get("answers", {}), told.get("as", ""),
                  told.get("long", False))  # fmt: skip


def answer(upload: Upload, answers: Mapping[str, Any], keep_as: str) -> Upload:
    """Remember how the file's table is read, and under which name to keep that once it is filed."""
    held: dict[str, Any] = dict(session.get("uploads", {}))
    held[upload.token] = {**held[upload.token], "answers": dict(answers), "as": keep_as}
    session["uploads"] = held
    return upload._replace(answers=answers, keep_as=keep_as)


def mark(upload: Upload, long: bool) -> None:
    """Remember whether the file has more rows than a request files."""
    held: dict[str, Any] = dict(session.get("uploads", {}))
    held[upload.token] = {**held[upload.token], "long": long}
    session["uploads"] = held


def hand_over(upload: Upload) -> Path:
    """Put the file where a job finds it, which removes it in the end; the session lets it go."""
    kept = upload.path.with_suffix(".job")
    upload.path.rename(kept)
    forget(upload)
    return kept


def forget(upload: Upload) -> None:
    """Remove the file and what stands beside it."""
    _remove(upload.token)
    session["uploads"] = {token: told for token, told in session.get("uploads", {}).items() if token != upload.token}


def purge() -> None:
    """Remove what has lain here for longer than an hour, whoever sent it."""
    for path in folder().glob("*.*"):
        kept = {".upload": KEPT_SECONDS, ".refused": KEPT_SECONDS, ".job": JOB_SECONDS}.get(path.suffix)
        if kept is not None and now().timestamp() - path.stat().st_mtime > kept:
            path.unlink(missing_ok=True)


def _remove(token: str) -> None:
    """What cannot be removed now goes within the hour; the work it was for may be stored already, and is not failed."""
    if _TOKEN.fullmatch(token):
        for suffix in (".upload", ".refused"):
            try:
                (folder() / f"{token}{suffix}").unlink(missing_ok=True)
            except OSError as why:
                log.warning("a file that is done with was not removed: %s", why.strerror)
