"""A power cut at any instant of entry, correction, signing, review, import, enrolment or an upgrade loses nothing (R1).

`make trust` does the same at many more instants.
"""

import shutil
from pathlib import Path

import pytest

from tests.trust import power, power_migration

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="a C compiler builds the recorder; none is here")
POINTS, FEWER, ROUNDS = 200, 80, 1


def cut(tmp_path: Path, journal: str, synchronous: str, points: int = FEWER) -> power.Outcome:
    return power.replay(power.record(tmp_path, journal, synchronous, ROUNDS), points)


def test_nothing_is_lost_half_there_or_corrupt(tmp_path: Path) -> None:
    outcome = cut(tmp_path, "WAL", "FULL", POINTS)
    assert outcome.failures == 0, outcome.examples
    assert (outcome.points, outcome.answers) == (POINTS, 7 * ROUNDS)
    assert outcome.distinct > POINTS / 4, "the cuts have to differ"


def test_the_settings_for_an_older_sqlite_lose_nothing_either(tmp_path: Path) -> None:
    outcome = cut(tmp_path, "DELETE", "EXTRA")
    assert outcome.failures == 0, outcome.examples


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_with_weaker_settings_the_same_cuts_are_seen_to_lose(tmp_path: Path, synchronous: str) -> None:
    outcome = cut(tmp_path, "WAL", synchronous)
    assert outcome.lost > 0
    assert (outcome.corrupt > 0) == (synchronous == "OFF")


def test_a_power_cut_during_an_upgrade_leaves_one_revision_or_another(tmp_path: Path) -> None:
    outcome = power.replay(power_migration.record(tmp_path, 2), POINTS)
    assert outcome.failures == 0, outcome.examples
    assert outcome.commits == 2
