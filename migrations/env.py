"""Runs the revisions on the engine that tracker.db hands in.

SQLite: foreign keys are off while a revision rebuilds tables (with them on, a batch rebuild empties child tables
without a word); the links are checked and the rows counted before the revision is accepted.
"""

from alembic import context
from sqlalchemy import Connection, text

from tracker.models import Base


def _rows(connection: Connection) -> dict[str, int]:
    names = connection.dialect.get_table_names(connection)
    return {
        name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()  # noqa: S608 - names from the schema itself
        for name in names
        if name != "alembic_version"
    }


def _check(connection: Connection, before: dict[str, int]) -> None:
    """Refuse a revision that lost rows of a table that is still there, or left a link that points nowhere."""
    after = _rows(connection)
    lost = {name: count - after[name] for name, count in before.items() if name in after and after[name] < count}
    if lost:
        raise RuntimeError(f"the migration would lose rows: {lost}")
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise RuntimeError("the migration leaves links that point nowhere")


def run() -> None:
    engine = context.config.attributes["engine"]
    on_sqlite = engine.dialect.name == "sqlite"
    with engine.execution_options(writes=True).connect() as connection:
        if on_sqlite:
            raw = connection.connection.dbapi_connection
            raw.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=on_sqlite,
            transaction_per_migration=False,
        )
        with connection.begin():
            before = _rows(connection)
            context.run_migrations()
            _check(connection, before)
        if on_sqlite:
            raw.execute("PRAGMA foreign_keys=ON")


run()
