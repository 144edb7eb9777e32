"""What came in by file: batches with their accounting, what was said about rows, and rows that wait for a patient."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.reasons import Reason
from tracker.models import Account, HeldRow, ImportBatch, ImportProblem, ImportRun, ImportUndo, Patient

PAGE = 50
NOBODY: tuple[ImportUndo | None, str] = (None, "")  # has undone it
TRAY = 300


class Batch(NamedTuple):
    """A batch with who sent it, how many of its rows wait still, where it was undone, that and by whom, and the long
    import it is stored with.
    """

    batch: ImportBatch
    person: str
    waiting: int
    undone: ImportUndo | None = None
    undone_by: str = ""
    run: ImportRun | None = None

    @property
    def rows(self) -> int:
        """How many rows the file has, also where not all of them have been dealt with."""
        return int(self.run.totals[str(self.batch.id)]) if self.run else self.batch.rows_in


def batches(session: Session, clinic_id: int, before: int | None = None) -> tuple[list[Batch], int | None]:
    """A clinic's batches, the newest first, a page at a time, and where the next page begins."""
    statement = (
        select(ImportBatch, Account.name)
        .outerjoin(Account, Account.id == ImportBatch.imported_by)
        .where(ImportBatch.clinic_id == clinic_id)
        .order_by(ImportBatch.id.desc())
        .limit(PAGE + 1)
    )
    if before is not None:
        statement = statement.where(ImportBatch.id < before)
    rows = session.execute(statement).all()
    waiting = _waiting(session, [batch.id for batch, _ in rows])
    undone = _undone(session, [batch.id for batch, _ in rows])
    runs = _runs(session, [batch.run_id for batch, _ in rows])
    found = [
        Batch(b, name or "", waiting.get(b.id, 0), *undone.get(b.id, NOBODY), run=runs.get(b.run_id))
        for b, name in rows[:PAGE]
    ]
    return found, found[-1].batch.id if len(rows) > PAGE else None


def _waiting(session: Session, batch_ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(HeldRow.batch_id, func.count())
        .where(HeldRow.batch_id.in_(batch_ids), HeldRow.state == "waiting")
        .group_by(HeldRow.batch_id)
    )
    return dict(rows.all())


def one(session: Session, batch: ImportBatch) -> Batch:
    """A batch that was loaded already, with the rest."""
    name = session.scalar(select(Account.name).where(Account.id == batch.imported_by)) if batch.imported_by else ""
    undone = _undone(session, [batch.id]).get(batch.id, NOBODY)
    run = _runs(session, [batch.run_id]).get(batch.run_id)
    return Batch(batch, name or "", _waiting(session, [batch.id]).get(batch.id, 0), *undone, run=run)


def _runs(session: Session, keys: Iterable[int | None]) -> dict[int | None, ImportRun]:
    found = session.scalars(select(ImportRun).where(ImportRun.id.in_([key for key in set(keys) if key is not None])))
    return {run.id: run for run in found}


def _undone(session: Session, batch_ids: Sequence[int]) -> dict[int, tuple[ImportUndo, str]]:
    """By batch, that it was undone, and by whom."""
    rows = session.execute(
        select(ImportUndo, Account.name)
        .outerjoin(Account, Account.id == ImportUndo.account_id)
        .where(ImportUndo.batch_id.in_(batch_ids))
    )
    return {row.batch_id: (row, name or "a command on the server") for row, name in rows}


def latest_of(session: Session, clinic_id: int, sha256: str) -> int | None:
    """The last batch of a file with this digest."""
    found = select(func.max(ImportBatch.id)).where(ImportBatch.clinic_id == clinic_id, ImportBatch.sha256 == sha256)
    return session.scalar(found)


def problems(session: Session, batch_id: int) -> list[ImportProblem]:
    """What was said about a batch and its rows, in the order of the file."""
    statement = select(ImportProblem).where(ImportProblem.batch_id == batch_id)
    return list(session.scalars(statement.order_by(ImportProblem.row, ImportProblem.id)))


def reasons(session: Session, batch_id: int, limit: int) -> list[Reason]:
    """What was said about a batch and its rows, each sentence once with how many rows it is said of."""
    p = ImportProblem
    statement = (
        select(func.min(p.row), func.max(p.row), func.count(), p.column, p.message)
        .where(p.batch_id == batch_id)
        .group_by(p.column, p.message)
        .order_by(func.min(p.row), func.min(p.id))
        .limit(limit)
    )
    return [Reason(*row) for row in session.execute(statement)]


def problem_count(session: Session, batch_id: int) -> int:
    return session.scalar(select(func.count()).where(ImportProblem.batch_id == batch_id)) or 0


# ---------------------------------------------------------------------------------------------- the tray


class Held(NamedTuple):
    """A waiting row with its batch and the person who has taken it on."""

    row: HeldRow
    batch: ImportBatch
    owner: str


ORDERS: Mapping[str, tuple[Any, ...]] = {
    "age": (ImportBatch.imported_at, HeldRow.mrn),
    "newest": (ImportBatch.imported_at.desc(), HeldRow.mrn),
    "owner": (Account.name.is_not(None), Account.name, ImportBatch.imported_at, HeldRow.mrn),
    "mrn": (HeldRow.mrn, ImportBatch.imported_at),
    "file": (ImportBatch.filename, ImportBatch.id, HeldRow.row),
}
"""What the tray is sorted by; nobody's rows come before those that somebody has taken on."""


def tray(session: Session, clinic_id: int, by: str = "age", owner: int | None = None) -> tuple[list[Held], int]:
    """The rows that wait, sorted (ORDERS), at most TRAY of them; and how many there are. `owner`: theirs alone, 0 for
    nobody's.
    """
    mine = [HeldRow.clinic_id == clinic_id, HeldRow.state == "waiting"]
    if owner is not None:
        mine.append(HeldRow.owner_id == owner if owner else HeldRow.owner_id.is_(None))
    rows = session.execute(
        select(HeldRow, ImportBatch, Account.name)
        .join(ImportBatch, ImportBatch.id == HeldRow.batch_id)
        .outerjoin(Account, Account.id == HeldRow.owner_id)
        .where(*mine)
        .order_by(*ORDERS[by], HeldRow.id)
        .limit(TRAY)
    )
    total = session.scalar(select(func.count(HeldRow.id)).where(*mine)) or 0
    return [Held(row, batch, person or "") for row, batch, person in rows], total


def names_of(session: Session, account_ids: Iterable[int]) -> list[str]:
    """What these people are called."""
    return list(session.scalars(select(Account.name).where(Account.id.in_(set(account_ids))).order_by(Account.name)))


def waiting(session: Session, clinic_id: int) -> int:
    """How many rows wait in a clinic's tray."""
    return session.scalar(select(func.count()).where(HeldRow.clinic_id == clinic_id, HeldRow.state == "waiting")) or 0


def by_number(session: Session, clinic_id: int, mrns: Iterable[str]) -> dict[str, Patient]:
    """The clinic's patients with these record numbers."""
    found = session.scalars(select(Patient).where(Patient.clinic_id == clinic_id, Patient.mrn.in_(sorted(set(mrns)))))
    return {patient.mrn: patient for patient in found}
