"""Attached reports: added where one reads, handed over as files, refused with a reason and nothing typed lost."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.people import Cast
from tests.pictures import jpeg, pdf, png
from tests.web.conftest import Browser
from tests.web.reading import count, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.models import Attachment

SignIn = Callable[[str], Browser]


def send(browser: Browser, patient: int, content: bytes, name: str = "report.pdf", **more: Any) -> TestResponse:
    result = more.pop("result", None)
    form = {"report-on": "2026-02-09", "report-note": "from the laboratory"} | more
    path = f"/patients/{patient}/attachments/new" + (f"?result={result}" if result else "")
    return browser.post(path, {**form, "report-file": (BytesIO(content), name)})


@pytest.fixture
def bob(sign_in: SignIn) -> Browser:
    return sign_in("bob")


def test_a_report_is_added_listed_and_handed_over(bob: Browser, cast: Cast, database: Database) -> None:
    content = pdf("a report")
    answer = send(bob, cast.a.patient, content, "../../März <b>.PDF")
    assert answer.status_code == 303
    page = bob.get(answer.headers["Location"])
    assert told(page) == ["März _b_.PDF is on record."]
    listed = soup(page).select_one("#attachments")
    assert listed is not None
    assert "from the laboratory" in words(listed)
    key = count(database, Attachment)
    assert listed.select_one(f'a[href="/attachments/{key}/file"]') is not None
    file = bob.get(f"/attachments/{key}/file")
    assert file.data == content
    assert file.mimetype == "application/pdf"


@pytest.mark.parametrize(
    ("content", "kind", "ending"), [(png("1"), "image/png", ".png"), (jpeg("1"), "image/jpeg", ".jpg")]
)
def test_a_file_is_never_shown_in_a_page(
    bob: Browser, cast: Cast, database: Database, content: bytes, kind: str, ending: str
) -> None:
    send(bob, cast.a.patient, content, "page.html")
    headers = bob.get(f"/attachments/{count(database, Attachment)}/file").headers
    assert headers["Content-Type"] == kind
    assert headers["Content-Disposition"] == f"attachment; filename=page{ending}"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_with_a_sample_it_stands_on_the_page_of_the_sample(bob: Browser, cast: Cast, database: Database) -> None:
    stored = f"/patients/{cast.a.patient}/labs/stored/{cast.a.result}"
    form = soup(bob.get(stored)).select_one("#attachments form")
    assert form is not None
    assert form["action"] == f"/patients/{cast.a.patient}/attachments/new?result={cast.a.result}"
    assert typed(bob.get(stored), "report-on") == "2026-02-09"
    answer = send(bob, cast.a.patient, pdf("a report"), result=cast.a.result)
    assert answer.headers["Location"] == f"{stored}#attachments"
    assert "report.pdf" in words(bob.get(stored))
    assert "its sample" in words(bob.get(f"/attachments/{count(database, Attachment)}"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"MZ\x90\0", "This is a program. PDF, PNG and JPEG files are kept here: save it as PDF."),
        (pdf("a report")[:-8], "The file begins as a PDF file and is damaged or cut short."),
        (b"", "The file is empty."),
    ],
)
def test_what_is_not_kept_is_refused_and_what_was_typed_stays(
    bob: Browser, cast: Cast, database: Database, content: bytes, why: str
) -> None:
    before = count(database, Attachment)
    answer = send(bob, cast.a.patient, content)
    assert answer.status_code == 422
    assert why in problems(answer)
    assert typed(answer, "report-note") == "from the laboratory"
    assert typed(answer, "report-on") == "2026-02-09"
    assert count(database, Attachment) == before


def test_without_a_file_or_a_day_the_form_says_so(bob: Browser, cast: Cast) -> None:
    path = f"/patients/{cast.a.patient}/attachments/new"
    answer = bob.post(path, {"report-note": "from the laboratory", "report-on": ""})
    assert answer.status_code == 422
    assert "Choose a file." in problems(answer)
    assert "Of which day is the report?" in problems(answer)
    assert typed(answer, "report-note") == "from the laboratory"


def test_a_file_that_is_too_large_is_refused_with_its_limit(app: Flask, bob: Browser, cast: Cast) -> None:
    app.config["ATTACHMENT_BYTES"] = 1024 * 1024
    answer = send(bob, cast.a.patient, pdf("x" * 1024 * 1024))
    assert answer.status_code == 422
    assert "more than 1.0 MB" in problems(answer)
    assert "at most 1.0 MB" in words(answer)


def test_the_same_file_with_another_patient_is_asked_about(bob: Browser, cast: Cast, database: Database) -> None:
    send(bob, cast.a.patient, pdf("a report"))
    bob.post("/patients/new", {"mrn": "N-1", "family_name": "Neighbour", "sex": "male"})
    other = int(bob.get("/patients?q=N-1").text.split("/patients/")[-1].split('"')[0].split("/")[0])
    answer = send(bob, other, pdf("a report"))
    assert answer.status_code == 422
    assert "on record for Almondine, Ida, AL-0001" in problems(answer)
    assert "The file is about both patients" in words(answer)
    assert send(bob, other, pdf("a report"), **{"report-both": "y"}).status_code == 303
    assert "already" in problems(send(bob, other, pdf("a report")))


def test_a_mistake_is_taken_out_with_a_reason_and_not_handed_over_any_more(
    bob: Browser, cast: Cast, database: Database
) -> None:
    page = f"/attachments/{cast.a.attachment}"
    assert bob.post(f"{page}/void", {"reason": ""}).status_code == 422
    assert bob.post(f"{page}/void", {"reason": "of another patient"}).status_code == 303
    assert row(database, Attachment, cast.a.attachment).voided_reason == "of another patient"
    assert bob.get(f"{page}/file").status_code == 404
    assert "of another patient" in words(bob.get(page))
    listed = soup(bob.get(f"/patients/{cast.a.patient}")).select_one("#attachments")
    assert listed is not None
    assert "None on record" in words(listed)
    assert bob.post(f"{page}/void", {"reason": "once more"}).status_code == 409


def test_a_sample_of_somebody_else_takes_no_report(bob: Browser, cast: Cast, database: Database) -> None:
    before = count(database, Attachment)
    for result in (cast.b.result, 999_999):
        assert send(bob, cast.a.patient, pdf("a report"), result=result).status_code == 404
    assert count(database, Attachment) == before


def test_the_download_is_noted_as_an_export(sign_in: SignIn, cast: Cast) -> None:
    dan = sign_in("dan")
    assert dan.get(f"/attachments/{cast.a.attachment}/file").status_code == 200
    noted = words(sign_in("carol").get(f"/patients/{cast.a.patient}/looked"))
    assert "an attached report" in noted
    assert "exported" in noted
