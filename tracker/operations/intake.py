"""One file filed for one clinic, from the browser: the preview shows what filing does, because it is the same code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.readings import Row
from tracker.formats import Source
from tracker.models import Clinic, ImportBatch
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes
from tracker.operations.importing import Importer, Report
from tracker.operations.record import REFUSED


@dataclass(slots=True)
class Taken:
    """What became of a file: the report, the flags that moved, rows that could not be read, rows the tray let go.
    `more`: the file goes on, and this is about its first rows alone.
    """

    report: Report
    changes: Changes
    batch_id: int
    unread: set[int] = field(default_factory=set)
    released: int = 0
    more: bool = False

    @property
    def outcomes(self) -> dict[int, tuple[str, int | None]]:
        """By row number: filed, duplicate or refused, and whose. Rows without a patient are in none."""
        found: dict[int, tuple[str, int | None]] = {}
        for row, patient_id, outcome in self.report.filed_rows:
            if found.get(row, ("",))[0] != REFUSED:  # of several rows with one number the refused one is shown
                found[row] = outcome, patient_id
        return found | dict.fromkeys(self.unread, (REFUSED, None))

    @property
    def refused_rows(self) -> set[int]:
        return {row for row, (outcome, _) in self.outcomes.items() if outcome == REFUSED}


def take(
    session: Session, actor: Actor, clinic: Clinic, source: Source, sha256: str, most_rows: int, largest: int
) -> Taken:
    """File a source, at most `most_rows` of it, and judge who it touched. `largest` is the most bytes that a document
    within it may have.
    """
    unread: set[int] = set()
    importer = Importer(session, actor, [clinic], largest=largest)
    rows = _watched(islice(source.rows, most_rows), unread)
    report = importer.file(source.name, source.format, source.kind, rows, sha256, source.remarks, source.elements)
    released = importer.release()
    batch_id = session.scalars(select(func.max(ImportBatch.id)).where(ImportBatch.clinic_id == clinic.id)).one()
    return Taken(report, importer.judge(), batch_id, unread, released, next(source.rows, None) is not None)


def _watched(rows: Iterator[Row], unread: set[int]) -> Iterator[Row]:
    for row in rows:
        if row.reading is None:
            unread.add(row.number)
        yield row
