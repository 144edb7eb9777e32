"""How much one person may carry off in an hour: files about patients, and searches and further pages of the lists.

Counted from the notes of who looked (looking.py), which lie in the database, so that all processes and browsers of a
person count together. The same file or search again within five minutes is one note, and counts once. Several requests
at the same moment may pass the bound by as many as there are processes.
"""

import logging
from datetime import timedelta
from typing import NamedTuple

from flask import Flask, current_app, request
from sqlalchemy import insert

from tracker.domain.errors import TooMuch
from tracker.models import AccessNote, table_of
from tracker.operations import audit
from tracker.queries import lookers
from tracker.web.access import current_actor, signed_in
from tracker.web.clock import now
from tracker.web.database import reading, writing
from tracker.web.filters import moment
from tracker.web.looking import EXPORTED, LISTS, SEARCHED
from tracker.web.sessions import User

log = logging.getLogger("tracker.security")

HOUR = timedelta(hours=1)
REFUSED = "refused"
# Whose answer is a file about patients; a test looks whether another page hands one out.
FILES = frozenset(
    {
        "papers.summary", "papers.timeline", "papers.worklist", "papers.due_list", "papers.letters", "attachments.file",
        "audit.export", "imports.problems",
    }
)  # fmt: skip


class Kind(NamedTuple):
    """What is counted: its place in the setting, how its notes begin, and its name."""

    place: int
    begins: str
    words: str


TAKEN = Kind(0, EXPORTED, "files")
ASKED = Kind(1, SEARCHED, "searches and further pages of lists")


def refuse_too_many() -> None:
    """Before a request that was let in. Raises TooMuch, and the first time in an hour that is put on record."""
    user, kind = signed_in(), _kind()
    if user is None or kind is None:
        return
    most: int = current_app.config["HOURLY"][kind.place]
    begins = AccessNote.detail.startswith(kind.begins, autoescape=True)
    oldest = lookers.nth_latest(reading(), user.id, begins, most, now() - HOUR)
    if oldest is None:
        return
    _record(user, kind, most)
    again = oldest + HOUR
    raise TooMuch(
        f"You had {most} {kind.words} within an hour, which is as many as one person may. The next one is open to you "
        f"from {moment(again)}. It is on record.",
        seconds=max(1, int((again - now()).total_seconds())),
    )


def _kind() -> Kind | None:
    if request.endpoint in FILES:
        return TAKEN
    return ASKED if request.endpoint in LISTS and any(request.args.values()) else None


def _record(user: User, kind: Kind, most: int) -> None:
    """Once an hour and kind: whoever goes on trying does not fill the trail."""
    log.warning("account %s had more than %s %s within an hour", user.id, most, kind.words)
    told = f"{REFUSED} more than {most} {kind.words}"
    if lookers.nth_latest(reading(), user.id, AccessNote.detail == told, 1, now() - HOUR) is not None:
        return
    clinic = user.clinic.id if user.clinic else None
    note = {"at": now(), "account_id": user.id, "what": request.endpoint, "detail": told, "clinic_id": clinic}
    with writing() as session:
        session.execute(insert(table_of(AccessNote)), [note | {"patient_id": None}])
        after = {"within an hour": most, "of": kind.words, "page": request.endpoint}
        audit.note(session, current_actor(), "refuse_too_many", "account", user.id, after=after, clinic_id=clinic)


def init_app(app: Flask) -> None:
    app.before_request(refuse_too_many)
