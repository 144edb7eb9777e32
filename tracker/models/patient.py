"""The person treated, and what is seen at the bedside."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key, PatientId, UserId

SEXES = ("female", "male", "unknown")


class Patient(Base):
    """One person at one clinic. `next_check_on`: the day a verdict changes by itself. `judged_digest`: by which rules
    and yardsticks. `batch_id`: the import that enrolled them, if one did.
    """

    __tablename__ = "patient"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    mrn: Mapped[str]
    family_name: Mapped[str] = mapped_column(default="")
    given_name: Mapped[str] = mapped_column(default="")
    birth_date: Mapped[date | None]
    stated_age: Mapped[int | None]
    stated_age_on: Mapped[date | None]
    sex: Mapped[str] = mapped_column(default="unknown")
    created_at: Mapped[datetime]
    next_check_on: Mapped[date | None]
    judged_at: Mapped[datetime | None]
    judged_digest: Mapped[str] = mapped_column(default="")
    batch_id: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the shape SQLAlchemy reads
    __table_args__ = (
        UniqueConstraint("clinic_id", "mrn"),
        CheckConstraint(f"sex IN {SEXES}", name="sex_known"),
        Index("ix_patient_next_check_on", "next_check_on"),
        Index("ix_patient_clinic_family_name", "clinic_id", "family_name"),
        STRICT,
    )

    @property
    def full_name(self) -> str:
        return ", ".join(part for part in (self.family_name, self.given_name) if part) or "(no name)"


class Observation(Base):
    """Weight, Child-Pugh class, SALT, a vaccination, a genotype. Voided with a reason, never deleted."""

    __tablename__ = "observation"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    on: Mapped[date] = mapped_column("observed_on")
    kind: Mapped[str]
    value: Mapped[str]
    figure: Mapped[Decimal | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (STRICT,)


class AccessNote(Base):
    """Somebody opened a page about a patient, searched or exported: who looked, at what, and when. Append-only.

    `what`: the page. `detail`: what was searched for or exported.
    """

    __tablename__ = "access_note"
    id: Mapped[Key]
    at: Mapped[datetime]
    account_id: Mapped[UserId]
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patient.id"), index=True)
    what: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    clinic_id: Mapped[int | None] = mapped_column(ForeignKey("clinic.id"))
    __table_args__ = (Index("ix_access_note_account_at", "account_id", "at"), STRICT)


class EmergencyAccess(Base):
    """Somebody opened the record of another clinic's patient in an emergency: why, until when, who closed the alert.

    `clinic_id` is the patient's: it is judged there whether that was right.
    """

    __tablename__ = "emergency_access"
    id: Mapped[Key]
    account_id: Mapped[UserId] = mapped_column(index=True)
    patient_id: Mapped[PatientId]
    clinic_id: Mapped[ClinicId]
    reason: Mapped[str]
    opened_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    closing_comment: Mapped[str] = mapped_column(default="")
    __table_args__ = (STRICT,)
