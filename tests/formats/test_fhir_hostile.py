"""FHIR that was damaged on the way or made to do harm: a sentence, or rows; nothing else, and no value is changed."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest

from tests.formats.fhir import PATIENT, bundle, observation
from tests.formats.files import opened
from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, Row
from tracker.domain.values import read_number

MUTATIONS = 1500
_NEST = 100_000
BOMBS = {
    "nested lists": ('{"resourceType":"Bundle","entry":' + "[" * _NEST, "nested deeper"),
    "nested objects": ('{"resourceType":"Bundle","a":' * _NEST, "nested deeper"),
    "small lists": ('{"resourceType":"Bundle","entry":[' + "[]," * 1_000_001 + "[]]}", "more than 1,000,000"),
    "small tags": ('<Patient xmlns="http://hl7.org/fhir">' + "<a/><b/>" * 1_000_001 + "</Patient>", "more than 1,000,"),
    "truncated": (bundle(PATIENT, observation())[:-40], "breaks off"),
    "a name twice": ('{"resourceType":"Patient","id":"1","id":"2"}', "names “id” twice"),
    "NaN": ('{"resourceType":"Observation","valueInteger":NaN}', "NaN, which is not a number"),
    "not UTF-8": (b'{"resourceType":"Patient","id":"\xff"}', "is not UTF-8"),
    "an empty Bundle": ('{"resourceType":"Bundle"}', "nothing to file"),
    "an entry that is none": ('{"resourceType":"Bundle","entry":[1]}', "has to"),
    "entities": (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><Patient xmlns="http://hl7.org/fhir"/>', "document type",
    ),
    "an entity from elsewhere": (
        '<!DOCTYPE a SYSTEM "http://elsewhere.example/a.dtd"><Patient xmlns="http://hl7.org/fhir"/>', "",
    ),
    "nested XML": ('<Patient xmlns="http://hl7.org/fhir">' + "<a>" * 5000 + "</a>" * 5000 + "</Patient>",
                   "nested deeper"),
    "XML that breaks off": ('<Patient xmlns="http://hl7.org/fhir"><id value="1"/>', "breaks off"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_a_sentence(content: str | bytes, words: str) -> None:
    with pytest.raises(Refused) as refused:
        list(opened(content).rows)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("figure", ["1E+999999999", "9" * 5000, "0." + "1" * 5000, "1e-245"])
def test_a_number_no_laboratory_prints_is_refused_with_its_place(figure: str) -> None:
    content = bundle(PATIENT, observation()).replace('"value": 1.9', f'"value": {figure}')
    (row,) = [row for row in opened(content).rows if row.number == 2]
    assert row.reading is None
    assert row.problems[0].column == "valueQuantity.value"
    assert len(row.problems[0].message) < 200


def test_a_text_longer_than_any_is_refused_with_its_place() -> None:
    content = bundle(PATIENT, observation(valueQuantity=None, valueString="x" * 100_001))
    (row,) = [row for row in opened(content).rows if row.number == 2]
    assert (row.reading, row.problems[0].column) == (None, "valueString")


# ------------------------------------------------------------------------------------------------ fuzz

_REPORT = {
    "resourceType": "DiagnosticReport", "id": "r", "status": "final", "subject": {"reference": "Patient/p1"},
    "result": [{"reference": "Observation/o1"}], "performer": [{"reference": "Organization/l"}],
    "identifier": [{"type": {"coding": [{"code": "FILL"}]}, "value": "A7"}],
}  # fmt: skip
WHOLE: list[dict[str, Any]] = [
    PATIENT,
    observation(referenceRange=[{"low": {"value": 1.8, "unit": "10*9/L"}, "text": "1-2"}], note=[{"text": "n"}]),
    observation(id="o2", valueQuantity=None, component=[{"code": {"text": "K"}, "valueInteger": 4}]),
    _REPORT,
    {"resourceType": "Organization", "id": "l", "name": "City Laboratory"},
    {
        "resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "authoredOn": "2026-01-10",
        "medicationCodeableConcept": {"text": "tofacitinib 5 MG"},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}],
    },
    {"resourceType": "Condition", "code": {"text": "Zoster"}, "subject": {"reference": "Patient/p1"},
     "onsetDateTime": "2026-02-01", "clinicalStatus": {"coding": [{"code": "active"}]}},
]  # fmt: skip
_ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e300, 10**40, "", " ", "x", "\x00", "\u202e", "Ω" * 300, "#", "Patient/p1", "2026-13-45",
    "0001-01-01", "9999-12-31T23:59:59Z", "<5", "1,234", [], [[]], [None], {}, {"coding": 1}, {"reference": 5},
    [{"reference": "#"}], {"value": "5"}, {"coding": [{"code": ["a"]}]}, {"start": {}},
]  # fmt: skip
_BYTES = b'"{}[]:,\\\x00\xff\xc3 0-9eE.<>nulltruefalse'


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a document, as the object or list that holds it and the key."""
    if isinstance(value, dict):
        return [place for key in value for place in [(value, key), *_places(value[key])]]
    if isinstance(value, list):
        return [place for key in range(len(value)) for place in [(value, key), *_places(value[key])]]
    return []


def misshapen(dice: random.Random) -> bytes:
    """A document of which some places hold something else, in the right place or not at all."""
    document = json.loads(bundle(*WHOLE))
    for _ in range(dice.randint(1, 4)):
        if not (places := _places(document)):
            break
        holder, key = dice.choice(places)
        choice = dice.random()
        if choice < 0.2:
            del holder[key]
        else:
            other = dice.choice(places)[0] if choice < 0.4 else dice.choice(_ODD)
            holder[key] = json.loads(json.dumps(other))  # a copy: nothing may hold itself
    return json.dumps(document).encode()


def damaged(dice: random.Random) -> bytes:
    content = bytearray(bundle(*WHOLE).encode())
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(content))
        content[place : place + dice.choice((0, 1, 1, 4))] = bytes(
            dice.choice(_BYTES) for _ in range(dice.randint(0, 2))
        )
    return bytes(content)


def _figures(value: Any) -> set[Decimal]:
    """Every number that stands in a document, or in its texts."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return set[Decimal]().union(*map(_figures, inner))
    if isinstance(value, str):
        try:
            number = read_number(value)
        except Refused:
            return set()
        return {number.figure} if number else set()
    return {value} if isinstance(value, Decimal) else set()


def check(content: bytes) -> int:
    """Read a file: refused in a sentence, or rows of which none says a number that is not in it. How many were read."""
    try:
        rows: list[Row] = list(opened(content).rows)
    except Refused:
        return 0
    written = _figures(json.loads(content.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal))
    for row in rows:
        assert row.reading is not None or row.problems
        if isinstance(row.reading, LabReading) and (number := read_number(row.reading.value)):
            assert number.figure in written
    return sum(row.reading is not None for row in rows)


@pytest.mark.parametrize("spoil", [misshapen, damaged])
def test_damaged_fhir_is_refused_or_read_and_nothing_else(spoil: Any) -> None:
    dice = random.Random(spoil.__name__)
    assert sum(check(spoil(dice)) for _ in range(MUTATIONS)) > MUTATIONS
