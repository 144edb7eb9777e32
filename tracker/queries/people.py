"""The people of some clinics, for who administers them."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound
from tracker.models import ENROLLED, Account, BrowserSession, Clinic, Membership


class Colleague(NamedTuple):
    """One account, whether it has a second factor, where its person works, and the browsers that are signed in."""

    account: Account
    enrolled: bool
    clinics: list[str]
    browsers: int
    last_seen: datetime | None


def colleagues(
    session: Session, clinic_ids: Collection[int], seen_after: datetime, begun_after: datetime
) -> list[Colleague]:
    """Everybody who works in one of the clinics or in none yet, by name. Three statements."""
    people = _administered(clinic_ids).add_columns(ENROLLED).order_by(func.lower(Account.name), Account.id)
    accounts = [(account, bool(enrolled)) for account, enrolled in session.execute(people)]
    ids = [account.id for account, _ in accounts]
    places: dict[int, list[str]] = {}
    where = select(Membership.account_id, Clinic.name).join(Clinic, Clinic.id == Membership.clinic_id)
    for account_id, name in session.execute(where.where(Membership.account_id.in_(ids)).order_by(Clinic.name)):
        places.setdefault(account_id, []).append(name)
    live = (
        BrowserSession.revoked_at.is_(None),
        BrowserSession.seen_at > seen_after,
        BrowserSession.created_at > begun_after,
    )
    seen: dict[int | None, tuple[int, datetime | None]] = {
        account_id: (open_now, last)
        for account_id, open_now, last in session.execute(
            select(BrowserSession.account_id, func.count().filter(*live), func.max(BrowserSession.seen_at))
            .where(BrowserSession.account_id.in_(ids))
            .group_by(BrowserSession.account_id)
        )
    }
    return [Colleague(a, enrolled, places.get(a.id, []), *seen.get(a.id, (0, None))) for a, enrolled in accounts]


def colleague(session: Session, clinic_ids: Collection[int], account_id: int) -> Account:
    """One of them. Raises NotFound for nobody, and for somebody who only works elsewhere."""
    found = session.scalar(_administered(clinic_ids).where(Account.id == account_id))
    if found is None:
        raise NotFound("There is no such person, or they work elsewhere.")
    return found


def clinics(session: Session, clinic_ids: Collection[int]) -> list[Clinic]:
    """The clinics by name."""
    return list(session.scalars(select(Clinic).where(Clinic.id.in_(clinic_ids)).order_by(Clinic.name)))


def _administered(clinic_ids: Collection[int]) -> Select[Account]:
    here = select(Membership.account_id).where(Membership.clinic_id.in_(clinic_ids))
    anywhere = select(Membership.account_id)
    return select(Account).where(Account.id.in_(here) | Account.id.not_in(anywhere))
