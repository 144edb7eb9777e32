"""What a clinic set beside its ranges: versions that a second person publishes, in force from a date, never edited."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import STRICT, Base, ClinicId, Key

PROTOCOL_LINE, RULE, OWN_RULE, CLINIC_WIDE = "protocol_line", "rule", "own_rule", "clinic_wide"
KINDS = (PROTOCOL_LINE, RULE, OWN_RULE, CLINIC_WIDE)


class ClinicSetting(Base):
    """One version of one setting. `scope` names what is set: `tofacitinib_us/tofa_us_anc_hold`, a rule's code,
    `ANC/low_twice` for an own rule, `grace_days` for what holds for the whole clinic. `body` says how; an empty one
    leaves all as it is shipped.

    `number` counts the published versions of a scope from 1; 0 for what was never published.
    """

    __tablename__ = "clinic_setting"
    id: Mapped[Key]
    clinic_id: Mapped[ClinicId]
    kind: Mapped[str]
    scope: Mapped[str]
    body: Mapped[dict[str, Any]]
    number: Mapped[int] = mapped_column(default=0)
    effective_from: Mapped[date]
    source: Mapped[str] = mapped_column(default="")
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    drafted_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    drafted_at: Mapped[datetime]
    published_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    published_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint("state IN ('draft', 'published', 'withdrawn')", name="state_known"),
        CheckConstraint("(state = 'published') = (number > 0)", name="number_when_published"),
        Index("ix_clinic_setting_scope", "clinic_id", "kind", "scope"),
        Index(
            "uq_clinic_setting_version", "clinic_id", "kind", "scope", "number",
            unique=True, sqlite_where=sql("number > 0"), postgresql_where=sql("number > 0"),
        ),
        STRICT,
    )  # fmt: skip
