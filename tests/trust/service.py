"""The service as in production: gunicorn over SQLite or PostgreSQL, people at work, and what is left of their work."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from deploy.rehearse import SECRET, Postgres, Service, free_port
from tests.people import Cast, add_account, seed
from tests.trust import wire
from tests.trust.clients import NOTHING, PANEL, ROWS, STORED, Client, Importer, Recorder, Tried, Visitor
from tracker.cli.grants import statements
from tracker.db import Database, upgrade
from tracker.domain.keyring import Keyring
from tracker.models import Clinic, ImportBatch, Patient
from tracker.operations import enrol
from tracker.operations.actor import Actor
from tracker.operations.anchors import Seal
from tracker.operations.audit import examine
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import evaluate, rejudge

RECORDERS, IMPORTERS = 8, 2
KINDS = ("SQLite", "PostgreSQL")
WORKED_ON = ("Trusty", "Filed")  # the family names of the patients of the recorders and of the importers


@dataclass
class Running:
    """The service of one clinic. `owner` is its database as the owner of the tables sees it."""

    service: Service
    owner: Database
    cast: Cast
    postgres: Postgres | None

    def staff(self) -> list[Client]:
        """Everybody, signed in."""
        port = self.service.port
        recorders: list[Client] = [Recorder(port, f"r{number}") for number in range(RECORDERS)]
        return recorders + [Importer(port, f"i{number}", patients_of(number)) for number in range(IMPORTERS)]

    def wait(self, at_most: float = 60) -> float:
        """Seconds until the service answers again. Raises RuntimeError."""
        begun, visitor = time.monotonic(), Visitor(self.service.port, 5)
        while time.monotonic() - begun < at_most:
            if visitor.ask("/healthz").status == 200:
                return time.monotonic() - begun
            time.sleep(0.05)
        raise RuntimeError(f"the service did not come back within {at_most:.0f} seconds")


def patients_of(importer: int) -> list[str]:
    """The record numbers of whom an importer's files are about."""
    return [f"IM-{importer}-{number}" for number in range(4)]


@contextmanager
def running(kind: str, through: wire.Wire | None = None) -> Iterator[Running]:
    """The service over a database of that kind; `through` a wire that one may cut."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="jakwatch-trust-", dir="/tmp")))
        folder.chmod(0o755)  # run by root, PostgreSQL belongs to another user
        postgres, owner = None, f"sqlite:///{folder / 'jakwatch.db'}"
        seen_by_service, anchor = owner, folder / "jakwatch.db.anchor"
        if kind == "PostgreSQL":
            postgres, anchor = Postgres(folder), folder / "audit.anchor"
            stack.callback(postgres.server.cleanup)
            owner = postgres.owner
            seen_by_service = postgres.service
            if through is not None:
                through.target, seen_by_service = postgres.socket, postgres.through(through.port)
        upgrade(owner)
        if postgres is not None:
            postgres.grant("\n".join(statements("jakwatch_app")))
        database = Database(owner, Seal(Keyring(SECRET), anchor))
        stack.callback(database.close)
        cast = _people(database)
        service = Service(folder, seen_by_service, free_port())
        service.start()
        stack.callback(end, service)
        here = Running(service, database, cast, postgres)
        here.wait()
        yield here


def _people(database: Database) -> Cast:
    cast = seed(database)
    with database.transaction() as session:
        clinic = session.get_one(Clinic, cast.a.clinic)
        for name in [*(f"r{n}" for n in range(RECORDERS)), *(f"i{n}" for n in range(IMPORTERS))]:
            add_account(session, name, f"Person {name}", "recorder", clinic)
        actor = Actor("setup", datetime.now(UTC), "cli")
        for mrn in (mrn for number in range(IMPORTERS) for mrn in patients_of(number)):
            details = {"mrn": mrn, "family_name": "Filed", "sex": "male", "birth_date": date(1980, 1, 1)}
            rejudge(session, actor, enrol.add_patient(session, actor, clinic.id, details))
    return cast


def end(service: Service) -> None:
    """Whatever of it is still there."""
    with suppress(ProcessLookupError):
        service.stop(signal.SIGKILL)


@contextmanager
def at_work(staff: list[Client]) -> Iterator[None]:
    """Everybody works while the block runs, and comes to an end after it."""
    for one in staff:
        one.start()
    try:
        yield
    finally:
        for one in staff:
            one.done.set()
        for one in staff:
            one.join(120)


# ---------------------------------------------------------------------------------------------- what is left


@dataclass
class Kept:
    """What became of the work of all: counts, and the first of each that is wrong in words."""

    acknowledged: int
    unanswered: int  # or told that nothing was stored
    lost: list[str]
    partial: list[str]
    denied: list[str]  # “nothing was stored” was said, and it was
    flags: list[str]
    audit: str

    @property
    def faults(self) -> str:
        told = {name: getattr(self, name) for name in ("lost", "partial", "denied", "flags")}
        words = [f"{name}: {', '.join(found[:3])}" for name, found in told.items() if found]
        return "; ".join([*words, *([f"audit: {self.audit}"] if self.audit else [])])

    def told(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.unanswered} not acknowledged: {len(self.lost)} lost,"
            f" {len(self.partial)} partial or twice, {len(self.denied)} stored and denied, {len(self.flags)} flags"
            f" missing, audit {'broken' if self.audit else 'whole'}"
        )


WHOLE = {"patient": 1, "course": 1, "panel": len(PANEL), "file": ROWS}


def log_of(staff: list[Client]) -> list[Tried]:
    """What everybody was told so far."""
    return [tried for one in staff for tried in list(one.log)]


def kept(database: Database, cast: Cast, log: list[Tried]) -> Kept:
    """Hold what people were told against what the database has."""
    with database.reading() as session:
        there = _there(session)
        flags = _unjudged(session, cast.a.clinic)
        fault = examine(session)
    count = {tried: there[tried.kind].get(tried.key, 0) for tried in log}
    return Kept(
        sum(tried.said == STORED for tried in log), sum(tried.said != STORED for tried in log),
        [f"{t.kind} {t.key}" for t in log if t.said == STORED and count[t] < WHOLE[t.kind]],
        [f"{t.kind} {t.key} x {count[t]}" for t in log if count[t] not in (0, WHOLE[t.kind])],
        [f"{t.kind} {t.key}" for t in log if t.said == NOTHING and count[t]],
        flags, str(fault or ""),
    )  # fmt: skip


def _there(session: Session) -> dict[str, dict[str, int]]:
    """By kind and name how many rows there are, in force."""
    named = {
        "patient": "SELECT mrn, 1 FROM patient",
        "course": "SELECT p.mrn, 1 FROM course c JOIN patient p ON p.id = c.patient_id WHERE c.voided_at IS NULL",
        "panel": "SELECT accession, 1 FROM lab_result WHERE retired_at IS NULL",
    }
    found = {kind: dict(Counter(row[0] for row in session.execute(text(sql)))) for kind, sql in named.items()}
    whole = session.execute(select(ImportBatch.filename, ImportBatch.rows_in, ImportBatch.filed))
    batches = {name.removesuffix(".csv"): filed for name, rows, filed in whole if rows == ROWS}
    # A file counts by its rows; one whose batch does not say the same is partial.
    found["file"] = {name: count if batches.get(name) == count else -count for name, count in found["panel"].items()}
    return found


def _unjudged(session: Session, clinic_id: int) -> list[str]:
    """What judging everybody who was worked on again would change: nothing, where each result came with its flags."""
    now = datetime.now(UTC)
    today = now.astimezone(zone_of(session, clinic_id)).date()
    theirs = select(Patient.id).where(Patient.clinic_id == clinic_id, Patient.family_name.in_(WORKED_ON))
    changes = evaluate(session, clinic_id, session.scalars(theirs).all(), now, today, store=False)
    return [f"{patient}: {words}" for patient, words in (*changes.opened, *changes.changed, *changes.cleared)]
