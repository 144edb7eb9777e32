"""Runs of results and what became of the repeat."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.stories import history
from tracker.domain.dates import Span
from tracker.domain.episodes import (
    Confirmation,
    at_or_beyond,
    bound_as_reported,
    canonical_bound,
    confirmation,
    evidence,
    fallen,
    graded,
    last_day_of_effect,
    past_band,
    runs,
    specimens,
)
from tracker.domain.history import Lab
from tracker.domain.protocol import Limit
from tracker.library.protocols import protocols

D = Decimal
DAY_0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
A_WEEK = Span(0, 7)


def lab(day: int, value: str = "1", accession: str = "", *, hour: int = 0, unit: str = "10*9/L") -> Lab:
    at = DAY_0 + timedelta(days=day, hours=hour)
    return Lab(
        None, "ANC", at, at.date(), "", D(value), unit, D(value), "", None, "", "Central", accession, "final", ""
    )  # fmt: skip


def below_one(one: Lab) -> bool | None:
    return None if one.value == 0 else one.below(D(1))


def limit(name: str) -> Limit:
    found = [line for each in protocols().values() for line in each.on_treatment if line.id == name]
    return found[0]


# ------------------------------------------------------------------------------------------------- runs


def test_a_run_ends_with_the_first_result_that_is_certainly_outside() -> None:
    series = [lab(0, "2"), lab(1, "0.9"), lab(2, "0"), lab(3, "0.8"), lab(4, "1"), lab(5, "0.7")]
    first, second = runs(series, below_one)
    assert ([one.shown for one in first.labs], first.cleared_on) == (["0.9", "0.8"], date(2026, 3, 5))
    assert (second.first, second.cleared_on) == (series[5], None)


def test_another_value_of_the_same_sample_does_not_end_a_run() -> None:
    (only,) = runs([lab(0, "0.9"), lab(0, "1.4")], below_one)
    assert only.ended_by is None


def test_nothing_that_meets_is_no_run() -> None:
    assert list(runs([lab(0, "2"), lab(1, "0")], below_one)) == []


@given(st.lists(st.sampled_from([True, False, None]), max_size=30))
def test_every_result_that_meets_is_in_exactly_one_run(verdicts: list[bool | None]) -> None:
    series = [lab(day) for day in range(len(verdicts))]
    told = dict(zip(series, verdicts, strict=True))
    found = list(runs(series, lambda one: told[one]))
    assert [one for run in found for one in run.labs] == [one for one in series if told[one]]
    assert all(told[run.ended_by] is False for run in found if run.ended_by)
    assert all(run.ended_by is not None for run in found[:-1])


# ---------------------------------------------------------------------------------------- confirmation


def test_a_repeat_is_due_through_the_seventh_day() -> None:
    state = confirmation([lab(0)], 2, A_WEEK, False, date(2026, 3, 8))
    assert state == Confirmation("needs_repeat", date(2026, 3, 8))
    late = confirmation([lab(0)], 2, A_WEEK, False, date(2026, 3, 9))
    assert late == Confirmation("repeat_overdue", date(2026, 3, 8))


def test_a_second_specimen_confirms_however_late() -> None:
    assert confirmation([lab(0), lab(40)], 2, A_WEEK, False, date(2026, 5, 1)) == Confirmation("confirmed", None)


def test_what_ended_without_a_second_was_not_confirmed() -> None:
    assert confirmation([lab(0)], 2, A_WEEK, True, date(2026, 5, 1)) == Confirmation("not_confirmed", None)
    assert confirmation([lab(0), lab(4)], 2, A_WEEK, True, date(2026, 5, 1)) == Confirmation("confirmed", None)


def test_specimens_are_told_apart_by_accession_and_time() -> None:
    assert specimens([lab(0, accession="A"), lab(0, accession="A", hour=2)], 2) == 1
    assert specimens([lab(0, accession="A"), lab(0, accession="B")], 2) == 1
    assert specimens([lab(0, accession="A"), lab(1, accession="B")], 2) == 2
    assert specimens([lab(0), lab(1)], 2) == 2


# ----------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("figure", "unit", "canonical"),
    [("500", "/uL", "0.5"), ("500", "cells/mm3", "0.5"), ("8.0", "g/dL", "8.0"), ("80", "g/L", "8.0")],
)
def test_a_limit_is_moved_by_decimal_points_only(figure: str, unit: str, canonical: str) -> None:
    assert canonical_bound(D(figure), unit) == D(canonical)


@pytest.mark.parametrize("unit", ["mmol/L", "umol/L", "furlongs"])
def test_a_limit_is_never_converted_by_a_factor(unit: str) -> None:
    assert canonical_bound(D("4.9"), unit) is None


@pytest.mark.parametrize(
    ("figure", "unit", "shown"),
    [
        ("500", "/uL", ("500", "/uL")),
        ("500", "10*9/L", ("0.5", "10*9/L")),
        ("1000", "x10E3/uL", ("1.0", "x10E3/uL")),
        ("150000", "10*9/L", ("150", "10*9/L")),
    ],
)
def test_a_limit_is_shown_in_the_unit_of_the_result(figure: str, unit: str, shown: tuple[str, str]) -> None:
    assert bound_as_reported(D(figure), "/uL", lab(0, unit=unit)) == shown


def test_a_limit_beside_a_result_in_another_kind_of_unit_keeps_its_own() -> None:
    assert bound_as_reported(D("8.0"), "g/dL", lab(0, unit="mmol/L")) == ("8.0", "g/dL")


def test_a_band_is_met_at_its_upper_bound_and_beyond_its_lower() -> None:
    meets, past = at_or_beyond(limit("tofa_us_anc_hold")), past_band(limit("tofa_us_anc_hold"))
    assert meets is not None
    assert [meets(lab(0, value)) for value in ("1.001", "1.000", "0.5", "0.49")] == [False, True, True, True]
    assert [past(lab(0, value)) for value in ("1.0", "0.5", "0.49")] == [False, False, True]


def test_a_fall_is_more_than_the_limit() -> None:
    meets = fallen(lab(-60, "14.0"), limit("tofa_us_hb_drop"))
    assert meets is not None
    assert (meets(lab(0, "12.0")), meets(lab(0, "11.9"))) == (False, True)
    assert fallen(None, limit("tofa_us_hb_drop")) is None


def test_results_belong_to_a_course_for_a_week_after_it_or_until_the_drug_is_begun_again() -> None:
    stopped = {"protocol": "tofacitinib_us", "started_on": "2026-01-05", "stopped_on": "2026-03-01"}
    again = {"protocol": "tofacitinib_us", "started_on": "2026-03-04"}
    alone = history({"as_of": "2026-04-01", "courses": [stopped]})
    both = history({"as_of": "2026-04-01", "courses": [stopped, again]})
    assert last_day_of_effect(alone, alone.courses[0]) == date(2026, 3, 8)
    assert last_day_of_effect(both, both.courses[0]) == date(2026, 3, 4)
    assert last_day_of_effect(both, both.courses[1]) == date.max


# ------------------------------------------------------------------------------------ grades and evidence


def test_the_worst_grade_of_a_run_and_its_first_day() -> None:
    series = [lab(0), lab(1), lab(2), lab(3)]
    levels = graded(series, [2, 4, 4, 3])
    assert levels == (3, 4, date(2026, 3, 2))
    assert levels.worst == "; worst in this episode: grade 4 on 2026-03-02"
    assert graded(series, [None, None, None, None]) == (None, None, None)
    assert graded(series, [1, 2, 3, 3]).worst == ""


def test_a_long_episode_keeps_its_first_and_its_last_twenty_results() -> None:
    kept = evidence([lab(day, str(day + 1)) for day in range(50)])
    assert len(kept) == 21
    assert (kept[0].value, kept[1].value, kept[-1].value) == ("1", "31", "50")
