"""python -m tests.trust [--full] [--only R1,R8 …]: tries what must never happen, many times, and says how often it did.

Each check prints its figure beside the one that is wanted; the command ends non-zero where one differs. `--full` takes
the figures of a release, which takes hours; without it each check takes some minutes at most.
"""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module

from tests.trust.lines import Line

# number: modules of this folder, and what in each tries (full: bool) and yields a Line for each thing it looked at
CHECKS = {
    "R1": "power:check power_migration:check",
    "R2": "kills:check",
    "R3": "outages:check",
    "R4": "failing:check",
    "R5": "full:check",
    "R6": "suite:R6",
    "R7": "clocks:check",
    "R8": "writers:check",
    "R9": "again:check",
    "R10": "conservation:check",
    "R11": "doors:check",
    "R12": "damaged:check",
    "R13": "crawl:check",
    "R14": "tampering:check",
    "R15": "suite:R15",
    "R16": "suite:R16",
    "R17": "suite:R17",
    "R18": "suite:R18",
    "R19": "chromium:check",
    "R20": "suite:R20",
    "R21": "guessing:check",
    "R22": "drill:check",
    "R23": "revisions:check",
    "R24": "oddities:check",
    "R25": "load:check",
    "R26": "attacks:check",
    "R28": "suite:R28",
    "R31": "misconfigured:check",
}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    options.add_argument("--full", action="store_true", help="the figures of a release")
    options.add_argument("--only", default="", help="which checks, by their numbers, separated by commas")
    chosen = options.parse_args()
    codes = [code for code in chosen.only.split(",") if code] or list(CHECKS)
    if unknown := [code for code in codes if code not in CHECKS]:
        options.error(f"there is no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    failed = 0
    for code in codes:
        for line in run(code, chosen.full):
            failed += not line.passed
            print(_told(line), flush=True)
    print(f"{failed} of the checks failed." if failed else "All checks passed.")
    sys.exit(bool(failed))


def run(code: str, full: bool) -> Iterator[Line]:
    """The lines of one check. One that breaks off has failed, and the others are made all the same."""
    for place in CHECKS[code].split():
        module, _, name = place.partition(":")
        try:
            yield from getattr(import_module(f"tests.trust.{module}"), name)(full)
        except Exception as fault:  # whatever it was, the check proves nothing
            told = f"broke off: {type(fault).__name__}: {fault}"
            yield Line(code, f"the check itself, {module}", told[:600], "an end", passed=False)


def _told(line: Line) -> str:
    told = f"{'ok ' if line.passed else 'BAD'} {line.code:4} {line.what:48} {line.found}   (wanted: {line.wanted})"
    return told + (f"\n     {line.detail}" if line.detail and not line.passed else "")


if __name__ == "__main__":
    main()
