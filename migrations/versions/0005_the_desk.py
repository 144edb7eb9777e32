"""since when a flag waits, checks put off, notices, saved views

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

import tracker.models.base


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

QUEUE = [
    "clinic_id",
    "patient_id",
    "attention",
    "first_seen_at",
    "rule",
    "machine",
    "confirmation",
    "review",
    "owner_id",
]
WAITING = sa.text("attention < 9")
UTC = tracker.models.base.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.add_column("flag", sa.Column("waiting_since", UTC, nullable=True))
    op.execute("UPDATE flag SET waiting_since = first_seen_at WHERE review = 'open' AND attention < 4")
    op.execute("UPDATE flag SET waiting_since = changed_at WHERE review = 'reopened' AND attention < 4")
    _queue_index([*QUEUE, "waiting_since"])
    op.create_table(
        "due_step",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", UTC, nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("action IN ('own', 'waive', 'resume')", name=op.f("ck_due_step_action_known")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_due_step_patient_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_due_step_owner_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_due_step_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due_step")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_due_step_patient_id"), "due_step", ["patient_id"])
    op.create_index(op.f("ix_due_step_owner_id"), "due_step", ["owner_id"])
    op.create_table(
        "review_notice",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("patient_id", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", UTC, nullable=False),
        sa.Column("seen_at", UTC, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_review_notice_account_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_review_notice_patient_id")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_review_notice_review_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_notice")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_review_notice_patient_id"), "review_notice", ["patient_id"])
    op.create_index("ix_review_notice_account", "review_notice", ["account_id", "seen_at"])
    op.create_table(
        "queue_view",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("clinic_id", sa.BigInteger(), nullable=False),
        sa.Column("views", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_queue_view_account_id")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_queue_view_clinic_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_view")),
        sa.UniqueConstraint("account_id", "clinic_id", name=op.f("uq_queue_view_account_id_clinic_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_queue_view_clinic_id"), "queue_view", ["clinic_id"])
    if op.get_bind().dialect.name == "postgresql":
        _row_security()
        _append_only()
    else:
        _sqlite_append_only()


def _queue_index(columns: list[str]) -> None:
    op.drop_index("ix_flag_queue", "flag")
    op.create_index("ix_flag_queue", "flag", columns, sqlite_where=WAITING, postgresql_where=WAITING)


def _row_security() -> None:
    """The second wall, as revision 0002 built it for the other tables."""
    for table in ("due_step", "review_notice"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_my_patients ON {table}"
            f" USING (EXISTS (SELECT 1 FROM patient WHERE patient.id = {table}.patient_id))"
        )
    op.execute("ALTER TABLE queue_view ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY of_my_clinics ON queue_view USING (current_setting('jakwatch.clinics', true) = '*'"
        " OR clinic_id = ANY (string_to_array("
        "nullif(nullif(current_setting('jakwatch.clinics', true), ''), '*'), ',')::bigint[]))"
    )


def _append_only() -> None:
    for event, name in (("UPDATE", "kept"), ("DELETE", "stays")):
        op.execute(
            f"CREATE TRIGGER due_step_{name} BEFORE {event} ON due_step FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
    op.execute("CREATE TRIGGER due_step_whole BEFORE TRUNCATE ON due_step EXECUTE FUNCTION keep_as_it_is()")


def _sqlite_append_only() -> None:
    said = "SELECT RAISE(ABORT, 'due_step is append-only'); END"
    op.execute(f"CREATE TRIGGER due_step_kept BEFORE UPDATE ON due_step BEGIN {said}")
    op.execute(f"CREATE TRIGGER due_step_stays BEFORE DELETE ON due_step BEGIN {said}")
    op.execute(
        "CREATE TRIGGER due_step_alone BEFORE INSERT ON due_step"
        f" WHEN EXISTS (SELECT 1 FROM due_step WHERE id = NEW.id) BEGIN {said}"
    )


def downgrade() -> None:
    for table in ("queue_view", "review_notice", "due_step"):
        op.drop_table(table)
    _queue_index(QUEUE)
    op.drop_column("flag", "waiting_since")
