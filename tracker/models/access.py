"""Who: clinics, people, where they work, and the browser sessions they have open."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, exists, or_
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key, UserId

ROLES = ("recorder", "clinician", "admin", "auditor")


class Clinic(Base):
    """The wall every patient stands behind."""

    __tablename__ = "clinic"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    created_at: Mapped[datetime]
    __table_args__ = (STRICT,)


class Account(Base):
    """One person, one account. Never deleted, never reassigned: disabled.

    `password_until`: it was given by somebody else, runs out then, and has to be changed before anything else.
    `totp_secret` is in force from `totp_since` on; `totp_step` is the last half minute whose code was taken.
    """

    __tablename__ = "account"
    id: Mapped[Key]
    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    failed_attempts: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    password_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    totp_secret: Mapped[str] = mapped_column(default="")
    totp_since: Mapped[datetime | None]
    totp_step: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the shape SQLAlchemy reads
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role_known"), STRICT)

    @property
    def active(self) -> bool:
        return self.disabled_at is None


class Membership(Base):
    """A person works in a clinic."""

    __tablename__ = "membership"
    id: Mapped[Key]
    account_id: Mapped[UserId] = mapped_column(index=True)
    clinic_id: Mapped[ClinicId]
    __table_args__ = (UniqueConstraint("account_id", "clinic_id"), STRICT)


class BrowserSession(Base):
    """A signed-in browser. Holds only a digest of the token the browser carries, so that a leaked table opens
    nothing.
    """

    __tablename__ = "browser_session"
    id: Mapped[Key]
    token_digest: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]]
    __table_args__ = (Index("ix_browser_session_account", "account_id"), STRICT)


class RecoveryCode(Base):
    """One of the codes somebody printed for the day their telephone is lost. Kept as a digest, good for one use."""

    __tablename__ = "recovery_code"
    id: Mapped[Key]
    account_id: Mapped[UserId] = mapped_column(index=True)
    digest: Mapped[str]
    made_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]
    __table_args__ = (STRICT,)


class Passkey(Base):
    """A key of a person's device or security key (WebAuthn). Never deleted: removed.

    `credential` and `public_key` are base64url as the browser says them, `handle` is what the device knows the person
    by. `counter` is the last one the device told (0 where it counts nothing); `challenged_at` is when the last
    challenge it answered was made: no challenge counts again, nor one made before it.
    """

    __tablename__ = "passkey"
    id: Mapped[Key]
    account_id: Mapped[UserId] = mapped_column(index=True)
    name: Mapped[str]
    credential: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str]
    handle: Mapped[str]
    counter: Mapped[int]
    challenged_at: Mapped[datetime]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    __table_args__ = (STRICT,)


# True of an account whose sign-in asks for more than the password.
ENROLLED: ColumnElement[bool] = or_(
    Account.totp_since.is_not(None),
    exists().where(Passkey.account_id == Account.id, Passkey.removed_at.is_(None)),
)


class Draft(Base):
    """What somebody was typing into a form when they were called away."""

    __tablename__ = "draft"
    id: Mapped[Key]
    account_id: Mapped[UserId]
    form: Mapped[str]
    data: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("account_id", "form"), STRICT)
