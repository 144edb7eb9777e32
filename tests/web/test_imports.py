"""Files: previewed before they are filed, every row accounted for, and the tray of rows without a patient."""

import base64
import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import delete, func, select
from werkzeug.test import TestResponse

from tests.people import Cast
from tests.pictures import pdf
from tests.web.conftest import Browser
from tracker.cli import working
from tracker.db import Database
from tracker.formats import shelves
from tracker.models import Account, AuditEntry, HeldRow, ImportBatch, Job, LabResult, Membership, Patient
from tracker.operations import jobs, runs, tray
from tracker.operations.actor import Actor
from tracker.operations.attachments import LARGEST
from tracker.web import access, uploads

SignIn = Callable[[str], Browser]
NOON = datetime(2026, 2, 16, 11, 30, tzinfo=UTC)
HEAD = "mrn,collected_at,analyte,value,unit,laboratory\n"


@pytest.fixture(autouse=True)
def a_monday_in_february() -> Iterator[None]:
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def app_settings(app_settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return app_settings | {"UPLOAD_FOLDER": str(tmp_path / "uploads"), "IMPORT_ROWS": 40}


@pytest.fixture
def bob(sign_in: SignIn) -> Browser:
    return sign_in("bob")


def words(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html5lib").get_text(" ").split())


def send(browser: Browser, content: str | bytes, name: str = "results.csv") -> TestResponse:
    data = content.encode() if isinstance(content, str) else content
    return browser.post("/imports/preview", {"file": (io.BytesIO(data), name)}, content_type="multipart/form-data")


def token(answer: TestResponse) -> str:
    """What the preview's buttons send."""
    return str(BeautifulSoup(answer.text, "html5lib").find("input", {"name": "token"})["value"])


def sums(answer: TestResponse) -> list[int]:
    """rows in, filed, on file already, waiting for their patient, refused"""
    return [int(part.text) for part in BeautifulSoup(answer.text, "html5lib").select(".imports-sum dd")]


def counts(database: Database) -> dict[str, int]:
    kinds = (LabResult, Patient, ImportBatch, HeldRow, AuditEntry)
    with database.reading() as session:
        return {kind.__tablename__: session.scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds}


GOOD = HEAD + "AL-0001,2026-02-12,ANC,2.1,10*9/L,Synlab\nAL-0001,2026-02-12,HB,13.1,g/dL,Synlab\n"
BAD_ROWS = [
    # a row that cannot be filed, the column at fault, and what is said about it
    ("AL-0001,2026-02-12,ALT,20,mmol/L,", "value", "“mmol/L” is not a unit it is recorded in"),
    ("AL-0001,2026-02-12,ALT,20,,", "value", "a unit is needed"),
    ("AL-0001,2026-02-12,PLT,9000000,10*9/L,", "value", "above the possible maximum"),
    ("AL-0001,2026-03-12,PLT,200,10*9/L,", "collected_at", "which is in the future"),
    ("AL-0001,1980-02-12,PLT,200,10*9/L,", "collected_at", "before the patient's birth"),
    ("AL-0001,12/02/2026,PLT,200,10*9/L,", "collected_at", "could mean two days"),
    ('AL-0001,2026-02-12,PLT,"1,234",10*9/L,', "value", "could be read as two different numbers"),
    ("AL-0001,2026-02-12,PLT,,10*9/L,", "value", "is empty"),
    (",2026-02-12,PLT,200,10*9/L,", "mrn", "is empty"),
    ('AL-0001,2026-02-12,PLT,"200,10*9/L,', "", "quotation marks of this row do not match"),
    ("AL-0001,2026-02-12,PLT,200,10*9/L,,more,cells", "", "The row has 8 cells"),
    ("AL-0001,2026-02-09,ANC,0.99,10*9/L,", "value", "is on file"),
]


# ---------------------------------------------------------------------------------------------- the preview


def test_a_file_is_previewed_filed_and_shown_with_its_account(bob: Browser, cast: Cast, database: Database) -> None:
    before = counts(database)
    shown = send(bob, GOOD + "AL-0001,2026-02-12,HB,13.1,g/dL,Synlab\n")
    assert shown.status_code == 200
    assert sums(shown) == [3, 2, 1, 0, 0]
    page = words(shown.text)
    assert "Almondine, Ida AL-0001, born 17 May 1988" in page
    assert "ANC 2.1 ×10⁹/L · 12 Feb 2026 · Synlab" in page
    assert counts(database) == before, "a preview stores nothing, not even in the audit trail"

    filed = bob.post("/imports/file", {"token": token(shown)})
    assert filed.status_code == 303
    batch = bob.get(filed.location)
    assert sums(batch) == [3, 2, 1, 0, 0]
    assert "results.csv: 2 rows filed." in words(batch.text)
    told = [words(str(line)) for line in BeautifulSoup(batch.text, "html5lib").select(".jw-message")]
    flags = [line for line in told if line.startswith(("New flag", "Changed flag", "Cleared flag"))]
    assert flags
    assert all(re.match(r"\w+ flag: (Almondine, Ida, AL-0001: |and \d+ more)", line) for line in flags), flags


def test_filing_twice_stores_once(bob: Browser, cast: Cast, database: Database) -> None:
    shown = send(bob, GOOD)
    assert bob.post("/imports/file", {"token": token(shown)}).status_code == 303
    after = counts(database)
    assert bob.post("/imports/file", {"token": token(shown)}).status_code == 404
    assert counts(database) == after
    assert sums(send(bob, GOOD)) == [2, 0, 2, 0, 0]


@pytest.mark.parametrize(("row", "column", "said"), BAD_ROWS)
def test_a_bad_row_is_refused_with_the_reason_and_the_good_ones_are_filed(
    bob: Browser, cast: Cast, database: Database, row: str, column: str, said: str
) -> None:
    shown = send(bob, f"{GOOD}{row}\n")
    assert sums(shown) == [3, 2, 0, 0, 1]
    line = next(
        tr for tr in BeautifulSoup(shown.text, "html5lib").select(".imports-rows tbody tr") if tr.th.text == "4"
    )
    told = words(str(line))
    assert "refused" in told
    assert said in told
    assert not column or f"{column} :" in told
    bob.post("/imports/file", {"token": token(shown)})
    with database.reading() as session:
        batch = session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc())).first()
        assert batch is not None
        assert (batch.rows_in, batch.filed, batch.refused) == (3, 2, 1)


def test_the_refused_rows_come_back_as_they_were_with_the_reason_and_can_be_mended(
    bob: Browser, cast: Cast, database: Database
) -> None:
    odd = "AL-0001,2026-02-12,ALT,20,mmol/L,=cmd|'/C calc'!A0\n"
    shown = send(bob, GOOD + odd)
    answer = bob.get(f"/imports/pending/{token(shown)}/refused.csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.mimetype == "text/csv"
    header, row = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert header == ["mrn", "collected_at", "analyte", "value", "unit", "laboratory", "refused_row", "refused_because"]
    assert row[:5] == ["AL-0001", "2026-02-12", "ALT", "20", "mmol/L"]
    assert row[5].startswith("'="), "a spreadsheet must not run it"
    assert row[6] == "4"
    assert "is not a unit it is recorded in" in row[7]
    mended = answer.data.decode("utf-8-sig").replace("mmol/L", "U/L", 1)
    assert sums(send(bob, mended)) == [1, 1, 0, 0, 0]


def test_a_row_of_nobody_waits_in_the_tray_and_a_test_nobody_knows_is_kept(
    bob: Browser, cast: Cast, database: Database
) -> None:
    shown = send(bob, GOOD + "77777,2026-02-12,PLT,200,10*9/L,\nAL-0001,2026-02-12,Wonder protein,7,mg/L,\n")
    assert sums(shown) == [4, 3, 0, 1, 0]
    page = words(shown.text)
    assert "waits in the tray 77777 nobody here PLT 200 ×10⁹/L" in page
    assert "“Wonder protein” is not a test Jakwatch knows" in page
    # the number of another clinic's patient is nobody's here
    assert sums(send(bob, GOOD + "BI-0001,2026-02-12,PLT,200,10*9/L,\n")) == [3, 2, 0, 1, 0]


FILES = [
    ("an empty file", b"", "The file is empty."),
    ("blank lines", b"\n\n  \n", "The file is empty."),
    ("a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 40, "binary file"),
    ("a PDF", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "This is a PDF document, which is not read here."),
    ("a workbook", b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "The workbook is damaged"),
    ("FHIR", b'{"resourceType": "Bundle", "entry": []}', "FHIR"),
    ("another table", b"colour,size\nred,5\n", "Read are tables"),
    ("UTF-32", "mrn".encode("utf-32"), "UTF-32"),
    ("a gzip file cut off", gzip.compress(GOOD.encode() * 30)[:60], "breaks off"),
    ("a header twice", b"mrn,mrn,value\n1,2,3\n", "more than once"),
]


@pytest.mark.parametrize(
    ("content", "said"), [(content, said) for _, content, said in FILES], ids=[f[0] for f in FILES]
)
def test_what_is_no_table_gets_a_sentence_and_leaves_nothing(
    app: Flask, bob: Browser, cast: Cast, database: Database, content: bytes, said: str
) -> None:
    before = counts(database)
    answer = send(bob, content, "labs.csv")
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert counts(database) == before
    assert list(Path(app.config["UPLOAD_FOLDER"]).iterdir()) == []


def test_no_file_at_all_is_said(bob: Browser, cast: Cast) -> None:
    answer = bob.post("/imports/preview", {}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "Choose a file." in words(answer.text)


def test_a_file_in_the_wrong_encoding_is_read_and_that_is_said(bob: Browser, cast: Cast) -> None:
    shown = send(bob, GOOD.replace("Synlab", "Labor Köln").encode("cp1252"))
    assert sums(shown) == [2, 2, 0, 0, 0]
    assert "read as Windows-1252" in words(shown.text)
    assert "Labor Köln" in shown.text


def test_packed_files_are_read(bob: Browser, cast: Cast) -> None:
    assert sums(send(bob, gzip.compress(GOOD.encode()), "results.csv.gz")) == [2, 2, 0, 0, 0]


def test_ranges_and_other_clinics_are_not_configured_by_file(bob: Browser, cast: Cast) -> None:
    ranges = "analyte,sex,low,high,unit,effective_from\nANC,,1.5,7.5,10*9/L,2026-01-01\n"
    shown = send(bob, ranges, "ranges.csv")
    assert sums(shown) == [1, 0, 0, 0, 1]
    assert "where a second person publishes them" in words(shown.text)
    elsewhere = send(bob, "mrn,family_name,clinic\nX-1,Xenon,Beech Clinic\n", "patients.csv")
    assert sums(elsewhere) == [1, 0, 0, 0, 1]


# ---------------------------------------------------------------------------------------------- files that wait


def test_a_waiting_file_belongs_to_its_session_for_an_hour(
    app: Flask, sign_in: SignIn, bob: Browser, cast: Cast, database: Database
) -> None:
    name = token(send(bob, GOOD))
    before = counts(database)["lab_result"]
    for other in (sign_in("alice"), sign_in("mallory"), sign_in("bob")):
        assert other.post("/imports/file", {"token": name}).status_code == 404
        assert other.get(f"/imports/pending/{name}/refused.csv").status_code == 404
    for wrong in ("", "../../etc/passwd", name[:-1]):
        assert bob.post("/imports/file", {"token": wrong}).status_code == 404
    assert counts(database)["lab_result"] == before
    with time_machine.travel(NOON + timedelta(minutes=14)):
        bob.get("/imports")
        assert len(list(Path(app.config["UPLOAD_FOLDER"]).iterdir())) == 1
    with time_machine.travel(NOON + timedelta(seconds=uploads.KEPT_SECONDS + 60)):
        later = sign_in("bob")
        later.get("/imports")
    assert list(Path(app.config["UPLOAD_FOLDER"]).iterdir()) == []


def test_a_file_put_away_is_gone(app: Flask, bob: Browser, cast: Cast) -> None:
    shown = send(bob, GOOD + BAD_ROWS[0][0])
    assert len(list(Path(app.config["UPLOAD_FOLDER"]).iterdir())) == 2
    assert bob.post("/imports/put-away", {"token": token(shown)}).status_code == 303
    assert list(Path(app.config["UPLOAD_FOLDER"]).iterdir()) == []


def test_the_name_of_a_file_is_shown_as_text_and_leads_nowhere(bob: Browser, cast: Cast) -> None:
    shown = send(bob, GOOD, "../../<b>x</b>/évil;name.csv")
    assert "<b>x</b>" not in shown.text
    assert "évil" in shown.text


# ---------------------------------------------------------------------------------------------- batches


def test_everything_said_about_a_batch_is_a_table_to_download(bob: Browser, cast: Cast) -> None:
    shown = send(bob, GOOD + BAD_ROWS[0][0] + "\n" + BAD_ROWS[3][0] + "\n")
    batch = bob.post("/imports/file", {"token": token(shown)}).location
    rows = list(csv.reader(io.StringIO(bob.get(f"{batch}/problems.csv").text)))
    assert rows[0] == ["row", "column", "message"]
    assert [row[:2] for row in rows[1:]] == [["4", "value"], ["5", "collected_at"]]


def test_a_result_leads_back_to_its_file(bob: Browser, cast: Cast, database: Database) -> None:
    batch = bob.post("/imports/file", {"token": token(send(bob, GOOD))}).location
    with database.reading() as session:
        result = session.scalars(select(LabResult.id).where(LabResult.laboratory == "Synlab")).first()
    page = bob.get(f"/results/{result}").text
    assert batch in page
    assert "results.csv" in page


# ---------------------------------------------------------------------------------------------- the tray


def held(browser: Browser, database: Database) -> int:
    """A platelet count of a patient who is not enrolled yet."""
    browser.post("/imports/file", {"token": token(send(browser, HEAD + "77777,2026-02-12,PLT,200,10*9/L,\n"))})
    with database.reading() as session:
        return session.scalars(select(HeldRow.id).where(HeldRow.mrn == "77777")).one()


def test_the_tray_shows_what_waits_since_when_and_for_whom(bob: Browser, cast: Cast, database: Database) -> None:
    row = held(bob, database)
    assert bob.post("/imports/tray/assign", {"row": str(row)}).status_code == 303
    with time_machine.travel(NOON + timedelta(minutes=12)):
        page = words(bob.get("/imports/tray").text)
    line = r"77777 results PLT 200 ×10⁹/L · 12 Feb 2026 results\.csv , row 2 1[012] min Bob Birch"
    assert re.search(line, page)
    assert "AL-9999" in page
    assert "BI-9999" not in page


def test_a_row_is_dismissed_with_a_reason_once(bob: Browser, sign_in: SignIn, cast: Cast, database: Database) -> None:
    row = held(bob, database)
    refused = bob.post("/imports/tray/dismiss", {"row": str(row), "reason": "no"})
    assert refused.status_code == 422
    assert BeautifulSoup(refused.text, "html5lib").find("input", {"name": "row", "value": str(row)}).has_attr("checked")
    unticked = bob.post("/imports/tray/dismiss", {"reason": "of another hospital"})
    assert (unticked.status_code, "Tick at least one row" in unticked.text) == (422, True)
    assert "of another hospital" in unticked.text, "what was typed is there again"
    assert bob.post("/imports/tray/assign", {}).status_code == 422
    assert bob.post("/imports/tray/dismiss", {"row": str(row), "reason": "of another hospital"}).status_code == 303
    assert sign_in("alice").post("/imports/tray/assign", {"row": str(row)}).status_code == 409
    with database.reading() as session:
        settled = session.get_one(HeldRow, row)
        assert (settled.state, settled.settled_reason) == ("dismissed", "of another hospital")
        entry = session.scalars(select(AuditEntry).where(AuditEntry.record == "held_row")).one()
        assert (entry.action, entry.reason, entry.account_id) == (
            "dismiss",
            "of another hospital",
            cast.accounts["bob"],
        )


def test_a_waiting_row_is_filed_once_its_patient_is_enrolled(bob: Browser, cast: Cast, database: Database) -> None:
    row = held(bob, database)
    shown = send(bob, "mrn,family_name,given_name,birth_date,sex\n77777,Linden,Lea,1990-01-01,female\n", "patients.csv")
    assert sums(shown) == [1, 1, 0, 0, 0]
    page = words(bob.get(bob.post("/imports/file", {"token": token(shown)}).location).text)
    assert "1 row of the tray found a patient." in page
    with database.reading() as session:
        assert session.get_one(HeldRow, row).state == "filed"
        lea = session.scalars(select(Patient).where(Patient.mrn == "77777")).one()
        assert session.scalars(select(LabResult.subject).where(LabResult.patient_id == lea.id)).all() == ["PLT"]


def test_somebody_can_look_for_the_patients_again(bob: Browser, cast: Cast, database: Database) -> None:
    row = held(bob, database)
    bob.post("/imports/tray/release")
    assert "Nobody with one of these record numbers is enrolled yet." in words(bob.get("/imports/tray").text)
    with database.transaction() as session:
        session.add(Patient(clinic_id=cast.a.clinic, mrn="77777", created_at=NOON, sex="female"))
    bob.post("/imports/tray/release")
    assert "1 row left the tray." in words(bob.get("/imports/tray").text)
    with database.reading() as session:
        assert session.get_one(HeldRow, row).state == "filed"


def test_what_enrols_a_patient_may_release_the_tray_itself(bob: Browser, cast: Cast, database: Database) -> None:
    held(bob, database)
    with database.transaction() as session:
        session.add(Patient(clinic_id=cast.a.clinic, mrn="77777", created_at=NOON, sex="female"))
        session.flush()
        clinic = session.get_one(tray.Clinic, cast.a.clinic)
        released, _ = tray.release(session, Actor("setup", NOON, "form"), clinic, LARGEST)
    assert released == 1


# ---------------------------------------------------------------------------------------------- who may


def test_others_read_and_do_not_import_and_strangers_see_nothing(
    sign_in: SignIn, bob: Browser, cast: Cast, database: Database
) -> None:
    dan = sign_in("dan")
    assert dan.get(f"/imports/{cast.a.batch}").status_code == 200
    assert dan.get("/imports/tray").status_code == 200
    assert "Look at it" not in dan.get("/imports").text
    assert send(dan, GOOD).status_code == 403
    mallory = sign_in("mallory")
    assert "Almondine" not in mallory.get("/imports").text + mallory.get("/imports/tray").text
    for path in (f"/imports/{cast.a.batch}", f"/imports/{cast.a.batch}/problems.csv"):
        assert mallory.get(path).status_code == 404
    for what in ("assign", "dismiss"):
        form = {"row": str(cast.a.held_row), "reason": "of another hospital"}
        assert mallory.post(f"/imports/tray/{what}", form).status_code == 404
    with database.reading() as session:
        assert session.get_one(HeldRow, cast.a.held_row).state == "waiting"


def test_a_file_larger_than_is_taken_is_refused_before_it_is_read(app: Flask, bob: Browser, cast: Cast) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 4000
    answer = send(bob, HEAD + "AL-0001,2026-02-12,ANC,2.1,10*9/L,\n" * 500)
    assert answer.status_code == 413
    assert "Too large" in words(answer.text)
    assert not Path(app.config["UPLOAD_FOLDER"]).exists()


def test_a_long_list_of_imports_is_paged(bob: Browser, cast: Cast, database: Database) -> None:
    with database.transaction() as session:
        session.add_all(
            ImportBatch(
                clinic_id=cast.a.clinic,
                filename=f"old-{number}.csv",
                format="csv results",
                origin="cli",
                imported_at=NOON,
            )
            for number in range(60)
        )
    first = BeautifulSoup(bob.get("/imports").text, "html5lib")
    assert "old-59.csv" in str(first)
    assert "old-5.csv" not in str(first)
    following = first.find("a", rel="next")["href"]
    assert "old-5.csv" in bob.get(following).text
    for odd in ("before=x", "before=" + "9" * 40, "before=-1", "before=²"):
        assert bob.get(f"/imports?{odd}").status_code == 200


# ---------------------------------------------------------------------------------------------- taken back


def test_an_import_is_undone_after_it_was_shown_what_that_does(bob: Browser, cast: Cast, database: Database) -> None:
    filed = bob.post("/imports/file", {"token": token(send(bob, GOOD))})
    address = f"{filed.location}/undo"
    assert "Undo this import" in words(bob.get(filed.location).text)
    before = counts(database)
    assert bob.post(address, {"reason": " "}).status_code == 422
    shown = bob.post(address, {"reason": "sent to the wrong clinic", "do": "look"})
    assert "nothing of it is done yet results taken out: 2" in words(shown.text)
    assert counts(database) == before
    done = bob.post(address, {"reason": "sent to the wrong clinic", "do": "undo"})
    assert done.status_code == 303
    page = words(bob.get(done.location).text)
    assert "by Bob Birch: sent to the wrong clinic results taken out: 2" in page
    assert "undone" in words(bob.get("/imports").text)
    again = bob.post(address, {"reason": "sent to the wrong clinic", "do": "undo"})
    assert again.status_code == 409
    assert "undone already" in words(again.text)
    assert sums(send(bob, GOOD)) == [2, 2, 0, 0, 0]


def test_a_file_that_touched_another_clinic_is_undone_by_command_only(
    bob: Browser, cast: Cast, database: Database
) -> None:
    filed = bob.post("/imports/file", {"token": token(send(bob, GOOD))})
    with database.transaction() as session:
        batch = session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc())).first()
        assert batch is not None
        theirs = session.get_one(LabResult, cast.b.result)
        theirs.batch_id = batch.id
    answer = bob.post(f"{filed.location}/undo", {"reason": "sent to the wrong clinic", "do": "undo"})
    assert answer.status_code == 409
    assert "rows of another clinic too" in words(answer.text)
    with database.reading() as session:
        assert session.get_one(LabResult, cast.b.result).retired_at is None


# ---------------------------------------------------------------------------------------------- whose the tray is


def _waiting(bob: Browser, *numbers: str) -> None:
    lines = "".join(f"{mrn},2026-02-12,ANC,2.1,10*9/L,Synlab\n" for mrn in numbers)
    assert bob.post("/imports/file", {"token": token(send(bob, HEAD + lines))}).status_code == 303


def _shown(browser: Browser, query: str = "") -> list[list[str]]:
    page = BeautifulSoup(browser.get(f"/imports/tray{query}").text, "html5lib")
    return [[words(str(cell)) for cell in tr.select("th, td")][1:] for tr in page.select("#tray tbody tr")]


def test_a_row_is_taken_over_and_it_is_said_from_whom(
    bob: Browser, sign_in: SignIn, cast: Cast, database: Database
) -> None:
    row = cast.a.held_row
    bob.post("/imports/tray/assign", {"row": str(row), f"owner-{row}": ""})
    assert _shown(bob)[0][-1].startswith("Bob Birch since")
    alice = sign_in("alice")
    late = alice.post("/imports/tray/assign", {"row": str(row), f"owner-{row}": ""})
    assert late.status_code == 409
    assert "Somebody took one of these rows on meanwhile." in words(late.text)
    taken = alice.post("/imports/tray/assign", {"row": str(row), f"owner-{row}": str(cast.accounts["bob"])})
    assert "1 row is yours. 1 was until now with Bob Birch." in words(alice.get(taken.location).text)
    assert _shown(bob)[0][-1].startswith("Alice Archer since")
    with database.reading() as session:
        noted = session.scalars(select(AuditEntry).where(AuditEntry.record == "held_row").order_by(AuditEntry.id)).all()
        assert [(n.before["owner_id"], n.after["owner_id"]) for n in noted if n.before and n.after] == [
            (None, cast.accounts["bob"]), (cast.accounts["bob"], cast.accounts["alice"]),
        ]  # fmt: skip


def test_the_tray_is_sorted_by_age_owner_and_number_and_narrowed_to_ones_own(bob: Browser, cast: Cast) -> None:
    _waiting(bob, "ZZ-1", "AA-1")
    assert [cells[0] for cells in _shown(bob)] == ["AL-9999", "AA-1", "ZZ-1"], "the oldest first"
    assert [cells[0] for cells in _shown(bob, "?by=newest")] == ["AA-1", "ZZ-1", "AL-9999"]
    assert [cells[0] for cells in _shown(bob, "?by=mrn")] == ["AA-1", "AL-9999", "ZZ-1"]
    bob.post("/imports/tray/assign", {"row": str(cast.a.held_row)})
    assert [cells[0] for cells in _shown(bob, "?by=owner")] == ["AA-1", "ZZ-1", "AL-9999"], "nobody's first"
    assert [cells[0] for cells in _shown(bob, "?whose=mine")] == ["AL-9999"]
    assert [cells[0] for cells in _shown(bob, "?whose=nobody")] == ["AA-1", "ZZ-1"]
    assert len(_shown(bob, "?by=nonsense&whose=nonsense")) == 3


def test_a_document_within_a_message_is_previewed_filed_and_listed_with_its_patient(
    bob: Browser, cast: Cast, database: Database
) -> None:
    segments = (
        "MSH|^~\\&|LIS|Lake|||20260210101500||ORU^R01|1|P|2.5", "PID|1||{mrn}^^^Clinic^MR||Ada^A",
        "OBR|1||F1|CBC|||20260210083000",
        "OBX|1|ED|RPT^Letter||^AP^PDF^Base64^" + base64.b64encode(pdf("a letter")).decode() + "||||||F",
    )  # fmt: skip
    looked = send(bob, "\r".join(segments).format(mrn="AL-0001"), "letter.hl7")
    assert "Letter, 1 kB" in words(looked.text)
    assert sums(looked)[:2] == [1, 1]
    bob.post("/imports/file", {"token": token(looked)})
    assert "Letter.pdf" in words(bob.get(f"/patients/{cast.a.patient}").text)


def test_rows_of_which_the_same_is_said_are_folded_in_the_preview_and_on_the_page_and_none_is_lost(
    bob: Browser, cast: Cast
) -> None:
    head = "patient,date,test,value,unit,category\n"
    lines = "AL-0001,2026-02-03,Pain score,3,,survey\n" * 20 + "AL-0001,2026-02-03,CRP,3,mg/L,laboratory\n"
    looked = send(bob, head + lines, "surveys.csv")
    assert sums(looked) == [21, 1, 0, 0, 20]
    assert "And 15 rows more: This is of survey, no result of a laboratory." in words(looked.text)
    filed = bob.post("/imports/file", {"token": token(looked)}).location
    page = bob.get(filed)
    assert words(page.text).count("This is of survey") == 1
    assert "2 and 19 more, to 21" in words(page.text)
    assert bob.get(f"{filed}/problems.csv").text.count("This is of survey") == 20


# ---------------------------------------------------------------------------------------------- a long file


def long_file(people: int = 30) -> str:
    days = ("2026-01-05", "2026-02-02")
    rows = [
        f"AL-0001,{day},{name},{value}" for day in days for name, value in (("ANC", "2.1,10*9/L"), ("HB", "13,g/dL"))
    ]
    return (
        HEAD
        + "".join(f"{row},Lab {number}\n" for number in range(people) for row in rows)
        + "XX-9,2026-02-02,HB,13,g/dL,\n"
    )


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is stored in parts."""
    monkeypatch.setattr(runs, "PART", 1)
    monkeypatch.setattr(working, "PART", 0)


def test_a_long_file_is_filed_in_the_background(
    bob: Browser, cast: Cast, database: Database, small_parts: None
) -> None:
    shown = send(bob, long_file())
    assert "The file is longer: this is what its first 40 rows would do." in words(shown.text)
    before = counts(database)
    page = bob.post("/imports/file", {"token": token(shown)}).location
    assert page.startswith("/jobs/")
    assert "Waits for its turn." in words(bob.get(page).text)
    assert counts(database) == before | {"audit_entry": before["audit_entry"] + 1}, "the job alone"

    working.work_on(database, 1, once=True)
    assert bob.get(f"{page}/progress").headers["HX-Refresh"] == "true"
    ended = bob.get(page)
    assert "Done: 121 rows dealt with." in words(ended.text)
    batch = bob.get(BeautifulSoup(ended.text, "html5lib").find("a", string="The import")["href"])
    assert sums(batch) == [121, 120, 0, 1, 0]
    with database.reading() as session:
        assert (
            session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc())).first().imported_by
            == (  # type: ignore[union-attr]
                cast.accounts["bob"]
            )
        )


def test_a_long_file_is_stopped_and_goes_on_when_it_comes_again(
    bob: Browser, cast: Cast, database: Database, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = send(bob, long_file())
    page = bob.post("/imports/file", {"token": token(shown)}).location
    proceed = working._proceed

    def stopped_by_bob(*told: Any) -> bool:
        if told[3] and bob.get(page).text.count("Stop</button>"):
            assert bob.post(f"{page}/cancel").status_code == 303
        return proceed(*told)

    monkeypatch.setattr(working, "_proceed", stopped_by_bob)
    working.work_on(database, 1, once=True)
    ended = bob.get(page)
    assert "Stopped after" in words(ended.text)
    batch = bob.get(BeautifulSoup(ended.text, "html5lib").find("a", string="The import")["href"])
    assert "of 121 rows are stored so far" in words(batch.text)
    assert "stopped" in words(bob.get("/imports").text)

    monkeypatch.setattr(working, "_proceed", proceed)
    bob.post("/imports/file", {"token": token(send(bob, long_file()))})
    working.work_on(database, 1, once=True)
    assert sums(bob.get(batch.request.path)) == [121, 120, 0, 1, 0]
    assert "are stored so far" not in words(bob.get(batch.request.path).text)


def test_a_worker_that_was_killed_leaves_the_file_to_the_next(
    bob: Browser, cast: Cast, database: Database, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = bob.post("/imports/file", {"token": token(send(bob, long_file()))}).location
    with database.transaction() as session:
        jobs.take(session, "one that was killed", datetime.now(UTC) - 2 * jobs.LEASE)
    working.work_on(database, 1, once=True)
    assert "Done: 121 rows dealt with." in words(bob.get(page).text)


def test_a_long_file_that_is_gone_is_said(bob: Browser, cast: Cast, database: Database) -> None:
    page = bob.post("/imports/file", {"token": token(send(bob, long_file()))}).location
    with database.reading() as session:
        Path(session.scalars(select(Job).where(Job.kind == "import")).one().details["path"]).unlink()
    working.work_on(database, 1, once=True)
    assert "The file is not here any more: send it again." in words(bob.get(page).text)


def test_a_file_whose_job_another_worker_took_over_is_left_to_it(
    bob: Browser, cast: Cast, database: Database, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was held up for longer than a minute and comes back: what it lets go of is not its own any more."""
    page = bob.post("/imports/file", {"token": token(send(bob, long_file()))}).location
    proceed = working._proceed

    def taken_over(*told: Any) -> bool:
        monkeypatch.setattr(working, "_proceed", proceed)
        with database.transaction() as session:
            job = jobs.take(session, "another, killed since", datetime.now(UTC) + 2 * jobs.LEASE)
            assert job is not None
            job.seen_at = datetime.now(UTC) - 2 * jobs.LEASE
        return proceed(*told)

    monkeypatch.setattr(working, "_proceed", taken_over)
    working.work_on(database, 1, once=True)
    assert "Done: 121 rows dealt with." in words(bob.get(page).text)


def test_who_reads_a_long_file_is_seen_and_stops_when_asked(
    bob: Browser, cast: Cast, database: Database, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading can take longer than the minute after which a worker is taken for gone."""
    monkeypatch.setattr(working, "BEAT", 0)
    monkeypatch.setattr(shelves, "_OFTEN", 50)
    page = bob.post("/imports/file", {"token": token(send(bob, long_file()))}).location
    before, proceed = counts(database), working._proceed
    seen: list[int] = []

    def stopped_by_bob(*told: Any) -> bool:
        seen.append(told[4])
        if len(seen) == 2:
            assert bob.post(f"{page}/cancel").status_code == 303
        return proceed(*told)

    monkeypatch.setattr(working, "_proceed", stopped_by_bob)
    working.work_on(database, 1, once=True)
    assert seen == [50, 100]
    assert "Stopped" in words(bob.get(page).text)
    assert counts(database) == before | {"audit_entry": before["audit_entry"] + 1}, "the word to stop alone"


@pytest.mark.parametrize("what", ["role", "clinic"])
def test_a_long_file_of_somebody_who_may_not_file_any_more_is_not_filed(
    bob: Browser, cast: Cast, database: Database, small_parts: None, what: str
) -> None:
    assert access.ENDPOINTS["imports.confirm"] == working.MAY_FILE
    page = bob.post("/imports/file", {"token": token(send(bob, long_file()))}).location
    before, key = counts(database), cast.accounts["bob"]
    with database.transaction() as session:
        path = Path(session.scalars(select(Job).where(Job.kind == "import")).one().details["path"])
        if what == "role":
            session.get_one(Account, key).role = "auditor"
        else:
            session.execute(delete(Membership).where(Membership.account_id == key))
    working.work_on(database, 1, once=True)
    with database.reading() as session:
        job = session.get_one(Job, int(page.rpartition("/")[2]))
        assert (job.state, "may not file here any more" in job.message) == ("failed", True)
    assert counts(database) == before
    assert not path.exists()
