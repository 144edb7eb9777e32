"""The review of one patient: what a flag rests on, who judged, and what a decision does to flag and treatment."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup

from tests.desk import Desk, statements
from tests.people import Cast
from tracker.db import Database
from tracker.models import Review

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)  # the day after Ida's neutrophils were 0.46

Who = Callable[[str], Any]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


@pytest.fixture
def ida(cast: Cast) -> int:
    return cast.a.patient


@pytest.fixture
def erin(desk: Desk, sign_in: Who) -> Any:
    """A second clinician of the clinic."""
    desk.colleague("erin")
    return sign_in("erin")


def soup(answer: Any) -> Any:
    return BeautifulSoup(answer.text, "html.parser")


def page(browser: Any, patient_id: int, query: str = "") -> Any:
    answer = browser.get(f"/patients/{patient_id}/review{query}")
    assert answer.status_code == 200, answer.text
    return soup(answer)


def words(element: Any) -> str:
    return " ".join(element.get_text(" ").split())


def group(found: Any, title: str) -> Any:
    return next(part for part in found.select(".desk-group") if title in part.h2.get_text())


def ticked(found: Any) -> list[str]:
    return [box["value"] for box in found.select("input[name=flag][checked]")]


def send(browser: Any, patient_id: int, flags: list[str], query: str = "", **form: str) -> Any:
    return browser.post(f"/patients/{patient_id}/review{query}", {"flag": flags, **form})


def waiting(browser: Any, patient_id: int, *subjects: str) -> list[str]:
    """The keys of the flags that can be ticked, of these names."""
    boxes = page(browser, patient_id).select("input[name=flag]")
    return [box["value"] for box in boxes if not subjects or any(name in box["data-name"] for name in subjects)]


def reviews(database: Database, patient_id: int) -> list[Review]:
    with database.reading() as session:
        return list(session.query(Review).filter(Review.patient_id == patient_id).order_by(Review.id))


# ---------------------------------------------------------------------------------------------- what is shown


def test_a_flag_shows_its_evidence_its_layer_and_who_judged(alice: Any, desk: Desk, ida: int) -> None:
    desk.results(ida, 0, ANC="0.44")
    found = group(page(alice, ida), "Neutrophils")
    told = words(found)
    assert "Action limit of the drug’s protocol" in told
    assert "Neutrophils 0.44 ×10⁹/L, below the action limit 0.5 ×10⁹/L" in told
    newest, older = (words(row) for row in found.select_one(".desk-evidence tbody").select("tr"))
    assert newest.startswith("10 Feb 2026 0.44 ↓ below range ×10⁹/L ≥ 2.0 and ≤ 8.25")
    assert "grade 4" in newest
    assert "entered by Bob Birch" in newest
    assert older.startswith("9 Feb 2026 0.46")
    assert "confirmed by repeat" in told
    assert "Label: discontinue (confirmed by repeat)" in told
    judged = found.select_one(".desk-judged")
    assert judged.find("a", string="Action limit of the protocol")["href"] == "/rules/action_limit"
    assert "tofacitinib (Xeljanz, US)" in words(judged)
    assert "line tofa_us_anc_stop" in words(judged)
    assert "rules " in words(judged)


def test_the_layers_are_kept_apart_and_the_folded_ones_say_under_what(alice: Any, ida: int) -> None:
    found = group(page(alice, ida), "Neutrophils")
    also = [words(part) for part in found.select(".desk-also")]
    assert any(part.startswith("Act today CTCAE grade") for part in also)
    assert any("Laboratory range" in part and "said by: Action limit of the protocol" in part for part in also)


def test_a_banner_names_the_patient_twice_over_and_the_treatment_as_it_stands(alice: Any, desk: Desk, ida: int) -> None:
    assert words(page(alice, ida).select_one(".jw-patient")) == (
        "Almondine, Ida Record AL-0001 Born 17 May 1988 (37) Sex female Drug tofacitinib 5 mg twice daily On it day 30"
    )
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="hold", comment="until the repeat")
    assert "State on hold" in words(page(alice, ida).select_one(".jw-patient"))


def test_what_could_not_be_judged_is_listed_once_a_reason_and_no_silence_is_called_normal(
    alice: Any, desk: Desk
) -> None:
    unknown = desk.patient("S-1", "Somebody", sex="unknown", birth_date=None)
    desk.healthy(unknown, 1)
    text = words(page(alice, unknown).find("section", attrs={"aria-labelledby": "unchecked-title"}))
    assert "the range depends on sex, which is not known" in text
    assert text.count("the range depends on sex") == 1
    assert "Looked for, with nothing found that still holds:" in text
    assert "Action limit of the protocol" in text
    assert "is not a normal result" in text


def test_a_healthy_patient_has_no_finding_and_is_not_called_normal(alice: Any, desk: Desk) -> None:
    well = desk.patient("W-1", "Wellwood")
    desk.healthy(well, 61)
    desk.healthy(well, 1)
    text = page(alice, well).get_text()
    assert "No finding waits for a decision" in text
    assert "That is not the same as normal" in text


def test_a_correction_is_said_beside_the_result_that_no_longer_stands(alice: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="acknowledge")
    answer = alice.post(f"/results/{desk.cast.a.result}/void", {"void-reason": "the tube was clotted"})
    assert answer.status_code == 303, answer.text
    found = page(alice, ida, "?past=yes")
    assert "no longer stands: the tube was clotted" in found.get_text()


def test_the_chart_beside_it_shows_the_tests_the_findings_rest_on(alice: Any, ida: int) -> None:
    chart = page(alice, ida).select_one("[data-timeline]")
    assert chart["data-timeline"] == f"/patients/{ida}/timeline.json?test=ANC"


# ---------------------------------------------------------------------------------------------- deciding


def test_ordering_a_repeat_is_read_back_and_awaited(alice: Any, desk: Desk, ida: int) -> None:
    found = page(alice, ida)
    assert found.select_one("#until")["value"] == "2026-02-16", "the day the label asks for lies ready"
    answer = send(alice, ida, ticked(found), action="repeat", until="2026-02-16", comment="called her today")
    assert answer.status_code == 303
    after = page(alice, ida)
    assert "Order a repeat by 16 Feb: Neutrophils." in words(after.select_one(".jw-messages"))
    told = words(group(after, "Neutrophils"))
    assert "Awaiting repeat until 16 Feb 2026" in told
    assert "Alice Archer : Order a repeat until 16 Feb 2026 “called her today”" in told
    assert desk.flag(ida, id=desk.cast.a.flag).owner_id == desk.cast.accounts["alice"]


def test_only_what_is_ticked_is_decided(alice: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "rhinitis"), action="acknowledge")
    assert desk.flag(ida, id=desk.cast.a.flag).review == "open"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, "Choose a decision"),
        ({"action": "discharge"}, "Not a valid choice"),
        ({"action": "repeat"}, "“Order a repeat” needs a date"),
        ({"action": "repeat", "until": "2026-02-09"}, "The date of the next check is in the past"),
        ({"action": "repeat", "until": "03/04/2026"}, "Write the date as 2026-03-01"),
        ({"action": "snooze", "until": "2026-03-01", "comment": "x"}, "“Snooze” needs a reason in a few words"),
        ({"action": "refer", "comment": "x"}, "“Refer” needs a reason in a few words"),
        ({"action": "reduce", "dose_mg": "5"}, "How many times a day is it taken"),
        ({"action": "reduce", "times_per_day": "1"}, "How many mg is the new dose"),
        ({"action": "hold", "on": "2026-02-12"}, "is recorded on the day it happens"),
        ({"action": "resume"}, "The drug is not on hold"),
    ],
)
def test_a_decision_that_lacks_something_comes_back_with_all_that_was_typed(
    alice: Any, desk: Desk, ida: int, form: dict[str, str], expected: str
) -> None:
    typed = {"comment": "herpes last week, <b>careful</b>"} | form
    answer = send(alice, ida, ticked(page(alice, ida)), **typed)
    assert answer.status_code == 422
    found = soup(answer)
    assert expected in found.select_one(".jw-errors").get_text()
    assert found.select_one("textarea#comment").get_text().strip() == typed["comment"]
    assert ticked(found) == [f"{desk.cast.a.flag}:{desk.flag(ida, id=desk.cast.a.flag).version}"]
    if form.get("action") in ("repeat", "snooze", "refer", "reduce", "hold"):
        assert found.select_one(f"#action-{form['action']}").has_attr("checked")
    assert reviews(desk.database, ida) == []


def test_no_flag_ticked_is_said(alice: Any, ida: int) -> None:
    answer = send(alice, ida, [], action="acknowledge")
    assert answer.status_code == 422
    assert "Choose at least one flag" in answer.text


def test_a_flag_of_another_patient_is_not_decided_here(alice: Any, desk: Desk, ida: int) -> None:
    other = desk.patient("O-1", "Other", screened=False)
    desk.healthy(other, 1)
    foreign = desk.flags(other)[0]
    answer = send(alice, ida, [f"{foreign.id}:{foreign.version}"], action="acknowledge")
    assert answer.status_code == 422
    assert desk.flags(other)[0].review == "open"


@pytest.mark.parametrize("key", ["1", "1:x", "x:1", "1:2:3", "9" * 50 + ":1"])
def test_a_form_that_was_tampered_with_is_refused(alice: Any, ida: int, key: str) -> None:
    answer = send(alice, ida, [key], action="acknowledge")
    assert answer.status_code in (409, 422)


def test_a_hold_is_written_into_the_course(alice: Any, desk: Desk, ida: int) -> None:
    send(
        alice, ida, waiting(alice, ida, "Neutrophils"), action="hold", on="2026-02-10", until="2026-02-16",
        comment="neutropenia",
    )  # fmt: skip
    (event,) = [event for event in desk.course(ida).events if event.kind == "hold"]
    assert (event.on, event.review_on, event.reason) == (date(2026, 2, 10), date(2026, 2, 16), "neutropenia")
    offered = [words(label) for label in page(alice, ida).select(".desk-choices label")]
    assert "Resume the drug" in offered
    assert "Hold the drug" not in offered


def test_a_reduced_dose_is_written_into_the_course(alice: Any, desk: Desk, ida: int) -> None:
    send(
        alice, ida, waiting(alice, ida, "Neutrophils"), action="reduce", dose_mg="5", times_per_day="1",
        comment="half the dose",
    )  # fmt: skip
    assert "5 mg once daily" in words(page(alice, ida).select_one(".jw-patient"))


def test_without_a_running_course_there_is_nothing_to_hold(alice: Any, desk: Desk) -> None:
    untreated = desk.patient("N-1", "Naive", started=None)
    desk.results(untreated, 1, ANC="0.4")
    offered = [words(label) for label in page(alice, untreated).select(".desk-choices label")]
    assert not [label for label in offered if "drug" in label or "dose" in label]
    assert "Order a repeat" in offered


def test_a_normal_repeat_proposes_closure_which_lies_ready(alice: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="repeat", until="2026-02-16")
    desk.results(ida, 0, ANC="2.9")
    found = page(alice, ida, "?only=closure")
    assert "No longer at the limit since 10 Feb: closure proposed" in words(group(found, "Neutrophils"))
    assert found.select_one("#action-close").has_attr("checked")
    answer = send(alice, ida, ticked(found), action="close")
    assert answer.status_code == 303
    assert desk.flag(ida, id=desk.cast.a.flag).review == "closed"


def test_an_earlier_decision_on_a_flag_like_this_is_shown(alice: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="treat", comment="filgrastim, two doses")
    desk.results(ida, 0, hour=7, ANC="2.9")
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="close", comment="recovered")
    desk.results(ida, 0, hour=8, ANC="0.4")
    like = group(page(alice, ida), "Neutrophils").select_one(".desk-like")
    assert "Earlier decisions on a flag like this" in words(like)
    assert "filgrastim, two doses" in words(like)


def test_saving_may_lead_on_to_the_next_patient(alice: Any, desk: Desk, ida: int) -> None:
    untested = desk.patient("U-1", "Ullman", screened=False)
    desk.healthy(untested, 1)
    queue = soup(alice.get("/"))
    path = queue.select_one("[data-row-link]")["href"]
    assert path.startswith(f"/patients/{ida}/review?at=0~")
    query = path.partition("?")[2]
    answer = send(alice, ida, ticked(page(alice, ida)), f"?{query}", action="acknowledge", then="next")
    following = alice.get(answer.headers["Location"])
    assert following.headers["Location"].startswith(f"/patients/{untested}/review?")
    end = alice.get(f"/patients/{untested}/review/next?{following.headers['Location'].partition('?')[2]}")
    onward = end.headers["Location"]
    assert "Almondine" in alice.get(onward, follow_redirects=True).text, (
        "what somebody carries comes last, then the queue"
    )


def test_next_keeps_to_the_filter_one_came_with_and_ends_at_the_queue(alice: Any, desk: Desk, ida: int) -> None:
    untested = desk.patient("U-1", "Ullman", screened=False)
    desk.healthy(untested, 1)
    row = soup(alice.get("/?only=today")).select_one("[data-row-link]")["href"]
    link = soup(alice.get(row)).select_one("a[data-shortcut=n]")["href"]
    end = alice.get(link)
    assert end.headers["Location"] == "/?only=today"
    assert "That was the last one of this list" in alice.get("/?only=today").text


# ---------------------------------------------------------------------------------------------- two people


def test_of_two_who_decide_at_once_the_second_sees_what_happened_and_loses_nothing(
    alice: Any, erin: Any, desk: Desk, ida: int
) -> None:
    shown = ticked(page(alice, ida))
    send(erin, ida, waiting(erin, ida, "Neutrophils"), action="repeat", until="2026-02-12", comment="tomorrow")
    answer = send(alice, ida, shown, action="hold", comment="I would rather stop for now", on="2026-02-10")
    assert answer.status_code == 409
    found = soup(answer)
    told = words(found.select_one(".jw-errors"))
    assert "This changed while you were deciding" in told
    assert "Neutrophils: Erin Ash decided “Order a repeat” on 10 Feb 2026" in told
    assert found.select_one("textarea#comment").get_text().strip() == "I would rather stop for now"
    assert found.select_one("#action-hold").has_attr("checked")
    assert [event.kind for event in desk.course(ida).events] == ["dose"]
    again = send(alice, ida, ticked(found), action="hold", comment="I would rather stop for now", on="2026-02-10")
    assert again.status_code == 303, "having seen it, the same form may be saved"


def test_a_new_result_that_came_meanwhile_is_told(alice: Any, desk: Desk, ida: int) -> None:
    shown = ticked(page(alice, ida))
    desk.results(ida, 0, ANC="0.31")
    answer = send(alice, ida, shown, action="acknowledge")
    assert answer.status_code == 409
    assert "judged again meanwhile. Now: Neutrophils 0.31 ×10⁹/L" in words(soup(answer).select_one(".jw-errors"))


def test_stopping_the_drug_waits_for_a_second_clinician(
    alice: Any, erin: Any, sign_in: Who, desk: Desk, ida: int
) -> None:
    desk.results(ida, 0, ANC="0.44")
    flags = waiting(alice, ida, "Neutrophils", "rhinitis")
    assert len(flags) > 1
    answer = send(alice, ida, flags, action="stop", comment="confirmed neutropenia", on="2026-02-10")
    assert answer.status_code == 303
    mine = page(alice, ida)
    assert "It waits for a second clinician" in words(mine.select_one(".jw-messages"))
    assert "Another clinician has to confirm it" in words(mine.select_one(".desk-proposal"))
    assert not mine.select(".desk-proposal form")
    assert desk.course(ida).stopped_on is None
    assert not page(sign_in("bob"), ida).select(".desk-proposal form")

    (proposal,) = page(erin, ida).select(".desk-proposal")
    assert "Alice Archer proposes: Stop the drug" in words(proposal)
    assert "“confirmed neutropenia”" in words(proposal)
    review = proposal.select_one("input[name=review]")["value"]
    refused = alice.post(f"/patients/{ida}/review/second", {"review": review, "answer": "confirm"})
    assert refused.status_code == 403, "the first cannot be the second"
    done = erin.post(f"/patients/{ida}/review/second", {"review": review, "answer": "confirm"})
    assert done.status_code == 303
    course = desk.course(ida)
    assert (course.stopped_on, course.stop_reason) == (date(2026, 2, 10), "confirmed neutropenia")
    assert {one.standing for one in reviews(desk.database, ida)} == {"confirmed"}
    assert "stopped 10 Feb 2026" in words(page(erin, ida).select_one(".jw-patient"))
    late = erin.post(f"/patients/{ida}/review/second", {"review": review, "answer": "confirm"})
    assert late.status_code == 409


def test_declining_needs_a_word_and_changes_no_treatment(alice: Any, erin: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="stop", comment="too low for me")
    review = page(erin, ida).select_one(".desk-proposal input[name=review]")["value"]
    silent = erin.post(f"/patients/{ida}/review/second", {"review": review, "answer": "decline", "comment": "no"})
    assert silent.status_code == 422
    assert "Say in a few words why you decline" in silent.text
    form = {"review": review, "answer": "decline", "comment": "wait for the repeat"}
    assert erin.post(f"/patients/{ida}/review/second", form).status_code == 303
    assert desk.course(ida).stopped_on is None
    assert "declined by Erin Ash" in words(group(page(erin, ida), "Neutrophils"))


def test_closing_a_grade_four_without_action_waits_too(alice: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="no_action", comment="known benign neutropenia")
    assert desk.flag(ida, id=desk.cast.a.flag).review == "open"
    assert "waits for a second person" in soup(alice.get("/")).select_one("tr[data-row]").get_text()


def test_whoever_decided_first_is_told_what_somebody_else_made_of_it_until_they_have_seen_it(
    alice: Any, erin: Any, desk: Desk, ida: int
) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="repeat", until="2026-02-16")
    assert not page(alice, ida).select(".desk-notices")
    send(erin, ida, waiting(erin, ida, "Neutrophils"), action="hold", comment="I would not wait", on="2026-02-10")
    assert not page(erin, ida).select(".desk-notices"), "one's own doing is no news"
    for path in (f"/patients/{ida}/review", "/"):
        told = soup(alice.get(path)).select_one(".desk-notices")
        assert "Almondine, Ida , AL-0001, Neutrophils: Erin Ash decided “Hold the drug” on 10 Feb 2026" in words(told)
        assert "“I would not wait”" in words(told)
    shown = [box["value"] for box in told.select("input[name=notice]")]
    assert erin.post("/notices/seen", {"notice": shown}).status_code == 303
    assert soup(alice.get("/")).select(".desk-notices"), "nobody sees it for somebody else"
    assert alice.post("/notices/seen", {"notice": shown, "next": "/"}).headers["Location"] == "/"
    assert not soup(alice.get("/")).select(".desk-notices")


def test_the_one_who_proposed_is_told_that_it_was_declined(alice: Any, erin: Any, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="stop", comment="too low for me")
    review = page(erin, ida).select_one(".desk-proposal input[name=review]")["value"]
    erin.post(
        f"/patients/{ida}/review/second", {"review": review, "answer": "decline", "comment": "wait for the repeat"}
    )
    told = words(soup(alice.get("/")).select_one(".desk-notices"))
    assert "Erin Ash declined your proposal “Stop the drug”" in told


# ---------------------------------------------------------------------------------------------- opened again


def closed_key(browser: Any, ida: int) -> str:
    found = page(browser, ida, "?past=yes").select_one(".desk-again input[name=flag]")
    return str(found["value"])


def test_a_closed_flag_is_opened_again_with_a_reason(alice: Any, erin: Any, desk: Desk, ida: int) -> None:
    send(alice, ida, waiting(alice, ida, "rhinitis"), action="close", comment="over")
    key = closed_key(erin, ida)
    refused = erin.post(f"/patients/{ida}/review/reopen", {"flag": key, "why": "no"})
    assert refused.status_code == 422
    form = soup(refused).select_one(".desk-again[open]")
    assert "needs a reason in a few words" in words(form)
    assert form.select_one("input[name=why]")["value"] == "no"
    done = erin.post(f"/patients/{ida}/review/reopen", {"flag": key, "why": "she has a fever again"})
    assert done.status_code == 303
    told = words(page(erin, ida))
    assert "Re-opened: by Erin Ash: she has a fever again" in told
    late = alice.post(f"/patients/{ida}/review/reopen", {"flag": key, "why": "me too, at once"})
    assert late.status_code == 409
    assert "Erin Ash decided “Re-open”" in words(soup(late).select_one(".jw-errors"))


def test_a_proposal_of_another_patient_is_not_found(alice: Any, erin: Any, desk: Desk, ida: int) -> None:
    other = desk.patient("O-1", "Other")
    send(alice, ida, waiting(alice, ida, "Neutrophils"), action="stop", comment="too low for me")
    review = str(reviews(desk.database, ida)[0].id)
    assert erin.post(f"/patients/{other}/review/second", {"review": review, "answer": "confirm"}).status_code == 404
    assert desk.course(ida).stopped_on is None


@pytest.mark.parametrize("form", [{}, {"review": "1"}, {"answer": "confirm"}, {"review": "1", "answer": "perhaps"}])
def test_an_answer_that_is_none_is_refused(alice: Any, ida: int, form: dict[str, str]) -> None:
    assert alice.post(f"/patients/{ida}/review/second", form).status_code == 400


@pytest.mark.parametrize("username", ["bob", "carol", "dan"])
def test_who_does_not_decide_sees_everything_and_has_no_form(sign_in: Who, ida: int, username: str) -> None:
    found = page(sign_in(username), ida)
    assert "Neutrophils" in found.get_text()
    assert not found.select("#decision, input[name=flag]")
    assert "your role does not decide" in found.get_text()


# ---------------------------------------------------------------------------------------------- size


def test_the_number_of_statements_does_not_grow_with_the_flags(alice: Any, desk: Desk, database: Database) -> None:
    few, many = desk.patient("A-1", "Few"), desk.patient("A-2", "Many", screened=False)
    desk.results(few, 1, ANC="0.4")
    for days in (50, 40, 30, 20, 10, 1):
        desk.healthy(many, days, ANC="0.4", HB="7.1", ALT="300", TBIL="3", PLT="40", LDL="220", CK="2000")
    for patient in (few, many):  # so that both have an owner's name to be asked for
        send(alice, patient, waiting(alice, patient, "Neutrophils"), action="acknowledge")

    def asked(patient_id: int) -> int:
        with statements(database) as found:
            page(alice, patient_id)
        return len(found)

    page(alice, few)
    assert asked(many) == asked(few)
