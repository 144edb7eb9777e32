"""A clinic's own version of a line in a real browser: the pages, and what a tool for accessibility says of them."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.people import add_account
from tracker.models import Clinic, Patient
from tracker.operations.actor import Actor
from tracker.operations.enrol import add_event
from tracker.operations.evaluate import rejudge


def test_a_stricter_limit_is_drafted_and_looked_at(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "carol")
    page.goto(f"{live_server.url}/protocols/tofacitinib_us")
    assert axe(page) == []
    page.get_by_role("link", name="Change tofa_us_anc_stop").click()
    page.get_by_label("Acts at").fill("600")
    page.get_by_label("Applies from").fill("2026-01-01")
    page.get_by_label("Why it changes").fill("we act earlier")
    assert axe(page) == []
    page.get_by_role("button", name="Save draft").click()
    page.get_by_label("history since then is judged again").check()
    page.get_by_role("button", name="What would change").click()
    expect(page.get_by_role("heading", name="What would change")).to_be_focused()
    assert axe(page) == []
    for path in ("/rules/own/new", "/rules/lipids/clinic", "/rules/lipids"):
        page.goto(f"{live_server.url}{path}")
        assert axe(page) == []
    page.goto(f"{live_server.url}/settings")
    assert axe(page) == []


def test_what_is_understood_is_told_while_one_types(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "carol")
    told = page.locator("#understood")
    for path, box, typed, said in (
        ("/protocols/tofacitinib_us/lines/tofa_us_anc_stop", "#value", "600", "acts at 600 /uL"),
        ("/protocols/tofacitinib_us/lines/tofa_us_anc_stop", "#value", "300", "The label acts below 500 /uL"),
        ("/settings/clinic/grace_days", "#grace", "7", "after 7 days of grace"),
        ("/ranges/new", "#phrase", "13 - 15 g/dL", "Which analyte?"),
    ):
        page.goto(f"{live_server.url}{path}")
        page.locator(box).press_sequentially(typed)
        expect(told).to_contain_text(said)
        assert axe(page) == []
    page.goto(f"{live_server.url}/rules/lipids/clinic")
    page.get_by_label("at most “Routine”").check()
    expect(told).to_contain_text("at most “Routine”")
    page.goto(f"{live_server.url}/rules/own/new")
    page.get_by_label("Title").fill("Watch")
    page.locator("#analyte").select_option("ALT")
    page.locator("#value").press_sequentially("> 3 x ULN")
    expect(told).to_contain_text("Alanine aminotransferase > 3 × ULN; Routine")


def test_what_a_target_would_flag_is_told_while_one_types(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/targets")
    page.locator("#analyte").select_option("ANC")
    page.get_by_label("Applies from").fill("2026-01-01")
    page.get_by_label("In words").press_sequentially("at least 0.5 10*9/L")
    expect(page.locator("#understood")).to_contain_text("Neutrophils 0.46 ×10⁹/L, below the patient's own target")
    assert axe(page) == []


def test_a_target_is_ended_with_a_reason(live_server: Server, page: Page, axe: Callable[[Page], list[str]]) -> None:
    live_server.sign_in(page, "alice")
    page.goto(f"{live_server.url}/patients/{live_server.cast.a.patient}/targets")
    page.locator("#analyte").select_option("ANC")
    page.get_by_label("In words").fill("at least 1.0 10*9/L")
    page.get_by_label("Why", exact=True).fill("before an operation")
    page.get_by_role("button", name="Set target").click()
    ending = page.locator("details", has_text="End the target for Neutrophils")
    why = ending.get_by_label("Why it ends")
    ending.locator("summary").click()
    assert axe(page) == []
    why.fill("no")
    ending.get_by_role("button", name="No target from today on").click()
    page.get_by_role("link", name="Why it ends: Say in a few words why.").click()
    expect(why).to_be_focused()
    expect(why).to_have_value("no")
    assert axe(page) == []
    why.fill("the operation is over")
    ending.get_by_role("button", name="No target from today on").click()
    expect(page.get_by_text("Target for Neutrophils absolute: none from today on.")).to_be_visible()
    expect(page.get_by_role("row", name="the operation is over")).to_contain_text("no target any more")
    expect(ending).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 800})
    assert axe(page) == []


def ill_with_zoster(server: Server) -> None:
    """One dermatome, on treatment."""
    actor = Actor("setup", datetime.now(UTC), "cli")
    with server.database.transaction() as session:
        add_account(session, "cora", "Cora Cole", "admin", session.get_one(Clinic, server.cast.a.clinic))
        patient = session.get_one(Patient, server.cast.a.patient)
        told = {"kind": "infection", "term": "Shingles", "site": "left T6", "onset_on": date(2026, 2, 1)}
        add_event(session, actor, patient, told)
        rejudge(session, actor, patient)


def test_what_holds_for_the_whole_clinic_is_drafted_by_one_and_published_by_another(
    live_server: Server, page: Page, axe: Callable[[Page], list[str]]
) -> None:
    ill_with_zoster(live_server)
    live_server.sign_in(page, "carol")
    page.goto(f"{live_server.url}/settings")
    page.get_by_role("link", name="Which infections are opportunistic").click()
    page.get_by_label("Also counted").press_sequentially("CMV")
    expect(page.locator("#understood")).to_contain_text("“CMV” counts already")
    page.get_by_label("Also counted").fill("Q fever")
    page.get_by_label("in any form").check()
    expect(page.locator("#understood")).to_contain_text("also counts Q fever; counts zoster in any form")
    page.get_by_label("Applies from").fill("2026-01-01")
    page.get_by_label("Why it changes").fill("we count as Winthrop does")
    assert axe(page) == []
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("You drafted it: a second person publishes it.")).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    drafted = page.url
    page.get_by_role("button", name="Sign out", exact=True).first.click()

    live_server.sign_in(page, "cora")
    page.goto(drafted)
    page.get_by_role("button", name="What would change").click()
    expect(page.get_by_role("alert")).to_contain_text("Say whether it applies from today")
    page.get_by_label("history since then is judged again").check()
    page.get_by_role("button", name="What would change").click()
    opened = page.get_by_role("row", name="opened Act today")
    expect(opened).to_contain_text("zoster in any form counted by Aspen Clinic v1")
    assert axe(page) == []
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published. 1 patient judged again")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert axe(page) == []
    page.get_by_role("button", name="What taking it back would change").click()
    expect(page.get_by_role("row", name="cleared Act today")).to_be_visible()
    page.get_by_role("button", name="Take this version back").click()
    expect(page.get_by_text("Taken back. 1 patient judged again")).to_be_visible()
