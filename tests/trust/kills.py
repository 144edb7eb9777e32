"""The service is killed at random moments while ten people work (R2): a worker, the master, all of it at once."""

import os
import signal
import time
from collections.abc import Iterator
from random import Random
from statistics import median

from tests.trust import service
from tests.trust.lines import Line
from tests.trust.service import Running, at_work, kept, log_of, running

WAYS = ("a worker", "the master", "all of it")
BACK_WITHIN = 5.0  # seconds, each time; a machine with other work misses it


def check(full: bool) -> Iterator[Line]:
    for kind in service.KINDS:
        yield from killed(kind, 1000 if full else 30)


def killed(kind: str, kills: int, dice_seed: int = 1) -> Iterator[Line]:
    """So many kills over a database of that kind; what is left of the work."""
    dice, back = Random(dice_seed), []
    with running(kind) as here:
        staff = here.staff()
        with at_work(staff):
            for number in range(kills):
                time.sleep(dice.uniform(0.5, 4))
                back.append(_kill(here, WAYS[number % len(WAYS)]))
        found = kept(here.owner, here.cast, log_of(staff))
    wrong = [words for one in staff for words in one.wrong]
    what = f"kill -9 under load, {kind}"
    figure = f"{kills} kills, {found.told()}; {len(wrong)} answers of another kind"
    passed = not found.faults and not wrong and found.acknowledged > 0
    yield Line("R2", what, figure, "0 of each", passed, "; ".join([found.faults, *wrong[:3]]))
    figure = f"after {median(back):.1f} s in the middle, {max(back):.1f} s at the longest"
    yield Line("R2", f"the service is back, {kind}", figure, f"at most {BACK_WITHIN:.0f} s", max(back) <= BACK_WITHIN)


def _kill(here: Running, way: str) -> float:
    """Seconds until it answers again."""
    begun = time.monotonic()
    if way == "a worker":
        if workers := here.service.workers():
            os.kill(workers[0], signal.SIGKILL)
    else:
        if way == "the master":
            os.kill(here.service.pid, signal.SIGKILL)
            time.sleep(0.3)  # its workers are alone; what starts it again ends them first, as systemd does
        service.end(here.service)
        here.service.start()
    here.wait()
    return time.monotonic() - begun
