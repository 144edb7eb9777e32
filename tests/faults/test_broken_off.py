"""Judging everybody is killed in the middle: nothing outlives it, it goes on with who is left, and the result is that
of a run that was never broken off.
"""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from tests.operations.conftest import Desk, desk
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Flag, Patient
from tracker.operations import enrol, entry, publishing

__all__ = ["desk"]  # the fixture
PEOPLE, PART = 24, 2
BROKEN_OFF = f"""
import os, signal
from tracker.cli import judging, tracker
judging.CHUNK, share = {PART}, judging._in_parallel
def killed_after_the_first_part(*told):
    for counts in share(*told):
        yield counts
        os.kill(os.getpid(), signal.SIGKILL)
judging._in_parallel = killed_after_the_first_part
tracker(["evaluate", "--all", "--processes", "3"])
"""


@pytest.fixture
def stale(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Ada and others with an ANC of 1.1, and a stricter limit in force by which nobody has been judged yet."""
    at = read_moment("2026-03-10", ZoneInfo("UTC"))
    with desk.database.transaction() as session:
        for number in range(2, PEOPLE + 2):
            told = {"mrn": f"{number:04}", "family_name": "Case", "birth_date": date(1980, 1, 1), "sex": "female"}
            person = enrol.add_patient(session, desk.nurse, desk.clinic_id, told)
            course = {"protocol_id": "tofacitinib_us", "indication": "alopecia areata", "started_on": date(2026, 1, 1)}
            enrol.add_course(session, desk.nurse, person, course, (Decimal(5), 2))
            entry.save(session, desk.nurse, person, [LabReading(person.mrn, at, "ANC", "1.1", "10*9/L")])
    monkeypatch.setattr(publishing, "AT_ONCE", 0)
    desk.sets("protocol_line", "tofacitinib_us/tofa_us_anc_hold", {"value": "1200"}, date(2026, 1, 1))
    return desk


def evaluate(desk: Desk, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tracker", "evaluate", "--all", "--json", *more],
        env=environment(desk), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def environment(desk: Desk) -> dict[str, str]:
    return os.environ | {"TRACKER_DATABASE_URL": desk.database.url}


def held(desk: Desk) -> int:
    """Flags of the clinic's limit: one a patient who was judged by it."""
    with desk.database.reading() as session:
        return session.scalar(select(func.count(Flag.id)).where(Flag.entry == "tofa_us_anc_hold")) or 0


def digests(desk: Desk) -> dict[int, str]:
    """By which yardsticks each was judged."""
    with desk.database.reading() as session:
        return {row.id: row.judged_digest for row in session.execute(select(Patient.id, Patient.judged_digest))}


def everybody_of(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_in_the_middle_it_goes_on_with_who_is_left(stale: Desk) -> None:
    broken = subprocess.Popen([sys.executable, "-c", BROKEN_OFF], env=environment(stale), start_new_session=True)
    assert broken.wait(120) == -signal.SIGKILL
    until = time.monotonic() + 30
    while everybody_of(broken.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not everybody_of(broken.pid), "a process outlived the one that began it"
    before = digests(stale)
    rest = evaluate(stale, "--stale", "--processes", "3")
    (now,) = set(digests(stale).values())
    done = sum(digest == now for digest in before.values())
    assert done >= PART
    if stale.database.engine.dialect.name == "sqlite":  # which has one writer: what it began it ended, and no more
        assert done == PART
    assert rest["patients"] == PEOPLE + 1 - done
    assert held(stale) == PEOPLE
    again = evaluate(stale)
    assert (again["patients"], again["opened"], again["changed"], again["cleared"]) == (PEOPLE + 1, 0, 0, 0)
