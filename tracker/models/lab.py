"""Laboratory results as reported, and the ranges that judge them."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key

STATUSES = ("final", "corrected", "preliminary")
COMPARATORS = ("", "<", "<=", ">", ">=")


class LabResult(Base):
    """One version of one result. A correction is a new row that `replaces_id`; the old one is retired, never changed.

    `analyte` is our code, "" where the laboratory's name is not mapped; `subject` is the code or that name. `figure`
    is in `unit` as reported; `value` is the same in the analyte's canonical unit. `ref_low`/`ref_high` are as
    printed, inclusive. `sub_id` tells results of one test and sample apart that stand beside each other. `mapping_id`:
    the code mapping that made it an analyte's; no foreign key, for which SQLite would have to rebuild the largest
    table. `fasting`: whether the sample was taken so; None where that is not said.
    """

    __tablename__ = "lab_result"
    id: Mapped[Key]
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    analyte: Mapped[str] = mapped_column(default="")
    subject: Mapped[str]
    local_code: Mapped[str] = mapped_column(default="")
    collected_at: Mapped[datetime]
    collected_on: Mapped[date]
    time_known: Mapped[bool] = mapped_column(default=True)
    comparator: Mapped[str] = mapped_column(default="")
    figure: Mapped[Decimal | None]
    unit: Mapped[str] = mapped_column(default="")
    value: Mapped[Decimal | None]
    text: Mapped[str] = mapped_column(default="")
    ref_low: Mapped[Decimal | None]
    ref_high: Mapped[Decimal | None]
    range_id: Mapped[int | None] = mapped_column(ForeignKey("reference_range.id"))
    lab_flag: Mapped[str] = mapped_column(default="")
    laboratory: Mapped[str] = mapped_column(default="")
    accession: Mapped[str] = mapped_column(default="")
    sub_id: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="final")
    origin: Mapped[str]
    comment: Mapped[str] = mapped_column(default="")
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("lab_result.id"))
    reason: Mapped[str] = mapped_column(default="")
    retired_at: Mapped[datetime | None]
    retired_reason: Mapped[str] = mapped_column(default="")
    mapping_id: Mapped[int | None]
    fasting: Mapped[bool | None]
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status_known"),
        CheckConstraint(f"comparator IN {COMPARATORS}", name="comparator_known"),
        CheckConstraint("(figure IS NULL) <> (text = '')", name="number_or_words"),
        Index(
            "uq_lab_result_identity",
            "patient_id", "subject", "collected_at", "laboratory", "accession", "sub_id",
            unique=True, sqlite_where=sql("retired_at IS NULL"), postgresql_where=sql("retired_at IS NULL"),
        ),
        Index("ix_lab_result_patient_day", "patient_id", "collected_on"),  # retired versions too
        Index("ix_lab_result_batch_id", "batch_id"),
        Index(
            "ix_lab_result_unmapped",  # the work to do: tests of senders that are no analyte here
            "laboratory", "local_code", "subject", "unit", "patient_id",
            sqlite_where=sql("analyte = '' AND retired_at IS NULL"),
            postgresql_where=sql("analyte = '' AND retired_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip


class ReferenceRange(Base):
    """A yardstick of the first layer, in force from a date, never edited: a later row with the same scope follows it.

    `sex` and `laboratory` are "" for any. Ages in completed years at the sample date, `age_to` exclusive. Without any
    bound it ends its line: from that day on the clinic has none of its own there. `set_id` is the key of the first
    draft of the file it came with.
    """

    __tablename__ = "reference_range"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    analyte: Mapped[str]
    laboratory: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")
    age_from: Mapped[int | None]
    age_to: Mapped[int | None]
    low: Mapped[Decimal | None]
    low_inclusive: Mapped[bool] = mapped_column(default=True)
    high: Mapped[Decimal | None]
    high_inclusive: Mapped[bool] = mapped_column(default=True)
    unit: Mapped[str]
    effective_from: Mapped[date]
    source: Mapped[str] = mapped_column(default="")
    verified: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="published")
    drafted_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    drafted_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    published_at: Mapped[datetime | None]
    set_id: Mapped[int | None] = mapped_column(index=True)
    __table_args__ = (
        CheckConstraint("low IS NOT NULL OR high IS NOT NULL OR state = 'published'", name="has_a_bound"),
        CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="state_known"),
        CheckConstraint("sex IN ('', 'female', 'male')", name="sex_known"),
        Index("ix_reference_range_scope", "clinic_id", "analyte", "laboratory"),
        STRICT,
    )


class ImportBatch(Base):
    """One file that came in, with its accounting: rows_in = filed + duplicate + unmatched + refused.

    `run_id`: the long import it is a file of; without one it was stored at once. No foreign key, for which SQLite would
    have to rebuild the table.
    """

    __tablename__ = "import_batch"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    filename: Mapped[str]
    format: Mapped[str]
    sha256: Mapped[str] = mapped_column(default="")
    origin: Mapped[str]
    imported_at: Mapped[datetime]
    imported_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    rows_in: Mapped[int] = mapped_column(default=0)
    filed: Mapped[int] = mapped_column(default=0)
    duplicate: Mapped[int] = mapped_column(default=0)
    unmatched: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    run_id: Mapped[int | None] = mapped_column(index=True)
    __table_args__ = (
        CheckConstraint("rows_in = filed + duplicate + unmatched + refused", name="adds_up"),
        STRICT,
    )


class ImportProblem(Base):
    """A row that was refused, or a remark on one that was filed: where, why, how to mend it."""

    __tablename__ = "import_problem"
    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), index=True)
    row: Mapped[int] = mapped_column("row_number")
    column: Mapped[str] = mapped_column("column_name", default="")
    message: Mapped[str]
    __table_args__ = (STRICT,)


class HeldRow(Base):
    """A row nobody could be found for. It waits, with an owner and an age, until somebody files or dismisses it. While
    it waits `settled_reason` says why it was not filed although its patient is here.
    """

    __tablename__ = "held_row"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"))
    mrn: Mapped[str]
    kind: Mapped[str]
    row: Mapped[int] = mapped_column("row_number")
    content: Mapped[str]
    digest: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    owned_since: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    settled_reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'filed', 'dismissed')", name="state_known"),
        Index("uq_held_row_clinic_digest", "clinic_id", "digest", unique=True),
        Index("ix_held_row_mrn", "clinic_id", "mrn"),
        STRICT,
    )
