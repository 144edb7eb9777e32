"""The listener: a message is answered when it is filed, in words the sender's people can act on."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.operations.conftest import NOW
from tests.pictures import pdf
from tracker.cli.listening import Connection, Server
from tracker.db import Database
from tracker.formats.hl7v2.mllp import END, START, Framing, TooLong
from tracker.models import Attachment, Clinic, Flag, HeldRow, LabResult
from tracker.operations import configure, enrol
from tracker.operations.actor import Actor
from tracker.operations.importing import Importer

MESSAGE = (
    "MSH|^~\\&|LIS|Lake|Jakwatch|Clinic|20260301101500||ORU^R01|{control}|P|2.5\r"
    "PID|1||{mrn}^^^Clinic^MR||Example^Ada||{born}|F\r"
    "OBR|1|P77|F4711|CBC|||20260301083000\r"
    "OBX|1|NM|751-8^Neutrophils^LN||{value}|10*3/uL|2.0-8.25|L|||F\r"
)


def message(control: str = "1", mrn: str = "00231", born: str = "19880517", value: str = "1.4") -> bytes:
    return START + MESSAGE.format(control=control, mrn=mrn, born=born, value=value).encode() + END


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
def served(opened: Database) -> Iterator[Server]:
    with Server(opened, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def connected(server: Server) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=20)


@contextmanager
def listening(opened: Database) -> Iterator[socket.socket]:
    with served(opened) as server, connected(server) as sender:
        yield sender


def exchange(sender: socket.socket, sent: bytes) -> list[str]:
    if sent:
        sender.sendall(sent)
    got = b""
    while not got.endswith(END):
        got += sender.recv(1) or pytest.fail("the listener hung up")
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
        assert [exchange(sender, b"")[1:3] for _ in range(2)] == [["AA", "c1"], ["AA", "c2"]]
    assert stored(clinic) == 2


def test_nobody_is_told_that_something_is_on_file_that_is_not(clinic: Database) -> None:
    with listening(clinic) as sender:
        refused = exchange(sender, message("c3", value="2400"))
        assert refused[1] == "AR"
        assert "above the possible maximum" in refused[3]
        assert exchange(sender, START + b"hello" + END)[1] == "AR"
        assert exchange(sender, START + b"MSH|^~\\&|A|B|||2026||ADT^A01|9|P|2.5\r" + END)[1:3] == ["AR", "9"]
    assert stored(clinic) == 0


def test_an_unknown_patient_waits_in_the_tray_and_is_said(clinic: Database) -> None:
    with listening(clinic) as sender:
        told = exchange(sender, message("c4", mrn="99999"))
    assert told[1] == "AA"
    assert "1 waiting for their patient" in told[3]
    with clinic.reading() as session:
        assert session.scalar(select(HeldRow.mrn)) == "99999"


def test_a_message_for_training_is_rejected(clinic: Database) -> None:
    with listening(clinic) as sender:
        told = exchange(sender, message("c5").replace(b"|P|2.5", b"|T|2.5"))
    assert told[1:3] == ["AR", "c5"]
    assert "marked as training (MSH-11 is T)" in told[3]
    assert stored(clinic) == 0


def test_a_document_that_cannot_be_read_is_named_and_the_results_beside_it_are_on_file(clinic: Database) -> None:
    document = b"OBX|2|ED|RPT^Report||^AP^PDF^Base64^%s||||||F\r"
    whole = base64.b64encode(pdf("a report"))
    with listening(clinic) as sender:
        broken = exchange(sender, message("c6")[: -len(END)] + document % whole[:-3] + END)
        assert broken[1:3] == ["AE", "c6"]
        assert "1 filed" in broken[3]
        assert "cannot be decoded" in broken[3]
        assert exchange(sender, message("c7")[: -len(END)] + document % whole + END)[1] == "AA"
    with clinic.reading() as session:
        assert session.scalars(select(Attachment.filename)).all() == ["Report.pdf"]


# ------------------------------------------------------------------------------------------ many, and bad ones


def test_a_silent_sender_holds_nobody_up(clinic: Database) -> None:
    with served(clinic) as server, connected(server) as silent, connected(server) as half, connected(server) as other:
        half.sendall(message("c0")[:60])
        assert exchange(other, message("c1"))[1:3] == ["AA", "c1"]
        assert exchange(half, message("c0")[60:])[1:3] == ["AA", "c0"]
        assert exchange(silent, message("c2"))[1:3] == ["AA", "c2"]


def test_many_senders_at_once_are_each_answered_for_their_own(clinic: Database) -> None:
    with served(clinic) as server:
        answers: dict[int, list[str]] = {}

        def send(number: int) -> None:
            with connected(server) as sender:
                for place in range(3):
                    sent = message(f"c{number}-{place}").replace(b"F4711", f"F{number}-{place}".encode())
                    answers[number * 10 + place] = exchange(sender, sent)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(told[2] for told in answers.values() if told[1] == "AA") == sorted(
        f"c{number}-{place}" for number in range(8) for place in range(3)
    )
    assert stored(clinic) == 24


def test_a_sender_too_many_is_turned_away_and_the_place_is_given_again(
    clinic: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "most_senders", 1)
    with served(clinic) as server:
        with connected(server) as first:
            assert exchange(first, message("c1"))[1] == "AA"
            with connected(server) as second:
                assert second.recv(10) == b""
        until = time.monotonic() + 30
        while time.monotonic() < until:  # the place is free once the listener has seen the first one leave
            with suppress(ConnectionError), connected(server) as third:
                third.sendall(message("c3"))
                if third.recv(10).startswith(START):
                    return
            time.sleep(0.05)
        pytest.fail("the place of a sender that left was not given again")


@pytest.mark.parametrize("limit", ["timeout", "patience"])
def test_a_sender_that_stays_silent_within_a_message_is_told_and_cut_off(
    clinic: Database, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(Connection, limit, 0.05)
    with listening(clinic) as sender:
        told = exchange(sender, message("c1")[:80])
        assert told[1:3] == ["AR", "c1"]
        assert "dropped. Send it again." in told[3]
        assert sender.recv(10) == b""
    assert stored(clinic) == 0


def test_a_message_that_breaks_off_is_rejected(clinic: Database) -> None:
    with listening(clinic) as sender:
        sender.sendall(message("c1")[:-2])
        sender.shutdown(socket.SHUT_WR)
        told = exchange(sender, b"")
    assert told[1:3] == ["AR", "c1"]
    assert "broke off before its end" in told[3]
    assert stored(clinic) == 0


def test_a_message_that_breaks_off_is_not_joined_to_the_next(clinic: Database) -> None:
    with listening(clinic) as sender:
        other = message("c2", value="2.4").replace(b"F4711", b"F4712")
        told = exchange(sender, message("c1", value="0.1")[:-40] + other)
    assert told[1:3] == ["AA", "c2"]
    assert "never ended and was dropped" in told[3]
    with clinic.reading() as session:
        assert [str(figure) for figure in session.scalars(select(LabResult.figure))] == ["2.4"]


def test_what_has_no_beginning_is_rejected_and_the_next_message_taken(clinic: Database) -> None:
    with listening(clinic) as sender:
        told = exchange(sender, message("c1")[1:])
        assert (told[1], "no beginning" in told[3]) == ("AR", True)
        assert exchange(sender, message("c2"))[1] == "AA"
    assert stored(clinic) == 1


def test_a_message_that_is_too_long_is_rejected(clinic: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "most", 1 << 20)
    with listening(clinic) as sender:
        told = exchange(sender, message("c1")[:-2] + b"x" * (2 << 20))
        assert told[1:3] == ["AR", "c1"]
        assert "more than 1 MiB" in told[3]
    assert stored(clinic) == 0


def test_a_fault_of_ours_is_no_acknowledgement_and_ends_nothing(
    clinic: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with listening(clinic) as sender:
        with monkeypatch.context() as patch:
            patch.setattr(Importer, "judge", fails)
            assert exchange(sender, message("c1"))[1:3] == ["AR", "c1"]
        assert stored(clinic) == 0
        assert exchange(sender, message("c1"))[1] == "AA"


# ------------------------------------------------------------------------------------------------ the framing


ONE, TWO = b"MSH|^~\\&|one\r", b"MSH|^~\\&|two\r"


@given(st.lists(st.sampled_from([ONE, TWO, b"MSH|^~\\&|a\x0bb\x1cc"]), max_size=4), st.integers(1, 9))
def test_messages_come_out_whole_however_they_are_cut(sent: list[bytes], size: int) -> None:
    stream = b"".join(START + one + END for one in sent)
    framing = Framing(1000)
    got = [frame for at in range(0, len(stream), size) for frame in framing.feed(stream[at : at + size])]
    assert [frame.content for frame in got] == sent
    assert all(frame.sound and not frame.dropped for frame in got)
    assert framing.begun == b""


@given(st.integers(1, len(ONE)), st.integers(1, 9))
def test_a_new_start_drops_what_was_not_ended(cut: int, size: int) -> None:
    stream = (START + ONE)[:cut] + START + TWO + END
    framing = Framing(1000)
    (frame,) = [frame for at in range(0, len(stream), size) for frame in framing.feed(stream[at : at + size])]
    assert (frame.content, frame.dropped) == (TWO, True)


def test_a_message_that_never_ends_is_not_held_for_ever() -> None:
    framing = Framing(100)
    assert list(framing.feed(b"\x0bx" * 50)) == []
    with pytest.raises(TooLong):
        list(framing.feed(b"x"))
