"""What may become of a flag: one table, `MOVES`, and what follows from it.

The human states: open, acknowledged (somebody owns it, with a next check), snoozed (until a day, with a reason),
awaiting repeat (until a day), closed (with a reason where nothing was done), reopened. A person's move is an
append-only review; a move of the machine brings a decided flag back, or leaves the judgement as it is: no verdict
closes a flag, a normal repeat proposes closure, and an amendment that takes the finding away marks it superseded.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.findings import INFO, NEEDS_REPEAT, RANK, REPEAT_OVERDUE, ROUTINE, SOON

OPEN, ACKNOWLEDGED, SNOOZED = "open", "acknowledged", "snoozed"
AWAITING_REPEAT, CLOSED, REOPENED = "awaiting_repeat", "closed", "reopened"
STATES = (OPEN, ACKNOWLEDGED, SNOOZED, AWAITING_REPEAT, CLOSED, REOPENED)
UNDECIDED = (OPEN, REOPENED)
CARRIED = (ACKNOWLEDGED, SNOOZED, AWAITING_REPEAT)
DECIDED = (*CARRIED, CLOSED)
STANDING = (*UNDECIDED, *CARRIED)

MACHINE_OPEN, MACHINE_CLEARED = "open", "cleared"
PERSON, MACHINE = "person", "machine"


class Move(NamedTuple):
    """One move: from where, to where ("": the judgement stays as it is), and what it must come with.

    `by` is a person, or the machine that judges; `words` are the decision, or why a flag comes back.
    """

    code: str
    words: str
    comes_from: tuple[str, ...]
    leads_to: str
    by: str = PERSON
    needs_until: bool = False
    needs_comment: bool = False
    writes_course: bool = False
    always_second_person: bool = False


MOVES: tuple[Move, ...] = (
    Move("acknowledge", "Acknowledge", STANDING, ACKNOWLEDGED),
    Move("repeat", "Order a repeat", STANDING, AWAITING_REPEAT, needs_until=True),
    Move("snooze", "Snooze", STANDING, SNOOZED, needs_until=True, needs_comment=True),
    Move("hold", "Hold the drug", STANDING, ACKNOWLEDGED, writes_course=True),
    Move("reduce", "Reduce the dose", STANDING, ACKNOWLEDGED, writes_course=True),
    Move("resume", "Resume the drug", STANDING, ACKNOWLEDGED, writes_course=True),
    Move(
        "stop", "Stop the drug", STANDING, ACKNOWLEDGED,
        needs_comment=True, writes_course=True, always_second_person=True,
    ),
    Move("treat", "Treat", STANDING, ACKNOWLEDGED, needs_comment=True),
    Move("refer", "Refer", STANDING, ACKNOWLEDGED, needs_comment=True),
    Move("close", "Close: dealt with", STANDING, CLOSED),
    Move("no_action", "Close: no action needed", STANDING, CLOSED, needs_comment=True),
    Move("reopen", "Re-open", (CLOSED,), REOPENED, needs_comment=True),
    # What brings a decided flag back, the first that holds.
    Move("amended", "a result it rests on was corrected", DECIDED, REOPENED, MACHINE),
    Move("confirmed", "the repeat confirmed it", DECIDED, REOPENED, MACHINE),
    Move("worse", "worse than when it was decided", DECIDED, REOPENED, MACHINE),
    Move("repeat_overdue", "the repeat is overdue", CARRIED, REOPENED, MACHINE),
    Move("time_over", "the time it was put aside for is over", CARRIED, REOPENED, MACHINE),
    # What leaves the judgement alone.
    Move("cleared", "closure is proposed", STATES, "", MACHINE),
    Move("superseded", "an amendment took the finding away", STATES, "", MACHINE),
)  # fmt: skip
ACTIONS: Mapping[str, Move] = {move.code: move for move in MOVES if move.by == PERSON}
RETURNS: Mapping[str, Move] = {move.code: move for move in MOVES if move.by == MACHINE and move.leads_to}
SECOND_PERSON_GRADE = 3  # closing grade 3 or worse without action waits for a second person
LONGEST_DELAY = timedelta(days=366)  # nothing is put off for longer, inclusive


def move(state: str, code: str) -> str:
    """The state a decision leads to. Raises Refused for a decision that makes no sense from here."""
    action = ACTIONS.get(code)
    if action is None:
        raise Refused(f"“{code}” is not a decision.")
    if state in action.comes_from:
        return action.leads_to
    if state == CLOSED:
        raise Refused("This flag is closed. Re-open it first; it re-opens by itself when it gets worse or is amended.")
    raise Refused(f"“{action.words}” is for a flag that is closed.")


def needs_second_person(code: str, grade: int | None) -> bool:
    """Stopping the drug, and closing grade 3 or worse without action, wait for a second person."""
    return ACTIONS[code].always_second_person or (
        code == "no_action" and grade is not None and grade >= SECOND_PERSON_GRADE
    )


def needs_day(code: str, confirmation: str | None, due_on: date | None, today: date) -> bool:
    """Must the decision say by when the flag is looked at again? Always where it is put off; and where the day for its
    repeat has passed, for whatever leaves the drug and the finding standing: else it would come back at once.
    """
    late = confirmation in (NEEDS_REPEAT, REPEAT_OVERDUE) and due_on is not None and due_on < today
    return ACTIONS[code].needs_until or (late and ACTIONS[code].leads_to in CARRIED and code != "stop")


class Standing(NamedTuple):
    """What re-opening is decided from: the flag's human state, how bad it was when somebody last decided, and the day
    they set.
    """

    review: str
    reviewed_grade: int | None
    reviewed_severity: str | None
    until: date | None = None


def worse(standing: Standing, grade: int | None, severity: str) -> bool:
    """Is the finding worse than it was when somebody last decided on it?"""
    if standing.reviewed_severity is not None and RANK[severity] < RANK[standing.reviewed_severity]:
        return True
    return grade is not None and standing.reviewed_grade is not None and grade > standing.reviewed_grade


def reopening(
    standing: Standing,
    grade: int | None,
    severity: str,
    as_of: date,
    *,
    amended: bool,
    confirmed: bool,
    repeat_overdue: bool,
) -> str:
    """Why a decided flag comes back, "" where it does not. Undecided flags are there already.

    The day somebody set goes before the day the rule names for the repeat: up to and with it an overdue repeat is
    theirs to wait for.
    """
    over = standing.until is not None and standing.until < as_of
    holds = {
        "amended": amended,
        "confirmed": confirmed,
        "worse": worse(standing, grade, severity),
        "repeat_overdue": (repeat_overdue and standing.until is None)
        or (over and (repeat_overdue or standing.review == AWAITING_REPEAT)),
        "time_over": over,
    }
    found = (move.words for code, move in RETURNS.items() if holds[code] and standing.review in move.comes_from)
    return next(found, "")


NOT_QUEUED = 9
CARRIED_OFFSET = 4


# What is asked for and has been done, or was missing and has come, needs nobody to close it.
SETTLED_BY_THEMSELVES = frozenset({"overdue", "not_evaluated", "screening", "dosing", "hold"})


def attention(
    severity: str, machine: str, review: str, folded: bool, before: int | None = None, asks_closure: bool = True,
    asked: bool = False,
) -> int:  # fmt: skip
    """A flag's place in the queue: 0 urgent, 1 soon, 2 routine, 3 info; 4 to 7 the same while somebody carries it; 9
    not in it.

    `before` is the place it had while still undecided: an urgent finding that eased before anybody looked keeps its
    place. A finding that cleared before anybody looked asks for closure at routine, if it was urgent or soon; one that
    somebody had decided on, whatever it was, and one that `asked` for closure already; else, and where nobody has to
    close it (`asks_closure` False), it leaves.
    """
    if folded or review == CLOSED:
        return NOT_QUEUED
    rank = RANK[severity]
    if machine == MACHINE_CLEARED:
        if not asks_closure:
            return NOT_QUEUED
        worst = rank if before is None or before >= CARRIED_OFFSET else min(rank, before)
        return RANK[ROUTINE] if asked or review != OPEN or worst <= RANK[SOON] else NOT_QUEUED
    if review in CARRIED:
        return rank + CARRIED_OFFSET
    if before is not None and before < RANK[INFO]:
        rank = min(rank, before)
    return rank


def waits_since(
    before: datetime | None, place_before: int, review: str, place: int, now: datetime, came_back: bool = False
) -> datetime | None:
    """Since when a decision is waited for at this urgency; None where none is. A flag that came back, or that became
    more urgent while it waited, waits anew.
    """
    if review not in UNDECIDED or place >= CARRIED_OFFSET:
        return None
    return now if before is None or came_back or place < place_before else before


def escalated(place: int, since: datetime | None, now: datetime, within: Sequence[timedelta | None]) -> bool:
    """Has nobody decided within the time stated for this place in the queue (`within` by place; None: no time)?

    The limit itself is in time, one moment later is not.
    """
    limit = within[place] if place < len(within) else None
    return since is not None and limit is not None and now - since > limit
