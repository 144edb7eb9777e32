"""The database as a request uses it: one `reading()` session for a GET, `with writing() as session:` for a POST."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from flask import Flask, current_app, g, has_request_context
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tracker.db import EVERYWHERE, NOWHERE, Database, Scope, rescope
from tracker.operations.anchors import Seal

__all__ = ["EVERYWHERE", "database", "my_scope", "reading", "see_mine", "stop_reading", "writing"]


def database() -> Database:
    """The application's database. What outlives the request, such as a streamed export, takes the scope along:
    `mine = my_scope()`, and later `with database().reading(mine)`.
    """
    found: Database = current_app.extensions["database"]
    return found


def my_scope() -> Scope:
    """Whose rows this person may see: of their clinics, and of who they opened in an emergency. Nobody: none."""
    user = g.get("user") if has_request_context() else None
    if user is None:
        return NOWHERE
    return Scope(frozenset(clinic.id for clinic in user.clinics), frozenset(g.get("emergencies", ())))


def see_mine() -> None:
    """Let the session for reading see what `my_scope()` says now."""
    if "reading" in g:
        rescope(g.reading, my_scope())


def reading() -> Session:
    """This request's session for reading: one consistent state, opened at the first use, closed with the request."""
    if "reading" not in g:
        stack = ExitStack()
        g.reading = stack.enter_context(database().reading())
        g.reading_stack = stack
    session: Session = g.reading
    return session


def stop_reading(_error: BaseException | None = None) -> None:
    """Close the session for reading; the next `reading()` opens another, which sees what was written since."""
    g.pop("reading", None)
    stack: ExitStack | None = g.pop("reading_stack", None)
    if stack is not None:
        with suppress(DBAPIError):  # the database went away meanwhile; what was only read is not lost
            stack.close()


@contextmanager
def writing(scope: Scope | None = None, alone: bool = False) -> Iterator[Session]:
    """A session whose work is all stored when the block ends, or none of it. `scope`: to see more than one's own.
    `alone`: a yardstick changes, and nobody else writes meanwhile.

    The session for reading is closed first: a writer never waits for its own reader (SQLite without WAL would), and
    what the page shows afterwards is read back from what is stored.
    """
    stop_reading()
    with database().transaction(scope, alone=alone) as session:
        yield session


def init_app(app: Flask) -> None:
    app.extensions["database"] = Database(app.config["DATABASE_URL"], Seal.of(app.config), my_scope, impatient=True)
    app.teardown_appcontext(stop_reading)
