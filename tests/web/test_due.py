"""The due list: who is late for what and by which line of the protocol, and what falls due before it is late."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup

from tests.desk import Desk, statements
from tests.people import Cast
from tracker.db import Database
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
