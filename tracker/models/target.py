"""Targets set for single patients: versions, never edited."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, Key, PatientId


class PatientTarget(Base):
    """One version of a patient's target for one analyte, in `unit` as it was written. Without a bound: none any more.

    `number` counts the versions of one patient and analyte from 1.
    """

    __tablename__ = "patient_target"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    analyte: Mapped[str]
    number: Mapped[int]
    low: Mapped[Decimal | None]
    low_inclusive: Mapped[bool] = mapped_column(default=True)
    high: Mapped[Decimal | None]
    high_inclusive: Mapped[bool] = mapped_column(default=True)
    unit: Mapped[str] = mapped_column(default="")
    severity: Mapped[str] = mapped_column(default="routine")
    effective_from: Mapped[date]
    reason: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    __table_args__ = (
        UniqueConstraint("patient_id", "analyte", "number"),
        CheckConstraint("severity IN ('soon', 'routine', 'info')", name="severity_known"),
        STRICT,
    )
