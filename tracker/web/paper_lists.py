"""The lists of the desk as they are printed: the queue with a line a patient, the due list, and letters to patients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from flask import current_app

from tracker import paper
from tracker.domain.findings import NEEDS_REPEAT, REPEAT_OVERDUE
from tracker.models import Flag, Patient
from tracker.queries.dashboard import QueueRow
from tracker.queries.queue import Around
from tracker.queries.repeats import Repeat
from tracker.web import due, queue_rows
from tracker.web.access import current_clinic
from tracker.web.clock import today
from tracker.web.filters import count, day, zone
from tracker.web.paper_words import flagged, printed, review_word, value_of, who
from tracker.web.queue import title as title_of
from tracker.web.wording import subject_name, why

MOST_DATES, MOST_NAMES = 2, 2  # further ones are counted
PUT_ASIDE = ("snoozed", "put_off")
WHOLE_QUEUE = queue_rows.View("", False, "", "")
NOBODY = 0  # no account: on paper nobody is “you”


# ---------------------------------------------------------------------------------------------- the queue


def worklist(rows: Sequence[QueueRow], place: Around, undecided: int, more: bool) -> paper.Worklist:
    """The queue in its order; `undecided` patients of it need a decision, and there may be more than there are rows."""
    title = f"Worklist of {day(today(zone()))}: {title_of(undecided).lower()}"
    cut = f"The list ends here, after {count(len(rows), 'patient')}: more are in the queue." if more else ""
    return paper.Worklist(printed(), title, [_waiting(one, place) for one in rows], cut)


def _waiting(found: QueueRow, place: Around) -> paper.Waiting:
    row = queue_rows.row_of(found, WHOLE_QUEUE, place, NOBODY)
    worst = flagged(row.worst, row.severity)
    if row.waits_since:
        worst = replace(worst, state=f"{worst.state}, unreviewed too long")
    return paper.Waiting(
        who(row.patient, row.taken, brief=True),
        worst,
        _others(row),
        _dates(found.flags),
        row.owners or "nobody",
    )


def _others(row: queue_rows.Row) -> str:
    named = [f"{other.headline.name} {value_of(other.headline)}".strip() for other in row.others]
    named += [f"and {row.more} more"] if row.more else []
    named += [f"{row.info} for information"] if row.info else []
    return "Also: " + " · ".join(named) if named else ""


def _dates(flags: Iterable[Flag]) -> str:
    """`Neutrophils: repeat by 3 Dec 2026`, a line each, the first day first."""
    together: dict[tuple[date, str], list[str]] = {}
    for flag in flags:
        if flag.due_on is not None and flag.machine == "open":
            together.setdefault((flag.due_on, _asked(flag)), []).append(subject_name(flag.subject))
    lines = [f"{_few(names)}: {words} {day(on)}" for (on, words), names in sorted(together.items())]
    return "\n".join(lines[:MOST_DATES] + ([f"and {len(lines) - MOST_DATES} more"] if lines[MOST_DATES:] else []))


def _asked(flag: Flag) -> str:
    if flag.rule == "overdue":
        return "overdue since"
    return "repeat by" if flag.confirmation in (NEEDS_REPEAT, REPEAT_OVERDUE) else "due"


def _few(names: Sequence[str]) -> str:
    own = list(dict.fromkeys(names))
    more = [f"{len(own) - MOST_NAMES} more"] if len(own) > MOST_NAMES else []
    return ", ".join([*own[:MOST_NAMES], *more])


# ---------------------------------------------------------------------------------------------- the due list


class Listed(NamedTuple):
    """Rows of a list, and whether its limit cut some off."""

    rows: Sequence[Any]
    more: bool


def due_list(title: str, late: Listed, repeated: Listed, now: Listed) -> paper.DueList:
    """Who is overdue (rows of the page), whose test is to be repeated, and who is due (rows of the page)."""
    return paper.DueList(
        printed(),
        title,
        [_due(row) for row in late.rows],
        f"The list ends here, after {count(len(late.rows), 'patient')}: more are overdue." if late.more else "",
        [_repeat(one) for one in repeated.rows],
        f"The list ends here, after {count(len(repeated.rows), 'repeat')}: all are in the queue."
        if repeated.more
        else "",
        [_due(row) for row in now.rows],
        "The list ends here: it was worked out for the patients whose next day comes first." if now.more else "",
    )


def _due(row: due.Row) -> paper.Due:
    return paper.Due(who(row.patient, row.taken, brief=True), [_check(item) for item in row.items], row.owners)


def _repeat(one: Repeat) -> paper.Due:
    """A repeat that somebody ordered, or that a rule asks for."""
    late = (today(zone()) - one.by).days
    check = paper.Check(
        subject_name(one.flag.subject),
        day(one.by),
        f"{count(late, 'day')} late" if late > 0 else "",
        why(one.flag),
        "ordered" if one.ordered else "asked for by the rule",
        "",
        not one.flag.verified,
    )
    return paper.Due(who(one.patient, None, brief=True), [check], one.owner)


def _check(item: due.Item) -> paper.Check:
    return paper.Check(
        ", ".join(item.names),
        day(item.due_on) + (", today" if item.days_late == 0 else ""),
        f"{count(item.days_late, 'day')} late" if item.days_late > 0 else "",
        item.why,
        item.source,
        review_word("snoozed" if item.state == "put_off" else item.state, item.until) if item.state else "",
        not item.verified,
    )


# ---------------------------------------------------------------------------------------------- letters


def letters(rows: Sequence[due.Row]) -> paper.Letters:
    """One to each patient, but to those about whom somebody has put all of it aside."""
    head: Mapping[str, Any] = current_app.config["LETTERHEADS"].get(current_clinic().code, {})
    return paper.Letters(
        printed(),
        day(today(zone())),
        head.get("address", ()),
        head.get("telephone", ""),
        [_letter(row.patient) for row in rows if any(item.state not in PUT_ASIDE for item in row.items)],
    )


def _letter(patient: Patient) -> paper.Letter:
    name = " ".join(part for part in (patient.given_name, patient.family_name) if part)
    return paper.Letter(name or "patient", patient.mrn)
