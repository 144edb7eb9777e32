"""The settings, plain, from the environment. `tracker.create_app` is given this module by name and never imports it.

| variable | meaning | default |
|---|---|---|
| TRACKER_ENV | `production`, `demo` or `development` | production |
| TRACKER_SECRET_KEY | signs the tokens of forms; 32 characters or more | none; elsewhere made up at each start |
| TRACKER_INSTANCE | folder for the database file | `instance` beside this file; to be named once installed |
| TRACKER_DATABASE_URL | `sqlite:///file` or `postgresql://…` | `jakwatch.db` in the instance folder |
| TRACKER_AUDIT_KEY | what the audit trail is sealed with | TRACKER_SECRET_KEY; without either, no key |
| TRACKER_AUDIT_OLD_KEYS | former values of either, separated by commas | none |
| TRACKER_AUDIT_ANCHOR | file that keeps the head of the audit trail | beside an SQLite file; in TRACKER_INSTANCE |
| TRACKER_SECOND_FACTOR | `required` of everybody, or `optional` | required (demo and development: optional) |
| TRACKER_IDLE_MINUTES | a browser left alone for so long is signed out | 15 (demo and development: 480) |
| TRACKER_SESSION_HOURS | a browser in constant use is signed out after | 12 |
| TRACKER_REVIEW_HOURS | an undecided flag is escalated after so many hours: act today, this week, routine | 24,72,336 |
| TRACKER_HOURLY | files about patients, and searches, that one person may have in an hour | 60,300 |
| TRACKER_UPLOAD_MB | largest file taken | 100 |
| TRACKER_ATTACHMENT_MB | largest report that is kept with a patient | 10 |
| TRACKER_LETTERHEADS | TOML file for letters: a table a clinic's code, `address` (lines), `telephone` | none |
| TRACKER_TRUSTED_HOSTS | host names answered to, separated by commas | any |
| TRACKER_ORIGIN | the address people type, which passkeys are for | `https://` and the first of the trusted hosts |
| TRACKER_PROXIES | how many proxies in front set X-Forwarded-For, -Proto and -Host | 0 |
| TRACKER_METRICS_TOKEN | bearer token that reads `/metrics` from another machine; 32 characters or more | none |
| TRACKER_LOG | `json`, a line a request and event, or `text`, warnings alone | json (demo and development: text) |
"""

import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENVIRONMENTS = ("production", "demo", "development")
ROOT = Path(__file__).resolve().parent


def from_environment(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings as Flask's configuration. Raises ValueError with a whole sentence for what cannot be read.

    Whether they are safe is settled where they are used: `tracker.web.startup`.
    """
    kind = environ.get("TRACKER_ENV", "production")
    if kind not in ENVIRONMENTS:
        raise ValueError(f"TRACKER_ENV is “{kind}”; it is one of {', '.join(ENVIRONMENTS)}.")
    production = kind == "production"
    database = environ.get("TRACKER_DATABASE_URL") or _database_file(environ)
    hosts = _words(environ.get("TRACKER_TRUSTED_HOSTS", ""))
    return {
        "ENVIRONMENT": kind,
        "PRODUCTION": production,
        "DEMO": kind == "demo",
        "DEBUG": environ.get("FLASK_DEBUG", "") not in ("", "0", "false"),
        "SECRET_KEY": environ.get("TRACKER_SECRET_KEY") or ("" if production else secrets.token_hex(32)),
        "DATABASE_URL": database,
        "AUDIT_KEY": environ.get("TRACKER_AUDIT_KEY") or environ.get("TRACKER_SECRET_KEY", ""),
        "AUDIT_OLD_KEYS": _words(environ.get("TRACKER_AUDIT_OLD_KEYS", "")),
        "AUDIT_ANCHOR": environ.get("TRACKER_AUDIT_ANCHOR") or _anchor(environ, database),
        "SECOND_FACTOR": _one_of(
            environ, "TRACKER_SECOND_FACTOR", ("required", "optional"), "required" if production else "optional"
        ),
        "IDLE_SECONDS": 60 * _number(environ, "TRACKER_IDLE_MINUTES", 15 if production else 480),
        "SESSION_SECONDS": 3600 * _number(environ, "TRACKER_SESSION_HOURS", 12),
        "REVIEW_HOURS": _figures(environ, "TRACKER_REVIEW_HOURS", "24,72,336"),  # urgent, soon, routine
        "HOURLY": _figures(environ, "TRACKER_HOURLY", "60,300"),
        "MAX_CONTENT_LENGTH": 1024 * 1024 * _number(environ, "TRACKER_UPLOAD_MB", 100),
        "ATTACHMENT_BYTES": 1024 * 1024 * _number(environ, "TRACKER_ATTACHMENT_MB", 10),
        "LETTERHEADS": _letterheads(environ.get("TRACKER_LETTERHEADS", "")),
        "TRUSTED_HOSTS": hosts or None,
        "ORIGIN": _origin(environ.get("TRACKER_ORIGIN", ""), hosts),
        "PROXIES": _number(environ, "TRACKER_PROXIES", 0, least=0),
        "METRICS_TOKEN": environ.get("TRACKER_METRICS_TOKEN", ""),
        "LOG": _one_of(environ, "TRACKER_LOG", ("json", "text"), "json" if production else "text"),
    }


def _database_file(environ: Mapping[str, str]) -> str:
    named = environ.get("TRACKER_INSTANCE")
    if not named and not (ROOT / "pyproject.toml").exists():
        raise ValueError("Say where the data is kept: set TRACKER_INSTANCE to a folder, or TRACKER_DATABASE_URL.")
    folder = Path(named).resolve() if named else ROOT / "instance"
    return f"sqlite:///{folder / 'jakwatch.db'}"


def _one_of(environ: Mapping[str, str], name: str, words: tuple[str, str], default: str) -> str:
    written = environ.get(name) or default
    if written not in words:
        raise ValueError(f"{name} is “{written}”; it is {' or '.join(words)}.")
    return written


def _figures(environ: Mapping[str, str], name: str, default: str) -> tuple[int, ...]:
    """As many whole numbers as the default has, each from 1 to 9999."""
    written = environ.get(name) or default
    words = _words(written)
    whole = all(word.isascii() and word.isdigit() and 0 < int(word) < 10_000 for word in words)
    if not whole or len(words) != len(_words(default)):
        raise ValueError(f"{name} is “{written}”; it is {len(_words(default))} whole numbers, such as {default}.")
    return tuple(int(word) for word in words)


def _anchor(environ: Mapping[str, str], database: str) -> str | None:
    """Beside an SQLite file; for a server in the instance folder, where one is named."""
    _, found, path = database.partition("sqlite:///")
    if found:
        return f"{path}.anchor" if path and path != ":memory:" else None
    named = environ.get("TRACKER_INSTANCE")
    return str(Path(named).resolve() / "audit.anchor") if named else None


def _origin(written: str, hosts: list[str]) -> str:
    """`https://host` or `https://host:port`; of the first host that is named in full, where none is written."""
    if not written:
        return next((f"https://{host}" for host in hosts if not host.startswith(".")), "")
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", written):
        raise ValueError(
            f"TRACKER_ORIGIN is “{written}”; it is an address without a path, https://jakwatch.example.org."
        )
    return written


def _letterheads(path: str) -> dict[str, dict[str, Any]]:
    """By clinic code: `{"address": ["1 Elm Street", "Exampletown"], "telephone": "0123 456"}`, or one of them."""
    if not path:
        return {}
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"TRACKER_LETTERHEADS, {path}, cannot be read: {error}") from error
    for code, head in read.items():
        told = {"address": [], "telephone": ""} | (head if isinstance(head, dict) else {"address": None})
        texts = [*told["address"], told["telephone"]] if isinstance(told["address"], list) else [None]
        if len(told) > 2 or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"TRACKER_LETTERHEADS: of “{code}”, address is a list of lines and telephone a text.")
    return read


def _number(environ: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    written = environ.get(name, "")
    if not written:
        return default
    if not written.isascii() or not written.isdigit() or int(written) < least:
        raise ValueError(f"{name} is “{written}”; it is a whole number, {least} or more.")
    return int(written)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
