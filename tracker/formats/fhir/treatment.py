"""Medication statements and requests: a JAK inhibitor is a course of treatment, the others are drugs taken besides."""

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.readings import ExposureReading, MedicationReading
from tracker.formats import cells
from tracker.formats.fhir.file import File, Resource
from tracker.formats.fhir.nodes import Node

JAK_INHIBITORS = {
    "tofacitinib": "tofacitinib", "xeljanz": "tofacitinib", "baricitinib": "baricitinib", "olumiant": "baricitinib",
    "upadacitinib": "upadacitinib", "rinvoq": "upadacitinib", "abrocitinib": "abrocitinib", "cibinqo": "abrocitinib",
    "ritlecitinib": "ritlecitinib", "litfulo": "ritlecitinib", "deuruxolitinib": "deuruxolitinib",
    "leqselvi": "deuruxolitinib",
}  # fmt: skip
"""Names and brands of the drugs there are protocols for."""

_TAKEN = ("active", "completed", "stopped", "unknown", "recorded")
_ORDERED = ("order", "original-order", "reflex-order", "filler-order", "instance-order", "")
_WORD = re.compile(r"[a-z]+")
_STRENGTH = re.compile(r"\b(\d+(?:\.\d+)?) ?mg\b", re.IGNORECASE)
_TABLETS = frozenset(("tab", "tablet", "tablets", "{tablet}", "cap", "capsule", "capsules", "{capsule}", "1", ""))
_A_DAY = {("d", 1): 1, ("h", 12): 2, ("h", 24): 1, ("h", 8): 3, ("h", 6): 4}


class Dose(NamedTuple):
    mg: Decimal | None = None
    times_per_day: int | None = None


def reading(file: File, resource: Resource) -> ExposureReading | MedicationReading:
    """A drug that was taken or ordered. Raises Misfit where it was not, or where nobody can tell what it is."""
    node = resource.node
    whose = file.whose(resource)
    _taken(node)
    name = _drug(file, resource)
    begun, ended = _days(node)
    drug = next((JAK_INHIBITORS[word] for word in _WORD.findall(name.lower()) if word in JAK_INHIBITORS), "")
    if not drug:
        return MedicationReading(whose, name, (), begun, ended)
    if begun is None:
        raise node.wrong("effectivePeriod.start", f"When {drug} was begun is not said: give the first day.")
    dose = _dose(node, name)
    if dose.mg is None:
        resource.note("dosage", f"The dose of {drug} could not be read in mg: it is taken as not known.")
    if ended is None and node.raw("status") in ("completed", "stopped"):
        resource.note("status", f"{drug} is {node.raw('status')}, and the last day is not said: the course stays open.")
    return ExposureReading(whose, drug, begun, ended, dose.mg, dose.times_per_day)


def _taken(node: Node) -> None:
    status, intent = node.text("status"), node.text("intent")
    if status not in _TAKEN:
        raise node.wrong(
            "status",
            f"The drug is “{status}”: what was taken or ordered is filed." if status else "The status is missing.",
        )
    if intent not in _ORDERED and not (intent == "plan" and node.flag("reportedBoolean")):
        raise node.wrong("intent", f"This is a {intent}, not an order: it is not filed.")
    if node.raw("taken") == "n":  # of FHIR STU3
        raise node.wrong("taken", "The drug was not taken: it is not filed.")
    if intent == "order" and _claims(node, "us-core-medicationrequest") and not node.has("requester"):
        raise node.wrong("requester", "US Core asks who ordered it (rule us-core-21): give the requester.")


def _claims(node: Node, profile: str) -> bool:
    meta = node.one("meta")
    profiles = meta.data.get("profile") if meta else None
    return isinstance(profiles, list) and any(str(url).partition("|")[0].endswith(f"/{profile}") for url in profiles)


def _drug(file: File, resource: Resource) -> str:
    """The name of the drug, said there or in the Medication that is named."""
    node = resource.node
    name = node.words("medicationCodeableConcept")
    medication = node.one("medication")  # of FHIR R5: a concept or a reference
    if medication is not None:
        name = name or medication.words("concept")
    reference = node.one("medicationReference") or (medication.one("reference") if medication else None)
    found = file.find(resource, reference)
    if not name and found is not None:
        name = found.node.words("code")
    if not name and reference is not None:
        name = reference.text("display")
    if not name:
        raise node.wrong("medication[x]", "It does not say which drug this is: give medicationCodeableConcept.")
    return name


# ------------------------------------------------------------------------------------------- days


def _days(node: Node) -> tuple[date | None, date | None]:
    """The first and the last day, where they are known to the day."""
    period = node.one("effectivePeriod") or _bounds(node)
    begun = day(period, "start") if period else None
    ended = day(period, "end") if period else None
    for name in ("effectiveDateTime", "authoredOn", "dateWritten"):
        begun = begun or day(node, name)
    return begun, ended


def _bounds(node: Node) -> Node | None:
    for dosage in _dosages(node):
        timing = dosage.one("timing")
        repeat = timing.one("repeat") if timing else None
        if repeat is not None and (period := repeat.one("boundsPeriod")) is not None:
            return period
    return None


def day(node: Node, name: str) -> date | None:
    """A day; None where it is not said, or only in part. Raises Misfit where it is no date."""
    try:
        return cells.day_if_whole(node.text(name))
    except Refused as why:
        if isinstance(why, cells.Misfit):
            raise
        raise node.wrong(name, str(why)) from None


# ------------------------------------------------------------------------------------------- dose


def _dosages(node: Node) -> list[Node]:
    return node.many("dosageInstruction") or node.many("dosage")


def _dose(node: Node, name: str) -> Dose:
    """The dose, where one plain instruction gives it."""
    dosages = _dosages(node)
    if len(dosages) != 1:
        return Dose()
    dosage = dosages[0]
    rate = dosage.one("doseAndRate") or dosage
    quantity = rate.one("doseQuantity")
    figure = quantity.number("value") if quantity else None
    if quantity is None or figure is None:
        return Dose(None, _times(dosage))
    unit = (quantity.raw("code") or quantity.raw("unit")).lower()
    if unit == "mg":
        return Dose(figure, _times(dosage))
    strengths = _STRENGTH.findall(name)
    if unit in _TABLETS and len(strengths) == 1 and figure == figure.to_integral_value():
        return Dose(figure * Decimal(strengths[0]), _times(dosage))
    return Dose(None, _times(dosage))


def _times(dosage: Node) -> int | None:
    timing = dosage.one("timing")
    repeat = timing.one("repeat") if timing else None
    if repeat is None:
        return None
    frequency, period = repeat.number("frequency"), repeat.number("period")
    if period is None:
        return None
    every = _A_DAY.get((repeat.raw("periodUnit") or repeat.raw("periodUnits"), int(period)))
    times = Decimal(1) if frequency is None else frequency
    if every is None or times != int(times) or not 1 <= times * every <= 24:
        return None
    return int(times) * every
