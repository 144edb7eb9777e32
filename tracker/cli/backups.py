"""tracker backup, tracker restore, tracker keygen"""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from tracker import db
from tracker.cli import archive, copies
from tracker.cli.context import database, database_url, operator
from tracker.domain.errors import Refused
from tracker.operations.audit import begin_again, examine

KEY = "TRACKER_BACKUP_KEY"


def _key() -> str | None:
    return os.environ.get(KEY) or None


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--encrypt", is_flag=True, help=f"Encrypt for the age key in {KEY}; its public half is enough.")
def backup(file: Path, encrypt: bool) -> None:
    """Write a backup of everything to FILE, while others work.

    Until it is packed, the copy lies in the system's folder for temporary files; TMPDIR names another.
    """
    key = _key() if encrypt else None
    if encrypt and key is None:
        raise Refused(f"--encrypt needs an age key in {KEY}: make a pair with “tracker keygen”.")
    with database(current=False) as opened:
        url = opened.url
    manifest = copies.back_up(url, file, datetime.now(UTC), key)
    rows = sum(table["rows"] for table in manifest["tables"].values())
    click.echo(
        f"{file}: schema {manifest['revision']}, {rows} rows of {len(manifest['tables'])} tables,"
        f" {'encrypted' if key else 'not encrypted'}. Try a restore into an empty database."
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Bring FILE into an empty database, and compare every table with what was backed up."""
    manifest = copies.restore(database_url(), file, _key())
    if manifest["revision"] == db.head():
        with database() as opened, opened.reading() as session:
            begin_again(session, operator().utc)
            fault = examine(session)
        if fault:
            raise Refused(
                f"Restored as it was backed up, but its audit trail is broken at entry {fault.entry}: {fault.why}."
            )
    rows = sum(table["rows"] for table in manifest["tables"].values())
    click.echo(f"Restored and compared: {rows} rows of {len(manifest['tables'])} tables, as of {manifest['made_at']}.")
    if manifest["revision"] != db.head():
        click.echo("It is of an older schema: run “tracker upgrade”.")


@click.command("keygen")
def keygen() -> None:
    """Make a pair of keys for encrypted backups. Nothing of it is stored here."""
    public, private = archive.new_key()
    click.echo(f"Public half, for “tracker backup --encrypt”:   {public}")
    click.echo(f"Private half, for “tracker restore” alone:     {private}")
    click.echo("Keep the private half away from this machine, twice: without it no backup opens.")
