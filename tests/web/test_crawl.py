"""The whole application by its map of addresses: no failure, no foreign markup, no change by reading, every header."""

import re

import pytest
from flask import Flask

from tests.people import Cast
from tests.trust import crawl
from tests.trust.crawl import ROLES, World
from tests.web.test_access import client_of
from tests.web.test_security import POLICY, state
from tracker.db import Database

FUZZ = {"sqlite": 300, "postgresql": 60}
BODIES = ("", "[1]", '{"$gt": 0}', '{"__proto__": {"a": 1}}', "{" * 9999)
BROWSERS = ("browser_session",)  # what a browser was told (“that was the last one”) is of no record
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"  # of a report somebody sent: handed over, never shown
KINDS = ("application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "")


@pytest.fixture
def world(app: Flask, database: Database, cast: Cast) -> World:
    app.config["TESTING"] = False  # a page that fails answers 500, as it would at a clinic
    return World(app, database, cast)


# ---------------------------------------------------------------------------------------------- odd requests


def test_odd_values_in_every_form_and_address_fail_nothing(world: World) -> None:
    outcome = crawl.fuzz(world, FUZZ[world.database.engine.dialect.name])
    assert not outcome.wrong, "\n".join(outcome.wrong)
    refused = outcome.statuses.get(422, 0) + outcome.statuses.get(400, 0)
    assert refused > outcome.sent / 20, outcome.statuses


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_no_form_changes_and_fails_nothing(world: World, kind: str) -> None:
    client, _ = client_of(world.app, world.database, world.cast, "clinician")
    before = state(world.database)
    for number, (endpoint, path) in enumerate(world.addresses("POST")):
        answer = client.post(path, data=BODIES[number % len(BODIES)], content_type=kind)
        assert answer.status_code in (303, 400, 403, 404, 413, 415), (endpoint, answer.status_code)
    assert state(world.database) == before


def test_a_forged_form_is_refused_everywhere_and_changes_nothing(world: World) -> None:
    """Six ways, at every address that takes a form, with the session of somebody who may."""
    clients = {role: client_of(world.app, world.database, world.cast, role) for role in reversed(ROLES)}
    others = client_of(world.app, world.database, world.cast, "recorder")[1]  # of another session
    before = state(world.database)
    for endpoint, path in world.addresses("POST"):
        if endpoint.startswith("sign_in.") and endpoint != "sign_in.leave":
            continue  # before a session there is nobody to forge for; its own token is tried in test_sign_in
        client, own = next(clients[role] for role in ROLES if role in crawl.may(endpoint))
        for form, headers in (
            ({}, {}), ({"csrf_token": ""}, {}), ({"csrf_token": others}, {}), ({"csrf_token": own[:-1]}, {}),
            ({"csrf_token": own}, {"Sec-Fetch-Site": "cross-site"}),
            ({"csrf_token": own}, {"Sec-Fetch-Site": "same-site"}),
        ):  # fmt: skip
            answer = client.post(path, data=form, headers=headers)
            assert answer.status_code in (400, 403), (endpoint, form, headers, answer.status_code)
    assert state(world.database) == before


# ---------------------------------------------------------------------------------------------- reading


def test_every_page_that_is_read_changes_nothing_and_carries_every_header(world: World) -> None:
    before = state(world.database, BROWSERS)
    for endpoint, role, path, answer in world.pages():
        where = (endpoint, role, path)
        headers = answer.headers
        assert answer.status_code < 500, where
        assert headers["Content-Security-Policy"] == (SANDBOX if endpoint == "attachments.file" else POLICY), where
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["Referrer-Policy"] == "same-origin", where
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", where
        assert "camera=()" in headers["Permissions-Policy"], where
        assert "Access-Control-Allow-Origin" not in headers, where
        assert headers["Content-Type"].startswith(("image/", "application/")) or "charset=utf-8" in str(headers)
        if endpoint != "static":
            assert headers["Cache-Control"] == "no-store", where
        for cookie in headers.getlist("Set-Cookie"):
            assert "HttpOnly" in cookie, where
            assert "SameSite=Lax" in cookie, where
        assert not crawl.LEAKS.search(crawl.words(answer)), where
        if answer.status_code == 200 and "attachment" in headers.get("Content-Disposition", ""):
            assert re.fullmatch(r'attachment; filename="?[\w.-]+"?', headers["Content-Disposition"]), where
    assert state(world.database, BROWSERS) == before
