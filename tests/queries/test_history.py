"""Histories: two clocks, the range that judges, and a number of statements that does not grow with the patients."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, select

from tests.operations.conftest import NOW, TODAY, ZONE, Desk, desk
from tracker.domain.readings import LabReading, RangeReading, read_moment
from tracker.models import Clinic, Patient
from tracker.models.setting import CLINIC_WIDE
from tracker.operations import configure, enrol, entry
from tracker.queries.history import Loader

__all__ = ["desk"]  # the fixture of the operations' tests


@contextmanager
def counted(found: Desk) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    event.listen(found.database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(found.database.engine, "before_cursor_execute", note)


def crowd(found: Desk, number: int) -> list[int]:
    """More patients, each with a panel."""
    ids = []
    with found.database.transaction() as session:
        for n in range(number):
            patient = enrol.add_patient(session, found.nurse, found.clinic_id, {"mrn": f"C{number}-{n}", "sex": "male"})
            reading = LabReading("", read_moment("2026-03-01", ZONE), "ANC", "2.5", "10*9/L")
            entry.save(session, found.nurse, patient, [reading])
            ids.append(patient.id)
    return ids


def test_five_patients_and_fifty_take_the_same_statements(desk: Desk) -> None:
    numbers = []
    for size in (5, 50):
        ids = crowd(desk, size)
        with desk.database.reading() as session, counted(desk) as statements:
            assert len(list(Loader(session, desk.clinic_id, TODAY).histories(ids))) == size
        numbers.append(len(statements))
    assert numbers[0] == numbers[1]


def history(found: Desk, as_of: date, known_at: object = None):  # type: ignore[no-untyped-def]
    with found.database.reading() as session:
        return next(iter(Loader(session, found.clinic_id, as_of, known_at).histories([found.patient_id])))  # type: ignore[arg-type]


def test_as_of_a_day_is_what_had_been_collected_by_its_end(desk: Desk) -> None:
    desk.labs(("ANC", "2.5", "10*9/L", "2026-03-01"), ("ANC", "2.6", "10*9/L", "2026-03-10"))
    assert [lab.shown for lab in history(desk, date(2026, 3, 9)).labs["ANC"]] == ["2.5"]
    assert [lab.shown for lab in history(desk, date(2026, 3, 10)).labs["ANC"]] == ["2.5", "2.6"]


def test_known_at_an_instant_is_what_had_been_recorded_by_then(desk: Desk) -> None:
    desk.labs(("ANC", "2.5", "10*9/L", "2026-03-01"))
    later = desk.at(desk.nurse, 2)
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"), actor=later, status="corrected")
    assert [lab.shown for lab in history(desk, TODAY).labs["ANC"]] == ["0.4"]
    assert [lab.shown for lab in history(desk, TODAY, NOW + timedelta(days=1)).labs["ANC"]] == ["2.5"]


def ranged(found: Desk, laboratory: str, low: str) -> None:
    line = RangeReading("ANC", "10*9/L", date(2026, 2, 1), laboratory=laboratory, low=Decimal(low), high=Decimal(9))
    with found.database.transaction() as session:
        configure.publish_range(session, found.nurse, session.get_one(Clinic, found.clinic_id), line)


@pytest.mark.parametrize(
    ("printed", "laboratory", "configured_first", "judged_by"),
    [
        (Decimal("1.1"), "North", False, ("1.1", "printed")),
        (Decimal("1.1"), "North", True, ("1.2", "laboratory")),
        (None, "North", False, ("1.2", "laboratory")),
        (None, "South", False, ("1.3", "clinic")),
        (None, "", False, ("1.3", "clinic")),
    ],
)
def test_printed_then_the_laboratorys_own_then_the_clinics(
    desk: Desk, printed: Decimal | None, laboratory: str, configured_first: bool, judged_by: tuple[str, str]
) -> None:
    ranged(desk, "North", "1.2")
    ranged(desk, "", "1.3")
    if configured_first:
        desk.sets(CLINIC_WIDE, "ranges_first", {"value": "configured"}, date(2026, 2, 1))
    desk.labs(("ANC", "2.5", "10*9/L", "2026-03-01"), ref_low=printed, laboratory=laboratory)
    limits = history(desk, TODAY).labs["ANC"][0].limits
    assert (str(limits.low), limits.origin) == judged_by
    assert desk.result("ANC").range_id == limits.id


def test_a_clinics_range_is_shown_in_the_unit_of_the_result(desk: Desk) -> None:
    desk.labs(("HB", "131", "g/L", "2026-03-01"))
    limits = history(desk, TODAY).labs["HB"][0].limits
    assert (limits.low_text, limits.high_text, limits.unit) == (">= 120", "<= 160", "g/L")


def test_the_age_at_the_sample_chooses_the_range(desk: Desk) -> None:
    with desk.database.transaction() as session:
        ada = session.get_one(Patient, desk.patient_id)
        enrol.correct(session, desk.nurse, ada, {"birth_date": date(2008, 3, 10)}, patient=ada, reason="typed wrongly")
    desk.labs(("ANC", "2.5", "10*9/L", "2026-03-09"), ("ANC", "2.5", "10*9/L", "2026-03-10"))
    before, after = history(desk, TODAY).labs["ANC"]
    assert before.limits is None
    assert "no reference range" in before.no_range
    assert after.limits is not None


def test_what_another_clinic_holds_is_not_loaded(desk: Desk) -> None:
    with desk.database.transaction() as session:
        other = configure.add_clinic(session, desk.nurse, "other", "Other")
        stranger = enrol.add_patient(session, desk.nurse, other.id, {"mrn": "0001"})
        mine = session.scalars(select(Patient.id).where(Patient.clinic_id == desk.clinic_id)).all()
        assert stranger.id not in mine
