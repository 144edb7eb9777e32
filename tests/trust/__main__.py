"""python -m tests.trust [--full] [--only R1,R8 …]: tries what must never happen, many times, and says how often it did.

Each check prints its figure beside the one that is wanted; the command ends non-zero where one differs. `--full` takes
the figures of a release, which takes an hour or more; without it each check takes about a minute.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.trust import power
from tests.trust.lines import Line


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


CHECKS: dict[str, Callable[[bool], Iterator[Line]]] = {"R1": power_cuts}


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
