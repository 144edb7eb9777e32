"""A running server with seeded people, for the tests in a real browser, and the check for accessibility."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

import config
from tests.applications import make_app
from tests.people import PASSWORD, WEAK, Cast
from tracker.db import Database

AXE = Path(__file__).resolve().parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """
async () => {
  const result = await axe.run(document, { resultTypes: ["violations"] });
  return result.violations.map((found) => `${found.id}: ${found.nodes.map((node) => node.html).join(" | ")}`);
}
"""


class Server:
    """The application at `url`, on the database of the test."""

    def __init__(self, url: str, database: Database, cast: Cast) -> None:
        self.url = url
        self.database = database
        self.cast = cast

    def sign_in(self, page: Page, username: str, password: str = PASSWORD) -> None:
        """Sign in as a person does, and wait until the way is open."""
        page.goto(f"{self.url}/sign-in")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("button", name="Sign out", exact=True).first).to_be_visible()


@pytest.fixture
def server_settings(sqlite_url: str) -> dict[str, Any]:
    """What the server is made with; a test module may override this fixture."""
    read = config.from_environment({"TRACKER_ENV": "development", "TRACKER_DATABASE_URL": sqlite_url})
    return read | {"PASSWORD_HASHER": WEAK, "IDLE_SECONDS": 15 * 60}


@pytest.fixture
def live_server(server_settings: dict[str, Any], people: Cast) -> Iterator[Server]:
    """The application, served from a thread, with the people and records of tests/people.py."""
    app = make_app(server_settings)
    database: Database = app.extensions["database"]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Server(f"http://127.0.0.1:{server.server_port}", database, people)
    server.shutdown()
    thread.join()
    server.server_close()
    database.close()


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """`axe(page)`: what a tool for accessibility finds wrong with the page, a line each."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make vendor")
    script = AXE.read_text(encoding="utf-8")

    def run(page: Page) -> list[str]:
        # Evaluated by the debugger, which our own policy for scripts does not forbid.
        page.evaluate(script)
        found: list[str] = page.evaluate(RUN_AXE)
        return found

    return run
