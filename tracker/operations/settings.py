"""What a clinic sets beside its ranges: drafted here, put in force (and taken back) by operations/publishing.py."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain import clinic_wide
from tracker.domain.criteria import criterion
from tracker.domain.errors import JakwatchError, NotFound, Refused, Stale
from tracker.domain.overlay import changed, find_line
from tracker.domain.tailoring import check_rule
from tracker.library.infections import vocabulary
from tracker.library.protocols import protocols
from tracker.models import Clinic, ClinicSetting
from tracker.models.setting import CLINIC_WIDE, OWN_RULE, PROTOCOL_LINE, RULE
from tracker.operations import audit
from tracker.operations.actor import Actor
from tracker.queries.yardsticks import UNITS
from tracker.rules import TITLES

SHORTEST_REASON = 5


def check_line(scope: str, body: Mapping[str, Any]) -> None:
    """Raise Refused, saying why, where a line of a protocol may not be changed so."""
    protocol_id, _, key = scope.partition("/")
    protocol = protocols().get(protocol_id)
    if protocol is None:
        raise NotFound("There is no such protocol.")
    changed(find_line(protocol, key), body, "")


def check_rule_setting(scope: str, body: Mapping[str, Any]) -> None:
    """Raise Refused, saying why, where a rule may not be set so."""
    if scope not in TITLES:
        raise NotFound("There is no such rule.")
    check_rule(scope, body)


def check_own_rule(scope: str, body: Mapping[str, Any]) -> None:
    """Raise Refused, saying why, where a clinic's own rule is not whole. An empty body: not in force."""
    analyte, _, key = scope.partition("/")
    if not key:
        raise Refused("The rule needs a title of letters or digits.")
    if body:
        criterion(analyte, body, UNITS, "", "")


def check_clinic_wide(scope: str, body: Mapping[str, Any]) -> None:
    """Raise Refused, saying why, where something may not be set so for a whole clinic."""
    if scope not in clinic_wide.SCOPES:
        raise NotFound("There is nothing of that name to set for a whole clinic.")
    clinic_wide.check(scope, body, vocabulary())


CHECKS = {
    PROTOCOL_LINE: check_line, RULE: check_rule_setting, OWN_RULE: check_own_rule, CLINIC_WIDE: check_clinic_wide,
}  # fmt: skip


class Proposal(NamedTuple):
    """What is to be set: see ClinicSetting for `kind`, `scope` and `body`."""

    kind: str
    scope: str
    body: Mapping[str, Any]
    effective_from: date
    source: str
    reason: str


def draft_setting(
    session: Session, actor: Actor, clinic_id: int, new: Proposal, replaces: ClinicSetting | None = None
) -> ClinicSetting:
    """A new version, in force once a second person has published it. A draft is not edited: another `replaces` it.

    Raises Refused for what may not be set, Stale where the draft was settled meanwhile.
    """
    CHECKS[new.kind](new.scope, new.body)
    if len(new.reason.strip()) < SHORTEST_REASON:
        raise Refused("Say in a few words why.")
    if replaces is not None:
        if (replaces.clinic_id, replaces.kind, replaces.scope) != (clinic_id, new.kind, new.scope):
            raise Refused("A draft is replaced by a draft of the same.")
        withdraw(session, actor, replaces, "replaced by another draft")
    row = ClinicSetting(
        clinic_id=clinic_id, drafted_by=actor.account_id, drafted_at=actor.utc,
        **new._replace(body=dict(new.body))._asdict(),
    )  # fmt: skip
    if not new.body and not published_versions(session, row):
        raise Refused("Nothing is changed by this.")
    audit.created(session, actor, row, clinic_id=clinic_id, reason=new.reason)
    return row


def withdraw(session: Session, actor: Actor, row: ClinicSetting, reason: str = "") -> None:
    """Take a draft back; it stays on record. Raises Stale where somebody settled it first."""
    session.refresh(row, with_for_update=True)
    if row.state != "draft":
        raise Stale(f"This draft was {row.state} meanwhile.")
    row.state = "withdrawn"
    session.flush()
    audit.note(
        session, actor, "withdraw", "clinic_setting", row.id, before={"state": "draft"}, after={"state": "withdrawn"},
        reason=reason, clinic_id=row.clinic_id,
    )  # fmt: skip


def published_versions(session: Session, row: ClinicSetting) -> list[ClinicSetting]:
    """The published versions of what a row sets, the latest first."""
    s = ClinicSetting
    same = select(s).where(
        s.clinic_id == row.clinic_id, s.kind == row.kind, s.scope == row.scope, s.state == "published"
    )
    return list(session.scalars(same.order_by(s.number.desc())))


def next_number(session: Session, row: ClinicSetting) -> int:
    s = ClinicSetting
    latest = select(func.max(s.number)).where(s.clinic_id == row.clinic_id, s.kind == row.kind, s.scope == row.scope)
    return (session.scalar(latest) or 0) + 1


def misfits(session: Session, clinic: Clinic, on: date) -> list[str]:
    """A sentence for each published version, in force on a day or to come, that no longer fits this program: of a rule
    or a line it does not have any more, or a body it would refuse today. Such a version judges nothing, or not as it
    says.
    """
    found = []
    for row in _standing(session, clinic.id, on):
        try:
            CHECKS[row.kind](row.scope, row.body)
        except JakwatchError as why:
            found.append(f"{clinic.code}: {row.kind.replace('_', ' ')} {row.scope}, version {row.number}: {why}")
    return found


def _standing(session: Session, clinic_id: int, on: date) -> Iterator[ClinicSetting]:
    """The published versions that say something and are in force, or will be."""
    s = ClinicSetting
    rows = session.scalars(
        select(s).where(s.clinic_id == clinic_id, s.state == "published").order_by(s.kind, s.scope, s.number)
    )
    for _, versions in groupby(rows, key=lambda row: (row.kind, row.scope)):
        held = list(versions)
        begun = [row for row in held if row.effective_from <= on][-1:]
        yield from (row for row in (*begun, *(row for row in held if row.effective_from > on)) if row.body)
