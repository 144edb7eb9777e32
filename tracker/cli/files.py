"""tracker import, tracker export"""

import hashlib
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from tracker import formats
from tracker.cli.context import clinics, database, largest_document, operator, say_json
from tracker.domain.errors import Refused
from tracker.domain.readings import Problem
from tracker.domain.reasons import Reason, reasons
from tracker.formats.fhir.writing import WRITTEN
from tracker.formats.shapes import Answers, Reader
from tracker.operations import configure
from tracker.operations.importing import Importer, Report
from tracker.queries import exports, mappings

SHOWN_REASONS = 20


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
    with database() as opened, opened.transaction() as session:
        actor = operator("import")
        where = clinics(session, clinic) if clinic else configure.the_clinics(session, actor)
        importer = Importer(session, actor, where, create_patients, may_configure=True, largest=largest_document())
        ids = [one.id for one in where]
        reader = mappings.reader(session, ids, _answers(session, ids, mapping))
        reports = _file_all(importer, _expand(paths), where[0].time_zone, reader, test_messages)
        importer.release()
        changes = importer.judge()
        if dry_run:
            session.rollback()
    if dry_run:
        for report in reports:
            report.batch = None
    document = {"files": [report.as_json() for report in reports], "flags": changes.counts()}
    if as_json:
        say_json(document)
    else:
        _print(reports, changes.counts(), dry_run)
    if reports and not any(report.processed and report.format != "unknown" for report in reports):
        click.echo("tracker: nothing of this could be processed.", err=True)
        sys.exit(1)


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


def _file_all(
    importer: Importer, paths: list[Path], time_zone: str, reader: Reader, test_messages: bool
) -> list[Report]:
    """Every file in the order its kind asks for: patients before courses before results."""
    zone = ZoneInfo(time_zone)
    turns: dict[Path, int] = {}
    reports: dict[Path, Report] = {}
    for path in paths:
        with path.open("rb") as stream:
            try:
                turns[path] = formats.read(path.name, stream, zone, reader, test_messages=test_messages).turn
            except Refused as why:
                reports[path] = Report(str(path), "unknown", problems=[Problem(0, "", str(why))])
    for path in sorted(turns, key=turns.__getitem__):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            source = formats.read(path.name, stream, zone, reader, test_messages=test_messages)
            reports[path] = importer.file(
                str(path), source.format, source.kind, source.rows, digest, source.remarks, source.elements
            )
    return [reports[path] for path in paths]


def _print(reports: list[Report], flags: dict[str, int], dry_run: bool) -> None:
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
