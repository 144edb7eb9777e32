"""The `tracker` command. Each command's module is imported when it is called, so that `tracker grade` starts at once.

Every command ends 0 on success, 2 on wrong usage, 1 on refusal with one clear line on standard error.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from tracker.domain.errors import JakwatchError

COMMANDS = {
    "upgrade": "tracker.cli.database:upgrade",
    "check": "tracker.cli.database:check",
    "backup": "tracker.cli.backups:backup",
    "restore": "tracker.cli.backups:restore",
    "keygen": "tracker.cli.backups:keygen",
    "grants": "tracker.cli.grants:grants",
    "demo": "tracker.cli.serving:demo",
    "serve": "tracker.cli.serving:serve",
    "work": "tracker.cli.working:work",
    "import": "tracker.cli.files:import_files",
    "undo": "tracker.cli.undoing:undo_import",
    "listen": "tracker.cli.listening:listen",
    "export": "tracker.cli.files:export",
    "flags": "tracker.cli.judging:flags",
    "evaluate": "tracker.cli.judging:evaluate_patients",
    "due": "tracker.cli.judging:due",
    "grade": "tracker.cli.grade:grade",
    "user": "tracker.cli.people:user",
}


class Lazy(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def tracker() -> None:
    """Jakwatch: laboratory monitoring for patients on JAK inhibitors."""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; what a user can understand is one line, never a traceback."""
    try:
        tracker(args, prog_name="tracker")
    except JakwatchError as refusal:
        click.echo(f"tracker: {refusal}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as fault:
        if type(fault).__module__.startswith(("sqlalchemy", "alembic")):
            click.echo(f"tracker: the database refused: {_first_line(fault)}", err=True)
            sys.exit(1)
        raise


def _first_line(fault: Exception) -> str:
    return str(getattr(fault, "orig", None) or fault).splitlines()[0]
