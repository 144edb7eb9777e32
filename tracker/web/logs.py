"""The log as JSON, an object a line: when, how grave, what; of a request its reference, page, status, time and person.

A page is named by its endpoint, never by its address: that holds keys, and what was searched for. A line has no name,
no number and no value of a patient in it; tests/web/test_crawl_texts.py looks for them.
"""

import json
import logging
import time
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

from tracker.web.access import signed_in

log = logging.getLogger("tracker.requests")


class JsonLines(logging.Formatter):
    """A record as one line; whatever is in its message stays within its quotation marks."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            told["request_id"] = g.request_id
        told.update(getattr(record, "fields", {}))
        return json.dumps(told, ensure_ascii=True)


def note_request(response: Response) -> Response:
    """After every request but those for files: one line."""
    if request.endpoint != "static":
        user = signed_in()
        fields = {
            "endpoint": request.endpoint, "method": request.method, "status": response.status_code,
            "ms": round(1000 * (time.perf_counter() - g.begun)) if "begun" in g else None,
            "account": user.id if user else None,
        }  # fmt: skip
        log.info("request", extra={"fields": fields})
    return response


def init_app(app: Flask) -> None:
    app.after_request(note_request)
    if app.config["LOG"] != "json":
        return
    ours = logging.getLogger("tracker")
    if not any(isinstance(handler.formatter, JsonLines) for handler in ours.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        ours.addHandler(handler)
    ours.setLevel(logging.INFO)
