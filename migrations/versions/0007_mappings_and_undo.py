"""how tables and codes are mapped, imports that are undone

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("table_mapping", "code_mapping", "import_change", "import_undo")
MINE = "(current_setting('jakwatch.clinics', true) = '*' OR clinic_id = ANY (string_to_array(nullif(nullif(current_setting('jakwatch.clinics', true), ''), '*'), ',')::bigint[]))"


def _key(name: str, target: str, table: str, nullable: bool = False) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column(name, sa.BigInteger(), nullable=nullable),
        sa.ForeignKeyConstraint([name], [f"{target}.id"], name=op.f(f"fk_{table}_{name}")),
    ]


def _instant(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, tracker.models.base.UtcDateTime(timezone=True), nullable=nullable)


def _text(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _json(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.JSON(), nullable=False) for name in names]


def _table(name: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        *_key("clinic_id", "clinic", name),
        *items,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_strict=True,
    )
    op.create_index(op.f(f"ix_{name}_clinic_id"), name, ["clinic_id"])


def upgrade() -> None:
    _table(
        "table_mapping",
        *_text("name", "header"),
        *_json("columns", "body"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _instant("saved_at"),
        *_key("saved_by", "account", "table_mapping", nullable=True),
        sa.UniqueConstraint("clinic_id", "header", "number", name=op.f("uq_table_mapping_clinic_id_header_number")),
    )
    _table(
        "code_mapping",
        *_text("sender", "code", "name", "unit", "analyte", "reason"),
        _instant("mapped_at"),
        *_key("mapped_by", "account", "code_mapping", nullable=True),
        _instant("ended_at", nullable=True),
        *_key("ended_by", "account", "code_mapping", nullable=True),
        *_text("ended_reason"),
    )
    op.create_index(
        "uq_code_mapping_in_force",
        "code_mapping",
        ["clinic_id", "sender", "code", "name", "unit"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _table(
        "import_change",
        *_key("patient_id", "patient", "import_change"),
        *_key("batch_id", "import_batch", "import_change"),
        *_text("record"),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        *_json("before", "after"),
    )
    for column in ("patient_id", "batch_id"):
        op.create_index(op.f(f"ix_import_change_{column}"), "import_change", [column])
    _table(
        "import_undo",
        *_key("batch_id", "import_batch", "import_undo"),
        _instant("at"),
        *_key("account_id", "account", "import_undo", nullable=True),
        *_text("reason"),
        *_json("done", "left"),
        sa.UniqueConstraint("batch_id", name=op.f("uq_import_undo_batch_id")),
    )
    op.add_column("lab_result", sa.Column("mapping_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_lab_result_unmapped",
        "lab_result",
        ["laboratory", "local_code", "subject", "unit", "patient_id"],
        sqlite_where=sa.text("analyte = '' AND retired_at IS NULL"),
        postgresql_where=sa.text("analyte = '' AND retired_at IS NULL"),
    )
    op.add_column("patient", sa.Column("batch_id", sa.BigInteger(), nullable=True))
    op.add_column("held_row", _instant("owned_since", nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY of_my_clinics ON {table} USING ({MINE})")


def downgrade() -> None:
    op.drop_column("held_row", "owned_since")
    op.drop_column("patient", "batch_id")
    op.drop_index("ix_lab_result_unmapped", "lab_result")
    op.drop_column("lab_result", "mapping_id")
    for table in TABLES[::-1]:
        op.drop_table(table)
