"""The encoding of HL7 v2: lines, characters, delimiters; reports, notes and documents come whole."""

import base64

import pytest

from tests.formats.hl7v2 import MSH, OBR, PID, ZONE, code, only, refusal, result, rows
from tracker.domain.readings import LabReading, Row
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


def document(value: str, kind: str = "ED") -> Row:
    row = only(f"OBX|1|{kind}|PDF^Report||{value}||||||F")
    assert row.reading is None
    return row


def test_an_embedded_document_is_decoded_and_goes_along_with_its_row() -> None:
    row = document(f"LIS^AP^PDF^Base64^{base64.b64encode(PDF).decode()}")
    assert row.document is not None
    assert (row.document.name, row.document.media_type, row.document.content) == ("Report", "application/pdf", PDF)
    assert row.about is not None
    assert row.about.mrn == "00231"
    assert "not filed as a result" in row.problems[0].message


@pytest.mark.parametrize(
    ("value", "kind", "content", "media_type"),
    [
        (f"^AP^^Base64^{base64.b64encode(PDF).decode()}", "ED", PDF, "application/pdf"),
        (f"^image^jpeg^Hex^{b'abc'.hex()}", "ED", b"abc", "image/jpeg"),
        ("^TEXT^^A^plain \\T\\ simple", "ED", b"plain & simple", ""),
        ("\\\\server\\report.pdf^LIS^AP^PDF", "RP", b"", "application/pdf"),
    ],
)  # fmt: skip
def test_a_document_in_each_of_its_ways(value: str, kind: str, content: bytes, media_type: str) -> None:
    found = document(value, kind).document
    assert found is not None
    assert (found.content, found.media_type, bool(found.place)) == (content, media_type, kind == "RP")


@pytest.mark.parametrize("value", ["^AP^PDF^Base64^JVBERi0", "^AP^PDF^Base64^", "^AP^PDF^Hex^xyz", "^AP^PDF^zip^abc"])
def test_a_document_that_cannot_be_read_is_said(value: str) -> None:
    row = document(value)
    assert row.document is None
    assert row.problems[0].message.endswith("have it sent again.")
