"""Reports are kept once, as they came, with whom they are about; what was kept does not change."""

import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from tests.operations.conftest import NOW, TODAY, Desk
from tests.people import seed
from tests.pictures import jpeg, pdf, png
from tracker.cli import tracker
from tracker.cli.copies import back_up, restore
from tracker.db import Database
from tracker.domain.errors import Refused, Stale
from tracker.models import Attachment, AuditEntry, LabResult, Patient
from tracker.operations import attachments, enrol
from tracker.operations.attachments import Elsewhere, Sent
from tracker.queries import attachments as queries

SENT = Sent(pdf("a report"), "report.pdf", date(2026, 3, 1), "laboratory report")


def attach(desk: Desk, sent: Sent = SENT, patient_id: int = 0, **more: object) -> int:
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, patient_id or desk.patient_id)
        return attachments.attach(session, desk.nurse, patient, sent, **more).id  # type: ignore[arg-type]


def void(desk: Desk, key: int, reason: str = "of somebody else") -> None:
    with desk.database.transaction() as session:
        patient, row = session.get_one(Patient, desk.patient_id), session.get_one(Attachment, key)
        attachments.void(session, desk.nurse, row, patient=patient, reason=reason)


def neighbour(desk: Desk) -> int:
    with desk.database.transaction() as session:
        details = {"mrn": "0002", "family_name": "Neighbour", "sex": "male"}
        return enrol.add_patient(session, desk.nurse, desk.clinic_id, details).id


def test_a_report_is_kept_byte_for_byte_with_its_digest(desk: Desk) -> None:
    for sent in (SENT, Sent(png(), "photo.pdf", TODAY), Sent(jpeg(), "photo", TODAY)):
        key = attach(desk, sent)
        with desk.database.reading() as session:
            row = session.get_one(Attachment, key)
            assert row.content == sent.content
            assert row.size == len(sent.content)
            assert row.sha256 == hashlib.sha256(sent.content).hexdigest()
    with desk.database.reading() as session:
        kinds = session.scalars(select(Attachment.media_type).order_by(Attachment.id)).all()
    assert kinds == ["application/pdf", "image/png", "image/jpeg"]


def test_the_trail_has_the_digest_and_not_the_file(desk: Desk) -> None:
    attach(desk)
    with desk.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.record == "attachment")).one()
    assert entry.after is not None
    assert entry.after["sha256"] == hashlib.sha256(SENT.content).hexdigest()
    assert "content" not in entry.after
    assert (entry.action, entry.patient_id) == ("create", desk.patient_id)


def test_the_same_file_is_kept_once_for_a_patient(desk: Desk) -> None:
    key = attach(desk)
    with pytest.raises(Refused, match=r"already, as report\.pdf"):
        attach(desk, SENT._replace(filename="copy.pdf"))
    void(desk, key)
    attach(desk)  # what was taken out may come again


def test_the_same_file_for_another_patient_is_asked_about(desk: Desk) -> None:
    attach(desk)
    other = neighbour(desk)
    with pytest.raises(Elsewhere, match=r"Ada, A, 0001"):
        attach(desk, patient_id=other)
    attach(desk, patient_id=other, confirmed=True)


@pytest.mark.parametrize(("over", "taken"), [(-1, True), (0, True), (1, False)])
def test_the_largest_size_is_inclusive(desk: Desk, over: int, taken: bool) -> None:
    sent = SENT._replace(content=pdf("x" * 1000))
    if taken:
        assert attach(desk, sent, largest=len(sent.content) - over)
    else:
        with pytest.raises(Refused, match="the most that is kept"):
            attach(desk, sent, largest=len(sent.content) - over)


@pytest.mark.parametrize(("days", "taken"), [(0, True), (1, False)])
def test_a_report_is_not_of_a_day_to_come(desk: Desk, days: int, taken: bool) -> None:
    sent = SENT._replace(on=TODAY + timedelta(days=days))
    if taken:
        assert attach(desk, sent)
    else:
        with pytest.raises(Refused, match="in the future"):
            attach(desk, sent)


def test_a_report_stays_with_its_sample_and_with_no_other(desk: Desk) -> None:
    desk.labs(("ANC", "3.1", "10*9/L", "2026-03-01"), ("HB", "13", "g/dL", "2026-03-01"))
    desk.labs(("ANC", "3.0", "10*9/L", "2026-03-02"))
    with desk.database.reading() as session:
        anc, hb, later = session.scalars(select(LabResult).order_by(LabResult.id))
    key = attach(desk, result=anc)
    with desk.database.reading() as session:
        assert [one.row.id for one in queries.of_sample(session, hb)] == [key]
        assert queries.of_sample(session, later) == []
        assert [(one.row.id, one.by) for one in queries.of_patient(session, desk.patient_id)] == [(key, "Nora")]
    with pytest.raises(Refused, match="another patient"):
        attach(desk, SENT._replace(content=pdf("2")), patient_id=neighbour(desk), result=anc)


def test_lists_do_not_read_the_files(desk: Desk) -> None:
    attach(desk)
    with desk.database.reading() as session:
        (one,) = queries.of_patient(session, desk.patient_id)
        assert "content" not in one.row.__dict__


def test_what_was_kept_does_not_change_and_goes_out_once(desk: Desk) -> None:
    key = attach(desk)
    for statement in (
        "UPDATE attachment SET content = content", "UPDATE attachment SET patient_id = patient_id",
        "UPDATE attachment SET filename = 'other'", "DELETE FROM attachment",
    ):  # fmt: skip
        with pytest.raises(DBAPIError, match="append-only"), desk.database.transaction() as session:
            session.execute(text(statement))
    void(desk, key)
    with pytest.raises(Stale):
        void(desk, key)
    with pytest.raises(DBAPIError, match="append-only"), desk.database.transaction() as session:
        session.execute(update(Attachment).values(voided_at=None))


def test_a_backup_tells_of_the_files_and_brings_them_back(sqlite_url: str, tmp_path: Path) -> None:
    """PostgreSQL's own programs bring whole tables; that they are compared is tried in tests/faults."""
    opened = Database(sqlite_url)
    seed(opened)
    manifest = back_up(sqlite_url, tmp_path / "backup", NOW)
    assert manifest["tables"]["attachment"]["rows"] == 2
    target = f"sqlite:///{tmp_path}/restored.db"
    restore(target, tmp_path / "backup")
    restored = Database(target)
    with opened.reading() as before, restored.reading() as after:
        told = select(Attachment.sha256, Attachment.content).order_by(Attachment.id)
        assert before.execute(told).all() == after.execute(told).all()
    for database in (opened, restored):
        database.close()


def test_check_tells_a_file_that_is_not_what_was_stored(desk: Desk) -> None:
    key = attach(desk)
    environment = {"TRACKER_DATABASE_URL": desk.database.url}
    assert "ok   attachments" in CliRunner().invoke(tracker, ["check"], env=environment).output
    drop = "DROP TRIGGER attachment_kept" + (" ON attachment" if desk.database.url.startswith("postgresql") else "")
    with desk.database.transaction() as session:
        session.execute(text(drop))
        session.execute(update(Attachment).values(content=pdf("another")))
    outcome = CliRunner().invoke(tracker, ["check"], env=environment)
    assert outcome.exit_code == 1
    assert f"attachment {key} (report.pdf) is not the file that was stored." in outcome.output
