"""long imports, stored in parts

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MY_CLINIC = "(current_setting('jakwatch.clinics', true) = '*' OR clinic_id = ANY (string_to_array(nullif(nullif(current_setting('jakwatch.clinics', true), ''), '*'), ',')::bigint[]))"


def upgrade() -> None:
    op.create_table(
        "import_run",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("clinic_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shelves", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.JSON(), nullable=False),
        sa.Column("unmapped", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("begun_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('running', 'stopped', 'complete')", name=op.f("ck_import_run_state_known")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_import_run_clinic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
        sqlite_strict=True,
    )
    for column in ("clinic_id", "digest"):
        op.create_index(op.f(f"ix_import_run_{column}"), "import_run", [column])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE import_run ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_my_clinics ON import_run USING ({MY_CLINIC})")
    op.add_column("import_batch", sa.Column("run_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_import_batch_run_id"), "import_batch", ["run_id"])
    _kinds("kind IN ('judge', 'preview', 'import')")


def downgrade() -> None:
    for count, words in (
        ("SELECT count(*) FROM job WHERE kind = 'import'", "imports that were asked for on a page"),
        ("SELECT count(*) FROM import_run WHERE state <> 'complete'", "imports that are stored in part"),
    ):
        if op.get_bind().execute(sa.text(count)).scalar_one():
            raise RuntimeError(f"An older version has no place for {words}.")
    _kinds("kind IN ('judge', 'preview')")
    op.drop_index("ix_import_batch_run_id", "import_batch")
    op.drop_column("import_batch", "run_id")
    op.drop_table("import_run")


def _kinds(says: str) -> None:
    with op.batch_alter_table("job", table_kwargs={"sqlite_strict": True}) as batch:
        batch.drop_constraint(op.f("ck_job_kind_known"), type_="check")
        batch.create_check_constraint(op.f("ck_job_kind_known"), says)
