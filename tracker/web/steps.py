"""The steps of every version, whatever it sets: looked at, published by a second person, taken back."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from tracker.domain.errors import JakwatchError, Refused, Stale
from tracker.operations import publishing
from tracker.operations.evaluate import Changes
from tracker.operations.publishing import BACK_FILL, FROM_TODAY, Draft
from tracker.operations.trial import CHANGED, CLEARED, OPENED, Preview
from tracker.queries.range_table import DRAFT
from tracker.queries.yardsticks import Trial
from tracker.rules import TITLES
from tracker.web.access import current_actor, current_user
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.filters import count, zone

APPLIES = {
    FROM_TODAY: "From today: what began before stays as it was judged",
    BACK_FILL: "From that day: history since then is judged again",
}


def applies() -> str:
    """What was chosen about a day that has passed, "" where nothing was."""
    chosen = request.form.get("applies", "")
    return chosen if chosen in APPLIES else ""


def seen() -> str:
    """The digest of what was in force when the page was shown, "" where it does not say."""
    return request.form.get("seen", "")


Page = Callable[[Preview | None, JakwatchError | None], str]


def looked(look: Callable[[], Preview | ResponseReturnValue], page: Page) -> ResponseReturnValue:
    """The page with what a look found, or with why there is none; or the way to the job that looks."""
    try:
        found = look()
    except (Refused, Stale) as error:
        return page(None, error), status(error)
    return page(found, None) if isinstance(found, Preview) else found


def look(drafts: Sequence[Draft]) -> Preview | ResponseReturnValue:
    """What publishing these would change. Raises Refused and Stale."""
    return look_at(drafts[0].clinic_id, publishing.plan(reading(), current_actor(), drafts, applies()))


def look_back(row: Draft) -> Preview | ResponseReturnValue:
    """What taking this version back would change. Raises Refused and Stale."""
    return look_at(row.clinic_id, publishing.plan_back(reading(), row))


def look_at(clinic_id: int, planned: Trial) -> Preview | ResponseReturnValue:
    """What a plan would change; in a large clinic, the way to the job that finds out."""
    if not publishing.is_large(reading(), clinic_id):
        return publishing.preview(reading(), current_actor(), clinic_id, planned)
    with writing() as session:
        job = publishing.ask_for_preview(session, current_actor(), clinic_id, planned)
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def judged(done: Changes | None) -> str:
    """`2 patients judged again; flags: 0 opened, 1 changed, 0 cleared.`"""
    if done is None:
        return "Everybody is judged again in the background: see “Long work”."
    told = done.counts()
    return f"{count(done.patients, 'patient')} judged again; flags: " + (
        ", ".join(f"{told[word]} {word}" for word in (OPENED, CHANGED, CLEARED)) + "."
    )


def status(refused: JakwatchError) -> int:
    """Of the page that comes back: somebody else was first, or what was sent cannot be."""
    return 409 if isinstance(refused, Stale) else 422


def shown(rows: Sequence[Draft], found: Preview | None, refused: JakwatchError | None) -> dict[str, Any]:
    """What the pages of versions show of these steps, for rows that go together."""
    draft = all(row.state == DRAFT for row in rows)
    return {
        "draft": draft,
        "mine": any(row.drafted_by == current_user().id for row in rows),
        "past": draft and any(row.effective_from < today(zone()) for row in rows),
        "seen": publishing.in_force(reading(), rows[0].clinic_id) if draft else "",
        "choices": APPLIES,
        "chosen": applies(),
        "preview": found,
        "refused": refused,
        "titles": TITLES,
    }
