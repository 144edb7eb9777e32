"""Nobody carries the clinic off in an hour: files about patients and searches have a bound a person."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

import config
from tests.people import Cast
from tests.trust.crawl import World
from tests.web.conftest import Browser
from tests.web.reading import words
from tracker.db import Database
from tracker.models import AuditEntry
from tracker.web import rates

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
# Files in which no patient stands.
HARMLESS = {"range_files.as_csv", "range_files.as_workbook", "burden.table"}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def few(app: Flask) -> None:
    """Three files and five searches an hour."""
    app.config["HOURLY"] = (3, 5)


def search(browser: Browser, number: int) -> TestResponse:
    return browser.get(f"/patients?q=Almond{number}")


def file(browser: Browser, number: int) -> TestResponse:
    return browser.get(f"/audit.csv?mrn=AL-{number:04}")


def entries(database: Database) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == "refuse_too_many")))


@pytest.mark.usefixtures("few")
def test_the_fourth_file_within_an_hour_is_refused_with_the_time_when_it_goes_on(
    sign_in: SignIn, database: Database, cast: Cast, clock: time_machine.Traveller
) -> None:
    dan = sign_in("dan")
    for number in range(3):
        assert file(dan, number).status_code == 200
        clock.shift(60)
    answer = file(dan, 3)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(57 * 60))
    assert "You had 3 files within an hour" in words(answer)
    assert "from 20 Feb 2026, 11:00" in words(answer)  # the clinic's clock
    (entry,) = entries(database)
    assert (entry.account_id, entry.after) == (
        cast.accounts["dan"], {"within an hour": 3, "of": "files", "page": "audit.export"},
    )  # fmt: skip
    clock.shift(57 * 60 - 1)
    dan = sign_in("dan")  # left alone for so long the browser was signed out
    assert file(dan, 4).status_code == 429
    clock.shift(1)
    assert file(dan, 5).status_code == 200


@pytest.mark.usefixtures("few", "clock")
def test_searches_and_further_pages_count_together_and_plain_lists_do_not(sign_in: SignIn) -> None:
    alice = sign_in("alice")
    for number in range(4):
        assert search(alice, number).status_code == 200
    assert alice.get("/patients?after=Almondine").status_code == 200
    assert search(alice, 9).status_code == 429
    for path in ("/", "/patients", "/due"):
        assert alice.get(path).status_code == 200


@pytest.mark.usefixtures("few", "clock")
def test_all_browsers_of_a_person_count_together_and_other_people_do_not(sign_in: SignIn) -> None:
    one, other = sign_in("alice"), sign_in("alice")
    for number in range(5):
        assert search(one if number % 2 else other, number).status_code == 200
    assert (search(one, 9).status_code, search(other, 9).status_code) == (429, 429)
    assert search(sign_in("bob"), 9).status_code == 200


@pytest.mark.usefixtures("few", "clock")
def test_whoever_goes_on_trying_does_not_fill_the_trail(sign_in: SignIn, database: Database) -> None:
    alice = sign_in("alice")
    for number in range(15):
        search(alice, number)
    assert len(entries(database)) == 1


def test_every_page_that_hands_out_a_file_about_patients_is_counted(app: Flask, database: Database, cast: Cast) -> None:
    world, seen = World(app, database, cast), set()
    for endpoint, _, _, answer in world.pages():
        if answer.status_code == 200 and "attachment" in answer.headers.get("Content-Disposition", ""):
            seen.add(endpoint)
    assert {"papers.summary", "audit.export"} <= seen
    assert seen - rates.FILES - HARMLESS == set()


def test_the_bounds_are_a_setting() -> None:
    named = {"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": "sqlite:///:memory:"}
    assert config.from_environment(named)["HOURLY"] == (60, 300)
    assert config.from_environment(named | {"TRACKER_HOURLY": "20,100"})["HOURLY"] == (20, 100)
    with pytest.raises(ValueError, match="2 whole numbers"):
        config.from_environment(named | {"TRACKER_HOURLY": "20"})
