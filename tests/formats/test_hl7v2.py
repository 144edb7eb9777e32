"""HL7 v2 results: what laboratories really send becomes a result, or a sentence that says why not."""

import io
from collections.abc import Iterable
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import needs_shared
from tracker.domain.readings import LabReading, Row
from tracker.formats import hl7v2, read
from tracker.formats.hl7v2.er7 import delimiters, messages
from tracker.operations.standing import analyte_of

ZONE = ZoneInfo("Europe/Zurich")
MSH = "MSH|^~\\&|LIS|Lakeside Lab|Jakwatch|Clinic|20260301101500||ORU^R01|4711|P|2.5"
PID = "PID|1||00231^^^Clinic^MR||Example^Ada^M||19880517|F"
OBR = "OBR|1|P77|F4711|CBC^Blood count|||20260301083000"


def rows(*segments: str, end: str = "\r", encoding: str = "utf-8") -> list[Row]:
    return hl7v2.read(end.join(segments).encode(encoding), ZONE).rows


def only(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> Row:
    (row,) = rows(*before, obx, *more)
    return row


def result(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> LabReading:
    row = only(obx, *more, before=before)
    assert isinstance(row.reading, LabReading), row.problems
    return row.reading


def refusal(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> str:
    row = only(obx, *more, before=before)
    assert row.reading is None
    return row.problems[0].message


def code(reading: LabReading) -> str:
    found = analyte_of(reading)
    return found.code if found else ""


# ------------------------------------------------------------------------------------------------ one result


def test_a_result_with_everything() -> None:
    found = result(
        "OBX|1|NM|751-8^Neutrophils^LN||0.46|10*3/uL|2.0-8.25|LL~A^Abnormal^HL70078|||F|||20260301084000",
        "NTE|1||Checked by a second\\.br\\count",
    )
    assert (found.mrn, code(found), found.value, found.unit) == ("00231", "ANC", "0.46", "10*3/uL")
    assert (str(found.ref_low), str(found.ref_high), found.lab_flag) == ("2.0", "8.25", "LL~A")
    assert (found.laboratory, found.accession, found.status) == ("Lakeside Lab", "F4711", "final")
    assert found.collected.at.isoformat() == "2026-03-01T07:40:00+00:00"
    assert found.comment == "Checked by a second count"


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("NM", "5.3", "5.3"), ("NM", "<5", "<5"), ("ST", "> 100", "> 100"), ("TX", "5,3", "5,3"), ("FT", "7", "7"),
        ("SN", "<^10", "<10"), ("SN", "^5", "5"), ("SN", "=^2", "2"), ("SN", "^1^:^128", "1:128"), ("SN", "<10", "<10"),
        ("CE", "260385009^negative^SCT", "negative"), ("CWE", "^^^^positiv", "positiv"), ("IS", "neg", "neg"),
        ("ST", "A \\T\\ B \\S\\ C \\X41\\", "A & B ^ C A"), ("TX", "first~second", "first second"),
    ],
)  # fmt: skip
def test_a_value_in_each_of_its_types(kind: str, sent: str, value: str) -> None:
    assert result(f"OBX|1|{kind}|X^Something||{sent}|||||F").value == value


@pytest.mark.parametrize(
    ("sent", "value", "unit", "flag"),
    [("5.4 mmol/l", "5.4", "mmol/l", ""), ("7.2*", "7.2", "", "*"), ("112 H", "112", "", "H"),
     ("12 keine Angabe", "12 keine Angabe", "", "")],
)  # fmt: skip
def test_what_is_glued_to_a_number(sent: str, value: str, unit: str, flag: str) -> None:
    found = result(f"OBX|1|NM|X^Something||{sent}|||||F")
    assert (found.value, found.unit, found.lab_flag) == (value, unit, flag)


@pytest.mark.parametrize(
    ("printed", "low", "high"),
    [
        ("3.5-5.0", "3.5", "5.0"), ("3.7 - 9.6", "3.7", "9.6"), ("<232", None, "232"), ("< 30", None, "30"),
        (">60", "60", None), ("(7.4-12.6)", "7.4", "12.6"), ("70_105", "70", "105"), (".4-1.5", ".4", "1.5"),
        ("0,5 - 1,2", "0.5", "1.2"), ("4-", "4", None), ("<10 ug/dl", None, "10"), ("", None, None), ("-", None, None),
    ],
)  # fmt: skip
def test_a_printed_range(printed: str, low: str | None, high: str | None) -> None:
    row = only(f"OBX|1|NM|X^Something||5||{printed}||||F")
    assert isinstance(row.reading, LabReading)
    assert [None if b is None else float(b) for b in (row.reading.ref_low, row.reading.ref_high)] == [
        None if b is None else float(b) for b in (low, high)
    ]
    assert row.problems == ()


@pytest.mark.parametrize(
    "printed", ["negativ", "See Below", "1.15-0.90", "3.9-5.8) nüchtern", "0.0-0.0", "Follikel (1.6-12) / Luteal (1-9)"]
)
def test_a_range_that_cannot_be_read_is_none_and_never_zero(printed: str) -> None:
    row = only(f"OBX|1|NM|X^Something||5||{printed}||||F")
    assert isinstance(row.reading, LabReading)
    assert (row.reading.ref_low, row.reading.ref_high) == (None, None)
    assert "no range is taken from it" in row.problems[0].message


@pytest.mark.parametrize(
    ("status", "filed"),
    [("F", "final"), ("", "final"), ("C", "corrected"), ("P", "preliminary"), ("R", "preliminary"),
     ("X", "cancelled"), ("D", "cancelled"), ("W", "cancelled")],
)  # fmt: skip
def test_a_status(status: str, filed: str) -> None:
    assert result(f"OBX|1|NM|X^Something||5|||||{status}".replace("|||||", "||||||")).status == filed


@pytest.mark.parametrize("status", ["I", "O", "N"])
def test_what_has_no_result_yet_is_said(status: str) -> None:
    assert "there is no result yet" in refusal(f"OBX|1|NM|X^Something||5||||||{status}")


@pytest.mark.parametrize("sent", [".", "*", "---", "$"])
def test_a_value_that_only_points_to_its_note_is_taken_from_there(sent: str) -> None:
    obx = f"OBX|1|ST|X^Something||{sent}||||||F"
    assert result(obx, "NTE|1||haemolytic sample").value == "haemolytic sample"
    assert refusal(obx) == "There is no value, so there is none to file."


def test_an_embedded_document_is_never_a_value() -> None:
    assert "document" in refusal("OBX|1|ED|PDF^Report||^AP^PDF^Base64^JVBERi0xLjQ=||||||F")


@pytest.mark.parametrize(
    ("unit", "known"),
    [("G/l^^L", "G/l"), ("10\\S\\9/l", "10^9/l"), ("^^^10*9/L^^L", "10*9/L"), ("10*3/uL^thousand^UCUM", "10*3/uL")],
)
def test_a_unit_in_its_ways(unit: str, known: str) -> None:
    found = result(f"OBX|1|NM|LEUK^Leukozyten^L||6.4|{unit}|||||F")
    assert (found.unit, code(found)) == (known, "WBC")


# ------------------------------------------------------------------------------------------ which test it is


@pytest.mark.parametrize(
    ("obx3", "unit", "analyte"),
    [
        ("1742-6^Alanine aminotransferase^LN", "U/L", "ALT"), ("ALAT^ALAT (GPT)^L", "U/l", "ALT"),
        ("5040^Neutrophile absolut^L", "G/l", "ANC"), ("5040^Neutrophile^L", "%", "NEUT_PCT"),
        ("ALP^alpha-1-Globulin^L", "g/l", ""), ("GGT^gamma-Globulin^L", "%", ""), ("PHE^Phenylalanine^L", "umol/l", ""),
        ("Q^Cholesterin/HDL-Cholesterin^L", "", ""), ("CHE^Cholinesterase^L", "kU/l", ""), ("CCPK^CCPK^L", "U/ml", ""),
        ("HBA1^Hémoglobine glyquée^L", "%", "HBA1C"), ("14959-1^Albumin/Creatinine^LN", "mg/g", ""),
        ("2161-8^Creatinine^LN", "mg/dL", ""), ("BD^Bilirubin, direkt^L", "umol/l", "DBIL"),
    ],
)  # fmt: skip
def test_names_match_whole_and_with_their_unit(obx3: str, unit: str, analyte: str) -> None:
    assert code(result(f"OBX|1|NM|{obx3}||5|{unit}|||||F")) == analyte


def test_a_code_alone_maps_nothing_and_keeps_its_sender() -> None:
    found = result("OBX|1|NM|TC^Kürzel^L||210|G/l|||||F")
    assert (code(found), found.local_code) == ("", "TC@Lakeside Lab")


def test_creatinine_in_urine_is_another_test() -> None:
    sample = "SPM|1|S1||UR^Urin"
    (row,) = rows(MSH, PID, OBR, "OBX|1|NM|K^Kreatinin^L||8.1|mg/dL|||||F", sample)
    assert isinstance(row.reading, LabReading)
    assert (row.reading.analyte, code(row.reading)) == ("Kreatinin (urin)", "")


# ------------------------------------------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("stamp", "at", "time_known"),
    [
        ("20260301", "2026-02-28T23:00:00+00:00", False), ("202603010840", "2026-03-01T07:40:00+00:00", True),
        ("20260301084012.1234", "2026-03-01T07:40:12+00:00", True),
        ("2026030108401107", "2026-03-01T07:40:11+00:00", True),
        ("202603010840+0500", "2026-03-01T03:40:00+00:00", True),
        ("2026030100000000", "2026-02-28T23:00:00+00:00", False),
    ],
)  # fmt: skip
def test_a_time(stamp: str, at: str, time_known: bool) -> None:
    found = result(f"OBX|1|NM|X^Something||5||||||F|||{stamp}").collected
    assert (found.at.isoformat(), found.time_known) == (at, time_known)


def test_where_the_sample_has_no_time_the_order_has_it_and_what_only_stands_for_it_is_said() -> None:
    obx = "OBX|1|NM|X^Something||5||||||F"
    assert result(obx).collected.at.hour == 7
    row = only(obx, before=(MSH, PID, "OBR|1|P77|F4711"))
    assert isinstance(row.reading, LabReading)
    assert "MSH-7 (the time of the message) stands for it" in row.problems[0].message


def test_a_day_that_does_not_exist_is_refused() -> None:
    assert "no time of the calendar" in refusal("OBX|1|NM|X^Something||5||||||F|||201702290800")


# ------------------------------------------------------------------------------------------------- whose


@pytest.mark.parametrize(
    ("pid", "mrn"),
    [
        ("PID|1||999^^^SSA^SS~00231^^^Clinic^MR", "00231"), ("PID|1||77^^^Lab^PI~00231^^^Clinic^MR", "00231"),
        ("PID|1||00231", "00231"), ("PID|1|00231|", "00231"), ("PID|1|||00231", "00231"),
    ],
)  # fmt: skip
def test_the_record_number(pid: str, mrn: str) -> None:
    assert result("OBX|1|NM|X^Something||5||||||F", before=(MSH, pid, OBR)).mrn == mrn


def test_nobody_is_found_by_name() -> None:
    said = refusal("OBX|1|NM|X^Something||5||||||F", before=(MSH, "PID|1||||Example^Ada", OBR))
    assert said.endswith("nothing is matched by name.")


def test_the_second_patient_of_a_message_takes_nothing_over_from_the_first() -> None:
    found = rows(MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F", "PID|2||00777^^^Clinic^MR", "OBX|1|NM|X^S||6||||||F")
    readings = [row.reading for row in found]
    assert [(r.mrn, r.accession) for r in readings if isinstance(r, LabReading)] == [("00231", "F4711"), ("00777", "")]


# ------------------------------------------------------------------------------------------- the encoding


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n", "\n\n"])
def test_every_end_of_a_line_ends_a_segment(end: str) -> None:
    assert [row.reading is not None for row in rows(MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F", end=end)] == [True]


def test_a_line_that_begins_no_segment_goes_on_with_the_one_before() -> None:
    found = result("OBX|1|TX|X^S||first line", "second line||||||F")
    assert found.value == "first line second line"


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


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ((MSH, PID), "The message holds no result (OBX)"),
        ((MSH.replace("ORU^R01", "ADT^A01"), PID), "This message is ADT^A01"),
        ((MSH, "OBX|1|NM|X^S||5||||||F"), "The message names no patient before this result"),
    ],
)
def test_a_message_without_a_result_or_a_patient_fails_loudly(segments: tuple[str, ...], said: str) -> None:
    (row,) = rows(*segments)
    assert row.reading is None
    assert row.problems[0].message.startswith(said)


def test_a_message_for_training_is_said() -> None:
    parts = hl7v2.read("\r".join((MSH.replace("|P|", "|T|"), PID, OBR, "OBX|1|NM|X^S||5||||||F")).encode(), ZONE)
    assert "training" in parts.remarks[0].message


# ------------------------------------------------------------------------------------------------ real, hostile


@needs_shared
def test_every_real_message_is_accounted_for(shared: Path) -> None:
    counted = {"files": 0, "rows": 0, "read": 0, "mapped": 0}
    for path in sorted((shared / "data" / "oru").rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                found = list(read(path.name, stream, ZONE).rows)
            assert found, path.name
            assert all(row.problems for row in found if row.reading is None), path.name
            readings = [row.reading for row in found if isinstance(row.reading, LabReading)]
            counted["files"] += 1
            counted["rows"] += len(found)
            counted["read"] += len(readings)
            counted["mapped"] += sum(analyte_of(reading) is not None for reading in readings)
    assert (counted["files"], counted["rows"]) == (263, 3624)
    assert counted["read"] > 3200
    assert counted["mapped"] > 550


WHOLE = "\r".join(
    (MSH, PID, OBR, "OBX|1|NM|751-8^Neutrophils^LN||0.46|10*3/uL|2.0-8.25|L|||F", "NTE|1||note",
     "OBX|2|SN|X^Other||<^5|mg/L|<8||||C|||20260301", "SPM|1|S1||SER^Serum")
)  # fmt: skip


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_whatever_comes_is_read_or_refused_in_a_sentence(seed: int, times: int) -> None:
    dice = Random(seed)
    content = bytearray(WHOLE.encode())
    for _ in range(times):
        at = dice.randrange(len(content))
        cut = dice.randrange(0, 9)
        content[at : at + cut] = bytes(dice.choice(b"|^~\\&\r\n\x00\xff9.-<LOBX ") for _ in range(dice.randrange(0, 6)))
    for row in hl7v2.read(bytes(content), ZONE).rows:
        assert row.reading is not None or row.problems[0].message.endswith((".", "?"))


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_raise_nothing(content: bytes) -> None:
    assert [message.header.name for message in messages(b"MSH|^~\\&|" + content)][:1] == ["MSH"]
    assert hl7v2.read(b"MSH|^~\\&|" + content, ZONE).rows


@given(st.decimals(min_value=0, max_value=10**6, places=3), st.sampled_from(["", "<", ">"]))
def test_no_value_changes_on_its_way(figure: object, comparator: str) -> None:
    sent = f"{comparator}{figure}"
    assert result(f"OBX|1|NM|X^Something||{sent}||||||F").value == sent


def test_a_file_is_recognised_by_its_content() -> None:
    source = read("results.txt", io.BytesIO(WHOLE.encode()), ZONE)
    assert (source.format, source.kind, len(list(source.rows))) == ("hl7v2", "results", 2)
