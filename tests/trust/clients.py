"""Staff at work on the running service, over HTTP, each with a log of its own of what it was told.

Of a piece of work they are told that it is stored, that nothing of it is, or nothing that one could rely on.
"""

import re
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from select import select
from typing import NamedTuple
from urllib.parse import urlencode

from tests.people import PASSWORD

HOST = "jakwatch.test"
TOKEN = re.compile(r'name="csrf[_-]token"[^>]*?(?:value|content)="([^"]+)"')
FILE_TOKEN = re.compile(r'name="token"[^>]*?value="([^"]+)"')
STORED, NOTHING, UNKNOWN = "stored", "nothing", "unknown"
PANEL = (("ANC", "0.4", "10*9/L"), ("HB", "12.1", "g/dL"))
ROWS = 12  # of a file: three tests of four patients
BOUNDARY = "jakwatch-boundary"


class Answer(NamedTuple):
    """`status` 0: no answer came."""

    status: int
    text: str = ""
    location: str = ""
    retry_after: str = ""


class Visitor:
    """A browser behind the proxy with TLS: cookies, and the token of the forms."""

    def __init__(self, port: int, timeout: float = 40) -> None:
        self.port, self.timeout = port, timeout
        self.cookies: dict[str, str] = {}
        self.token = ""

    def ask(
        self, path: str, form: dict[str, object] | None = None, file: tuple[str, str] | None = None, lose: bool = False
    ) -> Answer:
        """One request; `file` is (name, content), sent with the form. `lose`: the answer comes and is not read."""
        headers = {
            "Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": HOST,
            "Referer": f"https://{HOST}{path}", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
        }  # fmt: skip
        body, headers["Content-Type"] = self._body(form, file)
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)) as connection:
                connection.request("GET" if body is None else "POST", path, body, headers)
                if lose:
                    select([connection.sock], [], [], self.timeout)
                    return Answer(0)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
        except (OSError, HTTPException):
            return Answer(0)
        for told in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: part.value for name, part in SimpleCookie(told).items()}
        if found := TOKEN.search(text):
            self.token = found[1]
        return Answer(answer.status, text, answer.headers["Location"] or "", answer.headers["Retry-After"] or "")

    def _body(self, form: dict[str, object] | None, file: tuple[str, str] | None) -> tuple[bytes | None, str]:
        if form is None and file is None:
            return None, ""
        if file is None:
            return urlencode({"csrf_token": self.token, **(form or {})}, doseq=True).encode(), (
                "application/x-www-form-urlencoded"
            )
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{self.token}\r\n',
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{file[0]}"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n{file[1]}\r\n--{BOUNDARY}--\r\n",
        ]
        return "".join(parts).encode(), f"multipart/form-data; boundary={BOUNDARY}"

    def sign_in(self, username: str) -> None:
        self.ask("/sign-in")
        answer = self.ask("/sign-in", {"username": username, "password": PASSWORD})
        if answer.status != 303:
            raise RuntimeError(f"{username} could not sign in: {answer.status} {answer.text[-500:]}")
        self.ask("/account")


class Tried(NamedTuple):
    """A piece of work by its kind and name, and what was said of it."""

    kind: str
    key: str
    said: str


def patient_form(mrn: str) -> dict[str, object]:
    return {"mrn": mrn, "family_name": "Trusty", "sex": "female", "birth_date": "1990-01-01"}


def panel_form(accession: str, days_ago: int) -> dict[str, object]:
    """A panel of that day; the accession number is its name here."""
    day = (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()
    codes, values, units = (list(column) for column in zip(*PANEL, strict=True))
    blank = [""] * len(PANEL)
    return {
        "day": day, "accession": accession, "analyte": codes, "value": values, "unit": units, "low": blank,
        "high": blank, "do": "save", "confirmed": "1",
    }  # fmt: skip


def table(patients: list[str], accession: str, days_ago: int) -> str:
    """A file of ROWS rows under that accession number."""
    day = (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()
    tests = (("ANC", "0.9", "10*9/L"), ("HB", "10.1", "g/dL"), ("PLT", "90", "10*9/L"))
    rows = [f"{mrn},{day},{code},{value},{unit},{accession}" for mrn in patients for code, value, unit in tests]
    return "\n".join(["mrn,collected_at,analyte,value,unit,accession", *rows, ""])


class Client(threading.Thread):
    """Somebody who works until told to stop. `wrong`: answers that nobody may get, whatever happens."""

    def __init__(self, port: int, username: str) -> None:
        super().__init__(daemon=True)
        self.username, self.visitor = username, Visitor(port)
        self.visitor.sign_in(username)
        self.done = threading.Event()
        self.log: list[Tried] = []
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.moments: list[float] = []  # of each acknowledgement

    def send(
        self, path: str, form: dict[str, object] | None = None, file: tuple[str, str] | None = None,
        work: tuple[str, str] | None = None, good: int = 303,
    ) -> Answer | None:  # fmt: skip
        """The answer where it was the good one. `work`: (kind, name) of what it stores, for the log."""
        answer = self.visitor.ask(path, form, file)
        self.statuses[answer.status] += 1
        fine = answer.status == good and not answer.location.startswith("/sign-in")
        said = STORED if fine else self._said(answer, path)
        if work:
            self.log.append(Tried(*work, said))
        if fine:
            self.moments.append(time.monotonic())
            return answer
        time.sleep(0.1)
        return None

    def _said(self, answer: Answer, path: str) -> str:
        if answer.status == 503 and answer.retry_after:
            return NOTHING if "Nothing was stored" in answer.text else UNKNOWN
        if answer.status:
            told = re.sub(r"<[^>]+>|\s+", " ", answer.text.partition("<main")[2])[:200]
            self.wrong.append(f"{path} answered {answer.status} {answer.location} {told}")
        return UNKNOWN

    def step(self, number: int) -> None:
        raise NotImplementedError

    def run(self) -> None:
        number = 0
        while not self.done.is_set():
            self.step(number)
            number += 1


class Recorder(Client):
    """Enrols a patient, starts the drug, and enters two panels; what did not come to an end is left as it is."""

    def step(self, number: int) -> None:
        mrn = f"{self.username}-{number:05}"
        enrolled = self.send("/patients/new", patient_form(mrn), work=("patient", mrn))
        if enrolled is None:
            return
        path = enrolled.location.partition("?")[0]
        started = (datetime.now(UTC).date() - timedelta(days=20)).isoformat()
        course: dict[str, object] = {"protocol_id": "tofacitinib_us", "indication": "alopecia areata"}
        course |= {"started_on": started, "dose_mg": "5", "times_per_day": "2"}
        self.send(f"{path}/courses/new", course, work=("course", mrn))
        for part in (1, 2):
            name = f"{mrn}-{part}"
            self.send(f"{path}/labs/new", panel_form(name, 10 - part), work=("panel", name))


class Importer(Client):
    """Sends one file after another about the same patients."""

    def __init__(self, port: int, username: str, patients: list[str]) -> None:
        super().__init__(port, username)
        self.patients = patients

    def step(self, number: int) -> None:
        name = f"{self.username}-{number:05}"
        content = table(self.patients, name, 1 + number % 5)
        shown = self.send("/imports/preview", {}, (f"{name}.csv", content), good=200)
        found = FILE_TOKEN.search(shown.text) if shown else None
        if found:
            self.send("/imports/file", {"token": found[1]}, work=("file", name))
