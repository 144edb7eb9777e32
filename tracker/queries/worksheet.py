"""What stands beside the cells of a worksheet: the last result of each test of each patient, in one statement."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.models import Draft, LabResult

Latest = dict[tuple[int, str], LabResult]


def latest(session: Session, patient_ids: Sequence[int], subjects: Sequence[str], before: date) -> Latest:
    """By patient and subject, the last result in force that was collected before that day."""
    r = LabResult
    mine = [r.patient_id.in_(patient_ids), r.subject.in_(subjects), r.retired_at.is_(None), r.collected_on < before]
    last = (
        select(r.patient_id, r.subject, func.max(r.collected_at).label("at"))
        .where(*mine)
        .group_by(r.patient_id, r.subject)
        .subquery()
    )
    same = (last.c.patient_id == r.patient_id) & (last.c.subject == r.subject) & (last.c.at == r.collected_at)
    rows = session.scalars(select(r).join(last, same).where(*mine).order_by(r.id))
    return {(row.patient_id, row.subject): row for row in rows}


def kept(session: Session, account_id: int, form: str) -> dict[int, Draft]:
    """By patient, this person's drafts of a form that has one a patient."""
    statement = select(Draft).where(Draft.account_id == account_id, Draft.form.startswith(f"{form}:"))
    return {int(draft.form.partition(":")[2]): draft for draft in session.scalars(statement.order_by(Draft.id))}
