"""People at work over HTTPS during a rehearsal: each enrols one patient after another and keeps what was stored."""

import re
import threading
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPException
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from deploy.probe import Site, Tls

TOKEN = re.compile(r'name="csrf[_-]token"[^>]*?(?:value|content)="([^"]+)"')


class Browser:
    """A session: cookies, and the token of the forms."""

    def __init__(self, site: Site) -> None:
        self.site, self.cookies, self.token = site, {}, ""

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """(status, text). Raises OSError or HTTPException where no answer came."""
        headers = {
            "Host": self.site.host, "Referer": f"https://{self.site.host}{path}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }  # fmt: skip
        body = None
        if form is not None:
            body = urlencode({"csrf_token": self.token, **form})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(Tls(self.site, 30)) as connection:
            connection.request("GET" if form is None else "POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        for told in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: part.value for name, part in SimpleCookie(told).items()}
        if found := TOKEN.search(text):
            self.token = found[1]
        return answer.status, text

    def sign_in(self, username: str, password: str) -> None:
        self.ask("/sign-in")
        status, text = self.ask("/sign-in", {"username": username, "password": password})
        if status != 303:
            raise RuntimeError(f"{username} could not sign in: {status} {text[-500:]}")
        self.ask("/account")


class Recorder(threading.Thread):
    """Enrols patients until told to stop. A request without a clear answer is sent again, as people do."""

    def __init__(self, site: Site, name: str, username: str, password: str) -> None:
        super().__init__(daemon=True)
        self.browser, self.prefix = Browser(site), name
        self.browser.sign_in(username, password)
        self.done = threading.Event()
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()  # 0: no answer came
        self.moments: list[float] = []  # of each acknowledgement

    def run(self) -> None:
        number = 0
        while not self.done.is_set():
            mrn = f"{self.prefix}-{number:05}"
            form = {"mrn": mrn, "family_name": "Rehearsed", "sex": "female", "birth_date": "1990-01-01"}
            try:
                status, text = self.browser.ask("/patients/new", form)
            except (OSError, HTTPException):
                status, text = 0, ""
            self.statuses[status] += 1
            if status == 303 or (status in (409, 422) and mrn in text):  # stored now, or by the try before
                self.acknowledged.append(mrn)
                self.moments.append(time.monotonic())
                number += 1
            else:
                time.sleep(0.1)
