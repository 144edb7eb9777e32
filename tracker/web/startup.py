"""What must hold before the application starts. In production it refuses; the sentences say what to mend."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import OperationalError

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
    if settings.get("DEBUG"):
        problems.append("Debugging is on (FLASK_DEBUG): it would let anybody run code. Switch it off in production.")
    if settings.get("DEMO") or settings.get("DEMO_SIGN_INS"):
        problems.append("The demonstration's accounts do not belong in production.")
    return problems


def check_storage(database: Database) -> None:
    """Raise Misconfigured where the database would lose what it acknowledged, is of another version, or holds another
    audit trail than the one that the anchors saw; and where the clock is behind it.

    One that cannot be reached is left for later: it answers 503 until it can.
    """
    try:
        problems = self_check(database.engine)
        found, known = current_revision(database.engine), head()
    except OperationalError:
        return
    if found != known:
        problems.append(
            f"The database is at version {found or 'none'}, this program needs {known}. Run: tracker upgrade"
        )
    else:
        with database.reading(EVERYWHERE) as session:
            fault, clock = head_fault(session), clock_fault(session, datetime.now(UTC))
        if fault:
            problems.append(f"The audit trail is not the one that was left, entry {fault.entry}: {fault.why}.")
        if clock:
            problems.append(clock)
    if problems:
        raise Misconfigured("\n".join(problems))
