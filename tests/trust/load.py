"""A clinic at work (R25): 10,000 patients with 600,000 results, gunicorn as it is shipped, and 50 people at it. One
patient in ten waits for a decision, because nobody screened them.

Each thinks for two seconds between two pages. What is measured is the time to the last byte, from outside.
"""

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.world import NOW, PANEL, World, build, value
from deploy.rehearse import HOST, Service, free_port
from tests.desk import SCREENED
from tests.people import add_account
from tests.trust.lines import Line
from tracker.models import Clinic, LabResult, Observation
from tracker.operations.accounts import start_session
from tracker.operations.evaluate import evaluate

OBSERVED = {"zoster_vaccine": "complete", "boxed_risk": "none", "pregnancy_status": "not pregnant"}
PATIENTS, USERS, THINKING = 10_000, 50, 2.0
BOUNDS = {"read": 0.3, "write": 0.5, "queue": 0.4}  # seconds, of which 95 of 100 answers stay below
TOKEN = re.compile(r'name="csrf[_-]token"[^>]*?(?:value|content)="([^"]+)"')
FLAG = re.compile(r'name="flag"[^>]*?value="([^"]+)"')
PAGES = ("/patients/{}", "/patients/{}", "/patients/{}/review", "/patients/{}/timeline", "/patients/{}/labs/new",
         "/patients?q={}", "/due", "/labs?q={}")  # fmt: skip


@dataclass
class Times:
    """Seconds of each answer, by kind and by page; and answers that were no answer."""

    kinds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return sum(map(len, self.kinds.values()))


def percentile(seconds: list[float], share: float = 0.95) -> float:
    return sorted(seconds)[int(share * (len(seconds) - 1))] if seconds else 0.0


class User(threading.Thread):
    """Somebody who opens one page after another, and now and then saves or decides."""

    def __init__(self, port: int, cookie: str, seed: int, times: Times) -> None:
        super().__init__(daemon=True)
        self.port, self.cookie, self.times, self.until = port, cookie, times, 0.0
        self.dice, self.token = Random(seed), ""

    def run(self) -> None:
        time.sleep(self.dice.random() * THINKING)
        while time.monotonic() < self.until:
            self.something()
            time.sleep(self.dice.uniform(0.5, 1.5) * THINKING)

    def something(self) -> None:
        patient, chance = self.dice.randrange(1, PATIENTS), self.dice.random()
        if chance < 0.3:
            self.ask("queue", "/", "/")
        elif chance < 0.9:
            page = self.dice.choice(PAGES)
            self.ask("read", page, page.format(patient))
        elif chance < 0.97:
            self.save(patient)
        else:
            keys = FLAG.findall(self.ask("read", "/patients/{}/review", f"/patients/{patient}/review"))
            if keys:
                form = {"flag": keys[:1], "action": "acknowledge"}
                self.ask("write", "POST review", f"/patients/{patient}/review", form, (303, 409, 422))

    def save(self, patient: int) -> None:
        """A panel of fifteen, of a minute of its own."""
        at = datetime.now(UTC) - timedelta(minutes=self.dice.randrange(3000, 30_000))
        values = [format(value(self.dice, code), "f") for code in PANEL]
        units, codes = [told[0] for told in PANEL.values()], list(PANEL)
        form = {
            "day": at.date().isoformat(), "time": f"{at:%H:%M}", "analyte": codes, "value": values, "unit": units,
            "low": [""] * len(codes), "high": [""] * len(codes), "do": "save",
            "confirm": [f"{c}|{v}|{u}" for c, v, u in zip(codes, values, units, strict=True)],
        }  # fmt: skip
        self.ask("write", "POST labs", f"/patients/{patient}/labs/new", form, (303,))

    def ask(
        self, kind: str, page: str, path: str, form: dict[str, Any] | None = None, fine: tuple[int, ...] = (200,)
    ) -> str:
        headers = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": HOST,
                   "Cookie": self.cookie, "Referer": f"https://{HOST}{path}"}  # fmt: skip
        body = None
        if form is not None:
            body = urlencode({"csrf_token": self.token, **form}, doseq=True)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        begun = time.monotonic()
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
                connection.request("POST" if body else "GET", path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as fault:
            self.times.errors.append(f"{page}: {type(fault).__name__} {fault}")
            return ""
        for held in (self.times.kinds[kind], self.times.pages[page]):
            held.append(time.monotonic() - begun)
        if answer.status not in fine:
            self.times.errors.append(f"{page}: {answer.status} {answer.headers.get('Location', '')}")
        if found := TOKEN.search(text):
            self.token = found[1]
        return text


def judged_world(folder: Path, patients: int = PATIENTS) -> World:
    """The benchmark's database as a clinic's is: nine of ten patients were screened, and all are judged."""
    world = build(folder, patients, 0)
    for start in range(1, patients + 1, 1000):
        ids = range(start, min(start + 1000, patients + 1))
        with world.database.transaction() as session:
            _screen(session, [id for id in ids if id % 10])
            evaluate(session, world.clinic_id, ids, NOW, NOW.date())
    return world


def _screen(session: Session, ids: list[int]) -> None:
    """What a start asks for, on record a year ago, so that these patients wait for nothing but their values."""
    on = NOW.date() - timedelta(days=290)
    at = datetime(on.year, on.month, on.day, 9, tzinfo=UTC)
    told = {"collected_at": at, "collected_on": on, "time_known": True, "comparator": "", "unit": "", "status": "final",
            "text": "negative", "origin": "benchmark", "recorded_at": NOW}  # fmt: skip
    results = [{"patient_id": id, "analyte": code, "subject": code} | told for id in ids for code in SCREENED]
    session.execute(insert(LabResult), results)
    seen = {"on": on, "recorded_at": NOW}
    session.execute(
        insert(Observation),
        [{"patient_id": id, "kind": kind, "value": said} | seen for id in ids for kind, said in OBSERVED.items()],
    )


def cookies(world: World, users: int) -> list[str]:
    """A session for each of so many clinicians."""
    with world.database.transaction() as session:
        clinic, now = session.get_one(Clinic, world.clinic_id), datetime.now(UTC)
        people = [add_account(session, f"user{n}", f"User {n}", "clinician", clinic) for n in range(users)]
        return [f"__Host-jakwatch={start_session(session, person.id, now)}" for person in people]


@contextmanager
def served(world: World, folder: Path) -> Iterator[int]:
    """gunicorn with two workers over that database; its port."""
    service = Service(folder, world.database.url, free_port())
    service.start()
    try:
        yield service.port
    finally:
        service.stop()


def work(port: int, held: list[str], seconds: float) -> Times:
    times = Times()
    users = [User(port, cookie, seed, times) for seed, cookie in enumerate(held)]
    for user in users:
        user.ask("first", "/account", "/account")  # the workers have started, and the forms their token
    until = time.monotonic() + seconds
    for user in users:
        user.until = until
        user.start()
    for user in users:
        user.join()
    times.kinds.pop("first")
    times.pages.pop("/account")
    return times


def measure(patients: int, users: int, seconds: float) -> tuple[World, Times]:
    with TemporaryDirectory(prefix="jakwatch-load-") as name:
        folder = Path(name)
        world = judged_world(folder, patients)
        held = cookies(world, users)
        world.database.close()
        with served(world, folder) as port:
            return world, work(port, held, seconds)


def check(full: bool) -> Iterator[Line]:
    seconds = 1800 if full else 60
    world, times = measure(PATIENTS, USERS, seconds)
    for kind, bound in BOUNDS.items():
        seen = times.kinds[kind]
        half, most = percentile(seen, 0.5), percentile(seen)
        figure = f"{len(seen)} answers: p50 {half * 1000:.0f} ms, p95 {most * 1000:.0f} ms"
        yield Line(
            "R25",
            f"{kind}, {world.results} results, {USERS} people",
            figure,
            f"p95 below {bound * 1000:.0f} ms",
            most < bound,
            _slowest(times),
        )
    figure = f"{times.requests} requests in {seconds} s, load {os.getloadavg()[0]:.1f}: {len(times.errors)} errors"
    yield Line("R25", "answers that are none", figure, "0", not times.errors, "; ".join(times.errors[:3]))


def _slowest(times: Times) -> str:
    """Every page with its percentile, the slowest first."""
    found = sorted(((percentile(seen), page) for page, seen in times.pages.items()), reverse=True)
    return ", ".join(f"{page} {most * 1000:.0f} ms" for most, page in found)
