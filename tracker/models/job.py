"""Work that is too long for a page: asked for in the browser, done by `tracker work`, resumed after a restart."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key

KINDS = ("judge", "preview", "import")
STATES = ("waiting", "running", "done", "failed", "cancelled")


class Job(Base):
    """One piece of work for a clinic. `details` says of what; `done` and `total` count patients, of an import rows.

    A worker that runs it says so at least once a minute (`seen_at`): a job nobody was seen at is taken up by the next.
    `result` is what it found, None until it is done; it is about patients, and stays within the clinic.
    """

    __tablename__ = "job"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    kind: Mapped[str]
    details: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="waiting")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime]
    worker: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    message: Mapped[str] = mapped_column(default="")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint(f"state IN {STATES}", name="state_known"),
        STRICT,
    )

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")
