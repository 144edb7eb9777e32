"""How a clinic's files are read and taken back: mappings of tables and of laboratories' codes, and what undoing an
import left.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key, PatientId


class TableMapping(Base):
    """How tables with one header are read: a version, never edited; the one with the highest `number` counts.

    `header` is the digest of the header row, `columns` that row as it was. An empty `body` forgets the mapping.
    """

    __tablename__ = "table_mapping"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    name: Mapped[str]
    header: Mapped[str]
    columns: Mapped[list[Any]]
    body: Mapped[dict[str, Any]]
    number: Mapped[int]
    saved_at: Mapped[datetime]
    saved_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    __table_args__ = (UniqueConstraint("clinic_id", "header", "number"), STRICT)


class CodeMapping(Base):
    """What a sender's test is here: one of our analytes, or ("") none of them. Ended, with a reason, never edited.

    A test is known by all four: sender, its code, its name and the unit; one code is two tests at two laboratories, and
    at one laboratory told apart by name and unit.
    """

    __tablename__ = "code_mapping"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    sender: Mapped[str]
    code: Mapped[str]
    name: Mapped[str]
    unit: Mapped[str]
    analyte: Mapped[str]
    reason: Mapped[str]
    mapped_at: Mapped[datetime]
    mapped_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    ended_reason: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        Index(
            "uq_code_mapping_in_force", "clinic_id", "sender", "code", "name", "unit",
            unique=True, sqlite_where=sql("ended_at IS NULL"), postgresql_where=sql("ended_at IS NULL"),
        ),
        STRICT,
    )  # fmt: skip


class ImportRun(Base):
    """A long import, stored in parts, and how far it is: of so many `shelves` of patients the first ones are stored.

    `digest` tells the same files, read in the same way, again. `state`: running, stopped by a person, complete; one
    that is running is carried on by `worker`, and by whoever takes it up after that one was killed. `rows` are all that
    its files have, `stored` those that have been dealt with; `totals` how many rows each batch has, `unmapped` what is
    said at its end of tests that are not known here (first row and number by name), `flags` how many moved.
    """

    __tablename__ = "import_run"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    digest: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="running")
    shelves: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column("row_count")
    stored: Mapped[int] = mapped_column(default=0)
    totals: Mapped[dict[str, Any]]
    unmapped: Mapped[dict[str, Any]]
    flags: Mapped[dict[str, Any]]
    worker: Mapped[str]
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("state IN ('running', 'stopped', 'complete')", name="state_known"), STRICT)


class ImportChange(Base):
    """What a file changed in a row that stood before it: from what to what, so that undoing the file puts it back."""

    __tablename__ = "import_change"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    patient_id: Mapped[PatientId]
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), index=True)
    record: Mapped[str]
    record_id: Mapped[int]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    __table_args__ = (STRICT,)


class ImportUndo(Base):
    """An import that was undone as a whole: who, when, why; `done` counts what was taken out, `left` says what was
    left standing and why.
    """

    __tablename__ = "import_undo"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"), unique=True)
    at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    reason: Mapped[str]
    done: Mapped[dict[str, Any]]
    left: Mapped[list[Any]]
    __table_args__ = (STRICT,)
