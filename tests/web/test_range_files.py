"""Ranges as files: what is downloaded reads as the same, what is uploaded is one set that two people put in force."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from python_calamine import CalamineWorkbook
from werkzeug.test import TestResponse

from tests.people import Cast, add_account
from tests.web.conftest import Browser
from tests.web.reading import count, problems, soup, told, words
from tracker.db import Database
from tracker.formats.interchange import TABLES
from tracker.models import Clinic, ReferenceRange

SignIn = Callable[[str], Browser]
HEAD = ",".join(TABLES["ranges"])
LETTER = "letter of the laboratory"
TWO = [
    f"HB,,male,18,,13.5,>=,17.5,<=,g/dL,2026-01-01,{LETTER}",
    f"PLT,North,,,,150,>=,400,<,10*9/L,2026-02-01,{LETTER}",
]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def app_settings(app_settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return app_settings | {"UPLOAD_FOLDER": str(tmp_path / "uploads")}


@pytest.fixture
def cora(database: Database, cast: Cast) -> str:
    """A second administrator of clinic A."""
    with database.transaction() as session:
        add_account(session, "cora", "Cora Cole", "admin", session.get_one(Clinic, cast.a.clinic))
    return "cora"


def send(browser: Browser, content: bytes | str, name: str = "ranges.csv") -> TestResponse:
    data = content.encode() if isinstance(content, str) else content
    return browser.post("/ranges/upload", {"file": (io.BytesIO(data), name)}, content_type="multipart/form-data")


def table(*rows: str) -> str:
    return "\n".join([HEAD, *rows])


def store(browser: Browser, page: TestResponse, reason: str = "the laboratory's new analyser") -> TestResponse:
    token = str(soup(page).find("input", {"name": "token"})["value"])  # type: ignore[index]
    return browser.post("/ranges/upload/store", {"token": token, "reason": reason})


def drafted(browser: Browser, *rows: str) -> str:
    """The address of the set."""
    answer = store(browser, send(browser, table(*rows)))
    assert answer.status_code == 303, problems(answer)
    return answer.headers["Location"]


def figures(page: TestResponse) -> dict[str, str]:
    return {words(box.dt): words(box.dd) for box in soup(page).select(".rec-figures > div")}  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- out


def test_the_table_is_downloaded_with_the_columns_of_the_interchange(sign_in: SignIn) -> None:
    answer = sign_in("bob").get("/ranges/ranges.csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == TABLES["ranges"]
    assert ["HB", "", "female", "18", "", "12", ">=", "16", "<=", "g/dL", "1900-01-01"] in [row[:11] for row in rows]
    assert 'filename="ranges-2026-02-20.csv"' in answer.headers["Content-Disposition"]


def test_the_workbook_says_the_same(sign_in: SignIn) -> None:
    bob = sign_in("bob")
    rows = list(csv.reader(io.StringIO(bob.get("/ranges/ranges.csv").text)))
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(bob.get("/ranges/ranges.xlsx").data)).get_sheet_by_index(0)
    assert [list(map(_plain, row)) for row in sheet.to_python()] == [list(map(_plain, row)) for row in rows]


def _plain(cell: object) -> str:
    """A cell as a figure where it is one, so that 12 and 12.0 are the same."""
    try:
        return repr(float(str(cell)))
    except ValueError:
        return str(cell)


def test_no_cell_of_a_download_is_a_formula(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        session.query(ReferenceRange).filter_by(clinic_id=cast.a.clinic, analyte="CHOL").one().source = "=1+1"
    bob = sign_in("bob")
    assert "'=1+1" in bob.get("/ranges/ranges.csv").text
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(bob.get("/ranges/ranges.xlsx").data)).get_sheet_by_index(0)
    assert "=1+1" in [row[11] for row in sheet.to_python()]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_what_was_downloaded_stands_already_when_it_is_sent_back(sign_in: SignIn, ending: str) -> None:
    carol = sign_in("carol")
    page = send(carol, carol.get(f"/ranges/ranges.{ending}").data, f"ranges.{ending}")
    found = figures(page)
    assert found["rows in"] == found["stands already"] != "0"
    assert "there is nothing to do" in words(page)


# ---------------------------------------------------------------------------------------------- in


def test_a_file_is_shown_row_by_row_and_nothing_is_stored(sign_in: SignIn, database: Database, cast: Cast) -> None:
    carol, before = sign_in("carol"), count(database, ReferenceRange)
    page = send(carol, table(*TWO))
    assert figures(page)["new version"] == "1"
    assert figures(page)["new line"] == "1"
    assert "Haemoglobin, men, from 18 years: ≥ 13.5 and ≤ 17.5 g/dL 1 Jan 2026 ≥ 14 and ≤ 18 g/dL" in words(page)
    assert count(database, ReferenceRange) == before


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("XYZ,,,,,1,,2,,g/dL,2026-01-01,x", "“XYZ” is not an analyte Jakwatch knows"),
        ("HB,,,,,18,,14,,g/dL,2026-01-01,x", "low : The lower bound 18 is above the upper bound 14"),
        ("HB,,,,,12,,16,,g/dL,soon,x", "effective_from"),
        ("HB,,,,,12,,16,,U/L,2026-01-01,x", "HB is not recorded in “U/L”"),
        ("CREAT,,,,,44,,80,,mg/dL,2026-01-01,x", "it looks like umol/L"),
        ("HB,,,40,40,12,,16,,g/dL,2026-01-01,x", "age_to"),
        (f"HB,,male,18,,13,>=,17,<=,g/dL,2026-01-01,{LETTER}", "Row 2 is of the same line from the same day"),
        ("HB,,,,,12,,16,,g/dL,1900-01-01,x", "is the day of the starter set"),
    ],
)
def test_a_row_that_cannot_be_keeps_the_whole_file_out(
    sign_in: SignIn, database: Database, row: str, said: str
) -> None:
    carol, before = sign_in("carol"), count(database, ReferenceRange)
    page = send(carol, table(TWO[0], row))
    assert figures(page)["refused"] == "1"
    assert said in words(page)
    assert "3 refused" in words(page)
    refused = store(carol, page)
    assert refused.status_code == 422
    assert "Nothing is drafted while rows are refused" in problems(refused)
    assert count(database, ReferenceRange) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("mrn,collected_at,analyte,value,unit\n1,2026-01-01,HB,13,g/dL", "this page takes ranges"),
        ("", "empty"),
        (b"%PDF-1.7", "PDF"),
        ("\n".join([HEAD, *[TWO[0]] * 1001]), "more than 1000 rows"),
    ],
)
def test_a_file_of_something_else_is_refused(sign_in: SignIn, content: bytes | str, said: str) -> None:
    answer = send(sign_in("carol"), content)
    assert answer.status_code == 422
    assert said in problems(answer)


def test_a_set_needs_its_reason(sign_in: SignIn, database: Database) -> None:
    carol, before = sign_in("carol"), count(database, ReferenceRange)
    answer = store(carol, send(carol, table(*TWO)), "so")
    assert answer.status_code == 422
    assert "Say in a few words why." in problems(answer)
    assert count(database, ReferenceRange) == before


# ---------------------------------------------------------------------------------------------- a set


def test_a_second_person_looks_at_the_set_and_publishes_all_of_it(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    where = drafted(carol, *TWO)
    page = carol.get(where)
    assert told(page) == ["2 ranges drafted. They judge nothing until a second person has published them."]
    assert "You drafted it: a second person publishes it." in words(page)
    assert "one of 2 in a set" in words(second.get("/ranges"))
    seen = second.post(f"{where}/preview", {"applies": "history"})
    assert "It would apply from 1 Jan 2026." in words(seen)
    assert "Coverage, before and after none made" in words(seen)
    answer = second.post(f"{where}/publish", {"applies": "history"})
    assert told(second.get(answer.headers["Location"]))[0].startswith("2 ranges published. 1 patient judged again")
    assert states(database) == ["published", "published"]


def test_who_drafted_it_publishes_none_of_it(sign_in: SignIn, database: Database) -> None:
    carol = sign_in("carol")
    assert carol.post(f"{drafted(carol, *TWO)}/publish", {"applies": "history"}).status_code == 403
    assert states(database) == ["draft", "draft"]


def test_one_line_of_a_set_is_not_published_alone(sign_in: SignIn, database: Database, cora: str) -> None:
    where, second = drafted(sign_in("carol"), *TWO), sign_in(cora)
    for key in keys(database):
        answer = second.post(f"/ranges/{key}/publish", {"applies": "history"})
        assert answer.status_code == 422
        assert "published or withdrawn together" in words(answer)
        assert where in second.get(f"/ranges/{key}").text
    assert states(database) == ["draft", "draft"]


def test_a_set_that_was_withdrawn_is_not_published(sign_in: SignIn, database: Database, cora: str) -> None:
    carol = sign_in("carol")
    where = drafted(carol, *TWO)
    assert carol.post(f"{where}/withdraw").status_code == 303
    assert sign_in(cora).post(f"{where}/publish", {"applies": "history"}).status_code in (409, 422)
    assert states(database) == ["withdrawn", "withdrawn"]


def test_the_same_file_again_is_drafted_already(sign_in: SignIn) -> None:
    carol = sign_in("carol")
    drafted(carol, *TWO)
    assert figures(send(carol, table(*TWO)))["drafted already"] == "2"


def keys(database: Database) -> list[int]:
    with database.reading() as session:
        rows = session.query(ReferenceRange).filter_by(source=LETTER).order_by(ReferenceRange.id)
        return [row.id for row in rows]


def states(database: Database) -> list[str]:
    with database.reading() as session:
        rows = session.query(ReferenceRange).filter_by(source=LETTER).order_by(ReferenceRange.id)
        return [row.state for row in rows]
