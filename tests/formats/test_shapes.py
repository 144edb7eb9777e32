"""Tables as laboratories and people export them: read where they have one reading, asked about where they have two."""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.conftest import needs_shared
from tests.formats.files import ZONE
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, Row
from tracker.formats import Source, read, shapes
from tracker.formats.shapes import Answers, Kept, Reader, Unsettled
from tracker.formats.shapes.figures import dates_of, decimals_of, figure
from tracker.formats.shapes.headings import printed, role, unit_printed
from tracker.library import analytes


def opened(content: str | bytes, **answers: Any) -> Source:
    data = content.encode() if isinstance(content, str) else content
    return read("a file", io.BytesIO(data), ZONE, Reader(analytes.find, answers=Answers.of(answers)))


def asked(content: str | bytes, **answers: Any) -> dict[str, str]:
    """What is open about a table, each with its guess."""
    with pytest.raises(Unsettled) as caught:
        opened(content, **answers)
    return {question.key: question.guess for question in caught.value.proposal.questions}


def results(content: str | bytes, **answers: Any) -> list[tuple[str, str, str, str, str]]:
    """Whose, which day, test, value and unit of every row that is read."""
    found = []
    for row in opened(content, **answers).rows:
        if isinstance(row.reading, LabReading):
            r = row.reading
            found.append((r.mrn, r.collected.on.isoformat(), r.analyte, r.value, r.unit))
    return found


def refusals(content: str | bytes, **answers: Any) -> dict[int, str]:
    rows = [row for row in opened(content, **answers).rows if row.reading is None]
    return {row.number: " ".join(problem.message for problem in row.problems) for row in rows}


WIDE = "Patient ID,Date,ALT (U/L),WBC x10^3/uL\n00231,2026-03-01,31,5.3\n00417,2026-03-02,<5,\n"
LONG = "Patient;Entnahmedatum;Untersuchung;Ergebnis;Einheit;Referenzbereich\n00231;15.03.2026;ALT;31,5;U/l;10-50\n"


# ---------------------------------------------------------------------------------------------- both layouts


def test_a_column_a_test_is_a_result_a_cell() -> None:
    assert results(WIDE) == [
        ("00231", "2026-03-01", "ALT", "31", "U/L"),
        ("00231", "2026-03-01", "WBC", "5.3", "x10^3/uL"),
        ("00417", "2026-03-02", "ALT", "<5", "U/L"),
    ]


UNDATED = "Blood counts of ward 3\nPatient ID,ALT (U/L),Time\n00231,31,08:30\n00417,<5,\n"


def test_one_day_is_said_for_a_table_that_has_no_column_of_days() -> None:
    assert asked(UNDATED) == {"columns.date": ""}
    assert asked(UNDATED, columns={"date": ""}) == {"sampled_on": ""}
    found = [row.reading for row in opened(UNDATED, sampled_on="2026-03-01").rows]
    assert [(r.collected.on.isoformat(), r.collected.time_known) for r in found] == [
        ("2026-03-01", True), ("2026-03-01", False),
    ]  # fmt: skip
    said = " ".join(remark.message for remark in opened(UNDATED, sampled_on=date(2026, 3, 1)).remarks)
    assert "Every sample is of 2026-03-01, as was said of this table." in said


def test_the_day_of_all_samples_is_of_one_file_and_is_not_kept_with_its_mapping() -> None:
    proposal = opened(UNDATED, sampled_on="2026-03-01").proposals[0]
    assert "sampled_on" not in proposal.kept().as_dict()
    reader = Reader(analytes.find, {proposal.digest: Kept("ward 3", proposal.kept())})
    with pytest.raises(Unsettled):
        read("the next", io.BytesIO(UNDATED.encode()), ZONE, reader)


@pytest.mark.parametrize("day", ["01.03.2026", "2026-02-30", "soon", 5])
def test_the_day_of_all_samples_is_a_day_of_the_calendar(day: object) -> None:
    with pytest.raises(Refused, match="sampled_on of the mapping"):
        opened(UNDATED, sampled_on=day)


def test_a_day_for_all_and_a_column_of_days_are_not_both_taken() -> None:
    with pytest.raises(Refused, match="a column has their days too: choose one"):
        opened(WIDE, sampled_on="2026-03-01")
    assert [found[1] for found in results(WIDE, sampled_on="2026-03-05", columns={"date": ""})] == ["2026-03-05"] * 3


def test_a_row_a_result_with_its_printed_range_in_german() -> None:
    (row,) = opened(LONG).rows
    assert isinstance(row.reading, LabReading)
    assert (row.reading.value, row.reading.unit) == ("31.5", "U/l")
    assert (row.reading.ref_low, row.reading.ref_high) == (Decimal(10), Decimal(50))


def test_what_was_understood_is_said_and_so_are_the_columns_left_out() -> None:
    said = " ".join(remark.message for remark in opened(WIDE.replace("Date,", "Date,Race,", 1)).remarks)
    assert "“Patient ID” is the record number" in said
    assert "“ALT (U/L)” (U/L)" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_whatever_it_is_encoded_in(encoding: str) -> None:
    content = "Patient;Datum;Kreatinin (µmol/L)\n00231;2026-03-01;71\n".encode(encoding)
    assert results(content) == [("00231", "2026-03-01", "Kreatinin", "71", "µmol/L")]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_whatever_parts_its_cells(mark: str) -> None:
    assert len(results(WIDE.replace(",", mark))) == 3


def test_title_rows_above_the_header_and_an_empty_line_count_as_rows() -> None:
    content = "Haematology,,\nprinted 3 March,,\n\n" + WIDE + "x,2026-03-99,1,\n"
    assert len(results(content)) == 3
    assert list(refusals(content)) == [7]


def test_units_in_a_row_under_the_header() -> None:
    assert results("Patient,Date,ALT,Hb\n,,U/L,g/dL\n00231,2026-03-01,31,13.1\n") == [
        ("00231", "2026-03-01", "ALT", "31", "U/L"),
        ("00231", "2026-03-01", "Hb", "13.1", "g/dL"),
    ]


def test_units_in_the_column_beside() -> None:
    assert results("Patient;Date;AST;;CK;\n7;2026-03-01;415,00;U/L;303,00;U/L\n") == [
        ("7", "2026-03-01", "AST", "415.00", "U/L"),
        ("7", "2026-03-01", "CK", "303.00", "U/L"),
    ]


def test_a_day_in_three_columns() -> None:
    content = "Patient,Year,Month,Day,ALT (U/L)\n7,2026,3,1,31\n7,2026,2,30,31\n"
    assert results(content) == [("7", "2026-03-01", "ALT", "31", "U/L")]
    assert "not a day of the calendar" in refusals(content)[3]


# ---------------------------------------------------------------------------------------------- headings


@pytest.mark.parametrize(
    ("heading", "code", "cell", "value", "unit"),
    [
        ("ALT (U/L)", "ALT", "31", "31", "U/L"),
        ("ALT [U/L]", "ALT", "31", "31", "U/L"),
        ("Creatinine, umol/L", "CREAT", "71", "71", "umol/L"),
        ("Leukozyten (G/l)", "WBC", "5,3", "5.3", "G/l"),
        ("WBC(10/uL)", "WBC", "806", "8060", "/uL"),  # tens of cells: 8.06 thousand
        ("RBC(10^4/uL)", "RBC", "520", "5.2", "10*6/uL"),
        ("HCT(10^(-1)%)", "HCT", "411", "41.1", "%"),
        ("NEUT%(10^(-1)%)", "NEUT_PCT", "542", "54.2", "%"),
        ("NEUT#(10/uL)", "ANC", "<5", "<50", "/uL"),
    ],
)
def test_a_heading_gives_the_test_its_unit_and_the_factor(
    heading: str, code: str, cell: str, value: str, unit: str
) -> None:
    found = printed(heading, analytes.find)
    assert found is not None
    analyte = analytes.find(found.name, found.unit)
    assert analyte is not None
    assert (analyte.code, figure(cell, "", found.factor).value, found.unit) == (code, value, unit)


@pytest.mark.parametrize(
    "heading",
    ["Phenylalanine (umol/L)", "gamma-Globulin (g/L)", "alpha-1-Globulin (g/L)", "Cholesterin/HDL", "HDL ratio (mg/dL)",
     "CCPK (U/mL)", "Cholinesterase (U/L)", "Creatinkinase ratio", "Kreatinin im Urin (mmol/L)", "WBC-C(10/uL)"],
)  # fmt: skip
def test_a_name_that_looks_like_an_analyte_is_not_taken_for_it(heading: str) -> None:
    found = printed(heading, analytes.find)
    assert found is None or analytes.find(found.name, found.unit) is None


# ---------------------------------------------------------------------------------------------- two readings


def test_a_day_that_could_be_two_is_asked_about_and_read_as_answered() -> None:
    content = "Patient,Date,ALT (U/L)\n7,03/04/2026,31\n7,05/06/2026,33\n"
    assert asked(content) == {"dates": ""}
    assert [day for _, day, *_ in results(content, dates="day first")] == ["2026-04-03", "2026-06-05"]
    assert [day for _, day, *_ in results(content, dates="month first")] == ["2026-03-04", "2026-05-06"]


def test_one_day_above_twelve_settles_its_column_and_that_is_said() -> None:
    content = "Patient,Date,ALT (U/L)\n7,03/04/2026,31\n7,25/04/2026,33\n"
    assert [day for _, day, *_ in results(content)] == ["2026-04-03", "2026-04-25"]
    assert any("day first" in remark.message for remark in opened(content).remarks)


def test_days_that_contradict_each_other_are_asked_about() -> None:
    content = "Patient,Date,ALT (U/L)\n7,04/25/2026,31\n7,25/04/2026,33\n"
    assert asked(content) == {"dates": ""}
    assert "not a day of the calendar" in refusals(content, dates="day first")[2]


@pytest.mark.parametrize(
    ("days", "order", "unclear"),
    [
        (["03.04.2026"], "", "03.04.2026"),  # a dotted day is no proof
        (["05/05/2026", "2026-03-04", "4 Mar 2026"], "", ""),  # the same either way
        (["12/10/2014 4:42 p.m."], "", "12/10/2014 4:42 p.m."),
        (["01/13/2026", "02/03/2026"], "month first", "02/03/2026"),
    ],
)
def test_what_a_column_of_days_proves(days: list[str], order: str, unclear: str) -> None:
    assert dates_of(days)[:2] == (order, unclear)


def test_a_comma_that_could_be_two_marks_is_asked_about_with_what_the_others_speak_for() -> None:
    content = 'Patient,Date,PLT (10^9/L)\n7,2026-03-01,"150,000"\n7,2026-03-02,"141,47"\n'
    assert asked(content) == {"decimal": "comma"}
    assert [value for *_, value, _ in results(content, decimal="comma")] == ["150.000", "141.47"]
    point = content.replace('"141,47"', "141.47")
    assert asked(point) == {"decimal": "point"}
    assert [value for *_, value, _ in results(point, decimal="point")] == ["150000", "141.47"]


@pytest.mark.parametrize(
    ("cells", "unclear", "guess"),
    [
        (["5,3", "0,125"], "", ""),
        (["5.3", "1.234"], "", ""),
        (["5,3", "1.234"], "1.234", "comma"),  # beside a decimal comma a point may part thousands
        (["1,234"], "1,234", ""),
        (["1,234", "5.3", "5,3"], "1,234", ""),
    ],
)
def test_what_a_column_of_figures_proves(cells: list[str], unclear: str, guess: str) -> None:
    assert decimals_of(cells) == (unclear, guess)


def test_a_test_without_a_unit_is_asked_about_and_never_assumed() -> None:
    content = "Patient,Date,Creatinine,ALT (U/L)\n7,2026-03-01,1.1,31\n"
    assert asked(content) == {"units.Creatinine": "mg/dL"}
    assert results(content, units={"Creatinine": "mg/dL"})[0] == ("7", "2026-03-01", "Creatinine", "1.1", "mg/dL")


def test_a_name_of_a_count_and_a_percentage_is_asked_about_with_both() -> None:
    with pytest.raises(Unsettled) as caught:
        opened("Patient,Date,Neutrophils,ALT (U/L)\n7,2026-03-01,54,31\n")
    (question,) = caught.value.proposal.questions
    assert {"10*9/L", "%"} <= set(question.choices)


def test_two_columns_of_one_test_are_asked_about() -> None:
    content = "Patient,Date,ALT (U/L),GPT (U/L)\n7,2026-03-01,31,33\n"
    assert list(asked(content)) == ["analytes.GPT (U/L)"]
    assert len(results(content, analytes={"GPT (U/L)": ""})) == 1


def test_a_day_of_analysis_is_not_taken_for_the_day_of_the_sample() -> None:
    content = "Patient,Analysis Date,ALT (U/L)\n7,2026-03-01,31\n"
    assert asked(content) == {"columns.date": "Analysis Date"}
    assert len(results(content, columns={"date": "Analysis Date"})) == 1


def test_a_sample_is_no_patient() -> None:
    content = "Sample ID,Test,Result,Units,Date\n12345-001,HB,12.5,g/dL,2026-01-23\n"
    assert asked(content) == {"columns.mrn": ""}


def test_the_refusal_gives_the_lines_that_answer() -> None:
    with pytest.raises(Unsettled, match=r'\[units\] "Creatinine" = "mg/dL"'):
        opened("Patient,Date,Creatinine,ALT (U/L)\n7,2026-03-01,1.1,31\n")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"colums": {}}, "“colums”"),
        ({"columns": {"patient": "x"}}, "“patient”"),
        ({"columns": {"mrn": "Nobody"}}, "“Nobody”, which this table does not have"),
        ({"units": {"Creatinin": "mg/dL"}}, "“Creatinin”, which this table does not have"),
        ({"dates": "european"}, "“european”"),
        ({"header_row": 99}, "no row 99"),
        ({"units": {"ALT": 5}}, "a text in quotation marks"),
    ],
)
def test_an_answer_that_fits_nothing_is_refused(answers: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        opened("Patient,Date,Creatinine\n7,2026-03-01,1.1\n", **answers)


# ---------------------------------------------------------------------------------------------- cells and rows


def test_words_beside_a_number_never_become_the_number() -> None:
    (row,) = opened("Patient,Date,ALT (U/L)\n7,2026-03-01,19 but poor collection\n").rows
    assert isinstance(row.reading, LabReading)
    assert row.reading.value == "19 but poor collection"  # which recording refuses: it is not a number


@pytest.mark.parametrize(
    ("cell", "value", "flag", "unit"),
    [
        ("5.3 H", "5.3", "H", ""), ("5.3*", "5.3", "*", ""), ("<5 (L)", "<5", "L", ""),
        ("5.3 mmol/L", "5.3", "", "mmol/L"), ("<5 G/l (L)", "<5", "L", "G/l"),
        ("> 100 U/L", ">100", "", "U/L"), ("1.5E+04 IU/mL", "15000", "", "IU/mL"),
        ("negative", "negative", "", ""), ("19 but poor collection", "19 but poor collection", "", ""),
        ("340 +", "340", "+", ""), ("3,1 -", "3.1", "-", ""), ("3 +", "3 +", "", ""),
        ("1:80", "1:80", "", ""), ("3-5", "3-5", "", ""), ("5.3 years", "5.3 years", "", ""),
    ],
)  # fmt: skip
def test_a_cell_with_a_flag_or_a_unit(cell: str, value: str, flag: str, unit: str) -> None:
    assert figure(cell) == (value, flag, unit)


def test_a_unit_in_the_cell_that_contradicts_its_column_is_refused() -> None:
    content = "Patient,Date,Glucose (mg/dL)\n7,2026-03-01,5.3 mmol/L\n7,2026-03-02,98 mg/dL\n"
    assert "which of them is right" in refusals(content)[2]
    assert results(content) == [("7", "2026-03-02", "Glucose", "98", "mg/dL")]


def test_totals_notes_and_a_repeated_header_are_refused_with_the_reason() -> None:
    content = (
        WIDE + "Mean,,18,5.3\nPatient ID,Date,ALT (U/L),WBC x10^3/uL\n,Note: collected in March,,\n9,2026-03-04,,\n"
    )
    assert {row: said[:26] for row, said in refusals(content).items()} == {
        4: "“Mean”: a row of totals is",
        5: "The header once more: it i",
        6: "The record number is empty",
        7: "The row holds no result in",
    }


def test_a_dash_is_not_a_result_and_is_counted() -> None:
    source = opened("Patient,Date,ALT (U/L),AST (U/L)\n7,2026-03-01,-,31\n7,2026-03-02,n/a,32\n")
    assert [row.reading.analyte for row in source.rows if isinstance(row.reading, LabReading)] == ["AST", "AST"]
    assert any("not measured: 2 of them" in remark.message for remark in source.remarks)


def test_a_year_of_two_digits_and_a_bare_number_are_no_day() -> None:
    content = "Patient,Date,ALT (U/L)\n7,01.02.26,31\n7,45000,31\n7,2026-03-01,31\n"
    assert [said.split(":")[0] for said in refusals(content).values()] == [
        "The year of “01.02.26” has two digits",
        "“45000” is a bare number where a date is due",
    ]


def test_a_column_of_years_of_two_digits_is_asked_about_and_never_settled_by_itself() -> None:
    content = "Patient,Date,ALT (U/L)\n7,2/3/26,31\n7,2/14/26,31\n"
    assert asked(content) == {"dates": ""}
    assert [day for _, day, *_ in results(content, dates="month first")] == ["2026-02-03", "2026-02-14"]
    assert "has two digits" in refusals("Patient,Date,ALT (U/L)\n7,26-02-03,31\n")[2]  # the year may stand first


@pytest.mark.parametrize(
    "day",
    [
        "3-Feb-26", "03FEB2026", "03FEB2026:08:15", "03/Feb/2026", "3 febrero 2026", "3 de fevereiro de 2026",
        "3 febbraio 2026", "3 lutego 2026", "3. Februar 2026", "3 février 2026 à 8h15", "03.02.2026 08:15 Uhr",
    ],
)  # fmt: skip
def test_a_day_as_other_programs_and_languages_write_it(day: str) -> None:
    content = f"Patient;Date;ALT (U/L)\n7;{day};31\n7;25.02.2026;31\n"
    assert results(content)[0][1] == "2026-02-03"


def test_a_month_that_is_another_in_the_next_country_is_no_day() -> None:
    assert "not a day of the calendar" in refusals("Patient,Date,ALT (U/L)\n7,3 listopada 2026,31\n")[2]


def test_a_time_that_cannot_be_read_is_refused_in_its_own_column() -> None:
    (row,) = opened("Patient,Date,Time,ALT (U/L)\n7,2026-03-01,8.15,31\n").rows
    assert row.problems[0].column == "Time"


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("PAT_MRN_ID", "mrn"), ("SPECIMN_TAKEN_TIME", "date"), ("ORD_VALUE", "value"), ("AnalyteName", "test"),
        ("LabUnits", "unit"), ("LabLow", "low"), ("NHC", "mrn"), ("Fecha extracción", "date"), ("Esito", "value"),
        ("U.M.", "unit"), ("Badanie", "test"), ("Nr pacjenta", "mrn"), ("Patiëntnummer", "mrn"), ("Uitslag", "value"),
        ("Nº de processo", "mrn"), ("Data da colheita", "date"), ("Provtagningsdatum", "date"),
        ("Né(e) le", "birth_date"),
        ("Normalwert", "range"), ("upper", "high"),
    ],
)  # fmt: skip
def test_what_a_heading_is_for_in_other_languages_and_exports(heading: str, meant: str) -> None:
    assert role(heading) == (meant, True)


@pytest.mark.parametrize("column", ["Specimen", "Panel", "Sample type"])
def test_what_is_not_of_blood_is_no_test_of_blood(column: str) -> None:
    content = (
        f"Patient,Date,{column},Test,Result,Unit\n7,2026-03-01,Urine,WBC,12,/uL\n7,2026-03-01,Blood,WBC,5.1,K/uL\n"
    )
    assert [name for _, _, name, _, _ in results(content)] == ["WBC (urine)", "WBC"]
    wide = "Patient,Date,Specimen,WBC (/uL)\n7,2026-03-01,CSF,3\n"
    assert [name for _, _, name, _, _ in results(wide)] == ["WBC (csf)"]


def test_a_loinc_needs_no_sample() -> None:
    content = "Patient,Date,Specimen,Test,LOINC,Result,Unit\n7,2026-03-01,Urine,WBC,6690-2,5.1,K/uL\n"
    assert [name for _, _, name, _, _ in results(content)] == ["WBC"]


def test_a_unit_in_every_cell_is_not_asked_about() -> None:
    assert results("Patient,Date,Test,Result\n7,2026-03-01,Hb,13.1 g/dl\n")[0][3:] == ("13.1", "g/dl")
    assert asked("Patient,Date,Test,Result\n7,2026-03-01,Hb,13.1 g/dl\n7,2026-03-02,Hb,131\n") == {"units.Hb": "g/dL"}


def test_a_code_beside_the_name_it_stands_for() -> None:
    (row,) = opened("Patient;Datum;Test;Testbezeichnung;Wert;Einheit\n7;13.03.2026;LEUK;Leukozyten;5,1;Gpt/l\n").rows
    assert isinstance(row.reading, LabReading)
    assert (row.reading.analyte, row.reading.local_code) == ("Leukozyten", "LEUK@")


def test_a_per_cent_sign_beside_a_name_is_its_unit() -> None:
    content = "Patient;Datum;Neutro [%];Neutro abs. [G/l]\n7;13.03.2026;58;3,0\n"
    assert [(name, unit) for *_, name, _, unit in results(content)] == [("Neutro", "%"), ("Neutro abs.", "G/l")]


def test_what_is_no_laboratory_s_is_refused() -> None:
    content = "Patient,Date,Test,Result,Units,Category\n7,2026-03-01,Body Height,170,cm,vital-signs\n"
    assert "vital-signs" in refusals(content)[2]


def test_a_status_that_is_not_known_is_refused_unless_the_mapping_leaves_it_out() -> None:
    content = "Patient,Date,Test,Result,Units,Status\n7,2026-03-01,ALT,31,U/L,MA\n7,2026-03-02,ALT,31,U/L,final\n"
    assert "not a status that is known" in refusals(content)[2]
    assert len(results(content, columns={"status": ""})) == 2


def test_a_birth_date_says_whose_the_row_is_where_it_can_be_read() -> None:
    (row,) = opened("Patient,DOB,Date,ALT (U/L)\n7,1967-11-11,2026-03-01,31\n").rows
    assert row.about is not None
    assert row.about.birth_date is not None
    (unclear,) = opened("Patient,DOB,Date,ALT (U/L)\n7,03/04/1967,2026-03-01,31\n").rows
    assert unclear.about is None


def test_a_loinc_decides_and_a_code_of_a_laboratory_stays_with_it() -> None:
    content = (
        "Patient,Date,Code,Test,Result,Units,Laboratory\n"
        "7,2026-03-01,1742-6,Alanine aminotransferase,31,U/L,Risch\n7,2026-03-01,TC,Thrombozyten,210,G/l,Risch\n"
    )
    found = [row.reading for row in opened(content).rows]
    assert [r.local_code for r in found if isinstance(r, LabReading)] == ["loinc:1742-6", "TC@Risch"]


# ---------------------------------------------------------------------------------------------- workbooks, memory


def book(lines: list[list[Any]], merged: list[tuple[int, int, int, int, Any]] = ()) -> bytes:  # type: ignore[assignment]
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as made:
        sheet = made.add_worksheet("March")
        for number, cells in enumerate(lines):
            sheet.write_row(number, 0, cells)
        for span in merged:
            sheet.merge_range(*span)
    return stream.getvalue()


def test_a_sheet_with_titles_and_a_patient_merged_down_its_visits() -> None:
    lines = [
        ["Liver clinic"],
        [],
        ["Patient", "Date", "ALT (U/L)"],
        ["", "2026-03-01", 31],
        ["", "2026-03-08", 193.79999999999998],
    ]
    content = book(lines, [(3, 0, 4, 0, "00231")])
    assert results(content) == [
        ("00231", "2026-03-01", "ALT", "31", "U/L"),
        ("00231", "2026-03-08", "ALT", "193.8", "U/L"),
    ]


def test_a_mapping_that_is_kept_reads_the_next_table_of_that_header_and_no_other() -> None:
    content = "Patient,Date,Creatinine\n7,03/04/2026,1.1\n"
    told = Answers.of({"dates": "day first", "units": {"Creatinine": "mg/dL"}})
    with pytest.raises(Unsettled) as caught:
        opened(content)
    proposal = shapes.proposed(caught.value.proposal.grid, Reader(analytes.find, answers=told))
    reader = Reader(analytes.find, {proposal.digest: Kept("Synlab", proposal.kept())})
    following = read("b", io.BytesIO(b"PATIENT, Date ,creatinine\n8,05/06/2026,1.3\n"), ZONE, reader)
    assert [row.reading.collected.on.isoformat() for row in following.rows if isinstance(row.reading, LabReading)] == [
        "2026-06-05"
    ]
    assert "mapping “Synlab”" in following.remarks[0].message
    with pytest.raises(Unsettled):
        read("c", io.BytesIO(b"Patient,Date,Creatinine,Lab\n8,05/06/2026,1.3,x\n"), ZONE, reader)


# ---------------------------------------------------------------------------------------------- real exports

REAL = {
    # what is open about an export as an instrument or a person wrote it
    "openelis_file-import-sample.csv": ["columns.mrn"],
    "senaite_9861x_v4_01.tsv": ["columns.date", "columns.mrn", "decimal"],
    "senaite_AQ2.csv": ["columns.date", "columns.mrn"],
    "senaite_Access2.csv": ["columns.date"],
    "senaite_SysmexXS-500i.csv": ["columns.date"],
    "senaite_VetScanVS2.csv": ["dates"],
    "senaite__XS-1000i_69638__00-19__23022015_112407_.csv": ["columns.date"],
    "messy_aki.xlsx": ["columns.date", "columns.mrn", "analytes"],
    "messy_glucose.xlsx": ["columns.date", "analytes"],
}


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_a_real_export_asks_what_only_a_person_can_say(name: str, shared: Path) -> None:
    assert list(asked((shared / "data/messy_tabular" / name).read_bytes())) == REAL[name]


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "messy_infarct.xlsx",
        "openelis_genexpert-results.csv",
        "openelis_multiskan-fc-results.csv",
        "openelis_quantstudio5-results.xlsx",
    ],
)
def test_a_real_export_that_names_no_result_of_a_patient_is_refused(name: str, shared: Path) -> None:
    with pytest.raises(Refused) as caught:
        opened((shared / "data/messy_tabular" / name).read_bytes())
    assert not isinstance(caught.value, Unsettled)


@needs_shared
def test_the_figures_of_a_real_analyser_are_scaled_as_its_headings_say(shared: Path) -> None:
    content = (shared / "data/messy_tabular/senaite_SysmexXS-500i.csv").read_bytes()
    told = {"columns": {"mrn": "Sample ID No", "date": "Analysis Date", "accession": ""}}
    found = {(test, unit): value for _, _, test, value, unit in results(content, **told)}
    assert found["WBC", "/uL"] == "8060"
    assert found["RBC", "10*6/uL"] == "5.2"
    assert found["HGB", "g/L"] == "135"
    assert found["HCT", "%"] == "41.1"
    assert found["PLT", "10^3/uL"] == "212"
    assert found["NEUT#", "/uL"] == "4370"
    assert found["NEUT%", "%"] == "54.2"


@needs_shared
def test_a_real_table_with_a_row_a_result_is_read_without_a_question(shared: Path) -> None:
    rows: list[Row] = list(opened((shared / "data/synthea_csv/observations.csv.gz").read_bytes()).rows)
    read_ones = [row.reading for row in rows if isinstance(row.reading, LabReading)]
    assert (len(rows), len(read_ones)) == (990, 326)
    platelets = [r for r in read_ones if "loinc:777-3" in r.local_code]
    assert {r.unit for r in platelets} == {"10*3/uL"}


@pytest.mark.parametrize(
    ("printed", "decimal", "low", "high"),
    [
        ("bis 35", "", None, "35"), ("150.000 - 400.000", "comma", "150000", "400000"), ("< 1,2", "", None, "1.2"),
        ("150,000-400,000", "point", "150000", "400000"), ("4,0 - 10,0", "comma", "4.0", "10.0"),
    ],
)  # fmt: skip
def test_a_range_of_a_table_is_read_as_any_other_and_by_the_mark_that_is_known(
    printed: str, decimal: str, low: str | None, high: str | None
) -> None:
    told = {"decimal": decimal} if decimal else {}
    (row,) = opened(LONG.replace("10-50", printed).replace("31,5", "31"), **told).rows
    assert isinstance(row.reading, LabReading)
    bounds = (row.reading.ref_low, row.reading.ref_high)
    assert tuple(None if b is None else str(b) for b in bounds) == (low, high)


def test_a_range_written_otherwise_than_the_table_says_is_none() -> None:
    (row,) = opened(LONG.replace("10-50", "1.5-5.0"), decimal="comma").rows
    assert isinstance(row.reading, LabReading)
    assert (row.reading.ref_low, row.reading.ref_high) == (None, None)
    assert "is not written with a decimal comma: no range is taken from it" in row.problems[0].message


def test_a_flag_before_the_figure_is_a_flag() -> None:
    assert figure("H 16,3") == ("16.3", "H", "")
    assert figure("H 1.234,5", "comma") == ("1234.5", "H", "")
    assert figure("L side") == ("L side", "", "")


@pytest.mark.parametrize(("cell", "decimal"), [("5.3e39", ""), ("1e999", "point"), ("9" * 31, "comma")])
def test_a_figure_with_more_digits_than_any_measurement_is_refused(cell: str, decimal: str) -> None:
    with pytest.raises(Refused, match="more digits than any measurement"):
        figure(cell, decimal)


def test_a_power_that_no_unit_has_is_no_factor() -> None:
    assert unit_printed("10^4/uL") == ("/uL", Decimal(10000))
    assert unit_printed("10^39/uL") is None
