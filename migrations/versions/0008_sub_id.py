"""results of one test and sample are told apart by the laboratory's sub-ID

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_IDENTITY = ["patient_id", "subject", "collected_at", "laboratory", "accession"]
_IN_FORCE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    op.add_column("lab_result", sa.Column("sub_id", sa.Text(), nullable=False, server_default=""))
    _identity([*_IDENTITY, "sub_id"])


def downgrade() -> None:
    op.execute("UPDATE lab_result SET accession = accession || ' ' || sub_id WHERE sub_id <> ''")
    _identity(_IDENTITY)
    op.drop_column("lab_result", "sub_id")


def _identity(columns: list[str]) -> None:
    op.drop_index("uq_lab_result_identity", "lab_result")
    op.create_index(
        "uq_lab_result_identity",
        "lab_result",
        columns,
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    )
