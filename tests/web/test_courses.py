"""Courses: begun with the protocol's checklist in view, corrected with a reason, taken out and never deleted."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.domain.readings import LabReading, read_moment
from tracker.library.protocols import protocols
from tracker.models import AuditEntry, Course, CourseEvent, Flag, Patient
from tracker.operations import enrol, entry
from tracker.operations.actor import Actor

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
PLAN = {
    "protocol_id": "tofacitinib_us",
    "indication": "alopecia areata",
    "licensing": "off-label",
    "discussion": "not licensed for this; baricitinib offered",
    "discussed_on": "2026-02-19",
    "started_on": "2026-03-02",
    "dose_mg": "5",
    "times_per_day": "2",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def noa(database: Database, cast: Cast) -> int:
    """A patient of clinic A without a course; neutrophils 0.92 the day before yesterday, lymphocytes 1.9."""
    actor = Actor("Alice Archer", NOW, "form", cast.accounts["alice"], "clinician")
    details = {"mrn": "AL-0009", "family_name": "Noa", "sex": "male", "birth_date": date(1990, 2, 3)}
    with database.transaction() as session:
        patient = enrol.add_patient(session, actor, cast.a.clinic, details)
        taken = read_moment("2026-02-18", ZoneInfo("Europe/Berlin"))
        panel = [("ANC", "0.92", "10*9/L"), ("ALC", "1.9", "10*9/L"), ("IGRA", "negative", "")]
        entry.save(session, actor, patient, [LabReading(patient.mrn, taken, *told) for told in panel])
        return patient.id


def plan(browser: Browser, patient_id: int, **changed: str) -> TestResponse:
    return browser.post(f"/patients/{patient_id}/courses/new", PLAN | changed)


def line(page: TestResponse, name: str) -> str:
    """One line of the checklist."""
    found = [tr for tr in soup(page).select(".rec-checks tbody tr") if words(tr).startswith(name)]
    assert len(found) == 1, f"{len(found)} lines {name}"
    return words(found[0])


def correction(database: Database, course_id: int, **changed: str) -> dict[str, Any]:
    course: Course = row(database, Course, course_id)
    return {
        "protocol_id": course.protocol_id or "other",
        "drug": course.drug,
        "indication": course.indication,
        "licensing": course.licensing,
        "started_on": course.started_on.isoformat(),
        "stopped_on": course.stopped_on.isoformat() if course.stopped_on else "",
        "stop_reason": course.stop_reason,
        "reason": "read from the letter",
        "version": str(course.version),
    } | changed


# ---------------------------------------------------------------------------------------------- before the start


def test_every_shipped_protocol_can_be_chosen_with_its_region(sign_in: SignIn, noa: int) -> None:
    page = soup(sign_in("bob").get(f"/patients/{noa}/courses/new"))
    offered = {str(option["value"]): option.get_text() for option in page.select("#protocol_id option")}
    assert set(offered) == {"", "other", *protocols()}
    assert len(protocols()) == 7
    assert offered["tofacitinib_eu"] == "tofacitinib (Xeljanz, EU/UK/AU), 5 mg twice daily"


def test_the_checklist_is_there_before_anything_is_saved(sign_in: SignIn, database: Database, noa: int) -> None:
    bob = sign_in("bob")
    before = (count(database, Course), count(database, Flag), count(database, AuditEntry))
    page = bob.post(f"/patients/{noa}/courses/check", PLAN)
    assert page.status_code == 200
    assert "Do not start: a reason that the label gives applies." in words(page)
    assert "Speaks against 0.92 ↓ below range ×10⁹/L 18 Feb 2026 do not start < 1000 /uL" in line(page, "Neutrophils")
    assert "May start 1.9" in line(page, "Lymphocytes")
    assert "To do not measured < 9.0 g/dL" in line(page, "Haemoglobin")
    assert "There done on 18 Feb 2026" in line(page, "TB test")
    assert "To do no result of Hepatitis B surface antigen" in line(page, "Hepatitis B and C")
    assert "Not needed not asked of this patient" in line(page, "Pregnancy status")
    assert "Missing, not required" in line(page, "Zoster vaccine")
    assert typed(page, "discussion") == PLAN["discussion"]
    assert (count(database, Course), count(database, Flag), count(database, AuditEntry)) == before


def test_another_protocol_asks_for_something_else(sign_in: SignIn, noa: int) -> None:
    page = sign_in("bob").post(f"/patients/{noa}/courses/check", PLAN | {"protocol_id": "ritlecitinib_us"})
    assert "Neutrophils" not in [words(tr).split()[0] for tr in soup(page).select(".rec-checks tbody tr")]
    assert "< 100000 /uL" in line(page, "Platelets")


def test_only_a_part_of_the_page_where_only_that_is_asked_for(sign_in: SignIn, noa: int) -> None:
    part = sign_in("bob").post(f"/patients/{noa}/courses/check", PLAN, headers={"HX-Request": "true"}).text
    assert "Do not start:" in part
    assert "<html" not in part


@pytest.mark.parametrize("missing", ["protocol_id", "started_on"])
def test_without_protocol_or_day_there_is_nothing_to_check(sign_in: SignIn, noa: int, missing: str) -> None:
    page = sign_in("bob").post(f"/patients/{noa}/courses/check", PLAN | {missing: ""})
    assert page.status_code == 200
    assert "Choose the protocol and the day of the first dose" in words(page)


# ---------------------------------------------------------------------------------------------- begin


def test_a_plan_is_recorded_and_what_speaks_against_it_is_flagged(
    sign_in: SignIn, database: Database, noa: int
) -> None:
    bob = sign_in("bob")
    answer = plan(bob, noa)
    assert answer.status_code == 303, problems(answer)
    page = bob.get(answer.headers["Location"])
    assert "New flag: Neutrophils 0.92 ×10⁹/L, below the limit 1.0 ×10⁹/L for starting tofacitinib." in told(page)
    assert "The course planned" in words(page)
    assert "Off-label" in words(page)
    assert "not licensed for this; baricitinib offered 19 Feb 2026" in words(page)
    assert "Do not start: a reason that the label gives applies." in words(page)
    assert [flag.subject for flag in open_flags(database, noa, "do_not_start")] == ["ANC"]


def test_the_page_of_a_course_reads_what_is_stored(sign_in: SignIn, database: Database, noa: int) -> None:
    bob = sign_in("bob")
    address = plan(bob, noa).headers["Location"]
    with database.transaction() as session:  # as if no rule had run since
        for flag in session.query(Flag).where(Flag.patient_id == noa, Flag.rule == "do_not_start"):
            flag.machine, flag.attention = "cleared", 9
    assert "Do not start:" not in words(bob.get(address))


def test_a_course_that_is_over_is_entered_in_one_go(sign_in: SignIn, database: Database, noa: int) -> None:
    past = {"started_on": "2025-01-06", "stopped_on": "2025-06-02", "stop_reason": "no effect"}
    answer = plan(sign_in("bob"), noa, **past)
    assert answer.status_code == 303
    course = row(database, Course, count(database, Course))
    assert (course.stopped_on, course.stop_reason) == (date(2025, 6, 2), "no effect")


def test_a_drug_no_protocol_watches_is_recorded_as_such(sign_in: SignIn, noa: int) -> None:
    bob = sign_in("bob")
    page = bob.get(plan(bob, noa, protocol_id="other", drug="ruxolitinib").headers["Location"])
    assert "Protocol none watches this drug" in words(page)
    assert "No protocol watches this drug, so nothing is asked for." in words(page)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"protocol_id": ""}, "Choose the protocol"),
        ({"protocol_id": "tofacitinib_mars"}, "Not a valid choice"),
        ({"protocol_id": "other"}, "Name the other drug."),
        ({"started_on": ""}, "When is or was the first dose?"),
        ({"started_on": "1990-02-02"}, "before the patient's birth"),
        ({"stopped_on": "2026-03-01"}, "before it starts"),
        ({"discussed_on": ""}, "On which day was it discussed?"),
        ({"dose_mg": "0"}, "more than 0"),
        ({"dose_mg": "<5"}, "is not a number"),
        ({"times_per_day": ""}, "How many times a day?"),
        ({"times_per_day": "24"}, "Once to six times a day."),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    sign_in: SignIn, database: Database, noa: int, changed: dict[str, str], said: str
) -> None:
    before = count(database, Course)
    answer = plan(sign_in("bob"), noa, **changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "discussion") == PLAN["discussion"]
    assert count(database, Course) == before


def test_a_drug_is_not_taken_in_two_courses_at_once(sign_in: SignIn, cast: Cast) -> None:
    answer = plan(sign_in("bob"), cast.a.patient)
    assert answer.status_code == 422
    assert "A course of tofacitinib from 2026-01-12 is on record" in problems(answer)


# ---------------------------------------------------------------------------------------------- corrections


def test_another_first_day_takes_the_first_dose_along(sign_in: SignIn, database: Database, cast: Cast) -> None:
    bob = sign_in("bob")
    sent = correction(database, cast.a.course, started_on="2026-02-10", licensing="off-label")
    answer = bob.post(f"/courses/{cast.a.course}/edit", sent)
    assert answer.status_code == 303, problems(answer)
    page = bob.get(answer.headers["Location"])
    assert "started on 2026-01-12 → became 2026-02-10" in words(page)
    assert "read from the letter" in words(page)
    assert [event.on for event in doses(database)] == [date(2026, 2, 10)]
    # the count of 9 February was taken on treatment before; now it was taken before the first dose
    assert [flag.subject for flag in open_flags(database, cast.a.patient, "do_not_start")] == ["ANC"]
    assert open_flags(database, cast.a.patient, "action_limit") == []


def doses(database: Database) -> list[CourseEvent]:
    with database.reading() as session:
        return [event for event in session.query(CourseEvent) if event.course_id == 1 and event.voided_at is None]


def test_the_label_of_another_region_judges_by_its_own_limits(sign_in: SignIn, database: Database, cast: Cast) -> None:
    sent = correction(database, cast.a.course, protocol_id="tofacitinib_eu")
    assert sign_in("bob").post(f"/courses/{cast.a.course}/edit", sent).status_code == 303
    yardsticks = {flag.yardstick.split(" ")[0] for flag in open_flags(database, cast.a.patient, "action_limit")}
    assert yardsticks == {"tofacitinib_eu"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": ""}, "Say in a few words why."),
        ({"started_on": "2026-02-10", "reason": "x"}, "Say in a few words why."),
        ({"started_on": "1980-01-01"}, "before the patient's birth"),
        ({"stopped_on": "2026-01-11"}, "before it starts"),
        ({"protocol_id": "other", "drug": ""}, "Name the other drug."),
    ],
)
def test_a_correction_that_cannot_be_changes_nothing(
    sign_in: SignIn, database: Database, cast: Cast, changed: dict[str, str], said: str
) -> None:
    answer = sign_in("bob").post(f"/courses/{cast.a.course}/edit", correction(database, cast.a.course) | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    course = row(database, Course, cast.a.course)
    assert (course.started_on, course.stopped_on, course.version) == (date(2026, 1, 12), None, 1)


def test_who_saves_second_sees_what_the_first_changed(sign_in: SignIn, database: Database, cast: Cast) -> None:
    seen_by_both = correction(database, cast.a.course)
    path = f"/courses/{cast.a.course}/edit"
    assert sign_in("alice").post(path, seen_by_both | {"indication": "alopecia universalis"}).status_code == 303
    late = sign_in("bob").post(path, seen_by_both | {"licensing": "off-label"})
    assert late.status_code == 409
    assert "indication alopecia areata → became alopecia universalis" in problems(late)
    assert typed(late, "licensing") == "off-label"
    assert row(database, Course, cast.a.course).licensing == ""


def test_a_course_taken_out_is_judged_no_more_and_stays_on_record(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    bob = sign_in("bob")
    before = count(database, Course)
    path = f"/courses/{cast.a.course}/void"
    assert bob.post(path, {"reason": "no"}).status_code == 422
    answer = bob.post(path, {"reason": "another patient's drug"})
    assert any("Cleared flag" in told_line for told_line in told(bob.get(answer.headers["Location"])))
    assert count(database, Course) == before
    assert "another patient's drug" in words(bob.get(f"/courses/{cast.a.course}"))
    assert open_flags(database, cast.a.patient, "action_limit") == []
    assert row(database, Patient, cast.a.patient).id == cast.a.patient
    assert bob.post(path, {"reason": "another patient's drug"}).status_code == 409
