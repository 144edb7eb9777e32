"""What may become of a flag. Machine state is moved by evaluation, human state by reviews; both through this one file.

The human states: open, acknowledged (somebody owns it, with a next check), snoozed (until a day, with a reason),
awaiting repeat (until a day), closed, reopened (worse, amended, repeat overdue, snooze over). No machine verdict
closes a flag: a normal repeat proposes closure.
"""

from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.findings import INFO, RANK, ROUTINE, SOON

OPEN, ACKNOWLEDGED, SNOOZED = "open", "acknowledged", "snoozed"
AWAITING_REPEAT, CLOSED, REOPENED = "awaiting_repeat", "closed", "reopened"
STATES = (OPEN, ACKNOWLEDGED, SNOOZED, AWAITING_REPEAT, CLOSED, REOPENED)
UNDECIDED = (OPEN, REOPENED)
CARRIED = (ACKNOWLEDGED, SNOOZED, AWAITING_REPEAT)

MACHINE_OPEN, MACHINE_CLEARED = "open", "cleared"


class Action(NamedTuple):
    """One coded decision: where it leads, what it must come with, and whether it writes the course."""

    code: str
    words: str
    leads_to: str
    needs_until: bool = False
    needs_comment: bool = False
    writes_course: bool = False
    always_second_person: bool = False


ACTIONS = {
    action.code: action
    for action in (
        Action("acknowledge", "Acknowledge", ACKNOWLEDGED),
        Action("repeat", "Order a repeat", AWAITING_REPEAT, needs_until=True),
        Action("snooze", "Snooze", SNOOZED, needs_until=True, needs_comment=True),
        Action("hold", "Hold the drug", ACKNOWLEDGED, writes_course=True),
        Action("reduce", "Reduce the dose", ACKNOWLEDGED, writes_course=True),
        Action("resume", "Resume the drug", ACKNOWLEDGED, writes_course=True),
        Action(
            "stop", "Stop the drug", ACKNOWLEDGED, needs_comment=True, writes_course=True, always_second_person=True
        ),
        Action("treat", "Treat", ACKNOWLEDGED, needs_comment=True),
        Action("refer", "Refer", ACKNOWLEDGED, needs_comment=True),
        Action("close", "Close: dealt with", CLOSED),
        Action("no_action", "Close: no action needed", CLOSED, needs_comment=True),
    )
}
SECOND_PERSON_GRADE = 3  # closing grade 3 or worse without action waits for a second person


def move(state: str, code: str) -> str:
    """The state a decision leads to. Raises Refused for a decision that makes no sense from here."""
    action = ACTIONS.get(code)
    if action is None:
        raise Refused(f"“{code}” is not a decision.")
    if state == CLOSED:
        raise Refused("This flag is closed. It re-opens by itself when the finding gets worse or is amended.")
    return action.leads_to


def needs_second_person(code: str, grade: int | None) -> bool:
    """Stopping the drug, and closing grade 3 or worse without action, wait for a second person."""
    return ACTIONS[code].always_second_person or (
        code == "no_action" and grade is not None and grade >= SECOND_PERSON_GRADE
    )


class Standing(NamedTuple):
    """What re-opening is decided from: the flag's human state, and how bad it was when somebody last decided."""

    review: str
    reviewed_grade: int | None
    reviewed_severity: str | None


def worse(standing: Standing, grade: int | None, severity: str) -> bool:
    """Is the finding worse than it was when somebody last decided on it?"""
    if standing.reviewed_severity is not None and RANK[severity] < RANK[standing.reviewed_severity]:
        return True
    return grade is not None and standing.reviewed_grade is not None and grade > standing.reviewed_grade


def reopening(
    standing: Standing,
    grade: int | None,
    severity: str,
    *,
    amended: bool,
    confirmed: bool,
    repeat_overdue: bool,
    snooze_over: bool,
) -> str:
    """Why a decided flag comes back, "" where it does not. Undecided flags are there already."""
    if standing.review in UNDECIDED:
        return ""
    carried = standing.review != CLOSED
    reasons = (
        (amended, "a result it rests on was corrected"),
        (confirmed, "the repeat confirmed it"),
        (worse(standing, grade, severity), "worse than when it was decided"),
        (carried and repeat_overdue, "the repeat is overdue"),
        (carried and snooze_over, "the time it was put aside for is over"),
    )
    return next((words for holds, words in reasons if holds), "")


NOT_QUEUED = 9
CARRIED_OFFSET = 4


# What is asked for and has been done, or was missing and has come, needs nobody to close it.
SETTLED_BY_THEMSELVES = frozenset({"overdue", "not_evaluated", "screening", "dosing", "hold"})


def attention(
    severity: str, machine: str, review: str, folded: bool, before: int | None = None, asks_closure: bool = True
) -> int:
    """A flag's place in the queue: 0 urgent, 1 soon, 2 routine, 3 info; 4 to 7 the same while somebody carries it; 9
    not in it.

    `before` is the place it had while still undecided: an urgent finding that eased before anybody looked keeps its
    place. A finding that cleared before anybody looked asks for closure at routine, if it was urgent or soon; else,
    and where nobody has to close it (`asks_closure` False), it leaves.
    """
    if folded or review == CLOSED:
        return NOT_QUEUED
    rank = RANK[severity]
    if machine == MACHINE_CLEARED:
        if not asks_closure:
            return NOT_QUEUED
        worst = rank if before is None or before >= CARRIED_OFFSET else min(rank, before)
        return RANK[ROUTINE] if review in CARRIED or worst <= RANK[SOON] else NOT_QUEUED
    if review in CARRIED:
        return rank + CARRIED_OFFSET
    if before is not None and before < RANK[INFO]:
        rank = min(rank, before)
    return rank
