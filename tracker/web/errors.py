"""What went wrong, as a page: what happened, what to do, and never a traceback, a statement or a value in the log.

Screens raise the words of tracker.domain.errors and let them pass; only `Refused` is worth catching, where the form can
say it beside what was typed.
"""

import errno
import logging
import os
import traceback

from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, SecurityError

from tracker.domain.errors import Gone, NotAllowed, NotFound, OutcomeUnknown, Refused, Stale, TooMuch
from tracker.web.access import typed
from tracker.web.database import stop_reading

log = logging.getLogger(__name__)

RETRY_AFTER = "10"  # seconds
DISK_FAILS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# status: title, what to do
WORDS: dict[int, tuple[str, str]] = {
    400: ("That could not be understood", "Go back, reload the page and try again."),
    403: ("Not allowed", "If you need this for your work, ask an administrator of your clinic."),
    404: ("Not found", "There is no such page or record, or it is not yours to see. Start again from the queue."),
    405: ("Not like this", "This address does not take that kind of request. Start from the queue."),
    409: ("Somebody else saved first", "Nothing of yours was stored. Open the record again and look at what changed."),
    413: ("Too large", "The file or text is larger than is taken here. Split it, and send the parts."),
    415: ("Of another kind", "This is not a kind of file or text that is taken here."),
    429: ("That was much at once", "If your work needs more, ask whoever runs this service: TRACKER_HOURLY."),
    500: ("Something went wrong here", "Nothing was stored. If it happens again, report the reference below."),
    503: ("The database cannot be reached", "Nothing was stored now; what was before is safe. Try again in a while."),
}  # fmt: skip
RELOAD = (
    "Nothing was stored: the page had been open for too long, or belongs to another session. Reload it and try again."
)
LOOK_FIRST = "It is there as a whole or not at all. Look at the record in a while, before you send it again."


def page(status: int, reason: str = "", help_text: str = "") -> Response:
    """The error page of that status, or a short message where only a part of a page was asked for."""
    stop_reading()  # a failed statement leaves nothing to read with
    title, usual_help = WORDS.get(status, WORDS[400] if status < 500 else WORDS[500])
    template = "errors/part.html" if request.headers.get("HX-Request") else "errors/page.html"
    body = render_template(
        template,
        title=title,
        reason=reason,
        help_text=help_text or usual_help,
        status=status,
        # Without the navigation where it could not be built, or would ask the database that failed.
        bare=status >= 500 or "request_id" not in g,
        typed=_typed() if status in (409, 503) or help_text == RELOAD else [],
    )
    return make_response(body, status)


def _typed() -> list[tuple[str, str]]:
    """What was typed, so that nobody types it again; but nothing that shows who one is, and nothing where the form
    cannot be read for want of a disk.
    """
    try:
        return typed() if request.blueprint not in ("sign_in", "second_factor", "passkeys") else []
    except OSError:
        return []


def _unavailable(error: Exception) -> ResponseReturnValue:
    log.error("database: %s", type(error).__name__)
    return _later()


def _database_failed(error: DBAPIError) -> ResponseReturnValue:
    """The connection went, or SQLite has no kind for it, as where the disk cannot be read."""
    gone = error.connection_invalidated or type(error) is DatabaseError
    return _unavailable(error) if gone else _unexpected(error)


def _disk_failed(error: OSError) -> ResponseReturnValue:
    if error.errno not in DISK_FAILS:
        return _unexpected(error)
    log.error("the disk: %s", os.strerror(error.errno))
    return _later("The disk of the server is full, or does not work.", LOOK_FIRST)


def _unknown(error: OutcomeUnknown) -> ResponseReturnValue:
    log.error("database: the outcome of a commit is not known")
    return _later(str(error), LOOK_FIRST)


def _later(reason: str = "", help_text: str = "") -> Response:
    answer = page(503, reason, help_text)
    answer.headers["Retry-After"] = RETRY_AFTER
    return answer


def _too_much(error: TooMuch) -> ResponseReturnValue:
    answer = page(429, str(error))
    answer.headers["Retry-After"] = str(error.seconds)
    return answer


def _bad_token(_error: CSRFError) -> ResponseReturnValue:
    logging.getLogger("tracker.security").warning("a form without its token was refused at %s", request.endpoint)
    if request.endpoint == "sign_in.enter":
        return redirect(url_for("sign_in.form", notice="again"), 303)
    return page(400, "The form was not accepted.", RELOAD)


def _clash(error: Exception) -> ResponseReturnValue:
    log.warning("a clash of two writers: %s", type(error).__name__)
    return page(409, "The record changed while you were looking at it, or the same was sent twice.")


def _unexpected(error: Exception) -> ResponseReturnValue:
    if current_app.testing or current_app.debug:
        raise error
    # Where it happened and what kind it was. Its message may hold what a patient's record says, so it is not kept.
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error(
        "unexpected %s at %s, reference %s\n%s", type(error).__name__, request.endpoint, g.get("request_id"), places
    )
    return page(500)


def _strange_host(_error: SecurityError) -> ResponseReturnValue:
    """For a host name that is not ours no address can be built, so there is no page."""
    logging.getLogger("tracker.security").warning("another host name was asked for and refused")
    return Response("This server does not answer to that host name.\n", 400, mimetype="text/plain")


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is not None and error.code < 400:
        return error  # a redirect of the router
    return page(error.code or 500)


def init_app(app: Flask) -> None:
    """Each kind of failure with its page. The most specific kind wins."""
    app.register_error_handler(NotFound, lambda error: page(404))
    app.register_error_handler(Gone, lambda error: page(404, str(error)))
    app.register_error_handler(NotAllowed, lambda error: page(403, str(error)))
    app.register_error_handler(Stale, lambda error: page(409, str(error)))
    app.register_error_handler(TooMuch, _too_much)
    app.register_error_handler(Refused, lambda error: page(400, str(error)))
    app.register_error_handler(CSRFError, _bad_token)
    app.register_error_handler(StaleDataError, _clash)
    app.register_error_handler(IntegrityError, _clash)
    app.register_error_handler(DataError, lambda error: page(400, "Something in it cannot be stored."))
    app.register_error_handler(OutcomeUnknown, _unknown)
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(PoolTimeout, _unavailable)
    app.register_error_handler(DBAPIError, _database_failed)
    app.register_error_handler(OSError, _disk_failed)
    app.register_error_handler(SecurityError, _strange_host)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
