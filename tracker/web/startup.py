"""What must hold before the application starts. In production it refuses; the sentences say what to mend."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from tracker.db import EVERYWHERE, Database, current_revision, head, self_check
from tracker.domain.errors import JakwatchError
from tracker.operations.audit import clock_fault, head_fault

SHORTEST_SECRET = 32
KNOWN_SECRETS = ("changeme", "change-me", "secret", "development", "default", "example", "jakwatch", "password")


class Misconfigured(JakwatchError):
    """The settings are not safe to start with; one sentence a line."""


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise Misconfigured for settings that would leave a production system open."""
    problems = setting_problems(settings) if settings.get("PRODUCTION", True) else []
    if not settings.get("DATABASE_URL"):
        problems.append("No database is named: set TRACKER_DATABASE_URL or TRACKER_INSTANCE.")
    if problems:
        raise Misconfigured("\n".join(problems))


def setting_problems(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings of a production system, a sentence each."""
    secret = settings.get("SECRET_KEY") or ""
    make_one = "Make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'"
    problems = []
    if not secret:
        problems.append(f"TRACKER_SECRET_KEY is not set. {make_one}")
    elif len(secret) < SHORTEST_SECRET:
        problems.append(
            f"TRACKER_SECRET_KEY has {len(secret)} characters; {SHORTEST_SECRET} or more are needed. {make_one}"
        )
    elif len(set(secret)) < 8 or any(word in secret.lower() for word in KNOWN_SECRETS):
        problems.append(f"TRACKER_SECRET_KEY is one that could be guessed. {make_one}")
    token = settings.get("METRICS_TOKEN") or ""
    if token and len(token) < SHORTEST_SECRET:
        problems.append(
            f"TRACKER_METRICS_TOKEN has {len(token)} characters; {SHORTEST_SECRET} or more are needed, or none."
        )
    origin = settings.get("ORIGIN") or ""
    if origin and not origin.startswith("https://"):
        problems.append(f"TRACKER_ORIGIN is “{origin}”: passkeys and cookies need https.")
    if _open_way(settings.get("DATABASE_URL") or ""):
        problems.append(
            "PostgreSQL is on another machine, and nothing says that the way there is encrypted and to the right one: "
            "end TRACKER_DATABASE_URL in ?sslmode=verify-full."
        )
    if settings.get("DEBUG"):
        problems.append("Debugging is on (FLASK_DEBUG): it would let anybody run code. Switch it off in production.")
    if settings.get("DEMO") or settings.get("DEMO_SIGN_INS"):
        problems.append("The demonstration's accounts do not belong in production.")
    return problems


def _open_way(database_url: str) -> bool:
    """Is this a PostgreSQL on another machine, without TLS or without a look at its certificate?"""
    try:
        url = make_url(database_url)
    except ArgumentError:
        return False  # said elsewhere
    host = str(url.host or url.query.get("host", ""))
    near = not host or host.startswith("/") or host in ("localhost", "127.0.0.1", "::1")
    return url.get_backend_name() == "postgresql" and not near and url.query.get("sslmode") != "verify-full"


def check_storage(database: Database) -> None:
    """Raise Misconfigured where the database would lose what it acknowledged, is of another version, or holds another
    audit trail than the one that the anchors saw; and where the clock is behind it.

    One that cannot be reached is left for later: it answers 503 until it can.
    """
    try:
        problems = _storage_problems(database)
    except DBAPIError as error:
        if isinstance(error, OperationalError) or error.connection_invalidated:
            return  # it went away between two questions, say, because it is being restarted too
        raise
    if problems:
        raise Misconfigured("\n".join(problems))


def _storage_problems(database: Database) -> list[str]:
    problems = self_check(database.engine)
    found, known = current_revision(database.engine), head()
    if found != known:
        told = f"The database is at version {found or 'none'}, this program needs {known}. Run: tracker upgrade"
        return [*problems, told]
    with database.reading(EVERYWHERE) as session:
        fault, clock = head_fault(session), clock_fault(session, datetime.now(UTC))
    if fault:
        problems.append(f"The audit trail is not the one that was left, entry {fault.entry}: {fault.why}.")
    return [*problems, clock] if clock else problems
