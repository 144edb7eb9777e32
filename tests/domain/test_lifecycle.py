"""What may become of a flag: the whole table, and what holds for every walk through it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tracker.domain import lifecycle
from tracker.domain.errors import Refused
from tracker.domain.findings import RANK, SEVERITIES
from tracker.domain.lifecycle import (
    ACTIONS,
    CLOSED,
    MOVES,
    STATES,
    Standing,
    attention,
    escalated,
    move,
    needs_day,
    needs_second_person,
    reopening,
    waits_since,
)

STANDING = ("open", "reopened", "acknowledged", "snoozed", "awaiting_repeat")
CARRIED = ("acknowledged", "snoozed", "awaiting_repeat")
# Who, from where, where to; "" leaves the judgement as it is. Written from the contract, not from the code.
TABLE = {
    "acknowledge": ("person", STANDING, "acknowledged"),
    "repeat": ("person", STANDING, "awaiting_repeat"),
    "snooze": ("person", STANDING, "snoozed"),
    "hold": ("person", STANDING, "acknowledged"),
    "reduce": ("person", STANDING, "acknowledged"),
    "resume": ("person", STANDING, "acknowledged"),
    "stop": ("person", STANDING, "acknowledged"),
    "treat": ("person", STANDING, "acknowledged"),
    "refer": ("person", STANDING, "acknowledged"),
    "close": ("person", STANDING, "closed"),
    "no_action": ("person", STANDING, "closed"),
    "reopen": ("person", ("closed",), "reopened"),
    "amended": ("machine", (*CARRIED, "closed"), "reopened"),
    "confirmed": ("machine", (*CARRIED, "closed"), "reopened"),
    "worse": ("machine", (*CARRIED, "closed"), "reopened"),
    "repeat_overdue": ("machine", CARRIED, "reopened"),
    "time_over": ("machine", CARRIED, "reopened"),
    "cleared": ("machine", STATES, ""),
    "superseded": ("machine", STATES, ""),
}
TODAY = date(2026, 3, 20)


def test_the_table_is_the_whole_of_it() -> None:
    assert {move.code: (move.by, set(move.comes_from), move.leads_to) for move in MOVES} == {
        code: (by, set(comes_from), leads_to) for code, (by, comes_from, leads_to) in TABLE.items()
    }


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("code", ACTIONS)
def test_every_decision_from_every_state_leads_where_the_table_says_or_is_refused(state: str, code: str) -> None:
    _, comes_from, leads_to = TABLE[code]
    if state in comes_from:
        assert move(state, code) == leads_to
    else:
        with pytest.raises(Refused, match="closed"):
            move(state, code)


def test_an_unknown_decision_is_refused() -> None:
    with pytest.raises(Refused):
        move("open", "discharge")


@pytest.mark.parametrize(
    ("code", "grade", "needed"),
    [("stop", None, True), ("stop", 1, True), ("no_action", 3, True), ("no_action", 4, True), ("no_action", 2, False),
     ("no_action", None, False), ("close", 4, False), ("hold", 4, False)],
)  # fmt: skip
def test_stopping_and_closing_grade_3_without_action_need_a_second_person(
    code: str, grade: int | None, needed: bool
) -> None:
    assert needs_second_person(code, grade) is needed


SOON_OVER, OVER = TODAY, TODAY - timedelta(days=1)  # the last day somebody set is still theirs


@pytest.mark.parametrize(
    ("standing", "grade", "severity", "extra", "why"),
    [
        (Standing("acknowledged", 2, "routine"), 3, "soon", {}, "worse"),
        (Standing("acknowledged", 3, "soon"), 3, "soon", {}, ""),
        (Standing("acknowledged", 3, "soon"), 2, "routine", {}, ""),
        (Standing("closed", 2, "routine"), 3, "soon", {}, "worse"),
        (Standing("closed", 2, "routine", OVER), 2, "routine", {"repeat_overdue": True}, ""),
        (Standing("closed", 2, "routine"), 2, "routine", {"amended": True}, "corrected"),
        (Standing("snoozed", None, "routine", OVER), None, "routine", {}, "over"),
        (Standing("snoozed", None, "routine", SOON_OVER), None, "routine", {}, ""),
        (Standing("acknowledged", 4, "urgent"), 4, "urgent", {"repeat_overdue": True}, "repeat is overdue"),
        (Standing("awaiting_repeat", 4, "urgent", SOON_OVER), 4, "urgent", {"repeat_overdue": True}, ""),
        (Standing("awaiting_repeat", 4, "urgent", OVER), 4, "urgent", {"repeat_overdue": True}, "repeat is overdue"),
        (Standing("awaiting_repeat", 4, "urgent", OVER), 4, "urgent", {}, "repeat is overdue"),
        (Standing("awaiting_repeat", 4, "urgent", SOON_OVER), 4, "urgent", {"confirmed": True}, "confirmed"),
        (Standing("closed", 4, "urgent"), 4, "urgent", {"confirmed": True}, "confirmed"),
        (Standing("open", None, None), 4, "urgent", {"amended": True}, ""),
    ],
)  # fmt: skip
def test_when_a_decided_flag_comes_back(
    standing: Standing, grade: int | None, severity: str, extra: dict[str, bool], why: str
) -> None:
    flags = {"amended": False, "confirmed": False, "repeat_overdue": False} | extra
    found = reopening(standing, grade, severity, TODAY, **flags)
    assert bool(found) == bool(why)
    assert why in found


@pytest.mark.parametrize(
    ("code", "confirmation", "due_on", "needed"),
    [("snooze", None, None, True), ("repeat", None, None, True), ("acknowledge", None, None, False),
     ("acknowledge", "needs_repeat", TODAY, False), ("acknowledge", "needs_repeat", OVER, True),
     ("hold", "repeat_overdue", OVER, True), ("stop", "repeat_overdue", OVER, False),
     ("close", "repeat_overdue", OVER, False), ("acknowledge", "confirmed", OVER, False)],
)  # fmt: skip
def test_what_leaves_an_overdue_repeat_standing_says_by_when_it_is_looked_at_again(
    code: str, confirmation: str | None, due_on: date | None, needed: bool
) -> None:
    assert needs_day(code, confirmation, due_on, TODAY) is needed


NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WITHIN = (timedelta(hours=24), timedelta(hours=72), timedelta(days=14), None)


@pytest.mark.parametrize(
    ("place", "hours", "late"),
    [(0, 24, False), (0, 25, True), (1, 72, False), (1, 73, True), (2, 14 * 24 + 1, True), (3, 9999, False),
     (4, 9999, False), (9, 9999, False)],
)  # fmt: skip
def test_what_nobody_decided_on_in_its_time_is_escalated(place: int, hours: int, late: bool) -> None:
    assert escalated(place, NOW - timedelta(hours=hours), NOW, WITHIN) is late


def test_what_is_decided_waits_for_nobody_and_what_gets_more_urgent_waits_anew() -> None:
    before = NOW - timedelta(days=3)
    assert waits_since(before, 1, "open", 1, NOW) == before
    assert waits_since(before, 1, "open", 0, NOW) == NOW
    assert waits_since(before, 1, "open", 2, NOW) == before
    assert waits_since(before, 1, "reopened", 1, NOW, came_back=True) == NOW
    assert waits_since(before, 1, "snoozed", 5, NOW) is None
    assert waits_since(before, 1, "open", 9, NOW) is None


REVIEWS = st.sampled_from(STATES)
SEVERITY = st.sampled_from(SEVERITIES)


@given(severity=SEVERITY, review=REVIEWS)
def test_an_open_finding_that_nobody_closed_is_somewhere_in_the_queue(severity: str, review: str) -> None:
    place = attention(severity, "open", review, folded=False)
    assert (place == lifecycle.NOT_QUEUED) == (review == CLOSED)


@given(severity=SEVERITY, worse=SEVERITY, review=st.sampled_from(lifecycle.UNDECIDED))
def test_what_eased_before_anybody_looked_keeps_its_place(severity: str, worse: str, review: str) -> None:
    before = attention(worse, "open", review, folded=False)
    after = attention(severity, "open", review, folded=False, before=before)
    if before < RANK["info"]:
        assert after <= before


@given(severity=SEVERITY)
def test_what_somebody_decided_on_asks_for_closure_when_it_clears(severity: str) -> None:
    for review in ("reopened", *CARRIED):
        assert attention(severity, "cleared", review, folded=False) == RANK["routine"]


@given(severity=SEVERITY)
def test_a_clearing_result_never_hides_an_urgent_flag_nobody_saw(severity: str) -> None:
    before = attention(severity, "open", "open", folded=False)
    after = attention(severity, "cleared", "open", folded=False, before=before)
    assert (after != lifecycle.NOT_QUEUED) == (severity in ("urgent", "soon"))


class Life(RuleBasedStateMachine):
    """One flag through everything that people and results can do to it, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.review, self.severity, self.machine = "open", "routine", "open"
        self.reviewed: str | None = None
        self.until: date | None = None
        self.day = TODAY
        self.place = attention("routine", "open", "open", folded=False)
        self.since: datetime | None = NOW

    def settle(self, review: str, came_back: bool = False) -> None:
        undecided = review in lifecycle.UNDECIDED and not came_back and self.review == review
        before = self.place if undecided else None
        place = attention(self.severity, self.machine, review, folded=False, before=before)
        self.since = waits_since(self.since, self.place, review, place, NOW, came_back)
        self.review, self.place = review, place

    @rule(code=st.sampled_from(sorted(ACTIONS)), days=st.integers(0, 30))
    def a_person_decides(self, code: str, days: int) -> None:
        try:
            after = move(self.review, code)
        except Refused:
            assert (self.review == "closed") != (code == "reopen")
            return
        assert after in STATES
        self.until = self.day + timedelta(days=days) if ACTIONS[code].needs_until else None
        self.reviewed = self.severity
        self.settle(after, came_back=code == "reopen")

    @rule(severity=SEVERITY, amended=st.booleans(), confirmed=st.booleans(), overdue=st.booleans())
    def a_result_is_judged(self, severity: str, amended: bool, confirmed: bool, overdue: bool) -> None:
        before, self.machine, self.severity = self.review, "open", severity
        standing = Standing(self.review, None, self.reviewed, self.until)
        why = reopening(
            standing, None, severity, self.day, amended=amended, confirmed=confirmed, repeat_overdue=overdue
        )
        assert not (why and before in lifecycle.UNDECIDED)
        if RANK[severity] < RANK[self.reviewed or "info"] and before not in lifecycle.UNDECIDED:
            assert why, "worse always comes back"
        self.settle("reopened" if why else before, bool(why))

    @rule(days=st.integers(1, 20))
    def time_passes(self, days: int) -> None:
        self.day += timedelta(days=days)
        standing = Standing(self.review, None, self.reviewed, self.until)
        carried_over = self.review in lifecycle.CARRIED and self.until is not None and self.until < self.day
        why = reopening(
            standing, None, self.reviewed or "info", self.day, amended=False, confirmed=False, repeat_overdue=False
        )
        assert bool(why) == carried_over, "nothing put off stays away after its day"
        if why:
            self.settle("reopened", came_back=True)

    @rule()
    def it_clears(self) -> None:
        before, self.machine = self.review, "cleared"
        self.settle(self.review)
        assert self.review == before, "a normal result never erases a judgement"
        if before not in ("open", "closed"):
            assert self.place == RANK["routine"], "closure is proposed to whoever judged it"

    @invariant()
    def nothing_that_needs_somebody_is_out_of_sight(self) -> None:
        if self.machine == "open" and self.review != "closed":
            assert self.place < lifecycle.NOT_QUEUED
        if self.review == "closed":
            assert self.place == lifecycle.NOT_QUEUED

    @invariant()
    def whoever_waits_is_known_to_wait_and_nobody_else(self) -> None:
        waits = self.review in lifecycle.UNDECIDED and self.place < lifecycle.CARRIED_OFFSET
        assert (self.since is not None) == waits


TestLife = Life.TestCase
