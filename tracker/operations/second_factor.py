"""The second factor: a code of six digits that a telephone works out every half minute (TOTP, RFC 6238), a passkey
(passkeys.py), or one of ten recovery codes on paper, each good for one use.

A code is taken for its own half minute and the ones beside it, and never twice. Of recovery codes the digest is kept:
at 80 bits each, guessing from it is hopeless.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

import pyotp
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tracker.domain.errors import Refused
from tracker.models import ENROLLED, Account, Passkey, RecoveryCode
from tracker.operations import accounts, audit
from tracker.operations.actor import Actor

ISSUER = "Jakwatch"
CODES = 10
_STEP = 30  # seconds
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that are taken for one another


def new_secret() -> str:
    """160 bits in base 32, as the telephones' programs take it."""
    return pyotp.random_base32()


def address(secret: str, username: str) -> str:
    """What the QR code says: `otpauth://totp/…`."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def enrol(session: Session, actor: Actor, account: Account, secret: str, code: str, but: int) -> list[str]:
    """Put a secret in force, shown to work by a code; the recovery codes, told this once. Ends all sessions `but` one.

    Raises Refused for a code that does not belong to it.
    """
    step = _step_of(secret, code, actor.at)
    if step is None:
        raise Refused(
            "This is not the code for now. Look whether the telephone’s clock is right, and type the next one."
        )
    account.totp_secret, account.totp_since, account.totp_step = secret, actor.utc, step
    session.flush()
    codes = new_codes(session, actor, account)
    accounts.end_sessions(session, account.id, actor.utc, but=but)
    audit.note(session, actor, "enrol_second_factor", "account", account.id)
    return codes


def has_factor(session: Session, account_id: int) -> bool:
    """Does this person's sign-in ask for more than the password?"""
    return bool(session.scalar(select(ENROLLED).where(Account.id == account_id)))


def take_away(session: Session, actor: Actor, account: Account, reason: str) -> None:
    """Back to the password alone, without telephone and passkeys: they are lost, say. All sessions end."""
    if not has_factor(session, account.id):
        raise Refused(f"{account.name} has no second factor.")
    keys = session.scalars(select(Passkey).where(Passkey.account_id == account.id, Passkey.removed_at.is_(None)))
    remove_passkeys(session, actor, keys.all(), reason)
    _forget_telephone(session, account)
    spend_codes(session, account.id, actor.utc)
    accounts.end_sessions(session, account.id, actor.utc)
    audit.note(session, actor, "remove_second_factor", "account", account.id, reason=reason)


def remove_telephone(session: Session, actor: Actor, account: Account) -> None:
    """By its owner. Passkeys stay, and the recovery codes with them. All sessions end."""
    if account.totp_since is None:
        raise Refused("No telephone is enrolled.")
    _forget_telephone(session, account)
    if not has_factor(session, account.id):
        spend_codes(session, account.id, actor.utc)
    accounts.end_sessions(session, account.id, actor.utc)
    audit.note(session, actor, "remove_second_factor", "account", account.id, reason="by its owner")


def _forget_telephone(session: Session, account: Account) -> None:
    account.totp_secret, account.totp_since, account.totp_step = "", None, 0
    session.flush()


def remove_passkeys(session: Session, actor: Actor, keys: Iterable[Passkey], reason: str) -> None:
    """They open nothing any more; what they opened is the caller's to end."""
    for key in keys:
        key.removed_at = actor.utc
        session.flush()
        audit.note(session, actor, "remove_passkey", "passkey", key.id, before={"name": key.name}, reason=reason)


def fits(session: Session, account_id: int, code: str, at: datetime) -> bool:
    """Is this the code of the half minute, or an unspent recovery code? Either is spent by it."""
    given = "".join(code.split()).replace("-", "").lower()
    if given.isascii() and given.isdigit():
        return _take_code(session, account_id, given, at)
    spent = session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id, RecoveryCode.digest == _digest(given),
            RecoveryCode.spent_at.is_(None),
        )
        .values(spent_at=at)
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return bool(spent.all())


def codes_left(session: Session, account_id: int) -> int:
    """How many recovery codes are unspent."""
    left = select(RecoveryCode.id).where(RecoveryCode.account_id == account_id, RecoveryCode.spent_at.is_(None))
    return len(session.scalars(left).all())


def _take_code(session: Session, account_id: int, code: str, at: datetime) -> bool:
    account = session.get_one(Account, account_id)
    step = _step_of(account.totp_secret, code, at) if account.totp_since is not None else None
    if step is None:
        return False
    taken = session.execute(  # of two who send the same code at once, one is let in
        update(Account)
        .where(Account.id == account_id, Account.totp_step < step)
        .values(totp_step=step)
        .returning(Account.id)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.all())


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    """The half minute whose code this is, of the present one and the two beside it."""
    present, given = int(at.timestamp()) // _STEP, "".join(code.split())
    totp = pyotp.TOTP(secret)
    found = [
        step
        for step in (present - 1, present, present + 1)
        if secrets.compare_digest(totp.generate_otp(step).encode(), given.encode())
    ]
    return found[0] if found else None


def new_codes(session: Session, actor: Actor, account: Account) -> list[str]:
    """Ten recovery codes in place of those there were, told this once."""
    spend_codes(session, account.id, actor.utc)
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(16)) for _ in range(CODES)]
    session.add_all(RecoveryCode(account_id=account.id, digest=_digest(code), made_at=actor.utc) for code in codes)
    session.flush()
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def spend_codes(session: Session, account_id: int, at: datetime) -> None:
    """No recovery code of this person opens anything any more."""
    session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.account_id == account_id, RecoveryCode.spent_at.is_(None))
        .values(spent_at=at)
        .execution_options(synchronize_session=False)
    )


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
