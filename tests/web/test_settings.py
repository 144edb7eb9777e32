"""A clinic's own version of a protocol's line, from the protocol's page to the flag that names it."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine

from tests.people import Cast, add_account
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.models import Clinic, ClinicSetting, Flag, Patient
from tracker.operations.actor import Actor
from tracker.operations.enrol import add_event
from tracker.operations.evaluate import rejudge

SignIn = Callable[[str], Browser]
HB_START = "/protocols/tofacitinib_us/lines/tofa_us_hb_abs"
ANC_STOP = "/protocols/tofacitinib_us/lines/tofa_us_anc_stop"
SOONER = {"value": "600", "confirm_within": "3 days", "effective_from": "2026-01-01", "source": "clinic meeting",
          "reason": "we act earlier"}  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def cora(database: Database, cast: Cast) -> str:
    """A second administrator of clinic A."""
    with database.transaction() as session:
        add_account(session, "cora", "Cora Cole", "admin", session.get_one(Clinic, cast.a.clinic))
    return "cora"


def draft(browser: Browser, path: str = ANC_STOP, **changed: str) -> int:
    answer = browser.post(path, SOONER | changed)
    assert answer.status_code == 303, problems(answer)
    return int(answer.headers["Location"].rsplit("/", 1)[1])


def test_from_the_protocol_to_the_flag(sign_in: SignIn, database: Database, cora: str, cast: Cast) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    assert ANC_STOP in carol.get("/protocols/tofacitinib_us").text
    key = draft(carol)
    page = second.post(f"/settings/{key}/preview", {"applies": "history"})
    assert "It would apply from 1 Jan 2026." in words(page)
    assert f"/results/{cast.a.result}" in page.text
    answer = second.post(f"/settings/{key}/publish", {"applies": "history"})
    shown = second.get(answer.headers["Location"])
    assert told(shown)[0].startswith("Published. 1 patient judged again; flags: 0 opened, ")
    assert "acts at 600 /uL, repeat within 3 days" in words(shown)
    flag = next(flag for flag in open_flags(database, cast.a.patient) if flag.entry == "tofa_us_anc_stop")
    assert flag.yardstick.endswith("+ Aspen Clinic v1")
    assert "the clinic's action limit 0.6" in flag.sentence
    assert "acts at 600" in words(second.get("/protocols/tofacitinib_us"))
    assert "acts at 600" not in words(sign_in("mallory").get("/protocols/tofacitinib_us"))


def test_one_person_takes_a_version_back(sign_in: SignIn, database: Database, cora: str, cast: Cast) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol)
    second.post(f"/settings/{key}/publish", {"applies": "history"})
    answer = carol.post(f"/settings/{key}/take-back")
    assert told(carol.get(answer.headers["Location"]))[0].startswith("Taken back. 1 patient judged again")
    flag = next(flag for flag in open_flags(database, cast.a.patient) if flag.entry == "tofa_us_anc_stop")
    assert "Aspen" not in flag.yardstick


@pytest.mark.parametrize(
    ("path", "changed", "said"),
    [
        (ANC_STOP, {"value": "400"}, "would loosen it"),
        (ANC_STOP, {"value": "soon"}, "“soon” is not understood"),
        (ANC_STOP, {"confirm_within": "a while"}, "like 10 days, 4 weeks or 3 months"),
        (ANC_STOP, {"value": "3 x ULN"}, "a multiple of the upper limit cannot be held against the label’s"),
        (ANC_STOP, {"value": "> 600"}, "acts at values < its figure"),
        (ANC_STOP, {"effective_from": ""}, "From which day on?"),
        (ANC_STOP, {"value": "", "confirm_within": ""}, "Nothing is changed by this."),
        (ANC_STOP, {"reason": "so"}, "Say in a few words why."),
        (HB_START, {"value": "7.5"}, "The label acts below 8.0 g/dL"),
    ],
)
def test_what_may_not_be_is_refused_and_stays_typed(
    sign_in: SignIn, path: str, changed: dict[str, str], said: str
) -> None:
    answer = sign_in("carol").post(path, SOONER | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "value") == (SOONER | changed)["value"]


def test_a_verified_line_offers_no_switch_and_an_unverified_one_does(sign_in: SignIn) -> None:
    carol = sign_in("carol")
    assert not soup(carol.get(ANC_STOP)).select("input[name=off]")
    assert soup(carol.get("/protocols/tofacitinib_us/lines/tofa_us_hb_gap")).select("input[name=off]")


def test_a_day_that_has_passed_is_published_only_with_a_choice(sign_in: SignIn, database: Database, cora: str) -> None:
    key, second = draft(sign_in("carol")), sign_in(cora)
    answer = second.post(f"/settings/{key}/publish")
    assert answer.status_code == 422
    assert "Say whether it applies from today" in words(answer)
    assert row(database, ClinicSetting, key).state == "draft"


def test_a_draft_is_changed_by_another_in_its_place(sign_in: SignIn, database: Database, cora: str) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol)
    form = second.get(f"{ANC_STOP}?replaces={key}")
    assert (typed(form, "value"), typed(form, "confirm_within"), typed(form, "reason")) == (
        "600", "3 days", "we act earlier",
    )  # fmt: skip
    newer = draft(second, f"{ANC_STOP}?replaces={key}", value="700")
    assert row(database, ClinicSetting, key).state == "withdrawn"
    late = carol.post(f"{ANC_STOP}?replaces={key}", SOONER | {"value": "800"})
    assert late.status_code == 409
    assert "withdrawn meanwhile" in words(late)
    assert "800" in words(late)
    assert row(database, ClinicSetting, newer).body == {"value": "700", "confirm_within": "P3D"}


@pytest.mark.parametrize("path", ["/protocols/nothing/lines/x", "/protocols/tofacitinib_us/lines/nothing"])
def test_a_line_there_is_not_is_not_found(sign_in: SignIn, path: str) -> None:
    assert sign_in("carol").get(path).status_code == 404


# ---------------------------------------------------------------------------------------------- rules

SILENT = {"wanted": "off", "effective_from": "2026-01-01", "reason": "our laboratory grades itself"}


def test_a_rule_is_silent_and_the_preview_says_what_that_takes(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    key, second = draft(sign_in("carol"), "/rules/out_of_range/clinic", **SILENT), sign_in(cora)
    assert "Outside the laboratory range" in words(second.post(f"/settings/{key}/preview", {"applies": "history"}))
    second.post(f"/settings/{key}/publish", {"applies": "history"})
    assert "out_of_range" not in [flag.rule for flag in open_flags(database, cast.a.patient)]
    assert "switched off in force" in words(second.get("/rules/out_of_range"))


def test_the_rules_that_keep_patients_safe_offer_no_switch_and_take_none(sign_in: SignIn) -> None:
    carol = sign_in("carol")
    offered = [box["value"] for box in soup(carol.get("/rules/action_limit/clinic")).select("input[name=wanted]")]
    assert offered == ["shipped", "at_least urgent", "at_least soon", "at_least routine"]
    assert carol.post("/rules/action_limit/clinic", SILENT).status_code == 422


def test_a_rule_there_is_not_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("carol").get("/rules/nothing/clinic").status_code == 404


# ---------------------------------------------------------------------------------------------- own rules

WATCH = {"title": "Watch closely", "analyte": "ANC", "shape": "threshold", "op": "<", "value": "2", "severity": "soon",
         "suggestion": "repeat", "effective_from": "2026-01-01", "reason": "late neutropenias",
         "since": "baseline", "direction": "fall", "measure": "percent", "other_op": "<"}  # fmt: skip


def test_a_clinic_makes_a_rule_without_code(sign_in: SignIn, database: Database, cora: str, cast: Cast) -> None:
    key, second = draft(sign_in("carol"), "/rules/own/new", **WATCH), sign_in(cora)
    assert "The clinic's own rule" in words(second.post(f"/settings/{key}/preview", {"applies": "history"}))
    second.post(f"/settings/{key}/publish", {"applies": "history"})
    (flag,) = [flag for flag in open_flags(database, cast.a.patient) if flag.rule == "custom"]
    assert (flag.subject, flag.entry, flag.severity, flag.suggested) == ("ANC", "watch_closely", "soon", "repeat")
    assert flag.yardstick == "Aspen Clinic v1, own rule watch_closely"
    assert "Own rule: Watch closely" in words(second.get("/rules"))
    assert second.get(f"/patients/{cast.a.patient}/review").status_code == 200
    assert "has a rule of that title" in problems(second.post("/rules/own/new", SOONER | WATCH))
    off = draft(second, f"/rules/own/new?of={key}", **WATCH | {"off": "y"})
    sign_in("carol").post(f"/settings/{off}/publish", {"applies": "history"})
    assert "custom" not in [flag.rule for flag in open_flags(database, cast.a.patient)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value": ""}, "The rule still needs the figure."),
        ({"analyte": ""}, "Which analyte is the rule about?"),
        ({"title": "§§§"}, "a title of letters or digits"),
        ({"shape": "pair", "other": "ANC", "other_value": "1"}, "two different analytes"),
        ({"shape": "change", "by": "100"}, "Nothing falls by 100 %"),
        ({"shape": "trend", "by": "1", "count": "2"}, "A trend is of 3 to 10 results."),
        ({"value": "-1"}, "“-1” is not understood"),
        ({"value": "0"}, "not a figure above zero"),
    ],
)
def test_a_rule_that_is_not_whole_is_refused_in_a_sentence(sign_in: SignIn, changed: dict[str, str], said: str) -> None:
    answer = sign_in("carol").post("/rules/own/new", WATCH | changed)
    assert answer.status_code == 422
    assert said in problems(answer)


def test_a_rule_may_count_upper_limits_of_normal_and_an_operator_written_decides(
    sign_in: SignIn, database: Database
) -> None:
    carol = sign_in("carol")
    key = draft(carol, "/rules/own/new", **WATCH | {"analyte": "ALT", "op": "<", "value": "> 3 x ULN"})
    assert (
        row(database, ClinicSetting, key).body | {"op": ">", "value": "3 x ULN"}
        == row(database, ClinicSetting, key).body
    )
    assert "Alanine aminotransferase > 3 × ULN" in words(carol.get(f"/settings/{key}"))
    assert typed(carol.get(f"/rules/own/new?of={key}"), "value") == "3 x ULN"


def test_a_line_takes_its_figure_with_its_own_operator(sign_in: SignIn, database: Database) -> None:
    key = draft(sign_in("carol"), value="< 600")
    assert row(database, ClinicSetting, key).body["value"] == "600"


# ---------------------------------------------------------------------------------------------- the whole clinic


def test_a_clinic_sets_its_grace_and_one_person_takes_it_back(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol, "/settings/clinic/grace_days", grace="7", effective_from="2026-02-20")
    assert "From when a check is overdue" in words(second.get(f"/settings/{key}"))
    second.post(f"/settings/{key}/publish")
    assert "From when a check is overdue after 7 days of grace v1" in words(carol.get("/settings"))
    assert typed(carol.get("/settings/clinic/grace_days"), "grace") == "7"
    carol.post(f"/settings/{key}/take-back")
    assert "From when a check is overdue as shipped v2" in words(carol.get("/settings"))


def test_which_range_comes_first_is_a_version_and_the_flag_names_it(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    key = draft(sign_in("carol"), "/settings/clinic/ranges_first", first="configured", effective_from="2026-01-01")
    page = words(sign_in(cora).get(f"/settings/{key}"))
    assert "This clinic the configured range, else the printed one" in page
    assert "As shipped the printed range, else the configured one" in page


@pytest.mark.parametrize(
    ("scope", "changed", "said"),
    [
        ("grace_days", {"grace": "29"}, "at most 28"),
        ("confirm_within", {"window": "8"}, "may ask sooner, and not later"),
        ("confirm_within", {"window": "0"}, "within 1 to 7 days"),
        ("confirm_within", {"window": ""}, "Nothing is changed by this."),
        ("ranges_first", {"first": "shipped"}, "Nothing is changed by this."),
        ("ranges_first", {"first": "theirs"}, "Not a valid choice"),
    ],
)
def test_the_safe_bounds_of_a_clinic_are_said(sign_in: SignIn, scope: str, changed: dict[str, str], said: str) -> None:
    answer = sign_in("carol").post(f"/settings/clinic/{scope}", SOONER | changed)
    assert answer.status_code == 422
    assert said in problems(answer)


LIST = "/settings/clinic/opportunistic"
FEVERS = {"terms": "Q fever\r\n\r\n  scrub  typh* \r\n", "without": "nocardiosis", "zoster": "any"}


def q_fever(database: Database, cast: Cast) -> None:
    """Somebody reported one on 1 February, on treatment."""
    actor = Actor("setup", datetime(2026, 2, 2, tzinfo=UTC), "cli")
    with database.transaction() as session:
        patient = session.get_one(Patient, cast.a.patient)
        add_event(session, actor, patient, {"kind": "infection", "term": "Q fever", "onset_on": date(2026, 2, 1)})
        rejudge(session, actor, patient)


def on_the_fever(database: Database, cast: Cast) -> Flag:
    """The flag on the fever itself, beside that on its low counts."""
    found = [flag for flag in open_flags(database, cast.a.patient) if flag.subject == "Q fever"]
    (flag,) = [flag for flag in found if flag.entry != "cytopenia"]
    return flag


def test_a_clinic_sets_its_list_of_infections_and_the_flag_names_the_version(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    q_fever(database, cast)
    key = draft(carol, LIST, **FEVERS)
    assert row(database, ClinicSetting, key).body == {
        "terms": "Q fever\nscrub typh*", "without": "nocardiosis", "zoster": "any",
    }  # fmt: skip
    said = "also counts Q fever, scrub typh*; does not count nocardiosis; counts zoster in any form"
    assert said in words(second.get(f"/settings/{key}"))
    page = words(second.post(f"/settings/{key}/preview", {"applies": "history"}))
    assert "Q fever since 1 Feb" in page
    assert "counted by Aspen Clinic v1 (Q fever)" in page
    second.post(f"/settings/{key}/publish", {"applies": "history"})
    flag = on_the_fever(database, cast)
    assert (flag.entry, flag.yardstick.endswith(" + Aspen Clinic v1")) == ("opportunistic_infection", True)
    assert "counted by Aspen Clinic v1 (Q fever)" in words(second.get(f"/patients/{cast.a.patient}/review"))
    assert f"Which infections are opportunistic {said} v1" in words(carol.get("/settings"))
    carol.post(f"/settings/{key}/take-back")
    flag = on_the_fever(database, cast)
    assert (flag.entry, "Aspen" in flag.sentence) == ("new_infection", False)


def ticked(page: Any) -> list[str]:
    return [str(box["value"]) for box in soup(page).select("#draft input[checked]")]


def test_the_form_of_the_list_begins_with_what_is_in_force_or_drafted(sign_in: SignIn, cora: str) -> None:
    carol = sign_in("carol")
    assert (typed(carol.get(LIST), "terms"), ticked(carol.get(LIST))) == ("", [""])
    key = draft(carol, LIST, **FEVERS)
    again = carol.get(f"{LIST}?replaces={key}")
    assert typed(again, "terms").split("\n") == ["Q fever", "scrub typh*"]
    assert ticked(again) == ["nocardiosis", "any"]
    sign_in(cora).post(f"/settings/{key}/publish", {"applies": "today"})
    assert ticked(carol.get(LIST)) == ["nocardiosis", "any"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"terms": "Q fever\nq-fever"}, "“q fever” stands twice among the terms"),
        ({"terms": "Q fever\n*"}, "“*” has no word in it"),
        ({"terms": "x*"}, "at least 3 letters stand before a *"),
        ({"terms": "CMV"}, "it is on the list as cytomegalovirus disease"),
        ({"terms": "x" * 81}, "at most 80 characters"),
        ({"without": "tuberculosis"}, "is not a valid choice"),
        ({"zoster": "never"}, "Not a valid choice"),
        ({"terms": "\n \n", "without": "", "zoster": ""}, "Nothing is changed by this."),
    ],
)
def test_a_list_that_may_not_be_is_refused_and_stays_typed(sign_in: SignIn, changed: dict[str, str], said: str) -> None:
    told = {name: text for name, text in (SOONER | FEVERS | changed).items() if text != "" or name != "without"}
    answer = sign_in("carol").post(LIST, told)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "reason") == "we act earlier"
    assert typed(answer, "terms").split() == told["terms"].split()
    assert ("nocardiosis" in ticked(answer)) == (told.get("without") == "nocardiosis")


def test_markup_among_the_terms_stays_text(sign_in: SignIn) -> None:
    carol = sign_in("carol")
    key = draft(carol, LIST, terms="<b>Q fever</b>")
    assert not soup(carol.get(f"/settings/{key}")).find("b", string="Q fever")
    assert "also counts <b>Q fever</b>" in words(carol.get(f"/settings/{key}"))


def test_nothing_else_is_set_for_a_whole_clinic(sign_in: SignIn) -> None:
    assert sign_in("carol").get("/settings/clinic/everything").status_code == 404


# ---------------------------------------------------------------------------------------------- while one writes

ASIDE = {"headers": {"HX-Request": "true"}}
FORMS = {
    "line": ANC_STOP,
    "rule": "/rules/lipids/clinic",
    "safety": "/rules/action_limit/clinic",
    "own": "/rules/own",
    "grace": "/settings/clinic/grace_days",
    "list": LIST,
}


@pytest.mark.parametrize(
    ("which", "typed_so_far", "said"),
    [
        ("line", {"value": "600", "confirm_within": "3 days"}, "Understood acts at 600 /uL, repeat within 3 days"),
        ("line", {"value": "< 600"}, "Now, as shipped"),
        ("line", {"value": "400"}, "Error: The label acts below 500"),
        ("line", {"value": "> 600"}, "Error: This line acts at values < its figure"),
        ("line", {"value": "many"}, "Error: Acts at: “many” is not understood"),
        ("line", {}, "It says what is in force already."),
        ("line", {"value": "600", "effective_from": "2026-01-01"}, "The day has passed: whoever publishes it chooses"),
        ("rule", {"wanted": "at_least soon"}, "Understood at least “This week” Now, as shipped on, with its own"),
        ("safety", {"wanted": "off"}, "Error: Its findings are: Not a valid choice."),
        ("own", WATCH | {"value": "1.5"}, "Understood Neutrophils < 1.5 ×10⁹/L; This week"),
        ("own", WATCH | {"analyte": "ALT", "value": ">= 3 x ULN"}, "≥ 3 × ULN; This week"),
        ("own", WATCH | {"shape": "trend"}, "Error: The rule still needs the number of results."),
        ("own", WATCH | {"analyte": ""}, "Error: Analyte: Which analyte is the rule about?"),
        ("grace", {"grace": "7"}, "Understood after 7 days of grace Now, as shipped after the grace of the protocol"),
        ("grace", {"grace": "90"}, "The grace is a whole number of days, at most 28"),
        ("list", {"terms": "Q fever"}, "Understood also counts Q fever Now, as shipped those on the list of Winthrop"),
        ("list", {"terms": "CMV"}, "Error: “CMV” counts already: it is on the list as cytomegalovirus disease."),
        ("list", {}, "It says what is in force already."),
    ],
)  # fmt: skip
def test_what_is_understood_is_told_while_one_writes(
    sign_in: SignIn, database: Database, which: str, typed_so_far: dict[str, str], said: str
) -> None:
    carol, before = sign_in("carol"), count(database, ClinicSetting)
    answer = carol.post(f"{FORMS[which]}/check", typed_so_far, **ASIDE)
    assert answer.status_code == 200
    assert said in words(soup(answer))
    assert count(database, ClinicSetting) == before


def test_another_draft_and_a_later_version_are_named_while_one_writes(
    sign_in: SignIn, database: Database, cora: str
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    first = draft(carol, effective_from="2026-05-01")
    told = words(soup(second.post(f"{ANC_STOP}/check", {"value": "700"}, **ASIDE)))
    assert "Another draft of the same waits, by Carol Crane: acts at 600 /uL, repeat within 3 days." in told
    in_its_place = words(soup(carol.post(f"{ANC_STOP}/check?replaces={first}", {"value": "700"}, **ASIDE)))
    assert "Another draft" not in in_its_place
    second.post(f"/settings/{first}/publish")
    told = words(soup(second.post(f"{ANC_STOP}/check", {"value": "700", "effective_from": "2026-04-01"}, **ASIDE)))
    assert "Error: Version 1 applies from 1 May 2026: date yours that day or later" in told


def test_without_scripts_the_same_is_told_by_a_button(sign_in: SignIn) -> None:
    page = sign_in("carol").post(f"{ANC_STOP}/check", {"value": "600"})
    assert "Understood acts at 600 /uL" in words(page)
    assert typed(page, "value") == "600"
    assert "Say in a few words why." not in words(page)


def test_one_sees_what_taking_a_version_back_would_change(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol)
    second.post(f"/settings/{key}/publish", {"applies": "history"})
    before = [(flag.id, flag.version) for flag in open_flags(database, cast.a.patient)]
    page = second.post(f"/settings/{key}/take-back/preview")
    assert "flag changed 1" in words(page)
    assert [(flag.id, flag.version) for flag in open_flags(database, cast.a.patient)] == before
