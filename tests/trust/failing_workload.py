"""python -m tests.trust.failing_workload FOLDER: does one use case after another on a disk that fails as it is told.

FOLDER holds `data` (the database, and what is uploaded), `before` (the same as it stood) and `orders`, which failing.c
maps. Orders come as lines of JSON on the standard input, and what was said goes out in the same way. Each try is a
process of its own that ends without a word, as in a crash.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from tests.people import Cast, Records
from tests.trust.clients import FILE_TOKEN, NOTHING, STORED, UNKNOWN, panel_form, table
from tests.trust.orders import Orders
from tests.trust.staff import KEY, Staff, answered, application
from tests.web.conftest import Browser
from tracker.db import Database

ACCESSION = "DISK-1"
REASON = "looked at while the disk failed"


class Remembering(Browser):
    """Asks for the token of the forms once, while all is well."""

    known = ""

    def token(self) -> str:
        self.known = self.known or super().token()
        return self.known


def enter(staff: Staff) -> TestResponse:
    return staff.bob.post(f"/patients/{staff.cast.a.patient}/labs/new", panel_form(ACCESSION, 3))


def review(staff: Staff) -> TestResponse:
    path = f"/patients/{staff.cast.a.patient}/review"
    page = staff.alice.get(path)
    if page.status_code != 200:
        return page
    return staff.alice.post(path, {"flag": KEY.findall(page.text), "action": "acknowledge", "reason": REASON})


def import_file(staff: Staff) -> TestResponse:
    file = {"file": (BytesIO(table(["AL-0001"] * 4, ACCESSION, 3).encode()), f"{ACCESSION}.csv")}
    shown = staff.bob.post("/imports/preview", file, content_type="multipart/form-data")
    found = FILE_TOKEN.search(shown.text)
    return staff.bob.post("/imports/file", {"token": found[1]}) if found else shown


CASES: dict[str, Callable[[Staff], TestResponse]] = {"entry": enter, "review": review, "import": import_file}


def said(answer: TestResponse) -> str:
    """What whoever worked may rely on; an answer that is none of these is given as it is."""
    if answer.status_code == 303:
        return STORED
    if answer.status_code == 404 and "Choose the file again" in answer.text:
        return NOTHING
    if answer.status_code == 503 and answer.headers.get("Retry-After"):
        return NOTHING if "Nothing was stored" in answer.text else UNKNOWN
    words = re.sub(r"<[^>]+>|\s+", " ", answer.text.partition("<main")[2])
    return f"{answer.status_code} {' '.join(words.split())[:200]}"


def attempt(staff: Staff, orders: Orders, told: dict[str, Any]) -> dict[str, Any]:
    """Do it while the disk fails, look at a page meanwhile, and enrol somebody once it is well again."""
    staff.alice.get("/due")  # the service has been at work for a while
    ballast = Path(told["ballast"]) if told.get("ballast") else None
    if ballast is not None:
        fill(ballast, told["room"])
    orders.give(*told.get("orders", (0, 0, 0, 0)))
    answer = CASES[told["case"]](staff)
    page = staff.alice.get("/due") if told.get("lasting") else None
    failed = orders.failed
    orders.give(0, 0, 0, 0)
    if ballast is not None:
        ballast.unlink()
    after = staff.enrol(1)
    return {
        "said": said(answer), "failed": failed, "page": page.status_code if page else 200, "after": after.status_code,
    }  # fmt: skip


def fill(ballast: Path, room: int) -> None:
    """Leave so many bytes on its file system."""
    left = os.statvfs(ballast.parent)
    with ballast.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(left.f_bavail * left.f_frsize - room, 1))


def restore(folder: Path) -> None:
    for path in (folder / "data").rglob("*"):
        if path.is_file():
            path.unlink()
    shutil.copytree(folder / "before", folder / "data", dirs_exist_ok=True)


def main(folder: Path) -> None:
    kept = json.loads((folder / "cast.json").read_text())
    cast = Cast(kept["accounts"], Records(**kept["a"]), Records(**kept["b"]))
    app = application(f"sqlite:///{folder / 'data' / 'jakwatch.db'}", UPLOAD_FOLDER=str(folder / "data" / "uploads"))
    database: Database = app.extensions["database"]
    staff, orders = Staff(app, cast, Remembering), Orders(folder / "orders")
    for browser in (staff.bob, staff.alice):
        browser.known = ""  # that of the form for signing in
        browser.token()
    answered(staff.enter(datetime.now(UTC).date() - timedelta(days=2), 5), 303)  # no repeat is overdue
    database.close()  # what was opened so far is the parent's
    shutil.copytree(folder / "data", folder / "before")
    print(json.dumps({"ready": datetime.now(UTC).isoformat()}), flush=True)
    for line in sys.stdin:
        restore(folder)
        child = os.fork()
        if not child:
            try:
                print(json.dumps(attempt(staff, orders, json.loads(line))), flush=True)
            except BaseException as fault:
                print(json.dumps({"said": f"{type(fault).__name__}: {fault}"[:600], "failed": 1}), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
