"""What stands beside the flags of one patient: decisions so far, where results came from, which range versions
judged.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from tracker.models import Account, Flag, ImportBatch, LabResult, Patient, ReferenceRange, Review
from tracker.queries.dashboard import Cursor, Waited, ranking


class Decided(NamedTuple):
    """One review with the names of who made it and who confirmed or declined it, and the flag it was about."""

    review: Review
    by: str
    second_by: str
    rule: str
    subject: str


def decisions(session: Session, patient_id: int) -> list[Decided]:
    """Everything that was decided about a patient's flags, oldest first, in one statement."""
    second = aliased(Account)
    rows = session.execute(
        select(Review, Account.name, second.name, Flag.rule, Flag.subject)
        .join(Account, Account.id == Review.account_id)
        .join(Flag, Flag.id == Review.flag_id)
        .outerjoin(second, second.id == Review.second_account_id)
        .where(Review.patient_id == patient_id)
        .order_by(Review.id)
    )
    return [Decided(review, by, other or "", rule, subject) for review, by, other, rule, subject in rows]


class Origin(NamedTuple):
    """Where a result came from: the laboratory's name and number, the file or the person, and whether it still
    stands.
    """

    laboratory: str
    accession: str
    origin: str
    filename: str
    by: str
    recorded_at: datetime
    retired: str


def origins(session: Session, result_ids: Collection[int]) -> dict[int, Origin]:
    """By the key of the result version that a flag rests on."""
    if not result_ids:
        return {}
    r = LabResult
    rows = session.execute(
        select(
            r.id,
            r.laboratory,
            r.accession,
            r.origin,
            ImportBatch.filename,
            Account.name,
            r.recorded_at,
            r.retired_reason,
        )
        .outerjoin(ImportBatch, ImportBatch.id == r.batch_id)
        .outerjoin(Account, Account.id == r.recorded_by)
        .where(r.id.in_(result_ids))
    )
    return {
        id: Origin(laboratory, accession, origin, filename or "", by or "", at, retired)
        for id, laboratory, accession, origin, filename, by, at, retired in rows
    }


class RangeVersion(NamedTuple):
    """A configured range as it was when it judged."""

    effective_from: date
    laboratory: str
    sex: str
    source: str
    verified: bool


def range_versions(session: Session, range_ids: Collection[int]) -> dict[int, RangeVersion]:
    if not range_ids:
        return {}
    g = ReferenceRange
    rows = session.execute(
        select(g.id, g.effective_from, g.laboratory, g.sex, g.source, g.verified).where(g.id.in_(range_ids))
    )
    return {row[0]: RangeVersion(*row[1:]) for row in rows}


def names(session: Session, account_ids: Collection[int]) -> dict[int, str]:
    if not account_ids:
        return {}
    rows: Any = session.execute(select(Account.id, Account.name).where(Account.id.in_(account_ids)))
    return dict(rows.all())


def following(  # noqa: PLR0913 - what the queue is asked by
    session: Session,
    clinic_id: int,
    patient_id: int,
    *,
    only: str,
    owner_id: int | None,
    search: str,
    after: Cursor | None,
    waited: Waited = (),
) -> tuple[int, Cursor] | None:
    """The next patient of the queue after that place, and its own place; None at the end."""
    statement = ranking(clinic_id, only=only, owner_id=owner_id, search=search, after=after, waited=waited)
    found = session.execute(statement.where(Patient.id != patient_id).limit(1)).first()
    return (found[0].id, Cursor(found[1], found[2], found[0].id)) if found else None
