"""Small FHIR resources for the tests: a laboratory's Observation, a patient, a Bundle of them."""

import json
from typing import Any

from tests.formats.files import opened
from tracker.domain.readings import Row

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"type": {"coding": [{"code": "SS"}]}, "value": "999-11-2222"},
        {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
            "value": "00231",
        },
    ],
    "name": [{"use": "official", "family": "Aldana", "given": ["M."]}],
    "gender": "female",
    "birthDate": "1992-02-03",
}
NEUTROPHILS: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "751-8", "display": "Neutrophils"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-03-01T08:40:00+01:00",
    "valueQuantity": {"value": 1.9, "unit": "10*9/L", "system": "http://unitsofmeasure.org", "code": "10*9/L"},
}


def observation(**changes: Any) -> dict[str, Any]:
    """The Observation with other elements; None takes one away."""
    return {name: value for name, value in {**NEUTROPHILS, **changes}.items() if value is not None}


def bundle(*resources: dict[str, Any], **more: Any) -> str:
    entries = [{"fullUrl": f"urn:uuid:{n:036d}", "resource": resource} for n, resource in enumerate(resources, 1)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries, **more})


def read(*resources: dict[str, Any]) -> list[Row]:
    """The rows of a Bundle in the order of its entries."""
    return sorted(opened(bundle(*resources)).rows, key=lambda row: row.number)


def only(resource: dict[str, Any]) -> Row:
    """The one row of a resource, which stands behind its patient."""
    (row,) = [row for row in read(PATIENT, resource) if row.number == 2]
    return row


def reading(resource: dict[str, Any]) -> Any:
    row = only(resource)
    assert row.reading is not None, row.problems
    return row.reading


def refusal(resource: dict[str, Any]) -> tuple[str, str]:
    """Path and sentence of what refused a resource."""
    row = only(resource)
    assert row.reading is None, row.reading
    return row.problems[0].column, row.problems[0].message
