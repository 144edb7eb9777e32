"""Who is at the browser. Signed in: a row in the database, which can be ended; the cookie carries its opaque token.

Before signing in there is nobody to protect and nothing to end, so the token of the sign-in form rests in a small
signed cookie of its own (Flask's usual session): a visitor who never signs in leaves no row. Both sides of that double
submit come from us, and a cookie named `__Host-` cannot be planted by a neighbouring host.

A session ends on the server: after IDLE_SECONDS without a request, after SESSION_SECONDS in any case, by signing out,
from the account page, with a new password, and at once when the account is disabled. Roles are read anew each time.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Response as BaseResponse

from tracker.domain.errors import OutcomeUnknown
from tracker.models import ENROLLED, Account, BrowserSession, Clinic, Membership
from tracker.operations.accounts import digest_of
from tracker.web.clock import now
from tracker.web.database import database, reading, see_mine, stop_reading

log = logging.getLogger(__name__)

SEEN_EVERY = timedelta(minutes=1)  # so that reading pages seldom writes
CLOCK_SLACK = timedelta(minutes=5)  # a session from further in the future than this shows a clock that was set back
BACKGROUND = ("account.left", "jobs.progress")  # asked by a script, not by a person: these do not keep a session alive
WITHOUT = ("/static/", "/healthz", "/metrics")  # answered to anybody without a look at the database


class Workplace(NamedTuple):
    """A clinic as a person works there."""

    id: int
    code: str
    name: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class User:
    """The person at the browser. `clinic` is the one they are looking at, None for somebody without any."""

    id: int
    username: str
    name: str
    role: str
    clinics: tuple[Workplace, ...]
    clinic: Workplace | None
    session_id: int
    seen_at: datetime
    begun_at: datetime
    has_factor: bool
    must_change: bool  # the password was given by somebody else


class SignedIn(SecureCookieSession):
    """The session of somebody who signed in; what is put into it is stored in its row when the request ends."""

    def __init__(self, user: User, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.user = user


class BrowserSessions(SecureCookieSessionInterface):
    """Flask's seam for sessions."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        g.user = None
        if request.path.startswith(WITHOUT):
            return SecureCookieSession()
        token = request.cookies.get(cookie_name(app))
        if token:
            try:
                found = _find(digest_of(token))
                if found is not None:
                    g.user = found.user
                    see_mine()
            except (DBAPIError, PoolTimeout) as error:
                # Raised here it would miss the error pages; access.guard raises it where they are in force.
                g.user, g.database_error = None, error
                return SecureCookieSession()
            if found is not None:
                return found
            g.session_ended = True
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, SignedIn):
            _store(session)
        elif not request.path.startswith(WITHOUT) and "database_error" not in g:
            super().save_session(app, session, response)


def agent() -> str:
    """What the browser says of itself."""
    return request.user_agent.string


def cookie_name(app: Flask) -> str:
    """`__Host-` where the site is served by HTTPS: such a cookie is for this host alone."""
    return "__Host-jakwatch" if app.config["SESSION_COOKIE_SECURE"] else "jakwatch"


def hand_out(response: BaseResponse, token: str) -> None:
    """Give the browser its token. It is forgotten when the browser closes, and by us before that."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(cookie_name(current_app), token, secure=secure, httponly=True, samesite="Lax")


def take_back(response: BaseResponse) -> None:
    """Make the browser forget its token."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.delete_cookie(cookie_name(current_app), secure=secure, httponly=True, samesite="Lax")


def live_since() -> tuple[datetime, datetime]:
    """(seen after, begun after): what a session must fulfil to be alive at this instant."""
    config = current_app.config
    return now() - timedelta(seconds=config["IDLE_SECONDS"]), now() - timedelta(seconds=config["SESSION_SECONDS"])


def seconds_left(user: User) -> int:
    """How long this session lasts without another request."""
    seen_after, begun_after = live_since()
    return max(0, int(min(user.seen_at - seen_after, user.begun_at - begun_after).total_seconds()))


def _find(digest: str) -> SignedIn | None:
    """The live session of that token with its person and their clinics, in one statement."""
    rows = reading().execute(
        select(BrowserSession, Account, Clinic, ENROLLED)
        .join(Account, Account.id == BrowserSession.account_id)
        .outerjoin(Membership, Membership.account_id == Account.id)
        .outerjoin(Clinic, Clinic.id == Membership.clinic_id)
        .where(BrowserSession.token_digest == digest)
        .order_by(Clinic.name, Clinic.id)
    )
    found: list[tuple[BrowserSession, Account, Clinic | None, bool]] = [
        (row[0], row[1], row[2], row[3]) for row in rows
    ]
    if not found or not _alive(found[0][0], found[0][1]):
        return None
    held, account, _, enrolled = found[0]
    return _signed_in(held, account, [row[2] for row in found if row[2] is not None], enrolled)


def _alive(held: BrowserSession, account: Account) -> bool:
    seen_after, begun_after = live_since()
    return (
        held.revoked_at is None
        and account.active
        and held.seen_at > seen_after
        and begun_after < held.created_at <= now() + CLOCK_SLACK
    )


def _signed_in(held: BrowserSession, account: Account, clinics: list[Clinic], enrolled: bool) -> SignedIn:
    places = tuple(Workplace(clinic.id, clinic.code, clinic.name, ZoneInfo(clinic.time_zone)) for clinic in clinics)
    chosen = held.data.get("clinic_id")
    current = next((place for place in places if place.id == chosen), places[0] if places else None)
    user = User(
        account.id, account.username, account.name, account.role, places, current,
        held.id, held.seen_at, held.created_at, enrolled, account.password_until is not None,
    )  # fmt: skip
    return SignedIn(user, dict(held.data))


def _store(session: SignedIn) -> None:
    """Write what changed in the session, and at most once a minute that it was used. A page never fails for it."""
    values: dict[str, Any] = {}
    if session.modified:
        values["data"] = dict(session)
    if request.endpoint not in BACKGROUND and now() - session.user.seen_at >= SEEN_EVERY:
        values["seen_at"] = now()
    if not values:
        return
    stop_reading()
    mine = (BrowserSession.id == session.user.session_id, BrowserSession.revoked_at.is_(None))
    try:
        with database().transaction(waits=False) as stored:
            stored.execute(
                update(BrowserSession).where(*mine).values(**values).execution_options(synchronize_session=False)
            )
    except (DBAPIError, PoolTimeout, OutcomeUnknown) as error:
        log.warning("a browser session could not be stored: %s", type(error).__name__)
