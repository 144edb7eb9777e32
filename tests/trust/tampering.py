"""The audit trail against eight ways of changing it behind the program's back (R14), and how long a long one takes."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from tests.operations.test_audit_tampering import ENTRIES, LENGTH, SECRET, WAYS, mutate, opened, read, write
from tests.tampering import past_the_triggers
from tests.trust.lines import Line
from tracker.db import Database, upgrade
from tracker.domain.keyring import Keyring
from tracker.operations import audit

BATCH = 10_000


def seconds_of(database: Database, length: int) -> float:
    """How long it takes to verify a trail that goes on to so many entries."""
    before = read(database)[-1]
    keyring = Keyring(SECRET)
    with past_the_triggers(database) as connection:
        for start in range(before["id"] + 1, length + 1, BATCH):
            rows = []
            for number in range(start, min(start + BATCH, length + 1)):
                row = {**before, "id": number, "previous": before["digest"], "record_id": number}
                row["digest"] = audit.digest(row["previous"], row, keyring)
                rows.append(row)
                before = row
            connection.execute(insert(ENTRIES), rows)
    begun = time.perf_counter()
    with database.reading() as session:
        assert audit.examine(session) is None
    return time.perf_counter() - begun


def check(full: bool) -> Iterator[Line]:
    rounds, length = (1250, 1_000_000) if full else (125, 100_000)
    missed: list[str] = []
    with TemporaryDirectory(prefix="jakwatch-trust-") as name:
        url = f"sqlite:///{name}/trail.db"
        upgrade(url)
        database = opened(url, Path(name))
        write(database, LENGTH)
        for way in WAYS:
            missed += mutate(database, way, rounds)
        seconds = seconds_of(database, length)
        database.close()
    figure = f"{rounds * len(WAYS)} mutations of {len(WAYS)} kinds: {len(missed)} not found, or not where they are"
    yield Line("R14", "tampering with the audit trail", figure, "0", not missed, "; ".join(missed[:3]))
    figure = f"{length} entries in {seconds:.1f} s ({length / seconds:,.0f}/s)"
    yield Line("R14", "a long trail verified", figure, "15 s a million", length / seconds > 1_000_000 / 15)
