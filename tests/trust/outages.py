"""PostgreSQL is killed, restarted or out of reach while ten people work (R3): nothing is lost, and nobody gets an error
that does not say to try again.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from random import Random

from tests.trust import wire
from tests.trust.clients import Client
from tests.trust.lines import Line
from tests.trust.service import Running, at_work, kept, log_of, running

BACK_WITHIN = 10.0  # seconds from the end of an outage until everybody's work went on
LASTING = 8.0  # seconds that the wire is out of order
OUT_OF_ORDER = (wire.CUT, wire.DEAD, wire.SLOW)


def check(full: bool) -> Iterator[Line]:
    yield from disturbed(*((300, 100, 100) if full else (10, 5, 5)))


def disturbed(kills: int, restarts: int, cuts: int, dice_seed: int = 1) -> Iterator[Line]:
    dice = Random(dice_seed)
    plan = [*["killed"] * kills, *["restarted"] * restarts]
    plan += [OUT_OF_ORDER[number % len(OUT_OF_ORDER)] for number in range(cuts)]
    dice.shuffle(plan)
    back: dict[str, float] = {}
    with closing(wire.Wire()) as between, running("PostgreSQL", between) as here:
        staff = here.staff()
        with at_work(staff):
            for what in plan:
                time.sleep(dice.uniform(1, 3))
                _disturb(here, between, what)
                back[what] = max(back.get(what, 0), _went_on(staff))
        found = kept(here.owner, here.cast, log_of(staff))
    wrong = [words for one in staff for words in one.wrong]
    refused, silent = (sum(one.statuses[status] for one in staff) for status in (503, 0))
    figure = (
        f"{kills} kills, {restarts} restarts, {cuts} times out of reach, {found.told()};"
        f" {refused} answers of 503, {silent} requests without an answer, {len(wrong)} answers of another kind"
    )
    passed = not found.faults and not wrong and found.acknowledged > 0
    said = "; ".join([found.faults, *wrong[:3]])
    yield Line("R3", "PostgreSQL goes away under load", figure, "0 of each", passed, said)
    slowest = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in sorted(back.items()))
    told = f"everybody's work went on, at the longest after: {slowest}"
    yield Line("R3", "PostgreSQL is back", told, f"within {BACK_WITHIN:.0f} s", max(back.values()) <= BACK_WITHIN)


def _disturb(here: Running, between: wire.Wire, what: str) -> None:
    """Until it is over."""
    assert here.postgres is not None
    if what in OUT_OF_ORDER:
        with between.being(what):
            time.sleep(LASTING)
    else:
        here.postgres.kill(signal.SIGQUIT if what == "killed" else signal.SIGINT)


def _went_on(staff: list[Client], at_most: float = 60) -> float:
    """Seconds until each of them had something stored."""
    over = time.monotonic()
    while time.monotonic() - over < at_most:
        firsts = [next((moment for moment in one.moments[-3:] if moment > over), None) for one in staff]
        if all(first is not None for first in firsts):
            return max(first - over for first in firsts if first is not None)
        time.sleep(0.1)
    return at_most
