"""The same comes twice (R9): the answer was lost and the form is sent again, a button is pressed twice, a message or a
file comes once more. It is stored once, and whoever sent it is told that it is there.
"""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from select import select

from sqlalchemy import text

from tests.trust import service
from tests.trust.clients import FILE_TOKEN, ROWS, Answer, Visitor, panel_form, patient_form, table
from tests.trust.lines import Line
from tests.trust.service import Running, patients_of, running
from tracker.cli.listening import Server
from tracker.formats.hl7v2.mllp import END, START

# What there is of each piece of work, and how many rows of it there may be.
STORED = {
    "patient": ("SELECT count(*) FROM patient WHERE mrn = :name", 1),
    "course": ("SELECT count(*) FROM course c JOIN patient p ON p.id = c.patient_id WHERE p.mrn = :name", 1),
    "panel": ("SELECT count(*) FROM lab_result WHERE accession = :name", 2),
    "event": ("SELECT count(*) FROM adverse_event WHERE term = :name", 1),
    "correction": ("SELECT count(*) FROM lab_result WHERE accession = :name", 3),  # one version more
    "file": ("SELECT count(*) FROM lab_result WHERE accession = :name", ROWS),
    "message": ("SELECT count(*) FROM lab_result WHERE accession = :name", 1),
}
FINE = (303, 409, 422)  # stored; told that it is there already
MESSAGE = (
    "MSH|^~\\&|LIS|Aspen|Jakwatch|Clinic|{day}101500||ORU^R01|{name}|P|2.5\r"
    "PID|1||{mrn}^^^Clinic^MR||Filed||19800101|M\r"
    "OBR|1||{name}|CBC|||{day}083000\r"
    "OBX|1|NM|751-8^Neutrophils^LN||1.4|10*3/uL|2.0-8.25|L|||F\r"
)


class Twice:
    """Everything twice, and what became of it."""

    def __init__(self, here: Running) -> None:
        self.here = here
        self.visitors = [Visitor(here.service.port), Visitor(here.service.port)]
        for visitor in self.visitors:
            visitor.sign_in("r0")
        self.tries = 0
        self.wrong: list[str] = []

    def cycle(self, number: int) -> None:
        """Each kind of work once, by turns with a lost answer and with a button pressed twice."""
        mrn = f"TW-{number:05}"
        clicked = number % 2 == 1
        self._form("patient", mrn, "/patients/new", patient_form(mrn), clicked)
        key = self._one("SELECT id FROM patient WHERE mrn = :name", mrn)
        started = (datetime.now(UTC).date() - timedelta(days=20)).isoformat()
        course: dict[str, object] = {"protocol_id": "tofacitinib_us", "started_on": started}
        self._form("course", mrn, f"/patients/{key}/courses/new", course, clicked)
        self._form("panel", mrn, f"/patients/{key}/labs/new", panel_form(mrn, 4), clicked)
        event: dict[str, object] = {"kind": "infection", "term": mrn, "onset_on": started, "still": "yes"}
        self._form("event", mrn, f"/patients/{key}/events/new", event, clicked)
        result = self._one("SELECT min(id) FROM lab_result WHERE accession = :name", mrn)
        form = panel_form(mrn, 4)
        corrected: dict[str, object] = {
            "value": "0.6", "unit": "10*9/L", "day": form["day"], "accession": mrn, "reason": "typed wrongly",
            "confirmed": "1",
        }  # fmt: skip
        self._form("correction", mrn, f"/results/{result}/correct", corrected, clicked)
        self._file(f"{mrn}-F", clicked)
        self._message(f"{mrn}-M")

    def _form(self, kind: str, name: str, path: str, form: dict[str, object], clicked: bool) -> None:
        if clicked:
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda visitor: visitor.ask(path, form), self.visitors))
        else:
            self.visitors[0].ask(path, form, lose=True)
            answers = [self.visitors[0].ask(path, form)]
        self._judge(kind, name, answers)

    def _file(self, name: str, clicked: bool) -> None:
        """Filed, with the answer lost or by two clicks; and then the whole file once more."""
        content = table(patients_of(0), name, 2)
        asked = self._preview(name, content)
        if clicked:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: self.visitors[0].ask("/imports/file", asked), range(2)))
        else:
            self.visitors[0].ask("/imports/file", asked, lose=True)
        self._judge("file", name, [self.visitors[0].ask("/imports/file", self._preview(name, content))])

    def _preview(self, name: str, content: str) -> dict[str, object]:
        shown = self.visitors[0].ask("/imports/preview", {}, (f"{name}.csv", content))
        found = FILE_TOKEN.search(shown.text)
        return {"token": found[1] if found else ""}

    def _message(self, name: str) -> None:
        day = f"{datetime.now(UTC).date() - timedelta(days=2):%Y%m%d}"
        sent = START + MESSAGE.format(day=day, name=name, mrn=patients_of(0)[0]).encode() + END
        with Server(self.here.owner, "127.0.0.1", 0, "A") as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            _deliver(server, sent, lose=True)
            told = _deliver(server, sent)
            server.shutdown()
        self._judge("message", name, [Answer(303 if "MSA|AA|" in told else 500, told)])

    def _judge(self, kind: str, name: str, answers: list[Answer]) -> None:
        self.tries += 1
        sql, whole = STORED[kind]
        count = self._one(sql, name)
        if count != whole:
            self.wrong.append(f"{kind} {name}: {count} rows of {whole}")
        statuses = [answer.status for answer in answers]
        if not set(statuses) <= set(FINE) or (len(statuses) == 2 and 303 not in statuses):
            self.wrong.append(f"{kind} {name} answered {statuses} {answers[-1].text[:200]}")

    def _one(self, sql: str, name: str) -> int:
        with self.here.owner.reading() as session:
            return int(session.execute(text(sql), {"name": name}).scalar() or 0)


def _deliver(server: Server, sent: bytes, lose: bool = False) -> str:
    """The answer to a message; `lose`: it comes and is not read."""
    with closing(socket.create_connection(server.server_address[:2], timeout=30)) as sender:
        sender.sendall(sent)
        if lose:
            select([sender], [], [], 30)
            return ""
        got = b""
        while not got.endswith(END):
            got += sender.recv(4096) or END
        return got.decode()


def check(full: bool) -> Iterator[Line]:
    for kind in service.KINDS:
        with running(kind) as here:
            twice = Twice(here)
            number = 0
            while twice.tries < (2500 if full else 100):
                twice.cycle(number)
                number += 1
        figure = f"{twice.tries} came twice, by 7 doors: {len(twice.wrong)} stored otherwise than once or refused"
        yield Line("R9", f"the same comes twice, {kind}", figure, "0", not twice.wrong, "; ".join(twice.wrong[:3]))
