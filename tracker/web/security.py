"""What every answer carries and no request may: headers, forged origins, characters no record holds."""

import logging

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from tracker.domain.errors import NotAllowed, Refused

log = logging.getLogger("tracker.security")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: where the site is served by HTTPS, forms are also checked by the page they come from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=63072000; includeSubDomains"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def refuse_forgeries() -> None:
    """A change asked for by another site, whatever token it carries. Browsers say where a request comes from."""
    origin = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method not in SAFE_METHODS and origin not in ("same-origin", "none"):
        log.warning("a request from another site was refused at %s", request.endpoint)
        raise NotAllowed("The request came from another site.")


def limit_form() -> None:
    """A form that does not come in parts is held to the limits of one that does, which werkzeug leaves to us."""
    if request.mimetype != "multipart/form-data":
        request.max_content_length = current_app.config["MAX_FORM_MEMORY_SIZE"]
        if request.get_data().count(b"&") >= current_app.config["MAX_FORM_PARTS"]:
            raise RequestEntityTooLarge


def refuse_nul() -> None:
    """NUL and lone surrogates: SQLite would keep them, PostgreSQL would not, and no form of ours sends them."""
    texts = [request.path, *request.args.keys(), *request.args.values(), *request.form.keys(), *request.form.values()]
    if any("\0" in text or not _encodable(text) for text in texts):
        log.warning("a character that no record holds was refused at %s", request.endpoint)
        raise Refused("There is a character in it that cannot be stored.")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.config["PRODUCTION"]:
        response.headers["Strict-Transport-Security"] = HSTS
    if request.endpoint == "static" and response.status_code < 400:
        if "v" in request.args:  # the address changes with the content: `asset()` in filters.py
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    if "request_id" in g:
        response.headers["X-Request-ID"] = g.request_id
    return response


def init_app(app: Flask) -> None:
    app.before_request(refuse_forgeries)
    app.before_request(limit_form)
    app.before_request(refuse_nul)
    app.after_request(add_headers)
