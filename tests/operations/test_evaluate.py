"""Flags are episodes: they open, join, get worse, clear and come back, and what people decided stays."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from tests.operations.conftest import TODAY, Desk
from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.findings import RANK
from tracker.models import Course, CourseEvent, Flag, Patient, Review, ReviewNotice
from tracker.operations import enrol, review
from tracker.operations.evaluate import evaluate, judge, rejudge
from tracker.operations.review import Decision
from tracker.queries import exports


def decide(desk: Desk, flag: Flag, decision: Decision, actor: object = None) -> None:
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        review.decide(session, actor or desk.doctor, patient, {flag.id: flag.version}, decision, TODAY)  # type: ignore[arg-type]


def low(desk: Desk, value: str, day: str) -> None:
    desk.labs(("ANC", value, "10*9/L", day))


def test_one_value_below_the_limit_asks_for_a_repeat_and_a_second_confirms(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-15")
    first = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert (first.confirmation, first.suggested, first.severity, first.due_on) == (
        "needs_repeat",
        "stop",
        "urgent",
        date(2026, 3, 22),
    )
    assert first.attention == 0
    low(desk, "0.44", "2026-03-18")
    second = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert (second.id, second.confirmation, second.due_on) == (first.id, "confirmed", None)
    assert len(second.evidence) == 2


def test_a_normal_repeat_proposes_closure_and_closes_nothing(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-15")
    low(desk, "2.4", "2026-03-18")
    flag = desk.flag("action_limit", "ANC", machine="cleared", entry="tofa_us_anc_stop")
    assert (flag.confirmation, flag.review, flag.attention) == ("not_confirmed", "open", 2)


def test_the_same_grade_joins_and_a_worse_one_reopens(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("acknowledge"))
    desk.labs(("ALT", "160", "U/L", "2026-03-05"))
    assert desk.flag("ctcae", "ALT").review == "acknowledged"
    desk.labs(("ALT", "260", "U/L", "2026-03-09"))
    again = desk.flag("ctcae", "ALT")
    assert (again.review, again.grade) == ("reopened", 3)
    assert "worse" in again.reopened_because
    assert len(again.evidence) == 3


def test_a_decision_that_rested_on_a_corrected_result_comes_back(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("acknowledge"))
    desk.labs(("ALT", "155", "U/L", "2026-03-01"), status="corrected")
    assert "corrected" in desk.flag("ctcae", "ALT").reopened_because


def test_the_repeat_that_never_came_brings_the_flag_back(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-19")
    decide(
        desk, desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop"), Decision("repeat", until=date(2026, 3, 24))
    )
    assert desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop").review == "awaiting_repeat"
    desk.judge_on(days=7)
    flag = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert (flag.confirmation, flag.review) == ("repeat_overdue", "reopened")


def test_an_overdue_repeat_can_be_put_off_to_a_day_and_comes_back_after_it(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-10")
    late = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert late.confirmation == "repeat_overdue"
    with pytest.raises(Refused, match="due by 2026-03-17"):
        decide(desk, late, Decision("acknowledge"))
    decide(desk, late, Decision("repeat", "comes on Tuesday", until=date(2026, 3, 24)))
    assert desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop").review == "awaiting_repeat"
    desk.judge_on(days=4)
    assert desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop").review == "awaiting_repeat", "up to and with it"
    desk.judge_on(days=5)
    back = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert (back.review, back.reopened_because) == ("reopened", "the repeat is overdue")


def test_nobody_puts_anything_off_for_longer_than_a_year(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    with pytest.raises(Refused, match="more than a year"):
        decide(desk, desk.flag("ctcae", "ALT"), Decision("snooze", "known for years", until=date(2027, 3, 22)))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("snooze", "known for years", until=date(2027, 3, 21)))


def test_a_closed_flag_is_reopened_by_hand_with_a_reason_and_the_one_who_closed_it_is_told(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("close", "gym the day before"))
    closed = desk.flag("ctcae", "ALT")
    assert (closed.review, closed.waiting_since) == ("closed", None)
    with pytest.raises(Refused, match="needs a reason"):
        decide(desk, closed, Decision("reopen"), desk.second)
    decide(desk, closed, Decision("reopen", "he does not go to the gym"), desk.second)
    again = desk.flag("ctcae", "ALT")
    assert (again.review, again.attention, again.waiting_since) == ("reopened", RANK[again.severity], desk.second.utc)
    assert "he does not go to the gym" in again.reopened_because
    desk.labs(("ALT", "152", "U/L", "2026-03-12"))
    assert "gym" in desk.flag("ctcae", "ALT").reopened_because, "said until somebody decides"
    with desk.database.reading() as session:
        (told,) = session.scalars(select(ReviewNotice))
        assert told.account_id == desk.doctor.account_id


def test_a_flag_reopened_by_hand_after_it_cleared_stays_until_somebody_closes_it(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("close"))
    desk.labs(("ALT", "22", "U/L", "2026-03-12"))
    decide(desk, desk.flag("ctcae", "ALT", None), Decision("reopen", "look at the trend again"))
    desk.judge_on(days=1)
    assert (desk.flag("ctcae", "ALT", None).review, desk.flag("ctcae", "ALT", None).attention) == ("reopened", 2)


def test_an_amendment_that_takes_the_finding_away_keeps_the_judgement_and_asks_for_closure(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("acknowledge", "seen"))
    desk.labs(("ALT", "15", "U/L", "2026-03-01"), status="corrected")
    gone = desk.flag("ctcae", "ALT", None)
    assert (gone.superseded, gone.machine, gone.review, gone.attention) == (True, "cleared", "acknowledged", 2)


def test_the_repeat_that_confirms_brings_the_flag_back(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-15")
    decide(
        desk,
        desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop"),
        Decision("repeat", until=date(2026, 3, 24)),
    )
    low(desk, "0.44", "2026-03-18")
    flag = desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop")
    assert (flag.confirmation, flag.review, flag.attention) == ("confirmed", "reopened", 0)
    assert flag.reopened_because == "the repeat confirmed it"


def test_time_alone_has_a_day_on_which_it_is_looked_at(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-19")
    with desk.database.reading() as session:
        assert session.get_one(Patient, desk.patient_id).next_check_on is not None


def test_a_snoozed_flag_comes_back_on_its_day(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    decide(desk, desk.flag("ctcae", "ALT"), Decision("snooze", "known, stable for years", until=date(2026, 3, 25)))
    desk.judge_on(days=3)
    assert desk.flag("ctcae", "ALT").review == "snoozed"
    desk.judge_on(days=6)
    assert desk.flag("ctcae", "ALT").review == "reopened"


def test_a_corrected_sex_changes_what_is_normal(desk: Desk) -> None:
    desk.labs(("HB", "13.0", "g/dL", "2026-03-01"))
    assert [f for f in desk.flags() if f.rule == "out_of_range" and f.subject == "HB"] == []
    with desk.database.transaction() as session:
        ada = session.get_one(Patient, desk.patient_id)
        enrol.correct(
            session, desk.nurse, ada, {"sex": "male"}, patient=ada, reason="entered wrongly", version=ada.version
        )
        changes = rejudge(session, desk.nurse, ada)
    assert any("13.0" in sentence for _, sentence in changes.opened)


def test_an_unknown_sex_is_work_to_do_and_not_normal(desk: Desk) -> None:
    with desk.database.transaction() as session:
        ada = session.get_one(Patient, desk.patient_id)
        enrol.correct(session, desk.nurse, ada, {"sex": "unknown"}, patient=ada, reason="not known after all")
    desk.labs(("HB", "13.0", "g/dL", "2026-03-01"))
    assert "sex" in desk.flag("not_evaluated", "HB", entry="sex").sentence


def test_two_people_on_one_flag_one_wins_and_the_other_is_told(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    shown = desk.flag("ctcae", "ALT")
    decide(desk, shown, Decision("acknowledge"))
    with pytest.raises(Stale):
        decide(desk, shown, Decision("close"), desk.second)


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (Decision("repeat"), "needs a date"), (Decision("snooze", "because", until=date(2026, 3, 1)), "in the past"),
        (Decision("no_action"), "needs a reason"), (Decision("discharge"), "Choose a decision"),
        (Decision("hold", on=date(2026, 4, 1)), "not ahead"), (Decision("reduce"), "amount in mg"),
    ],
)  # fmt: skip
def test_a_decision_without_what_it_needs_is_refused(desk: Desk, decision: Decision, says: str) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-01"))
    with pytest.raises(Refused, match=says):
        decide(desk, desk.flag("ctcae", "ALT"), decision)
    assert desk.flag("ctcae", "ALT").review == "open"


def test_a_hold_writes_the_course_in_the_same_save(desk: Desk) -> None:
    low(desk, "0.9", "2026-03-10")
    decide(desk, desk.flag("action_limit", "ANC"), Decision("hold", "persistent neutropenia", until=date(2026, 4, 3)))
    with desk.database.reading() as session:
        event = session.scalars(select(CourseEvent).where(CourseEvent.kind == "hold")).one()
        assert (event.on, event.review_on, event.reason) == (TODAY, date(2026, 4, 3), "persistent neutropenia")
        assert session.scalars(select(Review)).one().course_event_id == event.id


def test_a_reduced_dose_is_written_to_the_course(desk: Desk) -> None:
    low(desk, "0.9", "2026-03-10")
    decide(
        desk,
        desk.flag("action_limit", "ANC"),
        Decision("reduce", until=date(2026, 4, 3), dose_mg=Decimal(5), times_per_day=1),
    )
    with desk.database.reading() as session:
        doses = list(session.scalars(select(CourseEvent).where(CourseEvent.kind == "dose").order_by(CourseEvent.id)))
        assert [(dose.dose_mg, dose.times_per_day) for dose in doses] == [(5, 2), (5, 1)]


def test_a_stop_waits_for_a_second_person_who_is_not_the_first(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-15")
    low(desk, "0.44", "2026-03-18")
    decide(desk, desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop"), Decision("stop", "confirmed neutropenia"))
    with desk.database.transaction() as session:
        proposal = session.scalars(select(Review)).one()
        assert session.scalars(select(Course)).one().stopped_on is None
        with pytest.raises(NotAllowed):
            review.second_opinion(session, desk.doctor, proposal, True, "", TODAY)
        review.second_opinion(session, desk.second, proposal, True, "", TODAY)
        assert session.scalars(select(Course)).one().stopped_on == TODAY
    assert desk.flag("action_limit", "ANC", entry="tofa_us_anc_stop").review == "acknowledged"


def test_replaying_a_day_gives_what_was_stored(desk: Desk) -> None:
    for value, day in (("1.4", "2026-02-01"), ("0.95", "2026-02-20"), ("0.98", "2026-03-10"), ("0.46", "2026-03-15")):
        low(desk, value, day)
    desk.labs(
        ("ALT", "150", "U/L", "2026-03-01"), ("TBIL", "2.6", "mg/dL", "2026-03-01"), ("ALP", "80", "U/L", "2026-03-01")
    )
    with desk.database.reading() as session:
        stored = [row | {"review": None} for row in exports.flags(session, [desk.clinic_id])]
        replayed = [
            exports.finding(history.person.mrn, found) | {"review": None}
            for history, findings in judge(session, desk.clinic_id, [desk.patient_id], TODAY)
            for found in findings
        ]
    assert sorted(stored, key=str) == sorted(replayed, key=str)
    assert len(stored) > 5


def test_judging_again_changes_nothing(desk: Desk) -> None:
    low(desk, "0.46", "2026-03-15")
    versions = {flag.id: flag.version for flag in desk.flags()}
    with desk.database.transaction() as session:
        changes = evaluate(session, desk.clinic_id, [desk.patient_id], desk.nurse.at, TODAY)
    assert changes.counts() == {"opened": 0, "changed": 0, "cleared": 0}
    assert {flag.id: flag.version for flag in desk.flags()} == versions


def test_an_older_result_that_comes_in_late_extends_the_episode(desk: Desk) -> None:
    desk.labs(("ALT", "150", "U/L", "2026-03-10"))
    first = desk.flag("ctcae", "ALT")
    desk.labs(("ALT", "140", "U/L", "2026-03-01"))
    assert desk.flag("ctcae", "ALT").id == first.id
    assert desk.flag("ctcae", "ALT").opened_on == date(2026, 3, 1)


def test_what_was_urgent_and_eased_before_it_cleared_asks_for_closure_until_somebody_closes_it(desk: Desk) -> None:
    """Judged once more, with nothing new, it would else leave the queue without anybody having looked."""
    for value, day in (("20", "2026-01-05"), ("300", "2026-02-02"), ("50", "2026-02-09"), ("20", "2026-02-16")):
        desk.labs(("ALT", value, "U/L", day))
    flag = desk.flag("ctcae", "ALT", "cleared")
    assert (flag.severity, flag.attention) == ("info", 2)
    for _ in range(2):
        desk.judge_on(0)
        assert desk.flag("ctcae", "ALT", "cleared").attention == 2
