"""What the test suite tries already, as checks of `make trust`: the same tests, with how many of them there are."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.trust.lines import Line

ROOT = Path(__file__).resolve().parent.parent.parent
WEB = "tests/web/"
# number: what is tried, and the tests that try it
SUITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "R6": ("a fault after every statement", ("tests/faults/test_every_statement.py",)),
    "R15": ("every change has its entry", ("tests/operations/test_audit_complete.py",)),
    "R16": ("every cell of who may what", (f"{WEB}test_access.py",)),
    "R17": ("the walls between clinics", ("tests/security/test_second_wall.py",)),
    "R18": ("forged forms; reading changes nothing", (f"{WEB}test_crawl.py",)),
    "R20": ("sessions", (f"{WEB}test_sessions.py", f"{WEB}test_second_factor.py", f"{WEB}test_account.py")),
    "R28": ("names and secrets where none may be", (f"{WEB}test_crawl_texts.py",)),
}
_COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")


def run(code: str, _full: bool) -> Iterator[Line]:
    """The tests of one number, in a process of their own."""
    what, names = SUITES[code]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", *names]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    counts = {word: int(number) for number, word in _COUNT.findall(told.stdout.splitlines()[-1] if told.stdout else "")}
    figure = f"{counts.get('passed', 0)} tests passed, {counts.get('failed', 0) + counts.get('error', 0)} failed"
    passed = told.returncode == 0 and counts.get("passed", 0) > 0
    failed = [line for line in told.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    yield Line(code, what, figure, "all pass", passed, "; ".join(failed[:3]) or told.stderr[-300:])


R6, R15, R16, R17, R18, R20, R28 = (partial(run, code) for code in SUITES)
