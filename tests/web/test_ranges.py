"""Ranges: shown with their operators, drafted by one person, looked at before and published by another."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.people import Cast, add_account
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, soup, told, typed, words
from tracker.db import Database
from tracker.domain.readings import LabReading, read_moment
from tracker.models import AuditEntry, Clinic, Flag, LabResult, Patient, ReferenceRange
from tracker.operations import enrol, entry
from tracker.operations.actor import Actor

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
HB_OF_MEN = {
    "analyte": "HB",
    "unit": "g/dL",
    "sex": "male",
    "age_from": "18",
    "low_op": ">=",
    "low": "13.5",
    "high_op": "<=",
    "high": "17.5",
    "effective_from": "2026-01-01",
    "source": "letter of the laboratory, January 2026",
    "reason": "the laboratory's new analyser",
}
HISTORY = {"applies": "history"}  # the day of the draft has passed: judge again from that day on


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def cora(database: Database, cast: Cast) -> str:
    """A second administrator of clinic A."""
    with database.transaction() as session:
        add_account(session, "cora", "Cora Cole", "admin", session.get_one(Clinic, cast.a.clinic))
    return "cora"


@pytest.fixture
def tom(database: Database, cast: Cast) -> int:
    """A man of clinic A with haemoglobin 13.8 g/dL: below the starter range (14 to 18), above 13.5."""
    actor = Actor("Alice Archer", NOW, "form", cast.accounts["alice"], "clinician")
    details = {"mrn": "AL-0011", "family_name": "Tom", "sex": "male", "birth_date": date(1990, 2, 3)}
    with database.transaction() as session:
        patient = enrol.add_patient(session, actor, cast.a.clinic, details)
        taken = read_moment("2026-02-18", ZoneInfo("Europe/Berlin"))
        entry.save(session, actor, patient, [LabReading(patient.mrn, taken, "HB", "13.8", "g/dL")])
        return patient.id


def draft(browser: Browser, **changed: str) -> int:
    answer = browser.post("/ranges/new", HB_OF_MEN | changed)
    assert answer.status_code == 303, problems(answer)
    return int(answer.headers["Location"].rsplit("/", 1)[1])


def digest(database: Database) -> list[Any]:
    """Everything that a preview must leave as it was."""
    with database.reading() as session:
        flags = [(f.id, f.machine, f.version, f.content, f.changed_at) for f in session.query(Flag).order_by(Flag.id)]
        judged = [(p.id, p.judged_at, p.next_check_on) for p in session.query(Patient).order_by(Patient.id)]
        ranges = [(r.id, r.state) for r in session.query(ReferenceRange).order_by(ReferenceRange.id)]
        results = [(r.id, r.range_id) for r in session.query(LabResult).order_by(LabResult.id)]
        return [flags, judged, ranges, results, session.query(AuditEntry).count()]


# ---------------------------------------------------------------------------------------------- reading


def test_every_bound_stands_with_its_operator_and_unit(sign_in: SignIn) -> None:
    page = words(sign_in("bob").get("/ranges?analyte=HB"))
    assert "Haemoglobin HB any women, from 18 years ≥ 12 and ≤ 16 g/dL from the beginning starter set" in page
    assert "men, from 18 years ≥ 14 and ≤ 18 g/dL" in page
    assert "unverified" in page
    assert "Leukocytes" not in page.partition("In force and to come")[2]


def test_a_bound_that_is_not_included_is_shown_so(sign_in: SignIn) -> None:
    assert "< 200 mg/dL" in words(sign_in("bob").get("/ranges?analyte=CHOL"))


def test_the_starter_set_leaves_nobody_without_a_range(sign_in: SignIn) -> None:
    assert "Coverage complete" in words(sign_in("bob").get("/ranges"))


def test_a_gap_is_told_by_sex_and_age(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        for line in session.query(ReferenceRange).filter_by(clinic_id=cast.a.clinic, analyte="HB", sex="male"):
            line.state = "withdrawn"
    page = words(sign_in("bob").get("/ranges"))
    assert "Coverage 4 gaps" in page
    assert "HB, male, 40 years: no reference range is configured for this person." in page


def test_only_ones_own_clinics_ranges_are_listed(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.transaction() as session:
        session.get_one(ReferenceRange, cast.b.range).reason = "a canary of clinic B"
    page = sign_in("carol").get("/ranges").text
    assert "a canary of clinic B" not in page
    assert page.count("Drafts, waiting") == 1


def test_an_analyte_there_is_not_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("bob").get("/ranges?analyte=XYZ").status_code == 404


# ---------------------------------------------------------------------------------------------- drafting


def test_a_new_version_begins_with_what_is_in_force(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.reading() as session:
        line = session.query(ReferenceRange).filter_by(clinic_id=cast.a.clinic, analyte="CHOL").one()
    page = sign_in("carol").get(f"/ranges/new?from={line.id}")
    assert (typed(page, "analyte"), typed(page, "unit"), typed(page, "high")) == ("CHOL", "mg/dL", "200")
    assert (typed(page, "high_op"), typed(page, "low"), typed(page, "effective_from")) == ("<", "", "")


def test_a_draft_judges_nothing(sign_in: SignIn, database: Database, cora: str, tom: int) -> None:
    before = [flag.rule for flag in open_flags(database, tom)]
    carol = sign_in("carol")
    key = draft(carol)
    page = words(carol.get(f"/ranges/{key}"))
    assert "Would follow ≥ 14 and ≤ 18 g/dL in force from the beginning" in page
    assert "You drafted it: a second person publishes it." in page
    assert [flag.rule for flag in open_flags(database, tom)] == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"low": "", "high": ""}, "bound"),
        ({"low": "18", "high": "14"}, "18"),
        ({"unit": "U/L"}, "HB is not recorded in “U/L”"),
        ({"age_from": "40", "age_to": "40"}, "are empty"),
        ({"age_from": "40.5"}, "not a whole number"),
        ({"analyte": ""}, "Which analyte?"),
        ({"effective_from": ""}, "From which day"),
        ({"source": " "}, "Where does the range come from?"),
        ({"reason": "new"}, "Say in a few words why."),
    ],
)
def test_a_range_that_cannot_be_is_refused_and_stays_typed(
    sign_in: SignIn, database: Database, changed: dict[str, str], said: str
) -> None:
    before = count(database, ReferenceRange)
    answer = sign_in("carol").post("/ranges/new", HB_OF_MEN | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "high_op") == "<="
    assert count(database, ReferenceRange) == before


# ---------------------------------------------------------------------------------------------- before publishing


def test_one_sees_what_would_change_and_nothing_of_it_is_kept(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol)
    before = digest(database)
    page = second.post(f"/ranges/{key}/preview", HISTORY)
    assert page.status_code == 200
    assert "2 patients with 2 results judged; nothing is stored." in words(page)
    assert "0 flags opened" in figures(page)
    assert "2 flags cleared" in figures(page)
    assert "Tom AL-0011 cleared" in words(page)
    assert "Feb 2026" in words(page)
    assert digest(database) == before


def figures(page: Any) -> str:
    return " ".join(f"{words(box.dd)} {words(box.dt)}" for box in soup(page).select(".rec-figures > div"))


def test_what_time_has_done_is_not_put_down_to_the_range(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    """Half a year on Ida's checks are overdue, which nobody has judged yet. That is not what the range changes."""
    carol = sign_in("carol")
    key = draft(carol)
    with time_machine.travel(datetime(2026, 8, 20, 9, 0, tzinfo=UTC), tick=True):
        page = sign_in(cora).post(f"/ranges/{key}/preview", HISTORY)
    assert "No flag would change" in words(page)


# ---------------------------------------------------------------------------------------------- publishing


def test_a_second_person_publishes_and_everybody_is_judged_again(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    key = draft(sign_in("carol"))
    second = sign_in(cora)
    answer = second.post(f"/ranges/{key}/publish", HISTORY)
    assert answer.status_code == 303
    page = second.get(answer.headers["Location"])
    assert told(page) == ["Published. 2 patients judged again; flags: 0 opened, 0 changed, 2 cleared."]
    assert "in force" in words(page)
    assert "Drafted Carol Crane" in words(page)
    assert "Published Cora Cole" in words(page)
    assert "two people" in words(page)
    assert open_flags(database, tom) == []
    assert row(database, ReferenceRange, key).published_by is not None


def test_a_result_keeps_the_range_that_judged_it(sign_in: SignIn, database: Database, cora: str, tom: int) -> None:
    key = draft(sign_in("carol"))
    sign_in(cora).post(f"/ranges/{key}/publish", HISTORY)
    with database.reading() as session:
        assert session.query(LabResult).filter_by(patient_id=tom).one().range_id == key


def test_a_range_of_later_days_leaves_earlier_samples_alone(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    key = draft(sign_in("carol"), effective_from="2026-02-19")
    second = sign_in(cora)
    second.post(f"/ranges/{key}/publish", HISTORY)
    assert "out_of_range" in [flag.rule for flag in open_flags(database, tom)]
    assert "to come" not in words(second.get(f"/ranges/{key}"))


def test_who_drafted_it_does_not_publish_it(sign_in: SignIn, database: Database, cora: str, tom: int) -> None:
    carol = sign_in("carol")
    key = draft(carol)
    assert "Publish" not in [button.get_text() for button in soup(carol.get(f"/ranges/{key}")).select("button")]
    answer = carol.post(f"/ranges/{key}/publish", HISTORY)
    assert answer.status_code == 403
    assert "A second person publishes what you drafted." in words(answer)
    assert row(database, ReferenceRange, key).state == "draft"


def test_a_draft_is_withdrawn_and_stays_on_record(sign_in: SignIn, database: Database, cora: str) -> None:
    carol = sign_in("carol")
    key = draft(carol)
    assert carol.post(f"/ranges/{key}/withdraw").status_code == 303
    assert row(database, ReferenceRange, key).state == "withdrawn"
    assert sign_in(cora).post(f"/ranges/{key}/publish", HISTORY).status_code == 409
    assert "withdrawn" in words(carol.get(f"/ranges/{key}"))


def test_the_history_of_a_line_has_every_version(sign_in: SignIn, database: Database, cora: str, cast: Cast) -> None:
    key = draft(sign_in("carol"))
    second = sign_in(cora)
    second.post(f"/ranges/{key}/publish", HISTORY)
    later = draft(second, effective_from="2026-12-01", low="13.0")
    sign_in("carol").post(f"/ranges/{later}/publish")
    table = words(second.get(f"/ranges/{later}")).partition("All versions of this line")[2]
    assert table.index("to come") < table.index("in force") < table.index("followed")


def test_a_line_beside_it_that_goes_first_is_shown(sign_in: SignIn, cast: Cast) -> None:
    page = words(sign_in("carol").get(f"/ranges/{cast.a.range}"))
    assert "no version of the same line: it is a new one" in page
    assert "Other lines of Neutrophils" in page
    assert "everybody, from 18 years any ≥ 2.0 and ≤ 8.25" in page


# ---------------------------------------------------------------------------------------------- taking back


def test_one_person_takes_a_range_back_and_everybody_is_judged_again(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    key = draft(carol)
    second.post(f"/ranges/{key}/publish", HISTORY)
    assert open_flags(database, tom) == []
    answer = carol.post(f"/ranges/{key}/take-back")
    assert told(carol.get(answer.headers["Location"]))[0].startswith("Taken back. 2 patients judged again")
    assert "out_of_range" in [flag.rule for flag in open_flags(database, tom)]
    page = words(carol.get(f"/ranges/{key}")).partition("All versions of this line")[2]
    assert "in force no line any more" in page
    assert "in force ≥ 14 and ≤ 18" in page
    assert "men, from 18 years ≥ 14 and ≤ 18 g/dL" in words(carol.get("/ranges?analyte=HB"))
    assert "no line any more" not in words(carol.get("/ranges?analyte=HB"))
    assert carol.post(f"/ranges/{key}/take-back").status_code == 409


def test_one_sees_what_taking_a_range_back_would_change(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    key = draft(sign_in("carol"))
    second = sign_in(cora)
    second.post(f"/ranges/{key}/publish", HISTORY)
    before = digest(database)
    page = second.post(f"/ranges/{key}/take-back/preview")
    assert page.status_code == 200
    assert "2 flags opened" in figures(page)
    assert "Tom AL-0011 opened" in words(page)
    assert "It would apply from 1 Jan 2026." in words(page)
    assert digest(database) == before
    second.post(f"/ranges/{key}/take-back")
    assert len(open_flags(database, tom)) == 2
    late = second.post(f"/ranges/{key}/take-back/preview")
    assert late.status_code == 409
    assert "judges nothing any more" in problems(late)


def test_what_was_published_meanwhile_is_looked_at_before_another_draft_is(
    sign_in: SignIn, database: Database, cora: str, tom: int
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    one, other = draft(carol), draft(carol, low="13.0")
    seen = {"seen": shown_in(second.get(f"/ranges/{other}"), "seen")}
    second.post(f"/ranges/{one}/publish", HISTORY)
    late = second.post(f"/ranges/{other}/publish", HISTORY | seen)
    assert late.status_code == 409
    assert "Something else was published meanwhile." in problems(late)
    assert row(database, ReferenceRange, other).state == "draft"
    again = {"seen": shown_in(late, "seen")}
    assert second.post(f"/ranges/{other}/publish", HISTORY | again).status_code == 303


def shown_in(page: Any, name: str) -> str:
    return str(soup(page).select_one(f"input[name={name}]")["value"])


def test_a_line_of_the_starter_set_offers_no_way_back(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.reading() as session:
        key = session.query(ReferenceRange).filter_by(clinic_id=cast.a.clinic, analyte="CHOL").one().id
    carol = sign_in("carol")
    assert "Take this version back" not in words(carol.get(f"/ranges/{key}"))
    assert carol.post(f"/ranges/{key}/take-back").status_code == 422


# ---------------------------------------------------------------------------------------------- in words

IN_WORDS = HB_OF_MEN | {"low": "", "high": "", "unit": "g/dL", "phrase": "13.5 <= x < 17.5"}
ASIDE = {"headers": {"HX-Request": "true"}}


def test_a_range_is_drafted_from_the_words_of_the_laboratory(sign_in: SignIn, database: Database) -> None:
    key = draft(sign_in("carol"), **IN_WORDS)
    stored = row(database, ReferenceRange, key)
    assert (stored.low, stored.low_inclusive, stored.high, stored.high_inclusive) == (
        Decimal("13.5"), True, Decimal("17.5"), False,
    )  # fmt: skip


def test_the_unit_may_stand_behind_the_words(sign_in: SignIn, database: Database) -> None:
    key = draft(sign_in("carol"), **IN_WORDS | {"unit": "", "phrase": "135 - 175 g/L"})
    assert row(database, ReferenceRange, key).unit == "g/L"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phrase": "normal"}, "“normal” is not understood"),
        ({"phrase": "18 - 14"}, "The lower bound 18 is above the upper bound 14."),
        ({"phrase": "<= 1.5 x ULN"}, "it cannot be a multiple of the upper limit"),
        ({"phrase": "135 - 175 g/L"}, "The words say g/L and the unit is g/dL"),
        ({"low": "14"}, "The words and the boxes say two different ranges"),
        ({"analyte": "CREAT", "unit": "mg/dL", "phrase": "44 - 80"}, "it looks like umol/L"),
        ({"effective_from": "1900-01-01"}, "is the day of the starter set"),
    ],
)
def test_words_that_cannot_be_meant_are_refused_and_stay_typed(
    sign_in: SignIn, database: Database, changed: dict[str, str], said: str
) -> None:
    before = count(database, ReferenceRange)
    answer = sign_in("carol").post("/ranges/new", IN_WORDS | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "phrase") == (IN_WORDS | changed)["phrase"]
    assert count(database, ReferenceRange) == before


def test_what_was_understood_is_told_while_one_writes(sign_in: SignIn, database: Database) -> None:
    carol, before = sign_in("carol"), count(database, ReferenceRange)
    asked = {"analyte": "HB", "sex": "male", "age_from": "18", "phrase": "135 - 175 g/L"}
    said = words(soup(carol.post("/ranges/check", asked, **ASIDE)))
    assert "Understood ≥ 135 and ≤ 175 g/L" in said
    assert "That is ≥ 13.5 and ≤ 17.5 g/dL" in said
    assert "Now ≥ 14 and ≤ 18 g/dL in force from the beginning" in said
    assert "Error" not in said
    assert count(database, ReferenceRange) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phrase": "up to"}, "“up to” is not understood"),
        ({"analyte": "", "phrase": "3 - 5"}, "Which analyte?"),
        ({"analyte": "CREAT", "unit": "mg/dL", "phrase": "44 - 80"}, "it looks like umol/L"),
        ({"unit": "g/dL", "phrase": "13.5 - 30"}, "Upper bound: HB 30 g/dL is"),
        ({"unit": "U/L", "phrase": "13 - 17"}, "HB is not recorded in"),
        ({"phrase": ""}, "In which unit?"),
        ({"unit": "g/dL", "phrase": ""}, "A range needs at least one bound."),
        ({"unit": "g/dL", "phrase": "", "age_from": "40", "age_to": "40", "low": "3"}, "are empty"),
    ],
)
def test_what_stands_against_it_is_told_while_one_writes(sign_in: SignIn, changed: dict[str, str], said: str) -> None:
    asked = {"analyte": "HB", "sex": "male", "age_from": "18"} | changed
    answer = sign_in("carol").post("/ranges/check", asked, **ASIDE)
    assert answer.status_code == 200
    assert said in words(soup(answer))


def test_without_scripts_the_same_is_told_by_a_button(sign_in: SignIn) -> None:
    page = sign_in("carol").post("/ranges/check", IN_WORDS | {"effective_from": "", "reason": ""})
    assert "Understood ≥ 13.5 and < 17.5 g/dL" in words(page)
    assert typed(page, "phrase") == "13.5 <= x < 17.5"
    assert "Say in a few words why." not in words(page)


# ---------------------------------------------------------------------------------------------- which comes first


def test_the_table_says_which_range_goes_first_as_it_is_set(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    assert "The range printed with a result judges it first" in words(carol.get("/ranges"))
    told = {"first": "configured", "reason": "our analyser is older than its print", "source": ""}
    for day, said in (
        ("2026-03-01", "From 1 Mar 2026 on: the configured range, else the printed one"),
        ("2026-03-02", "From 2 Mar 2026 on: the configured range"),
    ):
        drafted = carol.post("/settings/clinic/ranges_first", told | {"effective_from": day}).headers["Location"]
        second.post(f"{drafted}/publish")
        page = words(carol.get("/ranges"))
        assert said in page
        assert "The range printed with a result judges it first" in page
    with time_machine.travel(datetime(2026, 3, 5, 9, 0, tzinfo=UTC), tick=True):
        page = words(sign_in("carol").get("/ranges"))
    assert "This clinic puts these ranges first" in page
    assert "version 2" in page
    assert "the range printed with it judges where neither fits" in page
    assert "The range printed with a result judges it first" not in page


# ---------------------------------------------------------------------------------------------- coverage


def test_a_draft_says_which_gaps_and_ties_it_would_make_and_mend(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    with database.transaction() as session:
        for line in session.query(ReferenceRange).filter_by(clinic_id=cast.a.clinic, analyte="HB", sex="male"):
            line.state = "withdrawn"
    carol = sign_in("carol")
    key = draft(carol, age_from="18", age_to="60")
    page = words(carol.get(f"/ranges/{key}"))
    assert "open mended HB, men, from 18 years: no reference range" in page
    assert "fine open HB, men, from 60 years: no reference range" in page
    sign_in(cora).post(f"/ranges/{key}/publish", HISTORY)
    tie = draft(carol, age_from="20", age_to="62")
    assert "fine open HB, men, 20 to 59 years: two configured ranges fit equally" in words(carol.get(f"/ranges/{tie}"))


def test_a_draft_that_changes_no_coverage_says_so(sign_in: SignIn) -> None:
    carol = sign_in("carol")
    assert "Coverage, before and after none made" in words(carol.get(f"/ranges/{draft(carol)}"))
