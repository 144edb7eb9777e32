"""Reports kept as they came: attached to a patient, and to the sample they report; voided with a reason."""

import hashlib
from datetime import date
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.domain.readings import DocumentReading
from tracker.formats.documents import ENDINGS, kind_of, tidy
from tracker.models import Attachment, LabResult, Patient
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.enrol import void, zone_of

__all__ = ["Elsewhere", "Sent", "attach", "attach_sent", "void"]

LARGEST = 10 * 1024 * 1024  # bytes, where the configuration names no other


class Sent(NamedTuple):
    """A file that is to be kept, with the day it is about and what it is, in a few words."""

    content: bytes
    filename: str
    on: date
    note: str = ""


class Elsewhere(Refused):
    """The same file is with another patient of the clinic: to be kept here too, somebody has to say so."""


def attach(  # noqa: PLR0913 - what an attachment is kept with
    session: Session, actor: Actor, patient: Patient, sent: Sent, result: LabResult | None = None, *,
    largest: int = LARGEST, confirmed: bool = False, batch_id: int | None = None,
) -> Attachment:  # fmt: skip
    """Keep a file about a patient, with the sample that `result` is of.

    Raises Refused for what is no whole PDF, PNG or JPEG, is larger than `largest` bytes, is kept for this patient
    already, or is about a day to come; Elsewhere where another patient has it and it is not `confirmed`.
    """
    if len(sent.content) > largest:
        raise Refused(f"The file has more than {largest / 1024 / 1024:.1f} MB, the most that is kept.")
    kind = kind_of(sent.content)
    if sent.on > actor.today(zone_of(session, patient.clinic_id)):
        raise Refused(f"The report is of {sent.on}, which is in the future.")
    if result is not None and result.patient_id != patient.id:
        raise Refused("The sample is of another patient.")
    digest = hashlib.sha256(sent.content).hexdigest()
    _refuse_twice(session, patient, digest, confirmed)
    row = Attachment(
        patient_id=patient.id, result_id=result.id if result else None, on=sent.on, filename=sent.filename,
        media_type=kind, size=len(sent.content), sha256=digest, note=sent.note, content=sent.content,
        origin=actor.origin, batch_id=batch_id, recorded_at=actor.utc, recorded_by=actor.account_id,
    )  # fmt: skip
    audit.created(session, actor, row, clinic_id=patient.clinic_id, patient_id=patient.id)
    return row


def attach_sent(
    session: Session, actor: Actor, patient: Patient, read: DocumentReading, batch_id: int, largest: int
) -> bool:
    """Keep a document that came within a message, with the sample it is about; whether it was new. Raises Refused."""
    digest = hashlib.sha256(read.content).hexdigest()
    held = select(Attachment.id).where(
        Attachment.patient_id == patient.id, Attachment.sha256 == digest, Attachment.voided_at.is_(None)
    )
    if session.execute(held).first():
        return False
    name = tidy(read.name.replace("/", "_"))
    sent = Sent(read.content, f"{name}{ENDINGS[kind_of(read.content)]}", read.collected.on, read.note)
    try:
        attach(session, actor, patient, sent, _sample(session, patient, read), largest=largest, batch_id=batch_id)
    except Elsewhere:
        raise Refused(
            "The same document is on record for another patient: if it is about both, add it on this patient’s page."
        ) from None
    return True


def _sample(session: Session, patient: Patient, read: DocumentReading) -> LabResult | None:
    """A result of the sample that a document is about: of its accession and laboratory or time; of both without one."""
    r = LabResult
    same = r.collected_at == read.collected.at
    theirs = r.laboratory == read.laboratory
    ours = and_(r.accession == read.accession, or_(theirs, same) if read.accession else and_(theirs, same))
    found = select(r).where(r.patient_id == patient.id, r.retired_at.is_(None), ours)
    return session.scalars(found.order_by(same.desc(), r.id).limit(1)).first()


def _refuse_twice(session: Session, patient: Patient, digest: str, confirmed: bool) -> None:
    """The same bytes again: of this patient there is nothing to add; of another it may be the wrong record."""
    same = session.execute(
        select(Attachment, Patient)
        .join(Patient, Patient.id == Attachment.patient_id)
        .where(Attachment.sha256 == digest, Attachment.voided_at.is_(None), Patient.clinic_id == patient.clinic_id)
        .order_by(Attachment.id)
    ).all()
    for row, whose in same:
        if whose.id == patient.id:
            raise Refused(f"This file is on record for this patient already, as {row.filename}.")
    if same and not confirmed:
        whose = same[0][1]
        raise Elsewhere(
            f"The same file is on record for {whose.full_name}, {whose.mrn}. If it is about both, say so below; if not,"
            " choose the other record or the other file."
        )
