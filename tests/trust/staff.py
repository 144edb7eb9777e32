"""What staff do in the runs of this folder, through the pages: enter, correct, propose, sign, decide, import, enrol."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from flask import Flask
from werkzeug.test import TestResponse

import config
from tests.applications import make_app
from tests.people import WEAK, Cast
from tests.web.conftest import Browser

SECRET = "b9c1f0a37d5e4826" * 3
LINES = (("ANC", "0.4{}", "10*9/L"), ("HB", "12.{}", "g/dL"), ("PLT", "21{}", "10*9/L"), ("ALT", "2{}", "U/L"))
KEY = re.compile(r'name="flag"[^>]*?value="([^"]+)"')
TOKEN = re.compile(r'name="token"[^>]*?value="([^"]+)"')


def application(url: str, **more: object) -> Flask:
    """The application over that database, as in production but for what the tests cannot have: TLS and telephones."""
    environment = {
        "TRACKER_ENV": "development", "TRACKER_DATABASE_URL": url, "TRACKER_AUDIT_KEY": SECRET,
        "TRACKER_SECRET_KEY": SECRET,
    }  # fmt: skip
    return make_app(config.from_environment(environment) | {"PASSWORD_HASHER": WEAK, **more})


REVIEW = re.compile(r'name="review"[^>]*?value="([^"]+)"')
SECOND = "erin"  # the colleague who confirms or declines what alice proposed


class Staff:
    """bob, who records, and alice, who decides, each at a browser; and for `sign`, erin."""

    def __init__(self, app: Flask, cast: Cast, kind: type[Browser] = Browser) -> None:
        self.cast = cast
        self.bob, self.alice, self.erin = kind(app), kind(app), kind(app)
        for browser, name in ((self.bob, "bob"), (self.alice, "alice")):
            answered(browser.sign_in(name), 303)

    def work(self, rounds: int) -> Iterator[str]:
        """One use case after the other; yields the name of each when its answer has come."""
        for number in range(rounds):
            day = datetime.now(UTC).date() - timedelta(days=2 * number + 2)
            stored = answered(self.enter(day, number % 10), 303)
            yield "entry"
            answered(self.correct(stored, number % 10), 303)
            yield "edit"
            for answer in self.propose_and_sign():
                answered(answer, 303)
                yield "sign"
            answered(self.decide(), 303)
            yield "review"
            answered(self.import_file(day - timedelta(days=1), number % 10), 303)
            yield "import"
            answered(self.enrol(number), 303)
            yield "patient"

    def enter(self, day: date, digit: int) -> TestResponse:
        path = f"/patients/{self.cast.a.patient}/labs/new"
        codes, values, units = (list(column) for column in zip(*LINES, strict=True))
        blank = [""] * len(LINES)
        grid = {"day": day.isoformat(), "analyte": codes, "value": [v.format(digit) for v in values], "unit": units}
        return self.bob.post(path, {**grid, "low": blank, "high": blank, "do": "save", "confirmed": "1"})

    def correct(self, stored: TestResponse, digit: int) -> TestResponse:
        """A result of what was just stored, with the value it should have had."""
        found = re.search(r"stored/(\d+)", stored.headers["Location"])
        assert found, stored.headers["Location"]
        page = self.bob.get(f"/results/{found[1]}").text
        day = re.search(r'name="day"[^>]*?value="([^"]+)"', page)
        unit = re.search(r'<option selected value="([^"]+)"', page)
        assert day, page
        assert unit, page
        form = {"value": f"1.{digit}1", "unit": unit[1], "day": day[1], "reason": "typed wrongly", "confirmed": "1"}
        return self.bob.post(f"/results/{found[1]}/correct", form)

    def propose_and_sign(self) -> Iterator[TestResponse]:
        """Alice proposes to stop the drug, and erin declines, so that it can be proposed again."""
        path = f"/patients/{self.cast.a.patient}/review"
        flags = KEY.findall(self.alice.get(path).text)
        yield self.alice.post(path, {"flag": flags[:1], "action": "stop", "comment": "confirmed neutropenia"})
        review = REVIEW.search(self.erin.get(path).text)
        assert review, "there is no proposal"
        form = {"review": review[1], "answer": "decline", "comment": "wait for the repeat"}
        yield self.erin.post(f"{path}/second", form)

    def decide(self) -> TestResponse:
        path = f"/patients/{self.cast.a.patient}/review"
        return self.alice.post(path, {"flag": KEY.findall(self.alice.get(path).text), "action": "acknowledge"})

    def import_file(self, day: date, digit: int) -> TestResponse:
        rows = [f"AL-0001,{day},{code},{value.format(digit)},{unit}" for code, value, unit in LINES]
        content = "\n".join(["mrn,collected_at,analyte,value,unit", *rows, f"AL-7777,{day},ANC,2.{digit},10*9/L\n"])
        file = {"file": (io.BytesIO(content.encode()), "results.csv")}
        shown = self.bob.post("/imports/preview", file, content_type="multipart/form-data")
        found = TOKEN.search(shown.text)
        assert found, shown.text
        return self.bob.post("/imports/file", {"token": found[1]})

    def enrol(self, number: int) -> TestResponse:
        form = {"mrn": f"T-{number:05}", "family_name": "Trusty", "sex": "female", "birth_date": "1990-01-01"}
        return self.bob.post("/patients/new", form)


def answered(answer: TestResponse, status: int) -> TestResponse:
    """The answer, which has that status: what follows would prove nothing else."""
    if answer.status_code != status:
        raise AssertionError(f"{answer.request.path} answered {answer.status_code}: {answer.text[-3000:]}")
    return answer
