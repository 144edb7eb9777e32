"""tracker undo"""

import click

from tracker.cli.context import database, operator, say_json
from tracker.domain.errors import NotFound
from tracker.models import ImportBatch
from tracker.operations.undo import undo


@click.command("undo")
@click.argument("batch", type=int)
@click.option("--reason", required=True, help="Why it is undone; it stays on record.")
@click.option("--dry-run", is_flag=True, help="Show what would happen and store nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def undo_import(batch: int, reason: str, dry_run: bool, as_json: bool) -> None:
    """Undo an import as a whole, by the number that its page and the import's report give.

    What it filed is taken out with the reason, what it replaced or changed stands again, and whom it touched is judged
    again. What people or later files built on since is left, and said. Nothing is deleted.
    """
    with database() as opened, opened.transaction() as session:
        found = session.get(ImportBatch, batch)
        if found is None:
            raise NotFound(f"There is no import {batch}.")
        undone = undo(session, operator("cli"), found, reason)
        if dry_run:
            session.rollback()
    flags = undone.changes.counts()
    if as_json:
        say_json({"batch": batch, "taken_out": undone.done, "left": undone.left, "flags": flags})
        return
    done = ", ".join(f"{number} {what}" for what, number in undone.done.items()) or "nothing of it stood any more"
    click.echo(f"Import {batch}: {done}.")
    for said in undone.left:
        click.echo(f"  Left: {said}")
    click.echo(f"Flags: {flags['opened']} opened, {flags['changed']} changed, {flags['cleared']} cleared.")
    if dry_run:
        click.echo("Nothing was stored (dry run).")
