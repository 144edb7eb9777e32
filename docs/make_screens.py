"""python -m docs.make_screens [FOLDER]: photographs every screen of the demonstration, light, dark, tablet, print and
at 200 %.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from tracker.cli.serving import DEMO_PASSWORD

HERE = Path(__file__).resolve().parent
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
SCREENS = {
    "queue": "/", "patients": "/patients", "due": "/due", "imports": "/imports", "ranges": "/ranges", "rules": "/rules",
    "worksheet": "/worksheet", "burden": "/burden", "rule": "/rules/action_limit",
    "protocol": "/protocols/tofacitinib_us",
}  # fmt: skip
PATIENT = "00231"
OF_THE_PATIENT = {
    "patient": "",
    "review": "/review",
    "timeline": "/timeline",
    "entry": "/labs/new",
    "targets": "/targets",
}


@contextmanager
def demonstration(folder: Path) -> Iterator[str]:
    """The demonstration on a free port, on a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"TRACKER_DATABASE_URL": f"sqlite:///{folder / 'screens.db'}"}
    command = [sys.executable, "-c", "from tracker.cli import main; main()", "demo", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urlopen(f"{address}/healthz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def sign_in(page: Page, address: str, username: str = "doctor") -> None:
    page.goto(f"{address}/sign-in")
    page.fill("[name=username]", username)
    page.fill("[name=password]", DEMO_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def visit(browser: Browser, address: str, folder: Path, name: str, **look: object) -> None:
    """Every screen in one look."""
    context = browser.new_context(**look)  # type: ignore[arg-type]  # the looks below
    page = context.new_page()
    sign_in(page, address)
    page.goto(f"{address}/patients?q={PATIENT}")
    link = page.locator(
        f"a[href^='/patients/']:has-text('{PATIENT}'), tr:has-text('{PATIENT}') a[href^='/patients/']"
    ).first
    patient = str(link.get_attribute("href")).split("?")[0]
    paths = SCREENS | {screen: f"{patient}{path}" for screen, path in OF_THE_PATIENT.items()}
    for screen, path in paths.items():
        page.goto(f"{address}{path}", wait_until="networkidle")
        page.screenshot(path=folder / f"{screen}-{name}.png", full_page=True)
        if (screen, name) == ("queue", "light"):
            page.screenshot(path=HERE / "queue.png")  # the one the README shows
    context.close()


LOOKS: dict[str, dict[str, object]] = {
    "light": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "tablet": {"viewport": {"width": 820, "height": 1180}},
    "zoom": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    with tempfile.TemporaryDirectory() as scratch, demonstration(Path(scratch)) as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(QUIET))
        for name, look in LOOKS.items():
            visit(browser, address, folder, name, **look)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
