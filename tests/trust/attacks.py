"""Files and requests made to take the time or the memory of the machine (R26): each is refused before it does.

Each is tried in a process of its own, so that what it takes can be told apart: seconds of the processor, and how far
the memory grew above what was there.
"""

import gzip
import io
import os
import resource
import zipfile
from collections.abc import Callable, Iterator
from json import dumps, loads
from time import process_time
from typing import NamedTuple

from tests.formats.files import opened
from tests.formats.test_workbook import RESULTS, book, reaching
from tests.trust.crawl import World, clinic
from tests.trust.lines import Line
from tracker.domain.errors import Refused

SECONDS, MEGABYTES = 1.0, 100
HEAD = b"mrn,collected_at,analyte,value,unit\n"
MSH = b"MSH|^~\\&|LIS|Lab|J|C|20260301||ORU^R01|1|P|2.5\r"
FHIR = b'<Patient xmlns="http://hl7.org/fhir">'
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 20))


def _with_part(name: str, content: bytes) -> bytes:
    """A workbook with one part more, or another in its place."""
    whole, made = zipfile.ZipFile(io.BytesIO(book(R=RESULTS))), io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for part in (part for part in whole.namelist() if part != name):
            package.writestr(part, whole.read(part))
        package.writestr(name, content)
    return made.getvalue()


def _many_parts() -> bytes:
    made = io.BytesIO(book(R=RESULTS))
    with zipfile.ZipFile(made, "a") as package:
        for number in range(3000):
            package.writestr(f"part{number}", b"")
    return made.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "workbook, one cell in the far corner": lambda: reaching("XFD1048576"),
    "workbook, one cell in the last row": lambda: reaching("A1048576"),
    "workbook, zeros": lambda: _with_part("xl/theme/theme1.xml", bytes(200 << 20)),
    "workbook, shared texts": lambda: _with_part("xl/sharedStrings.xml", b"<sst>" + b"<si><t>a</t></si>" * 5_000_000),
    "workbook, thousands of parts": _many_parts,
    "gzip, zeros": lambda: gzip.compress(bytes(1 << 28)) * 4,
    "gzip, empty lines": lambda: gzip.compress(HEAD) + gzip.compress(b"\n" * (1 << 26)) * 20,
    "gzip, empty rows": lambda: gzip.compress(HEAD) + gzip.compress(b",,,,\n" * (1 << 23)) * 30,
    "gzip in gzip": lambda: gzip.compress(gzip.compress(bytes(1 << 28))),
    "JSON, nested": lambda: b'{"resourceType":"Bundle","entry":' + b"[" * 1_000_000,
    "JSON, small lists": lambda: b'{"resourceType":"Bundle","entry":[' + b"[]," * 10_000_000 + b"[]]}",
    "JSON, a long number": lambda: b'{"resourceType":"Observation","valueInteger":' + b"9" * 1_000_000 + b"}",
    "XML, entities of entities": lambda: b"<!DOCTYPE a [" + LAUGHS + b"]>" + FHIR + b"&l19;</Patient>",
    "XML, small elements": lambda: FHIR + b"<a/>" * 5_000_000 + b"</Patient>",
    "XML, attributes": lambda: FHIR[:-1] + b"".join(b' a%d="1"' % n for n in range(100_000)) + b"/>",
    "HL7, small segments": lambda: MSH + b"OBX|1\r" * 2_000_000,
    "HL7, repetitions": lambda: MSH + b"PID|1||" + b"a~" * 1_000_000 + b"\rOBX|1|NM|777-3^P^LN||5|10*9/L|||||F\r",
    "CSV, columns": lambda: HEAD[:-1] + b",c" * 200_000 + b"\n" + b"1," * 200_000,
    "CSV, one line": lambda: HEAD + b"x" * 20_000_000,
    "CSV, quotation marks": lambda: HEAD + b'"' * 1_000_000,
}
NASTY = {
    "search": ("/patients?q=" + "%25_" * 1000, None),
    "spaces": ("/labs?q=" + "%20a" * 2000, None),
    "fields, a million": ("labs/new", "&".join(f"a{n}=1" for n in range(1_000_000))),
    "fields, 30,000 values": ("labs/new", "&".join("value=1" for _ in range(30_000))),
    "a block of digits": ("labs/new", "day=2026-02-01&do=paste&block=" + "1,111" * 200_000),
    "a block of signs": ("labs/new", "day=2026-02-01&do=paste&block=" + "%3C%3D%09ANC" * 30_000),
    "a number of groups": ("labs/preview", "day=2026-02-01&analyte=ANC&unit=&value=" + "1,111." * 100_000),
    "a long password": ("/sign-in", "username=alice&password=" + "x" * 4_000_000),
}
"""Address (of a page of the patient where it has no slash), and the form that is sent, if any."""


class Cost(NamedTuple):
    """What an attack took, and what became of it: a sentence, or a status."""

    name: str
    seconds: float
    megabytes: float
    outcome: str

    @property
    def too_much(self) -> bool:
        return self.seconds > SECONDS or self.megabytes > MEGABYTES or self.outcome.startswith("failed")


def cost(name: str, attack: Callable[[], str]) -> Cost:
    """Carry it out in a process of its own, with an end to its memory and time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        os.write(writing, dumps(_measured(attack)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    return Cost(name, *(loads(told) if told else (60.0, 4096.0, "failed: the process ended")))


def _measured(attack: Callable[[], str]) -> tuple[float, float, str]:
    before, begun = _grown(), process_time()
    try:
        outcome = attack()
    except Exception as fault:  # whatever it is, it is no refusal
        outcome = f"failed: {type(fault).__name__} {fault}"[:300]
    return process_time() - begun, _grown() - before, outcome


def _grown() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(content: bytes) -> str:
    try:
        rows = list(opened(content).rows)
    except Refused as why:
        return str(why)
    kept = sum(row.reading is not None for row in rows)
    return "refused row by row" if not kept else f"{kept} rows were read"


def files() -> Iterator[Cost]:
    for name, make in FILES.items():
        content = make()
        yield cost(name, lambda content=content: read(content))  # type: ignore[misc]


def requests(world: World) -> Iterator[Cost]:
    """As somebody signed in, whose forms are right."""
    world.ask("recorder", "/account")
    for name, (path, body) in NASTY.items():
        where = path if path.startswith("/") else f"/patients/{world.cast.a.patient}/{path}"
        yield cost(name, lambda where=where, body=body: _sent(world, where, body))  # type: ignore[misc]


def _sent(world: World, path: str, body: str | None) -> str:
    client, token = world.clients["recorder"]
    if body is None:
        answer = client.get(path)
    else:
        kind = "application/x-www-form-urlencoded"
        answer = client.post(path, data=f"csrf_token={token}&{body}", content_type=kind)
    return f"failed: {answer.status}" if answer.status_code >= 500 else answer.status


def all_of_them() -> list[Cost]:
    with clinic() as world:
        return [*files(), *requests(world)]


def check(_full: bool) -> Iterator[Line]:
    found = all_of_them()
    most = [max(found, key=lambda one: one.seconds), max(found, key=lambda one: one.megabytes)]
    figure = (
        f"{len(found)} attacks: at most {most[0].seconds:.2f} s of the processor ({most[0].name}) and"
        f" {most[1].megabytes:.0f} MB more ({most[1].name})"
    )
    wrong = [f"{one.name}: {one.seconds:.2f} s, {one.megabytes:.0f} MB, {one.outcome}" for one in found if one.too_much]
    wanted = f"{SECONDS:.0f} s and {MEGABYTES} MB at most"
    yield Line("R26", "bombs, and requests that are one", figure, wanted, not wrong, "; ".join(wrong))
