"""A fresh database of either kind for a check, and the application over it."""

import atexit
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import _own_postgres, _postgres_database
from tests.trust.crawl import World, over

KINDS = ("sqlite", "postgresql")


@cache
def _server() -> str:
    """A PostgreSQL of this process, for as long as that runs."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(TemporaryDirectory(prefix="jw-pg-"))
    return stack.enter_context(contextmanager(_own_postgres)(Path(folder)))


@contextmanager
def empty(kind: str) -> Iterator[str]:
    """The address of a database without tables."""
    with TemporaryDirectory(prefix="jakwatch-trust-") as folder, ExitStack() as stack:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/jakwatch.db"
        else:
            yield stack.enter_context(contextmanager(_postgres_database)(_server(), "template0"))


@contextmanager
def clinic_on(kind: str) -> Iterator[World]:
    """The application over a database of that kind with people and records."""
    with empty(kind) as url, TemporaryDirectory() as uploads, over(url, uploads) as world:
        yield world
