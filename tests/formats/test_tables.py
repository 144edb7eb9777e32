"""Delimited text as programs write it: separators, encodings, line ends, quotation marks, and how rows are numbered."""

import codecs
import gzip
import io

import pytest

from tests.formats.files import RESULTS, ZONE, opened, rows, says
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, PatientReading, Row
from tracker.formats import opening, read

ONE = "mrn,collected_at,analyte,value\n"
READ = rows(RESULTS)


def test_the_example_reads_as_a_person_would_read_it() -> None:
    source = opened(RESULTS)
    assert (source.format, source.kind, source.remarks) == ("csv", "results", ())
    first, second, third = (row.reading for row in source.rows)
    assert isinstance(first, LabReading)
    assert isinstance(second, LabReading)
    assert isinstance(third, LabReading)
    assert (str(first.collected.at), first.collected.time_known) == ("2026-03-01 07:40:00+00:00", True)
    assert (str(second.collected.on), second.collected.time_known, second.value) == ("2026-03-08", False, "<0.5")
    assert (str(third.collected.at), third.value) == ("2026-03-08 07:15:00+00:00", "negative")
    assert [row.number for row in READ] == [2, 3, 4]


@pytest.mark.parametrize(
    "content",
    [
        RESULTS.replace(",", ";"),
        RESULTS.replace(",", "\t"),
        RESULTS.replace("\n", "\r\n"),
        RESULTS.replace("\n", "\r"),
        RESULTS.rstrip("\n"),
        RESULTS.replace("mrn,collected_at", " MRN , Collected_At "),
        "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in RESULTS.splitlines()),
        RESULTS + "\n\n,,,\n",
        codecs.BOM_UTF8 + RESULTS.encode(),
        RESULTS.encode("utf-16"),
        codecs.BOM_UTF16_BE + RESULTS.encode("utf-16-be"),
        gzip.compress(RESULTS.encode()),
        gzip.compress(RESULTS[:70].encode()) + gzip.compress(RESULTS[70:].encode()) + b"\0" * 512,
    ],
    ids=[
        "semicolon", "tab", "CRLF", "CR", "no last line end", "capitals and blanks", "all quoted", "empty rows",
        "UTF-8 with a mark", "UTF-16 little", "UTF-16 big", "gzip", "gzip in two members",
    ],
)  # fmt: skip
def test_it_reads_the_same_however_it_is_written(content: str | bytes) -> None:
    assert opened(content).remarks == ()
    assert rows(content) == READ


def test_columns_may_come_in_any_order() -> None:
    lines = (line.split(",") for line in RESULTS.splitlines())
    assert rows("\n".join(",".join(reversed(cells)) for cells in lines)) == READ


def test_a_decimal_comma_needs_no_quotation_marks_between_semicolons() -> None:
    (row,) = rows("mrn;collected_at;analyte;value;ref_low\n1;2026-03-01;ANC;1,9;2,0\n")
    assert isinstance(row.reading, LabReading)
    assert (row.reading.value, str(row.reading.ref_low)) == ("1,9", "2.0")


@pytest.mark.parametrize(("cell", "fasting"), [("yes", True), ("no", False), ("", None)])
def test_whether_a_sample_was_fasting_is_said_or_left_open(cell: str, fasting: bool | None) -> None:
    (row,) = rows(f"mrn,collected_at,analyte,value,unit,fasting\n1,2026-03-01,TG,150,mg/dL,{cell}\n")
    assert isinstance(row.reading, LabReading)
    assert row.reading.fasting is fasting


def test_fasting_is_yes_or_no_and_nothing_else() -> None:
    (row,) = rows("mrn,collected_at,analyte,value,unit,fasting\n1,2026-03-01,TG,150,mg/dL,perhaps\n")
    assert row.reading is None
    assert [(problem.row, problem.column) for problem in row.problems] == [(2, "fasting")]
    assert "write yes or no" in row.problems[0].message


def test_an_unknown_column_is_said_and_ignored() -> None:
    source = opened("mrn,collected_at,analyte,value,units,tube\n1,2026-03-01,ANC,1.9,10*9/L,yes\n")
    assert [(p.row, p.column) for p in source.remarks] == [(1, "units"), (1, "tube")]
    assert "ignored. If unit is meant, rename it." in source.remarks[0].message
    assert "ignored" in source.remarks[1].message
    assert [row.problems for row in source.rows] == [()]


def test_a_column_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(Refused, match="names value more than once"):
        opened("mrn,collected_at,analyte,value,Value\n")


def test_short_rows_are_filled_and_long_rows_are_refused() -> None:
    short, empty_end, long = rows(
        RESULTS.splitlines()[0] + "\n1,2026-03-01,ANC,1.9\n1,2026-03-01,ANC,1.9,,,,,\n1,2026-03-01,ANC,1,9,G/L,2,8\n"
    )
    assert short.reading is not None
    assert empty_end.reading is not None
    assert long.reading is None
    assert "8 cells and the first row names 7 columns" in says(long)[""]


def test_rows_are_numbered_as_a_spreadsheet_numbers_them() -> None:
    content = (
        ONE + '1,2026-03-01,"ALT\n(GPT)",30\n\n1,2026-03-01,AST,30\n,,,\n1,2026-03-01,ALP,bad 1,2\n1,2026-03-01,GGT,3\n'
    )
    found = rows(content)
    assert [row.number for row in found] == [2, 4, 6, 7]
    assert [problem.row for row in found for problem in row.problems] == [6]
    assert isinstance(found[0].reading, LabReading)
    assert found[0].reading.analyte == "ALT (GPT)"


@pytest.mark.parametrize("bad", ['1,2026-03-01,"ALT,30', '1,2026-03-01,"ALT"x,30', '"1,2026-03-01,ALT,30'])
def test_a_quotation_mark_that_is_never_closed_costs_its_own_row(bad: str) -> None:
    after = [f"1,2026-03-{day:02},ANC,1.9" for day in range(1, 29)] * 4
    found = rows(ONE + "\n".join([*after[:3], bad, *after]))
    assert [row.number for row in found if row.reading is None] == [5]
    assert len(found) == 3 + 1 + len(after)
    assert "quotation marks" in says(found[3])[""]


def test_many_open_quotation_marks_cost_their_own_rows() -> None:
    found = rows(ONE + '1,2026-03-01,"ALT,30\n' * 3001 + "1,2026-03-01,ANC,1.9\n")
    assert found[-1].reading is not None
    assert (len(found), sum(row.reading is None for row in found)) == (3002, 3001)


# ------------------------------------------------------------------------------------------- encodings


def test_windows_letters_are_read_and_said() -> None:
    source = opened("mrn,family_name\n1,Müller\n2,Sørensen\n3,Řezáč\n".encode("cp1252", errors="replace"))
    assert [(p.row, "Windows-1252" in p.message) for p in source.remarks] == [(0, True)]
    names = [row.reading.family_name for row in source.rows if isinstance(row.reading, PatientReading)]
    assert names == ["Müller", "Sørensen", "?ezá?"]


def test_windows_letters_far_down_are_said_once_where_they_begin() -> None:
    plain = b"1,Keller\n" * (opening.HEAD // 9 + 10)
    source = opened(b"mrn,family_name\n" + plain + "2,Müller\n".encode("cp1252"))
    assert source.remarks == ()
    *before, muller = source.rows
    assert isinstance(muller.reading, PatientReading)
    assert muller.reading.family_name == "Müller"
    said = [problem.message for row in (*before, muller) for problem in row.problems]
    assert [("Windows-1252" in message) for message in said] == [True]


def test_a_letter_that_no_encoding_explains_is_refused() -> None:
    (row,) = rows(b"mrn,family_name\n1,M\x81ller\n")
    assert row.reading is None
    assert "lost" in says(row)["family_name"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_nothing_is_lost_where_a_piece_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = RESULTS.replace("10*9/L", "µmol/L").replace("\n", "\r\n")
    whole = rows(content)
    monkeypatch.setattr(opening, "CHUNK", size)
    monkeypatch.setattr(opening, "HEAD", 40 * size)
    for written in (content.encode(), content.encode("utf-16"), gzip.compress(content.encode())):
        assert opened(written).remarks == ()
        assert rows(written) == whole


# ------------------------------------------------------------------------------------------ what breaks


def _last(content: bytes) -> tuple[list[Row], str]:
    *good, last = rows(content)
    assert last.reading is None
    return good, last.problems[0].message


def test_a_gzip_file_that_was_not_copied_whole_ends_with_a_refused_row() -> None:
    many = RESULTS + "".join(f"{n},2026-03-01,ANC,{n}.{n % 7},,,\n" for n in range(100_000))
    good, message = _last(gzip.compress(many.encode())[:-80_000])
    assert good[:3] == READ
    assert all(row.reading is not None for row in good[:-1])
    assert "breaks off" in message
    assert f"Nothing after row {good[-1].number} was read" in message


def test_a_gzip_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "UNPACKED_LIMIT", 3 << 20)
    good, message = _last(gzip.compress((RESULTS + "1,2026-03-01,ANC,1.9,,,\n" * 200_000).encode()))
    assert good[:3] == READ
    assert "more than 1 GiB" in message


def test_a_gzip_file_that_unpacks_to_hundreds_of_times_its_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SMALL", 3 << 20)
    good, message = _last(gzip.compress((RESULTS + "1,2026-03-01,ANC,1.9,,,\n" * 700_000).encode()))
    assert good[:3] == READ
    assert "to far more than a table would" in message


def test_empty_rows_count_for_nothing_until_there_are_more_than_a_sheet_has() -> None:
    assert [row.number for row in rows(RESULTS + "\n,,,,,,\n" * 5000 + "1,2026-03-01,ANC,1.9,,,\n")][-1] == 10_005
    good, message = _last((RESULTS + "\n" * (1 << 20) + "\n").encode())
    assert good == READ
    assert "more than 1,048,576 empty rows" in message


class _Endless(io.RawIOBase):
    """A line that goes on as long as one reads; fails the test where more is read than a line may have."""

    def __init__(self) -> None:
        self.left = 8 * opening.LINE_LIMIT

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.left -= size
        assert self.left > 0, "read on and on without a line end"
        return b"x" * size


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="A line is longer"):
        read("endless", _Endless(), ZONE)  # type: ignore[arg-type]  # a stream in all that is used


def test_rows_are_read_as_they_are_asked_for() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            chunk = super().read(size)
            Counting.taken += len(chunk)
            return chunk

    many = (ONE + "1,2026-03-01,ANC,1.9\n" * 500_000).encode()
    source = read("many", Counting(many), ZONE)
    assert next(source.rows).number == 2
    assert Counting.taken < len(many) / 4
    assert sum(1 for _ in source.rows) == 499_999


def test_a_header_alone_has_no_rows() -> None:
    assert rows(ONE) == []
