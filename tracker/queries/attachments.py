"""Attached files: those of a patient, those of a sample, and whether each is still what was stored."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.models import Account, Attachment, LabResult


class Held(NamedTuple):
    """An attachment without its content, and who added it."""

    row: Attachment
    by: str


def of_patient(session: Session, patient_id: int) -> list[Held]:
    """Those in force, the newest document first."""
    return _held(session, _in_force(patient_id))


def of_sample(session: Session, result: LabResult) -> list[Held]:
    """Those kept with any result of the same sample, corrected ones included."""
    r = LabResult
    same = select(r.id).where(
        r.patient_id == result.patient_id, r.collected_at == result.collected_at, r.laboratory == result.laboratory,
        r.accession == result.accession,
    )  # fmt: skip
    return _held(session, _in_force(result.patient_id).where(Attachment.result_id.in_(same)))


def one(session: Session, row: Attachment) -> Held:
    """That one with the name."""
    return Held(row, session.scalar(select(Account.name).where(Account.id == row.recorded_by)) or "")


def _in_force(patient_id: int) -> Select[Attachment, str]:
    return (
        select(Attachment, Account.name)
        .outerjoin(Account, Account.id == Attachment.recorded_by)
        .where(Attachment.patient_id == patient_id, Attachment.voided_at.is_(None))
        .order_by(Attachment.on.desc(), Attachment.id.desc())
    )


def _held(session: Session, statement: Select[Attachment, str]) -> list[Held]:
    return [Held(row, name or "") for row, name in session.execute(statement)]


def damaged(session: Session) -> Iterator[str]:
    """A sentence for each attachment whose content is not what its digest says. One is read at a time."""
    a = Attachment
    rows = session.execute(
        select(a.id, a.filename, a.size, a.sha256, a.content).order_by(a.id).execution_options(yield_per=1)
    )
    for id, filename, size, digest, content in rows:
        if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
            yield f"attachment {id} ({filename}) is not the file that was stored."
