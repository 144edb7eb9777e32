"""A report as it came on paper or by mail, kept beside the results that were read from it."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, Key, PatientId

MEDIA_TYPES = ("application/pdf", "image/png", "image/jpeg")


class Attachment(Base):
    """One file about one patient, never changed; voided with a reason, never deleted.

    `result_id`: one result of the sample it reports, None where it belongs to no sample. `on`: the day it is about.
    `content` is read only where it is asked for; `sha256` is its digest.
    """

    __tablename__ = "attachment"
    id: Mapped[Key]
    patient_id: Mapped[PatientId]
    result_id: Mapped[int | None] = mapped_column(ForeignKey("lab_result.id"), index=True)
    on: Mapped[date] = mapped_column("document_on")
    filename: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column("size_bytes")
    sha256: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    content: Mapped[bytes] = mapped_column(LargeBinary(), deferred=True)
    origin: Mapped[str]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    voided_at: Mapped[datetime | None]
    voided_reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        CheckConstraint(f"media_type IN {MEDIA_TYPES}", name="media_type_known"),
        CheckConstraint("size_bytes > 0", name="not_empty"),
        Index(
            "uq_attachment_once", "patient_id", "sha256",
            unique=True, sqlite_where=sql("voided_at IS NULL"), postgresql_where=sql("voided_at IS NULL"),
        ),
        Index("ix_attachment_sha256", "sha256"),
        STRICT,
    )  # fmt: skip
