"""Patients, results and flags as a FHIR R4 Bundle (collection), an entry a line, in little memory.

What is read again is the same: values keep their digits, the accession is the identifier of the specimen. A flag is a
DetectedIssue that carries its evidence as contained Observations; reading skips it. Source: http://hl7.org/fhir/R4.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TextIO
from uuid import UUID, uuid5

from tracker.domain.units import dimension
from tracker.domain.values import plain, read_number
from tracker.formats.fhir.nodes import CLINIC, LOINC, UCUM

Rows = Iterable[Mapping[str, Any]]
Resource = dict[str, Any]

WRITTEN = ("patients", "results", "flags")
_OURS = UUID("b6a9d1c4-53f0-5c0e-9d7a-2f7f3f1f7c11")  # the name space of the ids that are made here
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_VERDICTS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_VERDICT_CODES = frozenset(["A", "AA", "DET", "H", "HH", "IND", "L", "LL", "N", "ND", "NEG", "POS", "<", ">"])
_RULE, _ANALYTE, _FLAG = "urn:jakwatch:rule", "urn:jakwatch:analyte", "urn:jakwatch:flag"
_SEVERITIES = {"urgent": "high", "soon": "moderate", "routine": "low", "info": "low"}
_UNCONFIRMED = ("needs_repeat", "repeat_overdue")
_KEPT = (
    "severity", "grade", "grading", "machine", "review", "confirmation", "suggested", "due_on", "folded_under",
    "last_seen_on", "source", "verified",
)  # fmt: skip
_EXACT = re.compile(r'"\\u0000(-?[0-9.]+)\\u0000"')


def write_fhir(table: str, rows: Rows, stream: TextIO) -> None:
    """Write `patients`, `results` or `flags`. Results and flags bring the patients they are about."""
    stream.write('{"resourceType": "Bundle", "type": "collection"')
    between = ', "entry": [\n'
    for url, resource in _entries(table, rows):
        stream.write(between + _line({"fullUrl": url, "resource": resource}))
        between = ",\n"
    stream.write("\n]}\n" if between == ",\n" else "}\n")  # FHIR knows no empty list


def _line(entry: Resource) -> str:
    """One entry as JSON. Decimals are numbers with the digits they have, which the json module has no way to write."""
    return _EXACT.sub(r"\1", json.dumps(entry, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"\0{plain(value)}\0"
    assert isinstance(value, date)  # a datetime is one too
    return value.isoformat()


def _entries(table: str, rows: Rows) -> Iterator[tuple[str, Resource]]:
    if table == "patients":
        for row in rows:
            yield _url("patient", row["mrn"]), _patient(row)
        return
    make = {"results": _result, "flags": _flag}[table]
    known = ""
    for row in rows:
        if row["mrn"] != known:
            known = row["mrn"]
            yield _url("patient", known), {"resourceType": "Patient", "identifier": _record_number(known)}
        yield make(row)


def _url(kind: str, *parts: object) -> str:
    return f"urn:uuid:{uuid5(_OURS, json.dumps([kind, *map(str, parts)]))}"


def _record_number(mrn: str) -> list[Resource]:
    return [{"type": {"coding": [{"system": _TYPES, "code": "MR"}]}, "value": mrn}]


def _given(**elements: Any) -> Resource:
    """The elements that say something: FHIR knows no empty ones."""
    return {name: value for name, value in elements.items() if value not in (None, "", [], {})}


def _patient(row: Mapping[str, Any]) -> Resource:
    name = _given(family=row["family_name"], given=[row["given_name"]] if row["given_name"] else [])
    clinic = row.get("clinic")
    return _given(
        resourceType="Patient", identifier=_record_number(row["mrn"]), name=[name] if name else [], gender=row["sex"],
        birthDate=row["birth_date"],
        managingOrganization={"identifier": {"system": CLINIC, "value": clinic}} if clinic else {},
    )  # fmt: skip


# --------------------------------------------------------------------------------------------- results


def _result(row: Mapping[str, Any]) -> tuple[str, Resource]:
    parts = [row[name] for name in ("mrn", "analyte", "collected_at", "laboratory", "accession")]
    parts += [row["sub_id"]] if row.get("sub_id") else []
    accession, unit = row["accession"], row["unit"]
    observation = _given(
        resourceType="Observation", status=row["status"], code=_code(row),
        subject={"reference": _url("patient", row["mrn"])}, effectiveDateTime=row["collected_at"],
        issued=row["recorded_at"],
        performer=[{"type": "Organization", "display": row["laboratory"]}] if row["laboratory"] else [],
        **_value(row["value"], unit), interpretation=_verdict(row["lab_flag"]),
        specimen={"identifier": _accession(accession)} if accession else {},
        referenceRange=_range(row["ref_low"], row["ref_high"], unit),
    )  # fmt: skip
    return _url("result", *parts), observation


def _code(row: Mapping[str, Any]) -> Resource:
    """The LOINC that the sender gave, else the first that the analyte is known by; and the name here."""
    name = row.get("name") or ""
    codings = [{"system": LOINC, "code": row["loinc"]}] if row.get("loinc") else []
    ours = [{"system": _ANALYTE, "code": row["analyte"], "display": name}] if name else []
    return _given(coding=[*codings, *ours], text=name or row["analyte"])


def _accession(number: str) -> Resource:
    return {"type": {"coding": [{"system": _TYPES, "code": "ACSN"}]}, "value": number}


def _value(text: str, unit: str) -> Resource:
    number = read_number(text)
    if number is None:
        return {"valueString": text}
    comparator = {"comparator": number.comparator} if number.comparator else {}
    return {"valueQuantity": {"value": number.figure, **comparator, **_unit(unit)}}


def _unit(unit: str) -> Resource:
    """The unit as printed; with its code where it is one of UCUM that is known here."""
    if not unit:
        return {}
    return {"unit": unit, "system": UCUM, "code": unit} if dimension(unit) else {"unit": unit}


def _range(low: Decimal | None, high: Decimal | None, unit: str) -> list[Resource]:
    bounds = {"low": low, "high": high}
    line = {name: {"value": bound, **_unit(unit)} for name, bound in bounds.items() if bound is not None}
    return [line] if line else []


def _verdict(flag: str) -> list[Resource]:
    if not flag:
        return []
    return [{"coding": [{"system": _VERDICTS, "code": flag}]} if flag in _VERDICT_CODES else {"text": flag}]


# ----------------------------------------------------------------------------------------------- flags


def _flag(row: Mapping[str, Any]) -> tuple[str, Resource]:
    """A finding: what people read in `detail`, what it rests on in `evidence`, the rest word for word in extensions."""
    whose = {"reference": _url("patient", row["mrn"])}
    evidence = [_evidence(number, item, whose) for number, item in enumerate(row["evidence"], start=1)]
    kept = [
        {"url": f"{_FLAG}:{name}", "valueString": str(row[name]).lower() if name == "verified" else str(row[name])}
        for name in _KEPT
        if row[name] not in (None, "")
    ]
    issue = _given(
        resourceType="DetectedIssue", contained=evidence, extension=kept,
        status="preliminary" if row["confirmation"] in _UNCONFIRMED else "final",
        code={"coding": [{"system": _RULE, "code": row["rule"]}], "text": f"{row['rule']} {row['subject']}"},
        severity=_SEVERITIES[row["severity"]], patient=whose,
        identifiedPeriod=_given(start=row["opened_on"], end=row["cleared_on"]),
        evidence=[{"detail": [{"reference": f"#{item['id']}"}]} for item in evidence], detail=row["sentence"],
    )  # fmt: skip
    return _url("flag", *(row[name] for name in ("mrn", "rule", "subject", "opened_on", "sentence"))), issue


def _evidence(number: int, item: Mapping[str, Any], whose: Resource) -> Resource:
    bounds = [item["low"], item["high"]]
    words = " to ".join(str(bound) for bound in bounds if bound)
    return _given(
        resourceType="Observation", id=f"evidence-{number}", status="final", code={"text": item["analyte"]},
        subject=whose, effectiveDateTime=item["collected_at"], **_value(str(item["value"]), item["unit"] or ""),
        referenceRange=[{"text": f"{words} ({item['range_from']})" if item["range_from"] else words}] if words else [],
    )  # fmt: skip
