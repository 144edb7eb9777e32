"""ranges that end a line, sets of drafts, and what a clinic sets for all of its patients

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BOUND = "low IS NOT NULL OR high IS NOT NULL"
KINDS = "kind IN ('protocol_line', 'rule', 'own_rule'%s)"


def upgrade() -> None:
    _check("reference_range", "has_a_bound", f"{BOUND} OR state = 'published'")
    op.add_column("reference_range", sa.Column("set_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_reference_range_set_id", "reference_range", ["set_id"])
    _check("clinic_setting", "kind_known", KINDS % ", 'clinic_wide'")
    op.execute(
        "INSERT INTO clinic_setting (clinic_id, kind, scope, body, number, effective_from, source, reason, state,"
        " drafted_at, published_at) SELECT id, 'clinic_wide', 'ranges_first', '{\"value\": \"configured\"}', 1,"
        " '1900-01-01', '', 'set on the server before versions were kept', 'published', created_at, created_at"
        f" FROM clinic WHERE configured_ranges_first = {_true()}"
    )
    op.drop_column("clinic", "configured_ranges_first")


def downgrade() -> None:
    _refuse_rows("SELECT count(*) FROM reference_range WHERE low IS NULL AND high IS NULL", "lines that ended")
    _refuse_rows("SELECT count(*) FROM clinic_setting WHERE kind = 'clinic_wide'", "clinic-wide settings")
    op.add_column(
        "clinic", sa.Column("configured_ranges_first", sa.Boolean(), nullable=False, server_default=sa.text(_false()))
    )
    _check("clinic_setting", "kind_known", KINDS % "")
    op.drop_index("ix_reference_range_set_id", "reference_range")
    op.drop_column("reference_range", "set_id")
    _check("reference_range", "has_a_bound", BOUND)


def _check(table: str, name: str, says: str) -> None:
    """Another text for one CHECK."""
    with op.batch_alter_table(table, table_kwargs={"sqlite_strict": True}) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_{name}"), says)


def _refuse_rows(count: str, words: str) -> None:
    if op.get_bind().execute(sa.text(count)).scalar_one():
        raise RuntimeError(f"An older version has no place for {words}.")


def _true() -> str:
    return "true" if op.get_bind().dialect.name == "postgresql" else "1"


def _false() -> str:
    return "false" if op.get_bind().dialect.name == "postgresql" else "0"
