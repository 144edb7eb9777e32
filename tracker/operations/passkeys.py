"""Passkeys (WebAuthn): a key that lives in somebody's device or security key and never leaves it.

The server makes a challenge, the device signs it for the origin it is shown at. A passkey is a second factor beside the
password; where the device also looked who holds it (a PIN, a finger, a face) it is both, and opens alone.

A challenge is good for five minutes and once. With the key is kept when the last challenge it answered was made, and
its counter: neither ever goes back, whoever sends a recorded answer a second time or has a copy of the key.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from tracker.domain.errors import NotFound, Refused
from tracker.models import Account, Passkey
from tracker.operations import accounts, audit, second_factor
from tracker.operations.actor import Actor

NAME = "Jakwatch"
GOOD_FOR = timedelta(minutes=5)
MOST = 10  # of one person
LONGEST_ANSWER = 20_000  # characters; a browser sends some hundreds
# What the library raises for an answer that is none; the plain ones come from what it leaves to Python.
UNREADABLE = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, RecursionError)


class Site(NamedTuple):
    """Where people meet the service: `https://jakwatch.example.org`. Passkeys are for its host alone."""

    origin: str

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""


class Challenge(NamedTuple):
    """32 random bytes in base64url, and when they were made."""

    text: str
    made: datetime

    @property
    def raw(self) -> bytes:
        return base64url_to_bytes(self.text)


def new_challenge(at: datetime) -> Challenge:
    return Challenge(secrets.token_urlsafe(32), at)


def of_person(session: Session, account_id: int) -> list[Passkey]:
    """The passkeys somebody has, the oldest first."""
    mine = select(Passkey).where(Passkey.account_id == account_id, Passkey.removed_at.is_(None))
    return list(session.scalars(mine.order_by(Passkey.id)))


def mine(session: Session, account_id: int, passkey_id: int) -> Passkey:
    """One of this person's own. Raises NotFound for anybody else's and for one that was removed."""
    found = next((key for key in of_person(session, account_id) if key.id == passkey_id), None)
    if found is None:
        raise NotFound("There is no such passkey, or it is not yours.")
    return found


class Plan(NamedTuple):
    """A passkey that is to be made: its name, the handle its device shall know the owner by, the challenge."""

    name: str
    handle: str
    challenge: Challenge


def plan(session: Session, account_id: int, name: str, at: datetime) -> Plan:
    """All of one person's passkeys have one handle, which says nothing about them."""
    known = of_person(session, account_id)
    return Plan(name, known[0].handle if known else secrets.token_urlsafe(32), new_challenge(at))


# ---------------------------------------------------------------------------------------------- what a browser is asked


def to_make(site: Site, account: Account, known: Sequence[Passkey], planned: Plan) -> str:
    """What `navigator.credentials.create` is given, as JSON. A device that has one of the `known` makes no other."""
    asked = webauthn.generate_registration_options(
        rp_id=site.host, rp_name=NAME, user_name=account.username, user_display_name=account.name,
        user_id=base64url_to_bytes(planned.handle), challenge=planned.challenge.raw, exclude_credentials=_named(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )  # fmt: skip
    return webauthn.options_to_json(asked)


def to_show(site: Site, known: Sequence[Passkey], challenge: Challenge) -> str:
    """What `navigator.credentials.get` is given, as JSON: one of the `known`, or, of nobody known, one that can say
    whose it is, with the look at who holds it.
    """
    alone = UserVerificationRequirement.REQUIRED
    asked = webauthn.generate_authentication_options(
        rp_id=site.host, challenge=challenge.raw, allow_credentials=_named(known),
        user_verification=UserVerificationRequirement.PREFERRED if known else alone,
    )  # fmt: skip
    return webauthn.options_to_json(asked)


def _named(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential)) for key in known]


# ---------------------------------------------------------------------------------------------- adding and removing


def add(
    session: Session, actor: Actor, account: Account, site: Site, planned: Plan, answer: str, but: int
) -> list[str]:
    """Keep what the browser made, and end all sessions `but` one. The recovery codes, told this once, where it is the
    first factor.

    Raises Refused for an answer that does not belong to the challenge, and for more than ten.
    """
    made = _made(site, planned.challenge, answer, actor.at)
    credential = bytes_to_base64url(made.credential_id)
    if len(of_person(session, account.id)) >= MOST:
        raise Refused(f"There are {MOST} passkeys already. Remove one that is no longer used.")
    if session.scalars(select(Passkey.id).where(Passkey.credential == credential)).first():
        raise Refused("This passkey is known already.")
    codes = [] if second_factor.has_factor(session, account.id) else second_factor.new_codes(session, actor, account)
    key = Passkey(
        account_id=account.id, name=planned.name, credential=credential, handle=planned.handle,
        public_key=bytes_to_base64url(made.credential_public_key), counter=made.sign_count,
        challenged_at=planned.challenge.made, made_at=actor.utc,
    )  # fmt: skip
    session.add(key)
    session.flush()
    accounts.end_sessions(session, account.id, actor.utc, but=but)
    audit.note(session, actor, "add_passkey", "passkey", key.id, after={"name": key.name})
    return codes


def _made(site: Site, challenge: Challenge, answer: str, at: datetime) -> VerifiedRegistration:
    if at - challenge.made > GOOD_FOR:
        raise Refused("That took longer than five minutes. Begin again.")
    try:
        return webauthn.verify_registration_response(
            credential=answer[:LONGEST_ANSWER], expected_challenge=challenge.raw, expected_rp_id=site.host,
            expected_origin=site.origin,
        )  # fmt: skip
    except UNREADABLE as error:
        raise Refused("What the browser sent is no passkey for this site. Begin again.") from error


def remove(session: Session, actor: Actor, account: Account, key: Passkey, required: bool, but: int) -> None:
    """It opens nothing any more, and all sessions `but` one end. Raises Refused for the last factor where one is
    `required`.
    """
    last = account.totp_since is None and len(of_person(session, account.id)) == 1
    if last and required:
        raise Refused("Everybody here has a second factor, and this is your only one. Add another first.")
    second_factor.remove_passkeys(session, actor, [key], "by its owner")
    if last:
        second_factor.spend_codes(session, account.id, actor.utc)
    accounts.end_sessions(session, account.id, actor.utc, but=but)


# ---------------------------------------------------------------------------------------------- signing in


def owner(
    session: Session, site: Site, challenge: Challenge, answer: str, actor: Callable[[Account], Actor], at: datetime,
    expected: int | None = None,
) -> tuple[Account, Passkey] | None:  # fmt: skip
    """Whose passkey signed the challenge, if it is in order; it is spent by that. `expected`: whose password was right;
    without, the device must have looked who holds it. None for everybody else: nothing says why.
    """
    if len(answer) > LONGEST_ANSWER or at - challenge.made > GOOD_FOR:
        return None
    found = _known(session, answer)
    if found is None or expected not in (None, found[0].id):
        return None
    account, key = found
    shown = _shown(site, challenge, answer, key, alone=expected is None)
    if shown is None:
        return None
    if not _newer(session, key, challenge, shown.new_sign_count, at):
        told = {"name": key.name, "counter": shown.new_sign_count}
        audit.note(session, actor(account), "refuse_passkey", "passkey", key.id, after=told)
        return None
    return account, key


def _known(session: Session, answer: str) -> tuple[Account, Passkey] | None:
    """The key the answer names, and whose it is, as long as neither was taken away."""
    try:
        told = parse_authentication_credential_json(answer)
        credential, handle = bytes_to_base64url(told.raw_id), told.response.user_handle
    except UNREADABLE:
        return None
    row = session.execute(
        select(Account, Passkey)
        .join(Account, Account.id == Passkey.account_id)
        .where(Passkey.credential == credential, Passkey.removed_at.is_(None), Account.disabled_at.is_(None))
    ).first()
    if row is None or (handle is not None and bytes_to_base64url(handle) != row[1].handle):
        return None
    return row[0], row[1]


def _shown(site: Site, challenge: Challenge, answer: str, key: Passkey, alone: bool) -> VerifiedAuthentication | None:
    """What the device said, where it signed this challenge for this site."""
    try:
        return webauthn.verify_authentication_response(
            credential=answer, expected_challenge=challenge.raw, expected_rp_id=site.host, expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(key.public_key), require_user_verification=alone,
            credential_current_sign_count=0,  # held against ours below, once the signature is known to be right
        )  # fmt: skip
    except UNREADABLE:
        return None


def _newer(session: Session, key: Passkey, challenge: Challenge, counter: int, at: datetime) -> bool:
    """Take the answer, unless the key answered this or a later challenge before, or its counter did not go on."""
    goes_on = or_(Passkey.counter < counter, Passkey.counter == 0) if counter else Passkey.counter == 0
    taken = session.execute(  # of two who send the same answer at once, one is let in
        update(Passkey)
        .where(Passkey.id == key.id, Passkey.challenged_at < challenge.made, goes_on)
        .values(counter=counter, challenged_at=challenge.made, used_at=at)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.all())
