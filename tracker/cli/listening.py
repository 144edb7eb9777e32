"""tracker listen: results by HL7 v2 over MLLP, one message one transaction.

A message is acknowledged when it has been committed, and not before: what a sender was told is on file survives a power
cut. One connection is served at a time, and a sender that stays silent or sends too much is cut off.
"""

import hashlib
import io
import logging
import socketserver
from datetime import UTC, datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy.exc import SQLAlchemyError

from tracker import formats
from tracker.cli.context import clinics, database, operator
from tracker.db import Database
from tracker.domain.errors import JakwatchError, Refused
from tracker.formats.hl7v2 import MOST_BYTES
from tracker.formats.hl7v2.answers import ACCEPTED, IN_PART, REJECTED, answer
from tracker.operations import configure
from tracker.operations.importing import Importer, Report

log = logging.getLogger("tracker.listen")

START, END = b"\x0b", b"\x1c"
SILENCE = 60  # seconds after which a sender that says nothing is cut off
PIECE = 1 << 16


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=2575, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--clinic", help="The clinic the messages belong to (its code).")
@click.option("--mllp", is_flag=True, default=True, help="The framing; there is no other.")
def listen(host: str, port: int, clinic: str | None, mllp: bool) -> None:
    """Take HL7 v2 results over MLLP; each message is answered when it is filed."""
    with database() as opened, Server(opened, host, port, clinic) as server:
        where, at = server.socket.getsockname()[:2]
        click.echo(f"Listening for HL7 v2 over MLLP on {where}:{at}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")


class Server(socketserver.TCPServer):
    """Files what is sent to it for one clinic, in `database`."""

    allow_reuse_address = True

    def __init__(self, database: Database, host: str, port: int, clinic: str | None = None) -> None:
        self.database = database
        self.clinic = clinic
        super().__init__((host, port), Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        log.warning("a connection ended with an error", exc_info=True)


class Connection(socketserver.BaseRequestHandler):
    """One sender: frame after frame, each answered in turn."""

    server: Server
    timeout: ClassVar[int] = SILENCE

    def handle(self) -> None:
        self.request.settimeout(self.timeout)
        held = b""
        try:
            while piece := self.request.recv(PIECE):
                held += piece
                while END in held:
                    frame, _, held = held.partition(END)
                    self.request.sendall(START + settle(self.server, frame.partition(START)[2] or frame) + END + b"\r")
                    held = held.lstrip(b"\r\n")
                if len(held) > MOST_BYTES:
                    return
        except (TimeoutError, ConnectionError):
            return


def settle(server: Server, content: bytes) -> bytes:
    """File one message and say what became of it. Whatever goes wrong, nothing is acknowledged that is not on file."""
    now = datetime.now(UTC)
    try:
        report = _file(server, content)
    except (JakwatchError, SQLAlchemyError) as why:
        said = str(why) if isinstance(why, JakwatchError) else "The database is not to be had: send it again."
        return answer(content, REJECTED, said, now)
    code = REJECTED if not report.processed else IN_PART if report.refused else ACCEPTED
    return answer(content, code, _told(report), now)


def _file(server: Server, content: bytes) -> Report:
    actor = operator("mllp")
    with server.database.transaction() as session:
        where = clinics(session, server.clinic) if server.clinic else configure.the_clinics(session, actor)
        importer = Importer(session, actor, where)
        source = formats.read("MLLP", io.BytesIO(content), ZoneInfo(where[0].time_zone))
        if source.format != "hl7v2":
            raise Refused("This is no HL7 v2 message.")
        sha256 = hashlib.sha256(content).hexdigest()
        report = importer.file("MLLP", source.format, source.kind, source.rows, sha256, source.remarks, source.elements)
        importer.judge()
    return report


def _told(report: Report) -> str:
    counted = f"{report.filed} filed, {report.duplicate} on file before, {report.unmatched} waiting for their patient"
    reasons = " ".join(dict.fromkeys(problem.message for problem in report.problems)) if report.refused else ""
    return f"{counted}, {report.refused} refused. {reasons}".strip()
