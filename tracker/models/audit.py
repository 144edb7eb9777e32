"""What changed, by whom, from what to what, and why. Append-only and chained: each entry carries the digest of the
one before, and the name of the key that its own was made with ("" for none).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, Key


class AuditEntry(Base):
    """One change. `id` is the sequence; order is by it, never by the clock."""

    __tablename__ = "audit_entry"
    id: Mapped[Key]
    at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    actor: Mapped[str]
    role: Mapped[str] = mapped_column(default="")
    clinic_id: Mapped[int | None] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patient.id"))
    action: Mapped[str]
    record: Mapped[str]
    record_id: Mapped[int | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str] = mapped_column(default="")
    origin: Mapped[str]
    request_id: Mapped[str] = mapped_column(default="")
    previous: Mapped[str]
    digest: Mapped[str]
    sealed_with: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        Index("ix_audit_entry_patient", "patient_id", "id"),
        Index("ix_audit_entry_clinic", "clinic_id", "id"),
        STRICT,
    )
