"""What failing.c is told: which call of the system is to fail, when, and with which error."""

import mmap
import os
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYNC, WRITE, READ, RENAME = 1, 2, 3, 4
_FORM = struct.Struct("<5i")


class Orders:
    """Both sides see the same page of memory."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def give(self, call: int, after: int, error: int, lasting: int) -> None:
        """This call fails after so many that went well, once or (`lasting`) from then on; call 0: none does."""
        self._page[: _FORM.size] = _FORM.pack(call, after, error, lasting, 0)

    @property
    def failed(self) -> int:
        """How many calls failed since the last orders."""
        count: int = _FORM.unpack(self._page[: _FORM.size])[4]
        return count


def compiled(source: str, folder: Path) -> Path:
    """A file of this folder as a library to be loaded before the C library. Raises CalledProcessError."""
    target = folder / f"{Path(source).stem}.so"
    compiler = os.environ.get("CC", "cc")
    arguments = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(target), str(HERE / source), "-ldl"]
    subprocess.run(arguments, check=True)
    return target
