"""What watches the service sees numbers and no patient; the log says who asked for what and nothing about anybody."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.desk import Desk
from tests.people import CLINICS, Cast
from tracker.db import Database
from tracker.web.logs import JsonLines

TOKEN = "0f3c9a7d5e4826b1" * 2


def samples(page: str) -> dict[str, float]:
    """Name with labels, and value, of every line that is no comment."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_it_counts_what_waits(visitor: Any, database: Database, cast: Cast) -> None:
    before = samples(visitor.get("/metrics").text)
    assert before["jakwatch_rows_waiting"] == 2
    assert before["jakwatch_emergencies_open"] == 2
    assert before['jakwatch_flags_waiting{severity="urgent"}'] >= 2, "Ida of either clinic has a low neutrophil count"
    assert before["jakwatch_audit_entries"] > 0
    desk = Desk(database, cast)
    desk.results(desk.patient("AL-0031", "Fir"), 1, ANC="0.3")
    after = samples(visitor.get("/metrics").text)
    assert after['jakwatch_flags_waiting{severity="urgent"}'] > before['jakwatch_flags_waiting{severity="urgent"}']


def test_every_line_is_what_prometheus_reads(visitor: Any) -> None:
    answer = visitor.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    line = re.compile(r'(# (HELP|TYPE) jakwatch_\w+ .+|jakwatch_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.]+)')
    assert [one for one in answer.text.splitlines() if not line.fullmatch(one)] == []
    assert not [told for told in (*CLINICS["A"], *CLINICS["B"]) if told in answer.text]


def test_it_counts_requests_by_status(visitor: Any) -> None:
    for _ in range(3):
        visitor.get("/nothing")
    told = samples(visitor.get("/metrics").text)
    assert [value for name, value in told.items() if 'status="404"' in name] == [3]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "10.0.0.7"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, 404),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}, 404),
    ],
)
def test_it_is_for_this_machine_or_for_whoever_has_the_token(
    app: Flask, visitor: Any, asked: dict[str, str], status: int
) -> None:
    app.config["METRICS_TOKEN"] = TOKEN
    assert visitor.get("/metrics", environ_overrides=asked).status_code == status


def test_without_a_token_none_opens_it(visitor: Any) -> None:
    asked = {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}
    assert visitor.get("/metrics", environ_overrides=asked).status_code == 404


# ---------------------------------------------------------------------------------------------- the log


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "tracker.requests"]


def test_each_request_is_one_line_with_its_reference_page_status_time_and_person(
    alice: Any, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tracker.requests"):
        answer = alice.get(f"/patients/{cast.a.patient}?q=Almondine")
        alice.get("/nothing")
    first, second = logged(caplog)
    assert first["endpoint"] == "patients.show"
    assert (first["method"], first["status"], first["account"]) == ("GET", 200, cast.accounts["alice"])
    assert first["at"].endswith("Z")
    assert 0 <= first["ms"] < 60_000
    assert (second["endpoint"], second["status"]) == (None, 404)
    assert "Almondine" not in caplog.text
    assert set(first) <= {
        "at",
        "level",
        "logger",
        "event",
        "request_id",
        "endpoint",
        "method",
        "status",
        "ms",
        "account",
    }
    assert answer.headers["X-Request-ID"]


def test_a_file_of_the_page_leaves_no_line(visitor: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tracker.requests"):
        visitor.get("/static/css/jakwatch.css")
    assert logged(caplog) == []


@pytest.mark.parametrize("text", ["a\nb", "a\r\n{}", "\x1b[31mred", "\u202edrawkcab", "\u2028", '"}{"', "\ud800"])
def test_nothing_in_a_message_begins_another_line(text: str) -> None:
    record = logging.LogRecord("tracker.x", logging.WARNING, "", 0, "%s said", (text,), None)
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == f"{text} said"


def test_the_setting_puts_the_log_out_as_json(
    app_settings: dict[str, Any], make_app: Callable[[dict[str, Any]], Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    ours = logging.getLogger("tracker")
    kept, level = list(ours.handlers), ours.level
    ours.handlers = []  # an application made earlier in this process writes to the standard error of that time
    try:
        make_app(app_settings | {"LOG": "json"}).test_client().get("/healthz")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["endpoint"] == "health.healthz"
    finally:
        ours.handlers, level_now = kept, level
        ours.setLevel(level_now)


@pytest.fixture
def make_app() -> Any:
    from tracker import create_app  # noqa: PLC0415

    made: list[Flask] = []

    def make(settings: dict[str, Any]) -> Flask:
        made.append(create_app(settings))
        return made[-1]

    yield make
    for app in made:
        app.extensions["database"].close()
