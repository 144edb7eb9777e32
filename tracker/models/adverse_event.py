"""Infections, other adverse events and symptoms. Unknown is NULL, never "no"."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, Key, PatientId

KINDS = ("infection", "other", "symptom")


class AdverseEvent(Base):
    """One event of one patient; seriousness by its criteria, severity as a CTCAE grade: two facts."""

    __tablename__ = "adverse_event"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    kind: Mapped[str]
    term: Mapped[str]
    onset_on: Mapped[date | None]
    onset_text: Mapped[str] = mapped_column(default="")
    resolved_on: Mapped[date | None]
    controlled_on: Mapped[date | None]
    site: Mapped[str] = mapped_column(default="")
    organism: Mapped[str] = mapped_column(default="")
    grade: Mapped[int | None]
    serious: Mapped[bool | None]
    criteria: Mapped[str] = mapped_column(default="")
    hospitalised: Mapped[bool | None]
    opportunistic: Mapped[bool | None]
    treated: Mapped[bool | None]
    treatment: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str] = mapped_column(default="")
    comment: Mapped[str] = mapped_column(default="")
    source_key: Mapped[str] = mapped_column(default="")
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the shape SQLAlchemy reads
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("grade BETWEEN 1 AND 5", name="grade_1_to_5"),
        STRICT,
    )
