"""FHIR R4 (STU3 and R5 where they are the same): a Bundle of any type, a single resource, or one a line (NDJSON).

    parts = fhir.read(content, zone)
    parts.remarks, parts.rows

Rows are numbered by the entry they stand in, from 1 (of NDJSON by the line); the column of a problem is the path of the
element. Resources that hold nothing Jakwatch keeps are counted in a remark. Source: http://hl7.org/fhir/R4.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, Problem, Reading, Row
from tracker.formats.apart import said_once, told_apart, told_of_fasting
from tracker.formats.cells import Misfit
from tracker.formats.fhir import events, observations, people, reports, treatment
from tracker.formats.fhir.file import File, Resource

__all__ = ["ELEMENTS", "MOST_BYTES", "Parts", "read"]

MOST_BYTES = 64 << 20

ELEMENTS: Mapping[str, str] = {
    "mrn": "subject", "value": "value[x]", "unit": "valueQuantity.unit", "collected_at": "effective[x]",
    "analyte": "code", "recorded_at": "issued",
}  # fmt: skip
"""What the fields of a reading are called in FHIR."""

# Read together with what refers to them: nothing is said about them.
_ACCESSORIES = frozenset(
    ("Organization", "Practitioner", "PractitionerRole", "Specimen", "ServiceRequest", "Medication")
)


_ONE_ROW: Mapping[str, Callable[[File, Resource], Reading]] = {
    "Patient": people.reading, "MedicationStatement": treatment.reading, "MedicationRequest": treatment.reading,
    "Condition": events.condition, "AdverseEvent": events.adverse_event,
}  # fmt: skip


class Parts(NamedTuple):
    remarks: tuple[Problem, ...]
    rows: list[Row]


def read(content: bytes, zone: ZoneInfo) -> Parts:
    """The rows of a file. Raises Refused where it cannot be read at all."""
    file = File(content, zone)
    rows: list[Row] = []
    unread: Counter[str] = Counter()
    for resource in file.resources:
        made = _makers(file, resource)
        if made is None:
            unread[_named(resource)] += 1
        else:
            rows += (_row(resource, make) for make in made)
    rows = [_told_about(file, row) for row in rows]
    rows = said_once(told_apart(told_of_fasting(rows, "code"), "effective[x]"))
    remarks = tuple(_remarks(file, unread))
    return Parts(remarks if rows or remarks else (_nothing(file),), rows)


def _nothing(file: File) -> Problem:
    """What is said of a file of which every resource only belongs to others."""
    count = Counter(_named(resource) for resource in file.resources)
    listed = ", ".join(f"{name} {number}" for name, number in sorted(count.items())) or "no resource"
    return Problem(0, "", f"The file holds nothing that is filed by itself: {listed}.")


def _makers(file: File, resource: Resource) -> list[Callable[[], Reading]] | None:
    """How the rows of a resource are made; None for one that is not read."""
    if resource.owner is not None and (resource.type, resource.owner.type) != ("Observation", "DiagnosticReport"):
        return []  # read with the resource it stands in
    if resource.type == "Observation":
        elsewhere = observations.category(resource) and not observations.observed(resource)
        return None if elsewhere else list(observations.parts(file, resource))
    if resource.type in _ONE_ROW:
        return [partial(_ONE_ROW[resource.type], file, resource)]
    if resource.type == "Immunization" and events.against_zoster(resource):
        return [partial(events.immunisation, file, resource)]
    if resource.type == "DiagnosticReport" and resource.node.has("presentedForm"):
        return [*reports.documents(file, resource)]
    is_frame = resource.type == "DiagnosticReport" and file.lists_here(resource)
    return [] if is_frame or resource.type in _ACCESSORIES else None


def _row(resource: Resource, make: Callable[[], Reading]) -> Row:
    resource.notes.clear()
    try:
        reading = make()
    except Misfit as why:
        return Row(resource.number, None, (Problem(resource.number, why.column, str(why)),), resource.place)
    except Refused as why:
        return Row(resource.number, None, (Problem(resource.number, "", str(why)),), resource.place)
    said = tuple(Problem(resource.number, column, message) for column, message in resource.notes)
    return Row(resource.number, reading, said, resource.place)


def _told_about(file: File, row: Row) -> Row:
    """With what a contained Patient says of the person, which checks whose the row is."""
    patient = file.contained.get(row.reading.mrn) if isinstance(row.reading, LabReading) else None
    try:
        return row._replace(about=people.reading(file, patient)) if patient else row
    except Refused:
        return row


def _named(resource: Resource) -> str:
    kind = observations.category(resource) if resource.type == "Observation" else ""
    name = resource.type[:40] if resource.type.isprintable() else "?"
    return f"{name} ({kind})" if kind else name


def _remarks(file: File, unread: Counter[str]) -> Iterator[Problem]:
    if unread:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(unread.items()))
        yield Problem(0, "", f"Not read, because Jakwatch keeps nothing of the kind: {listed}.")
    if file.empty:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(file.empty.items()))
        yield Problem(0, "", f"Entries that hold no resource to file: {listed}.")
    if file.by_id_only:
        ids = list(file.by_id_only)
        shown = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
        yield Problem(0, "subject", f"The patient is not in the file: the id ({shown}) is taken for the record number.")
    missing = file.results_elsewhere()
    if missing:
        yield Problem(
            0, "result", f"Results that a report names and this file does not hold: {missing}. Send them along."
        )
