"""Patients: their record number, name, birth date and sex."""

from tracker.domain.readings import PatientReading
from tracker.formats.cells import partial_date
from tracker.formats.fhir.file import File, Resource, record_number
from tracker.formats.fhir.nodes import CLINIC, Node
from tracker.formats.fhir.treatment import day

_SEXES = {"male": "male", "female": "female", "unknown": "unknown", "other": "unknown", "": "unknown"}
_USES = ("official", "usual", "", "temp", "anonymous", "nickname", "old", "maiden")


def reading(_: File, patient: Resource) -> PatientReading:
    """A patient. Raises Misfit where there is no record number."""
    node = patient.node
    sex = node.text("gender")
    if sex not in _SEXES:
        raise node.wrong("gender", f"“{sex}” is not a gender of FHIR: write female, male, other or unknown.")
    if sex == "other":
        patient.note("gender", "Ranges are for women or men: “other” is filed as unknown.")
    if partly := partial_date(node.text("birthDate")):
        patient.note("birthDate", f"“{partly}” is only a part of a date: the birth date is taken as not known.")
    family, given = _name(node)
    return PatientReading(
        record_number(patient), family, given, day(node, "birthDate"), _SEXES[sex], clinic=_clinic(node)
    )


def _clinic(node: Node) -> str:
    """The clinic, in an export of our own; what others call an organisation is not taken for one."""
    organisation = node.one("managingOrganization")
    identifier = organisation.one("identifier") if organisation else None
    return identifier.text("value") if identifier is not None and identifier.raw("system") == CLINIC else ""


def _name(node: Node) -> tuple[str, str]:
    """Family and given names of the official name, else of another."""
    names = sorted(node.many("name"), key=lambda name: _USES.index(name.raw("use")) if name.raw("use") in _USES else 9)
    for name in names:
        given = name.data.get("given")
        parts = [part for part in given if isinstance(part, str)] if isinstance(given, list) else [name.text("given")]
        first = Node({"given": " ".join(parts)}, name.path).text("given")
        family = _family(name)
        if family or first:
            return family, first
        if name.has("text"):
            return name.text("text"), ""
    return "", ""


def _family(name: Node) -> str:
    family = name.data.get("family")
    if isinstance(family, list):  # of FHIR DSTU2
        return " ".join(part for part in family if isinstance(part, str))
    return name.text("family")
