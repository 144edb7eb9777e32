"""Dates as they come in: a day is never guessed, and a time belongs to a zone."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CourseReading,
    EventReading,
    LabReading,
    MedicationReading,
    Moment,
    PatientReading,
    pack,
    read_moment,
    unpack,
)

ZURICH = ZoneInfo("Europe/Zurich")


def test_a_day_without_a_time_is_that_day_in_the_clinic() -> None:
    moment = read_moment("2026-03-01", ZURICH)
    assert (moment.on, moment.time_known) == (date(2026, 3, 1), False)


def test_a_sample_late_at_night_belongs_to_the_clinics_day() -> None:
    assert read_moment("2026-03-01T23:30:00Z", ZURICH).on == date(2026, 3, 2)


def test_one_half_past_two_twice_is_two_instants() -> None:
    summer = read_moment("2026-10-25T02:30+02:00", ZURICH)
    winter = read_moment("2026-10-25T02:30+01:00", ZURICH)
    assert summer.at < winter.at
    assert summer.on == winter.on


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("01/02/2026", "two days"),
        ("2026-13-01", "not a date"),
        ("yesterday", "not a date"),
        ("2026-03", "not a date"),
        ("2026-03-01T25:00", "not a date and time"),
        ("2026-03-29T02:30", "clocks went forward"),
        ("", "not a date"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        read_moment(text, ZURICH)


@pytest.mark.parametrize(
    ("kind", "reading"),
    [
        ("patients", PatientReading("7", birth_date=date(1990, 1, 1), weight_kg=Decimal("61.5"))),
        ("courses", CourseReading("7", "tofacitinib_us", date(2026, 1, 1), dose_mg=Decimal(5), times_per_day=2)),
        (
            "results",
            LabReading(
                "7",
                Moment(datetime(2026, 1, 1, 8, tzinfo=UTC), date(2026, 1, 1), True),
                "ANC",
                "<0.5",
                "10*9/L",
                ref_low=Decimal("2.0"),
            ),
        ),
        ("adverse_events", EventReading("7", "infection", "Zoster", onset_on=date(2026, 1, 2), serious=False)),
        ("medications", MedicationReading("7", "ketoconazole", ("strong_cyp3a4_inhibitor",))),
    ],
)
def test_a_row_that_waits_for_its_patient_comes_back_the_same(kind: str, reading: object) -> None:
    assert unpack(kind, pack(reading)) == reading
