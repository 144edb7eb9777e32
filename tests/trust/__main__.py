"""python -m tests.trust [--full] [--only R1,R8 …]: tries what must never happen, many times, and says how often it did.

Each check prints its figure beside the one that is wanted; the command ends non-zero where one differs. `--full` takes
the figures of a release, which takes an hour or more; without it each check takes about a minute.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.people import seed
from tests.trust import crawl, power, writers
from tests.trust.crawl import World
from tests.trust.lines import Line
from tests.trust.staff import application
from tracker.db import Database, upgrade


def power_cuts(full: bool) -> Iterator[Line]:
    points, rounds = (100_000, 12) if full else (4_000, 4)
    for journal, synchronous, weak in (
        ("WAL", "FULL", False), ("DELETE", "EXTRA", False), ("WAL", "NORMAL", True), ("WAL", "OFF", True),
    ):  # fmt: skip
        share = max(points // (20 if weak else 1), 200)
        with TemporaryDirectory() as folder:
            outcome = power.replay(power.record(Path(folder), journal, synchronous, rounds), share)
        figure = (
            f"{outcome.points} cuts ({outcome.distinct} differing disks, {outcome.answers} answers, {outcome.commits}"
            f" commits): {outcome.lost} lost, {outcome.partial} partial, {outcome.corrupt} corrupt,"
            f" {outcome.audit} audit faults"
        )
        wanted = "losses are found" if weak else "0 of each"
        passed = outcome.lost > 0 if weak else outcome.failures == 0
        what = f"power cut, SQLite {journal}+{synchronous}" + (" (control)" if weak else "")
        yield Line("R1", what, figure, wanted, passed, "; ".join([] if weak else outcome.examples))


@contextmanager
def clinic() -> Iterator[World]:
    """The application over a fresh SQLite file with people and records."""
    with TemporaryDirectory(prefix="jakwatch-trust-") as folder:
        url = f"sqlite:///{folder}/jakwatch.db"
        upgrade(url)
        app = application(url, UPLOAD_FOLDER=f"{folder}/uploads")
        database: Database = app.extensions["database"]
        logging.disable(logging.CRITICAL)  # refusals by the thousand
        try:
            yield World(app, database, seed(database))
        finally:
            logging.disable(logging.NOTSET)
            database.close()


def two_writers(full: bool) -> Iterator[Line]:
    with clinic() as world:
        outcome = writers.contend(world, 10_000 if full else 500)
    figure = f"{outcome.pairs} pairs: {outcome.wrong} answered wrongly, {outcome.lost} lost updates"
    passed = not outcome.wrong and not outcome.lost
    yield Line(
        "R8", "two people change one record at once", figure, "0 of each", passed, "; ".join(outcome.examples[:3])
    )


def odd_requests(full: bool) -> Iterator[Line]:
    with clinic() as world:
        outcome = crawl.fuzz(world, 100_000 if full else 3_000, seed=2)
    slow = outcome.percentile(0.99)
    figure = (
        f"{outcome.sent} requests to {len(outcome.endpoints)} addresses: {len(outcome.wrong)} failed or told too much,"
        f" p99 {1000 * slow:.0f} ms"
    )
    wanted = "0, and p99 below 1000 ms"
    yield Line(
        "R13", "odd forms and addresses", figure, wanted, not outcome.wrong and slow < 1, "; ".join(outcome.wrong[:3])
    )


CHECKS: dict[str, Callable[[bool], Iterator[Line]]] = {"R1": power_cuts, "R8": two_writers, "R13": odd_requests}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    options.add_argument("--full", action="store_true", help="the figures of a release")
    options.add_argument("--only", default="", help="which checks, by their numbers, separated by commas")
    chosen = options.parse_args()
    codes = [code for code in chosen.only.split(",") if code] or list(CHECKS)
    failed = 0
    for code in codes:
        for line in CHECKS[code](chosen.full):
            failed += not line.passed
            print(_told(line), flush=True)
    print(f"{failed} of the checks failed." if failed else "All checks passed.")
    sys.exit(bool(failed))


def _told(line: Line) -> str:
    told = f"{'ok ' if line.passed else 'BAD'} {line.code:4} {line.what:48} {line.found}   (wanted: {line.wanted})"
    return told + (f"\n     {line.detail}" if line.detail and not line.passed else "")


if __name__ == "__main__":
    main()
