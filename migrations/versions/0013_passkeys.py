"""passkeys, passwords that run out, and what one person looked at in an hour

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = tracker.models.base.UtcDateTime(timezone=True)
    op.create_table(
        "passkey",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("challenged_at", instant, nullable=False),
        sa.Column("made_at", instant, nullable=False),
        sa.Column("used_at", instant, nullable=True),
        sa.Column("removed_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_passkey_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential", name=op.f("uq_passkey_credential")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_passkey_account_id"), "passkey", ["account_id"])
    op.add_column("account", sa.Column("password_until", instant, nullable=True))
    op.create_index("ix_access_note_account_at", "access_note", ["account_id", "at"])


def downgrade() -> None:
    op.drop_index("ix_access_note_account_at", "access_note")
    op.drop_column("account", "password_until")
    op.drop_table("passkey")
