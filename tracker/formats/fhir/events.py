"""Conditions and adverse events into infections and other events; immunisations against zoster."""

import re
from datetime import date

from tracker.domain.readings import EventReading, ObservationReading
from tracker.formats import cells
from tracker.formats.fhir.file import File, Resource
from tracker.formats.fhir.nodes import Node
from tracker.formats.fhir.treatment import day

_REFUTED = ("refuted", "entered-in-error")
_ICD = frozenset(
    ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-gm",
     "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
     "urn:oid:2.16.840.1.113883.6.90", "urn:oid:2.16.840.1.113883.6.3")
)  # fmt: skip
# ICD-10: chapter I, and the infections that stand with the organ they are in.
_INFECTIOUS = re.compile(
    r"[AB]\d\d|J0\d|J1[0-8]|J2[0-2]|J36|J85|J86|L0[0-8]|N10|N30|N34|N39\.?0|G0[0-5]|H60|H66|I33|K61|K65|M00|M86|O23|U07\.?1|P3[5-9]"
)
_WORDS = re.compile(
    r"infect|pneumonia|sepsis|septic|cellulitis|abscess|zoster|shingles|herpes|tubercul|candid|influenza|covid|"
    r"sars-cov|bronchitis|pharyngitis|tonsillitis|sinusitis|otitis|\bcystitis|pyelonephritis|urinary tract|meningitis|"
    r"encephalitis|endocarditis|osteomyelitis|erysipel|impetigo|folliculitis|tinea|mycosis|measles|varicella|"
    r"chickenpox|cytomegalovirus|aspergill|pneumocystis|cryptococc|listeri|salmonell|histoplasm|legionell",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"\bchronic\b|\ballergic\b|history of|vaccin|immuni[sz]|exposure|screening|carrier|non-?infect", re.IGNORECASE
)
_GRADES = {"mild": 1, "moderate": 2, "severe": 3}
_ZOSTER_VACCINES = frozenset(("121", "187", "188"))  # CVX
_CVX = frozenset(("http://hl7.org/fhir/sid/cvx", "urn:oid:2.16.840.1.113883.12.292"))
_OVER = {"resolved": "resolved", "inactive": "resolved", "remission": "resolved"}


def kind_of(node: Node, name: str) -> str:
    """infection or other: by the ICD-10 code where there is one, else by the words."""
    coded = list(node.codes(name, _ICD))
    if coded:
        return "infection" if any(_INFECTIOUS.match(code) for code in coded) else "other"
    concept = node.one(name)
    said = f"{node.words(name)} {concept.raw('text') if concept else ''}"
    return "infection" if _WORDS.search(said) and not _NONE.search(said) else "other"


def condition(file: File, resource: Resource) -> EventReading:
    """A condition as an event of the patient. Raises Misfit where it was refuted, or nobody can tell what it is."""
    node = resource.node
    whose = file.whose(resource)
    if refuted := [word for word in node.codes("verificationStatus") if word in _REFUTED]:
        raise node.wrong("verificationStatus", f"The condition is {refuted[0]}: it is not filed.")
    term = node.words("code")
    if not term:
        raise node.wrong("code", "It does not say what the condition is: give the code.")
    onset, partly = _onset(resource, ("onsetDateTime",), "onsetPeriod")
    state = next(node.codes("clinicalStatus"), "")
    ended = day(node, "abatementDateTime")
    period = node.one("abatementPeriod")
    return EventReading(
        whose, kind_of(node, "code"), term, onset, partly, ended or (day(period, "end") if period else None),
        site=node.words("bodySite"), outcome=_OVER.get(state, ""),
    )  # fmt: skip


def adverse_event(file: File, resource: Resource) -> EventReading:
    """An AdverseEvent of STU3, R4 or R5."""
    node = resource.node
    whose = file.whose(resource)
    if node.raw("status") == "entered-in-error" or node.raw("actuality") == "potential":
        raise node.wrong("status" if node.has("status") else "actuality", "It did not happen: it is not filed.")
    name = next((name for name in ("event", "type", "code") if node.words(name)), "")
    term = node.words(name) if name else node.text("description")
    if not term:
        raise node.wrong("event", "It does not say what happened: give the event.")
    onset, partly = _onset(resource, ("date", "occurrenceDateTime", "detected"), "occurrencePeriod")
    serious = next(node.codes("seriousness"), "").lower()
    severity = next(node.codes("severity"), "").lower()
    return EventReading(
        whose, kind_of(node, name) if name else "other", term, onset, partly,
        grade=_GRADES.get(severity) or _GRADES.get(serious), serious=_serious(serious),
        outcome=next(node.codes("outcome"), "").replace("-", " "),
    )  # fmt: skip


def _serious(word: str) -> bool | None:
    return {"serious": True, "non-serious": False}.get(word)


def _onset(resource: Resource, names: tuple[str, ...], period: str) -> tuple[date | None, str]:
    """The first day, or as much of it as is known; where it is not known to the day, that is said."""
    node = resource.node
    places = [(node, name) for name in names]
    if (span := node.one(period)) is not None:
        places.append((span, "start"))
    partly = ""
    for holder, name in places:
        if (found := day(holder, name)) is not None:
            return found, ""
        partly = partly or cells.partial_date(holder.text(name))
    said = f"Only “{partly}” is known of the onset" if partly else "The onset is not known"
    resource.note(names[0], f"{said}: rules that count days leave the event out.")
    return None, partly


# ---------------------------------------------------------------------------------------- immunisations


def against_zoster(resource: Resource) -> bool:
    """Whether an Immunization is one against zoster; others are not read."""
    node = resource.node
    try:
        words = node.words("vaccineCode").lower()
        return bool(_ZOSTER_VACCINES.intersection(node.codes("vaccineCode", _CVX))) or "zoster" in words
    except cells.Misfit:
        return False


def immunisation(file: File, resource: Resource) -> ObservationReading:
    """A dose of a vaccine against zoster."""
    node = resource.node
    whose = file.whose(resource)
    if node.text("status") != "completed":
        raise node.wrong("status", f"The vaccine was not given (“{node.raw('status')[:40]}”): it is not filed.")
    on = day(node, "occurrenceDateTime") or day(node, "date")
    if on is None:
        raise node.wrong("occurrenceDateTime", "When the vaccine was given is not said to the day: complete it.")
    return ObservationReading(whose, on, "zoster_vaccine", node.words("vaccineCode") or "given")
