"""tracker grants"""

import re
from collections.abc import Iterator

import click

from tracker.domain.errors import Refused
from tracker.models import Base

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
GROWS = ("audit_entry", "access_note", "import_problem", "due_step")  # rows are added, and that is all
# Rows are added, and these columns of them are filled in later, once: the second person's part, and the voiding.
LATER = {
    "review": ("standing", "second_account_id", "second_at", "course_event_id"),
    "attachment": ("voided_at", "voided_reason"),
}


@click.command()
@click.argument("role")
def grants(role: str) -> None:
    """Print the SQL that lets ROLE, and not the owner of the tables, run the service on PostgreSQL.

    For such a role the row-level security holds; it deletes nothing but drafts, and changes no row of a table that only
    grows. Give it to psql as the owner, after each upgrade: tracker grants jakwatch_app | psql "$OWNER_URL"
    """
    if not _NAME.fullmatch(role):
        raise Refused(f"“{role}” is not the name of a role: small letters, digits and underscores.")
    click.echo("\n".join(statements(role)))


def statements(role: str) -> Iterator[str]:
    """The SQL, a statement each."""
    yield f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}";'
    yield f'GRANT USAGE ON SCHEMA public TO "{role}";'
    yield f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}";'
    yield f'GRANT SELECT ON alembic_version TO "{role}";'
    for table in sorted(Base.metadata.tables):
        may = "SELECT, INSERT" if table in (*GROWS, *LATER) else "SELECT, INSERT, UPDATE"
        yield f'GRANT {may} ON "{table}" TO "{role}";'
    for table, columns in LATER.items():
        yield f'GRANT UPDATE ({", ".join(columns)}) ON {table} TO "{role}";'
    yield f'GRANT DELETE ON draft TO "{role}";'
