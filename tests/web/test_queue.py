"""The review queue: who stands on it, in which order, what is said about them, and what one may do from the row."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup

import config
from tests.desk import Desk, statements
from tests.people import Cast, add_account
from tracker.db import Database
from tracker.models import Flag, Patient, QueueVisit
from tracker.operations.actor import Actor
from tracker.operations.review import Decision, decide

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)  # the day after Ida's neutrophils were 0.46

Who = Callable[[str], Any]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def desk(database: Database, cast: Cast) -> Desk:
    return Desk(database, cast)


def page(browser: Any, path: str = "/") -> Any:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def rows(soup: Any) -> list[Any]:
    return list(soup.select("tr[data-row]"))


def names(soup: Any) -> list[str]:
    return [row.select_one("[data-row-link]").get_text(strip=True) for row in rows(soup)]


def words(element: Any) -> str:
    return " ".join(element.get_text(" ").split())


def row_of(soup: Any, family: str) -> str:
    return words(next(row for row in rows(soup) if family in row.get_text()))


def tile(soup: Any, only: str) -> int:
    return int(soup.select_one(f".desk-tile-{only} .desk-tile-count").get_text())


# ---------------------------------------------------------------------------------------------- what is said


def test_a_row_says_who_what_why_and_what_the_label_suggests(alice: Any) -> None:
    told = row_of(page(alice), "Almondine")
    assert "Act today" in told
    assert "Almondine, Ida" in told
    assert "AL-0001 · F 37" in told
    assert "tofacitinib 5 mg twice daily, day 30" in told
    assert "Neutrophils 0.46" in told
    assert "×10⁹/L" in told
    assert "CTCAE 5.0 grade 4" in told
    assert "below the action limit 0.5 ×10⁹/L" in told
    assert "Repeat by 16 Feb; label: discontinue if confirmed" in told
    assert "US PI dosage tables" in told


def test_a_second_low_count_changes_what_is_suggested(alice: Any, desk: Desk) -> None:
    desk.results(desk.cast.a.patient, 0, ANC="0.44")
    told = row_of(page(alice), "Almondine")
    assert "Neutrophils 0.44" in told
    assert "Label: discontinue (confirmed by repeat)" in told


def test_a_normal_repeat_proposes_closure_and_does_not_take_the_flag_away(alice: Any, desk: Desk) -> None:
    desk.results(desk.cast.a.patient, 0, ANC="2.9")
    told = row_of(page(alice, "/?only=closure"), "Almondine")
    assert "No longer at the limit since 10 Feb: closure proposed" in told


def test_a_line_that_no_second_source_bore_out_is_marked(alice: Any, desk: Desk) -> None:
    """The tofacitinib label names no action for liver injury; the line is general knowledge."""
    liver = desk.patient("L-1", "Lindqvist")
    desk.healthy(liver, 61)
    desk.healthy(liver, 1, ALT="214", AST="190", TBIL="2.6")
    told = row_of(page(alice), "Lindqvist")
    assert "Possible Hy’s law" in told
    assert "unverified" in told


def test_the_worst_stand_first_and_what_somebody_carries_stands_after_what_nobody_does(alice: Any, desk: Desk) -> None:
    anaemic = desk.patient("B-1", "Brisson")
    desk.healthy(anaemic, 61)
    desk.healthy(anaemic, 1, HB="8.6")
    untested = desk.patient("U-1", "Ullman", screened=False)
    desk.healthy(untested, 1)
    found = names(page(alice))
    assert found.index("Almondine, Ida") < found.index("Brisson, Kim")
    assert found.index("Almondine, Ida") < found.index("Ullman, Kim")
    _decide(desk, desk.cast.a.patient, "acknowledge")
    assert names(page(alice)).index("Almondine, Ida") > found.index("Brisson, Kim")


def _decide(desk: Desk, patient_id: int, action: str, until: date | None = None, comment: str = "") -> None:
    """Alice decides about everything that waits for this patient."""

    def store(session: Any, actor: Actor, patient: Patient) -> None:
        flags = [flag for flag in desk.flags(patient_id) if flag.attention < 9]
        versions = {flag.id: flag.version for flag in flags}
        decide(session, desk.actor("alice"), patient, versions, Decision(action, comment, until), desk.today)

    desk.judge(patient_id, store)


def test_what_is_put_aside_stays_in_view_as_such_and_comes_back(
    alice: Any, desk: Desk, clock: time_machine.Traveller
) -> None:
    _decide(desk, desk.cast.a.patient, "snooze", desk.today + timedelta(days=3), "seen in clinic on Friday")
    assert "Put aside until 13 Feb 2026" in row_of(page(alice), "Almondine")
    clock.move_to(NOON + timedelta(days=5))
    desk.judge(desk.cast.a.patient, lambda *_: None)
    again = row_of(page(_signed_in_again(alice)), "Almondine")
    assert "Re-opened: the time it was put aside for is over" in again


def _signed_in_again(browser: Any) -> Any:
    """Five days later the session is long over."""
    assert browser.sign_in("alice").status_code == 303
    return browser


def test_infections_and_screening_are_named_though_they_have_no_value(alice: Any, desk: Desk) -> None:
    untested = desk.patient("U-1", "Ullman", screened=False)
    desk.healthy(untested, 1)
    told = row_of(page(alice), "Ullman")
    assert "TB test no value" not in told
    assert "TB test" in told
    assert "no result before the first dose on 12 Dec 2025" in told


def test_of_many_further_flags_four_are_named_and_the_rest_is_counted(alice: Any, desk: Desk) -> None:
    unknown = desk.patient("S-1", "Somebody", sex="unknown", birth_date=None)
    desk.healthy(unknown, 1)
    told = row_of(page(alice), "Somebody")
    assert "not judged" in told
    assert "more" in told


# ---------------------------------------------------------------------------------------------- tiles and filters


def test_the_tiles_count_patients_and_filter_them(alice: Any, desk: Desk) -> None:
    unknown = desk.patient("S-1", "Somebody", sex="unknown", birth_date=None)
    desk.healthy(unknown, 1)
    soup = page(alice)
    assert (tile(soup, "today"), tile(soup, "repeat"), tile(soup, "overdue")) == (1, 1, 0)
    assert tile(soup, "not_evaluated") == len(names(page(alice, "/?only=not_evaluated")))
    assert "not judged" in row_of(page(alice, "/?only=not_evaluated"), "Somebody")
    assert names(page(alice, "/?only=repeat")) == ["Almondine, Ida"]
    assert names(page(alice, "/?only=overdue")) == []


def test_an_ordered_repeat_is_awaited(alice: Any, desk: Desk) -> None:
    _decide(desk, desk.cast.a.patient, "repeat", desk.today + timedelta(days=6))
    soup = page(alice, "/?only=repeat")
    assert "Awaiting repeat until 16 Feb 2026" in row_of(soup, "Almondine")
    assert tile(soup, "repeat") == 1


def test_unmatched_results_are_counted_and_lead_to_the_tray(alice: Any) -> None:
    last = page(alice).select(".desk-tile")[-1]
    assert words(last) == "Unmatched results 1"
    assert last["href"] == "/imports/tray"


@pytest.mark.parametrize("search", ["almond", "AL-0001", "ida", "ANC", "neutrophils", "action_limit", "action limit"])
def test_patients_are_found_by_name_number_test_and_rule(alice: Any, desk: Desk, search: str) -> None:
    desk.healthy(desk.patient("U-1", "Ullman", screened=False), 1)
    assert "Almondine, Ida" in names(page(alice, f"/?q={search}"))
    assert "Ullman, Kim" not in names(page(alice, f"/?q={search}"))


@pytest.mark.parametrize("search", ["%25", "_", "nobody", "Bilberrow", "'; drop table flag"])
def test_what_is_searched_for_is_text_and_nothing_else(alice: Any, search: str) -> None:
    soup = page(alice, f"/?q={search}")
    assert names(soup) == []
    assert "No patient is here" in soup.get_text()


def test_a_filter_that_does_not_exist_is_no_filter(alice: Any) -> None:
    assert names(page(alice, "/?only=everything&after=x~y~z")) == ["Almondine, Ida"]


def test_mine_are_those_i_own(alice: Any, desk: Desk) -> None:
    assert names(page(alice, "/?whose=mine")) == []
    alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": ""})
    assert names(page(alice, "/?whose=mine")) == ["Almondine, Ida"]


def test_an_empty_queue_is_not_called_normal(alice: Any, database: Database) -> None:
    with database.transaction() as session:
        for flag in session.query(Flag):
            flag.attention = 9
    text = page(alice).get_text()
    assert "No patient needs a decision" in text
    assert "not the same as normal" in text


# ---------------------------------------------------------------------------------------------- pages of it


def crowd(database: Database, cast: Cast, number: int) -> None:
    """Many patients with one flag each, copied from Ida's."""
    with database.transaction() as session:
        model = session.get_one(Flag, cast.a.flag)
        columns = [column.key for column in Flag.__table__.columns if column.key not in ("id", "patient_id")]
        kept = {name: getattr(model, name) for name in columns}
        begun = session.query(Patient).count()
        for place in range(begun, begun + number):
            patient = Patient(
                clinic_id=cast.a.clinic, mrn=f"C-{place:03}", family_name=f"Crowd{place:03}", given_name="X",
                sex="male", birth_date=date(1980, 1, 1), created_at=NOON,
            )  # fmt: skip
            session.add(patient)
            session.flush()
            own = {"fingerprint": f"crowd {place}", "attention": 1, "severity": "soon"}
            session.add(Flag(**kept | own, patient_id=patient.id))


def test_every_patient_stands_on_one_page_of_the_queue(alice: Any, database: Database, cast: Cast) -> None:
    crowd(database, cast, 60)
    path, seen = "/", []
    for _ in range(3):
        soup = page(alice, path)
        seen += names(soup)
        following = soup.select_one("a[rel=next]")
        path = following["href"] if following else ""
    assert path == ""
    assert len(seen) == len(set(seen)) == 61
    assert seen[0] == "Almondine, Ida"


def test_the_number_of_statements_does_not_grow_with_the_queue(alice: Any, database: Database, cast: Cast) -> None:
    def asked() -> int:
        with statements(database) as found:
            page(alice)
        return len(found)

    crowd(database, cast, 4)
    page(alice)
    few = asked()
    crowd(database, cast, 45)
    assert asked() == few
    assert few <= 9 + 2, "nine for the queue, one to know who asks, one for the count in the menu"


def test_looking_writes_nothing_but_that_somebody_looked(alice: Any, database: Database) -> None:
    page(alice)
    with statements(database) as asked:
        page(alice)
        page(alice, "/?only=repeat")
    written = [statement for statement in asked if not statement.lstrip().upper().startswith("SELECT")]
    assert all(statement.startswith("INSERT INTO access_note") for statement in written)


# ---------------------------------------------------------------------------------------------- new since I looked


def seen_now(browser: Any) -> None:
    soup = page(browser)
    shown = soup.select_one("form.desk-seen input[name=shown_at]")["value"]
    assert browser.post("/queue/seen", {"shown_at": shown, "next": "/"}).status_code == 303


def test_what_comes_or_changes_after_i_looked_is_marked_for_me_and_for_nobody_else(
    alice: Any, desk: Desk, sign_in: Who, database: Database
) -> None:
    seen_now(alice)
    assert not page(alice).select(".desk-news")
    desk.results(desk.cast.a.patient, 0, ANC="0.41")
    assert "changed" in row_of(page(alice), "Almondine")
    desk.healthy(desk.patient("N-1", "Newcomer", screened=False), 1)
    assert row_of(page(alice), "Newcomer").startswith("This week new")
    bob = sign_in("bob")
    assert not page(bob).select(".desk-news"), "bob has never said that he looked"
    seen_now(alice)
    assert not page(alice).select(".desk-news")


def test_what_came_while_the_page_was_open_is_not_marked_as_seen(alice: Any, desk: Desk) -> None:
    shown = page(alice).select_one("form.desk-seen input[name=shown_at]")["value"]
    desk.results(desk.cast.a.patient, 0, ANC="0.41")
    alice.post("/queue/seen", {"shown_at": shown})
    assert "changed" in row_of(page(alice), "Almondine")


def test_my_own_doing_is_no_news_to_me_but_to_others(alice: Any, desk: Desk, sign_in: Who) -> None:
    bob = sign_in("bob")
    seen_now(alice)
    seen_now(bob)
    alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": ""})
    assert not page(alice).select(".desk-news")
    assert "changed" in row_of(page(bob), "Almondine")


def test_the_time_of_looking_never_moves_back_and_is_never_in_the_future(
    alice: Any, database: Database, cast: Cast
) -> None:
    seen_now(alice)
    first = visit(database, cast)
    alice.post("/queue/seen", {"shown_at": "2020-01-01T00:00:00+00:00"})
    assert visit(database, cast) == first
    alice.post("/queue/seen", {"shown_at": "2099-01-01T00:00:00+00:00"})
    assert visit(database, cast) < NOON + timedelta(hours=1)


@pytest.mark.parametrize("shown", ["", "yesterday", "2026-02-10T12:00:00"])
def test_a_page_that_does_not_say_when_it_was_opened_is_refused(alice: Any, shown: str) -> None:
    assert alice.post("/queue/seen", {"shown_at": shown}).status_code == 400


def visit(database: Database, cast: Cast) -> datetime:
    with database.reading() as session:
        found = session.query(QueueVisit).filter(QueueVisit.account_id == cast.accounts["alice"]).one()
        return found.seen_at


# ---------------------------------------------------------------------------------------------- taking over


def test_taking_a_patient_makes_me_the_owner_of_all_that_waits(alice: Any, desk: Desk, sign_in: Who) -> None:
    answer = alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": "", "next": "/?only=today"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?only=today")
    assert "you" in row_of(page(alice), "Almondine").split()
    assert {flag.owner_id for flag in desk.flags(desk.cast.a.patient) if flag.attention < 9} == {
        desk.cast.accounts["alice"]
    }
    assert "Alice Archer" in row_of(page(sign_in("bob")), "Almondine")


def test_two_who_take_the_same_patient_one_is_told_who_was_first(alice: Any, desk: Desk, sign_in: Who) -> None:
    bob = sign_in("bob")
    bob.post(f"/patients/{desk.cast.a.patient}/take", {"owners": ""})
    late = alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": ""})
    assert late.status_code == 409
    assert "Somebody else took this patient over" in late.text
    assert (
        alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": str(desk.cast.accounts["bob"])}).status_code
        == 303
    ), "whoever sees that bob has it may take it over"


def test_where_one_is_sent_afterwards_is_a_page_of_ours(alice: Any, desk: Desk) -> None:
    answer = alice.post(f"/patients/{desk.cast.a.patient}/take", {"owners": "", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_an_auditor_sees_the_queue_and_takes_nothing(sign_in: Who) -> None:
    soup = page(sign_in("dan"))
    assert names(soup) == ["Almondine, Ida"]
    assert not soup.select("tr[data-row] form")
    assert "nobody" in row_of(soup, "Almondine")


# ---------------------------------------------------------------------------------------------- only information


def test_information_is_acknowledged_in_bulk_and_nothing_else_is_touched(alice: Any, desk: Desk) -> None:
    fat = desk.patient("F-1", "Fatt")
    desk.healthy(fat, 61, LDL="110")
    desk.healthy(fat, 1, LDL="112", HB="8.6")
    worse = [flag.id for flag in desk.flags(fat) if flag.attention < 3]
    assert worse
    assert [flag for flag in desk.flags(fat) if flag.attention == 3]
    soup = page(alice, "/?only=info")
    shown = soup.select_one("#bulk input[name=shown_at]")["value"]
    answer = alice.post("/queue/acknowledge", {"patient": [fat], "shown_at": shown, "next": "/?only=info"})
    assert answer.status_code == 303
    assert not [flag for flag in desk.flags(fat) if flag.attention == 3]
    assert {flag.id for flag in desk.flags(fat) if flag.attention < 3} == set(worse)
    assert "for information acknowledged, of 1 patient" in page(alice).get_text()


def test_information_that_came_after_the_page_was_opened_is_left(alice: Any, desk: Desk) -> None:
    shown = datetime.now(UTC).isoformat()
    fat = desk.patient("F-1", "Fatt")
    desk.healthy(fat, 1, LDL="112")
    alice.post("/queue/acknowledge", {"patient": [fat], "shown_at": shown})
    assert [flag for flag in desk.flags(fat) if flag.attention == 3]


def test_nothing_ticked_is_said(alice: Any) -> None:
    answer = alice.post("/queue/acknowledge", {"shown_at": NOON.isoformat()})
    assert answer.status_code == 400
    assert "Tick at least one patient" in answer.text


def test_the_patients_of_another_clinic_are_neither_shown_nor_touched(alice: Any, cast: Cast, desk: Desk) -> None:
    assert "Bilberrow" not in alice.get("/").text
    answer = alice.post("/queue/acknowledge", {"patient": [cast.b.patient], "shown_at": NOON.isoformat()})
    assert answer.status_code == 404
    assert all(flag.review == "open" for flag in desk.flags(cast.b.patient))


def test_somebody_without_a_clinic_is_told_whom_to_ask(database: Database, sign_in: Who) -> None:
    with database.transaction() as session:
        add_account(session, "frank", "Frank Fir", "clinician")
    answer = sign_in("frank").get("/")
    assert answer.status_code == 403
    assert "not a member of a clinic yet" in answer.text


# ---------------------------------------------------------------------------------------------- unreviewed too long


def test_what_nobody_decides_on_in_its_time_is_escalated_in_word_and_shape(
    alice: Any, desk: Desk, clock: time_machine.Traveller
) -> None:
    untested = desk.patient("U-1", "Ullman", screened=False)
    desk.healthy(untested, 1)
    assert tile(page(alice), "late") == 1, "Ida’s neutrophils of 0.46 were recorded 27 hours ago"
    mark = page(alice).select_one("tr[data-row] .desk-late")
    assert words(mark) == "unreviewed 1 d"
    assert mark.select_one("svg")
    clock.move_to(NOON + timedelta(hours=73))
    soup = page(_signed_in_again(alice), "/?only=late")
    assert sorted(names(soup)) == ["Almondine, Ida", "Ullman, Kim"]
    assert "for more than 24 hours (act today), 72 hours (this week) or 14 days (routine)" in words(soup)


def test_a_decision_ends_the_escalation(alice: Any, desk: Desk) -> None:
    _decide(desk, desk.cast.a.patient, "acknowledge")
    assert tile(page(alice), "late") == 0
    assert not page(alice).select(".desk-late")


def test_the_times_are_a_setting(app: Any, alice: Any) -> None:
    app.config["REVIEW_HOURS"] = (48, 96, 500)
    assert tile(page(alice), "late") == 0


def test_hours_that_are_none_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="3 whole numbers"):
        config.from_environment({"TRACKER_ENV": "development", "TRACKER_REVIEW_HOURS": "24,never"})


# ---------------------------------------------------------------------------------------------- views


def test_a_view_is_kept_under_a_name_for_me_alone_and_can_be_removed(alice: Any, sign_in: Who) -> None:
    form = {"name": " my  blood counts ", "only": "today", "whose": "mine", "q": "ANC"}
    answer = alice.post("/queue/views", form)
    assert answer.headers["Location"] == "/?only=today&whose=mine&q=ANC"
    link = page(alice).select_one(".desk-views nav a")
    assert (link.get_text(strip=True), link["href"]) == ("my blood counts", "/?only=today&whose=mine&q=ANC")
    assert link["data-shortcut"] == "v 1"
    assert page(alice, link["href"]).select_one(".desk-views a[aria-current]")
    assert not page(sign_in("bob")).select(".desk-views nav a")
    assert alice.post("/queue/views/forget", {"name": "my blood counts", "next": "/"}).status_code == 303
    assert not page(alice).select(".desk-views nav a")


@pytest.mark.parametrize("name", ["", "   ", "x" * 41])
def test_a_view_without_a_proper_name_is_refused(alice: Any, name: str) -> None:
    answer = alice.post("/queue/views", {"name": name, "only": "today"})
    assert answer.status_code == 400
    assert "Give the view a name" in answer.text


def test_there_is_an_end_to_views(alice: Any) -> None:
    for number in range(12):
        assert alice.post("/queue/views", {"name": f"view {number}", "only": "today"}).status_code == 303
    assert "You have 12 views already" in alice.post("/queue/views", {"name": "one more", "only": "today"}).text
    assert alice.post("/queue/views", {"name": "view 3", "only": "week"}).status_code == 303, "one may be replaced"
