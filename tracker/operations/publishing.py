"""A drafted yardstick put in force: what it would do to the flags of the clinic, doing it, and taking it back.

Every patient of the clinic is judged again in the same transaction, so that no flag stands on a yardstick that is not
in force any more; in a clinic too large for that, a job begins to do so at once, and who is not judged yet is told by
their digest. From which day a version applies is said when it is published: from today, or from a day that has passed,
which judges history again. It happens where nobody else writes (`Database.transaction(alone=True)`), so a file that is
being imported is judged by one of the two versions, whole.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.ranges import STARTER_FROM
from tracker.models import ClinicSetting, Job, Patient, ReferenceRange
from tracker.operations import audit, jobs, trial
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, evaluate, left_to_judge
from tracker.operations.settings import CHECKS, next_number, published_versions
from tracker.operations.trial import Preview
from tracker.queries.patients import everybody
from tracker.queries.range_table import is_followed_at_once, turn, versions
from tracker.queries.yardsticks import Trial

FROM_TODAY, BACK_FILL = "today", "history"
AT_ONCE = 2000  # patients of a clinic that are judged within the request; more are judged by a job

Draft = ReferenceRange | ClinicSetting
Follows = Mapping[int, int | None]


def preview(session: Session, actor: Actor, drafts: Sequence[Draft], applies: str) -> Preview:
    """What publishing these drafts of one clinic together would change. Reads alone; raises as publishing would."""
    clinic_id = drafts[0].clinic_id
    today = actor.today(zone_of(session, clinic_id))
    planned = plan(session, drafts, applies, today)
    return trial.preview(session, clinic_id, everybody(session, clinic_id), planned, today)


def ask_for_preview(session: Session, actor: Actor, drafts: Sequence[Draft], applies: str) -> Job:
    """The same by a job, for a clinic that is large. Raises as publishing would."""
    clinic_id, today = drafts[0].clinic_id, actor.today(zone_of(session, drafts[0].clinic_id))
    planned = plan(session, drafts, applies, today)
    return jobs.ask(session, actor, clinic_id, jobs.PREVIEW, planned.as_json() | {"today": today.isoformat()})


def plan(session: Session, drafts: Sequence[Draft], applies: str, today: date) -> Trial:
    """From which day each draft would apply, and the number a setting would get. Raises Refused and Stale."""
    ranges: dict[int, date] = {}
    settings: dict[int, tuple[date, int]] = {}
    for draft in drafts:
        if draft.state != "draft":
            raise Stale(f"This draft was {draft.state} meanwhile.")
        day = applies_from(draft, applies, today)
        if isinstance(draft, ClinicSetting):
            settings[draft.id] = (day, _check_setting(session, draft, day))
        else:
            ranges[draft.id] = day
    return Trial(ranges, settings)


def _check_setting(session: Session, draft: ClinicSetting, day: date) -> int:
    """The number a setting gets. Raises Refused where it does not fit, or is dated before the one it follows."""
    CHECKS[draft.kind](draft.scope, draft.body)
    latest = published_versions(session, draft)[:1]
    if latest and latest[0].effective_from > day:
        raise Refused(
            f"Version {latest[0].number} applies from {latest[0].effective_from}: date yours that day or later, "
            "or take that one back first."
        )
    return next_number(session, draft)


def applies_from(draft: Draft, applies: str, today: date) -> date:
    """The first day a version judges. One dated in the past is published from today, or judges history again."""
    if draft.effective_from >= today or applies == BACK_FILL:
        return draft.effective_from
    if applies == FROM_TODAY:
        return today
    raise Refused(
        f"It is dated {draft.effective_from}, which has passed. Say whether it applies from today, or whether history "
        "is judged again with it."
    )


def publish(
    session: Session, actor: Actor, drafts: Sequence[Draft], applies: str, follows: Follows = MappingProxyType({})
) -> Changes | None:
    """Put the drafts of one clinic in force together and judge its patients; what that changed, None where a job does
    it.

    `follows` are, by the key of a draft that is a setting, the numbers of the versions that stood on the page. Raises
    NotAllowed for the person who drafted one of them, Stale where one is no draft any more or another version came
    first.
    """
    for draft in drafts:
        session.refresh(draft, with_for_update=True)
        if draft.state == "draft" and draft.drafted_by == actor.account_id:
            raise NotAllowed("A second person publishes what you drafted.")
        number = follows.get(draft.id)
        if isinstance(draft, ClinicSetting) and number is not None and next_number(session, draft) != number + 1:
            raise Stale("Another version was published meanwhile. Look again at what yours would change.")
    clinic_id = drafts[0].clinic_id
    planned = plan(session, drafts, applies, actor.today(zone_of(session, clinic_id)))
    _bring_up_to_date(session, actor, clinic_id)
    for draft in drafts:
        _put_in_force(session, actor, draft, planned)
    return _judge_all(session, actor, clinic_id)


def _put_in_force(session: Session, actor: Actor, draft: Draft, planned: Trial) -> None:
    before = audit.snapshot(draft)
    if isinstance(draft, ClinicSetting):
        draft.effective_from, draft.number = planned.settings[draft.id]
    else:
        draft.effective_from = planned.ranges[draft.id]
    draft.state, draft.published_by, draft.published_at = "published", actor.account_id, actor.utc
    session.flush()
    audit.note(
        session, actor, "publish", draft.__tablename__, draft.id, before=before, after=audit.snapshot(draft),
        reason=draft.reason, clinic_id=draft.clinic_id,
    )  # fmt: skip


def roll_back(session: Session, actor: Actor, row: ClinicSetting) -> Changes | None:
    """Take the latest version of a setting back: a new version says what the one before it said, from the same day on.

    One person is enough, because two people put in force what comes back. Raises Stale where it is not the latest.
    """
    session.refresh(row, with_for_update=True)
    versions = published_versions(session, row)
    if row.state != "published" or versions[0].id != row.id:
        raise Stale("This is not the latest version any more: only that one can be taken back.")
    _bring_up_to_date(session, actor, row.clinic_id)
    again = ClinicSetting(
        clinic_id=row.clinic_id, kind=row.kind, scope=row.scope, body=versions[1].body if len(versions) > 1 else {},
        source=versions[1].source if len(versions) > 1 else "", effective_from=row.effective_from,
        reason=f"version {row.number} taken back", drafted_by=actor.account_id, drafted_at=actor.utc,
        state="published", number=row.number + 1, published_by=actor.account_id, published_at=actor.utc,
    )  # fmt: skip
    audit.created(session, actor, again, clinic_id=row.clinic_id, reason=again.reason)
    return _judge_all(session, actor, row.clinic_id)


def roll_back_range(session: Session, actor: Actor, row: ReferenceRange) -> Changes | None:
    """Take a published range back: from its own day on its line says what it said before it. Where that was nothing of
    the clinic's own, the line ends, and the starter set's judges again where it has that line.

    One person is enough, as for a setting. Raises Refused for the starter set, Stale where the version is not published
    or another took its place from the same day.
    """
    session.refresh(row, with_for_update=True)
    if row.effective_from == STARTER_FROM:
        raise Refused("A line of the starter set is not taken back: publish one of your own, which comes before it.")
    if row.state != "published" or is_followed_at_once(session, row):
        raise Stale("This version judges nothing any more: look at the one that took its place.")
    _bring_up_to_date(session, actor, row.clinic_id)
    audit.created(session, actor, _as_before(session, actor, row), clinic_id=row.clinic_id, reason="taken back")
    return _judge_all(session, actor, row.clinic_id)


def _as_before(session: Session, actor: Actor, row: ReferenceRange) -> ReferenceRange:
    """A version from the same day on that says what the version before it said; without bounds where there was none."""
    earlier = (one for one in versions(session, row) if turn(one) < turn(row) and one.effective_from != STARTER_FROM)
    before = next(earlier, None)
    same = ("clinic_id", "analyte", "laboratory", "sex", "age_from", "age_to", "effective_from")
    says = ("low", "low_inclusive", "high", "high_inclusive", "unit", "source", "verified")
    return ReferenceRange(
        **{name: getattr(row, name) for name in same},
        **({name: getattr(before, name) for name in says} if before else {"unit": row.unit}),
        reason=f"the version of {row.published_at:%Y-%m-%d} taken back", state="published", drafted_by=actor.account_id,
        drafted_at=actor.utc, published_by=actor.account_id, published_at=actor.utc,
    )  # fmt: skip


def _bring_up_to_date(session: Session, actor: Actor, clinic_id: int) -> None:
    """Judge who is not judged by what is in force, or whose day has come, so that what time has done is not put down to
    the change; where a job will judge, it is left to it.
    """
    if not is_large(session, clinic_id):
        today = actor.today(zone_of(session, clinic_id))
        evaluate(session, clinic_id, left_to_judge(session, clinic_id, today), actor.utc, today)


def _judge_all(session: Session, actor: Actor, clinic_id: int) -> Changes | None:
    if is_large(session, clinic_id):
        jobs.ask(session, actor, clinic_id, jobs.JUDGE)
        return None
    today = actor.today(zone_of(session, clinic_id))
    return evaluate(session, clinic_id, everybody(session, clinic_id), actor.utc, today)


def is_large(session: Session, clinic_id: int) -> bool:
    """More patients than are judged while somebody waits."""
    return (session.scalar(select(func.count(Patient.id)).where(Patient.clinic_id == clinic_id)) or 0) > AT_ONCE
