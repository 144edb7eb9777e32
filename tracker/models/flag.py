"""A finding remembered, and what people did about it. Machine state and human state are two things."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key, PatientId, UserId

MACHINE = ("open", "cleared")
SEVERITIES = ("urgent", "soon", "routine", "info")


class Flag(Base):
    """One episode. Machine: `machine`, `grade`, `severity`, `confirmation`, moved by evaluation only. Human:
    `review`, `owner_id`, `until`, moved by reviews only.

    `attention` (0 urgent to 3 info, 9 none) is the worst severity since somebody last decided: it orders the queue
    and is stored, never computed on read. `waiting_since`: the decision is waited for since then, at this urgency; None
    once somebody has decided. `evidence` holds the result versions, ranges and sentence the verdict
    rested on; `content` is a digest of the whole finding, so that an unchanged one is not written again.
    """

    __tablename__ = "flag"
    id: Mapped[Key]
    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[PatientId]
    fingerprint: Mapped[str]
    rule: Mapped[str]
    subject: Mapped[str]
    entry: Mapped[str] = mapped_column(default="")
    severity: Mapped[str]
    grade: Mapped[int | None]
    peak_grade: Mapped[int | None]
    grading: Mapped[str] = mapped_column(default="")
    machine: Mapped[str] = mapped_column(default="open")
    confirmation: Mapped[str | None]
    suggested: Mapped[str | None]
    due_on: Mapped[date | None]
    folded_under: Mapped[str | None]
    opened_on: Mapped[date]
    last_seen_on: Mapped[date]
    cleared_on: Mapped[date | None]
    superseded: Mapped[bool] = mapped_column(default=False)
    sentence: Mapped[str]
    source: Mapped[str] = mapped_column(default="")
    verified: Mapped[bool] = mapped_column(default=True)
    yardstick: Mapped[str] = mapped_column(default="")
    rules_digest: Mapped[str] = mapped_column(default="")
    evidence: Mapped[list[Any]]
    content: Mapped[str]
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    review: Mapped[str] = mapped_column(default="open")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    until: Mapped[date | None]
    reviewed_grade: Mapped[int | None]
    reviewed_severity: Mapped[str | None]
    reopened_because: Mapped[str] = mapped_column(default="")
    attention: Mapped[int] = mapped_column(default=9)
    waiting_since: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the shape SQLAlchemy reads
    __table_args__ = (
        UniqueConstraint("patient_id", "fingerprint"),
        CheckConstraint(f"machine IN {MACHINE}", name="machine_known"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity_known"),
        Index(
            "ix_flag_queue",  # the whole of what the queue's order and its tiles ask, so that they read the index alone
            "clinic_id", "patient_id", "attention", "first_seen_at", "rule", "machine", "confirmation", "review",
            "owner_id", "waiting_since",
            sqlite_where=text("attention < 9"), postgresql_where=text("attention < 9"),
        ),
        STRICT,
    )  # fmt: skip


class Review(Base):
    """One decision about one flag: append-only, based on the evaluation that was on screen.

    `standing`: final, or proposed until a second person has confirmed or declined it. `details` holds what a proposed
    decision will write (the dose, the day) once confirmed.
    """

    __tablename__ = "review"
    id: Mapped[Key]
    flag_id: Mapped[int] = mapped_column(ForeignKey("flag.id"), index=True)
    patient_id: Mapped[PatientId]
    at: Mapped[datetime]
    account_id: Mapped[UserId]
    action: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    comment: Mapped[str] = mapped_column(default="")
    until: Mapped[date | None]
    flag_version: Mapped[int]
    based_on: Mapped[dict[str, Any]]
    standing: Mapped[str] = mapped_column(default="final")
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    second_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    course_event_id: Mapped[int | None] = mapped_column(ForeignKey("course_event.id"))
    second_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("standing IN ('final', 'proposed', 'confirmed', 'declined')", name="standing_known"),
        STRICT,
    )


class QueueVisit(Base):
    """When each person last looked at a clinic's queue, so that what is new since then can be marked."""

    __tablename__ = "queue_visit"
    id: Mapped[Key]
    account_id: Mapped[UserId]
    clinic_id: Mapped[ClinicId]
    seen_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("account_id", "clinic_id"), STRICT)
