"""FHIR resources as laboratories and hospitals send them, and what is taken from each."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.formats.fhir import NEUTROPHILS, PATIENT, bundle, observation, only, read, reading, refusal
from tests.formats.files import opened
from tracker.domain.errors import Refused
from tracker.domain.readings import (
    DocumentReading,
    EventReading,
    ExposureReading,
    MedicationReading,
    ObservationReading,
    Row,
)

URINE = {"coding": [{"display": "Urine specimen"}]}


# ------------------------------------------------------------------------------------------- results


def test_a_result_is_taken_with_its_digits_its_unit_and_its_instant() -> None:
    content = bundle(PATIENT, observation()).replace('"value": 1.9', '"value": 1.90')
    (result,) = [row.reading for row in opened(content).rows if row.number == 2]
    assert (result.mrn, result.value, result.unit) == ("00231", "1.90", "10*9/L")  # type: ignore[union-attr]
    assert result.local_code == "loinc:751-8"  # type: ignore[union-attr]
    assert result.collected.at == datetime(2026, 3, 1, 7, 40, tzinfo=UTC)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueQuantity": {"value": 5, "comparator": "<", "unit": "mg/L"}}, ("<5", "mg/L")),
        ({"valueQuantity": {"value": 5, "comparator": ">=", "unit": "mg/L"}}, (">=5", "mg/L")),
        ({"valueQuantity": {"value": 1e-3, "unit": "g/L"}}, ("0.001", "g/L")),
        ({"valueQuantity": {"unit": "mL/min"}, "valueString": "<15"}, ("<15", "mL/min")),
        ({"valueString": "negative"}, ("negative", "")),
        ({"valueInteger": 7}, ("7", "")),
        ({"valueBoolean": True}, ("yes", "")),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, ("1:128", "")),
        ({"valueCodeableConcept": {"text": "A"}}, ("A", "")),
        ({"valueCodeableConcept": {"coding": [{"display": "Group A (finding)"}], "text": "A"}}, ("Group A", "")),
        ({"valueCodeableConcept": {"coding": [{"code": "260385009", "display": "Negativ"}]}}, ("negative", "")),
    ],
)
def test_every_way_to_give_a_value(value: dict[str, Any], expected: tuple[str, str]) -> None:
    found = reading(observation(valueQuantity=None) | value)
    assert (found.value, found.unit) == expected


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"status": None}, "status", "status is missing"),
        ({"status": "done"}, "status", "“done” is not a status"),
        ({"code": None}, "code", "does not say what was measured"),
        ({"subject": None}, "subject", "which patient"),
        ({"subject": {"reference": "Group/herd"}}, "subject.reference", "about a Group"),
        ({"subject": {"reference": "urn:uuid:none"}}, "subject.reference", "no patient of this file"),
        ({"effectiveDateTime": None}, "effectiveDateTime", "not said"),
        ({"effectiveDateTime": "2026-03"}, "effectiveDateTime", "only a part of a date"),
        ({"effectiveDateTime": "01.03.2026"}, "effectiveDateTime", "write dates as 2026-03-01"),
        ({"valueQuantity": None}, "value[x]", "There is no value"),
        ({"valueQuantity": None, "dataAbsentReason": {"text": "haemolysed"}}, "dataAbsentReason", "(haemolysed)"),
        ({"valueString": "low"}, "valueString", "There is a valueQuantity too"),
        ({"valueQuantity": {"value": "1.9"}}, "valueQuantity.value", "without quotation marks"),
        ({"valueQuantity": {"value": 1.9, "comparator": "~"}}, "valueQuantity.comparator", "<, <=, > and >= are"),
        ({"valueQuantity": [1]}, "valueQuantity[0]", "an object has to"),
        ({"valueQuantity": None, "valueAttachment": {"url": "x"}}, "valueAttachment", "not read"),
        ({"valueQuantity": None, "valueString": "1,234"}, "valueString", "two different numbers"),
        (
            {"valueQuantity": {"value": 1.9, "code": "g/L", "unit": "g/dL", "system": "http://unitsofmeasure.org"}},
            "valueQuantity.unit", "the two have to agree",
        ),
        ({"referenceRange": [{"high": {"value": 7, "code": "g/L", "system": "bar"}}]}, "referenceRange[0].high.system",
         "http://unitsofmeasure.org"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    column, message = refusal(observation(**changes))
    assert column == path
    assert words in message


def test_a_count_may_be_printed_and_coded_in_two_ways_of_one_size() -> None:
    quantity = {
        "value": 1.9,
        "unit": "thousand per microliter",
        "code": "10*3/uL",
        "system": "http://unitsofmeasure.org",
    }
    assert reading(observation(valueQuantity=quantity)).unit == "10*3/uL"
    assert reading(observation(valueQuantity=quantity | {"unit": "G/l"})).unit == "10*3/uL"


@pytest.mark.parametrize(
    ("word", "status"),
    [("final", "final"), ("amended", "corrected"), ("corrected", "corrected"), ("preliminary", "preliminary"),
     ("cancelled", "cancelled"), ("entered-in-error", "cancelled")],
)  # fmt: skip
def test_the_status_of_the_laboratory(word: str, status: str) -> None:
    assert reading(observation(status=word)).status == status


def test_an_unknown_status_is_final_and_that_is_said_once() -> None:
    rows = read(PATIENT, *(observation(status="unknown", effectiveDateTime=f"2026-03-0{n}") for n in range(1, 7)))
    assert {row.reading.status for row in rows[1:]} == {"final"}  # type: ignore[union-attr]
    (said,) = [problem for row in rows for problem in row.problems]
    assert "taken as final" in said.message
    assert "6 rows" in said.message


def test_the_parts_of_a_panel_are_results_of_their_own() -> None:
    parts = [
        {"code": {"text": "Sodium"}, "valueQuantity": {"value": 140, "unit": "mmol/L"}},
        {"code": {"text": "Potassium"}, "dataAbsentReason": {"text": "haemolysed"}},
    ]
    panel = observation(valueQuantity=None, code={"text": "Electrolytes"}, component=parts)
    potassium, sodium = sorted(
        (row for row in read(PATIENT, panel) if row.number == 2), key=lambda row: bool(row.reading)
    )
    assert (sodium.reading.analyte, sodium.reading.value) == ("Sodium", "140")  # type: ignore[union-attr]
    assert potassium.reading is None
    assert potassium.problems[0].column == "component[1].dataAbsentReason"


def test_contained_results_are_those_of_their_report() -> None:
    report = {
        "resourceType": "DiagnosticReport", "id": "r", "status": "final", "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02", "performer": [{"reference": "Organization/x", "display": "City Laboratory"}],
        "identifier": [{"type": {"coding": [{"code": "FILL"}]}, "value": "A7"}],
        "contained": [observation(id="in", subject=None, effectiveDateTime=None)], "result": [{"reference": "#in"}],
    }  # fmt: skip
    found = reading(report)
    assert (found.mrn, found.accession, found.laboratory) == ("00231", "A7", "City Laboratory")
    assert found.collected.on == date(2026, 3, 2)


@pytest.mark.parametrize(("code", "fasting"), [("F", True), ("NF", False), ("NG", None)])
def test_whether_the_patient_was_fasting_is_said_by_the_specimen(code: str, fasting: bool | None) -> None:
    status = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0916", "code": code}]}
    specimen = {"resourceType": "Specimen", "id": "s", "collection": {"fastingStatusCodeableConcept": status}}
    rows = read(PATIENT, specimen, observation(specimen={"reference": "Specimen/s"}))
    assert rows[1].reading.fasting is fasting  # type: ignore[union-attr]


def test_or_by_an_observation_of_the_same_time() -> None:
    asked = {"coding": [{"system": "http://loinc.org", "code": "49541-6"}], "text": "Fasting status"}
    yes = {"coding": [{"system": "http://loinc.org", "code": "LA33-6", "display": "Yes"}]}
    status = observation(id="f", code=asked, valueQuantity=None, valueCodeableConcept=yes)
    rows = read(PATIENT, observation(), status)
    assert rows[1].reading.fasting is True  # type: ignore[union-attr]
    assert rows[2].problems[0].message.startswith("It says that the patient was fasting")


def test_the_time_is_the_specimens_where_the_observation_has_none() -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "collection": {"collectedDateTime": "2026-03-01T06:00:00Z"}}
    rows = read(PATIENT, specimen, observation(effectiveDateTime=None, specimen={"reference": "Specimen/s"}))
    assert rows[1].reading.collected.at == datetime(2026, 3, 1, 6, tzinfo=UTC)  # type: ignore[union-attr]
    assert "by its Specimen only" in rows[1].problems[0].message


def test_a_period_counts_from_its_start_and_a_fraction_of_a_second_is_read() -> None:
    period = {"start": "2026-03-01T08:40:00.1234567Z", "end": "2026-03-02"}
    found = reading(observation(effectiveDateTime=None, effectivePeriod=period))
    assert found.collected.at == datetime(2026, 3, 1, 8, 40, 0, 123456, tzinfo=UTC)


def test_without_a_loinc_a_sample_that_is_not_of_blood_is_named() -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "type": URINE}
    glucose = {"code": {"text": "Glucose"}, "specimen": {"reference": "Specimen/s"}}
    assert read(PATIENT, specimen, observation(**glucose))[1].reading.analyte == "Glucose (urine specimen)"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "bounds"),
    [
        ({"low": {"value": 1.8, "unit": "10*9/L"}, "high": {"value": 7.7, "unit": "10*9/L"}}, ("1.8", "7.7")),
        ({"text": "1.8 to 7.7"}, ("1.8", "7.7")),
        ({"text": "<=7.7"}, (None, "7.7")),
        ({"text": "bis 7,7"}, (None, "7.7")),
        ({"text": "1,8 à 7,7 G/L"}, ("1.8", "7.7")),
        ({"low": {"value": 1800, "unit": "/uL"}}, ("1.800", None)),
        ({"low": {"value": 1800, "unit": "mg/dL"}}, (None, None)),
        ({"low": {"value": 9}, "high": {"value": 1}}, (None, None)),
        ({"low": {"value": 0}, "high": {"value": 0}}, (None, None)),
        ({"text": "12-14 y Male: 4.4 - 5.2"}, (None, None)),
    ],
)
def test_the_printed_range(line: dict[str, Any], bounds: tuple[str | None, str | None]) -> None:
    row = only(observation(referenceRange=[line]))
    found = tuple(None if b is None else str(b) for b in (row.reading.ref_low, row.reading.ref_high))  # type: ignore[union-attr]
    assert found == bounds
    assert bool(row.problems) == (bounds == (None, None)), "what is not used is said"


def test_of_several_printed_ranges_none_is_chosen() -> None:
    row = only(observation(referenceRange=[{"text": "1-2"}, {"text": "3-4"}]))
    assert row.reading.ref_low is None  # type: ignore[union-attr]
    assert "none is used" in row.problems[0].message


def test_two_results_of_one_instant_are_both_kept() -> None:
    other = observation(id="o2", valueQuantity={"value": 2.4, "unit": "10*9/L"})
    first, second = read(PATIENT, observation(), other)[1:]
    assert (first.reading.sub_id, second.reading.sub_id) == ("", "~o2")  # type: ignore[union-attr]
    assert "several results of one time" in second.problems[0].message


# -------------------------------------------------------------------------------------------- people


def test_the_record_number_is_the_medical_one_never_that_of_the_state() -> None:
    found = read(PATIENT)[0].reading
    assert (found.mrn, found.family_name, found.sex) == ("00231", "Aldana", "female")  # type: ignore[union-attr]
    for numbers in (PATIENT["identifier"][:1], [], [{"use": "old", "value": "1"}]):
        (row,) = read(PATIENT | {"identifier": numbers})
        assert row.reading is None
        assert row.problems[0].column == "identifier"


@pytest.mark.parametrize(
    "system",
    ["https://fhir.nhs.uk/Id/nhs-number", "http://fhir.nl/fhir/NamingSystem/bsn", "http://fhir.de/sid/gkv/kvid-10"],
)
def test_a_number_of_the_health_service_comes_after_the_hospital_s_own_and_serves_where_there_is_no_other(
    system: str,
) -> None:
    national, own = {"system": system, "value": "9000000009"}, {"system": "https://x/pas", "value": "00231"}
    for identifiers, mrn in (([national, own], "00231"), ([own, national], "00231"), ([national], "9000000009")):
        (patient,) = read(PATIENT | {"identifier": identifiers})
        assert patient.reading is not None
        assert patient.reading.mrn == mrn  # type: ignore[union-attr]


def test_a_record_number_may_be_called_one_in_words_only() -> None:
    named = [{"type": {"text": name}, "value": value} for name, value in (("EPIC", "E1004"), ("MRN", "00231"))]
    (patient,) = read(PATIENT | {"identifier": named})
    assert patient.reading.mrn == "00231"  # type: ignore[union-attr]


def test_a_result_whose_meaning_an_unknown_extension_changes_is_not_filed() -> None:
    path, said = refusal(observation(modifierExtension=[{"url": "http://x/negated", "valueBoolean": True}]))
    assert path == "modifierExtension[0].url"
    assert "changes what this result means" in said


def test_a_value_beside_the_reason_why_there_is_none_is_refused() -> None:
    path, said = refusal(observation(dataAbsentReason={"text": "error"}))
    assert path == "dataAbsentReason"
    assert said == "There is a value (1.9), and why there is none (error): only one of them can be meant."


def test_a_sample_that_is_named_and_not_in_the_file_still_says_that_it_is_not_of_blood() -> None:
    named = observation(code={"text": "Leukocytes"}, specimen={"display": "Urine"})
    assert reading(named).analyte == "Leukocytes (urine)"
    of_blood = observation(code={"text": "Leukozyten"}, specimen={"display": "EDTA-Vollblut"})
    assert reading(of_blood).analyte == "Leukozyten"


def test_a_period_of_the_report_or_of_the_collection_says_when() -> None:
    specimen = {
        "resourceType": "Specimen",
        "id": "s",
        "collection": {"collectedPeriod": {"start": "2026-02-27T08:30:00+01:00"}},
    }
    taken = observation(effectiveDateTime=None, specimen={"reference": "Specimen/s"})
    row = next(row for row in read(PATIENT, specimen, taken) if row.number == 3)
    assert row.reading.collected.on == date(2026, 2, 27)  # type: ignore[union-attr]


def test_a_contained_patient_says_whose_the_result_is() -> None:
    row = only(observation(contained=[PATIENT | {"id": "p"}], subject={"reference": "#p"}))
    assert row.about is not None
    assert (row.about.mrn, row.about.family_name, row.about.birth_date) == ("00231", "Aldana", date(1992, 2, 3))
    nameless = {"resourceType": "Patient", "id": "p", "identifier": PATIENT["identifier"], "birthDate": "1992-02-30"}
    assert only(observation(contained=[nameless], subject={"reference": "#p"})).about is None


def test_a_patient_who_is_elsewhere_is_known_by_the_reference_and_that_is_said() -> None:
    source = opened(json.dumps(observation(subject={"reference": "https://clinic.example/fhir/Patient/4711"})))
    (row,) = source.rows
    assert row.reading.mrn == "4711"  # type: ignore[union-attr]
    assert "4711" in source.remarks[0].message


def test_a_reference_that_two_resources_answer_to_is_refused() -> None:
    row = read(PATIENT, PATIENT | {"birthDate": "1950-01-01"}, observation())[2]
    assert row.reading is None
    assert "names 2 resources" in row.problems[0].message


# ------------------------------------------------------------------------------------- drugs and events


def _drug(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement", "status": "active", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"coding": [{"display": "tofacitinib 5 MG Oral Tablet [Xeljanz]"}]},
        "effectivePeriod": {"start": "2026-01-10"},
        "dosage": [{"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}],
    } | changes  # fmt: skip


def test_a_jak_inhibitor_is_a_course_with_its_dose() -> None:
    assert reading(_drug()) == ExposureReading("00231", "tofacitinib", date(2026, 1, 10), None, Decimal(5), 2)
    every_12 = [{"timing": {"repeat": {"period": 12, "periodUnit": "h"}}, "doseQuantity": {"value": 5, "code": "mg"}}]
    assert reading(_drug(dosage=every_12))[4:] == (Decimal(5), 2)
    assert reading(_drug(dosage=[{"text": "as told"}]))[4:] == (None, None)


def test_another_drug_is_a_medication_and_one_that_was_not_taken_is_refused() -> None:
    warfarin = {"medicationCodeableConcept": {"text": "warfarin"}}
    assert reading(_drug(**warfarin)) == MedicationReading("00231", "warfarin", (), date(2026, 1, 10))
    assert refusal(_drug(status="entered-in-error"))[0] == "status"
    assert refusal(_drug(effectivePeriod=None))[0] == "effectivePeriod.start"
    order = {"resourceType": "MedicationRequest", "intent": "proposal"}
    assert refusal(_drug(**order))[0] == "intent"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ({"text": "Herpes zoster"}, "infection"),
        ({"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J15.9", "display": "x"}]}, "infection"),
        ({"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I26.9", "display": "x"}]}, "other"),
        ({"text": "Acute cholecystitis"}, "other"),
        ({"text": "Chronic sinusitis"}, "other"),
        ({"text": "History of tuberculosis"}, "other"),
    ],
)
def test_a_condition_is_an_infection_by_its_code_or_by_its_words(code: dict[str, Any], kind: str) -> None:
    condition = {"resourceType": "Condition", "code": code, "subject": {"reference": "Patient/p1"}}
    found = reading(condition | {"onsetDateTime": "2026-02"})
    assert isinstance(found, EventReading)
    assert (found.kind, found.onset_on, found.onset_text) == (kind, None, "2026-02")


def test_a_condition_that_was_refuted_is_not_filed() -> None:
    refuted = {"coding": [{"code": "refuted"}]}
    condition = {"resourceType": "Condition", "code": {"text": "Zoster"}, "subject": {"reference": "Patient/p1"}}
    assert refusal(condition | {"verificationStatus": refuted})[0] == "verificationStatus"


def test_a_vaccination_against_zoster_is_kept_and_others_are_counted() -> None:
    dose = {
        "resourceType": "Immunization", "status": "completed", "patient": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2025-11-01",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "187", "display": "RZV"}]},
    }  # fmt: skip
    assert reading(dose) == ObservationReading("00231", date(2025, 11, 1), "zoster_vaccine", "RZV")
    source = opened(bundle(PATIENT, dose | {"vaccineCode": {"text": "influenza"}}))
    assert "Immunization 1" in source.remarks[0].message


def test_weight_and_temperature_are_kept_and_a_pulse_is_counted() -> None:
    vital = {"category": [{"coding": [{"code": "vital-signs"}]}]}
    weight = {"code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}} | vital
    found = reading(observation(valueQuantity={"value": 70.5, "unit": "kg"}, **weight))
    assert found == ObservationReading("00231", date(2026, 3, 1), "weight_kg", "70.5")
    assert refusal(observation(valueQuantity={"value": 150, "unit": "lb"}, **weight))[0] == "valueQuantity.unit"
    pulse = observation(code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, **vital)
    source = opened(bundle(PATIENT, pulse, {"resourceType": "Encounter"}))
    assert [row.number for row in source.rows] == [1]
    assert source.remarks[0].message.endswith("Encounter 1, Observation (vital-signs) 1.")


# ------------------------------------------------------------------------------------------------ files


def test_one_file_holds_several_kinds_in_the_order_they_are_filed() -> None:
    source = opened(bundle(observation(), _drug(), PATIENT))
    assert source.kinds == ("patients", "exposures", "results")
    assert source.kind == "patients, exposures and results"
    assert [row.number for row in source.rows] == [3, 2, 1]


def test_a_resource_a_line_is_numbered_by_its_line() -> None:
    lines = "\n".join(map(json.dumps, (PATIENT, observation(), observation(status="?"))))
    rows = sorted(opened(lines).rows, key=lambda row: row.number)
    assert [(row.number, row.reading is None) for row in rows] == [(1, False), (2, False), (3, True)]


def test_xml_says_the_same_as_json() -> None:
    xml = """<?xml version="1.0" encoding="UTF-8"?>
    <Bundle xmlns="http://hl7.org/fhir"><type value="collection"/>
    <entry><resource><Patient><id value="p1"/>
      <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>A</p></div></text>
      <identifier><type><coding><code value="MR"/></coding></type><value value="00231"/></identifier>
    </Patient></resource></entry>
    <entry><resource><Observation><id value="o1"/><status value="final"/>
      <code><coding><system value="http://loinc.org"/><code value="751-8"/>
        <display value="Neutrophils"/></coding></code>
      <subject><reference value="Patient/p1"/></subject><effectiveDateTime value="2026-03-01T08:40:00+01:00"/>
      <valueQuantity><value value="1.90"/><unit value="10*9/L"/><system value="http://unitsofmeasure.org"/>
        <code value="10*9/L"/></valueQuantity>
      <referenceRange><low><value value="1.8"/><unit value="10*9/L"/></low></referenceRange>
    </Observation></resource></entry></Bundle>"""
    (result,) = [row.reading for row in opened(xml).rows if row.number == 2]
    same = reading(observation(referenceRange=[{"low": {"value": 1.8, "unit": "10*9/L"}}]))
    assert result == same._replace(value="1.90")


def test_a_history_is_refused() -> None:
    with pytest.raises(Refused, match="several versions"):
        opened(bundle(NEUTROPHILS, type="history"))


@pytest.mark.parametrize(
    ("text", "value", "unit", "flag"),
    [("31,5 U/l", "31,5", "U/l", ""), ("H 31", "31", "", "H"), ("neg.", "neg.", "", "")],
)
def test_what_stands_beside_a_number_in_a_text_is_its_unit_or_its_flag(
    text: str, value: str, unit: str, flag: str
) -> None:
    found = reading(observation(valueQuantity=None, valueString=text))
    assert (found.value, found.unit, found.lab_flag) == (value, unit, flag)


# ------------------------------------------------------------------------------------------- documents

REPORT = {
    "resourceType": "DiagnosticReport", "id": "r1", "status": "final", "code": {"text": "Blood count"},
    "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2026-03-01",
    "presentedForm": [{"contentType": "application/pdf", "data": "JVBERi0x LjQ=", "title": "Letter"}],
}  # fmt: skip


def document(**changes: Any) -> Row:
    return read(PATIENT, REPORT | changes)[1]


def test_the_document_of_a_report_is_kept_for_its_patient() -> None:
    found = document().reading
    assert isinstance(found, DocumentReading)
    assert (found.mrn, found.name, found.content) == ("00231", "Letter", b"%PDF-1.4")
    assert found.collected.on == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"presentedForm": [{"data": "JVBERi0"}]}, "cannot be decoded"),
        ({"presentedForm": [{"url": "https://lab/1.pdf"}]}, "only its place (https://lab/1.pdf)"),
        ({"presentedForm": "soon"}, "presentedForm"),
        ({"status": "entered-in-error"}, "The report is withdrawn"),
        ({"effectiveDateTime": None}, "Of which day the report is, is not said"),
    ],
)
def test_a_document_that_cannot_be_kept_is_said(changes: dict[str, Any], says: str) -> None:
    row = document(**changes)
    assert row.reading is None
    assert says in f"{row.problems[0].column}: {row.problems[0].message}"
