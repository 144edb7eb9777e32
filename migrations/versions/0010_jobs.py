"""jobs: work that is too long for a page

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MY_CLINIC = "(current_setting('jakwatch.clinics', true) = '*' OR clinic_id = ANY (string_to_array(nullif(nullif(current_setting('jakwatch.clinics', true), ''), '*'), ',')::bigint[]))"


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("clinic_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("seen_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.CheckConstraint("kind IN ('judge', 'preview')", name=op.f("ck_job_kind_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_job_state_known")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["account.id"], name=op.f("fk_job_asked_by")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_job_clinic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_job_clinic_id"), "job", ["clinic_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE job ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_my_clinics ON job USING ({MY_CLINIC})")


def downgrade() -> None:
    op.drop_table("job")
