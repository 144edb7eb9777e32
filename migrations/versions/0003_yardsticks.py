"""what a clinic sets beside its ranges

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clinic_setting",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("clinic_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.BigInteger(), nullable=True),
        sa.Column("drafted_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.BigInteger(), nullable=True),
        sa.Column("published_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('protocol_line', 'rule', 'own_rule')", name=op.f("ck_clinic_setting_kind_known")),
        sa.CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name=op.f("ck_clinic_setting_state_known")),
        sa.CheckConstraint(
            "(state = 'published') = (number > 0)", name=op.f("ck_clinic_setting_number_when_published")
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_clinic_setting_clinic_id")),
        sa.ForeignKeyConstraint(["drafted_by"], ["account.id"], name=op.f("fk_clinic_setting_drafted_by")),
        sa.ForeignKeyConstraint(["published_by"], ["account.id"], name=op.f("fk_clinic_setting_published_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinic_setting")),
        sqlite_strict=True,
    )
    op.create_index("ix_clinic_setting_clinic_id", "clinic_setting", ["clinic_id"])
    op.create_index("ix_clinic_setting_scope", "clinic_setting", ["clinic_id", "kind", "scope"])
    op.create_index(
        "uq_clinic_setting_version",
        "clinic_setting",
        ["clinic_id", "kind", "scope", "number"],
        unique=True,
        sqlite_where=sa.text("number > 0"),
        postgresql_where=sa.text("number > 0"),
    )


def downgrade() -> None:
    op.drop_table("clinic_setting")
