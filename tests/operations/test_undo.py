"""An import undone as a whole: what it brought is out, what it replaced stands again, what people built on stays."""

import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.operations.conftest import NOW, ZONE, Desk
from tracker import formats
from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.readings import CORRECTED, LabReading, read_moment
from tracker.models import (
    AdverseEvent,
    AuditEntry,
    Clinic,
    Course,
    HeldRow,
    ImportBatch,
    ImportUndo,
    LabResult,
    Medication,
    Observation,
    Patient,
)
from tracker.operations import configure, correction, enrol, review
from tracker.operations.actor import Actor
from tracker.operations.audit import first_bad_entry
from tracker.operations.importing import Importer, Report
from tracker.operations.undo import Undone, undo

HEAD = "mrn,collected_at,analyte,value,unit,accession,status\n"
OPERATOR = Actor("operator", NOW, "import")


def file(desk: Desk, content: str, create: bool = False) -> Report:
    """Import a table and judge whom it touches."""
    with desk.database.transaction() as session:
        source = formats.read("a.csv", io.BytesIO(content.encode()), ZONE)
        importer = Importer(session, OPERATOR, [session.get_one(Clinic, desk.clinic_id)], create, may_configure=True)
        report = importer.file("a.csv", source.format, source.kind, source.rows)
        importer.judge()
    return report


def take_back(desk: Desk, report: Report, actor: Actor | None = None, **more: Any) -> Undone:
    with desk.database.transaction() as session:
        batch = session.get_one(ImportBatch, report.batch)
        return undo(session, actor or desk.nurse, batch, "sent for the wrong patient", **more)


def standing(desk: Desk, subject: str) -> list[str]:
    with desk.database.reading() as session:
        r = LabResult
        found = select(r.figure).where(r.subject == subject, r.retired_at.is_(None)).order_by(r.collected_at)
        return [str(figure) for figure in session.scalars(found)]


def rows_of(desk: Desk, kind: Any) -> list[Any]:
    with desk.database.reading() as session:
        return list(session.scalars(select(kind).order_by(kind.id)))


LOW = HEAD + "0001,2026-03-01,ANC,0.4,10*9/L,,\n0001,2026-03-01,ALT,31,U/L,,\n"


def test_its_results_are_out_and_the_flags_they_raised_are_over(desk: Desk) -> None:
    report = file(desk, LOW)
    assert desk.flag("action_limit", "ANC").severity == "urgent"
    found = take_back(desk, report)
    assert found.done == {"results taken out": 2}
    assert standing(desk, "ANC") == []
    assert desk.flag("action_limit", "ANC", "cleared").attention == 9
    with desk.database.reading() as session:
        row = session.scalars(select(LabResult).where(LabResult.subject == "ANC")).one()
        assert row.retired_reason == "import undone: sent for the wrong patient"
        (noted,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "undo"))
        assert (noted.record, noted.reason) == ("import_batch", "sent for the wrong patient")
        assert first_bad_entry(session) is None


def test_the_same_file_comes_in_again_afterwards(desk: Desk) -> None:
    take_back(desk, file(desk, LOW))
    again = file(desk, LOW)
    assert (again.filed, again.duplicate) == (2, 0)
    assert standing(desk, "ANC") == ["0.4"]
    assert desk.flag("action_limit", "ANC").machine == "open"


def test_what_a_correction_had_replaced_stands_again_as_a_new_version(desk: Desk) -> None:
    file(desk, HEAD + "0001,2026-03-01,ANC,0.4,10*9/L,A1,final\n")
    corrected = file(desk, HEAD + "0001,2026-03-01,ANC,2.4,10*9/L,A1,corrected\n")
    assert standing(desk, "ANC") == ["2.4"]
    found = take_back(desk, corrected)
    assert found.done == {"results taken out": 1, "results that stand again": 1}
    assert standing(desk, "ANC") == ["0.4"]
    assert desk.flag("action_limit", "ANC").machine == "open"
    versions = rows_of(desk, LabResult)
    assert [str(row.figure) for row in versions] == ["0.4", "2.4", "0.4"]
    assert versions[2].replaces_id == versions[1].id
    assert versions[2].batch_id == versions[0].batch_id
    assert "was undone" in versions[2].reason


def test_two_imports_undone_in_either_order_leave_nothing(desk: Desk) -> None:
    first = file(desk, HEAD + "0001,2026-03-01,ANC,0.4,10*9/L,A1,final\n")
    second = file(desk, HEAD + "0001,2026-03-01,ANC,2.4,10*9/L,A1,corrected\n")
    take_back(desk, first)
    assert standing(desk, "ANC") == ["2.4"], "the later file's value was not the first one's"
    take_back(desk, second)
    assert standing(desk, "ANC") == []


def test_a_result_that_the_file_cancelled_stands_again(desk: Desk) -> None:
    file(desk, HEAD + "0001,2026-03-01,ANC,0.4,10*9/L,A1,final\n")
    cancelled = file(desk, HEAD + "0001,2026-03-01,ANC,,,A1,cancelled\n")
    assert (cancelled.filed, standing(desk, "ANC")) == (1, [])
    assert take_back(desk, cancelled).done == {"results that stand again": 1}
    assert standing(desk, "ANC") == ["0.4"]


def test_a_person_s_correction_stands_and_is_said(desk: Desk) -> None:
    report = file(desk, LOW)
    with desk.database.transaction() as session:
        row = session.scalars(select(LabResult).where(LabResult.subject == "ANC")).one()
        new = LabReading("0001", read_moment("2026-03-01", ZONE), "ANC", "1.4", "10*9/L", status=CORRECTED)
        patient = session.get_one(Patient, desk.patient_id)
        correction.correct(session, desk.nurse, patient, row, new, "misread the printout", True)
    found = take_back(desk, report)
    assert found.done == {"results taken out": 1}
    assert "ANC of 2026-03-01 of patient 0001 was corrected by a person since: it stands." in found.left[0]
    assert (standing(desk, "ANC"), standing(desk, "ALT")) == (["1.4"], [])


def test_a_decision_stays_on_record_and_its_flag_asks_for_closure(desk: Desk) -> None:
    report = file(desk, LOW)
    flag = desk.flag("action_limit", "ANC")
    with desk.database.transaction() as session:
        decision = review.Decision("acknowledge", comment="called the patient", until=date(2026, 3, 25))
        patient = session.get_one(Patient, desk.patient_id)
        review.decide(session, desk.doctor, patient, {flag.id: flag.version}, decision, NOW.date())
    take_back(desk, report)
    after = desk.flag("action_limit", "ANC", "cleared")
    assert (after.review, after.superseded) == ("acknowledged", True)
    assert after.attention < 9


COURSES = "mrn,protocol,started_on,dose_mg,times_per_day\n0002,baricitinib_us,2026-02-01,2,1\n"
PEOPLE = "mrn,family_name,birth_date,sex,weight_kg\n0002,Bell,1980-02-02,male,70\n0001,,,,61\n"
EVENTS = "mrn,kind,term,onset_on\n0001,infection,Sinusitis,2026-03-02\n"
DRUGS = "mrn,name,interaction,started_on\n0001,Fluconazole,moderate_cyp3a4_inhibitor,2026-03-01\n"


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (EVENTS, AdverseEvent, {"events voided": 1}),
        (DRUGS, Medication, {"drugs voided": 1}),
        ("mrn,on,kind,value\n0001,2026-03-01,salt,40\n", Observation, {"observations voided": 1}),
    ],
)
def test_what_it_created_is_voided_with_the_reason(desk: Desk, content: str, kind: Any, what: dict[str, int]) -> None:
    before = len(rows_of(desk, kind))
    report = file(desk, content)
    assert take_back(desk, report).done == what
    row = rows_of(desk, kind)[before]
    assert row.voided_at is not None
    assert row.voided_reason == "import undone: sent for the wrong patient"
    assert file(desk, content).filed == 1


def test_a_patient_stays_their_course_and_their_weight_are_voided(desk: Desk) -> None:
    people, courses = file(desk, PEOPLE), file(desk, COURSES)
    assert take_back(desk, courses).done == {"lines of courses voided": 1, "courses voided": 1}
    found = take_back(desk, people)
    assert found.done == {"observations voided": 2}
    assert found.left == ["1 patient whom it enrolled stays on record: a person is not taken out with a file."]
    with desk.database.reading() as session:
        bell = session.scalars(select(Patient).where(Patient.mrn == "0002")).one()
        assert bell.batch_id == people.batch


def test_a_course_that_a_person_added_a_hold_to_stands_and_is_said(desk: Desk) -> None:
    file(desk, PEOPLE)
    report = file(desk, COURSES)
    with desk.database.transaction() as session:
        bell = session.scalars(select(Patient).where(Patient.mrn == "0002")).one()
        (course,) = enrol.courses_of(session, bell.id)
        hold = {"on": NOW.date(), "kind": "hold", "reason": "infection"}
        enrol.add_course_event(session, desk.doctor, bell, course, hold)
    found = take_back(desk, report)
    assert found.done == {}
    assert "Course “baricitinib” of patient 0002 was built on since: it stands." in found.left[0]
    with desk.database.reading() as session:
        assert len(enrol.courses_of(session, bell.id)) == 1
        assert len(enrol.events_of(session, course.id)) == 2


def test_an_event_that_a_person_corrected_stands(desk: Desk) -> None:
    report = file(desk, EVENTS)
    with desk.database.transaction() as session:
        event = session.scalars(select(AdverseEvent).where(AdverseEvent.term == "Sinusitis")).one()
        patient = session.get_one(Patient, desk.patient_id)
        enrol.correct(session, desk.nurse, event, {"grade": 2}, patient=patient, reason="seen at the visit")
    found = take_back(desk, report)
    assert (found.done, len(found.left)) == ({}, 1)


def test_what_it_changed_is_put_back_and_what_was_changed_again_stays(desk: Desk) -> None:
    first = file(desk, EVENTS)
    second = file(desk, EVENTS.replace("onset_on\n", "onset_on,grade\n").replace("2026-03-02", "2026-03-02,3"))
    assert second.filed == 1
    assert "built on since" in take_back(desk, first).left[0], "a later file added to it"
    assert take_back(desk, second).done == {"records put back as they were": 1}
    (event,) = [row for row in rows_of(desk, AdverseEvent) if row.term == "Sinusitis"]
    assert (event.grade, event.voided_at) == (None, None)


def test_a_course_that_it_ended_goes_on(desk: Desk) -> None:
    file(desk, PEOPLE)
    file(desk, COURSES)
    ended = file(
        desk, "mrn,protocol,started_on,stopped_on,stop_reason\n0002,baricitinib_us,2026-02-01,2026-03-01,moved away\n"
    )
    (course,) = [row for row in rows_of(desk, Course) if row.drug == "baricitinib"]
    assert course.stopped_on is not None
    take_back(desk, ended)
    (course,) = [row for row in rows_of(desk, Course) if row.drug == "baricitinib"]
    assert (course.stopped_on, course.stop_reason) == (None, "")


def test_rows_that_waited_wait_no_longer_and_wait_again_when_they_come_again(desk: Desk) -> None:
    content = HEAD + "9999,2026-03-01,ANC,0.4,10*9/L,,\n"
    assert take_back(desk, file(desk, content)).done == {"rows taken out of the tray": 1}
    assert [row.state for row in rows_of(desk, HeldRow)] == ["dismissed"]
    again = file(desk, content)
    (held,) = rows_of(desk, HeldRow)
    assert (held.state, held.batch_id) == ("waiting", again.batch)


def test_it_is_undone_once_with_a_reason_and_never_another_clinic_s(desk: Desk) -> None:
    report = file(desk, LOW)
    with pytest.raises(Refused, match="few words"), desk.database.transaction() as session:
        undo(session, desk.nurse, session.get_one(ImportBatch, report.batch), " no ")
    with desk.database.transaction() as session:
        other = configure.add_clinic(session, OPERATOR, "other", "Other clinic")
    with pytest.raises(NotAllowed):
        take_back(desk, report, clinics=frozenset({other.id}))
    take_back(desk, report, clinics=frozenset({desk.clinic_id}))
    with pytest.raises(Stale, match="undone already"):
        take_back(desk, report)


def test_a_preview_of_it_stores_nothing(desk: Desk) -> None:
    report = file(desk, LOW)
    with desk.database.transaction() as session:
        batch = session.get_one(ImportBatch, report.batch)
        assert undo(session, replace(desk.nurse), batch, "only looking").done == {"results taken out": 2}
        session.rollback()
    assert standing(desk, "ANC") == ["0.4"]
    with desk.database.reading() as session:
        assert session.scalar(select(func.count(ImportUndo.id))) == 0


def test_what_a_later_file_brought_once_more_is_out_too_and_that_is_said(desk: Desk) -> None:
    """The right file came after the wrong one and had some of its rows: nothing tells that they are missing now."""
    stray = "0999,2026-03-01,ALT,31,U/L,,\n"
    first = file(desk, LOW + stray)
    again = "Later files had rows that were here already: what this import had brought of them is out now."
    file(desk, HEAD + stray)
    found = take_back(desk, first)
    assert standing(desk, "ANC") == []
    assert found.left == [f"{again} File those again where they are right: a.csv."]
    second = file(desk, LOW)
    assert (second.filed, second.duplicate) == (2, 0)
    assert take_back(desk, second).left == []
    third = file(desk, LOW)
    file(desk, LOW)
    assert take_back(desk, third).left == [f"{again} File those again where they are right: a.csv."]
