"""The database as a request uses it: one `reading()` session for a GET, `with writing() as session:` for a POST."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Flask, current_app, g
from sqlalchemy.orm import Session

from tracker.db import Database
from tracker.operations.anchors import Seal


def database() -> Database:
    """The application's database. What outlives the request, such as a streamed export: `with database().reading()`."""
    found: Database = current_app.extensions["database"]
    return found


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
        stack.close()


@contextmanager
def writing() -> Iterator[Session]:
    """A session whose work is all stored when the block ends, or none of it.

    The session for reading is closed first: a writer never waits for its own reader (SQLite without WAL would), and
    what the page shows afterwards is read back from what is stored.
    """
    stop_reading()
    with database().transaction() as session:
        yield session


def init_app(app: Flask) -> None:
    app.extensions["database"] = Database(app.config["DATABASE_URL"], Seal.of(app.config))
    app.teardown_appcontext(stop_reading)
