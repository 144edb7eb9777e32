"""The listener: a message is answered when it is filed, in words the sender's people can act on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select

from tests.operations.conftest import NOW
from tracker.cli.listening import END, START, Connection, Server
from tracker.db import Database
from tracker.models import Clinic, Flag, HeldRow, LabResult
from tracker.operations import configure, enrol
from tracker.operations.actor import Actor

MESSAGE = (
    "MSH|^~\\&|LIS|Lake|Jakwatch|Clinic|20260301101500||ORU^R01|{control}|P|2.5\r"
    "PID|1||{mrn}^^^Clinic^MR||Example^Ada||{born}|F\r"
    "OBR|1|P77|F4711|CBC|||20260301083000\r"
    "OBX|1|NM|751-8^Neutrophils^LN||{value}|10*3/uL|2.0-8.25|L|||F\r"
)


def message(control: str = "1", mrn: str = "00231", born: str = "19880517", value: str = "1.4") -> bytes:
    return START + MESSAGE.format(control=control, mrn=mrn, born=born, value=value).encode() + END + b"\r"


@pytest.fixture
def clinic(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    actor = Actor("setup", NOW, "cli")
    with opened.transaction() as session:
        place: Clinic = configure.add_clinic(session, actor, "lake", "Lake")
        enrol.add_patient(session, actor, place.id, {"mrn": "00231", "family_name": "Example", "sex": "female"})
    yield opened
    opened.close()


@contextmanager
def listening(opened: Database) -> Iterator[socket.socket]:
    with Server(opened, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            with socket.create_connection(server.server_address[:2], timeout=20) as sender:
                yield sender
        finally:
            server.shutdown()
            thread.join()


def exchange(sender: socket.socket, sent: bytes) -> list[str]:
    sender.sendall(sent)
    got = b""
    while not got.endswith(END + b"\r"):
        got += sender.recv(4096) or pytest.fail("the listener hung up")
    return got.strip(START + END + b"\r").decode().split("\r")[1].split("|")


def stored(opened: Database) -> int:
    with opened.reading() as session:
        return session.scalar(select(func.count(LabResult.id))) or 0


def test_a_message_is_accepted_when_it_is_on_file_and_judged(clinic: Database) -> None:
    with listening(clinic) as sender:
        assert exchange(sender, message("c1"))[:3] == ["MSA", "AA", "c1"]
        assert stored(clinic) == 1
        with clinic.reading() as session:
            assert session.scalar(select(Flag.subject).where(Flag.rule == "out_of_range")) == "ANC"
        again = exchange(sender, message("c1"))
    assert again[1] == "AA"
    assert "1 on file before" in again[3]
    assert stored(clinic) == 1


def test_a_message_in_pieces_and_two_in_one_piece(clinic: Database) -> None:
    with listening(clinic) as sender:
        whole = message("c1")
        sender.sendall(whole[:70])
        assert exchange(sender, whole[70:])[1] == "AA"
        other = message("c2", value="2.4").replace(b"F4711", b"F4712")
        sender.sendall(whole + other)
        assert exchange(sender, b"")[1] == "AA"
    assert stored(clinic) == 2


def test_nobody_is_told_that_something_is_on_file_that_is_not(clinic: Database) -> None:
    with listening(clinic) as sender:
        refused = exchange(sender, message("c3", value="2400"))
        assert refused[1] == "AR"
        assert "above the possible maximum" in refused[3]
        assert exchange(sender, START + b"hello" + END + b"\r")[1] == "AR"
        assert exchange(sender, START + b"MSH|^~\\&|A|B|||2026||ADT^A01|9|P|2.5\r" + END + b"\r")[1:3] == ["AR", "9"]
    assert stored(clinic) == 0


def test_an_unknown_patient_waits_in_the_tray_and_is_said(clinic: Database) -> None:
    with listening(clinic) as sender:
        told = exchange(sender, message("c4", mrn="99999"))
    assert told[1] == "AA"
    assert "1 waiting for their patient" in told[3]
    with clinic.reading() as session:
        assert session.scalar(select(HeldRow.mrn)) == "99999"


def test_a_sender_that_stays_silent_is_cut_off(clinic: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "timeout", 0.05)
    with listening(clinic) as sender:
        sender.sendall(START + b"MSH|")
        assert sender.recv(10) == b""
