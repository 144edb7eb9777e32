"""Who looked: every page about a patient, every list, search and export leaves a note, and the page that shows them.

A note is written when the page is ready, in a transaction of its own. A page never fails and hardly waits for it: while
somebody else holds SQLite's one place for writers, notes are kept in memory and stored with the next one.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from tracker.domain.errors import OutcomeUnknown
from tracker.models import AccessNote, table_of
from tracker.queries import lookers
from tracker.queries.patients import dosing
from tracker.web.access import get_patient, signed_in
from tracker.web.clock import now
from tracker.web.database import database, reading, stop_reading

screen = Blueprint("looking", __name__)
log = logging.getLogger("tracker.security")

LISTS = frozenset({"queue.index", "patients.index", "due.index", "cohort.index"})  # many patients at once
PARTS = frozenset({"timeline.spec", "labs.preview", "labs.draft"})  # fetched by a page that is noted itself
EXPORTED, SEARCHED = "exported", "searched"  # how the detail of such a note begins
AGAIN = timedelta(minutes=5)  # the same person at the same page of the same patient is noted again after
MOST_KEPT = 10_000

Key = tuple[int, str, int | None, str]


class Notebook:
    """The notes of one process: what was noted lately, and what waits to be stored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lately: dict[Key, datetime] = {}
        self._waiting: list[dict[str, Any]] = []

    def take(self, note: dict[str, Any]) -> None:
        key = (note["account_id"], note["what"], note["patient_id"], note["detail"])
        with self._lock:
            last = self._lately.get(key)
            if last is not None and note["at"] - last < AGAIN:
                return
            if len(self._lately) >= MOST_KEPT:
                self._lately.clear()
            self._lately[key] = note["at"]
            self._waiting.append(note)

    def store(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        stop_reading()
        try:
            with database().transaction(brief=True) as session:
                session.execute(insert(table_of(AccessNote)), waiting)
        except (SQLAlchemyError, OutcomeUnknown) as error:
            log.warning("%s notes of who looked wait to be stored: %s", len(waiting), type(error).__name__)
            with self._lock:
                self._waiting = [*waiting, *self._waiting][-MOST_KEPT:]


def note_it(response: Response) -> Response:
    """After every request: note what was looked at."""
    user = signed_in()
    if user is None or request.endpoint is None or response.status_code not in (200, 201, 422):
        return response
    if request.endpoint in PARTS or request.headers.get("HX-Request"):
        return response
    patients: Mapping[int, int] = g.get("looked_at", {})
    common = {"at": now(), "account_id": user.id, "what": request.endpoint, "detail": _detail(response)}
    notebook: Notebook = current_app.extensions["notebook"]
    for patient_id, clinic_id in patients.items():
        notebook.take({**common, "patient_id": patient_id, "clinic_id": clinic_id})
    if not patients and (request.endpoint in LISTS or _is_file(response)):
        notebook.take({**common, "patient_id": None, "clinic_id": user.clinic.id if user.clinic else None})
    notebook.store()
    return response


def _is_file(response: Response) -> bool:
    return request.endpoint != "static" and "attachment" in response.headers.get("Content-Disposition", "")


def _detail(response: Response) -> str:
    """What was searched for or exported; nothing for a page that is simply opened."""
    asked = ", ".join(f"{name} {value}" for name, value in request.args.items() if value)
    if _is_file(response):
        return f"{EXPORTED} {asked}".strip()[:200]
    return (f"{SEARCHED} {asked}" if asked and request.endpoint in LISTS else "")[:200]


def init_app(app: Flask) -> None:
    app.extensions["notebook"] = Notebook()
    app.after_request(note_it)


# ---------------------------------------------------------------------------------------------- the page

# What a page is called where it stands in the list of who looked; the others by the name of their screen.
WORDS = {
    "patients": "record",
    "review": "flags for review",
    "timeline": "timeline",
    "labs": "lab entry",
    "results": "a result",
    "courses": "a course",
    "treatment": "treatment",
    "events": "an event",
    "bedside": "a drug or an observation",
    "looking": "who looked",
    "attachments": "an attached report",
    "papers": "what is printed",
}


def page_words(what: str) -> str:
    """`review.show` as a reader would say it."""
    blueprint, _, page = what.partition(".")
    return WORDS.get(blueprint, blueprint.replace("_", " ")) + (" (changes)" if page == "changes" else "")


@screen.get("/patients/<int:patient_id>/looked")
def patient(patient_id: int) -> ResponseReturnValue:
    """Who looked at this patient, newest first."""
    row = get_patient(reading(), patient_id)
    before = request.args.get("before", type=int)
    notes, following = lookers.of_patient(reading(), row.id, before)
    return render_template(
        "looking/patient.html",
        patient=row,
        dosing=dosing(reading(), row.id),
        notes=notes,
        following=following,
        before=before,
        page_words=page_words,
    )
