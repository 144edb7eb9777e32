"""tracker demo, tracker serve"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import click
import waitress
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker import create_app, load_settings
from tracker.cli.context import database_url, open_database, operator
from tracker.cli.demo_data import readings
from tracker.cli.working import work_on
from tracker.db import upgrade
from tracker.domain.errors import Refused
from tracker.domain.readings import Row
from tracker.models import Account, Clinic, Patient
from tracker.operations import accounts, configure
from tracker.operations.importing import Importer

DEMO_CLINIC = "dermatology"
DEMO_PASSWORD = "alopecia-areata-2026"  # noqa: S105 - printed on the sign-in page of the demonstration, and only there
PEOPLE = (
    ("nurse", "Nora Nurse", "recorder"),
    ("doctor", "Dr Ng", "clinician"),
    ("second", "Dr Second", "clinician"),
    ("admin", "Ada Admin", "admin"),
    ("deputy", "Dee Deputy", "admin"),  # the second person, who publishes
    ("auditor", "Otto Auditor", "auditor"),
)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, help="The first port to try.")
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--fresh", is_flag=True, help="Begin again with new made-up patients.")
@click.option("--no-serve", is_flag=True, help="Make the database and stop.")
def demo(port: int, host: str, fresh: bool, no_serve: bool) -> None:
    """An embedded database with made-up patients, and a server for it."""
    os.environ["TRACKER_ENV"] = "demo"
    url = _demo_url(fresh)
    os.environ["TRACKER_DATABASE_URL"] = url
    upgrade(url)
    count = _fill(url)
    click.echo(f"{count} made-up patients are in {url.removeprefix('sqlite:///')}.")
    if no_serve:
        return
    port = _free_port(host, port)
    click.echo(f"\n  Jakwatch: http://{host}:{port}/\n")
    for username, name, role in PEOPLE:
        click.echo(f"  {username:8} {DEMO_PASSWORD}   {name}, {role}")
    click.echo("\nStop with Ctrl+C. Nothing entered here concerns a real person.")
    sys.stdout.flush()
    _waitress(host, port, threads=8)


def _demo_url(fresh: bool) -> str:
    """A file of its own: the demonstration's accounts exist in no real database."""
    named = os.environ.get("TRACKER_DATABASE_URL")
    if named:
        return named
    path = Path(database_url().removeprefix("sqlite:///")).with_name("demo.db")
    if fresh:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.anchor"):
            path.with_name(name).unlink(missing_ok=True)
    return f"sqlite:///{path}"


def _fill(url: str) -> int:
    """Clinic, people and patients, unless they are there. Raises Refused over somebody's real data."""
    opened = open_database(url)
    try:
        with opened.transaction() as session:
            if session.scalars(select(Clinic).limit(1)).first() is None:
                _people_and_patients(session)
            elif session.scalars(select(Account).where(Account.username == PEOPLE[0][0])).first() is None:
                raise Refused("This database holds other data: the demonstration uses one of its own.")
        with opened.reading() as session:
            return session.scalar(select(func.count(Patient.id))) or 0
    finally:
        opened.close()


def _people_and_patients(session: Session) -> None:
    actor = operator("demo")
    clinic = configure.add_clinic(session, actor, DEMO_CLINIC, "Dermatology", "Europe/Zurich")
    for username, name, role in PEOPLE:
        accounts.add_account(session, actor, username, name, role, DEMO_PASSWORD, [clinic])
    zone = ZoneInfo(clinic.time_zone)
    importer = Importer(session, actor, [clinic], may_configure=True)
    for kind, found in readings(actor.today(zone), zone).items():
        rows = [Row(number, reading) for number, reading in enumerate(found, 2)]
        report = importer.file("made-up patients", "demo", kind, rows)
        if report.filed != report.rows_in:
            raise Refused(f"The made-up {kind} do not fit: {report.problems[0].message}")
    importer.judge()


def _free_port(host: str, first: int) -> int:
    for port in range(first, min(first + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise Refused(f"Ports {first} to {first + 19} are taken: name another with --port.")


def _waitress(host: str, port: int, threads: int) -> None:
    sign_ins = [(name, role, username, DEMO_PASSWORD) for username, name, role in PEOPLE]
    app = create_app(load_settings() | {"DEMO_SIGN_INS": sign_ins})
    Thread(target=work_on, args=(app.extensions["database"], 1), daemon=True).start()
    waitress.serve(app, host=host, port=port, threads=threads, ident="Jakwatch")


@click.command()
@click.option("--bind", default="127.0.0.1:8000", help="Address and port.")
@click.option("--workers", type=click.IntRange(1, 64), default=2)
@click.option("--jobs/--no-jobs", default=True, help="Also do the long jobs here; else “tracker work” does, elsewhere.")
def serve(bind: str, workers: int, jobs: bool) -> None:
    """The production server (gunicorn); a proxy with TLS stands in front."""
    database_url()  # settings that cannot be read are refused here, with a sentence,
    app = create_app()  # and so are unsafe ones
    if jobs:  # it ends with this process
        subprocess.Popen([sys.executable, "-m", "tracker", "work", "--beside", str(os.getpid())])  # noqa: S603
    _gunicorn(app, bind, workers)


def _gunicorn(app: Flask, bind: str, workers: int) -> None:
    """The application is made once and the workers are forked from it: one that dies is replaced at once, where making
    it anew takes seconds on a busy machine.
    """
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415 - not to be had on Windows, where demo runs

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            # Without a list of requests: their addresses hold what was searched for, and that is about patients.
            self.cfg.set("bind", bind)
            self.cfg.set("workers", workers)
            self.cfg.set("control_socket_disable", True)  # nobody steers it from outside but by signals

        def load(self) -> Flask:
            return app

    app.extensions["database"].close()  # each worker opens connections of its own
    Server().run()
