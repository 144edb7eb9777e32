"""whether a sample was taken fasting

Revision ID: 0015
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op


revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lab_result", sa.Column("fasting", sa.Boolean(), nullable=True))  # NULL: not said


def downgrade() -> None:
    op.drop_column("lab_result", "fasting")
