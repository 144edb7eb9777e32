"""How somebody with the database's owner's rights changes what the program never would."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from tracker.db import Database


@contextmanager
def past_the_triggers(database: Database, table: str = "audit_entry") -> Iterator[Connection]:
    """A connection that writes whatever it likes into an append-only table."""
    with database.engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for name in ("kept", "stays", "alone"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_{name}"))
        yield connection
