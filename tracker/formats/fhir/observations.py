"""Observations into results: the value, its range, its time, its order. A panel's components are results of their own.

Weight and temperature are observations of the patient; other vital signs, questionnaires and histories are not read.
"""

from collections.abc import Callable, Iterator
from functools import partial

from tracker.domain.readings import (
    CANCELLED,
    CORRECTED,
    FASTING_CODES,
    FINAL,
    PRELIMINARY,
    LabReading,
    Moment,
    ObservationReading,
)
from tracker.formats.cells import Misfit
from tracker.formats.fhir import values
from tracker.formats.fhir.file import File, Resource
from tracker.formats.fhir.nodes import LOINC_SYSTEMS, Node
from tracker.formats.specimens import elsewhere, of_blood

Make = Callable[[], LabReading | ObservationReading]

STATUSES = {
    "final": FINAL, "appended": FINAL, "amended": CORRECTED, "corrected": CORRECTED, "preliminary": PRELIMINARY,
    "registered": PRELIMINARY, "partial": PRELIMINARY, "cancelled": CANCELLED, "entered-in-error": CANCELLED,
    "unknown": FINAL,
}  # fmt: skip
# What an Observation of one of these categories found is no result of a laboratory.
_ELSEWHERE = frozenset(
    ("vital-signs", "vital-sign", "survey", "social-history", "exam", "procedure", "imaging", "activity", "therapy")
)
_OBSERVED = {
    "29463-7": "weight_kg", "3141-9": "weight_kg", "8310-5": "temperature_c", "8331-1": "temperature_c",
    "8333-7": "temperature_c",
}  # fmt: skip
_UNITS = {"weight_kg": ("kg",), "temperature_c": ("Cel", "°C", "degrees C", "C")}
_FILLER, _PLACER = ("FILL",), ("PLAC",)
_NO_LABORATORY = frozenset(("Practitioner", "Patient", "RelatedPerson", "CareTeam"))


def category(observation: Resource) -> str:
    """The category of an Observation that is no laboratory's; "" where it may be one's."""
    try:
        found = {code.lower() for code in observation.node.codes("category")}
    except Misfit:
        return ""
    return min(found) if found and found <= _ELSEWHERE else ""


def loincs(node: Node) -> list[str]:
    return list(node.codes("code", LOINC_SYSTEMS))


def observed(observation: Resource) -> str:
    """weight_kg or temperature_c, where it is one of these; else ""."""
    try:
        return next((_OBSERVED[code] for code in loincs(observation.node) if code in _OBSERVED), "")
    except Misfit:
        return ""


def parts(file: File, observation: Resource) -> Iterator[Make]:
    """What has to be read of an Observation: itself, where it has a value or should have, and each component."""
    node = observation.node
    try:
        components = node.many("component")
    except Misfit:
        components = []
    has_value = any(name.startswith("value") for name in node.data)
    if has_value or not (components or node.has("hasMember") or node.has("related")):
        yield partial(observed_reading if observed(observation) else reading, file, observation, node)
    for component in components:
        yield partial(reading, file, observation, component)


def observed_reading(file: File, observation: Resource, node: Node) -> ObservationReading:
    """A weight or a temperature, in the unit that the interchange has for it."""
    kind = observed(observation)
    _check_meaning(node)
    whose = file.whose(observation)
    if _status(observation) != FINAL:
        raise node.wrong("status", f"Only final measurements are filed, and this one is {node.raw('status')[:40]}.")
    found = values.value_of(node)
    if not found.value:
        _without(node)
    if found.unit not in _UNITS[kind]:
        raise node.wrong("valueQuantity.unit", f"“{found.unit}” is not read here: give it in {_UNITS[kind][0]}.")
    return ObservationReading(whose, _collected(file, observation, None).on, kind, found.value)


def reading(file: File, observation: Resource, node: Node) -> LabReading:
    """The result that an Observation or one of its components gives. Raises Misfit."""
    _check_meaning(observation.node)
    report = file.report_of(observation)
    whose = file.whose(observation, observation.owner, report)
    status = _status(observation)
    found = values.value_of(node)
    if status != CANCELLED and (not found.value or node.has("dataAbsentReason")):
        _without(node, found.value)
    name, local = _test(file, observation, node)
    bounds = values.printed_with(observation, node, found.unit)
    issued = values.moment(observation.node, "issued", file.zone)
    return LabReading(
        whose, _collected(file, observation, report), name, found.value, found.unit, bounds.low, bounds.high,
        _verdict(node) or found.flag, laboratory_of(file, observation, report), accession_of(file, observation, report),
        status, issued.at if issued else None, local, _comment(observation), fasting=_fasting(file, observation),
    )  # fmt: skip


def _check_meaning(node: Node) -> None:
    """Raise Misfit for an extension that changes what is said, as FHIR demands of whoever does not know it."""
    for extension in node.many("modifierExtension"):
        url = extension.raw("url")[:100]
        raise extension.wrong("url", f"“{url}” changes what this result means, and is not known here: it is not filed.")


def _status(observation: Resource) -> str:
    word = observation.node.text("status")
    if word == "unknown":
        observation.note("status", "The status is not known to the sender: the result is taken as final.")
    if word not in STATUSES:
        known = ", ".join(STATUSES)
        said = f"“{word}” is not a status" if word else "The status is missing"
        raise observation.node.wrong("status", f"{said}: one of {known} has to stand here.")
    return STATUSES[word]


def _without(node: Node, value: str = "") -> None:
    reason = node.words("dataAbsentReason")
    if value:
        said = f"There is a value ({value[:40]}), and why there is none ({reason[:80]}): only one of them can be meant."
        raise node.wrong("dataAbsentReason", said)
    if reason:
        raise node.wrong("dataAbsentReason", f"There is no value ({reason}), so there is none to file.")
    raise node.wrong("value[x]", "There is no value, so there is none to file.")


# ---------------------------------------------------------------------------------------------- which test


def _test(file: File, observation: Resource, node: Node) -> tuple[str, str]:
    """The test as the laboratory names it, and its codes: a LOINC alone decides what it is, where there is one."""
    if not node.has("code"):
        raise node.wrong("code", "It does not say what was measured: give the code.")
    codes = loincs(node)
    name = node.words("code")
    if not name:
        raise node.wrong("code", "It does not say what was measured: give a code, or a text.")
    if codes:
        return name, ";".join(f"loinc:{code}" for code in codes)
    elsewhere = _specimen(file, observation)
    local = next((code for code in node.codes("code") if code != name), "")
    return f"{name}{elsewhere}", f"{local}{elsewhere}" if local else ""


def _specimen(file: File, observation: Resource) -> str:
    """` (urine)` where a sample that is not of blood is named: without a LOINC nothing else tells them apart."""
    for specimen in file.followed(observation, "specimen"):
        what = specimen.node.words("type").lower()
        if what and not of_blood(what):
            return f" ({what})"
    named = (elsewhere(reference.raw("display"), is_sample=True) for reference in observation.node.many("specimen"))
    return next(filter(None, named), "")


def _fasting(file: File, observation: Resource) -> bool | None:
    """Whether its sample says that the patient was fasting."""
    for specimen in file.followed(observation, "specimen"):
        taken = specimen.node.one("collection")
        for code in taken.codes("fastingStatusCodeableConcept") if taken is not None else ():
            if code in FASTING_CODES:
                return FASTING_CODES[code]
    return None


def _verdict(node: Node) -> str:
    return next(node.codes("interpretation"), "") or node.words("interpretation")


def _comment(observation: Resource) -> str:
    """The notes, at most as many characters as are kept of them."""
    node = observation.node
    said = [note.raw("text") for note in node.many("note")] if not isinstance(node.data.get("note"), str) else []
    said = said or [node.raw("comment")]
    text = " ".join(" ".join(said).split())
    text = "".join(c for c in text if c.isprintable())
    return text if len(text) <= 1000 else f"{text[:999]}…"


# ---------------------------------------------------------------------------------------------- when and where


def _collected(file: File, observation: Resource, report: Resource | None) -> Moment:
    """When the sample was taken: by the Observation, else its specimen, else its report, else when it was issued."""
    node = observation.node
    for name in ("effectiveDateTime", "effectiveInstant"):
        if (at := values.moment(node, name, file.zone)) is not None:
            return at
    period = node.one("effectivePeriod")
    if period is not None and (at := values.moment(period, "start", file.zone)) is not None:
        return at
    for specimen in file.followed(observation, "specimen"):
        taken = specimen.node.one("collection")
        if taken is not None and (at := _of(observation, specimen, taken, "collected", file)) is not None:
            return at
    if report is not None and (at := _of(observation, report, report.node, "effective", file)) is not None:
        return at
    if (at := values.moment(node, "issued", file.zone)) is not None:
        observation.note(
            "issued", "When the sample was taken is not said: the time the result was issued stands for it."
        )
        return at
    raise node.wrong("effectiveDateTime", "When the sample was taken is not said: give effectiveDateTime.")


def _of(observation: Resource, other: Resource, node: Node, name: str, file: File) -> Moment | None:
    """The time that another resource says: `name` with DateTime, or the start of the one with Period."""
    period = node.one(f"{name}Period")
    at = values.moment(node, f"{name}DateTime", file.zone)
    if at is None and period is not None:
        at = values.moment(period, "start", file.zone)
    if at is not None:
        observation.note("effectiveDateTime", f"When the sample was taken is said by its {other.type} only.")
    return at


def laboratory_of(file: File, observation: Resource, report: Resource | None) -> str:
    """The organisation that performed it."""
    for holder in (observation, report):
        for performer in holder.node.many("performer") if holder else ():
            name = _organisation(file, holder, performer.one("actor") or performer) if holder else ""
            if name:
                return name
    return ""


def _organisation(file: File, holder: Resource, reference: Node) -> str:
    found = file.find(holder, reference)
    if found is not None and found.type == "PractitionerRole":
        found = next(iter(file.followed(found, "organization")), None)
    if found is not None:
        return found.node.text("name") if found.type == "Organization" else ""
    kind = reference.raw("reference").rpartition("/")[0].rpartition("/")[2] or reference.raw("type")
    return reference.text("display") if kind == "Organization" else ""


def accession_of(file: File, observation: Resource, report: Resource | None) -> str:
    """The laboratory's number of the order, as an HL7 message has it; else that of the sample or of the report."""
    orders = file.followed(observation, "basedOn")
    reports = [report] if report else []
    for resource in (*orders, *reports):
        if number := _identifier(resource.node, _FILLER):
            return number
    for specimen in file.followed(observation, "specimen"):
        accession = specimen.node.one("accessionIdentifier")
        if accession is not None and accession.has("value"):
            return accession.text("value")
    for name in ("specimen", "basedOn"):
        for reference in observation.node.many(name):  # named, and not in the file
            identifier = reference.one("identifier")
            if identifier is not None and identifier.has("value"):
                return identifier.text("value")
    for resource in (*reports, *orders):
        if number := _identifier(resource.node, ()):
            return number
    return ""


def _identifier(node: Node, types: tuple[str, ...]) -> str:
    """The first identifier of one of these types; without types, the first that does not say another."""
    for identifier in node.many("identifier"):
        named = set(identifier.codes("type"))
        fits = bool(named.intersection(types)) if types else not named
        if fits and identifier.has("value"):
            return identifier.text("value")
    return ""
