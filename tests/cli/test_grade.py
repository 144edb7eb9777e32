"""`tracker grade FILE`: a table in, the same table with grades out."""

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tracker.cli import main

CASES = Path(__file__).parent.parent / "domain" / "cases" / "ctcae_rows.csv"
HEADER = "analyte,value,unit,lln,uln,baseline_value,baseline_flag"


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]
Graded = Callable[..., list[dict[str, str]]]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as ended:
            main(["grade", *map(str, arguments)])
        out, err = capsysbinary.readouterr()
        return Result(int(ended.value.code or 0), out.decode(), err.decode())

    return run


@pytest.fixture
def graded(run: Run) -> Graded:
    def graded(*arguments: object) -> list[dict[str, str]]:
        result = run(*arguments)
        assert result.exit_code == 0, result.stderr
        return list(csv.DictReader(io.StringIO(result.stdout)))

    return graded


def file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "results.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def answers(rows: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["grade_low"], row["grade_high"]) for row in rows]


def refusal(result: Result) -> str:
    """The one line on standard error of a refused file."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line


# ------------------------------------------------------------------------------------------------- grades


@pytest.mark.parametrize("version", ["4", "5", "6"])
def test_every_case_is_graded_as_a_clinician_would_say(tmp_path: Path, version: str, graded: Graded) -> None:
    with CASES.open(encoding="utf-8", newline="") as stream:
        cases = [row for row in csv.DictReader(stream) if row["version"] == version]
    path = tmp_path / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, cases[0])
        writer.writeheader()
        writer.writerows(cases)
    rows = graded(path, "--ctcae", version)
    assert [row["why"] for row in rows] == [row["why"] for row in cases]
    for row in rows:
        wanted = [row[side] if row[side].isdigit() else "" for side in ("low", "high")]
        assert [row["grade_low"], row["grade_high"]] == wanted, row
        if "?" in (row["low"], row["high"]):
            assert row["reason"], row


def test_version_5_is_the_default(tmp_path: Path, graded: Graded) -> None:
    path = file(tmp_path, "ANC,0.9,10*9/L,2.0,8.25,,")
    assert answers(graded(path)) == answers(graded(path, "--ctcae", "5")) == [("3", "")]
    assert answers(graded(path, "--ctcae", "6")) == [("2", "")]


def test_the_reason_says_what_was_published_and_why_a_grade_is_missing(tmp_path: Path, graded: Graded) -> None:
    lines = ["HB,79,g/L,,,,", "GLU,300,mg/dL,70,99,,", "FOO,1,,,,,", "ALC,<0.5,10*9/L,,,,", "TG,lipaemic,mg/dL,,,,"]
    missing, glucose, unknown, censored, words = (row["reason"] for row in graded(file(tmp_path, *lines)))
    assert "Anemia grade 3: Hgb <8.0 g/dL; <4.9 mmol/L; <80 g/L; transfusion indicated" in missing
    assert "Hemoglobin increased cannot be graded: the upper limit of normal (ULN) is missing." in missing
    assert "Hyperglycemia is not graded by a value: it is graded by symptoms and treatment" in glucose
    assert unknown == "CTCAE 5.0 has no laboratory term or analyte “FOO”."
    assert "cannot be graded: undecidable, since <0.5 may lie on either side of 0.2" in censored
    assert words == "The value “lipaemic” is not a number."


def test_what_marks_a_missing_figure_is_read_as_missing(tmp_path: Path, graded: Graded) -> None:
    rows = graded(file(tmp_path, "HB,79,g/L,NA,.,-,n/a", "HB,NA,g/L,120,160,,"))
    assert answers(rows) == [("3", ""), ("", "")]
    assert rows[1]["reason"] == "The value is missing."


def test_a_limit_that_is_no_number_is_not_passed_over(tmp_path: Path, graded: Graded) -> None:
    lines = ["ALT,130,U/L,,<40,,", "ALT,130,U/L,,40,,elevated", "ALT,130,U/L,,40,sixty,high", "ALT,130,U/L,,40,sixty,"]
    rows = graded(file(tmp_path, *lines))
    assert answers(rows) == [("", ""), ("", ""), ("", ""), ("", "2")]
    assert [row["reason"] for row in rows[:3]] == [
        "The uln “<40” is not a plain number.",
        "The baseline_flag “elevated” is not low, normal, high or empty.",
        "The baseline_value “sixty” is not a plain number.",
    ]


def test_words_for_the_flag_in_any_case(tmp_path: Path, graded: Graded) -> None:
    rows = graded(file(tmp_path, *(f"ALT,90,U/L,,40,50,{flag}" for flag in ("high", "HIGH", "H", "Normal", "low", ""))))
    assert answers(rows) == [("", "1")] * 3 + [("", "1")] * 3
    rows = graded(
        file(tmp_path, *(f"ALT,130,U/L,,40,50,{flag}" for flag in ("high", "HIGH", "H", "Normal", "low", "")))
    )
    assert answers(rows) == [("", "1")] * 3 + [("", "2")] * 3


# ------------------------------------------------------------------------------------------------- tables


def test_columns_in_any_order_and_others_are_kept(tmp_path: Path, graded: Graded) -> None:
    path = file(
        tmp_path,
        'S-1,40,"Smith, J.",10*9/L,,,0.9,2.0,,ANC',
        "S-2,,,U/L,,,50,,40,alt",
        header="sample,note,who,Unit,baseline_flag,baseline_value,VALUE,lln,uln, analyte ",
    )
    rows = graded(path)
    assert list(rows[0])[:3] == ["sample", "note", "who"]
    assert list(rows[0])[-3:] == ["grade_low", "grade_high", "reason"]
    assert [row["sample"] for row in rows] == ["S-1", "S-2"]
    assert rows[0]["who"] == "Smith, J."
    assert answers(rows) == [("3", ""), ("", "1")]


def test_marks_of_spreadsheets_do_not_matter(tmp_path: Path, graded: Graded) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(f"\ufeff{HEADER},note\r\nANC,0.9,10*9/L,2.0,,,,a\r\n\r\nANC,0.4,10*9/L,2.0,,,,b\r\n".encode())
    assert answers(graded(path)) == [("3", ""), ("4", "")]
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\r"))
    assert answers(graded(path)) == [("3", ""), ("4", "")]


def test_a_table_that_was_graded_before_is_graded_anew(tmp_path: Path, graded: Graded, run: Run) -> None:
    first = run(file(tmp_path, "ANC,0.9,10*9/L,2.0,8.25,,", "HB,79,g/L,120,160,,"), "--ctcae", "5").stdout
    again = tmp_path / "again.csv"
    again.write_text(first, encoding="utf-8")
    assert run(again).stdout == first
    assert answers(graded(again, "--ctcae", "6")) == [("2", ""), ("3", "0")]


def test_a_row_of_another_width_is_not_read(tmp_path: Path, graded: Graded, run: Run) -> None:
    path = file(tmp_path, "ALT,1,5,U/L,,40,,", "ANC,0.4", "ANC,0.4,10*9/L,2.0,,,", '"ANC","0,4",10*9/L,2.0,,,')
    assert run(path).stdout.splitlines()[1] == 'ALT,1,5,U/L,,40,,,,"The row has 8 fields, the header 7.",'
    rows = graded(path)
    assert answers(rows) == [("", ""), ("", ""), ("4", ""), ("4", "")]
    assert rows[0]["reason"] == "The row has 8 fields, the header 7."
    assert rows[1]["reason"] == "The row has 2 fields, the header 7."


def long_table(rows: int) -> list[str]:
    """Values up and down through every grade, with a number that says where the row stands."""
    kinds = [
        "ANC,{0},10*9/L,2.0,8.25,,,{1}",
        "alanine aminotransferase increased,{2},U/L,10,40,{0},high,{1}",
        "CREAT,{0},mg/dL,0.7,1.3,0.8,,{1}",
        "nothing,{0},,,,,,{1}",
    ]
    return [kinds[at % 4].format(at % 977 / 100, at, at % 1500) for at in range(rows)]


def test_a_long_table_keeps_its_order_and_its_grades(tmp_path: Path, graded: Graded) -> None:
    lines = long_table(60_000)
    path = file(tmp_path, *lines, header=f"{HEADER},at")
    assert path.stat().st_size > 2_000_000  # in several pieces, on all cores
    rows = graded(path)
    assert [row["at"] for row in rows] == [str(at) for at in range(60_000)]
    # A few rows at a time, and quoted, so that neither the pieces nor the short way of reading are used.
    for start in range(0, 60_000, 15_000):
        quoted = (",".join(f'"{field}"' for field in line.split(",")) for line in lines[start : start + 1_000])
        assert graded(file(tmp_path, *quoted, header=f"{HEADER},at")) == rows[start : start + 1_000]


def test_a_long_table_with_line_breaks_inside_fields(tmp_path: Path, graded: Graded) -> None:
    note = "x" * 90
    lines = [f'ANC,0.4,10*9/L,2.0,,,,"{at}\n{note}, ""said"" he"' for at in range(20_000)]
    rows = graded(file(tmp_path, *lines, header=f"{HEADER},note"))
    assert [row["note"] for row in rows] == [f'{at}\n{note}, "said" he' for at in range(20_000)]
    assert set(answers(rows)) == {("4", "")}


def test_a_table_without_rows(tmp_path: Path, run: Run) -> None:
    assert run(file(tmp_path)).stdout == f"{HEADER},grade_low,grade_high,reason\n"


# ------------------------------------------------------------------------------------------------- files


def test_output_goes_into_the_named_file_only(tmp_path: Path, run: Run) -> None:
    path, output = file(tmp_path, "ANC,0.9,10*9/L,2.0,8.25,,"), tmp_path / "graded.csv"
    result = run(path, "--output", output)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert output.read_text(encoding="utf-8") == run(path).stdout
    assert sorted(tmp_path.iterdir()) == [output, path]


def test_a_refused_file_leaves_the_last_output_alone(tmp_path: Path, run: Run) -> None:
    path, output = file(tmp_path, *long_table(60_000), header=f"{HEADER},at"), tmp_path / "graded.csv"
    path.write_bytes(path.read_bytes() + b"ANC,0.9,10*9/L,2.0,8.25,,,\xff\n")
    output.write_text("the last one")
    assert "not UTF-8" in refusal(run(path, "--output", output))
    assert output.read_text() == "the last one"
    assert sorted(tmp_path.iterdir()) == [output, path]


def test_a_file_can_be_graded_in_place(tmp_path: Path, run: Run) -> None:
    path = file(tmp_path, "ANC,0.9,10*9/L,2.0,8.25,,")
    wanted = run(path).stdout
    assert run(path, "--output", path).exit_code == 0
    assert path.read_text(encoding="utf-8") == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"analyte,value,unit,lln,uln,baseline_value\n", "no column baseline_flag"),
        (b"analyte;value;unit;lln;uln;baseline_value;baseline_flag\n", "separated by commas"),
        (HEADER.encode() + b",value\n", "two columns value"),
        (b"", "no column analyte"),
        (b"PK\x03\x04\x00\x00\x08\x00", "not UTF-8"),
        ((HEADER + "\n").encode("utf-16"), "not UTF-8"),
        (HEADER.encode() + b"\nANC,0.9,10\xb3/\xb5L,2.0,,,\n", "not UTF-8"),
        (HEADER.encode() + b'\n"ANC' + b"x" * 200_000 + b'",0.9,,,,,\n', "not a CSV file"),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str, run: Run) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    line = refusal(run(path))
    assert "other.csv" in line
    assert words in line


def test_a_file_that_is_not_there_or_not_a_file_is_refused_in_one_line(tmp_path: Path, run: Run) -> None:
    assert "nowhere.csv" in refusal(run(tmp_path / "nowhere.csv"))
    assert "directory" in refusal(run(tmp_path)).lower()
    path = file(tmp_path, "ANC,0.9,10*9/L,2.0,8.25,,")
    assert "no_folder" in refusal(run(path, "--output", tmp_path / "no_folder" / "graded.csv"))


@pytest.mark.parametrize("arguments", [[], ["x.csv", "--ctcae", "7"], ["x.csv", "--nonsense"], ["x.csv", "y.csv"]])
def test_wrong_usage(arguments: list[str], run: Run) -> None:
    assert run(*arguments).exit_code == 2


def test_grading_needs_neither_database_nor_web() -> None:
    program = "import sys, tracker.cli.grade; print(*sorted(set(sys.modules) & {'flask', 'sqlalchemy', 'alembic'}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
