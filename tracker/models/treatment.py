"""Courses of a drug with their doses and holds, and the other drugs a patient takes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import STRICT, Base, Key, PatientId

KINDS = ("dose", "hold", "resume")


class Course(Base):
    """One treatment with one drug. `protocol_id` is "" where no shipped protocol watches the drug."""

    __tablename__ = "course"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    protocol_id: Mapped[str] = mapped_column(default="")
    drug: Mapped[str]
    indication: Mapped[str] = mapped_column(default="")
    licensing: Mapped[str] = mapped_column(default="")
    discussion: Mapped[str] = mapped_column(default="")
    discussed_on: Mapped[date | None]
    started_on: Mapped[date]
    stopped_on: Mapped[date | None]
    stop_reason: Mapped[str] = mapped_column(default="")
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    events: Mapped[list["CourseEvent"]] = relationship(
        back_populates="course", order_by="(CourseEvent.on, CourseEvent.id)"
    )
    __mapper_args__: Any = {"version_id_col": version}  # noqa: RUF012 - the shape SQLAlchemy reads
    __table_args__ = (
        CheckConstraint("stopped_on IS NULL OR stopped_on >= started_on", name="stops_after_start"),
        STRICT,
    )


class CourseEvent(Base):
    """A dose from a day on, a hold or a resume. `flag_id` where a decision on a flag wrote it."""

    __tablename__ = "course_event"
    id: Mapped[Key]
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    on: Mapped[date] = mapped_column("happened_on")
    kind: Mapped[str]
    dose_mg: Mapped[Decimal | None]
    times_per_day: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    review_on: Mapped[date | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flag.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    course: Mapped[Course] = relationship(back_populates="events")
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind_known"), STRICT)


class Medication(Base):
    """Another drug with its interaction classes, separated by semicolons."""

    __tablename__ = "medication"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    name: Mapped[str]
    interaction: Mapped[str] = mapped_column(default="")
    started_on: Mapped[date | None]
    stopped_on: Mapped[date | None]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (STRICT,)
