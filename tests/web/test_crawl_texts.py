"""Markup and formulas in every text, and names wherever what is asked for leaves a trace: on SQLite, for all of it is
the same on either database.
"""

import csv
import io
import json
import re
import socket
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import insert

from tests.people import CLINICS, PASSWORD, SEEDED, Cast
from tests.trust import crawl, markup
from tests.trust.crawl import World
from tracker.cli import tracker
from tracker.db import Database
from tracker.models import AdverseEvent, Course, ImportProblem, Review

FIGURES_ALONE = ("burden.table",)  # codes of rules and counts: nothing that somebody typed
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
END = """<p class='x'></p><p class="x"></p>"""  # a quotation mark that was opened finds its end


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def world(app: Flask, database: Database, cast: Cast) -> World:
    app.config["TESTING"] = False  # a page that fails answers 500, as it would at a clinic
    return World(app, database, cast)


def test_no_name_number_or_token_stands_in_an_address_a_cookie_or_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Names, record numbers and passwords are looked for wherever what is asked for leaves a trace."""
    caplog.set_level(0)
    secrets = {CLINICS["A"][3], "AL-0001", "Ida", PASSWORD, "0.46"}
    for path, answer in world.each_page():
        page = crawl.words(answer)
        links = [*re.findall(r'(?:href|src|action)="([^"]*)"', page), answer.headers.get("Location", "")]
        told = [*map(unquote, links), *answer.headers.getlist("Set-Cookie")]
        assert not [(one, secret) for one in told for secret in secrets if secret in one], path
        cookies = [client.get_cookie("jakwatch") for client, _ in world.clients.values()]
        assert not [cookie for cookie in cookies if cookie and cookie.value in page], path
    world.ask("recorder", "/audit")
    assert "refused" in caplog.text, "the log was looked at"
    assert not [secret for secret in secrets if secret in caplog.text]


def test_nothing_is_fetched_from_anywhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page and no form of the program opens a connection; its database is a file here."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    outcome = crawl.fuzz(world, 60, seed=7)
    assert not outcome.wrong


@pytest.fixture
def storied(world: World) -> World:
    """A row in the tables that the cast leaves empty."""
    a = world.cast.a
    with world.database.transaction() as session:
        session.execute(insert(ImportProblem).values(batch_id=a.batch, row=2, column="x", message="x"))
        course = session.get_one(Course, a.course)
        event = session.get_one(AdverseEvent, a.event)
        course.stop_reason, event.comment = "x", "x"
        session.add(
            Review(
                flag_id=a.flag, patient_id=a.patient, account_id=world.cast.accounts["alice"], at=SEEDED,
                action="acknowledge", from_state="open", to_state="acknowledged", comment="x", flag_version=1,
                based_on={"sentence": markup.POLYGLOTS[3]},
            )
        )  # fmt: skip
    return world


def test_markup_in_any_text_is_text_on_every_page(storied: World) -> None:
    seen: set[str] = set()
    markup.fill(storied, "".join(markup.POLYGLOTS))
    for path, answer in storied.each_page():
        page = crawl.words(answer)
        assert answer.status_code < 500, f"{path}: is there a new column of words of ours? It belongs to markup.CODES"
        if answer.mimetype == "text/html":
            assert crawl.strange_markup(page, markup.MARK) == [], path
        elif answer.mimetype == "application/json":
            json.loads(page)
        seen |= {column.canary for column in markup.columns() if column.canary in page}
    unseen = {column.canary for column in markup.columns()} - seen
    assert len(seen) >= 30, f"the pages show {sorted(seen)}, and not {sorted(unseen)}"


@pytest.mark.parametrize("payload", markup.POLYGLOTS)
def test_a_page_that_forgot_to_escape_would_be_seen(payload: str) -> None:
    contexts = (
        "<p>{}</p>",
        '<input value="{}">',
        "<input value='{}'>",
        '<a href="{}">x</a>',
        "<textarea>{}</textarea>",
    )
    assert any(crawl.strange_markup(context.format(payload) + END, markup.MARK) for context in contexts)


def exports(world: World) -> dict[str, str]:
    """Every table that the program writes as a file, by what it is."""
    found = {}
    for endpoint, path in world.addresses("GET"):
        answer = world.ask(crawl.may(endpoint)[-1], path)
        if answer.mimetype == "text/csv":
            found[endpoint] = crawl.words(answer)
    for table in ("patients", "results", "flags", "audit"):
        found[f"export {table}"] = export(world, table, "csv")
    return found


def export(world: World, table: str, how: str) -> str:
    environment = {"TRACKER_DATABASE_URL": world.database.url, "TRACKER_ENV": "development"}
    told = CliRunner().invoke(tracker, ["export", table, "--format", how], env=environment)
    assert told.exit_code == 0, told.exception
    return told.stdout


def test_no_cell_of_a_table_is_a_formula(storied: World) -> None:
    for formula in markup.FORMULAS:
        markup.fill(storied, formula)
        files = exports(storied)
        assert {"audit.export", "imports.problems"} < set(files)
        for what, content in files.items():
            assert what in FIGURES_ALONE or formula.strip() in content, (what, formula)
            for row in csv.reader(io.StringIO(content, newline="")):
                wrong = [cell for cell in row if cell.startswith(FORMULA_STARTS) and not _is_figure(cell)]
                assert not wrong, (what, wrong)


def _is_figure(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", cell) is not None


@pytest.mark.parametrize("how", ["json", "fhir"])
def test_json_and_fhir_carry_the_text_as_it_is(storied: World, how: str) -> None:
    payload = markup.POLYGLOTS[3]
    markup.fill(storied, payload)
    told = export(storied, "patients", how)
    texts: list[Any] = []
    json.loads(told, object_hook=lambda found: texts.extend(found.values()) or found)
    assert f"{payload}patient.family_name~" in texts
