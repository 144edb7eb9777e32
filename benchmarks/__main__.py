"""python -m benchmarks [--patients N] [--panels N] [--rows N]

Builds one SQLite database of made-up results in a temporary folder and measures, in one run:

1. a panel of 15 saved (rules, flags, audit, durable commit) against a bare durable insert of the same rows;
2. a results.csv imported with all rules against a bare Core insert of the same rows;
3. every patient judged again, and a drafted limit previewed, against the bare load of their histories;
4. the queue and a patient's pages, server time against the time their SQL takes: of 10,000 waiting flags among a
   million, and of all that the rules found.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import measures
from benchmarks.world import World, build


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--patients", type=int, default=20_000, help="patients with 60 results each")
    options.add_argument("--panels", type=int, default=200, help="panels saved one by one")
    options.add_argument("--rows", type=int, default=200_000, help="rows of the imported file")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="jakwatch-bench-") as folder:
        world = build(Path(folder), chosen.patients, chosen.patients * 5 // 2)
        print(f"{world.patients} patients, {world.results} results, {world.open_flags} open flags\n")
        print(f"{'measure':58} {'ours':>14} {'baseline':>14} {'ratio':>8}   aim")
        for line in _lines(world, Path(folder), chosen):
            print(f"{line.name:58} {line.ours:>14} {line.baseline:>14} {line.ratio:>8.2f}   {line.aim}", flush=True)


def _lines(world: World, folder: Path, chosen: argparse.Namespace) -> Iterator[measures.Line]:
    yield measures.panel(world, chosen.panels)
    yield measures.importing(folder, chosen.rows)
    yield from measures.judging(world)
    yield from measures.pages(world, "everything waits")
    yield from measures.pages(build(folder, 4000, 10_000, 990_000, "desk"), "10,000 of 1 M flags wait")


main()
