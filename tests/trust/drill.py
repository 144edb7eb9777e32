"""Backups while ten people work, each brought into an empty system (R22): all that had been acknowledged when it began
is there, table by table as it was, with a sound audit trail. Damaged ones are refused, whatever the damage.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from sqlalchemy import make_url

from deploy.rehearse import SECRET
from tests.trust import service
from tests.trust.clients import Tried
from tests.trust.lines import Line
from tests.trust.service import Running, at_work, kept, log_of, running
from tracker.db import Database
from tracker.domain.keyring import Keyring
from tracker.operations.anchors import Seal

BETWEEN = 3.0  # seconds of work before each backup


def check(full: bool) -> Iterator[Line]:
    for kind in service.KINDS:
        yield from drilled(kind, *((100, 20) if full else (3, 3)))


def drilled(kind: str, backups: int, damages: int) -> Iterator[Line]:
    with running(kind) as here:
        made = list(_backups(here, backups))
        outcomes = [_restored(here, file, log, f"restored_{number}") for number, (file, log) in enumerate(made)]
        wrong = [words for words in outcomes if words]
        known = len(made[-1][1])
        figure = f"{backups} backups, {known} pieces of work known at the last: {len(wrong)} restored otherwise"
        passed = not wrong and known > 0
        yield Line("R22", f"backup under load, restored, {kind}", figure, "0", passed, "; ".join(wrong[:3]))
        taken = [words for words in _damaged(here, made[0][0], damages) if words]
        figure = f"{damages - len(taken)} of {damages} damaged backups refused in a sentence"
        yield Line("R22", f"damaged backups, {kind}", figure, "all", not taken, "; ".join(taken[:3]))


def _backups(here: Running, count: int) -> Iterator[tuple[Path, list[Tried]]]:
    """Each backup, and what people had been told when it began."""
    staff = here.staff()
    with at_work(staff):
        for number in range(count):
            time.sleep(BETWEEN)
            file, log = here.service.folder / f"{number}.backup", log_of(staff)
            ended = _tracker(here, here.owner.url, "backup", file)
            if ended.returncode:
                raise RuntimeError(f"no backup: {ended.stderr[-400:]}")
            yield file, log


def _tracker(here: Running, url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TRACKER_SECRET_KEY": SECRET, "TRACKER_DATABASE_URL": url, "TRACKER_AUDIT_ANCHOR": str(_anchor(here)),
    }  # fmt: skip
    if here.postgres is not None:
        environment["TRACKER_PG_BIN"] = str(here.postgres.server.bin_path)
    command = [sys.executable, "-m", "tracker", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _anchor(here: Running) -> Path:
    """Of the restored system: it has its own."""
    return here.service.folder / "restored.anchor"


def _vacant(here: Running, name: str) -> str:
    """The address of an empty system."""
    if here.postgres is None:
        return f"sqlite:///{here.service.folder / name}.db"
    here.postgres.create(name)
    return make_url(here.owner.url).set(database=name).render_as_string(hide_password=False)


def _restored(here: Running, file: Path, log: list[Tried], name: str) -> str:
    """What is wrong with what comes out of a backup; "" where nothing is."""
    url = _vacant(here, name)
    ended = _tracker(here, url, "restore", file)
    if ended.returncode or "Restored and compared" not in ended.stdout:
        return f"{file.name}: {ended.stderr[-400:]}"
    with closing(Database(url, Seal(Keyring(SECRET)))) as database:
        return kept(database, here.cast, log).faults


def _damaged(here: Running, file: Path, count: int) -> Iterator[str]:
    """For each damage, how it was taken; "" where it was refused in one sentence and nothing came out."""
    content, dice = file.read_bytes(), Random(3)
    url = _vacant(here, "damaged")
    for number in range(count):
        at = dice.randrange(len(content))
        ways = (content[:at] + bytes([content[at] ^ 1 << number % 8]) + content[at + 1 :], content[:at], content + b"0")
        wrong = file.with_name(f"damaged_{number}.backup")
        wrong.write_bytes(ways[number % len(ways)])
        ended = _tracker(here, url, "restore", wrong)
        lines = ended.stderr.splitlines()
        yield "" if ended.returncode == 1 and len(lines) == 1 else f"{number}: {ended.returncode} {ended.stderr[-300:]}"
