"""SDTM datasets: the real trial by path, and small tables for what it does not hold."""

import io
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.formats.files import ZONE, rows, says, table
from tracker.domain.readings import EventReading, ExposureReading, LabReading, PatientReading, Row
from tracker.formats import Source, read

LB = {
    "STUDYID": "S1", "DOMAIN": "LB", "USUBJID": "01-701-1028", "LBSEQ": "1", "LBTESTCD": "ALT",
    "LBTEST": "Alanine Aminotransferase", "LBCAT": "CHEMISTRY", "LBORRES": "27", "LBORRESU": "U/L",
    "LBORNRLO": "6.0", "LBORNRHI": "34.0", "LBNRIND": "NORMAL", "LBSPEC": "", "LBNAM": "", "LBREFID": "", "LBSTAT": "",
    "LBDTC": "2013-07-11T12:02",
}  # fmt: skip
DM = {
    "USUBJID": "01-701-1028",
    "SEX": "F",
    "AGE": "71",
    "AGEU": "YEARS",
    "BRTHDTC": "",
    "DMDTC": "2013-07-11",
    "RFSTDTC": "",
}
EX = {
    "USUBJID": "01-701-1028", "EXTRT": "TOFACITINIB", "EXDOSE": "5", "EXDOSU": "mg", "EXDOSFRQ": "BID",
    "EXSTDTC": "2013-07-19", "EXENDTC": "2013-08-01",
}  # fmt: skip
AE = {
    "USUBJID": "01-701-1028", "AESEQ": "3", "AETERM": "shingles", "AEDECOD": "HERPES ZOSTER",
    "AEBODSYS": "INFECTIONS AND INFESTATIONS", "AESEV": "MODERATE", "AESER": "N", "AESTDTC": "2013-09-02",
    "AEENDTC": "", "AEOUT": "NOT RECOVERED/NOT RESOLVED",
}  # fmt: skip


def one(line: dict[str, str], **but: str) -> Row:
    (row,) = rows(table(line | but))
    return row


def lab(**but: str) -> LabReading:
    reading = one(LB, **but).reading
    assert isinstance(reading, LabReading)
    return reading


def event(**but: str) -> EventReading:
    reading = one(AE, **but).reading
    assert isinstance(reading, EventReading)
    return reading


# ---------------------------------------------------------------------------------------- the real trial


def pilot(shared: Path, name: str) -> Source:
    return read(name, io.BytesIO((shared / "data" / "cdisc_pilot" / name).read_bytes()), ZONE)


def test_every_result_of_the_trial_is_read(shared: Path) -> None:
    source = pilot(shared, "sdtm_lb.csv.gz")
    assert (source.format, source.kind, source.remarks) == ("sdtm", "results", ())
    found = list(source.rows)
    labs = [row.reading for row in found if isinstance(row.reading, LabReading)]
    assert (len(found), len(labs), sum(bool(row.problems) for row in found)) == (30213, 30213, 0)
    assert [row.number for row in found[:2]] == [2, 3]
    assert len({reading.mrn for reading in labs}) == 131
    assert len({(r.mrn, r.analyte, r.collected.at, r.laboratory, r.accession) for r in labs}) == 30213
    assert Counter(r.value for r in labs)["<0.2"] == 2
    assert sum(r.ref_high is None for r in labs) == 1452
    assert {r.unit for r in labs if "(urine)" in r.analyte} == {""}
    albumin = labs[0]
    assert (albumin.analyte, albumin.local_code, albumin.value, albumin.unit) == ("Albumin", "ALB", "4.4", "g/dL")
    assert (albumin.ref_low, albumin.ref_high, albumin.lab_flag) == (Decimal("3.5"), Decimal("4.6"), "NORMAL")


def test_every_subject_exposure_and_event_of_the_trial_is_read(shared: Path) -> None:
    people = [row.reading for row in pilot(shared, "sdtm_dm.csv").rows]
    assert Counter(p.sex for p in people if isinstance(p, PatientReading)) == {"female": 94, "male": 65}
    assert people[0] == PatientReading("01-701-1028", sex="male", stated_age=71, stated_age_on=date(2013, 7, 11))
    doses = [row.reading for row in pilot(shared, "sdtm_ex.csv").rows]
    assert len(doses) == 302
    assert doses[0] == ExposureReading("01-701-1028", "XANOMELINE", date(2013, 7, 19), date(2013, 8, 1), Decimal(54), 1)
    events = [row.reading for row in pilot(shared, "sdtm_ae.csv").rows]
    kinds = Counter(e.kind for e in events if isinstance(e, EventReading))
    assert kinds == {"other": 577, "infection": 38}
    partial = Counter(len(e.onset_text) for e in events if isinstance(e, EventReading) and e.onset_on is None)
    assert partial == {7: 10, 4: 8}


def test_a_stay_in_hospital_that_was_not_called_serious_is_kept_as_written_and_said(shared: Path) -> None:
    said = [row for row in pilot(shared, "sdtm_ae.csv").rows if "AESER" in says(row)]
    assert len(said) == 17
    for row in said:
        assert isinstance(row.reading, EventReading)
        assert row.reading.serious is False
        assert row.reading.criteria


# ------------------------------------------------------------------------------------------- results


def test_a_result_is_read_as_the_laboratory_printed_it() -> None:
    assert lab(LBNAM="CENTRAL", LBREFID="A77") == LabReading(
        "01-701-1028", lab().collected, "Alanine Aminotransferase", "27", "U/L", Decimal("6.0"), Decimal("34.0"),
        "NORMAL", "CENTRAL", "A77", local_code="ALT",
    )  # fmt: skip
    assert lab(LBORRES="<5", LBORRESU="NO UNITS").value == "<5"
    assert lab(LBORRESU="NO UNITS").unit == ""


@pytest.mark.parametrize(("cell", "fasting"), [("Y", True), ("N", False), ("U", None), ("", None)])
def test_whether_the_subject_was_fasting(cell: str, fasting: bool | None) -> None:
    assert lab(LBFAST=cell).fasting is fasting


@pytest.mark.parametrize(
    ("but", "analyte", "code"),
    [
        ({"LBSPEC": "SERUM"}, "Alanine Aminotransferase", "ALT"),
        ({"LBSPEC": "Serum or Plasma"}, "Alanine Aminotransferase", "ALT"),
        ({"LBSPEC": "URINE"}, "Alanine Aminotransferase (urine)", "ALT (urine)"),
        ({"LBCAT": "URINALYSIS"}, "Alanine Aminotransferase (urine)", "ALT (urine)"),
        (
            {"LBSPEC": "CEREBROSPINAL FLUID"},
            "Alanine Aminotransferase (cerebrospinal fluid)",
            "ALT (cerebrospinal fluid)",
        ),
    ],
)
def test_what_was_measured_in_urine_does_not_pass_for_blood(but: dict[str, str], analyte: str, code: str) -> None:
    reading = lab(**but)
    assert (reading.analyte, reading.local_code) == (analyte, code)


@pytest.mark.parametrize(
    ("but", "column", "words"),
    [
        ({"LBORRES": "", "LBSTAT": "NOT DONE"}, "LBSTAT", "not done"),
        ({"LBORRES": ""}, "LBORRES", "no result"),
        ({"LBDTC": "2013-07"}, "LBDTC", "only a part of a date"),
        ({"LBDTC": "2013"}, "LBDTC", "complete it, as 2013-07-11"),
        ({"LBDTC": "2013---15"}, "LBDTC", "only a part of a date"),
        ({"LBDTC": "2013-07-11T-:02"}, "LBDTC", "is not a date and time"),
        ({"LBDTC": ""}, "LBDTC", "is empty"),
        ({"LBORRES": "1,234"}, "LBORRES", "two different numbers"),
        ({"USUBJID": ""}, "USUBJID", "is empty"),
    ],
)
def test_a_result_that_cannot_be_filed_says_why(but: dict[str, str], column: str, words: str) -> None:
    row = one(LB, **but)
    assert row.reading is None
    assert words in says(row)[column]


def test_two_results_of_one_test_and_time_are_two_results() -> None:
    again = LB | {"LBSEQ": "2", "LBORRES": "31"}
    other = LB | {"USUBJID": "01-701-1033"}
    found = rows(table(LB, again, LB, LB | {"LBREFID": "B1"}, LB | {"LBORRES": "29"}, other))
    accessions = [row.reading.accession for row in found if isinstance(row.reading, LabReading)]
    assert accessions == ["", "repeat 2", "", "B1", "repeat 3", ""]
    assert "kept beside it as “repeat 2”" in says(found[1])["LBDTC"]
    renumbered = rows(table(LB | {"LBSEQ": "7"}, again | {"LBSEQ": "9"}))
    assert [row.reading for row in renumbered] == [row.reading for row in found[:2]]


def test_bounds_that_are_not_figures_are_said() -> None:
    row = one(LB, LBORNRLO="", LBORNRHI="<34")
    assert isinstance(row.reading, LabReading)
    assert (row.reading.ref_low, row.reading.ref_high) == (None, Decimal(34))
    assert "high bound 34" in says(row)["LBORNRHI"]


# ----------------------------------------------------------------------------- people, doses and events


@pytest.mark.parametrize(
    ("but", "expected", "said"),
    [
        ({}, {"sex": "female", "stated_age": 71, "stated_age_on": date(2013, 7, 11), "birth_date": None}, ""),
        ({"BRTHDTC": "1942-03-01"}, {"birth_date": date(1942, 3, 1)}, ""),
        ({"BRTHDTC": "1942"}, {"birth_date": None, "stated_age": 71}, ""),
        ({"DMDTC": "2013-07", "RFSTDTC": "2013-07-19"}, {"stated_age_on": date(2013, 7, 19)}, ""),
        ({"AGE": "71.0"}, {"stated_age": 71}, ""),
        ({"DMDTC": ""}, {"stated_age": 71, "stated_age_on": None}, "DMDTC"),
        ({"AGE": "30", "AGEU": "MONTHS"}, {"stated_age": 2}, ""),
        ({"AGE": "3", "AGEU": "DECADES"}, {"stated_age": None}, "AGEU"),
        ({"AGE": ""}, {"stated_age": None}, ""),
        ({"SEX": "U"}, {"sex": "unknown"}, ""),
        ({"SEX": "UNDIFFERENTIATED"}, {"sex": "unknown"}, "SEX"),
    ],
)  # fmt: skip
def test_a_subject_is_a_patient(but: dict[str, str], expected: dict[str, object], said: str) -> None:
    row = one(DM, **but)
    assert {name: getattr(row.reading, name) for name in expected} == expected
    assert set(says(row)) == ({said} if said else set())


@pytest.mark.parametrize(
    ("line", "but", "column", "words"),
    [
        (DM, {"SEX": "X"}, "SEX", "write F, M or U"),
        (DM, {"AGE": "1971"}, "AGE", "Nobody is 1971 years old"),
        (DM, {"AGE": "old"}, "AGE", "is not a number"),
        (EX, {"EXSTDTC": "2013-07"}, "EXSTDTC", "only a part of a date, and the first day of the dose"),
        (EX, {"EXTRT": ""}, "EXTRT", "is empty"),
        (AE, {"AESER": "perhaps"}, "AESER", "write Y or N"),
        (AE, {"AETERM": ""}, "AETERM", "is empty"),
        (AE, {"AESTDTC": "in May"}, "AESTDTC", "is not a date"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(line: dict[str, str], but: dict[str, str], column: str, words: str) -> None:
    row = one(line, **but)
    assert row.reading is None
    assert words in says(row)[column]


@pytest.mark.parametrize(
    ("but", "dose", "times", "ended_on", "said"),
    [
        ({}, Decimal(5), 2, date(2013, 8, 1), ""),
        ({"EXDOSFRQ": "qd", "EXDOSU": "MG"}, Decimal(5), 1, date(2013, 8, 1), ""),
        ({"EXDOSFRQ": "TID"}, Decimal(5), 3, date(2013, 8, 1), ""),
        ({"EXDOSFRQ": "QID", "EXENDTC": ""}, Decimal(5), 4, None, ""),
        ({"EXDOSFRQ": "PRN"}, Decimal(5), None, date(2013, 8, 1), "EXDOSFRQ"),
        ({"EXDOSU": "g"}, None, 2, date(2013, 8, 1), "EXDOSU"),
        ({"EXDOSE": "", "EXDOSU": ""}, None, 2, date(2013, 8, 1), ""),
        ({"EXENDTC": "2013-08"}, Decimal(5), 2, None, "EXENDTC"),
    ],
)
def test_an_exposure_is_read(
    but: dict[str, str], dose: Decimal | None, times: int | None, ended_on: date | None, said: str
) -> None:
    row = one(EX, **but)
    assert row.reading == ExposureReading("01-701-1028", "TOFACITINIB", date(2013, 7, 19), ended_on, dose, times)
    assert set(says(row)) == ({said} if said else set())


def test_an_infection_is_known_by_its_organ_class() -> None:
    assert event() == EventReading(
        "01-701-1028", "infection", "HERPES ZOSTER", date(2013, 9, 2), grade=2, serious=False,
        outcome="not recovered/not resolved", source_key="3",
    )  # fmt: skip
    assert event(AEBODSYS="SKIN AND SUBCUTANEOUS TISSUE DISORDERS").kind == "other"
    assert event(AEBODSYS="", AESOC="Infections and infestations").kind == "infection"
    assert event(AEDECOD="").term == "shingles"


def test_an_events_grade_goes_before_its_severity() -> None:
    assert event(AETOXGR="4").grade == 4
    assert event(AETOXGR="Grade 3").grade == 3
    assert event(AETOXGR="").grade == 2
    assert event(AESEV="").grade is None
    row = one(AE, AETOXGR="12")
    assert isinstance(row.reading, EventReading)
    assert row.reading.grade == 2
    assert "from 1 to 5" in says(row)["AETOXGR"]


def test_the_criteria_of_a_serious_event_are_named() -> None:
    met = event(AESER="Y", AESHOSP="Y", AESLIFE="Y", AESDTH="N", AESDISAB="", AECONTRT="Y")
    assert (met.serious, met.criteria, met.hospitalised, met.treated) == (
        True,
        "life_threatening;hospitalisation",
        True,
        True,
    )
    assert event(AESER="").serious is None


def test_an_onset_of_which_a_part_is_missing_is_kept_as_written() -> None:
    partly = one(AE, AESTDTC="2013-09")
    assert isinstance(partly.reading, EventReading)
    assert (partly.reading.onset_on, partly.reading.onset_text, partly.problems) == (None, "2013-09", ())
    assert "onset is not known" in says(one(AE, AESTDTC=""))["AESTDTC"]
    assert event(AESTDTC="2013-09-02T10:30").onset_on == date(2013, 9, 2)
