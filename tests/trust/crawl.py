"""Every page by the map of addresses: what an answer carries, what markup does in it, what odd forms bring about."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from tests.people import Cast, seed
from tests.trust.lines import Line
from tests.trust.staff import application
from tests.web.test_access import MATRIX, address, client_of
from tracker.db import Database, upgrade

ROLES = ("recorder", "clinician", "admin", "auditor")
LEAKS = re.compile(r"Traceback \(most recent|sqlalchemy\.|psycopg|sqlite3\.|site-packages|/tracker/\w+\.py")
FOREIGN = ("iframe", "object", "embed", "base", "style", "math")  # elements that no template of ours has
LEADS = ("href", "src", "action", "formaction", "srcdoc", "content")
SCHEMES = {"", "http", "https"}

# What somebody might type where something else is meant; none of it may be more than refused.
ODD: tuple[str, ...] = (
    "", " ", "0", "-1", "1", "999999999999999999999", "9223372036854775808", "1e999", "NaN", "Infinity", "0x10", "1,5",
    "5,3", "<5", "١٢٣", "½", "9" * 400, "a" * 5000, "é" * 300, "2026-02-30", "0000-00-00", "9999-12-31", "2026-02-09",
    "24:61", "' OR 1=1 --", '"; DROP TABLE patient; --', "%27", "%%%s", "{0.__class__}", "{{7*7}}", "<script>alert(1)",
    "../../etc/passwd", "\u202etxt", "\u2028", "\ufeff", "\r\nSet-Cookie: x=1", "null", "true", "[]", "{}", "on", "1:1",
    "1:99", "x:y", "\u0660", "🩸", "\x1b[31m", "=1+1", "tofacitinib_us", "hold", "female", "ANC", "10*9/L",
)  # fmt: skip
TEXTS = ("text/", "application/json", "application/fhir", "application/xml")
ARGUMENTS = (
    "q", "after", "before", "since", "until", "actor", "mrn", "record", "severity", "rule", "owner", "clinic_id",
    "sort", "show", "next", "notice", "from", "analyte", "laboratory", "day", "status", "page",
)  # fmt: skip


def words(answer: TestResponse) -> str:
    """What an answer says, "" where it is no text: a report that was kept, a sheet of paper."""
    return answer.get_data(as_text=True) if answer.mimetype.startswith(TEXTS) else ""


@dataclass
class World:
    """The application, its people and records, and a browser for each role."""

    app: Flask
    database: Database
    cast: Cast
    clients: dict[str, tuple[FlaskClient, str]] = field(default_factory=dict)

    def ask(self, role: str, path: str, method: str = "GET", **more: Any) -> TestResponse:
        """By that role's browser; one that was signed out meanwhile signs in first."""
        for _ in range(2):
            if role not in self.clients:
                self.clients[role] = client_of(self.app, self.database, self.cast, role)
            client, token = self.clients[role]
            given = dict(more)
            if method == "POST" and "data" in given:
                given["data"] = {"csrf_token": token, **given["data"]}
            answer = client.open(path, method=method, buffered=True, **given)
            if not answer.headers.get("Location", "").startswith("/sign-in"):
                break
            del self.clients[role]
        return answer

    def addresses(self, method: str) -> Iterator[tuple[str, str]]:
        """(endpoint, address) of every rule that takes the method, with the records of clinic A in it."""
        for endpoint, told in MATRIX.items():
            if method in told:
                yield endpoint, address(self.app, endpoint, self.cast.a, told.get("url", {}))

    def each_page(self) -> Iterator[tuple[str, TestResponse]]:
        """(address, answer) of every address that is read, as one who may."""
        for endpoint, path in self.addresses("GET"):
            yield path, self.ask(next(role for role in (*ROLES, *may(endpoint)) if role in may(endpoint)), path)

    def pages(self) -> Iterator[tuple[str, str, str, TestResponse]]:
        """(endpoint, role, address, answer) of every address that is read, as every role."""
        for endpoint, path in self.addresses("GET"):
            for role in ROLES:
                yield endpoint, role, path, self.ask(role, path)


@contextmanager
def over(url: str, uploads: str) -> Iterator[World]:
    """The application over a database without tables, which it fills with people and records."""
    upgrade(url)
    app = application(url, UPLOAD_FOLDER=uploads)
    database: Database = app.extensions["database"]
    logging.disable(logging.CRITICAL)  # refusals by the thousand
    try:
        yield World(app, database, seed(database))
    finally:
        logging.disable(logging.NOTSET)
        database.close()


@contextmanager
def clinic() -> Iterator[World]:
    """The application over a fresh SQLite file with people and records."""
    with (
        TemporaryDirectory(prefix="jakwatch-trust-") as folder,
        over(f"sqlite:///{folder}/jakwatch.db", f"{folder}/uploads") as world,
    ):
        yield world


def check(full: bool) -> Iterator[Line]:
    with clinic() as world:
        outcome = fuzz(world, 100_000 if full else 3_000, seed=2)
    slow = outcome.percentile(0.99)
    figure = (
        f"{outcome.sent} requests to {len(outcome.endpoints)} addresses: {len(outcome.wrong)} failed or told too much,"
        f" p99 {1000 * slow:.0f} ms"
    )
    passed, told = not outcome.wrong and slow < 1, "; ".join(outcome.wrong[:3])
    yield Line("R13", "odd forms and addresses", figure, "0, and p99 below 1000 ms", passed, told)


# ---------------------------------------------------------------------------------------------- markup


def strange_markup(page: str, mark: str) -> list[str]:
    """What stands in the page that no template of ours wrote: elements, handlers, addresses of other kinds."""
    found = []
    for element in BeautifulSoup(page, "html5lib").find_all(True):
        told = f"<{element.name} {' '.join(element.attrs)}>"[:200]
        if mark in element.name or element.name in FOREIGN or element.get("http-equiv"):
            found.append(told)
        if element.name == "script" and (not element.get("src") or element.get_text().strip()):
            found.append(f"{told} {element.get_text()[:80]}")
        for name, value in element.attrs.items():
            if name.startswith("on") or mark in name or name == "style" or (name in LEADS and mark in str(value)):
                found.append(f"{told}: {name}")
            if name in LEADS and not _leads_to_a_page(str(value)):
                found.append(f"{told}: {value[:80]}")
    return found


def _leads_to_a_page(target: str) -> bool:
    return urlsplit(target).scheme in SCHEMES or target.startswith("data:image/svg+xml,%3Csvg xmlns=")  # the icon


# ---------------------------------------------------------------------------------------------- odd forms


@dataclass
class Fuzzed:
    """How many requests were sent, what came back by its status, how long they took (seconds), and what was wrong."""

    sent: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    endpoints: set[str] = field(default_factory=set)

    def percentile(self, share: float) -> float:
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


def forms(world: World) -> dict[str, dict[str, list[str]]]:
    """The fields of every form on every page, with the values they stood there with, by the endpoint they go to."""
    found: dict[str, dict[str, list[str]]] = {endpoint: {} for endpoint, _ in world.addresses("POST")}
    known = world.app.url_map.bind("localhost")
    for path, answer in world.each_page():
        if answer.mimetype != "text/html":
            continue
        for form in BeautifulSoup(words(answer), "html5lib").find_all("form"):
            target = urlsplit(form.get("action") or path).path
            try:
                endpoint, _ = known.match(target, method="POST")
            except HTTPException:
                continue  # a form that is sent by GET: a search
            for part in form.select("[name]"):
                values = found.setdefault(endpoint, {}).setdefault(str(part["name"]), [])
                if (value := part.get("value")) and value not in values:
                    values.append(str(value))
    return found


def fuzz(world: World, requests: int, seed: int = 1) -> Fuzzed:
    """Odd values in every form, every address and every search, as whoever may use them."""
    dice, outcome, known = Random(seed), Fuzzed(), forms(world)
    posts, gets = list(world.addresses("POST")), list(world.addresses("GET"))
    while outcome.sent < requests:
        if dice.random() < 0.7:
            endpoint, path = dice.choice(posts)
            _send(world, outcome, endpoint, path, dice, data=_odd_form(known[endpoint], MATRIX[endpoint], dice))
        else:
            endpoint, path = dice.choice(gets)
            asked = {dice.choice(ARGUMENTS): dice.choice(ODD) for _ in range(dice.randrange(4))}
            _send(world, outcome, endpoint, _odd_path(path, dice), dice, query_string=asked)
    return outcome


def _odd_form(fields: dict[str, list[str]], told: dict[str, Any], dice: Random) -> dict[str, Any]:
    data: dict[str, Any] = {
        name: dice.choice(values) if values else "" for name, values in fields.items() if name != "csrf_token"
    }
    data |= {name: str(value) for name, value in told.get("form", {}).items()}
    for name in list(data):
        if dice.random() < 0.4:
            data[name] = dice.choice(ODD) if dice.random() < 0.8 else [dice.choice(ODD) for _ in range(3)]
        elif dice.random() < 0.1:
            del data[name]
    if dice.random() < 0.2:
        data[dice.choice(ARGUMENTS)] = dice.choice(ODD)
    return data


def _odd_path(path: str, dice: Random) -> str:
    if dice.random() < 0.8:
        return path
    return re.sub(r"\d+", lambda _: dice.choice(("0", "999999", "9" * 30, "-1", "x", "%00", "1%2f..")), path, count=1)


def _send(world: World, outcome: Fuzzed, endpoint: str, path: str, dice: Random, **more: Any) -> None:
    role = dice.choice([role for role in ROLES if role in may(endpoint)] or list(ROLES))
    method = "POST" if "data" in more else "GET"
    begun = time.perf_counter()
    answer = world.ask(role, path, method, **more)
    outcome.seconds.append(time.perf_counter() - begun)
    outcome.sent += 1
    outcome.endpoints.add(endpoint)
    outcome.statuses[answer.status_code] = outcome.statuses.get(answer.status_code, 0) + 1
    if answer.status_code >= 500 or LEAKS.search(words(answer)):
        outcome.wrong.append(f"{answer.status_code} {role} {method} {path} {more}")


def may(endpoint: str) -> list[str]:
    """The roles to whom the matrix does not refuse it."""
    told = MATRIX[endpoint]
    cells = next(told[method] for method in ("GET", "POST") if method in told)
    return [role for role, expected in cells["own"].items() if expected != "refused"]
