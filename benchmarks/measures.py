"""The measures. Each times our way and a baseline in the same run, turn by turn, and quotes medians."""

import csv
import io
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import event, insert

from benchmarks.world import NOW, PANEL, World, lab, value
from tracker import create_app, formats
from tracker.cli.filing import Filing, file_all
from tracker.cli.working import preview_part
from tracker.db import Database, upgrade
from tracker.domain.readings import LabReading, Moment
from tracker.formats.shelves import Shelves
from tracker.models import LabResult, Patient
from tracker.models.setting import PROTOCOL_LINE
from tracker.operations import configure, entry
from tracker.operations.accounts import start_session
from tracker.operations.actor import Actor
from tracker.operations.evaluate import evaluate
from tracker.operations.importing import Importer
from tracker.operations.runs import PART
from tracker.operations.settings import Proposal, draft_setting
from tracker.queries.history import Loader
from tracker.queries.yardsticks import Trial

UTC = ZoneInfo("UTC")


class Line(NamedTuple):
    """One figure with its baseline; `ratio` is ours over the baseline."""

    name: str
    ours: str
    baseline: str
    ratio: float
    aim: str


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def panel(world: World, panels: int) -> Line:
    """A panel saved with rules, flags, audit and a durable commit, against a bare durable insert of the same rows."""
    dice = Random(2)
    ours, bare = [], []
    for n in range(panels):
        patient_id = 1 + n * 37 % world.patients
        day = NOW.date() - timedelta(days=2)
        moment = Moment(NOW - timedelta(days=2, seconds=n), day, True)
        readings = [LabReading("", moment, a, format(value(dice, a), "f"), PANEL[a][0]) for a in PANEL]

        def save(patient_id: int = patient_id, readings: list[LabReading] = readings) -> None:
            with world.database.transaction() as session:
                patient = session.get_one(Patient, patient_id)
                entry.save(session, Actor("benchmark", NOW, "form"), patient, readings)

        rows = [lab(dice, patient_id, a, day - timedelta(days=3000 + n)) for a in PANEL]

        def insert_bare(rows: list[dict] = rows) -> None:  # type: ignore[type-arg]
            with world.database.transaction() as session:
                session.execute(insert(LabResult.__table__), rows)

        ours.append(_seconds(save))
        bare.append(_seconds(insert_bare))
    a, b = statistics.median(ours), statistics.median(bare)
    return Line("panel of 15 saved, median", f"{a * 1000:.1f} ms", f"{b * 1000:.1f} ms", a / b, "<= 10 ms")


def importing(folder: Path, rows: int) -> Line:
    """A results.csv of on-treatment patients read, sorted, imported in parts with all rules, against a bare Core insert
    of as many rows.
    """
    url = f"sqlite:///{folder / 'import.db'}"
    upgrade(url)
    database = Database(url)
    actor = Actor("benchmark", NOW, "import")
    patients = rows // 60
    with database.transaction() as session:
        clinic = configure.add_clinic(session, actor, "bench", "Benchmark")
        tables = _tables(patients)
        importer = Importer(session, actor, [clinic], may_configure=True)
        for name in ("patients", "courses"):
            _file(importer, name, tables[name])

    def imported() -> None:
        with Shelves(PART) as shelves:
            shelves.take("results.csv", "", formats.read("results.csv", BytesIO(tables["results"]), UTC))
            filing = Filing(lambda: actor, (clinic.id,))
            (report,) = file_all(database, shelves, filing, "", lambda rows: True).reports
            if report.filed != report.rows_in:
                raise SystemExit(f"the benchmark's own results do not fit: {report.problems[:3]}")

    ours = _seconds(imported)
    dice = Random(3)
    bare_rows = [
        lab(dice, 1 + n % patients, a, NOW.date() - timedelta(days=5000 + n // patients))
        for n in range(patients * 4)
        for a in PANEL
    ]

    def bare() -> None:
        with database.transaction() as session:
            session.execute(insert(LabResult.__table__), bare_rows)

    base = _seconds(bare)
    database.close()
    count = patients * 60
    return Line("import with all rules", f"{count / ours:,.0f}/s", f"{count / base:,.0f}/s", ours / base, ">= 20,000/s")


def _file(importer: Importer, name: str, data: bytes) -> None:
    source = formats.read(f"{name}.csv", BytesIO(data), UTC)
    report = importer.file(name, source.format, source.kind, source.rows)
    if report.filed != report.rows_in:
        raise SystemExit(f"the benchmark's own {name} do not fit: {report.problems[:3]}")


def _tables(patients: int) -> dict[str, bytes]:
    dice = Random(4)
    start = NOW.date() - timedelta(days=280)
    days = [start + timedelta(days=d) for d in (-5, 45, 135, 225)]
    people = [["mrn", "birth_date", "sex"], *([f"{n:07d}", "1980-02-03", "female"] for n in range(patients))]
    courses = [["mrn", "protocol", "started_on", "dose_mg", "times_per_day"]]
    courses += [[f"{n:07d}", "tofacitinib_us", start.isoformat(), "5", "2"] for n in range(patients)]
    results = [["mrn", "collected_at", "analyte", "value", "unit"]]
    results += [
        [f"{n:07d}", f"{day}T08:30:00Z", a, format(value(dice, a), "f"), PANEL[a][0]]
        for n in range(patients)
        for day in days
        for a in PANEL
    ]
    return {"patients": _csv(people), "courses": _csv(courses), "results": _csv(results)}


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def judging(world: World) -> Iterator[Line]:
    """Every patient judged again and stored, and a stricter limit previewed, against the bare load of histories."""
    ids = list(range(1, world.patients + 1))

    def load() -> None:
        with world.database.reading() as session:
            for _ in Loader(session, world.clinic_id, NOW.date()).histories(ids):
                pass

    def judged() -> None:
        with world.database.transaction() as session:
            evaluate(session, world.clinic_id, ids, NOW, NOW.date())

    judged()  # the first time stores every flag; the figure is of judging again
    base, ours = _seconds(load), _seconds(judged)
    rate, bare = world.results / ours, world.results / base
    yield Line("judged again, one process", f"{rate:,.0f}/s", f"{bare:,.0f}/s", ours / base, ">= 150,000/s")
    yield _preview(world, ids, bare)


def _preview(world: World, ids: list[int], bare: float) -> Line:
    """What a stricter ANC limit would change, by two processes as the worker does it."""
    with world.database.transaction() as session:
        body, reason = {"value": "1200"}, "benchmark"
        told = Proposal(PROTOCOL_LINE, "tofacitinib_us/tofa_us_anc_hold", body, NOW.date(), "", reason)
        key = draft_setting(session, Actor("benchmark", NOW, "form"), world.clinic_id, told).id
    planned = Trial({}, {key: (NOW.date(), 1)})
    parts = [ids[start : start + 1000] for start in range(0, len(ids), 1000)]
    tasks = [(world.database.url, world.clinic_id, part, planned, NOW.date()) for part in parts]

    def previewed() -> None:
        with ProcessPoolExecutor(2) as pool:
            for _ in pool.map(preview_part, tasks):
                pass

    rate = world.results / _seconds(previewed)
    return Line("previewed, two processes", f"{rate:,.0f}/s", f"{bare:,.0f}/s", bare / rate, ">= 100,000/s")


def pages(world: World, what: str) -> list[Line]:
    """Server time of the queue and of one patient's pages, against the time their statements take."""
    app = create_app(
        {"SECRET_KEY": "benchmark-" * 5, "DATABASE_URL": world.database.url, "TESTING": True, "PRODUCTION": False,
         "IDLE_SECONDS": 10**9, "SESSION_SECONDS": 10**9, "MAX_CONTENT_LENGTH": 10**8, "SECOND_FACTOR": "optional",
         "REVIEW_HOURS": (24, 72, 336)}
    )  # fmt: skip
    client = app.test_client()
    with world.database.transaction() as session:
        token = start_session(session, world.account_id, datetime.now(UTC))
    client.set_cookie("jakwatch", token)
    engine = app.extensions["database"].engine
    spent = [0.0]

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: object, cursor: object, statement: str, *rest: object) -> None:
        spent.append(-time.perf_counter())

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: object, cursor: object, statement: str, *rest: object) -> None:
        spent[-1] += time.perf_counter()

    lines = []
    for name, path in (("queue", "/"), ("patient page", "/patients/77"), ("review page", "/patients/77/review")):
        ours, sql, statements = [], [], 0
        for _ in range(15):
            spent.clear()
            response = []
            ours.append(_seconds(lambda path=path, response=response: response.append(client.get(path))))
            if response[0].status_code != 200:
                raise SystemExit(f"{path}: {response[0].status}")
            sql.append(sum(spent))
            statements = len(spent)
        a, b = statistics.median(ours), statistics.median(sql)
        lines.append(
            Line(
                f"{name}, {what} ({statements} statements)",
                f"{a * 1000:.1f} ms",
                f"{b * 1000:.1f} ms",
                a / b,
                "<= 50 ms",
            )
        )
    return lines
