"""Clocks that are wrong or change (R7): the trail goes by its order, sessions end, nothing on file is hidden."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import time_machine
from sqlalchemy import func, select

from tests.trust.crawl import World
from tests.trust.databases import KINDS, clinic_on
from tests.trust.lines import Line
from tests.trust.staff import TOKEN
from tests.web.conftest import Browser
from tracker.models import Flag, LabResult
from tracker.operations.audit import first_bad_entry

ZONE = ZoneInfo("Europe/Berlin")
IDLE = timedelta(minutes=15)
# From when to when the clock goes: in Berlin summer time began at 01:00 UTC on 29 March 2026 and ended on 25 October.
MOVES = {
    "ten years back": (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(days=-3652)),
    "an hour back": (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(hours=-1)),
    "an hour on": (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(hours=1)),
    "ten years on": (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(days=3652)),
    "summer time begins": (datetime(2026, 3, 29, 0, 55, tzinfo=UTC), timedelta(minutes=10)),
    "summer time ends": (datetime(2026, 10, 25, 0, 55, tzinfo=UTC), timedelta(minutes=10)),
    "a leap day": (datetime(2028, 2, 28, 22, 58, tzinfo=UTC), timedelta(minutes=5)),
    "the day after it": (datetime(2028, 2, 29, 22, 58, tzinfo=UTC), timedelta(minutes=5)),
    "the year ends": (datetime(2026, 12, 31, 22, 58, tzinfo=UTC), timedelta(minutes=5)),
    "another worker is five minutes behind": (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(minutes=-5)),
}


@dataclass
class Clocks:
    """How many things were looked at, and what was not as it has to be."""

    looked: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, right: bool) -> None:
        self.looked += 1
        if not right:
            self.wrong.append(what)


def panel(browser: Browser, world: World, value: str, at: datetime) -> int:
    """A neutrophil count typed with its time in Berlin; the status."""
    local = at.astimezone(ZONE)
    form = {
        "day": local.date().isoformat(), "time": f"{local:%H:%M}", "analyte": ["ANC"], "value": [value],
        "unit": ["10*9/L"], "low": [""], "high": [""], "do": "save", "confirm": [f"ANC|{value}|10*9/L"],
    }  # fmt: skip
    return browser.post(f"/patients/{world.cast.a.patient}/labs/new", form).status_code


def counts(world: World) -> tuple[int, int]:
    """Results in force, and flags that are not superseded."""
    with world.database.reading() as session:
        results = session.scalar(select(func.count()).select_from(LabResult).where(LabResult.retired_at.is_(None)))
        flags = session.scalar(select(func.count()).select_from(Flag).where(~Flag.superseded))
    return results or 0, flags or 0


def moved(world: World, name: str, found: Clocks) -> None:
    """Somebody works, the clock moves, and they go on."""
    begun, by = MOVES[name]
    world.app.config["IDLE_SECONDS"] = IDLE.total_seconds()
    with time_machine.travel(begun, tick=False) as clock:
        browser = Browser(world.app)
        found.expect(f"{name}: signing in", browser.sign_in("bob").status_code == 303)
        found.expect(f"{name}: entering", panel(browser, world, "0.44", begun - timedelta(hours=30)) == 303)
        before = counts(world)
        clock.move_to(begun + by)
        page = browser.get(f"/patients/{world.cast.a.patient}")
        allowed = timedelta(0) <= by < IDLE or timedelta(minutes=-6) < by < timedelta(0)
        found.expect(f"{name}: a session that has lasted {by}", (page.status_code == 200) <= allowed)
        again = Browser(world.app)
        again.sign_in("bob")
        shown = again.get(f"/patients/{world.cast.a.patient}").text
        found.expect(f"{name}: the result is shown", "0.44" in shown)
        found.expect(f"{name}: results and flags are there", counts(world) == before)
        future = panel(again, world, "2.2", begun + by + timedelta(days=2))
        found.expect(f"{name}: a sample of the day after tomorrow is refused", future == 422)
        with world.database.reading() as session:
            found.expect(f"{name}: the trail", first_bad_entry(session) is None)


def twice(world: World, found: Clocks) -> None:
    """The hour that comes twice: two samples at 02:30 are two, an hour apart."""
    with time_machine.travel(datetime(2026, 11, 1, 9, tzinfo=UTC), tick=False):
        browser = Browser(world.app)
        browser.sign_in("bob")
        lines = "mrn,collected_at,analyte,value,unit\n" + "".join(
            f"AL-0001,2026-10-25T02:30:00{offset},PLT,{value},10*9/L\n"
            for offset, value in (("+02:00", 210), ("+01:00", 220))
        )
        sent = {"file": (io.BytesIO(lines.encode()), "results.csv")}
        shown = browser.post("/imports/preview", sent, content_type="multipart/form-data").text
        token = TOKEN.search(shown)
        filed = browser.post("/imports/file", {"token": token[1] if token else ""})
        found.expect("the hour that comes twice: filed", filed.status_code == 303)
    with world.database.reading() as session:
        at = list(
            session.scalars(select(LabResult.collected_at).where(LabResult.subject == "PLT").order_by(LabResult.id))
        )
    found.expect("the hour that comes twice: two instants", len(at) == 2 and at[1] - at[0] == timedelta(hours=1))


def on(kind: str) -> Clocks:
    found = Clocks()
    for name in MOVES:
        with clinic_on(kind) as world:
            moved(world, name, found)
    with clinic_on(kind) as world:
        twice(world, found)
    return found


def check(_full: bool) -> Iterator[Line]:
    for kind in KINDS:
        found = on(kind)
        figure = f"{len(MOVES) + 1} clocks, {found.looked} things looked at: {len(found.wrong)} wrong"
        yield Line("R7", f"clocks that move, {kind}", figure, "0", not found.wrong, "; ".join(found.wrong[:3]))
