"""When labs are due: the worked examples of the clinical notes, and the edges around them."""

from datetime import date
from typing import Any

import pytest

from tests.rules.stories import history as told
from tracker.domain.dates import Span, add
from tracker.domain.findings import SOON, Finding
from tracker.domain.protocol import ScheduleEntry, Sourced
from tracker.domain.schedule import DUE, NOT_DUE, OVERDUE, DueItem, due_items, first_window, next_change

START = "2025-01-01"
COURSE = {"protocol": "tofacitinib_us", "started_on": START}


def due(subject: str, as_of: str, *results: str, course: dict[str, Any] = COURSE, **more: Any) -> DueItem | None:
    """The due item of one subject, with results given as `ANC 2025-02-10`."""
    story = {"as_of": as_of, "courses": [course], "results": [_result(text) for text in results], **more}
    items = [item for item in due_items(told(story)) if item.subject == subject]
    assert len(items) < 2, "one due item a subject"
    return items[0] if items else None


def _result(text: str) -> dict[str, str]:
    analyte, day = text.split()
    figures = {"ANC": "4.0", "ALC": "2.0", "HB": "14.0", "CHOL": "180", "HDL": "60", "TG": "100", "ALT": "20"}
    return {"analyte": analyte, "value": figures.get(analyte, "1"), "on": day}


def lipids(day: str) -> list[str]:
    return [f"{code} {day}" for code in ("CHOL", "HDL", "TG")]


# ------------------------------------------------------------------------------------------ the first check


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        ("2025-01-28", NOT_DUE),
        ("2025-01-29", DUE),  # 4 weeks to the day
        ("2025-02-26", DUE),  # 8 weeks to the day
        ("2025-03-12", DUE),  # the last day of the grace
        ("2025-03-13", OVERDUE),
    ],
)
def test_neutrophils_are_due_from_four_to_eight_weeks_and_overdue_after_a_fortnights_grace(
    as_of: str, state: str
) -> None:
    item = due("ANC", as_of)
    assert item is not None
    assert (item.due_from, item.due_on) == (date(2025, 1, 29), date(2025, 2, 26))
    assert item.overdue_from == date(2025, 3, 13)
    assert item.state == state


def test_done_in_the_window_the_next_is_due_three_calendar_months_later() -> None:
    item = due("ANC", "2025-03-01", "ANC 2025-02-10")
    assert item is not None
    assert item.due_on == date(2025, 5, 10)
    assert item.state == NOT_DUE


@pytest.mark.parametrize(
    ("day", "state"),
    [("2025-04-25", NOT_DUE), ("2025-04-26", DUE), ("2025-05-24", DUE), ("2025-05-25", OVERDUE)],
)
def test_a_repeated_check_is_announced_a_fortnight_ahead(day: str, state: str) -> None:
    item = due("ANC", day, "ANC 2025-02-10")
    assert item is not None
    assert item.state == state


def test_months_are_clamped_at_the_end_of_february() -> None:
    assert add(date(2025, 11, 30), Span(3, 0)) == date(2026, 2, 28)
    course = {"protocol": "tofacitinib_us", "started_on": "2025-10-05"}
    item = due("ANC", "2026-01-01", "ANC 2025-11-30", course=course)
    assert item is not None
    assert item.due_on == date(2026, 2, 28)


@pytest.mark.parametrize("early", ["2025-01-20", "2025-01-21", "2025-01-28"])
def test_a_sample_before_the_window_does_not_satisfy_it(early: str) -> None:
    item = due("ANC", "2025-03-13", f"ANC {early}")
    assert item is not None
    assert item.state == OVERDUE


def test_a_sample_on_the_first_day_of_the_window_does() -> None:
    item = due("ANC", "2025-03-13", "ANC 2025-01-29")
    assert item is not None
    assert item.due_on == date(2025, 4, 29)


def test_a_late_sample_satisfies_and_sets_the_next_date() -> None:
    item = due("ANC", "2025-04-01", "ANC 2025-03-20")
    assert item is not None
    assert item.due_on == date(2025, 6, 20)


def test_lymphocytes_do_not_make_neutrophils_done() -> None:
    item = due("ANC", "2025-03-13", "ALC 2025-02-10")
    assert item is not None
    assert item.state == OVERDUE


@pytest.mark.parametrize(
    ("day", "next_due"),
    [("2025-03-17", "2025-04-01"), ("2025-03-18", "2025-06-18"), ("2025-04-01", "2025-07-01")],
)
def test_a_check_with_one_date_is_satisfied_up_to_a_fortnight_before_it(day: str, next_due: str) -> None:
    item = due("ALC", "2025-04-01", f"ALC {day}")
    assert item is not None
    assert item.due_on == date.fromisoformat(next_due)


def test_a_clotted_sample_is_no_check() -> None:
    clotted = {"analyte": "ANC", "text": "clotted", "on": "2025-02-10"}
    item = due("ANC", "2025-03-13", results=[clotted])
    assert item is not None
    assert item.state == OVERDUE


# ---------------------------------------------------------------------------------------------- panels


def test_lipids_of_one_day_before_day_28_do_not_satisfy_four_to_eight_weeks() -> None:
    item = due("LIPIDS", "2025-02-01", *lipids("2025-01-28"))
    assert item is not None
    assert item.state == DUE


def test_lipids_in_the_window_are_done_for_good_where_the_label_names_no_interval() -> None:
    assert due("LIPIDS", "2026-01-01", *lipids("2025-02-10")) is None


def test_half_a_lipid_panel_is_none_and_two_halves_of_different_days_are_none() -> None:
    item = due("LIPIDS", "2025-03-01", "CHOL 2025-02-10", "HDL 2025-02-10", "TG 2025-02-11")
    assert item is not None


def test_european_lipids_have_one_date_and_a_fortnight_before_it() -> None:
    course = {"protocol": "tofacitinib_eu", "started_on": START}
    assert due("LIPIDS", "2025-03-01", *lipids("2025-02-12"), course=course) is None
    early = due("LIPIDS", "2025-03-01", *lipids("2025-02-11"), course=course)
    assert early is not None
    assert early.due_on == date(2025, 2, 26)


# --------------------------------------------------------------------------------------- holds, switches


def test_a_hold_does_not_pause_the_interval() -> None:
    held = COURSE | {"holds": [{"on": "2025-02-20"}]}
    item = due("ANC", "2025-05-25", "ANC 2025-02-10", course=held)
    assert item is not None
    assert item.state == OVERDUE


def test_a_sample_on_hold_keeps_the_interval_and_is_no_first_check() -> None:
    held = COURSE | {"holds": [{"on": "2025-02-20"}]}
    kept = due("ANC", "2025-05-25", "ANC 2025-02-10", "ANC 2025-05-10", course=held)
    assert kept is not None
    assert kept.due_on == date(2025, 8, 10)
    held_early = COURSE | {"holds": [{"on": "2025-01-20"}]}
    still = due("ANC", "2025-02-20", "ANC 2025-02-10", course=held_early)
    assert still is not None
    assert still.due_on == date(2025, 2, 26)


@pytest.mark.parametrize(
    ("resumed", "due_on", "reasons"),
    [("2025-03-19", "2025-05-10", 1), ("2025-03-20", "2025-05-10", 2)],  # 27 days off, 28 days off
)
def test_a_break_of_28_days_begins_the_first_check_anew_beside_the_interval(
    resumed: str, due_on: str, reasons: int
) -> None:
    held = COURSE | {"holds": [{"on": "2025-02-20", "until": resumed}]}
    item = due("ANC", "2025-04-01", "ANC 2025-02-10", course=held)
    assert item is not None
    assert item.due_on == date.fromisoformat(due_on)
    assert len(item.reason.split("; ")) == reasons


def test_after_a_long_break_the_window_counts_from_the_resume() -> None:
    held = COURSE | {"holds": [{"on": "2025-01-20", "until": "2025-03-01"}]}
    item = due("ANC", "2025-03-20", course=held)
    assert item is not None
    assert (item.due_from, item.due_on) == (date(2025, 3, 29), date(2025, 4, 26))
    lipids_again = due("LIPIDS", "2025-03-20", course=held)
    assert lipids_again is not None
    assert lipids_again.due_on == date(2025, 4, 26)


def test_a_break_after_the_window_does_not_forgive_what_was_overdue() -> None:
    held = COURSE | {"holds": [{"on": "2025-04-01", "until": "2025-05-05"}]}
    item = due("ANC", "2025-05-06", course=held)
    assert item is not None
    assert (item.due_on, item.state) == (date(2025, 2, 26), OVERDUE)


def test_a_break_never_postpones_a_plain_interval() -> None:
    held = COURSE | {"holds": [{"on": "2025-02-20", "until": "2025-04-15"}]}
    item = due("ALC", "2025-04-20", course=held)
    assert item is not None
    assert item.due_on == date(2025, 4, 1)


def test_a_switch_of_drugs_begins_anew_and_one_subject_has_one_item() -> None:
    story = {
        "as_of": "2025-06-01",
        "courses": [COURSE | {"stopped_on": "2025-05-01"}, {"protocol": "ritlecitinib_us", "started_on": "2025-05-01"}],
        "results": [_result("ALC 2025-04-01")],
    }
    (item,) = (item for item in due_items(told(story)) if item.subject == "ALC")
    assert item.due_on == date(2025, 5, 29)
    assert item.course_id == 2


def test_a_stopped_course_asks_for_nothing() -> None:
    assert due_items(told({"as_of": "2025-06-01", "courses": [COURSE | {"stopped_on": "2025-05-01"}]})) == ()


# --------------------------------------------------------------------------- what the label leaves open


def test_the_proposed_interval_for_liver_enzymes_is_not_passed_off_as_the_labels() -> None:
    item = due("ALT", "2025-04-01")
    assert item is not None
    assert item.due_on == date(2025, 4, 1)
    assert not item.verified
    neutrophils = due("ANC", "2025-04-01")
    assert neutrophils is not None
    assert neutrophils.verified


def test_no_interval_in_the_label_and_none_proposed_is_no_item() -> None:
    course = {"protocol": "baricitinib_us", "started_on": START}
    items = due_items(told({"as_of": "2026-01-01", "courses": [course]}))
    assert [item.subject for item in items] == ["IGRA", "LIPIDS"]


def test_a_window_is_counted_in_calendar_time() -> None:
    line = ScheduleEntry("x", "ANC", False, Span(0, 28), Span(0, 56), Span(3, 0), Sourced("", "", True))
    assert first_window(line, date(2025, 1, 1)) == (date(2025, 1, 29), date(2025, 2, 26))
    assert first_window(line._replace(first_from=None, first_to=None, every=None), date(2025, 1, 1)) is None


# --------------------------------------------------------------------------------- before the first dose


@pytest.mark.parametrize(("as_of", "state"), [("2024-12-01", NOT_DUE), ("2024-12-02", DUE), ("2024-12-31", DUE)])
def test_a_planned_course_wants_its_baseline_in_the_month_before(as_of: str, state: str) -> None:
    item = due("ANC", as_of)
    assert item is not None
    assert (item.state, item.due_on) == (state, date(2025, 1, 1))


def test_a_baseline_taken_is_no_longer_due_and_one_too_old_still_is() -> None:
    assert due("ANC", "2024-12-20", "ANC 2024-12-02") is None
    assert due("ANC", "2024-12-20", "ANC 2024-12-01") is not None


def test_a_missing_baseline_is_not_asked_for_after_the_first_dose() -> None:
    item = due("ANC", "2025-01-02")
    assert item is not None
    assert "baseline" not in item.reason


# ------------------------------------------------------------------------------------------- the next change


def change(as_of: str, *results: str, **more: Any) -> date | None:
    story = {"as_of": as_of, "courses": [COURSE], "results": [_result(r) for r in results], **more}
    return next_change(told(story))


def test_nothing_dated_never_changes() -> None:
    assert next_change(told({"as_of": "2025-01-01"})) is None


def test_the_next_change_is_the_first_day_a_lab_falls_due_or_overdue() -> None:
    assert change("2025-01-10") == date(2025, 1, 29)
    course = {"protocol": "ritlecitinib_us", "started_on": START}
    assert next_change(told({"as_of": "2025-02-01", "courses": [course]})) == date(2025, 2, 13)  # 01-29 and 15 days


def test_a_repeat_that_is_awaited_changes_the_day_after_it_was_due() -> None:
    story = {"as_of": "2025-01-10", "courses": [COURSE]}
    awaited = Finding(
        "action_limit", "ANC", SOON, "", date(2025, 1, 9), date(2025, 1, 9), "", due_on=date(2025, 1, 16),
        confirmation="needs_repeat",
    )  # fmt: skip
    assert next_change(told(story), [awaited]) == date(2025, 1, 17)


def test_a_hold_without_review_changes_on_the_fifteenth_day() -> None:
    held = COURSE | {"started_on": "2024-01-01", "holds": [{"on": "2025-01-01"}]}
    assert next_change(told({"as_of": "2025-01-10", "courses": [held]})) == date(2025, 1, 16)


def test_a_tb_test_changes_the_day_after_its_year() -> None:
    course = {"protocol": "ritlecitinib_us", "started_on": "2025-01-01"}
    story = {
        "as_of": "2025-12-20",
        "courses": [course],
        "results": [
            {"analyte": "IGRA", "text": "negative", "on": "2024-12-30"},
            *(_result(f"{code} 2025-01-29") for code in ("ALC", "PLT")),
        ],
    }
    assert next_change(told(story)) == date(2025, 12, 31)


def test_a_benefit_to_be_weighed_changes_on_its_day() -> None:
    story = {
        "as_of": "2025-12-20",
        "courses": [{"protocol": "ritlecitinib_us", "started_on": "2025-05-01"}],
        "results": [_result("ALC 2025-05-29"), _result("PLT 2025-05-29")],
    }
    assert next_change(told(story)) == date(2026, 1, 8)


def test_a_planned_start_and_a_planned_stop_change_things() -> None:
    planned = {"as_of": "2024-10-01", "courses": [COURSE]}
    assert next_change(told(planned)) == date(2024, 12, 2)
    story = {"as_of": "2024-12-31", "courses": [COURSE | {"stopped_on": "2025-01-10"}]}
    assert next_change(told(story)) == date(2025, 1, 1)
