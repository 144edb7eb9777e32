"""Results, whichever door they came by."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from tests.operations.conftest import NOW, TODAY, ZONE, Desk
from tests.tampering import past_the_triggers
from tracker.domain.errors import Refused, Stale
from tracker.domain.readings import LabReading, read_moment
from tracker.models import AuditEntry, LabResult, Patient
from tracker.operations import record
from tracker.operations.audit import first_bad_entry
from tracker.operations.evaluate import rejudge
from tracker.operations.record import NotRecordable, Whose, prepare


def reading(
    analyte: str = "ANC", value: str = "3.1", unit: str = "10*9/L", day: str = "2026-03-01", **more: object
) -> LabReading:
    return LabReading("0001", read_moment(day, ZONE), analyte, value, unit, **more)  # type: ignore[arg-type]


ADA = Whose(1, date(1990, 5, 1))


@pytest.mark.parametrize(
    ("given", "column", "says"),
    [
        (reading(value="1500"), "value", "looks like"),
        (reading(unit=""), "value", "a unit is needed"),
        (reading(unit="furlong"), "value", "not a unit"),
        (reading(value="soon"), "value", "not a number"),
        (reading(value="1,500"), "value", "two different numbers"),
        (reading(day="2026-03-21"), "collected_at", "future"),
        (reading(day="1990-04-30"), "collected_at", "before the patient's birth"),
        (reading(analyte="IGRA", value="perhaps", unit=""), "value", "not one of"),
        (reading(recorded_at=datetime(2027, 1, 1, tzinfo=NOW.tzinfo)), "recorded_at", "future"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused_with_the_place_and_the_reason(
    given: LabReading, column: str, says: str
) -> None:
    with pytest.raises(NotRecordable, match=says) as refusal:
        prepare(given, ADA, NOW)
    assert refusal.value.column == column


def test_the_original_is_kept_beside_the_canonical_value() -> None:
    columns, questions = prepare(reading("HB", "131", "g/L"), ADA, NOW)
    assert (str(columns["figure"]), columns["unit"], str(columns["value"])) == ("131", "g/L", "13.1")
    assert questions == ()


def test_a_value_ten_times_the_last_one_is_asked_about() -> None:
    columns, questions = prepare(reading("HB", "13.1", "g/dL"), ADA, NOW, previous=Decimal("1.31"))
    assert columns["analyte"] == "HB"
    assert any("10 times" in question for question in questions)


def test_a_test_nobody_knows_is_kept_under_its_own_name() -> None:
    columns, _ = prepare(reading("Xylitol-ase", "3", "bananas"), ADA, NOW)
    assert (columns["analyte"], columns["subject"], columns["value"]) == ("", "Xylitol-ase", None)


def test_the_same_result_twice_changes_nothing(desk: Desk) -> None:
    desk.labs(("ANC", "3.1", "10*9/L", "2026-03-01"))
    desk.labs(("ANC", "3.1", "10*9/L", "2026-03-01"))
    with desk.database.reading() as session:
        assert session.scalar(select(func.count(LabResult.id))) == 1


def test_another_value_for_the_same_sample_is_refused_until_it_is_called_a_correction(desk: Desk) -> None:
    desk.labs(("ANC", "3.1", "10*9/L", "2026-03-01"))
    with pytest.raises(Refused, match=r"on file with 3\.1"):
        desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"), status="corrected")
    with desk.database.reading() as session:
        rows = list(session.scalars(select(LabResult).order_by(LabResult.id)))
    assert [str(row.figure) for row in rows] == ["3.1", "0.4"]
    assert rows[0].retired_at is not None
    assert rows[1].replaces_id == rows[0].id
    assert desk.flag("action_limit", "ANC").suggested == "stop"


def test_a_corrected_value_is_still_of_the_fasting_sample(desk: Desk) -> None:
    desk.labs(("TG", "150", "mg/dL", "2026-03-01"), fasting=True)
    desk.labs(("TG", "160", "mg/dL", "2026-03-01"), status="corrected")
    assert (str(desk.result("TG").figure), desk.result("TG").fasting) == ("160", True)


def test_the_same_value_that_says_no_more_changes_nothing(desk: Desk) -> None:
    desk.labs(("TG", "150", "mg/dL", "2026-03-01"), fasting=True)
    desk.labs(("TG", "150", "mg/dL", "2026-03-01"))
    with desk.database.reading() as session:
        assert session.scalars(select(LabResult.fasting)).all() == [True]


def test_the_same_value_said_to_be_fasting_after_all_is_never_dropped_silently(desk: Desk) -> None:
    desk.labs(("TG", "150", "mg/dL", "2026-03-01"), fasting=False)
    with pytest.raises(Refused, match=r"on file with 150 mg/dL, not fasting\. Send it with the status “corrected”"):
        desk.labs(("TG", "150", "mg/dL", "2026-03-01"), fasting=True)
    desk.labs(("TG", "150", "mg/dL", "2026-03-01"), fasting=True, status="corrected")
    assert desk.result("TG").fasting is True


def test_a_final_result_replaces_its_preliminary(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"), status="preliminary")
    desk.labs(("ANC", "2.4", "10*9/L", "2026-03-01"))
    assert str(desk.result("ANC").figure) == "2.4"
    assert desk.flag("action_limit", "ANC", machine="cleared").superseded


def test_a_cancelled_result_takes_its_flag_with_it(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"), status="cancelled")
    assert desk.result("ANC") is None
    assert desk.flag("action_limit", "ANC", machine="cleared").superseded


def test_a_correction_by_a_person_is_a_new_version_with_a_reason(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    wrong = desk.result("ANC")
    with desk.database.transaction() as session:
        with pytest.raises(Refused, match="why"):
            record.correct(session, desk.nurse, wrong.id, reading(value="4.0"), "")
        record.correct(session, desk.nurse, wrong.id, reading(value="4.0"), "decimal point slipped")
        changes = rejudge(session, desk.nurse, session.get_one(Patient, desk.patient_id), frozenset({wrong.id}))
    assert len(changes.cleared) >= 1
    with pytest.raises(Stale), desk.database.transaction() as session:
        record.correct(session, desk.doctor, wrong.id, reading(value="4.1"), "typed at the same time")
    assert str(desk.result("ANC").figure) == "4.0"


def test_a_voided_result_stays_on_record(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    with desk.database.transaction() as session:
        record.void(session, desk.nurse, desk.result("ANC").id, "sample of another patient")
    with desk.database.reading() as session:
        (row,) = session.scalars(select(LabResult))
        assert row.retired_reason == "sample of another patient"


def test_a_panel_with_one_impossible_value_is_not_half_saved(desk: Desk) -> None:
    with pytest.raises(NotRecordable):
        desk.labs(("HB", "13.0", "g/dL", "2026-03-01"), ("ANC", "1500", "10*9/L", "2026-03-01"))
    assert desk.result("HB") is None


def test_every_write_leaves_a_chained_entry(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    with desk.database.reading() as session:
        actions = set(session.scalars(select(AuditEntry.action)))
        assert first_bad_entry(session) is None
    assert {"create", "record"} <= actions


def test_a_changed_entry_is_found(desk: Desk) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"))
    with past_the_triggers(desk.database) as connection:
        connection.execute(text("UPDATE audit_entry SET reason = 'nothing to see here' WHERE id = 3"))
    with desk.database.reading() as session:
        assert first_bad_entry(session) == 3


def test_today_is_the_clinics_day() -> None:
    assert date(2026, 3, 20) == TODAY


# ------------------------------------------------------------------------------------ tests read in words


@pytest.mark.parametrize(
    ("value", "unit", "word", "figure", "comment"),
    [
        ("0.31", "S/CO", "", "0.31", ""),
        ("<0.10", "Index", "", "0.10", ""),
        ("neg.", "", "negative", None, ""),
        ("0.05 (negativ)", "", "negative", None, "Reported as 0.05 (negativ)."),
        ("reaktiv, 12.3 S/CO", "", "positive", None, "Reported as reaktiv, 12.3 S/CO."),
        ("nicht reaktiv 0,05", "", "negative", None, "Reported as nicht reaktiv 0,05."),
    ],
)
def test_an_antibody_is_kept_as_its_word_or_as_the_index_that_came_without(
    value: str, unit: str, word: str, figure: str | None, comment: str
) -> None:
    found, asked = prepare(reading("HBSAG", value, unit), ADA, NOW)
    assert (found["text"], found["figure"], found["comment"]) == (word, Decimal(figure) if figure else None, comment)
    assert found["value"] is None
    assert bool(asked) is bool(figure)


@pytest.mark.parametrize("value", ["neither negative nor positive 3", "0.05 IU/mL of something", "(negativ"])
def test_words_that_are_no_verdict_are_refused(value: str) -> None:
    with pytest.raises(NotRecordable, match="not one of"):
        prepare(reading("HBSAG", value, ""), ADA, NOW)
