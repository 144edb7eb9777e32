"""second factor

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("totp_secret", sa.Text(), nullable=False, server_default=""))
    op.add_column("account", sa.Column("totp_since", tracker.models.base.UtcDateTime(timezone=True), nullable=True))
    op.add_column("account", sa.Column("totp_step", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("made_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("spent_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_recovery_code_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_recovery_code_account_id"), "recovery_code", ["account_id"])


def downgrade() -> None:
    op.drop_table("recovery_code")
    for name in ("totp_step", "totp_since", "totp_secret"):
        op.drop_column("account", name)
