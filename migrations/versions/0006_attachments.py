"""attachments

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Nothing of an attachment changes, but that it is voided.
KEPT = (
    "id",
    "patient_id",
    "result_id",
    "document_on",
    "filename",
    "media_type",
    "size_bytes",
    "sha256",
    "note",
    "content",
    "origin",
    "batch_id",
    "recorded_at",
    "recorded_by",
)


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("result_id", sa.BigInteger(), nullable=True),
        sa.Column("document_on", sa.Date(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        sa.Column("voided_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("voided_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "media_type IN ('application/pdf', 'image/png', 'image/jpeg')", name=op.f("ck_attachment_media_type_known")
        ),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_attachment_not_empty")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_attachment_batch_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_attachment_patient_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_attachment_recorded_by")),
        sa.ForeignKeyConstraint(["result_id"], ["lab_result.id"], name=op.f("fk_attachment_result_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sqlite_strict=True,
    )
    for column in ("patient_id", "result_id", "sha256"):
        op.create_index(op.f(f"ix_attachment_{column}"), "attachment", [column])
    op.create_index(
        "uq_attachment_once",
        "attachment",
        ["patient_id", "sha256"],
        unique=True,
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()
        op.execute("ALTER TABLE attachment ENABLE ROW LEVEL SECURITY")
        # The patient is asked under their own policy.
        op.execute(
            "CREATE POLICY of_my_patients ON attachment"
            " USING (EXISTS (SELECT 1 FROM patient WHERE patient.id = attachment.patient_id))"
        )


def _sqlite_triggers() -> None:
    said = "RAISE(ABORT, 'attachment is append-only')"
    op.execute(
        f"CREATE TRIGGER attachment_kept BEFORE UPDATE OF {', '.join(KEPT)} ON attachment BEGIN SELECT {said}; END"
    )
    op.execute(
        f"CREATE TRIGGER attachment_void BEFORE UPDATE ON attachment WHEN OLD.voided_at IS NOT NULL BEGIN SELECT {said}; END"
    )
    op.execute(f"CREATE TRIGGER attachment_stays BEFORE DELETE ON attachment BEGIN SELECT {said}; END")
    # REPLACE takes a row's place without a DELETE that a trigger would see.
    op.execute(
        "CREATE TRIGGER attachment_alone BEFORE INSERT ON attachment"
        f" WHEN EXISTS (SELECT 1 FROM attachment WHERE id = NEW.id) BEGIN SELECT {said}; END"
    )


def _postgresql_triggers() -> None:
    """With the function that revision 0002 made for tables that only grow."""
    does = "EXECUTE FUNCTION keep_as_it_is()"
    columns = ", ".join(f'"{name}"' for name in KEPT)
    op.execute(f"CREATE TRIGGER attachment_kept BEFORE UPDATE OF {columns} ON attachment FOR EACH ROW {does}")
    op.execute(
        f"CREATE TRIGGER attachment_void BEFORE UPDATE ON attachment FOR EACH ROW WHEN (OLD.voided_at IS NOT NULL) {does}"
    )
    op.execute(f"CREATE TRIGGER attachment_stays BEFORE DELETE ON attachment FOR EACH ROW {does}")
    op.execute(f"CREATE TRIGGER attachment_whole BEFORE TRUNCATE ON attachment {does}")


def downgrade() -> None:
    op.drop_table("attachment")
