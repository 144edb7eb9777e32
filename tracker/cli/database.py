"""tracker upgrade, tracker check"""

import sys

import click

from tracker import db
from tracker.cli.context import clinics, database, operator
from tracker.operations.anchors import warnings
from tracker.operations.audit import begin_again, clock_fault, examine, seal_of
from tracker.operations.settings import misfits
from tracker.queries.accounted import unaccounted
from tracker.queries.attachments import damaged
from tracker.queries.coverage import problems


@click.command()
def upgrade() -> None:
    """Bring the database's schema to this version."""
    with database(current=False) as opened:
        fresh = db.current_revision(opened.engine) is None
        db.upgrade(opened.url)
        if fresh:
            with opened.reading() as session:
                begin_again(session, operator().utc)
    click.echo(f"The database is at revision {db.head()}.")


@click.command()
def check() -> None:
    """Storage, schema, ranges, what clinics set, audit chain, attachments, results: a line each, non-zero when one
    fails.
    """
    lines: list[tuple[str, list[str]]] = []
    to_know: list[str] = []
    with database(current=False) as opened:
        lines.append(("storage settings", db.self_check(opened.engine)))
        found = db.current_revision(opened.engine)
        lines.append(
            (
                "schema",
                []
                if found == db.head()
                else [f"at {found or 'nothing'}, this version needs {db.head()}: run “tracker upgrade”."],
            )
        )
        if found == db.head():
            with opened.reading() as session:
                lines.append(("range coverage", [p for c in clinics(session) for p in problems(session, c)]))
                now = operator().utc
                lines.append(
                    ("what clinics set", [p for c in clinics(session) for p in misfits(session, c, now.date())])
                )
                fault = examine(session)
                lines.append(("audit chain", [f"entry {fault.entry}: {fault.why}."] if fault else []))
                lines.append(("attachments", list(damaged(session))))
                lines.append(("every result in a list", unaccounted(session)))
                lines.append(("clock", [wrong] if (wrong := clock_fault(session, now)) else []))
                to_know = warnings(seal_of(session))
    for name, faults in lines:
        click.echo(f"{'ok ' if not faults else 'BAD'}  {name}" + "".join(f"\n     {fault}" for fault in faults))
    for sentence in to_know:
        click.echo(f"note {sentence}")
    if any(faults for _, faults in lines):
        sys.exit(1)
