"""Rows for the export files, in the columns of the interchange."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.findings import Finding
from tracker.domain.values import plain
from tracker.library import analytes
from tracker.models import AuditEntry, Clinic, Flag, LabResult, Patient

Rows = Iterator[dict[str, Any]]


def patients(session: Session, clinic_ids: Sequence[int]) -> Rows:
    """patients.csv"""
    rows = session.execute(
        select(Patient, Clinic.code).join(Clinic).where(Patient.clinic_id.in_(clinic_ids)).order_by(Patient.id)
    )
    for patient, clinic in rows:
        yield {
            "mrn": patient.mrn, "family_name": patient.family_name, "given_name": patient.given_name,
            "birth_date": patient.birth_date, "sex": patient.sex, "weight_kg": None, "clinic": clinic,
        }  # fmt: skip


def results(session: Session, clinic_ids: Sequence[int]) -> Rows:
    """results.csv: every result in force."""
    for row in _results(session, clinic_ids):
        del row["local_code"], row["mapped"]
        yield row


def _results(session: Session, clinic_ids: Sequence[int]) -> Rows:
    rows = session.execute(
        select(LabResult, Patient.mrn)
        .join(Patient, Patient.id == LabResult.patient_id)
        .where(Patient.clinic_id.in_(clinic_ids), LabResult.retired_at.is_(None))
        .order_by(Patient.id, LabResult.collected_at, LabResult.id)
        .execution_options(yield_per=5000)
    )
    for row, mrn in rows:
        yield {
            "mrn": mrn, "collected_at": row.collected_at.isoformat() if row.time_known else row.collected_on,
            "analyte": row.subject, "value": row.text if row.figure is None else f"{row.comparator}{plain(row.figure)}",
            "unit": row.unit, "ref_low": row.ref_low, "ref_high": row.ref_high, "lab_flag": row.lab_flag,
            "laboratory": row.laboratory, "accession": row.accession, "status": row.status,
            "recorded_at": row.recorded_at.isoformat(), "sub_id": row.sub_id, "fasting": row.fasting,
            "local_code": row.local_code, "mapped": bool(row.analyte),
        }  # fmt: skip


def coded(session: Session, clinic_ids: Sequence[int]) -> Rows:
    """The results with what else FHIR asks of them: the analyte's `name`, "" for one that is not mapped, and a `loinc`:
    the one the sender gave, else the first that the analyte is known by.
    """
    for row in _results(session, clinic_ids):
        local = row.pop("local_code")
        analyte = analytes.ANALYTES.get(row["analyte"]) if row.pop("mapped") else None
        given = [code.removeprefix(analytes.LOINC) for code in local.split(";") if code.startswith(analytes.LOINC)]
        fitting = [code for code in given if analyte is None or code in analyte.loinc]
        loinc = next(iter((*fitting, *(analyte.loinc if analyte else ()))), "")
        yield row | {"name": analyte.name if analyte else "", "loinc": loinc}


_FLAG_KEYS = (
    "rule", "subject", "severity", "grade", "grading", "machine", "review", "confirmation", "suggested", "due_on",
    "folded_under", "opened_on", "last_seen_on", "cleared_on", "sentence", "source", "verified",
)  # fmt: skip
_EVIDENCE_KEYS = ("analyte", "value", "unit", "collected_at", "low", "high", "range_from")


def flags(session: Session, clinic_ids: Sequence[int], mrn: str | None = None) -> Rows:
    """The stored flags as JSON objects; a finding that a correction took away is left out."""
    statement = select(Flag, Patient.mrn).join(Patient, Patient.id == Flag.patient_id)
    statement = statement.where(Flag.clinic_id.in_(clinic_ids), Flag.superseded.is_(False))
    if mrn is not None:
        statement = statement.where(Patient.mrn == mrn)
    for flag, number in session.execute(statement.order_by(Patient.mrn, Flag.attention, Flag.opened_on, Flag.id)):
        evidence = [_evidence(item) for item in flag.evidence]
        yield _flag(number, {key: getattr(flag, key) for key in _FLAG_KEYS}, evidence)


def finding(mrn: str, found: Finding) -> dict[str, Any]:
    """A finding that nobody stored, as the same JSON object."""
    values = {key: getattr(found, key, None) for key in _FLAG_KEYS}
    values |= {"machine": "open" if found.is_open else "cleared", "review": "open"}
    evidence = [
        _evidence(
            {
                name: getattr(item, name)
                for name in ("analyte", "value", "unit", "collected_on", "low", "high", "range_from")
            }
        )
        for item in found.evidence
    ]
    return _flag(mrn, values, evidence)


def _flag(mrn: str, values: dict[str, Any], evidence: list[dict[str, Any]]) -> dict[str, Any]:
    values = {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in values.items()}
    values["grading"] = values["grading"] or None
    return {"mrn": mrn} | values | {"evidence": evidence}


def _evidence(item: dict[str, Any]) -> dict[str, Any]:
    """Bounds without the operator where it is the usual inclusive one: as the interchange prints them."""
    day = item["collected_on"]
    shown = item | {"collected_at": day if isinstance(day, str) else day.isoformat()}
    for name, usual in (("low", ">= "), ("high", "<= ")):
        shown[name] = shown[name].removeprefix(usual) or None
    return {key: shown[key] for key in _EVIDENCE_KEYS}


def audit(session: Session, clinic_ids: Sequence[int]) -> Rows:
    """The audit trail, oldest first."""
    statement = select(AuditEntry).where(AuditEntry.clinic_id.in_(clinic_ids) | AuditEntry.clinic_id.is_(None))
    for entry in session.scalars(statement.order_by(AuditEntry.id).execution_options(yield_per=2000)):
        yield {
            "id": entry.id,
            "at": entry.at.isoformat(),
            "actor": entry.actor,
            "role": entry.role,
            "action": entry.action,
            "record": entry.record,
            "record_id": entry.record_id,
            "patient_id": entry.patient_id,
            "before": entry.before,
            "after": entry.after,
            "reason": entry.reason,
            "origin": entry.origin,
            "request_id": entry.request_id,
            "digest": entry.digest,
        }
