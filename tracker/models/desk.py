"""What people keep beside the flags: who cares for a check that is due, what they are told, which views they saved."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key, PatientId, UserId

OWN, WAIVE, RESUME = "own", "waive", "resume"
DUE_ACTIONS = (OWN, WAIVE, RESUME)


class DueStep(Base):
    """What somebody did about a check that is due: append-only, the latest of its kind counts.

    `own`: `owner_id` cares for it. `waive`: put off, with a reason, from `on` to `until`, both inclusive. `resume`: no
    longer put off from `on`.
    """

    __tablename__ = "due_step"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    subject: Mapped[str]
    action: Mapped[str]
    on: Mapped[date] = mapped_column("happened_on")
    until: Mapped[date | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    reason: Mapped[str] = mapped_column(default="")
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UserId]
    __table_args__ = (CheckConstraint(f"action IN {DUE_ACTIONS}", name="action_known"), STRICT)


class ReviewNotice(Base):
    """A line for the person whose decision somebody else went over: shown until they have seen it.

    `review_id` is the decision that went over theirs; of a proposal, theirs itself, which a second person settled.
    """

    __tablename__ = "review_notice"
    id: Mapped[Key]
    account_id: Mapped[UserId]
    patient_id: Mapped[PatientId]
    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"))
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_review_notice_account", "account_id", "seen_at"), STRICT)


class QueueView(Base):
    """The views of a clinic's queue that a person saved: a list of {name, only, whose, q}."""

    __tablename__ = "queue_view"
    id: Mapped[Key]
    account_id: Mapped[UserId]
    clinic_id: Mapped[ClinicId]
    views: Mapped[list[Any]]
    __table_args__ = (UniqueConstraint("account_id", "clinic_id"), STRICT)
