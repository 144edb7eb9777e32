"""A seeded application on either database, and somebody signed in to it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import config
from tests.applications import make_app
from tests.people import PASSWORD, WEAK, Cast
from tracker.db import Database

TOKEN = re.compile(r'name="csrf[_-]token"[^>]*?(?:value|content)="([^"]+)"')


class Browser:
    """A test client that posts like a browser: with the token of the forms it was shown."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(path, **kwargs)

    def post(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, **kwargs)

    def token(self) -> str:
        """The token in the forms: of the session, or of the sign-in page for a visitor."""
        text = self.client.get("/account").text
        found = TOKEN.search(text) or TOKEN.search(self.client.get("/sign-in").text)
        assert found, "no token in the page"
        return found[1]

    def sign_in(self, username: str, password: str = PASSWORD, **data: str) -> TestResponse:
        return self.post("/sign-in", {"username": username, "password": password, **data})


@pytest.fixture
def app_settings(database_url: str) -> dict[str, Any]:
    """What the application of a test is made with; a test module may override this fixture."""
    read = config.from_environment({"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": database_url})
    return read | {"TESTING": True, "PASSWORD_HASHER": WEAK, "IDLE_SECONDS": 15 * 60}


@pytest.fixture(scope="session")
def bare_app() -> Flask:
    """An application for tests that draw templates and ask no database."""
    return make_app(
        config.from_environment({"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": "sqlite:///:memory:"})
    )


@pytest.fixture
def app(app_settings: dict[str, Any]) -> Iterator[Flask]:
    app = make_app(app_settings)
    yield app
    app.extensions["database"].close()


@pytest.fixture
def database(app: Flask) -> Database:
    found: Database = app.extensions["database"]
    return found


@pytest.fixture
def cast(database: Database, people: Cast) -> Cast:
    """The people and records of tests/people.py."""
    return people


@pytest.fixture
def visitor(app: Flask, cast: Cast) -> Browser:
    """Somebody who has not signed in."""
    return Browser(app)


@pytest.fixture
def sign_in(app: Flask, cast: Cast) -> Callable[[str], Browser]:
    """`sign_in("alice")`: a browser of its own, signed in."""

    def signed_in(username: str) -> Browser:
        browser = Browser(app)
        answer = browser.sign_in(username)
        assert answer.status_code == 303, answer.text
        return browser

    return signed_in


@pytest.fixture
def alice(sign_in: Callable[[str], Browser]) -> Browser:
    return sign_in("alice")
