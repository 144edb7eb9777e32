"""targets set for single patients

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_target",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("analyte", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("low", tracker.models.base.ExactDecimal(), nullable=True),
        sa.Column("low_inclusive", sa.Boolean(), nullable=False),
        sa.Column("high", tracker.models.base.ExactDecimal(), nullable=True),
        sa.Column("high_inclusive", sa.Boolean(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("severity IN ('soon', 'routine', 'info')", name=op.f("ck_patient_target_severity_known")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_patient_target_patient_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_patient_target_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_target")),
        sa.UniqueConstraint(
            "patient_id", "analyte", "number", name=op.f("uq_patient_target_patient_id_analyte_number")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_patient_target_patient_id"), "patient_target", ["patient_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE patient_target ENABLE ROW LEVEL SECURITY")
        # The patient is asked under their own policy.
        op.execute(
            "CREATE POLICY of_my_patients ON patient_target"
            " USING (EXISTS (SELECT 1 FROM patient WHERE patient.id = patient_target.patient_id))"
        )


def downgrade() -> None:
    op.drop_table("patient_target")
