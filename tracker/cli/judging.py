"""tracker flags, tracker evaluate, tracker due"""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.cli.context import Day, clinics, database, database_url, open_database, operator, say_json
from tracker.cli.sharing import pool, writers
from tracker.domain.errors import NotFound
from tracker.domain.schedule import DUE, OVERDUE
from tracker.models import Clinic, Patient
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, evaluate, judge, left_to_judge
from tracker.queries import exports
from tracker.queries.due import due_list
from tracker.queries.patients import due_for_check
from tracker.queries.repeats import repeats

CHUNK = 1000


def _patient_ids(session: Session, clinic: Clinic, mrn: str | None) -> list[int]:
    statement = select(Patient.id).where(Patient.clinic_id == clinic.id)
    if mrn is not None:
        statement = statement.where(Patient.mrn == mrn)
    return list(session.scalars(statement.order_by(Patient.mrn)))


def _known(session: Session, mrn: str | None) -> None:
    if mrn is not None and session.scalar(select(Patient.id).where(Patient.mrn == mrn).limit(1)) is None:
        raise NotFound(f"There is no patient with record number {mrn}.")


@click.command()
@click.option(
    "--as-of",
    type=Day(),
    help="Judge as of the end of that day, from what had been collected by then, without storing.",
)
@click.option("--patient", "mrn", help="Only this record number.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def flags(as_of: date | None, mrn: str | None, as_json: bool) -> None:
    """The stored flags, or those of another day."""
    with database() as opened, opened.reading() as session:
        _known(session, mrn)
        rows = list(_flags(session, as_of, mrn))
    if as_json:
        say_json(rows)
        return
    for row in rows:
        folded = f" (folded under {row['folded_under']})" if row["folded_under"] else ""
        click.echo(f"{row['mrn']}  {row['severity']:8} {row['machine']:8} {row['rule']}: {row['sentence']}{folded}")


def _flags(session: Session, as_of: date | None, mrn: str | None) -> Iterator[dict[str, Any]]:
    if as_of is None:
        yield from exports.flags(session, [clinic.id for clinic in clinics(session)], mrn)
        return
    for clinic in clinics(session):
        for history, findings in judge(session, clinic.id, _patient_ids(session, clinic, mrn), as_of):
            for found in findings:
                yield exports.finding(history.person.mrn, found)


@click.command()
@click.option("--as-of", type=Day(), help="As of the end of that day; today without it.")
@click.option("--patient", "mrn", help="Only this record number.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def due(as_of: date | None, mrn: str | None, as_json: bool) -> None:
    """What is due or overdue, for whom, and why."""
    actor = operator()
    rows = []
    with database() as opened, opened.reading() as session:
        _known(session, mrn)
        for clinic in clinics(session):
            day = as_of or actor.today(zone_of(session, clinic.id))
            ids = _patient_ids(session, clinic, mrn) if mrn else None
            for row in due_list(session, clinic.id, day, ids):
                item = row.item
                rows.append(
                    {"mrn": row.mrn, "subject": item.subject, "due_on": item.due_on.isoformat(), "state": item.state,
                     "reason": item.reason, "source": item.source, "verified": item.verified,
                     "waived_until": item.waived.until.isoformat() if item.waived else None}
                )  # fmt: skip
            if day >= actor.today(zone_of(session, clinic.id)):  # whoever orders a repeat does so now
                rows += [told for told in _ordered(session, clinic.id, day) if mrn in (None, told["mrn"])]
    if as_json:
        say_json(rows)
        return
    for line in rows:
        put_off = f" (put off until {line['waived_until']})" if line["waived_until"] else ""
        click.echo(f"{line['mrn']}  {line['due_on']}  {line['state']:8} {line['subject']}: {line['reason']}{put_off}")


def _ordered(session: Session, clinic_id: int, day: date) -> Iterator[dict[str, Any]]:
    """The repeats that somebody ordered, as due items."""
    for one in repeats(session, [clinic_id], ordered_only=True, size=None):
        yield {
            "mrn": one.patient.mrn, "subject": one.flag.subject, "due_on": one.by.isoformat(),
            "state": OVERDUE if one.by < day else DUE, "reason": "repeat ordered in the review of a flag",
            "source": one.flag.source, "verified": one.flag.verified, "waived_until": None,
        }  # fmt: skip


@click.command("evaluate")
@click.option("--all", "everybody", is_flag=True, help="Every patient; without it those whose day has come.")
@click.option(
    "--stale",
    "only_stale",
    is_flag=True,
    help="With --all: only who is not judged by what is in force. So one that was broken off goes on.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change and store nothing.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    help="Share the patients among so many; SQLite stores with one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def evaluate_patients(everybody: bool, only_stale: bool, dry_run: bool, processes: int, as_json: bool) -> None:
    """Judge patients again and store what changed, a thousand patients a transaction."""
    begun = time.perf_counter()
    with database() as opened, opened.reading() as session:
        work = _work(session, everybody, only_stale)
    chunks = [
        (clinic, ids[start : start + CHUNK]) for clinic, ids in work.items() for start in range(0, len(ids), CHUNK)
    ]
    total = {"patients": 0, "results": 0, "opened": 0, "changed": 0, "cleared": 0}
    for counts in _in_parallel(chunks, dry_run, processes):
        total = {name: total[name] + counts[name] for name in total}
    document = total | {"seconds": round(time.perf_counter() - begun, 2)}
    if as_json:
        say_json(document)
    else:
        click.echo(
            ", ".join(f"{name} {value}" for name, value in document.items()) + (" (nothing stored)" if dry_run else "")
        )


Chunk = tuple[int, list[int]]


def _work(session: Session, everybody: bool, only_stale: bool) -> dict[int, list[int]]:
    """Who is to be judged, by clinic."""
    days = {clinic.id: operator().today(zone_of(session, clinic.id)) for clinic in clinics(session)}
    if everybody and only_stale:
        return {id: left_to_judge(session, id, day) for id, day in days.items()}
    if everybody:
        return {clinic.id: _patient_ids(session, clinic, None) for clinic in clinics(session)}
    return due_for_check(session, max(days.values())) if days else {}


def _in_parallel(chunks: list[Chunk], dry_run: bool, processes: int) -> Iterator[dict[str, int]]:
    url = database_url()
    parts = [(url, clinic_id, ids, dry_run) for clinic_id, ids in chunks]
    shared = processes if dry_run else writers(url, processes)
    if shared == 1 or len(parts) < 2:
        yield from map(judge_part, parts)
        return
    with pool(shared) as executor:
        yield from executor.map(judge_part, parts)


def judge_part(job: tuple[str, int, list[int], bool]) -> dict[str, int]:
    """Judge up to a thousand patients in one transaction; runs in a process of its own."""
    url, clinic_id, ids, dry_run = job
    now = datetime.now(UTC)
    opened = open_database(url)
    try:
        with opened.reading() if dry_run else opened.transaction() as session:
            today = now.astimezone(zone_of(session, clinic_id)).date()
            changes: Changes = evaluate(session, clinic_id, ids, now, today, store=not dry_run)
    finally:
        opened.close()
    return changes.counts() | {"patients": changes.patients, "results": changes.results}
