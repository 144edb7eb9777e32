"""What HL7 v2 messages do to what is on file: corrections find the right result, nothing reaches the wrong patient."""

import base64
import io
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from tests.operations.conftest import ZONE, Desk
from tests.pictures import pdf
from tracker import formats
from tracker.domain.errors import Refused
from tracker.domain.readings import PatientReading, Row
from tracker.models import Attachment, Clinic, HeldRow, ImportBatch, LabResult, Patient
from tracker.operations import configure, enrol, tray
from tracker.operations.attachments import LARGEST
from tracker.operations.importing import Importer, Report
from tracker.operations.undo import undo

HEADER = "MSH|^~\\&|LIS|Lakeside Lab|Jakwatch|Derm|20260301101500||ORU^R01|1|P|2.5"
PID = "PID|1||{mrn}^^^Clinic^MR||Ada^A||{born}|F"
OBR = "OBR|1|P77|F4711|CBC|||20260301083000"


def send(desk: Desk, *obx: str, mrn: str = "0001", born: str = "19900501") -> Report:
    """One message of OBX, each told by its fields 3, 4, 5, 6 and 11."""
    segments = [HEADER, PID.format(mrn=mrn, born=born), OBR]
    for place, told in enumerate(obx, start=1):
        test, sub_id, value, unit, status = told.split("|")
        segments.append(f"OBX|{place}|NM|{test}|{sub_id}|{value}|{unit}|||||{status}")
    with desk.database.transaction() as session:
        importer = Importer(session, desk.nurse, [session.get_one(Clinic, desk.clinic_id)])
        source = formats.read("m.hl7", io.BytesIO("\r".join(segments).encode()), ZONE)
        report = importer.file("m.hl7", source.format, source.kind, source.rows)
        importer.judge()
    return report


def standing(desk: Desk) -> list[tuple[str, str]]:
    """(sub-ID, figure) of what is in force."""
    with desk.database.reading() as session:
        rows = session.scalars(select(LabResult).where(LabResult.retired_at.is_(None)).order_by(LabResult.sub_id))
        return [(row.sub_id, f"{row.comparator}{row.figure}" if row.figure is not None else row.text) for row in rows]


# ------------------------------------------------------------------------------------- corrections (OBX-4)


def test_a_correction_replaces_the_result_with_its_sub_id_and_leaves_the_neighbour(desk: Desk) -> None:
    send(desk, "X^Culture|1|3|cfu|F", "X^Culture|2|7|cfu|F")
    assert send(desk, "X^Culture|2|8|cfu|C").filed == 1
    assert standing(desk) == [("1", "3"), ("2", "8")]
    assert send(desk, "X^Culture|2|8|cfu|C").duplicate == 1


def test_a_correction_that_does_not_say_which_of_several_it_means_is_refused(desk: Desk) -> None:
    send(desk, "X^Culture|1|3|cfu|F", "X^Culture|2|7|cfu|F")
    for status in "CX":
        report = send(desk, f"X^Culture||8|cfu|{status}")
        assert (report.refused, "2 results of this test are on file" in report.problems[0].message) == (1, True)
    assert standing(desk) == [("1", "3"), ("2", "7")]


def test_a_correction_of_one_of_two_that_were_told_apart_by_us_is_refused(desk: Desk) -> None:
    send(desk, "X^Culture||3|cfu|F", "X^Culture||7|cfu|F")
    assert send(desk, "X^Culture||8|cfu|C").refused == 1
    assert standing(desk) == [("", "3"), ("~2", "7")]


@pytest.mark.parametrize(("first", "then"), [("", "1"), ("1", "")])
def test_the_only_result_there_is_is_meant_where_one_of_the_two_has_no_sub_id(
    desk: Desk, first: str, then: str
) -> None:
    send(desk, f"X^Culture|{first}|3|cfu|F")
    assert send(desk, f"X^Culture|{then}|8|cfu|C").filed == 1
    assert standing(desk) == [(first, "8")]
    assert send(desk, f"X^Culture|{then}||cfu|X").filed == 1
    assert standing(desk) == []


def test_two_tests_of_one_name_with_the_same_answer_are_both_kept(desk: Desk) -> None:
    two = ("3184 100^p18||3||F", "3185 100^p18||3||F")
    assert send(desk, *two).filed == 2
    assert send(desk, *two).duplicate == 2
    assert standing(desk) == [("", "3"), ("~3185 100", "3")]


def test_a_correction_within_one_message_finds_its_result(desk: Desk) -> None:
    assert send(desk, "X^Culture|1|3|cfu|F", "X^Culture|2|7|cfu|F", "X^Culture|1|4|cfu|C").filed == 3
    assert standing(desk) == [("1", "4"), ("2", "7")]


def test_a_cancelled_result_takes_no_neighbour_with_it(desk: Desk) -> None:
    send(desk, "X^Culture|1|3|cfu|F", "X^Culture|2|7|cfu|F")
    assert send(desk, "X^Culture|1||cfu|X").filed == 1
    assert standing(desk) == [("2", "7")]


def test_a_long_report_sent_again_changes_nothing_and_a_changed_end_is_seen(desk: Desk) -> None:
    report = " ".join(f"sentence {n}." for n in range(60))
    send(desk, f"S^Smear||{report}||F")
    assert send(desk, f"S^Smear||{report}||F").duplicate == 1
    assert send(desk, f"S^Smear||{report} malignant||F").refused == 1
    assert standing(desk) == [("", report)]


# ---------------------------------------------------------------------------------------------- whose


def enrolled(desk: Desk, mrn: str, born: date | None) -> None:
    with desk.database.transaction() as session:
        enrol.add_patient(session, desk.nurse, desk.clinic_id, {"mrn": mrn, "birth_date": born, "sex": "female"})


def released(desk: Desk) -> tuple[int, HeldRow]:
    with desk.database.transaction() as session:
        count, _ = tray.release(session, desk.nurse, session.get_one(Clinic, desk.clinic_id), LARGEST)
        (held,) = session.scalars(select(HeldRow)).all()
    return count, held


def test_a_row_of_the_tray_keeps_the_birth_date_of_its_message(desk: Desk) -> None:
    assert send(desk, "X^Culture||3|cfu|F", mrn="7", born="19700101").unmatched == 1
    enrolled(desk, "7", date(1980, 2, 2))
    count, held = released(desk)
    assert (count, held.state) == (0, "waiting")
    assert "born on 1970-01-01" in held.settled_reason
    assert standing(desk) == []
    with desk.database.transaction() as session:
        session.scalars(select(Patient).where(Patient.mrn == "7")).one().birth_date = date(1970, 1, 1)
    count, held = released(desk)
    assert (count, held.state) == (1, "filed")
    assert standing(desk) == [("", "3")]


def test_a_row_that_was_held_by_an_earlier_version_is_still_read(desk: Desk) -> None:
    send(desk, "X^Culture||3|cfu|F", mrn="7")
    with desk.database.transaction() as session:
        held = session.scalars(select(HeldRow)).one()
        (packed,) = [part for part in (held.content.partition('"reading": ')[2].partition(', "about"')[0],) if part]
        held.content = packed.rpartition(', ""')[0] + "]"  # a reading without its sub-ID
    enrolled(desk, "7", None)
    assert released(desk)[0] == 1


# ---------------------------------------------------------------------------- patients without a clinic


def two_clinics(desk: Desk, session: Any) -> list[Clinic]:
    first = session.get_one(Clinic, desk.clinic_id)
    second: Clinic = configure.add_clinic(session, desk.nurse, "north", "North")
    enrol.add_patient(session, desk.nurse, second.id, {"mrn": "N1", "family_name": "Nora", "sex": "female"})
    return [first, second]


def filed(session: Any, desk: Desk, clinics: list[Clinic], reading: PatientReading) -> Report:
    return Importer(session, desk.nurse, clinics).file("p.csv", "csv", "patients", [Row(2, reading)])


@pytest.mark.parametrize(
    ("mrn", "clinic", "outcome"),
    [("N1", "", "refused"), ("N1", "north", "duplicate"), ("N1", "derm", "filed"), ("0001", "", "duplicate"),
     ("new", "", "filed")],
)  # fmt: skip
def test_a_patient_without_a_clinic_is_not_enrolled_twice(desk: Desk, mrn: str, clinic: str, outcome: str) -> None:
    with desk.database.transaction() as session:
        report = filed(session, desk, two_clinics(desk, session), PatientReading(mrn, clinic=clinic))
        where = session.scalars(select(Clinic.code).join(Patient).where(Patient.mrn == "N1").order_by(Clinic.id)).all()
    assert getattr(report, outcome) == 1
    assert where == (["derm", "north"] if clinic == "derm" else ["north"])
    if outcome == "refused":
        assert "known at north" in report.problems[0].message
        assert "name the clinic" in report.problems[0].message


def test_a_number_that_two_clinics_have_is_ambiguous(desk: Desk) -> None:
    with desk.database.transaction() as session:
        clinics = two_clinics(desk, session)
        enrol.add_patient(session, desk.nurse, desk.clinic_id, {"mrn": "N1", "sex": "female"})
        assert "known at derm and north" in filed(session, desk, clinics, PatientReading("N1")).problems[0].message


def test_somebody_of_one_clinic_neither_sees_nor_touches_the_other_ones_patient(desk: Desk) -> None:
    with desk.database.transaction() as session:
        first, second = two_clinics(desk, session)
        report = filed(session, desk, [first], PatientReading("N1", "Mine", birth_date=date(1999, 1, 1)))
        assert (report.filed, report.problems) == (1, [])
        assert session.scalars(select(Patient.family_name).where(Patient.clinic_id == second.id)).all() == ["Nora"]
        with pytest.raises(Refused, match="is taken"):
            enrol.add_patient(session, desk.nurse, second.id, {"mrn": "N1", "sex": "female"})


# ------------------------------------------------------------------------------------- documents (OBX-2 ED)

REPORT = pdf("the whole report")


def send_report(desk: Desk, content: bytes = REPORT, mrn: str = "0001", largest: int = 1 << 20) -> Report:
    """A neutrophil count, and before it the report of the same order as a document."""
    segments = [
        HEADER, PID.format(mrn=mrn, born="19900501"), OBR,
        f"OBX|1|ED|PDF^Report||^AP^PDF^Base64^{base64.b64encode(content).decode()}||||||F",
        "OBX|2|NM|751-8^Neutrophils^LN||1.4|10*3/uL|2.0-8.25|L|||F",
    ]  # fmt: skip
    with desk.database.transaction() as session:
        importer = Importer(session, desk.nurse, [session.get_one(Clinic, desk.clinic_id)], largest=largest)
        source = formats.read("m.hl7", io.BytesIO("\r".join(segments).encode()), ZONE)
        report = importer.file("m.hl7", source.format, source.kind, source.rows)
        importer.judge()
    return report


def kept(desk: Desk) -> list[tuple[str, bytes, str | None]]:
    """(name, content, the test of the sample it is with) of the documents in force."""
    with desk.database.reading() as session:
        found = session.scalars(select(Attachment).where(Attachment.voided_at.is_(None)).order_by(Attachment.id))
        return [(a.filename, a.content, (r := session.get(LabResult, a.result_id or 0)) and r.subject) for a in found]


def test_a_document_is_kept_with_the_sample_it_reports(desk: Desk) -> None:
    assert (send_report(desk).filed, kept(desk)) == (2, [("Report.pdf", REPORT, "ANC")])
    with desk.database.reading() as session:
        row = session.scalars(select(Attachment)).one()
    assert (row.on, row.media_type) == (date(2026, 3, 1), "application/pdf")


def test_a_document_that_comes_again_is_a_duplicate(desk: Desk) -> None:
    send_report(desk)
    assert send_report(desk).duplicate == 2
    assert len(kept(desk)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{\\rtf1 words}", "an RTF document"), (REPORT[:-8], "damaged or cut short"), (REPORT + bytes(2000), "0.0 MB")],
)
def test_a_document_that_an_upload_would_be_refused_for_is_refused_and_its_results_are_filed(
    desk: Desk, content: bytes, said: str
) -> None:
    report = send_report(desk, content, largest=1000)
    assert (report.filed, report.refused, said in report.problems[0].message) == (1, 1, True)
    assert kept(desk) == []


def test_a_document_on_record_for_somebody_else_is_refused_without_saying_for_whom(desk: Desk) -> None:
    send_report(desk)
    with desk.database.transaction() as session:
        enrol.add_patient(session, desk.nurse, desk.clinic_id, {"mrn": "0002", "family_name": "Neighbour"})
    report = send_report(desk, mrn="0002")
    assert (report.filed, report.refused) == (1, 1)
    assert report.problems[0].message.endswith("add it on this patient’s page.")
    assert "Ada" not in report.problems[0].message


def test_a_document_waits_for_its_patient_and_comes_whole_out_of_the_tray(desk: Desk) -> None:
    assert send_report(desk, mrn="0002").unmatched == 2
    with desk.database.transaction() as session:
        enrol.add_patient(session, desk.nurse, desk.clinic_id, {"mrn": "0002", "family_name": "Late"})
        released, _ = tray.release(session, desk.nurse, session.get_one(Clinic, desk.clinic_id), LARGEST)
    assert (released, kept(desk)) == (2, [("Report.pdf", REPORT, "ANC")])


def test_undoing_the_file_takes_its_documents_out_and_they_may_come_again(desk: Desk) -> None:
    first = send_report(desk)
    with desk.database.transaction() as session:
        done = undo(session, desk.nurse, session.get_one(ImportBatch, first.batch), "sent for the wrong patient").done
    assert (done["documents voided"], kept(desk)) == (1, [])
    assert send_report(desk).filed == 2
