"""Is it alive? For whatever watches the server; tells nobody more than that."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from tracker.web.database import reading

screen = Blueprint("health", __name__)


@screen.get("/healthz")
def healthz() -> ResponseReturnValue:
    # An unreachable database raises, and the answer is 503 as everywhere.
    reading().execute(text("SELECT 1"))
    return Response("ok\n", mimetype="text/plain")
