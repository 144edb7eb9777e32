"""A drafted yardstick put in force: what it would do to the flags of the clinic, doing it, and taking it back.

Every patient of the clinic is judged again in the same transaction, so that no flag stands on a yardstick that is not
in force any more; in a clinic too large for that, a job begins to do so at once, and who is not judged yet is told by
their digest. From which day a version applies is said when it is published: from today, or from a day that has passed,
which judges history again. It happens where nobody else writes (`Database.transaction(alone=True)`), so a file that is
being imported, or the part of a long one, is judged by one of the two versions, whole.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.ranges import STARTER_FROM
from tracker.models import Account, ClinicSetting, Job, Patient, ReferenceRange
from tracker.operations import audit, jobs, trial
from tracker.operations.actor import Actor
from tracker.operations.enrol import zone_of
from tracker.operations.evaluate import Changes, evaluate, left_to_judge
from tracker.operations.settings import CHECKS, next_number, published_versions
from tracker.operations.trial import Preview
from tracker.queries.patients import everybody
from tracker.queries.range_table import is_followed_at_once, turn, versions
from tracker.queries.yardsticks import Back, Trial, load_yardsticks

FROM_TODAY, BACK_FILL = "today", "history"
AT_ONCE = 2000  # patients of a clinic that are judged within the request; more are judged by a job

Draft = ReferenceRange | ClinicSetting


def preview(session: Session, actor: Actor, clinic_id: int, planned: Trial) -> Preview:
    """What a plan would change of the clinic's flags. Reads alone."""
    today = actor.today(zone_of(session, clinic_id))
    return trial.preview(session, clinic_id, everybody(session, clinic_id), planned, today)


def ask_for_preview(session: Session, actor: Actor, clinic_id: int, planned: Trial) -> Job:
    """The same by a job, for a clinic that is large; it keeps the digest of the yardsticks it is held against."""
    told = {"today": actor.today(zone_of(session, clinic_id)).isoformat(), "seen": in_force(session, clinic_id)}
    return jobs.ask(session, actor, clinic_id, jobs.PREVIEW, planned.as_json() | told)


def in_force(session: Session, clinic_id: int) -> str:
    """A digest of all that a clinic has published: another one later, and a preview does not hold any more."""
    return load_yardsticks(session, clinic_id).digest or "as shipped"


def plan(session: Session, actor: Actor, drafts: Sequence[Draft], applies: str) -> Trial:
    """From which day each draft of one clinic would apply, and the number a setting would get. Raises Refused where one
    cannot be, Stale where it is a draft no more.
    """
    today = actor.today(zone_of(session, drafts[0].clinic_id))
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


def publish(session: Session, actor: Actor, drafts: Sequence[Draft], applies: str, seen: str = "") -> Changes | None:
    """Put the drafts of one clinic in force together and judge its patients; what that changed, None where a job does
    it.

    `seen` is the digest of what was in force when they were looked at. Raises NotAllowed for the person who drafted one
    of them, Stale where one is no draft any more or something else was published since.
    """
    _still_may(session, actor)
    for draft in drafts:
        session.refresh(draft, with_for_update=True)
        if draft.state == "draft" and draft.drafted_by == actor.account_id:
            raise NotAllowed("A second person publishes what you drafted.")
    clinic_id = drafts[0].clinic_id
    planned = plan(session, actor, drafts, applies)
    if seen and seen != in_force(session, clinic_id):
        raise Stale("Something else was published meanwhile. Look again at what yours would change.")
    _bring_up_to_date(session, actor, clinic_id)
    for draft in drafts:
        _put_in_force(session, actor, draft, planned)
    return _judge_all(session, actor, clinic_id)


def _still_may(session: Session, actor: Actor) -> None:
    """Raises NotAllowed for whoever lost their account or their role while they waited for their turn to write."""
    if actor.account_id is not None:
        account = session.get_one(Account, actor.account_id, populate_existing=True)
        if not account.active or account.role != actor.role:
            raise NotAllowed("Your account was changed meanwhile: nothing was published.")


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


def plan_back(session: Session, row: Draft) -> Trial:
    """A published version taken back. What judges then is what would judge had it never been published: the new version
    says what the one before it said, from the same day on. Raises Refused for the starter set, Stale for a version that
    judges nothing any more.
    """
    if isinstance(row, ClinicSetting):
        if row.state != "published" or published_versions(session, row)[0].id != row.id:
            raise Stale("This is not the latest version any more: only that one can be taken back.")
    elif row.effective_from == STARTER_FROM:
        raise Refused("A line of the starter set is not taken back: publish one of your own, which comes before it.")
    elif row.state != "published" or is_followed_at_once(session, row):
        raise Stale("This version judges nothing any more: look at the one that took its place.")
    return Trial({}, {}, Back(row.__tablename__, row.id, row.effective_from))


def roll_back(session: Session, actor: Actor, row: ClinicSetting) -> Changes | None:
    """Take the latest version of a setting back: a new version says what the one before it said, from the same day on.

    One person is enough, because two people put in force what comes back. Raises Stale where it is not the latest.
    """
    _still_may(session, actor)
    session.refresh(row, with_for_update=True)
    plan_back(session, row)
    versions = published_versions(session, row)
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
    _still_may(session, actor)
    session.refresh(row, with_for_update=True)
    plan_back(session, row)
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
