"""The due list: who is late for what and by which line of the protocol, and what falls due before it is late."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from click.testing import CliRunner

from tests.desk import Desk, statements
from tests.people import Cast
from tracker.cli import tracker
from tracker.db import Database
from tracker.models import Patient
from tracker.operations import enrol

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)

Who = Callable[[str], Any]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


@pytest.fixture
def late(desk: Desk) -> int:
    """On tofacitinib for nine months; the last panel was on 3 October, so the next was due on 3 January."""
    key = desk.patient("L-1", "Late", started=270)
    desk.healthy(key, 277)
    desk.healthy(key, 230)
    desk.healthy(key, 130)
    return key


@pytest.fixture
def soon(desk: Desk) -> int:
    """Started five weeks ago: the first counts are due between four and eight weeks after the first dose."""
    key = desk.patient("S-1", "Soonest", started=35)
    desk.healthy(key, 36)
    return key


def page(browser: Any, query: str = "") -> Any:
    answer = browser.get(f"/due{query}")
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def words(element: Any) -> str:
    return " ".join(element.get_text(" ").split())


def section(soup: Any, title: str) -> str:
    found = soup.find("section", attrs={"aria-labelledby": title})
    return words(found) if found else ""


def test_a_check_that_is_late_says_how_late_and_by_which_line(alice: Any, late: int) -> None:
    soup = page(alice)
    assert "1 patient is overdue" in soup.h1.get_text()
    told = section(soup, "late-title")
    assert "Late, Kim L-1 · M 40" in told
    assert "tofacitinib 5 mg twice daily, month 9" in told
    assert "38 days late , due 3 Jan 2026" in told
    assert "every 3 months, last done on 3 Oct 2025" in told
    assert "US PI Laboratory Abnormalities" in told
    assert "unverified" in told, "the interval of the liver tests is the authors’ proposal"
    assert "Late" not in section(soup, "due-title")


def test_tests_that_are_wanted_for_one_reason_share_a_line(alice: Any, late: int) -> None:
    lines = [words(item) for item in page(alice).select(".desk-checks li")]
    assert any(line.startswith("Neutrophils, Haemoglobin 38 days late") for line in lines)


def test_what_is_due_and_not_late_is_listed_apart(alice: Any, soon: int) -> None:
    soup = page(alice)
    told = section(soup, "due-title")
    assert "Soonest, Kim" in told
    assert "due 3 Mar 2026" in told
    assert "first check 4 weeks to 8 weeks after the first dose on 6 Jan 2026" in told
    assert "late ," not in told
    assert "Soonest" not in section(soup, "late-title")


def test_a_result_takes_the_patient_off_the_list(alice: Any, desk: Desk, late: int, soon: int) -> None:
    desk.healthy(late, 0)
    desk.healthy(soon, 0)
    soup = page(alice)
    assert "Late, Kim" not in soup.get_text()
    assert "Soonest, Kim" not in soup.get_text()


def test_a_stopped_course_asks_for_nothing(alice: Any, desk: Desk, late: int) -> None:
    def stop(session: Any, actor: Any, patient: Any) -> None:
        (course,) = enrol.courses_of(session, patient.id)
        enrol.stop_course(session, actor, patient, course, desk.ago(1), "no effect on the hair")

    desk.judge(late, stop)
    assert "Late, Kim" not in section(page(alice), "late-title")


def test_a_planned_start_wants_its_baseline_and_is_never_late(alice: Any, desk: Desk) -> None:
    desk.patient("P-1", "Planned", started=-10, screened=False)
    soup = page(alice)
    assert "baseline before the first dose on 20 Feb 2026" in section(soup, "due-title")
    assert "Planned" not in section(soup, "late-title")


def test_somebody_owns_it_and_sees_what_is_theirs(alice: Any, sign_in: Who, late: int, soon: int) -> None:
    bob = sign_in("bob")
    assert bob.post(f"/patients/{late}/take", {"owners": "", "next": "/due"}).headers["Location"] == "/due"
    assert "Bob Birch" in section(page(alice), "late-title")
    mine = page(bob, "?whose=mine")
    assert "Late, Kim" in section(mine, "late-title")
    assert section(mine, "due-title") == ""
    assert "Late, Kim" not in section(page(alice, "?whose=mine"), "late-title")


def test_what_somebody_put_aside_stays_in_view_as_such(alice: Any, desk: Desk, late: int) -> None:
    flags = [f"{flag.id}:{flag.version}" for flag in desk.flags(late, rule="overdue", machine="open")]
    form = {"flag": flags, "action": "snooze", "until": "2026-02-20", "comment": "appointment on the 19th"}
    assert alice.post(f"/patients/{late}/review", form).status_code == 303
    assert "Put aside until 20 Feb 2026" in section(page(alice), "late-title")


def test_the_whole_list_is_for_paper_and_has_everybody(alice: Any, desk: Desk, late: int, soon: int) -> None:
    soup = page(alice, "?whole=yes")
    assert "As of 10 Feb 2026" in soup.get_text()
    assert "Late, Kim" in section(soup, "late-title")
    assert "Soonest, Kim" in section(soup, "due-title")


def test_every_late_patient_stands_on_one_page_of_the_list(
    alice: Any, desk: Desk, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        key = desk.patient(f"M-{number}", f"More{number}", started=270)
        desk.healthy(key, 277)
        desk.healthy(key, 130 + number)
    monkeypatch.setattr("tracker.web.due.LATE_PAGE", 2)
    query, seen = "", []
    for _ in range(3):
        soup = page(alice, query)
        late_part = soup.find("section", attrs={"aria-labelledby": "late-title"})
        seen += [words(link) for link in late_part.select("[data-row-link]")]
        following = soup.find("a", string="More that is overdue")
        query = "?" + following["href"].partition("?")[2] if following else ""
    assert query == ""
    assert len(seen) == len(set(seen)) == 5
    assert seen[0] == "More3, Kim", "the longest overdue first"


@pytest.mark.parametrize("query", ["?late=x", "?late=2026-01-01", "?late=2026-01-01~x", "?after=~", "?after=9~9~9"])
def test_an_odd_address_does_no_harm(alice: Any, late: int, query: str) -> None:
    assert "Late, Kim" in page(alice, query).get_text()


def test_the_patients_of_another_clinic_are_not_on_it(sign_in: Who, late: int) -> None:
    assert "Late, Kim" not in sign_in("mallory").get("/due?whole=yes").text


def test_the_number_of_statements_does_not_grow_with_the_list(
    alice: Any, desk: Desk, late: int, soon: int, database: Database
) -> None:
    def asked() -> int:
        with statements(database) as found:
            page(alice)
        return len(found)

    page(alice)
    few = asked()
    for number in range(8):
        key = desk.patient(f"M-{number}", "More", started=270 if number % 2 else 35)
        desk.healthy(key, 277 if number % 2 else 36)
    assert asked() == few


# ---------------------------------------------------------------------------------------------- owned and put off


def put_off(browser: Any, patient_id: int, *subjects: str, **form: str) -> Any:
    soup = BeautifulSoup(browser.get(f"/patients/{patient_id}/due").text, "html.parser")
    version = soup.select_one("#put-off input[name=version]")["value"]
    told = {"subject": list(subjects), "until": "2026-03-10", "reason": "on holiday until March", "version": version}
    return browser.post(f"/patients/{patient_id}/due", told | form)


def test_a_check_put_off_is_not_overdue_up_to_that_day_and_is_again_the_day_after(
    alice: Any, desk: Desk, late: int, clock: time_machine.Traveller
) -> None:
    assert desk.flags(late, rule="overdue", subject="ANC", machine="open")
    assert put_off(alice, late, "ANC").status_code == 303
    assert not desk.flags(late, rule="overdue", subject="ANC", machine="open")
    assert desk.flags(late, rule="overdue", subject="HB", machine="open"), "only what was ticked"
    shown = BeautifulSoup(alice.get(f"/patients/{late}/due").text, "html.parser")
    assert "Neutrophils Put off until 10 Mar 2026" in words(shown)
    assert "Alice Archer : Neutrophils put off until 10 Mar 2026 “on holiday until March”" in words(shown)
    clock.move_to(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))
    desk.judge(late, lambda *_: None)
    assert not desk.flags(late, rule="overdue", subject="ANC", machine="open")
    clock.move_to(datetime(2026, 3, 11, 12, 0, tzinfo=UTC))
    desk.judge(late, lambda *_: None)
    (again,) = desk.flags(late, rule="overdue", subject="ANC", machine="open")
    assert (again.opened_on, again.due_on) == (date(2026, 3, 11), date(2026, 1, 3))


def test_the_day_on_which_it_is_late_again_is_a_day_on_which_it_is_looked_at(alice: Any, desk: Desk, late: int) -> None:
    put_off(alice, late, "ANC", until="2026-02-12")
    with desk.database.reading() as session:
        assert session.get_one(Patient, late).next_check_on <= date(2026, 2, 13)


def test_what_was_put_off_can_be_wanted_again_at_once(alice: Any, desk: Desk, late: int) -> None:
    put_off(alice, late, "ANC")
    version = BeautifulSoup(alice.get(f"/patients/{late}/due").text, "html.parser")
    version = version.select_one("#put-off input[name=version]")["value"]
    answer = alice.post(f"/patients/{late}/due/back", {"subject": "ANC", "version": version})
    assert answer.status_code == 303
    assert desk.flags(late, rule="overdue", subject="ANC", machine="open")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"until": "2026-02-09"}, "is in the past"),
        ({"until": "2027-02-12"}, "more than a year away"),
        ({"until": ""}, "Until which day?"),
        ({"reason": "no"}, "Say in a few words why"),
        ({"subject": "GLU"}, "GLU: nothing is due now"),
        ({"subject": ""}, "nothing is due now"),
    ],
)
def test_what_cannot_be_put_off_is_said_and_nothing_typed_is_lost(
    alice: Any, desk: Desk, late: int, form: dict[str, str], expected: str
) -> None:
    answer = put_off(alice, late, "ANC", **{"reason": "waiting for the <b>family</b>"} | form)
    assert answer.status_code == 422
    assert expected in words(BeautifulSoup(answer.text, "html.parser").select_one(".jw-errors"))
    assert desk.flags(late, rule="overdue", subject="ANC", machine="open")
    if "reason" not in form:
        kept = BeautifulSoup(answer.text, "html.parser").select_one("#reason")["value"]
        assert kept == "waiting for the <b>family</b>"


def test_of_two_who_do_something_about_a_check_the_second_is_told(alice: Any, desk: Desk, late: int) -> None:
    put_off(alice, late, "ANC")
    form = {"subject": "HB", "until": "2026-03-10", "reason": "on holiday", "version": "0"}
    answer = alice.post(f"/patients/{late}/due", form)
    assert answer.status_code == 409
    assert "Somebody else did something about these checks" in answer.text


def test_what_somebody_takes_on_before_it_is_late_stays_theirs_when_it_is(
    alice: Any, sign_in: Who, desk: Desk, soon: int, clock: time_machine.Traveller
) -> None:
    row = page(alice).find("section", attrs={"aria-labelledby": "due-title"}).select_one(f"[data-patient='{soon}']")
    form = {"subject": [box["value"] for box in row.select("input[name=subject]")], "next": "/due"}
    assert alice.post(f"/patients/{soon}/due/take", form).status_code == 303
    assert "you" in words(page(alice, "?whose=mine").select_one(f"[data-patient='{soon}'] .desk-owner"))
    assert "Alice Archer" in section(page(sign_in("bob")), "due-title")
    assert "Soonest" not in section(page(sign_in("bob"), "?whose=mine"), "due-title")
    clock.move_to(datetime(2026, 3, 20, 12, 0, tzinfo=UTC))
    desk.judge(soon, lambda *_: None)
    alice.sign_in("alice")
    assert "Soonest, Kim" in section(page(alice, "?whose=mine"), "late-title")


def test_a_repeat_somebody_ordered_is_a_due_item(alice: Any, desk: Desk, cast: Cast) -> None:
    told = section(page(alice), "repeats-title")
    assert "Almondine, Ida" in told
    assert "by 16 Feb 2026, asked for by the rule" in told
    flag = desk.flag(cast.a.patient, id=cast.a.flag)
    form = {"flag": f"{flag.id}:{flag.version}", "action": "repeat", "until": "2026-02-12"}
    assert alice.post(f"/patients/{cast.a.patient}/review", form).status_code == 303
    told = section(page(alice), "repeats-title")
    assert "by 12 Feb 2026, ordered" in told
    assert "Alice Archer" in told
    desk.results(cast.a.patient, 0, ANC="2.9")
    assert "Neutrophils" not in section(page(alice), "repeats-title")


def test_the_command_shows_what_is_put_off_and_the_repeats(alice: Any, desk: Desk, late: int, cast: Cast) -> None:
    put_off(alice, late, "ANC")
    flag = desk.flag(cast.a.patient, id=cast.a.flag)
    form = {"flag": f"{flag.id}:{flag.version}", "action": "repeat", "until": "2026-02-12"}
    alice.post(f"/patients/{cast.a.patient}/review", form)
    outcome = CliRunner().invoke(tracker, ["due", "--json"], env={"TRACKER_DATABASE_URL": desk.database.url})
    assert outcome.exit_code == 0, outcome.output
    rows = {(row["mrn"], row["subject"]): row for row in json.loads(outcome.stdout)}
    assert (rows["L-1", "ANC"]["state"], rows["L-1", "ANC"]["waived_until"]) == ("due", "2026-03-10")
    assert (rows["L-1", "HB"]["state"], rows["L-1", "HB"]["waived_until"]) == ("overdue", None)
    assert rows["AL-0001", "ANC"]["due_on"] == "2026-02-12"
    assert "repeat ordered" in rows["AL-0001", "ANC"]["reason"]
