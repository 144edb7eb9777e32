"""What the commands share: the database they work on, on whose behalf, and how they print."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from getpass import getuser
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker import load_settings
from tracker.db import Database, current_revision, head
from tracker.domain.errors import NotFound, Refused
from tracker.models import Clinic
from tracker.operations.actor import Actor
from tracker.operations.anchors import Seal


def database_url() -> str:
    """TRACKER_DATABASE_URL, else an SQLite file under the instance folder. Raises Refused for settings that cannot be
    read.
    """
    url: str = _settings()["DATABASE_URL"]
    return url


def open_database(url: str | None = None) -> Database:
    """That database, or the one of this installation, with the keys its audit trail is sealed with."""
    settings = _settings()
    return Database(url or settings["DATABASE_URL"], Seal.of(settings))


def largest_document() -> int:
    """The most bytes that a document within a file or a message may have."""
    found: int = _settings()["ATTACHMENT_BYTES"]
    return found


def _settings() -> dict[str, Any]:
    try:
        return load_settings()
    except ValueError as why:
        raise Refused(str(why)) from why


@contextmanager
def database(current: bool = True) -> Iterator[Database]:
    """The database of this installation. Raises Refused where its schema is not of this version (`current`)."""
    opened = open_database()
    try:
        if current:
            found = current_revision(opened.engine)
            if found != head():
                state = "is empty" if found is None else f"is at revision {found}, this version needs {head()}"
                raise Refused(f"The database {state}: run “tracker upgrade” first.")
        yield opened
    finally:
        opened.close()


def operator(origin: str = "cli") -> Actor:
    """The person at the server's keyboard."""
    try:
        name = getuser()
    except (KeyError, OSError):
        name = "operator"
    return Actor(name=f"{name} (command line)", at=datetime.now(UTC), origin=origin)


def clinics(session: Session, code: str | None = None) -> list[Clinic]:
    """Every clinic, or the one named. Raises NotFound."""
    found = list(session.scalars(select(Clinic).order_by(Clinic.id)))
    if code is None:
        return found
    named = [clinic for clinic in found if clinic.code == code]
    if not named:
        raise NotFound(f"There is no clinic “{code}”; there are: {', '.join(c.code for c in found) or 'none'}.")
    return named


def say_json(document: Any) -> None:
    """One JSON document on standard output and nothing else."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))


@contextmanager
def shown(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal, none of length 0; and what to call with how far the work is."""
    hidden = not length or not sys.stderr.isatty()
    with click.progressbar(length=max(length, 1), label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda reached: bar.update(reached - bar.pos)


class Day(click.ParamType[date]):
    """An ISO date."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"“{value}” is not a date: write it as 2026-03-01.", param, ctx)
