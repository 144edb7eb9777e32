"""What keeps a dose from being judged, and which facts decide on it."""

from datetime import date
from typing import Any

from tests.rules.stories import history as told
from tracker.domain.dosing_facts import applies, kidney_value, unjudged
from tracker.domain.history import History

OLD_WOMAN = {"sex": "female", "birth_date": "1944-01-01"}
YOUNG_MAN = {"sex": "male", "birth_date": "1996-01-01"}
COURSE = {
    "protocol": "tofacitinib_us",
    "started_on": "2026-01-01",
    "doses": [{"on": "2026-01-01", "mg": "5", "times": "2"}],
}


def patient(**more: Any) -> History:
    return told({"as_of": "2026-03-01", "courses": [COURSE]} | more)


def reasons(history: History) -> list[tuple[str, str]]:
    ((course, protocol),) = history.treatments()
    return [(each.subject, each.entry) for each in unjudged(history, course, protocol)]


def creatinine(value: str) -> list[dict[str, str]]:
    return [{"analyte": "CREAT", "value": value, "on": "2026-02-01"}]


def test_creatinine_without_a_weight_leaves_the_clearance_open() -> None:
    assert reasons(patient(person=OLD_WOMAN, results=creatinine("0.9"))) == [("RENAL", "weight")]


def test_a_weight_settles_it() -> None:
    weight = [{"kind": "weight_kg", "value": "48", "on": "2026-01-05"}]
    assert reasons(patient(person=OLD_WOMAN, results=creatinine("0.9"), observations=weight)) == []


def test_in_the_young_with_good_kidneys_no_weight_is_asked_for() -> None:
    assert reasons(patient(person=YOUNG_MAN, results=creatinine("0.9"))) == []
    assert reasons(patient(person=YOUNG_MAN, results=creatinine("1.4"))) == [("RENAL", "weight")]


def test_without_creatinine_there_is_nothing_to_ask() -> None:
    assert reasons(patient(person=OLD_WOMAN)) == []


def test_a_protocol_that_goes_by_filtration_rate_wants_no_weight() -> None:
    course = {
        "protocol": "baricitinib_us",
        "started_on": "2026-01-01",
        "doses": [{"on": "2026-01-01", "mg": "2", "times": "1"}],
    }
    assert reasons(patient(person=OLD_WOMAN, courses=[course], results=creatinine("0.9"))) == []


def test_a_dose_not_recorded_leaves_a_cap_open() -> None:
    course = {"protocol": "tofacitinib_us", "started_on": "2026-01-01"}
    ketoconazole = [{"name": "ketoconazole", "interactions": ["strong_cyp3a4_inhibitor"], "started_on": "2026-02-01"}]
    assert reasons(patient(courses=[course], medications=ketoconazole)) == [("strong_cyp3a4_inhibitor", "dose")]
    assert reasons(patient(courses=[course])) == []


def test_the_latest_value_known_on_the_day_decides() -> None:
    values = [
        {"analyte": "CRCL", "value": value, "on": day} for value, day in (("60", "2026-01-10"), ("40", "2026-02-10"))
    ]
    history = patient(results=values)
    early, late = (kidney_value(history, "CRCL", day) for day in (date(2026, 2, 9), date(2026, 2, 10)))
    assert early is not None
    assert late is not None
    assert (early.shown, late.shown) == ("60", "40")
    assert kidney_value(history, "CRCL", date(2026, 1, 9)) is None


def test_a_censored_clearance_that_may_be_on_either_side_applies_no_line() -> None:
    history = patient(results=[{"analyte": "CRCL", "value": "<60", "on": "2026-02-10"}])
    ((_, protocol),) = history.treatments()
    renal = [line for line in protocol.dose_adjust if line.kind == "renal"]
    assert [line.id for line in renal if applies(history, line, date(2026, 3, 1))] == []
