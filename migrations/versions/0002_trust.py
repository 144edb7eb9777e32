"""a sealed trail, who looked, emergencies, append-only tables, row-level security

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Of an append-only table nothing changes, but what a second person adds to a proposed decision.
APPEND_ONLY = ("audit_entry", "access_note", "import_problem")
DECIDED = (
    "id",
    "flag_id",
    "patient_id",
    "at",
    "account_id",
    "action",
    "from_state",
    "to_state",
    "comment",
    "until",
    "flag_version",
    "based_on",
    "details",
)

BY_CLINIC = ("import_batch", "held_row", "flag")
BY_PATIENT = ("lab_result", "course", "course_event", "medication", "observation", "adverse_event", "review")
# A setting of the transaction names the clinics (and single patients) that its statements may see; "*" is all of them.
MY_CLINIC = "(current_setting('jakwatch.clinics', true) = '*' OR {column} = ANY (string_to_array(nullif(nullif(current_setting('jakwatch.clinics', true), ''), '*'), ',')::bigint[]))"
MY_PATIENT = "{column} = ANY (string_to_array(nullif(current_setting('jakwatch.patients', true), ''), ',')::bigint[])"


def upgrade() -> None:
    op.add_column("audit_entry", sa.Column("sealed_with", sa.Text(), nullable=False, server_default=""))
    op.add_column("access_note", sa.Column("detail", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("access_note") as batch_op:
        batch_op.add_column(sa.Column("clinic_id", sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_access_note_clinic_id"), "clinic", ["clinic_id"], ["id"])
    op.create_table(
        "emergency_access",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("clinic_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ends_at", tracker.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closed_at", tracker.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.Column("closing_comment", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_emergency_access_account_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_emergency_access_closed_by")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_emergency_access_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_emergency_access_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_access")),
        sqlite_strict=True,
    )
    for column in ("account_id", "clinic_id", "patient_id"):
        op.create_index(op.f(f"ix_emergency_access_{column}"), "emergency_access", [column])
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()
        _row_security()


def _sqlite_triggers() -> None:
    for table in (*APPEND_ONLY, "review"):
        said = f"{table} is append-only"
        columns = f" OF {', '.join(DECIDED)}" if table == "review" else ""
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE{columns} ON {table} BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        op.execute(f"CREATE TRIGGER {table}_stays BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{said}'); END")
        # REPLACE takes a row's place without a DELETE that a trigger would see.
        op.execute(
            f"CREATE TRIGGER {table}_alone BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"
            f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION keep_as_it_is() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in (*APPEND_ONLY, "review"):
        columns = " OF " + ", ".join(f'"{name}"' for name in DECIDED) if table == "review" else ""
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE{columns} ON {table} FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
        op.execute(f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION keep_as_it_is()")


def _row_security() -> None:
    """The second wall: it holds for every role but the owner of the tables, who migrates and backs up."""
    for table in ("patient", *BY_CLINIC, *BY_PATIENT):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    seen = MY_CLINIC.format(column="clinic_id") + " OR " + MY_PATIENT.format(column="id")
    op.execute(
        f"CREATE POLICY of_my_clinics ON patient USING ({seen}) WITH CHECK ({MY_CLINIC.format(column='clinic_id')})"
    )
    for table in BY_CLINIC:
        patients = "" if table in ("import_batch", "held_row") else " OR " + MY_PATIENT.format(column="patient_id")
        op.execute(f"CREATE POLICY of_my_clinics ON {table} USING ({MY_CLINIC.format(column='clinic_id')}{patients})")
    for table in BY_PATIENT:
        column, source = ("course_id", "course") if table == "course_event" else ("patient_id", "patient")
        # The inner table is asked under its own policy.
        op.execute(
            f"CREATE POLICY of_my_patients ON {table} USING (EXISTS (SELECT 1 FROM {source} WHERE {source}.id = {table}.{column}))"
        )

    # The trail: everybody may add to it. An entry without a clinic goes by its patient; with neither it is everybody's.
    op.execute("ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY")
    whose = "CASE WHEN clinic_id IS NOT NULL THEN {mine} WHEN patient_id IS NOT NULL THEN EXISTS (SELECT 1 FROM patient WHERE patient.id = audit_entry.patient_id) ELSE true END"
    op.execute(
        f"CREATE POLICY of_my_clinics ON audit_entry FOR SELECT USING ({whose.format(mine=MY_CLINIC.format(column='clinic_id') + ' OR ' + MY_PATIENT.format(column='patient_id'))})"
    )
    op.execute("CREATE POLICY added_by_all ON audit_entry FOR INSERT WITH CHECK (true)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in (*APPEND_ONLY, "review"):
            for name in ("kept", "stays", "alone"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_{name}")
    else:
        op.execute("DROP FUNCTION keep_as_it_is CASCADE")
        for table in (*BY_PATIENT, *BY_CLINIC, "patient"):
            op.execute(f"DROP POLICY {'of_my_patients' if table in BY_PATIENT else 'of_my_clinics'} ON {table}")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute("DROP POLICY of_my_clinics ON audit_entry")
        op.execute("DROP POLICY added_by_all ON audit_entry")
        op.execute("ALTER TABLE audit_entry DISABLE ROW LEVEL SECURITY")
    op.drop_table("emergency_access")
    with op.batch_alter_table("access_note") as batch_op:
        batch_op.drop_constraint(op.f("fk_access_note_clinic_id"), type_="foreignkey")
        batch_op.drop_column("clinic_id")
    op.drop_column("access_note", "detail")
    op.drop_column("audit_entry", "sealed_with")
