"""By which version of the program a verdict was reached: one digest over the rules, the arithmetic under them and
their data.
"""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def rulebook_digest() -> str:
    """Twelve hexadecimal digits over every file of tracker.rules, tracker.domain and tracker.library."""
    found = hashlib.sha256()
    for room in ("rules", "domain", "library"):
        for path in sorted(_files(files(f"tracker.{room}")), key=lambda path: path.name):
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def judged_by(yardsticks: str) -> str:
    """What a patient keeps of how they were judged: the rulebook, and the digest of what the clinic published."""
    return f"{rulebook_digest()}+{yardsticks}" if yardsticks else rulebook_digest()


def _files(folder: Traversable) -> list[Traversable]:
    here = [path for path in folder.iterdir() if path.is_file() and path.name.endswith((".py", ".toml", ".csv"))]
    below = [path for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
    return here + [path for inner in below for path in _files(inner)]
