"""Patients: who is on the list, who somebody is, and what a corrected sex or birth date does to the flags."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import count, open_flags, problems, row, told, typed, words
from tracker.db import Database
from tracker.domain.readings import LabReading, Row, read_moment
from tracker.models import AuditEntry, Clinic, Patient
from tracker.operations import enrol, entry
from tracker.operations.actor import Actor
from tracker.operations.importing import Importer

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
ROBIN = {
    "mrn": "AL-0007",
    "family_name": "Robin",
    "given_name": "Noa",
    "birth_date": "1990-02-03",
    "sex": "unknown",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def robin(database: Database, cast: Cast) -> int:
    """Of clinic A, sex not entered, with a haemoglobin of 13.0 g/dL: normal in a woman, low in a man."""
    actor = Actor("Alice Archer", NOW, "form", cast.accounts["alice"], "clinician")
    with database.transaction() as session:
        details = ROBIN | {"birth_date": date(1990, 2, 3)}
        patient = enrol.add_patient(session, actor, cast.a.clinic, details)
        taken = read_moment("2026-02-18", ZoneInfo("Europe/Berlin"))
        entry.save(session, actor, patient, [LabReading(patient.mrn, taken, "HB", "13.0", "g/dL")])
        return patient.id


def correction(database: Database, patient_id: int, **changed: str) -> dict[str, str]:
    patient: Patient = row(database, Patient, patient_id)
    return {
        "mrn": patient.mrn,
        "family_name": patient.family_name,
        "given_name": patient.given_name,
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
        "sex": patient.sex,
        "reason": "as in the passport",
        "version": str(patient.version),
    } | changed


# ---------------------------------------------------------------------------------------------- the list


def test_the_list_has_ones_own_clinic_and_nobody_of_another(sign_in: SignIn) -> None:
    page = words(sign_in("dan").get("/patients"))
    assert "Almondine, Ida" in page
    assert "Bilberrow" not in page


def test_the_list_says_what_is_taken_and_what_waits(sign_in: SignIn) -> None:
    page = words(sign_in("bob").get("/patients"))
    assert "AL-0001 female, 37 tofacitinib 5 mg twice daily month 2" in page
    assert "act today" in page


@pytest.mark.parametrize("asked", ["AL-00", "almon", "ida", "ANC", "action_limit"])
def test_one_finds_a_patient_by_number_name_analyte_or_rule(sign_in: SignIn, asked: str) -> None:
    assert "Almondine, Ida" in words(sign_in("bob").get("/patients", query_string={"q": asked}))


@pytest.mark.parametrize("asked", ["%", "_", "Bilberrow", "BI-0001", "nobody"])
def test_one_finds_nobody_else(sign_in: SignIn, asked: str) -> None:
    page = words(sign_in("bob").get("/patients", query_string={"q": asked}))
    assert "Nobody was found" in page
    assert "Ida" not in page


def test_a_long_list_goes_on_where_the_page_ended(sign_in: SignIn, database: Database, cast: Cast) -> None:
    actor = Actor("import", NOW, "cli")
    with database.transaction() as session:
        for number in range(60):
            enrol.add_patient(session, actor, cast.a.clinic, {"mrn": f"P{number:03}", "family_name": f"Fam{number:03}"})
    bob = sign_in("bob")
    first = bob.get("/patients")
    assert "AL-0001" in words(first)
    assert "P048" in words(first)
    assert "P049" not in words(first)
    second = words(bob.get("/patients?after=P048"))
    assert "P049" in second
    assert "P059" in second
    assert "P048" not in second


# ---------------------------------------------------------------------------------------------- a new one


def test_a_recorder_enrols_somebody(sign_in: SignIn, database: Database) -> None:
    bob = sign_in("bob")
    answer = bob.post("/patients/new", ROBIN)
    assert answer.status_code == 303
    page = bob.get(answer.headers["Location"])
    assert "Robin, Noa, AL-0007, is on record." in told(page)[0]
    assert "Born 3 Feb 1990 (36)" in words(page)
    assert "Sex not known: some results cannot be evaluated" in words(page)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mrn": "AL-0001"}, "Record number AL-0001 is taken at this clinic."),
        ({"mrn": ""}, "A record number is needed."),
        ({"birth_date": "2026-02-21"}, "is in the future"),
        ({"birth_date": "1899-12-31"}, "is before 1900-01-01"),
        ({"birth_date": "03/02/1990"}, "Write the date as"),
        ({"sex": ""}, "Choose one"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    sign_in: SignIn, database: Database, changed: dict[str, str], said: str
) -> None:
    bob = sign_in("bob")
    before = count(database, Patient)
    answer = bob.post("/patients/new", ROBIN | changed)
    assert answer.status_code == 422
    assert said in problems(answer)
    assert typed(answer, "family_name") == "Robin"
    assert count(database, Patient) == before


# ---------------------------------------------------------------------------------------------- corrections


def test_with_the_sex_a_value_can_be_judged_and_the_page_says_so(
    sign_in: SignIn, database: Database, robin: int
) -> None:
    assert [flag.entry for flag in open_flags(database, robin, "not_evaluated")] == ["sex"]
    bob = sign_in("bob")
    answer = bob.post(f"/patients/{robin}/edit", correction(database, robin, sex="male"))
    assert answer.status_code == 303
    said = told(bob.get(answer.headers["Location"]))
    assert any("New flag: Haemoglobin 13.0 g/dL" in line for line in said)
    assert any(line.startswith("Cleared flag: Haemoglobin") for line in said)
    assert open_flags(database, robin, "not_evaluated") == []
    assert {flag.rule for flag in open_flags(database, robin)} == {"out_of_range", "ctcae"}


def test_the_same_value_is_normal_in_a_woman(sign_in: SignIn, database: Database, robin: int) -> None:
    bob = sign_in("bob")
    bob.post(f"/patients/{robin}/edit", correction(database, robin, sex="male"))
    answer = bob.post(f"/patients/{robin}/edit", correction(database, robin, sex="female"))
    said = told(bob.get(answer.headers["Location"]))
    assert any("Cleared flag: Haemoglobin 13.0" in line for line in said)
    assert open_flags(database, robin) == []


def test_with_another_birth_date_the_adult_range_does_not_judge(
    sign_in: SignIn, database: Database, robin: int
) -> None:
    bob = sign_in("bob")
    bob.post(f"/patients/{robin}/edit", correction(database, robin, sex="male"))
    answer = bob.post(f"/patients/{robin}/edit", correction(database, robin, birth_date="2010-02-03"))
    assert any("no reference range" in line for line in told(bob.get(answer.headers["Location"])))
    assert [flag.entry for flag in open_flags(database, robin, "not_evaluated")] == ["no_range"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"birth_date": "2026-02-19"}, "There is a sample of 2026-02-18 on record, before a birth on 2026-02-19."),
        ({"mrn": "AL-0001"}, "Record number AL-0001 is taken"),
        ({"sex": "male", "reason": "x"}, "Say in a few words why"),
        ({"sex": "male", "reason": ""}, "Say in a few words why"),
    ],
)
def test_a_correction_that_cannot_be_changes_nothing(
    sign_in: SignIn, database: Database, robin: int, changed: dict[str, str], said: str
) -> None:
    answer = sign_in("bob").post(f"/patients/{robin}/edit", correction(database, robin, **changed))
    assert answer.status_code == 422
    assert said in problems(answer)
    patient: Patient = row(database, Patient, robin)
    assert (patient.mrn, patient.sex, patient.birth_date) == ("AL-0007", "unknown", date(1990, 2, 3))


def test_who_saves_second_sees_what_the_first_changed_and_loses_nothing(
    sign_in: SignIn, database: Database, robin: int
) -> None:
    alice, bob = sign_in("alice"), sign_in("bob")
    seen_by_both = correction(database, robin)
    alice.post(f"/patients/{robin}/edit", seen_by_both | {"sex": "female", "reason": "asked at the visit"})
    late = bob.post(f"/patients/{robin}/edit", seen_by_both | {"given_name": "Noah", "reason": "misspelt"})
    assert late.status_code == 409
    assert "Alice Archer" in problems(late)
    assert "sex unknown → became female" in problems(late)
    assert "asked at the visit" in problems(late)
    assert typed(late, "given_name") == "Noah"
    patient: Patient = row(database, Patient, robin)
    assert (patient.given_name, patient.sex) == ("Noa", "female")

    again = correction(database, robin, given_name="Noah", version=typed(late, "version"))
    assert bob.post(f"/patients/{robin}/edit", again).status_code == 303
    assert row(database, Patient, robin).given_name == "Noah"


def test_saving_what_stands_there_changes_nothing(sign_in: SignIn, database: Database, robin: int) -> None:
    bob = sign_in("bob")
    entries = count(database, AuditEntry)
    answer = bob.post(f"/patients/{robin}/edit", correction(database, robin))
    assert told(bob.get(answer.headers["Location"])) == ["Nothing was different, so nothing was stored."]
    assert row(database, Patient, robin).version == 1
    assert count(database, AuditEntry) == entries


# ---------------------------------------------------------------------------------------------- the record


def test_the_record_has_everything_and_its_two_identifiers(sign_in: SignIn, cast: Cast) -> None:
    page = words(sign_in("alice").get(f"/patients/{cast.a.patient}"))
    for part in (
        "Almondine, Ida", "AL-0001", "17 May 1988 (37)", "tofacitinib 5 mg twice daily", "month 2",
        "Neutrophils 0.46 ×10⁹/L, below the action limit 0.5 ×10⁹/L", "Act today", "≥ 2.0 and ≤ 8.25", "clinic’s range",
        "Almondine rhinitis", "Almondine remedy", "Weight 70 kg", "for alopecia areata",
    ):  # fmt: skip
        assert part in page, part


def test_who_only_reads_is_offered_nothing_to_write(sign_in: SignIn, cast: Cast) -> None:
    for reader in ("dan", "carol"):
        page = sign_in(reader).get(f"/patients/{cast.a.patient}").text
        for address in ("/edit", "/courses/new", "/events/new", "/medications/new", "/observations/new"):
            assert address not in page, (reader, address)


def test_what_changed_is_told_with_who_why_and_from_what(sign_in: SignIn, database: Database, robin: int) -> None:
    bob = sign_in("bob")
    bob.post(f"/patients/{robin}/edit", correction(database, robin, sex="female", reason="asked at the visit"))
    page = words(bob.get(f"/patients/{robin}/changes"))
    assert "Bob Birch recorder correct: patient 20 Feb 2026, 10:00" in page
    assert "asked at the visit" in page
    assert "sex unknown → became female" in page
    assert "mrn AL-0007" in page


def test_reading_writes_nothing(sign_in: SignIn, database: Database, cast: Cast) -> None:
    alice = sign_in("alice")
    before = (count(database, AuditEntry), row(database, Patient, cast.a.patient).judged_at)
    for path in ("", "/edit", "/changes", "/courses/new", "/events/new", "/medications/new", "/observations/new"):
        assert alice.get(f"/patients/{cast.a.patient}{path}").status_code == 200
    assert (count(database, AuditEntry), row(database, Patient, cast.a.patient).judged_at) == before


def statements(database: Database, ask: Callable[[], object]) -> int:
    """How many statements a page asks the database."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(seen)


def test_the_list_asks_no_more_of_the_database_for_more_patients(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    bob = sign_in("bob")
    bob.get("/patients")
    few = statements(database, lambda: bob.get("/patients"))
    with database.transaction() as session:
        for number in range(40):
            person = {"mrn": f"P{number:03}", "family_name": f"Fam{number:03}"}
            enrol.add_patient(session, Actor("import", NOW, "cli"), cast.a.clinic, person)
    assert statements(database, lambda: bob.get("/patients")) == few
    assert few <= 10


def test_rows_that_waited_for_a_record_number_are_filed_when_it_is_enrolled(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    actor = Actor("Bob", NOW, "import")
    waiting = LabReading("AL-0007", read_moment("2026-02-01", ZoneInfo("UTC")), "ANC", "0.4", "10*9/L")
    with database.transaction() as session:
        importer = Importer(session, actor, [session.get_one(Clinic, cast.a.clinic)])
        assert importer.file("results.csv", "csv", "results", [Row(2, waiting)]).unmatched == 1
    answer = sign_in("bob").post("/patients/new", ROBIN, follow_redirects=True)
    assert "1 rows that waited for this record number were filed" in answer.text
    assert "Neutrophils 0.4" in answer.text


def test_what_changed_last_is_told_in_plain_words(sign_in: SignIn, cast: Cast) -> None:
    bob = sign_in("bob")
    seen = {"seen-kind": "salt", "seen-on": "2026-02-18", "seen-value": "34"}
    assert bob.post(f"/patients/{cast.a.patient}/observations/new", seen).status_code == 303
    after = words(bob.get(f"/patients/{cast.a.patient}")).partition("What changed last")[2]
    assert "Added observation: SALT score, 34, 18 Feb 2026" in after
