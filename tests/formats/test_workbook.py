"""Workbooks: what a spreadsheet holds is read as a person sees it, and the rest is said."""

import io
import zipfile
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.conftest import needs_shared
from tests.formats.files import ZONE, opened
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading
from tracker.formats import read, workbook

at = partial(datetime, tzinfo=None)  # a spreadsheet knows no zone
RESULTS = [
    ["mrn", "collected_at", "analyte", "value", "unit"],
    ["00231", date(2026, 3, 1), "ANC", 0.46, "10*9/L"],
    ["00231", at(2026, 3, 8, 8, 40), "ALT", 31, "U/L"],
    ["00231", "2026-03-09", "HB", "<5", "g/dL"],
    [],
    ["00231", "2026-03-10", "PLT", "two hundred", "10*9/L"],
    ["00231", "01.03.2026", "PLT", 210, "10*9/L"],
]
PATIENTS = [["mrn", "birth_date", "sex"], ["00231", date(1988, 5, 17), "female"]]


def book(**sheets: list[list[Any]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as made:
        for name, lines in sheets.items():
            sheet = made.add_worksheet(name)
            for number, cells in enumerate(lines):
                sheet.write_row(number, 0, cells)
    return stream.getvalue()


def test_cells_are_taken_as_they_are_seen() -> None:
    source = opened(book(March=RESULTS))
    found = list(source.rows)
    assert (source.format, source.kinds) == ("xlsx", ("results",))
    assert sorted(row.number for row in found) == [2, 3, 4, 6, 7]
    readings = [row.reading for row in found if row.reading][:3]
    assert [(r.value, r.collected.on.day, r.collected.time_known) for r in readings if isinstance(r, LabReading)] == [
        ("0.46", 1, False), ("31", 8, True), ("<5", 9, False),
    ]  # fmt: skip


def test_a_formula_that_nothing_has_worked_out_is_said() -> None:
    content = book(results=RESULTS[:3])
    package = zipfile.ZipFile(io.BytesIO(content))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as copy:
        for part in package.namelist():
            held = package.read(part)
            copy.writestr(part, held.replace(b"<v>31</v>", b"<f>A1*2</f><v></v>") if "sheet1" in part else held)
    said = [remark.message for remark in opened(made.getvalue()).remarks]
    assert any(
        sentence.startswith("Cells with a formula that no program has worked out were taken as empty: 1")
        for sentence in said
    )
    assert not any("formula" in remark.message for remark in opened(content).remarks)


def test_a_row_that_cannot_be_read_says_sheet_row_and_column() -> None:
    (last,) = [row for row in opened(book(March=RESULTS)).rows if row.reading is None]
    assert (last.place, last.number, last.problems[0].column) == ("sheet March", 7, "collected_at")
    assert "could mean two days" in last.problems[0].message


def test_several_sheets_are_filed_in_their_order_and_the_others_are_named() -> None:
    source = opened(book(Results=RESULTS[:2], Notes=[["Remember", "to call"]], People=PATIENTS))
    assert source.kinds == ("patients", "results")
    assert [type(row.reading).__name__ for row in source.rows] == ["PatientReading", "LabReading"]
    assert [remark.column for remark in source.remarks] == ["Notes"]


@pytest.mark.parametrize("figure", [0.1, 1.1, 3.3, 5.25, 100.0, 1e-05, 12345.678])
def test_a_number_keeps_its_digits(figure: float) -> None:
    source = opened(book(R=[RESULTS[0], ["1", "2026-03-01", "X", figure, ""]]))
    (row,) = source.rows
    assert isinstance(row.reading, LabReading)
    assert float(row.reading.value) == figure
    assert "e" not in row.reading.value.lower()


def test_a_workbook_without_a_table_is_refused_with_what_is_read() -> None:
    with pytest.raises(Refused, match="The sheet “Notes” is not read"):
        opened(book(Notes=[["Remember", "to call"]]))
    with pytest.raises(Refused, match="The workbook is empty"):
        opened(book(Sheet1=[]))


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (600 << 20))
    with pytest.raises(Refused, match="unpacks to far more than"):
        workbook.read(stream.getvalue(), ZONE)


@needs_shared
def test_real_workbooks_of_other_shapes_get_a_sentence(shared: Path) -> None:
    for path in (shared / "data" / "messy_tabular").glob("*.xls*"):
        with pytest.raises(Refused, match="is not read"), path.open("rb") as stream:
            read(path.name, stream, ZONE)


def test_a_workbook_that_did_not_come_whole_is_refused_or_read_as_it_was() -> None:
    """A bit that flipped on the way: what unpacks the cells does not look at their check sum."""
    whole = book(Results=RESULTS, People=PATIENTS)
    as_it_was = [row.reading for row in opened(whole).rows]
    refused = 0
    for place in range(0, len(whole), 5):
        flipped = bytearray(whole)
        flipped[place] ^= 16
        try:
            assert [row.reading for row in opened(bytes(flipped)).rows] == as_it_was, place
        except Refused:
            refused += 1
    assert refused > len(whole) / 10


def reaching(reference: str, more: str = "") -> bytes:
    """A workbook with one more cell, at that place."""
    whole, made = zipfile.ZipFile(io.BytesIO(book(R=RESULTS))), io.BytesIO()
    row = reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    cell = f'<row r="{row}"><c r="{reference}"><v>1</v></c></row>{more}</sheetData>'
    with zipfile.ZipFile(made, "w") as package:
        for name in whole.namelist():
            content = whole.read(name)
            package.writestr(name, content.replace(b"</sheetData>", cell.encode()) if "sheet1" in name else content)
    return made.getvalue()


@pytest.mark.parametrize("reference", ["XFD1048576", "A1048576", "ZZ100000"])
def test_one_cell_far_from_the_table_does_not_take_the_memory_of_the_machine(reference: str) -> None:
    with pytest.raises(Refused, match="one of them lies far from the table"):
        opened(reaching(reference))


def test_a_cell_some_way_off_is_read_as_a_row_of_its_own() -> None:
    assert max(row.number for row in opened(reaching("H900")).rows) == 900


def test_a_sheet_that_is_not_well_formed_is_refused() -> None:
    with pytest.raises(Refused, match="damaged"):
        opened(reaching("A9", '<row><c r="XFD1048576">&x;</c>'))


def test_another_kind_of_package_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("content.xml", "<a/>")
    with pytest.raises(Refused, match=r"OpenDocument file .*Save the sheet as XLSX"):
        opened(made.getvalue())


def test_a_package_that_only_looks_like_a_workbook_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        package.writestr("[Content_Types].xml", "<a/>")
        package.writestr("xl/nothing.xml", "<a/>")
    with pytest.raises(Refused, match="This kind of workbook is not read"):
        opened(made.getvalue())


def test_a_damaged_old_workbook_is_refused_and_takes_nothing_along() -> None:
    """Of an XLS a wrong byte may ask the library for 8 GB, which ends its process, or make it panic."""
    whole = (Path(__file__).parent / "samples" / "ward.xls").read_bytes()
    for size in (40, 600, len(whole) - 2000):
        with pytest.raises(Refused, match="damaged"):
            opened(whole[:size])
    sectors_of_8_gb = whole[:30] + bytes([33]) + whole[31:]
    with pytest.raises(Refused, match="save the sheet as"):
        opened(sectors_of_8_gb)


def test_a_sheet_in_an_encoding_that_nobody_knows_is_refused() -> None:
    whole, made = zipfile.ZipFile(io.BytesIO(book(R=RESULTS))), io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        for name in whole.namelist():
            package.writestr(name, whole.read(name).replace(b"UTF-8", b"UT8"))
    with pytest.raises(Refused, match="damaged"):
        opened(made.getvalue())
