"""What may become of a flag: the whole table, and what holds for every walk through it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain import lifecycle
from tracker.domain.errors import Refused
from tracker.domain.findings import RANK, SEVERITIES
from tracker.domain.lifecycle import ACTIONS, CLOSED, STATES, Standing, attention, move, needs_second_person, reopening

LEADS_TO = {
    "acknowledge": "acknowledged", "repeat": "awaiting_repeat", "snooze": "snoozed", "hold": "acknowledged",
    "reduce": "acknowledged", "resume": "acknowledged", "stop": "acknowledged", "treat": "acknowledged",
    "refer": "acknowledged", "close": "closed", "no_action": "closed",
}  # fmt: skip


@pytest.mark.parametrize("state", [state for state in STATES if state != CLOSED])
@pytest.mark.parametrize(("code", "after"), LEADS_TO.items())
def test_every_decision_leads_where_it_says(state: str, code: str, after: str) -> None:
    assert move(state, code) == after


def test_every_coded_decision_is_in_the_table() -> None:
    assert set(LEADS_TO) == set(ACTIONS)


@pytest.mark.parametrize("code", ACTIONS)
def test_a_closed_flag_takes_no_decision(code: str) -> None:
    with pytest.raises(Refused, match="closed"):
        move(CLOSED, code)


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


@pytest.mark.parametrize(
    ("standing", "grade", "severity", "extra", "why"),
    [
        (Standing("acknowledged", 2, "routine"), 3, "soon", {}, "worse"),
        (Standing("acknowledged", 3, "soon"), 3, "soon", {}, ""),
        (Standing("acknowledged", 3, "soon"), 2, "routine", {}, ""),
        (Standing("closed", 2, "routine"), 3, "soon", {}, "worse"),
        (Standing("closed", 2, "routine"), 2, "routine", {"repeat_overdue": True, "snooze_over": True}, ""),
        (Standing("closed", 2, "routine"), 2, "routine", {"amended": True}, "corrected"),
        (Standing("snoozed", None, "routine"), None, "routine", {"snooze_over": True}, "over"),
        (Standing("awaiting_repeat", 4, "urgent"), 4, "urgent", {"repeat_overdue": True}, "overdue"),
        (Standing("awaiting_repeat", 4, "urgent"), 4, "urgent", {"confirmed": True}, "confirmed"),
        (Standing("closed", 4, "urgent"), 4, "urgent", {"confirmed": True}, "confirmed"),
        (Standing("open", None, None), 4, "urgent", {"amended": True}, ""),
    ],
)  # fmt: skip
def test_when_a_decided_flag_comes_back(
    standing: Standing, grade: int | None, severity: str, extra: dict[str, bool], why: str
) -> None:
    flags = {"amended": False, "confirmed": False, "repeat_overdue": False, "snooze_over": False} | extra
    found = reopening(standing, grade, severity, **flags)
    assert bool(found) == bool(why)
    assert why in found


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
def test_a_clearing_result_never_hides_an_urgent_flag_nobody_saw(severity: str) -> None:
    before = attention(severity, "open", "open", folded=False)
    after = attention(severity, "cleared", "open", folded=False, before=before)
    assert (after != lifecycle.NOT_QUEUED) == (severity in ("urgent", "soon"))
