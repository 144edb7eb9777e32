"""The due list: what is overdue, and what falls due now, with the line of the protocol that asks for it.

Overdue is read from the flags that stand, for the whole clinic. What is due and not late yet is no flag: it is worked
out from the histories of a bounded number of patients at a time.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.domain.schedule import DUE, DueItem
from tracker.models import Flag, Patient
from tracker.queries import overdue, waivers
from tracker.queries.dashboard import dosings
from tracker.queries.due import due_list
from tracker.queries.overdue import Late, Place
from tracker.queries.queue import Around, around
from tracker.queries.repeats import MOST as MOST_REPEATS
from tracker.queries.repeats import repeats
from tracker.web.access import current_clinic, current_user
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.filters import count, zone
from tracker.web.wording import Taken, said, subject_name, taken, why

screen = Blueprint("due", __name__)

LATE_PAGE = 50  # patients
WORKED_OUT = 20  # patients whose histories are read for one page
WHOLE_LATE, WHOLE_DUE = 2000, 300  # the same on paper
LONGEST_WINDOW = timedelta(days=92)  # from when a check falls due until it is late: no protocol leaves more


class Item(NamedTuple):
    """Checks that are wanted for one and the same reason. `state` is what somebody decided, "" where nobody has."""

    names: tuple[str, ...]
    due_on: date
    days_late: int
    why: str
    source: str
    verified: bool
    state: str
    until: date | None
    severity: str


class Row(NamedTuple):
    """One patient with the checks that are wanted, the first to be done first. `subjects` are their codes."""

    patient: Patient
    taken: Taken
    items: list[Item]
    owners: str
    owner_ids: str
    is_mine: bool
    subjects: tuple[str, ...] = ()


@screen.get("/due")
def index() -> ResponseReturnValue:
    session, clinic, user = reading(), current_clinic(), current_user()
    mine, whole = request.args.get("whose") == "mine", "whole" in request.args
    place = around(session, clinic.id, user.id)
    late, next_late = overdue.page(
        session,
        clinic.id,
        owner_id=user.id if mine else None,
        after=Place.read(request.args.get("late", "")),
        size=WHOLE_LATE if whole else LATE_PAGE,
    )
    if mine:
        due, next_due = mine_now(session, clinic.id, user.id), ""
    else:
        due, next_due = due_now(session, clinic.id, WHOLE_DUE if whole else WORKED_OUT)
    return render_template(
        "due/index.html",
        mine=mine,
        whole=whole,
        late=late_rows(session, late, place, user.id),
        due=due_rows(session, due, place, user.id),
        repeats=repeats(session, [clinic.id], owner_id=user.id if mine else None),
        repeats_shown=MOST_REPEATS,
        title=_title(late, next_late is not None),
        next_late=_url(late=str(next_late)) if next_late else "",
        next_due=_url(after=next_due) if next_due else "",
        late_letters=_letters("late", whole),
        due_letters=_letters("due", whole),
        here=_url(late=request.args.get("late"), after=request.args.get("after")),
    )


def _url(**changes: str | None) -> str:
    whose = "mine" if request.args.get("whose") == "mine" else None
    return url_for("due.index", whose=whose, late=changes.get("late"), after=changes.get("after"))


def _letters(state: str, whole: bool) -> str:
    """To the patients that are shown: the address names the page as this one does."""
    asked: dict[str, Any] = {name: request.args.get(name) for name in ("whose", "late", "after")}
    return url_for("papers.letters", state=state, whole="yes" if whole else None, **asked)


def _title(late: list[Late], more: bool) -> str:
    if not late:
        return "Nobody is overdue"
    number = f"{len(late)}+ patients" if more else count(len(late), "patient")
    return f"{number} {'is' if len(late) == 1 and not more else 'are'} overdue"


def _together(items: Iterable[Item]) -> list[Item]:
    """Tests of one tube are wanted together: one line for those with the same day, reason and source."""
    found: dict[Item, list[str]] = {}
    for item in items:
        found.setdefault(item._replace(names=()), []).extend(item.names)
    return [item._replace(names=tuple(names)) for item, names in found.items()]


# ---------------------------------------------------------------------------------------------- overdue


def late_rows(session: Session, late: list[Late], place: Around, me: int) -> list[Row]:
    drugs = dosings(session, [one.patient.id for one in late])
    taken_on = waivers.owners(session, [one.patient.id for one in late])
    rows = []
    for one in late:
        whose = (flag.owner_id or taken_on.get((one.patient.id, flag.subject)) for flag in one.flags)
        owners = {owner for owner in whose if owner is not None}
        rows.append(
            Row(
                one.patient,
                taken(drugs.get(one.patient.id)),
                _together(_late_item(flag) for flag in one.flags),
                _names(owners, place, me),
                " ".join(str(who) for who in sorted(owners)),
                owners == {me},
            )
        )
    return rows


def _late_item(flag: Flag) -> Item:
    due_on = flag.due_on or flag.opened_on
    return Item(
        (subject_name(flag.subject),),
        due_on,
        (today(zone()) - due_on).days,
        _reason(flag),
        said(flag.source),
        flag.verified,
        "" if flag.review == "open" else flag.review,
        flag.until,
        flag.severity,
    )


def _reason(flag: Flag) -> str:
    """What stands in brackets in the sentence: which line of the schedule, counted from when."""
    _, opened, rest = flag.sentence.partition(" (")
    reason, closed, _ = rest.rpartition(")")
    return said(reason) if opened and closed else why(flag)


# ---------------------------------------------------------------------------------------------- due


def due_now(session: Session, clinic_id: int, most: int) -> tuple[list[tuple[int, DueItem]], str]:
    """What is due and not late yet, of the patients whose next day comes first, and where the following ones begin."""
    after = Place.read(request.args.get("after", ""))
    horizon = today(zone()) + LONGEST_WINDOW
    ids, following = overdue.next_to_check(session, clinic_id, horizon, after=after, size=most)
    found = due_list(session, clinic_id, today(zone()), ids)
    rows = [(row.patient_id, row.item) for row in found if row.item.state == DUE]
    return rows, str(following) if following else ""


def mine_now(session: Session, clinic_id: int, me: int) -> list[tuple[int, DueItem]]:
    """What this person took on and is not late yet."""
    ids = waivers.owned_by(session, clinic_id, me)
    owners = waivers.owners(session, ids)
    found = due_list(session, clinic_id, today(zone()), ids)
    held = [(row.patient_id, row.item) for row in found if row.item.state == DUE]
    return [(patient_id, item) for patient_id, item in held if owners.get((patient_id, item.subject)) == me]


def due_rows(session: Session, due: list[tuple[int, DueItem]], place: Around, me: int) -> list[Row]:
    ids = list(dict.fromkeys(patient_id for patient_id, _ in due))
    people, drugs = overdue.patients(session, ids), dosings(session, ids)
    taken_on = waivers.owners(session, ids)
    rows = []
    for patient_id in ids:
        items = [item for whose, item in due if whose == patient_id]
        owners = {taken_on[key] for item in items if (key := (patient_id, item.subject)) in taken_on}
        whole = all((patient_id, item.subject) in taken_on for item in items)
        rows.append(
            Row(
                people[patient_id], taken(drugs.get(patient_id)), _together(map(_due_item, items)),
                _names(owners, place, me), "", owners == {me} and whole, tuple(item.subject for item in items),
            )
        )  # fmt: skip
    return rows


def _names(owners: set[int], place: Around, me: int) -> str:
    return ", ".join("you" if who == me else place.people.get(who, "somebody else") for who in sorted(owners))


def _due_item(item: DueItem) -> Item:
    late = (today(zone()) - item.due_on).days
    return Item(
        (subject_name(item.subject),),
        item.due_on,
        late,
        said(item.reason),
        said(item.source),
        item.verified,
        "put_off" if item.waived else "",
        item.waived.until if item.waived else None,
        "",
    )
