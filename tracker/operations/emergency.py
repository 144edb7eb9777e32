"""Another clinic's patient, in an emergency: one person opens one record for an hour, with a reason, for reading alone.

Each time raises an alert at the patient's clinic, which somebody else there closes with a comment. Closing ends it.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, NotFound, Refused, Stale
from tracker.models import EmergencyAccess, Patient
from tracker.operations import audit
from tracker.operations.actor import Actor

LASTS = timedelta(minutes=60)


def open_record(
    session: Session, actor: Actor, own_clinics: Collection[int], clinic_id: int, mrn: str, reason: str
) -> EmergencyAccess | None:
    """Open the record of exactly this number. None, and an entry of the try, where the clinic has no such patient.

    Raises Refused for one's own clinic, and without a reason.
    """
    if len(reason.strip()) < 10:
        raise Refused("Say why this cannot wait, in ten letters or more: it is read at the patient’s clinic.")
    if clinic_id in own_clinics:
        raise Refused("You work at that clinic: its patients are in your list.")
    patient = session.scalars(select(Patient).where(Patient.clinic_id == clinic_id, Patient.mrn == mrn)).first()
    if patient is None:
        audit.note(
            session, actor, "emergency_not_found", "patient", None, after={"mrn": mrn}, reason=reason,
            clinic_id=clinic_id,
        )  # fmt: skip
        return None
    access = EmergencyAccess(
        account_id=actor.account_id, patient_id=patient.id, clinic_id=clinic_id, reason=reason.strip(),
        opened_at=actor.utc, ends_at=actor.utc + LASTS,
    )  # fmt: skip
    audit.created(session, actor, access, clinic_id=clinic_id, patient_id=patient.id, reason=reason)
    return access


def close_alert(
    session: Session, actor: Actor, clinics: Collection[int], access_id: int, comment: str
) -> EmergencyAccess:
    """Say that it was looked into. Raises NotFound for another clinic's, NotAllowed for one's own, Refused, Stale."""
    access = session.scalars(
        select(EmergencyAccess).where(EmergencyAccess.id == access_id, EmergencyAccess.clinic_id.in_(clinics))
    ).first()
    if access is None:
        raise NotFound("There is no such alert, or it is another clinic’s.")
    if access.account_id == actor.account_id:
        raise NotAllowed("Somebody else has to close the alert of what you opened.")
    if access.closed_at is not None:
        raise Stale("This alert was closed meanwhile.")
    if len(comment.strip()) < 5:
        raise Refused("Say in a few words what you found.")
    before = audit.snapshot(access)
    access.closed_at, access.closed_by, access.closing_comment = actor.utc, actor.account_id, comment.strip()
    access.ends_at = min(access.ends_at, actor.utc)
    session.flush()
    audit.note(
        session, actor, "close", "emergency_access", access.id, before=before, after=audit.snapshot(access),
        reason=comment.strip(), patient_id=access.patient_id, clinic_id=access.clinic_id,
    )  # fmt: skip
    return access
