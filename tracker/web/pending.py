"""A file between its upload and its filing: how it is read, and the page that shows what filing it would do."""

from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from flask import current_app, render_template
from sqlalchemy.orm import Session

from tracker import formats
from tracker.formats.shapes import Answers, Reader
from tracker.models import Clinic, Job
from tracker.operations import intake, jobs
from tracker.queries import mappings
from tracker.web import attachments, preview, uploads
from tracker.web.access import current_actor, current_clinic
from tracker.web.database import reading, writing

MOST_ROWS = 50_000  # rows one request may file; IMPORT_ROWS in the configuration


class _Undone(Exception):
    """Ends a transaction so that nothing of it is stored."""


def most_rows() -> int:
    found: int = current_app.config.get("IMPORT_ROWS", MOST_ROWS)
    return found


def reader_of(session: Session, kept: uploads.Upload) -> Reader:
    """What a table of this file is read with: what was said of it, else the mapping the clinic keeps for its header."""
    answers = Answers.of(kept.answers)
    return replace(mappings.reader(session, [kept.clinic_id], answers), ask_again=bool(kept.answers))


def source_of(kept: uploads.Upload, stream: BinaryIO, reader: Reader) -> formats.Source:
    """Open the file. Raises Refused where it cannot be read, shapes.Unsettled where its table has questions open."""
    return formats.read(kept.name, stream, current_clinic().zone, reader)


def look(kept: uploads.Upload) -> str:
    """The page that shows what filing this file would do: the same code, in a transaction that is undone. Raises
    Refused, shapes.Unsettled.
    """
    clinic = current_clinic()
    reader = reader_of(reading(), kept)
    with kept.path.open("rb") as stream:
        source = source_of(kept, stream, reader)
        held: list[intake.Taken] = []
        with suppress(_Undone), writing() as session:
            actor = current_actor("upload")
            where = session.get_one(Clinic, clinic.id)
            held.append(intake.take(session, actor, where, source, kept.sha256, most_rows(), attachments.largest()))
            raise _Undone
    (taken,) = held
    uploads.mark(kept, taken.more)
    shown = preview.shown(reading(), clinic.id, taken, lambda stream: source_of(kept, stream, reader), kept.path)
    kept.refused.unlink(missing_ok=True)  # of an earlier look, by another mapping
    if taken.report.refused:
        preview.write_refused(kept.path, kept.refused, taken)
    return render_template(
        "imports/preview.html", upload=kept, shown=shown, mapped=bool(source.proposals), more=taken.more
    )


def in_background(session: Session, kept: uploads.Upload) -> Job:
    """Ask for a long file to be filed by a job; the file is handed over to it."""
    told = {"name": kept.name, "sha256": kept.sha256, "answers": dict(kept.answers), "keep_as": kept.keep_as}
    path = uploads.hand_over(kept)
    return jobs.ask(session, current_actor("upload"), kept.clinic_id, jobs.IMPORT, told | {"path": str(path)})
