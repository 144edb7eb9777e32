"""Markup in every text, in a real browser (R19): no script runs, the policy reports nothing, no element is new.

And on paper and in FHIR: there it is text.
"""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from tests import pages
from tests.conftest import BROWSERS, QUIET
from tests.trust import markup
from tests.trust.conservation import command
from tests.trust.crawl import ROLES, World, clinic, may
from tests.trust.lines import Line

# What stands in the page of the payload's making: an element of its name, or one that runs what was typed.
FOREIGN = """
(mark) => [...document.querySelectorAll("*")].filter((e) => e.localName.includes(mark)
  || [...e.attributes].some((a) => a.name.startsWith("on") || a.name.includes(mark))).length
"""


@dataclass
class Looked:
    """How many pages were opened, and what was in them or was reported."""

    pages: int = 0
    shown: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def served(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browser_page(reports: list[str]) -> Iterator[Page]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        page = chromium.new_page()
        page.on("pageerror", lambda error: reports.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (reports.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "console",
            lambda told: reports.append(told.text) if "Content Security Policy" in told.text else None,
        )
        yield page
        chromium.close()


def look(world: World, most: int = 10_000) -> Looked:
    """Every address that is read and that is a page, by somebody who may."""
    found = Looked()
    reports: list[str] = []
    with served(world) as url, browser_page(reports) as page:
        for endpoint, path in list(world.addresses("GET"))[:most]:
            role = next((role for role in (*ROLES, *may(endpoint)) if role in may(endpoint)), "")
            if role not in ROLES:
                continue
            answer = world.ask(role, path)
            if answer.status_code == 200 and answer.mimetype == "text/html":
                client, _ = world.clients[role]
                cookie = client.get_cookie("jakwatch")
                assert cookie is not None
                page.context.add_cookies([{"name": "jakwatch", "value": cookie.value, "url": url}])
                page.goto(f"{url}{path}", wait_until="load")
                found.pages += 1
                found.shown += markup.MARK in page.content()
                if number := page.evaluate(FOREIGN, markup.MARK):
                    found.wrong.append(f"{path}: {number} elements of the payload")
                found.wrong += [f"{path}: {told}" for told in reports]
                reports.clear()
    return found


def on_paper(world: World) -> list[str]:
    """Sheets that do not hold the payload as text, and FHIR that does not."""
    sheet = world.ask("clinician", f"/patients/{world.cast.a.patient}/summary.pdf")
    wrong = [] if sheet.status_code != 200 or markup.MARK in pages.text(sheet.data) else ["the summary"]
    told = json.dumps(command(world, "export", "patients", "--format", "fhir"))
    return wrong if markup.MARK in told else [*wrong, "FHIR"]


def check(_full: bool) -> Iterator[Line]:
    with clinic() as world:
        markup.fill(world, "".join(markup.POLYGLOTS))
        found = look(world)
        wrong = found.wrong + on_paper(world)
    figure = (
        f"{len(markup.POLYGLOTS)} payloads in {len(markup.columns())} columns, {found.pages} pages in Chromium,"
        f" {found.shown} of them show it: {len(wrong)} scripts, reports or elements"
    )
    yield Line(
        "R19", "markup in every text, in Chromium", figure, "0", not wrong and found.shown > 10, "; ".join(wrong[:3])
    )
