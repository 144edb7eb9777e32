"""tracker listen: results by HL7 v2 over MLLP, one message one transaction.

A message is acknowledged when it has been committed, and not before: what a sender was told is on file survives a power
cut. Many senders are listened to at once and their messages filed in turn. A sender that stays silent, takes too long
over a message or sends too much is told so and cut off; a message that breaks off is dropped, never joined to the next.
"""

import hashlib
import io
import logging
import socket
import socketserver
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy.exc import SQLAlchemyError

from tracker import formats
from tracker.cli.context import clinics, database, largest_document, operator
from tracker.db import Database
from tracker.domain.errors import JakwatchError, Refused
from tracker.formats.hl7v2.answers import ACCEPTED, IN_PART, REJECTED, answer
from tracker.formats.hl7v2.mllp import Frame, Framing, TooLong, framed
from tracker.operations import configure
from tracker.operations.importing import Importer, Report

log = logging.getLogger("tracker.listen")

SILENCE = 60  # seconds after which a sender that says nothing is cut off
PATIENCE = 120  # seconds that one message may take from its first byte to its last
SENDERS = 32  # at once
MOST_BYTES = 16 << 20  # of one message
PIECE = 1 << 16
_HEAD = 4096  # of a message that was not taken: enough for its header, which its answer names
_FAREWELL = 2  # seconds in which a sender that is cut off may read why


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=2575, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--clinic", help="The clinic the messages belong to (its code).")
@click.option("--mllp", is_flag=True, default=True, help="The framing; there is no other.")
def listen(host: str, port: int, clinic: str | None, mllp: bool) -> None:
    """Take HL7 v2 results over MLLP from many senders; each message is answered when it is filed.

    AA: all of it is on file. AE: a part of it is not. AR: nothing of it is, which is so for every message that is
    marked as training or debugging (MSH-11).
    """
    with database() as opened, Server(opened, host, port, clinic) as server:
        where, at = server.socket.getsockname()[:2]
        click.echo(f"Listening for HL7 v2 over MLLP on {where}:{at}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")


class Server(socketserver.ThreadingTCPServer):
    """Files what is sent to it for one clinic, in `database`. Every sender has a thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = SENDERS
    most_senders: ClassVar[int] = SENDERS

    def __init__(self, database: Database, host: str, port: int, clinic: str | None = None) -> None:
        self.database = database
        self.clinic = clinic
        self.largest = largest_document()
        self.turn = threading.Lock()  # one message is filed at a time
        self._places = threading.BoundedSemaphore(self.most_senders)
        super().__init__((host, port), Connection)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not self._places.acquire(blocking=False):
            log.warning("more than %d senders at once: one was turned away", self.most_senders)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        log.warning("a connection ended with an error", exc_info=True)


class Connection(socketserver.BaseRequestHandler):
    """One sender: message after message, each answered in turn."""

    server: Server
    timeout: ClassVar[float] = SILENCE
    patience: ClassVar[float] = PATIENCE
    most: ClassVar[int] = MOST_BYTES

    def handle(self) -> None:
        framing = Framing(self.most)
        with suppress(OSError):  # whoever hung up is told nothing more
            why = self._converse(framing)
            if framing.waits:
                self._part(framing.begun, why)

    def _converse(self, framing: Framing) -> str:
        """Answer message after message; why it ended."""
        since: float | None = None  # when the message that is coming began
        while True:
            left = self.patience - (time.monotonic() - since) if since is not None else self.timeout
            if left <= 0:
                return f"The message took longer than {self.patience:g} seconds: it was dropped. Send it again."
            self.request.settimeout(min(left, self.timeout))
            try:
                piece = self.request.recv(PIECE)
                for frame in framing.feed(piece):
                    since = None
                    self.request.settimeout(self.timeout)
                    self.request.sendall(framed(settle(self.server, frame)))
            except TimeoutError:
                if left < self.timeout:
                    continue
                return f"Nothing came for {self.timeout:g} seconds: the unfinished message was dropped. Send it again."
            except TooLong:
                return f"The message holds more than {self.most >> 20} MiB, which is more than is taken."
            if not piece:
                return "The message broke off before its end (<FS><CR>): it was dropped. Send it again."
            since = (since or time.monotonic()) if framing.waits else None

    def _part(self, begun: bytes, why: str) -> None:
        """Refuse a message that did not end, and give the sender a moment to read that."""
        log.warning("a sender was cut off: %s", why)
        self.request.settimeout(_FAREWELL)
        self.request.sendall(framed(answer(begun[:_HEAD], REJECTED, why, datetime.now(UTC))))
        self.request.shutdown(socket.SHUT_WR)
        until = time.monotonic() + _FAREWELL
        while time.monotonic() < until and self.request.recv(PIECE):
            pass


def settle(server: Server, frame: Frame) -> bytes:
    """File one message and say what became of it. Whatever goes wrong, nothing is acknowledged that is not on file."""
    now = datetime.now(UTC)
    content = frame.content
    try:
        if not frame.sound:
            raise Refused("The message has no beginning (<VT>): it was dropped. Send it again.")
        with server.turn:
            report = _file(server, content)
    except JakwatchError as why:
        return answer(content, REJECTED, str(why), now)
    except SQLAlchemyError:
        log.warning("a message could not be stored", exc_info=True)
        return answer(content, REJECTED, "The database is not to be had: send it again.", now)
    except Exception:
        log.exception("a message could not be filed")
        return answer(content, REJECTED, "A fault of the receiver: nothing of it was filed. Its log says more.", now)
    code = REJECTED if not report.processed else IN_PART if report.refused else ACCEPTED
    return answer(content, code, _told(report, frame.dropped), now)


def _file(server: Server, content: bytes) -> Report:
    actor = operator("mllp")
    with server.database.transaction() as session:
        where = clinics(session, server.clinic) if server.clinic else configure.the_clinics(session, actor)
        importer = Importer(session, actor, where, largest=server.largest)
        source = formats.read("MLLP", io.BytesIO(content), ZoneInfo(where[0].time_zone))
        if source.format != "hl7v2":
            raise Refused("This is no HL7 v2 message.")
        sha256 = hashlib.sha256(content).hexdigest()
        report = importer.file("MLLP", source.format, source.kind, source.rows, sha256, source.remarks, source.elements)
        importer.judge()
    return report


def _told(report: Report, dropped: bool) -> str:
    counted = f"{report.filed} filed, {report.duplicate} on file before, {report.unmatched} waiting for their patient"
    reasons = " ".join(dict.fromkeys(problem.message for problem in report.problems)) if report.refused else ""
    before = "A message before this one never ended and was dropped." if dropped else ""
    return " ".join(filter(None, (f"{counted}, {report.refused} refused.", before, reasons)))
