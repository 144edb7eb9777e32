"""The encoding of HL7 v2: lines, characters, delimiters; reports, notes and documents come whole."""

import base64
from datetime import date

import pytest

from tests.formats.hl7v2 import MSH, OBR, PID, ZONE, code, only, refusal, result, rows
from tracker.domain.readings import DocumentReading, LabReading
from tracker.formats import hl7v2
from tracker.formats.hl7v2.er7 import delimiters

# ------------------------------------------------------------------------------------------- the encoding


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n", "\n\n"])
def test_every_end_of_a_line_ends_a_segment(end: str) -> None:
    assert [row.reading is not None for row in rows(MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F", end=end)] == [True]


def test_a_line_that_begins_no_segment_goes_on_with_the_one_before() -> None:
    found = result("OBX|1|TX|X^S||first line", "second line||||||F")
    assert found.value == "first line\nsecond line"


def test_characters_that_are_not_utf_8() -> None:
    parts = hl7v2.read("\r".join((MSH, PID, OBR, "OBX|1|NM|HB^Hämoglobin||10|g/dl|||||F")).encode("cp1252"), ZONE)
    assert isinstance(parts.rows[0].reading, LabReading)
    assert code(parts.rows[0].reading) == "HB"
    assert "read as cp1252" in parts.remarks[0].message


def test_a_batch_of_messages_in_their_envelopes_and_framing() -> None:
    one = (MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F")
    found = rows("FHS|^~\\&", "BHS|^~\\&", "\x0b" + one[0], *one[1:], "\x1c", *one, "BTS|2", "FTS|1")
    assert [row.place for row in found] == ["message 1, 4711", "message 2, 4711"]


@pytest.mark.parametrize(
    ("header", "signs"),
    [("MSH|^~\\&|", "|^~\\&"), ("MSH#@~\\&#", "#@~\\&"), ("MSH|^~&|", "|^~&"),
     ("MSH|^~\\\\&|", "|^~\\&"), ("MSH|^~\\&#|", "|^~\\&")],
)  # fmt: skip
def test_delimiters_are_the_messages_own(header: str, signs: str) -> None:
    assert "".join(delimiters(header)) == signs


# --------------------------------------------------------------------------------------------- reports


def test_a_long_report_is_kept_whole_with_its_lines() -> None:
    report = "\\.br\\".join(f"Line {n} of the smear: unremarkable." for n in range(300))
    found = result(f"OBX|1|FT|SMEAR^Blood smear||{report}||||||F")
    assert len(found.value) > 8000
    assert found.value.split("\n")[299] == "Line 299 of the smear: unremarkable."


def test_a_report_longer_than_is_kept_is_refused_and_not_cut() -> None:
    assert "it is not cut." in refusal(f"OBX|1|TX|R^Report||{'word ' * 30_000}||||||F")


@pytest.mark.parametrize(
    "line", ["TSH: 2.4", "PID was not seen", "NTE", "OBX", "MSH: reduced", "MCV 92", "ZNF gene negative", "BTS"]
)
def test_a_line_of_a_report_that_begins_like_a_segment_belongs_to_the_report(line: str) -> None:
    (row,) = rows(MSH, PID, OBR, "OBX|1|TX|R^Report||Thyroid", line, "as before||||||F")
    assert isinstance(row.reading, LabReading), row.problems
    assert row.reading.value == f"Thyroid\n{line}\nas before"


def test_a_line_of_a_note_that_begins_like_a_segment_belongs_to_the_note() -> None:
    found = result("OBX|1|NM|X^S||5||||||F", "NTE|1||Repeat", "TSH", "in a week")
    assert found.comment == "Repeat TSH in a week"


# ----------------------------------------------------------------------------------------------- notes


def notes(*segments: str) -> list[str]:
    return [row.reading.comment for row in rows(MSH, *segments) if isinstance(row.reading, LabReading)]


def test_notes_on_patient_order_and_sample_stay_with_every_result_of_the_order() -> None:
    found = notes(
        PID, "NTE|1||on tofacitinib", "ORC|RE", "NTE|1||urgent", OBR, "NTE|1||haemolytic",
        "OBX|1|NM|X^S||5||||||F", "NTE|1||repeated", "OBX|2|NM|Y^S||6||||||F",
        "SPM|1|S1||SER^Serum", "NTE|1||thawed",
        "OBR|2||F4712|CHEM", "OBX|1|NM|Z^S||7||||||F",
    )  # fmt: skip
    order = "Order: urgent haemolytic Sample: thawed Patient: on tofacitinib"
    assert found == [f"repeated {order}", order, "Patient: on tofacitinib"]


def test_the_note_on_an_order_that_comes_behind_it_is_not_the_next_orders() -> None:
    found = notes(
        PID, OBR, "ORC|RE", "NTE|1||fasting", "OBX|1|NM|X^S||5||||||F", "OBR|2||F4712|C", "OBX|1|NM|Y^S||5||||||F"
    )
    assert found == ["Order: fasting", ""]


def test_the_notes_of_one_patient_are_not_the_next_ones() -> None:
    obx = "OBX|1|NM|X^S||5||||||F"
    found = notes(PID, "NTE|1||first", OBR, obx, "PID|2||00777^^^Clinic^MR", OBR, obx)
    assert found == ["Patient: first", ""]


# ------------------------------------------------------------------------------------------- documents


PDF = b"%PDF-1.4 made up"
SENT = f"LIS^AP^PDF^Base64^{base64.b64encode(PDF).decode()}"


def document(value: str, kind: str = "ED", status: str = "F", *more: str) -> DocumentReading:
    reading = only(f"OBX|1|{kind}|PDF^Report||{value}||||||{status}", *more).reading
    assert isinstance(reading, DocumentReading)
    return reading


def test_an_embedded_document_is_kept_for_its_patient_and_sample_and_is_no_value() -> None:
    found = document(SENT)
    assert (found.mrn, found.name, found.content, found.accession) == ("00231", "Report", PDF, "F4711")
    assert found.collected.on == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (f"^AP^^Base64^{base64.b64encode(PDF).decode()}", PDF),
        (f"^image^jpeg^Hex^{b'abc'.hex()}", b"abc"),
        ("^TEXT^^A^plain \\T\\ simple", b"plain & simple"),
        ("^AP^PDF^Base64^JVBE\\.br\\Ri0x\\X0D0A\\LjQ=", b"%PDF-1.4"),
    ],
)
def test_a_document_in_each_of_its_encodings(value: str, content: bytes) -> None:
    assert document(value).content == content


def test_what_is_noted_on_a_document_and_that_it_is_not_final_is_kept_beside_it() -> None:
    assert document(SENT, "ED", "P", "NTE|1||second page missing").note == "preliminary. second page missing"
    assert document(SENT, "ED", "C").note == "corrected"


@pytest.mark.parametrize("value", ["^AP^PDF^Base64^JVBERi0", "^AP^PDF^Base64^", "^AP^PDF^Hex^xyz", "^AP^PDF^zip^abc"])
def test_a_document_that_cannot_be_read_is_said(value: str) -> None:
    assert refusal(f"OBX|1|ED|PDF^Report||{value}||||||F").endswith("have it sent again.")


def test_a_document_that_is_elsewhere_is_refused_with_its_place() -> None:
    pointer = "OBX|1|RP|PDF^Report||\\E\\\\E\\server\\E\\report.pdf^LIS^AP^PDF||||||F"
    assert r"only its place (\\server\report.pdf)" in refusal(pointer)


def test_of_two_documents_in_one_field_none_is_dropped_in_silence() -> None:
    assert refusal(f"OBX|1|ED|PDF^Report||{SENT}~{SENT}||||||F").startswith("2 documents stand in one field")


def test_a_withdrawn_document_is_not_kept() -> None:
    assert refusal(f"OBX|1|ED|PDF^Report||{SENT}||||||X").startswith("The document is withdrawn")
