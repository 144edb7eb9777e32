"""People, their passwords, lock-out and browser sessions.

How guessing is slowed: an attempt is counted before the password is looked at, so that many at once gain nothing. After
ten in a row without success the account is locked for a quarter of an hour; the right password starts the count again.
For an unknown name the same work is done on a stand-in, and the answer is the same.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import case, literal, or_, select, update
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound, Refused
from tracker.models import ROLES, Account, BrowserSession, Clinic, Membership
from tracker.models.base import UtcDateTime
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.operations.passwords import LONGEST, check_new_password

ATTEMPTS = 10
LOCKED_FOR = timedelta(minutes=15)
GIVEN_FOR = timedelta(hours=72)  # a password that an administrator made
OPEN_SESSIONS = 5


@lru_cache(maxsize=4)
def _stand_in(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))


def password_fits(stored: str | None, password: str, hasher: PasswordHasher) -> bool:
    """Is this the password? With nothing stored the same work is done, and the answer is no."""
    if len(password) > LONGEST:
        stored, password = None, ""  # nobody has one so long, and a megabyte is not worth digesting
    try:
        hasher.verify(stored or _stand_in(hasher), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


# ---------------------------------------------------------------------------------------------- people


def add_account(  # noqa: PLR0913 - what an account is made of
    session: Session, actor: Actor, username: str, name: str, role: str, password: str, clinics: list[Clinic],
    hasher: PasswordHasher | None = None,
) -> Account:  # fmt: skip
    """A person. Raises Refused for an unknown role, a taken name or a password that would be guessed."""
    if role not in ROLES:
        raise Refused(f"“{role}” is not a role: one of {', '.join(ROLES)}.")
    if session.scalars(select(Account).where(Account.username == username)).first():
        raise Refused(f"There is an account “{username}” already; accounts are never reassigned.")
    account = Account(
        username=username,
        name=name,
        role=role,
        password_hash=(hasher or PasswordHasher()).hash(password),
        created_at=actor.utc,
    )
    check_new_password(password, account, clinics)
    session.add(account)
    session.flush()
    session.add_all(Membership(account_id=account.id, clinic_id=clinic.id) for clinic in clinics)
    session.flush()
    after = audit.snapshot(account) | {"password_hash": "(set)", "clinics": [clinic.code for clinic in clinics]}
    audit.note(
        session, actor, "create", "account", account.id, after=after, clinic_id=clinics[0].id if clinics else None
    )
    return account


def give_for_a_while(session: Session, account: Account, at: datetime) -> None:
    """The password just set is known to whoever made it: it runs out, and is changed before anything else is done."""
    account.password_until = at + GIVEN_FOR
    session.flush()


def disable_account(session: Session, actor: Actor, username: str) -> Account:
    """Disable a person: their sessions end, their name stays. Raises NotFound."""
    account = session.scalars(select(Account).where(Account.username == username)).first()
    if account is None:
        raise NotFound(f"There is no account “{username}”.")
    if account.disabled_at is None:
        account.disabled_at = actor.utc
        end_sessions(session, account.id, actor.utc)
        session.flush()
        audit.note(
            session,
            actor,
            "disable",
            "account",
            account.id,
            before={"disabled_at": None},
            after={"disabled_at": audit.plain(actor.utc)},
        )
    return account


# ---------------------------------------------------------------------------------------------- signing in


class Claim(NamedTuple):
    """An attempt that has been counted: against which account, and what is stored of its password."""

    account_id: int | None
    stored: str | None


NOBODY = Claim(None, None)


def claim_attempt(session: Session, username: str, at: datetime) -> Claim:
    """Count an attempt on an account; NOBODY where there is none, it is disabled or locked, or its password ran out."""
    open_to_try = or_(Account.locked_until.is_(None), Account.locked_until <= at)
    in_force = or_(Account.password_until.is_(None), Account.password_until > at)
    tried = case((Account.locked_until.is_not(None), 1), else_=Account.failed_attempts + 1)  # a lock that is over
    row = session.execute(
        update(Account)
        .where(Account.username == username, Account.disabled_at.is_(None), open_to_try, in_force)
        .values(
            failed_attempts=tried,
            locked_until=case((tried >= ATTEMPTS, literal(at + LOCKED_FOR, UtcDateTime())), else_=None),
        )
        .returning(Account.id, Account.password_hash)
        .execution_options(synchronize_session=False)
    ).first()
    return NOBODY if row is None else Claim(row.id, row.password_hash)


def forget_attempts(session: Session, account_id: int) -> Account:
    """The password was right: the count starts again. Returns the account."""
    session.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(failed_attempts=0, locked_until=None)
        .execution_options(synchronize_session=False)
    )
    return session.get_one(Account, account_id)


def change_password(session: Session, actor: Actor, account: Account, password: str, hasher: PasswordHasher) -> None:
    """Store another password and end every session of this person. Raises Refused for one that would be guessed."""
    at = select(Clinic).join(Membership, Membership.clinic_id == Clinic.id).where(Membership.account_id == account.id)
    check_new_password(password, account, session.scalars(at))
    account.password_hash = hasher.hash(password)
    account.failed_attempts, account.locked_until, account.password_until = 0, None, None
    session.flush()
    end_sessions(session, account.id, actor.utc)
    audit.note(session, actor, "change_password", "account", account.id)


# ---------------------------------------------------------------------------------------------- browser sessions


def digest_of(token: str) -> str:
    """What the database keeps of the token in a browser's cookie: a leaked table opens nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def start_session(
    session: Session, account_id: int, at: datetime, user_agent: str = "", data: Mapping[str, Any] | None = None
) -> str:
    """A new browser session; the token for the cookie. With more than five open, the one unused for longest ends."""
    _end_surplus(session, account_id, at)
    token = secrets.token_urlsafe(32)
    session.add(
        BrowserSession(
            token_digest=digest_of(token),
            account_id=account_id,
            created_at=at,
            seen_at=at,
            user_agent=user_agent[:300],
            data={**(data or {}), "csrf_token": secrets.token_hex(20)},
        )
    )
    return token


def end_session(session: Session, account_id: int, session_id: int, at: datetime) -> None:
    """End one browser session of this person. Raises NotFound where it is not theirs or has ended."""
    ended = session.execute(
        update(BrowserSession)
        .where(
            BrowserSession.id == session_id,
            BrowserSession.account_id == account_id,
            BrowserSession.revoked_at.is_(None),
        )
        .values(revoked_at=at)
        .returning(BrowserSession.id)
        .execution_options(synchronize_session=False)
    ).first()
    if ended is None:
        raise NotFound("That session has ended already, or it is not yours.")


def end_sessions(session: Session, account_id: int, at: datetime, but: int | None = None) -> int:
    """End all browser sessions of this person, but one if it is given; how many were open."""
    chosen = [BrowserSession.account_id == account_id, BrowserSession.revoked_at.is_(None)]
    if but is not None:
        chosen.append(BrowserSession.id != but)
    ended = session.execute(
        update(BrowserSession)
        .where(*chosen)
        .values(revoked_at=at)
        .returning(BrowserSession.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def _end_surplus(session: Session, account_id: int, at: datetime) -> None:
    surplus = (
        select(BrowserSession.id)
        .where(BrowserSession.account_id == account_id, BrowserSession.revoked_at.is_(None))
        .order_by(BrowserSession.seen_at.desc(), BrowserSession.id.desc())
        .offset(OPEN_SESSIONS - 1)
    )
    for session_id in session.scalars(surplus).all():
        end_session(session, account_id, session_id, at)


def open_sessions(
    session: Session, account_id: int, seen_after: datetime, begun_after: datetime
) -> list[BrowserSession]:
    """This person's live browser sessions, the last used first."""
    return list(
        session.scalars(
            select(BrowserSession)
            .where(
                BrowserSession.account_id == account_id,
                BrowserSession.revoked_at.is_(None),
                BrowserSession.seen_at > seen_after,
                BrowserSession.created_at > begun_after,
            )
            .order_by(BrowserSession.seen_at.desc(), BrowserSession.id.desc())
        )
    )
