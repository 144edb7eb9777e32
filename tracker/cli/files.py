"""tracker import, tracker export"""

import hashlib
import sys
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from tracker import formats
from tracker.cli.context import clinics, database, largest_document, operator, say_json, shown
from tracker.cli.filing import Filed, Filing, dry, file_all, stoppable
from tracker.domain.errors import Refused
from tracker.domain.readings import Problem
from tracker.domain.reasons import Reason, reasons
from tracker.formats.fhir.writing import WRITTEN
from tracker.formats.shapes import Answers
from tracker.formats.shelves import Shelves
from tracker.operations.importing import Report
from tracker.operations.runs import PART
from tracker.queries import exports, mappings

SHOWN_REASONS = 20
LONG = 1 << 22  # bytes that take long enough to be read for a bar to be shown
INTERRUPTED = 130  # how a command ends that was stopped from the keyboard
STOPPED = (
    "tracker: stopped, {} rows are left. What was stored stays, each patient whole; the same command goes on, and "
    "“tracker undo” takes it back."
)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would happen and store nothing.")
@click.option("--create-patients", is_flag=True, help="Enrol a patient for a record number that is not known.")
@click.option("--clinic", help="The clinic the rows belong to (its code).")
@click.option("--test-messages", is_flag=True, help="File HL7 messages marked as training or debugging (MSH-11) too.")
@click.option("--mapping", help="How tables of another shape are read: a mapping's name, or a TOML file of answers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def import_files(
    paths: tuple[Path, ...], dry_run: bool, create_patients: bool, clinic: str | None, test_messages: bool,
    mapping: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """File tables and folders of them; recognised by content. Good rows are filed, the others say why not.

    A patient who names no clinic is enrolled at that of --clinic, else at the first; where another clinic has the
    record number the row is refused. HL7 messages marked as training or debugging are refused without --test-messages.

    A table of another shape than those of the interchange is filed where it can be read in one way only, and what was
    understood is said; else it is refused with what is open and the lines of a --mapping file that answer it.
    """
    found = _expand(paths)
    try:
        filed, refused = _filed(found, dry_run, create_patients, clinic, test_messages, mapping)
    except KeyboardInterrupt:
        click.echo("tracker: stopped before anything was stored.", err=True)
        sys.exit(INTERRUPTED)
    reports = {report.path: report for report in (*filed.reports, *refused)}
    ordered = [reports[str(path)] for path in found]
    if as_json:
        say_json({"files": [report.as_json() for report in ordered], "flags": filed.flags, "left": filed.left})
    else:
        _print(ordered, filed, dry_run)
    if ordered and not any(report.processed and report.format != "unknown" for report in ordered):
        click.echo("tracker: nothing of this could be processed.", err=True)
        sys.exit(1)
    if filed.left:
        click.echo(STOPPED.format(filed.left), err=True)
        sys.exit(INTERRUPTED)


def _filed(
    paths: list[Path], dry_run: bool, create_patients: bool, clinic: str | None, test_messages: bool,
    mapping: str | None,
) -> tuple[Filed, list[Report]]:  # fmt: skip
    """Read all files, then file them; beside that the reports of those that cannot be read at all."""
    with database() as opened, Shelves(PART) as shelves:
        with opened.reading() as session:
            where = clinics(session, clinic)
            zone = ZoneInfo(where[0].time_zone if where else "UTC")
            ids = [one.id for one in where]
            reader = mappings.reader(session, ids, _answers(session, ids, mapping))
        read = partial(formats.read, zone=zone, reader=reader, test_messages=test_messages)
        refused = _read(shelves, paths, read)
        of = tuple(ids) if clinic else ()
        filing = Filing(lambda: operator("import"), of, create_patients, may_configure=True, largest=largest_document())
        if dry_run:
            return dry(opened, shelves, filing), refused
        how = (zone.key, test_messages)
        with stoppable() as stopped, shown(shelves.rows if shelves.is_long else 0, "Storing") as reached:

            def told(rows: int) -> bool:
                reached(rows)
                return not stopped()

            return file_all(opened, shelves, filing, how, told), refused


def _expand(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Refused(f"{path}: there is no such file or folder.")
        found += _files_below(path) if path.is_dir() else [path]
    if not found:
        raise Refused("The folder is empty.")
    return found


def _files_below(folder: Path) -> list[Path]:
    """The files of a folder and of the folders in it; hidden ones are left out."""
    below = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in below if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _answers(session: Session, clinic_ids: list[int], mapping: str | None) -> Answers:
    """What is answered for this import: by a file where there is one of that name, else by a mapping that is kept."""
    if not mapping:
        return Answers()
    path = Path(mapping)
    if not path.is_file():
        return mappings.named(session, clinic_ids, mapping)
    try:
        return Answers.of(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise Refused(f"{path} is not a TOML file: {why}.") from why


def _read(shelves: Shelves, paths: list[Path], read: Callable[[str, BinaryIO], formats.Source]) -> list[Report]:
    """Put the rows of every file on the shelves; the reports of those that cannot be read at all."""
    refused = []
    size = sum(path.stat().st_size for path in paths)
    before = 0
    with shown(size if size > LONG else 0, "Reading") as reached:
        for path in paths:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                stream.seek(0)
                try:
                    source = read(path.name, stream)
                except Refused as why:
                    refused.append(Report(str(path), "unknown", problems=[Problem(0, "", str(why))]))
                    continue
                shelves.take(str(path), digest, source, partial(_tell, reached, before, stream))
                before += stream.tell()
    return refused


def _tell(reached: Callable[[int], None], before: int, stream: BinaryIO) -> None:
    reached(before + stream.tell())


def _print(reports: list[Report], filed: Filed, dry_run: bool) -> None:
    if filed.before:
        click.echo(f"Taken up again after {filed.before} rows.")
    for report in reports:
        what = f"{report.format} {report.kind}".strip()
        click.echo(
            f"{report.path}: {what}: {report.rows_in} rows in = {report.filed} filed + {report.duplicate} duplicate"
            f" + {report.unmatched} unmatched + {report.refused} refused"
            + (f" (import {report.batch})" if report.batch else "")
        )
        said = reasons(report.problems)
        for reason in said[:SHOWN_REASONS]:
            click.echo(f"  {_place(report.format, reason)}: {reason.message}")
        if len(said) > SHOWN_REASONS:
            click.echo(f"  … and {len(said) - SHOWN_REASONS} more (use --json for all)")
    flags = filed.flags
    click.echo(f"Flags: {flags['opened']} opened, {flags['changed']} changed, {flags['cleared']} cleared.")
    if dry_run:
        click.echo("Nothing was stored (dry run).")


def _place(form: str, reason: Reason) -> str:
    """Where something is said of: `row 2 and 5 more, to 91, unit`."""
    rows = f"{formats.ROW_NAMES.get(form, 'row')} {reason.first}" if reason.first else "file"
    return ", ".join(filter(None, (f"{rows} {reason.more}".strip(), reason.column)))


TABLES = ("patients", "results", "flags", "audit")


@click.command()
@click.argument("table", type=click.Choice(TABLES))
@click.option("--format", "how", type=click.Choice(["csv", "json", "fhir"]), default="csv")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file; standard output without it.")
@click.option("--clinic", help="Only this clinic (its code).")
def export(table: str, how: str, output: Path | None, clinic: str | None) -> None:
    """Write patients, results, flags or the audit trail out again, in the tables that import reads."""
    if how == "fhir" and table not in WRITTEN:
        raise Refused(f"The {table} trail is not written as FHIR: take csv or json.")
    with database() as opened, opened.reading() as session:
        ids = [c.id for c in clinics(session, clinic)]
        rows = exports.coded(session, ids) if (table, how) == ("results", "fhir") else _rows(session, table, ids)
        if output is None:
            _write(table, how, rows, sys.stdout)
        else:
            with output.open("w", encoding="utf-8", newline="") as stream:
                _write(table, how, rows, stream)


def _rows(session: Session, table: str, clinic_ids: list[int]) -> exports.Rows:
    return {"patients": exports.patients, "results": exports.results, "flags": exports.flags, "audit": exports.audit}[
        table
    ](session, clinic_ids)


def _write(table: str, how: str, rows: Iterable[dict[str, Any]], stream: TextIO) -> None:
    if how == "fhir":
        formats.write_fhir(table, rows, stream)
    elif how == "json":
        formats.write_json(rows, stream)
    else:
        formats.write_csv(table, rows, stream)
