"""Work shared among processes: how many of them it is worth, and that none outlives the one that began it."""

import os
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from threading import Thread

LOOK_EVERY = 0.2  # seconds


def writers(url: str, processes: int) -> int:
    """How many processes may store at once. SQLite has one writer, who keeps its turn while a thousand patients are
    judged: others would only wait for it, and in the end give up.
    """
    return 1 if url.startswith("sqlite") else processes


def pool(processes: int) -> Executor:
    """Processes that end with the one that began them, however that ends; for one, no process of its own."""
    if processes == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(processes, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """A process that was killed tells its children nothing: they look, or they would wait for work for ever."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os._exit(1)  # what is not committed is not stored

    Thread(target=look, daemon=True).start()
