"""The disk is full, at whatever point (R5): nothing is lost or there in part, pages are still shown, and the work goes
on by itself once there is room. A backup for which there is no room is refused and leaves nothing behind.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.trust.clients import STORED
from tests.trust.failing import Outcome, Workload, address, checked, look, workload
from tests.trust.failing_workload import CASES, fill
from tests.trust.lines import Line
from tests.trust.orders import WRITE
from tests.trust.staff import SECRET

SIZE = "64m"  # of the file system that is filled
KIB = 1024
TOO_LITTLE = (0, 20 * KIB, 50 * KIB, 100 * KIB, 200 * KIB)  # for a backup


def check(full: bool) -> Iterator[Line]:
    writes = range(200) if full else range(10)
    yield from checked("R5", "no room for the n-th write and those after it", lambda work: refused(work, writes))
    rooms = [KIB * left for left in (range(0, 800, 4) if full else range(0, 200, 20))]
    with TemporaryDirectory(prefix="jakwatch-trust-") as folder:
        try:
            with small_disk(Path(folder) / "data"), workload(Path(folder)) as work:
                outcome = filled(work, rooms)
                wrong = backups(work)
        except subprocess.CalledProcessError:
            told = "not tried: mounting a small file system is not allowed here (the line above needs no mount)"
            yield Line("R5", "a small disk is full", told, "0 wrong", passed=True)
            return
    yield Line("R5", "a small disk is full", outcome.told(), "0 wrong", not outcome.wrong, "; ".join(outcome.wrong[:5]))
    figure = (
        f"{len(TOO_LITTLE)} backups to a full disk: {len(wrong)} end otherwise than with a sentence and nothing left"
    )
    yield Line("R5", "no room for a backup", figure, "0", not wrong, "; ".join(wrong[:3]))


def refused(work: Workload, writes: range, cases: tuple[str, ...] = tuple(CASES)) -> Outcome:
    """The system refuses this write and all later ones, until somebody makes room."""
    outcome = Outcome()
    for case in cases:
        for number in writes:
            told = work.attempt(case=case, orders=(WRITE, number, errno.ENOSPC, 1), lasting=True)
            look(work, case, told, f"{case}, full after {number} writes", outcome)
    return outcome


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own at `folder`. Raises CalledProcessError where one may not mount any."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "jakwatch", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(work: Workload, rooms: list[int], cases: tuple[str, ...] = tuple(CASES)) -> Outcome:
    """So many bytes are left when the work begins."""
    outcome = Outcome()
    ballast = str(work.folder / "data" / "ballast")
    for case in cases:
        for room in rooms:
            told = work.attempt(case=case, ballast=ballast, room=room, lasting=True)
            look(work, case, told | {"failed": told["said"] != STORED}, f"{case}, {room} bytes left", outcome)
    return outcome


def backups(work: Workload) -> list[str]:
    """What went otherwise than it should."""
    data, wrong = work.folder / "data", []
    target, ballast = data / "night.backup", data / "ballast"
    environment = os.environ | {
        "TRACKER_DATABASE_URL": address(work.folder), "TRACKER_SECRET_KEY": SECRET, "TMPDIR": str(data),
    }  # fmt: skip
    for room in TOO_LITTLE:
        fill(ballast, room)
        arguments = [sys.executable, "-m", "tracker", "backup", str(target)]
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        lines = ended.stderr.splitlines()
        left = [path.name for path in data.iterdir() if "backup" in path.name or path.name.startswith("jakwatch-")]
        if ended.returncode != 1 or len(lines) != 1 or "could not be" not in lines[0] or left:
            wrong.append(f"{room} bytes left: ended {ended.returncode}, {ended.stderr[-300:]}, {left}")
        ballast.unlink()
    return wrong
