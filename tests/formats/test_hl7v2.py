"""HL7 v2 results: what laboratories really send becomes a result, or a sentence that says why not."""

import io
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import needs_shared
from tests.formats.hl7v2 import MSH, OBR, PID, ZONE, code, only, refusal, result, rows
from tracker.domain.readings import LabReading
from tracker.domain.units import normal_unit
from tracker.domain.values import read_number
from tracker.formats import hl7v2, read
from tracker.formats.hl7v2.er7 import messages
from tracker.operations.standing import analyte_of

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
        ("ST", "A \\T\\ B \\S\\ C \\X41\\", "A & B ^ C A"), ("TX", "first~second", "first\nsecond"),
    ],
)  # fmt: skip
def test_a_value_in_each_of_its_types(kind: str, sent: str, value: str) -> None:
    assert result(f"OBX|1|{kind}|X^Something||{sent}|||||F").value == value


@pytest.mark.parametrize(
    ("sent", "value", "unit", "flag"),
    [("5.4 mmol/l", "5.4", "mmol/l", ""), ("7.2*", "7.2", "", "*"), ("112 H", "112", "", "H"),
     ("12 keine Angabe", "12 keine Angabe", "", ""), ("3+", "3+", "", ""), ("3 +", "3 +", "", ""),
     ("1-", "1-", "", ""), ("2++", "2++", "", "")],
)  # fmt: skip
def test_what_is_glued_to_a_number(sent: str, value: str, unit: str, flag: str) -> None:
    found = result(f"OBX|1|NM|X^Something||{sent}|||||F")
    assert (found.value, found.unit, found.lab_flag) == (value, unit, flag)


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


@pytest.mark.parametrize(
    ("unit", "known"),
    [("G/l^^L", "G/l"), ("10\\S\\9/l", "10^9/l"), ("^^^10*9/L^^L", "10*9/L"), ("10*3/uL^thousand^UCUM", "10*3/uL")],
)
def test_a_unit_in_its_ways(unit: str, known: str) -> None:
    found = result(f"OBX|1|NM|LEUK^Leukozyten^L||6.4|{unit}|||||F")
    assert (found.unit, code(found)) == (known, "WBC")


def test_a_unit_beside_the_value_and_another_in_its_field_are_refused() -> None:
    assert "given in mmol/l and its unit as mg/dL" in refusal("OBX|1|ST|X^Something||5.4 mmol/l|mg/dL|||||F")
    assert result("OBX|1|ST|X^Something||5.4 G/l|10*9/L|||||F").value == "5.4"


@pytest.mark.parametrize(
    ("information", "fasting"),
    [("F^Patient was fasting^HL70916", True), ("NF^^HL70916", False), ("NG^^HL70916", None), ("", None), ("F/u", None)],
)
def test_whether_the_patient_was_fasting_is_said_by_the_order(information: str, fasting: bool | None) -> None:
    order = f"{OBR}||||||{information}"
    assert result("OBX|1|NM|TG^Triglycerides||150|mg/dL|||||F", before=(MSH, PID, order)).fasting is fasting


def test_results_that_differ_in_their_sub_id_alone_are_told_apart() -> None:
    found = rows(MSH, PID, OBR, "OBX|1|NM|X^S|a|5||||||F", "OBX|2|NM|X^S|b|6||||||F", "OBX|3|NM|Y^S||6||||||F")
    readings = [row.reading for row in found if isinstance(row.reading, LabReading)]
    assert [(r.accession, r.sub_id) for r in readings] == [("F4711", "a"), ("F4711", "b"), ("F4711", "")]
    assert all(row.problems == () for row in found)


def test_results_that_differ_in_nothing_but_their_value_are_told_apart_by_us() -> None:
    found = rows(MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F", "OBX|2|NM|X^S||6||||||F", "OBX|3|NM|X^S||5||||||F")
    assert [row.reading.sub_id for row in found if isinstance(row.reading, LabReading)] == ["", "~2", ""]


def test_two_tests_of_one_name_and_two_codes_are_two_results() -> None:
    found = rows(MSH, PID, OBR, *(f"OBX|1|ST|{code}^p18||+||||||F" for code in ("3184 100", "3185 100", "3184 100")))
    assert [row.reading.sub_id for row in found if isinstance(row.reading, LabReading)] == ["", "~3185 100", ""]


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


@pytest.mark.parametrize(
    ("order", "sample", "analyte"),
    [
        ("us-0003^UREA AND ELECTROLYTES", "", "CREAT"), ("U/E^U/E", "", "CREAT"), ("KC^Klinische Chemie", "", "CREAT"),
        ("UC^Urine chemistry", "", ""), ("6000^Analysen aus Urin :", "", ""), ("KC^Chemie", "UR", ""),
        ("KC^Chemie", "SER^Serum", "CREAT"), ("KC^Urine and blood", "122555007^Venous blood specimen^SCT", "CREAT"),
        ("LIQ^Liquor", "", ""), ("D^Dialysis panel", "", "CREAT"),
    ],
)  # fmt: skip
def test_urea_is_no_urine(order: str, sample: str, analyte: str) -> None:
    obr = f"OBR|1||F4711|{order}|||20260301083000"
    found = rows(MSH, PID, obr, "OBX|1|NM|K^Kreatinin^L||0.9|mg/dL|||||F", *([f"SPM|1|S1||{sample}"] if sample else []))
    (reading,) = [row.reading for row in found if isinstance(row.reading, LabReading)]
    assert code(reading) == analyte


def test_in_a_message_by_sample_the_sample_stands_before_its_orders() -> None:
    header = MSH.replace("ORU^R01", "OUL^R22")
    obx = "OBX|1|NM|K^Kreatinin^L||0.9|mg/dL|||||F"
    found = rows(header, PID, "SPM|1|S1||UR^Urin", OBR, obx, "SPM|2|S2||SER^Serum", OBR.replace("F4711", "F2"), obx)
    assert [code(row.reading) for row in found if isinstance(row.reading, LabReading)] == ["", "CREAT"]


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
        ("PID|1|777|00231|888", "00231"), ("PID|1|999^^^SSA^SS||00231", "00231"), ("PID|1|00231|999^^^SSA^SS", "00231"),
        ("PID|1||5^^^North^MR~00231^^^CLINIC^MR", "00231"), ("PID|1||5^^^Lakeside Lab^PI~00231^^^X^PI", "5"),
        ("PID|1||00231^^^A^MR~00231^^^B^MR", "00231"),
    ],
)  # fmt: skip
def test_the_record_number(pid: str, mrn: str) -> None:
    assert result("OBX|1|NM|X^Something||5||||||F", before=(MSH, pid, OBR)).mrn == mrn


@pytest.mark.parametrize(
    ("pid", "said"),
    [
        ("PID|1||5^^^North^MR~6^^^South^MR", "record numbers 5 (North) and 6 (South): which is this clinic’s"),
        ("PID|1||5~6", "which is this clinic’s is not said"), (f"PID|1||{'7' * 65}", "holds 65 characters"),
        ("PID|1||999^^^SSA^SS", "nothing is matched by name"), ("PID|1||12\\.br\\34", "a line break"),
    ],
)  # fmt: skip
def test_a_record_number_is_never_guessed_or_cut(pid: str, said: str) -> None:
    assert said in refusal("OBX|1|NM|X^Something||5||||||F", before=(MSH, pid, OBR))


def test_a_birth_date_that_is_no_day_is_said() -> None:
    row = only("OBX|1|NM|X^Something||5||||||F", before=(MSH, PID.replace("19880517", "19880231"), OBR))
    assert row.about is not None
    assert row.about.birth_date is None
    assert "was not checked by it" in row.problems[0].message


def test_nobody_is_found_by_name() -> None:
    said = refusal("OBX|1|NM|X^Something||5||||||F", before=(MSH, "PID|1||||Example^Ada", OBR))
    assert said.endswith("nothing is matched by name.")


def test_the_second_patient_of_a_message_takes_nothing_over_from_the_first() -> None:
    found = rows(MSH, PID, OBR, "OBX|1|NM|X^S||5||||||F", "PID|2||00777^^^Clinic^MR", "OBX|1|NM|X^S||6||||||F")
    readings = [row.reading for row in found]
    assert [(r.mrn, r.accession) for r in readings if isinstance(r, LabReading)] == [("00231", "F4711"), ("00777", "")]


# --------------------------------------------------------------------------------------- a whole message


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


@pytest.mark.parametrize(("mark", "word"), [("T", "training"), ("D", "debugging"), ("T^A", "training")])
def test_a_message_for_training_is_refused_unless_it_is_asked_for(mark: str, word: str) -> None:
    content = "\r".join((MSH.replace("|P|", f"|{mark}|"), PID, OBR, *["OBX|1|NM|X^S||5||||||F"] * 2)).encode()
    refused = hl7v2.read(content, ZONE).rows
    assert [(row.reading, word in row.problems[0].message) for row in refused] == [(None, True)] * 2
    assert all(row.reading is not None for row in hl7v2.read(content, ZONE, test_messages=True).rows)


# ------------------------------------------------------------------------------------------------ real, hostile


@needs_shared
def test_every_real_message_is_accounted_for(shared: Path) -> None:
    counted = {"files": 0, "rows": 0, "read": 0, "mapped": 0}
    for path in sorted((shared / "data" / "oru").rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                found = list(read(path.name, stream, ZONE, test_messages=True).rows)
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


@pytest.mark.parametrize(
    ("value", "text", "flag"),
    [
        ("31 (H)", "31", "H"), ("H 12.3", "12.3", "H"), ("12.3 [L]", "12.3", "L"), ("** 250", "250", "**"),
        ("3+", "3+", ""), ("L <5", "<5", "L"),
    ],
)  # fmt: skip
def test_a_flag_beside_the_number_is_a_flag(value: str, text: str, flag: str) -> None:
    found = result(f"OBX|1|ST|X^Something||{value}|U/L|||||F")
    assert (found.value, found.lab_flag) == (text, flag)


@pytest.mark.parametrize("unit", ["10^9/l", "10^9/L^^UCUM", "x10^9/L", "10*9/L^10^9/l"])
def test_a_power_whose_sign_was_not_escaped_is_a_unit(unit: str) -> None:
    assert normal_unit(result(f"OBX|1|NM|X^Something||5|{unit}|||||F").unit) == "10*9/L"


def test_a_point_before_three_digits_is_two_numbers_where_the_message_writes_commas() -> None:
    found = rows(MSH, PID, OBR, "OBX|1|NM|X^Hb||13,1|g/dl|||||F", "OBX|2|NM|Y^CK||3.250|U/l|||||F")
    assert [row.reading is not None for row in found] == [True, False]
    assert "this message writes decimals with a comma" in found[1].problems[0].message
    assert result("OBX|1|NM|Y^CK||3.250|U/l|||||F").value == "3.250"


@pytest.mark.parametrize(("stamp", "day"), [("2026-02-28", "2026-02-28"), ("2026-02-28T08:30:00+01:00", "2026-02-28")])
def test_a_time_as_iso_writes_it_is_read(stamp: str, day: str) -> None:
    found = result(f"OBX|1|NM|X^S||5||||||F|||{stamp}", before=(MSH, PID, "OBR|1"))
    assert found.collected.on.isoformat() == day


@pytest.mark.parametrize("stamp", ["28.02.2026", "2026", "202602", "Feb 28"])
def test_a_day_that_cannot_be_read_is_never_replaced_by_that_of_the_message(stamp: str) -> None:
    obx = f"OBX|1|NM|X^S||5||||||F|||{stamp}"
    assert "is no whole day" in refusal(obx, before=(MSH, PID, "OBR|1"))
    assert result(obx).collected.on.isoformat() == "2026-03-01"  # OBR-7 says when it was taken


def test_zeros_in_place_of_a_day_are_none() -> None:
    assert (
        result("OBX|1|NM|X^S||5||||||F|||00000000", before=(MSH, PID, "OBR|1")).collected.on.isoformat() == "2026-03-01"
    )


@pytest.mark.parametrize("value", ["<&high&&^5", "<^5^^^lost", "^5&6"])
def test_a_structured_number_with_more_in_it_than_belongs_there_is_no_number(value: str) -> None:
    assert read_number(result(f"OBX|1|SN|777-3^Platelets^LN||{value}|10*9/L|||||F").value) is None


@pytest.mark.parametrize(
    ("kind", "answer", "fasting"),
    [
        ("CE", "LA33-6^Yes^LN", True), ("CE", "LA32-8^No^LN", False), ("ST", "Y", True), ("ST", "n", False),
        ("ST", "fasting", True),
    ],
)  # fmt: skip
def test_whether_the_patient_was_fasting_may_come_as_a_result_and_is_none(
    kind: str, answer: str, fasting: bool
) -> None:
    status = f"OBX|2|{kind}|49541-6^Fasting status^LN||{answer}||||||F"
    glucose, told = rows(MSH, PID, OBR, "OBX|1|NM|GLU^Glucose||105|mg/dL|||||F", status)
    assert isinstance(glucose.reading, LabReading)
    assert glucose.reading.fasting is fasting
    assert told.reading is None
    assert "is kept with the results of this time" in told.problems[0].message


@pytest.mark.parametrize("answer", ["unknown", "12 h", ""])
def test_an_answer_that_says_neither_stays_what_it_was(answer: str) -> None:
    status = f"OBX|2|ST|49541-6^Fasting status^LN||{answer}||||||F"
    glucose, told = rows(MSH, PID, OBR, "OBX|1|NM|GLU^Glucose||105|mg/dL|||||F", status)
    assert isinstance(glucose.reading, LabReading)
    assert glucose.reading.fasting is None
    assert (told.reading is None) == (answer == "")


def test_alone_it_is_filed_as_any_other_result() -> None:
    assert result("OBX|1|ST|49541-6^Fasting status^LN||Y||||||F").value == "Y"
