"""The wire between the service and PostgreSQL, which can be cut, be slow, or go dead without a word."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

OPEN, CUT, DEAD, SLOW = "open", "cut", "dead", "slow"
PIECE, LATE = 1 << 16, 5.0  # bytes; seconds that each piece is under way on a slow wire


class Wire:
    """Takes connections at `port` and leads each to a socket of this machine, as `state` has it.

    cut: those that stand are closed, new ones at once. dead: all stay, and nothing goes through; those that stood then
    stay dead. slow: each piece takes LATE seconds.
    """

    def __init__(self) -> None:
        self.target = ""  # is told once the server is there
        self.state = OPEN
        self._doors = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._doors.getsockname()[1]
        self._pairs: list[Pair] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):  # the end: the door is closed
            while True:
                near, _ = self._doors.accept()
                pair = Pair(self, near)
                self._pairs = [one for one in self._pairs if not one.closed] + [pair]
                threading.Thread(target=pair.begin, daemon=True).start()

    @contextmanager
    def being(self, state: str) -> Iterator[None]:
        self.state = state
        for pair in self._pairs:
            pair.dead = pair.dead or state == DEAD
            if state == CUT:
                pair.close()
        try:
            yield
        finally:
            self.state = OPEN

    def close(self) -> None:
        self._doors.close()
        for pair in self._pairs:
            pair.close()


class Pair:
    """One connection and what it leads to."""

    def __init__(self, wire: Wire, near: socket.socket) -> None:
        self.wire, self.near = wire, near
        self.far = socket.socket(socket.AF_UNIX)
        self.dead, self.closed = wire.state == DEAD, False

    def begin(self) -> None:
        with suppress(OSError):
            if self.wire.state == CUT:
                raise ConnectionError
            self.far.connect(self.wire.target)
            threading.Thread(target=self._carry, args=(self.far, self.near), daemon=True).start()
            self._carry(self.near, self.far)
        self.close()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(PIECE):
                if self.wire.state == SLOW:
                    time.sleep(LATE)
                if not self.dead:
                    other.sendall(piece)
        self.close()

    def close(self) -> None:
        self.closed = True
        for end in (self.near, self.far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
