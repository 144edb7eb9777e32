"""Numbers for whatever watches the service, in the text format of Prometheus: how much waits, and how this worker does.

Nothing in them is about one patient. They are for the machine itself, or for whoever has the token: to everybody else
there is no such page. A request that came through a proxy is nobody's own machine.
"""

import hmac
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue

from tracker.domain.errors import NotFound
from tracker.queries.figures import Figure, figures
from tracker.web.clock import now
from tracker.web.database import EVERYWHERE, database
from tracker.web.sessions import live_since

screen = Blueprint("metrics", __name__)

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


class Tally:
    """The requests that this process has answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_status: Counter[int] = Counter()
        self._seconds = 0.0

    def add(self, status: int, seconds: float) -> None:
        with self._lock:
            self._by_status[status] += 1
            self._seconds += seconds

    def lines(self) -> Iterator[str]:
        worker = f'worker="{os.getpid()}"'
        with self._lock:
            by_status, seconds = dict(self._by_status), self._seconds
        yield "# HELP jakwatch_requests_total Requests answered by one worker, by status"
        yield "# TYPE jakwatch_requests_total counter"
        for status, count in sorted(by_status.items()):
            yield f'jakwatch_requests_total{{{worker},status="{status}"}} {count}'
        yield "# HELP jakwatch_request_seconds Time one worker took to answer"
        yield "# TYPE jakwatch_request_seconds summary"
        yield f"jakwatch_request_seconds_sum{{{worker}}} {seconds:.6f}"
        yield f"jakwatch_request_seconds_count{{{worker}}} {sum(by_status.values())}"


@screen.get("/metrics")
def show() -> ResponseReturnValue:
    if not _may_ask():
        raise NotFound("There is no such page.")
    with database().reading(EVERYWHERE) as session:
        found = list(figures(session, now().date(), live_since()[0]))
    tally: Tally = current_app.extensions["tally"]
    lines = [*_gauges(found), *tally.lines()]
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _may_ask() -> bool:
    token: str = current_app.config["METRICS_TOKEN"]
    given = request.headers.get("Authorization", "").encode()
    if token and hmac.compare_digest(given, f"Bearer {token}".encode()):
        return True
    came_through = "werkzeug.proxy_fix.orig" in request.environ or any(name in request.headers for name in FORWARDED)
    return request.remote_addr in LOOPBACK and not came_through


def _gauges(found: list[Figure]) -> Iterator[str]:
    named = None
    for figure in found:
        if figure.name != named:
            named = figure.name
            yield f"# HELP jakwatch_{named} {figure.about}"
            yield f"# TYPE jakwatch_{named} gauge"
        label = f'{{{figure.label[0]}="{figure.label[1]}"}}' if figure.label else ""
        yield f"jakwatch_{named}{label} {figure.value}"


def count(response: Response) -> Response:
    """After every request: one more."""
    tally: Tally = current_app.extensions["tally"]
    tally.add(response.status_code, time.perf_counter() - g.begun if "begun" in g else 0.0)
    return response


def init_app(app: Flask) -> None:
    app.extensions["tally"] = Tally()
    app.after_request(count)
