"""One file filed for one clinic, from the browser: the preview shows what filing does, because it is the same code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import Row
from tracker.formats import Source
from tracker.models import Clinic, ImportBatch
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes
from tracker.operations.importing import Importer, Report
from tracker.operations.record import REFUSED


@dataclass(slots=True)
class Taken:
    """What became of a file: the report, the flags that moved, rows that could not be read, rows the tray let go."""

    report: Report
    changes: Changes
    batch_id: int
    unread: set[int] = field(default_factory=set)
    released: int = 0

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
    """File a source and judge who it touched. `largest` is the most bytes that a document within it may have.

    Raises Refused where it has more rows than one request may file.
    """
    unread: set[int] = set()
    importer = Importer(session, actor, [clinic], largest=largest)
    rows = _watched(source.rows, unread, most_rows)
    report = importer.file(source.name, source.format, source.kind, rows, sha256, source.remarks, source.elements)
    released = importer.release()
    batch_id = session.scalars(select(func.max(ImportBatch.id)).where(ImportBatch.clinic_id == clinic.id)).one()
    return Taken(report, importer.judge(), batch_id, unread, released)


def _watched(rows: Iterator[Row], unread: set[int], most_rows: int) -> Iterator[Row]:
    for row in islice(rows, most_rows):
        if row.reading is None:
            unread.add(row.number)
        yield row
    if next(rows, None) is not None:
        raise Refused(
            f"The file has more than {most_rows} rows, too many for the browser: split it, or have it filed on the "
            "server with “tracker import”."
        )
