"""A database of the size of a large service: ordinary labs, a few of them not, and open flags."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import insert

from tracker.db import Database, upgrade
from tracker.models import Course, CourseEvent, Flag, LabResult, Patient
from tracker.operations import accounts, configure
from tracker.operations.actor import Actor

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
PANEL = {
    "WBC": ("10*9/L", 64, 7, 1), "ANC": ("10*9/L", 360, 45, 2), "ALC": ("10*9/L", 190, 22, 2),
    "HB": ("g/dL", 141, 4, 1),
    "PLT": ("10*9/L", 252, 20, 0), "ALT": ("U/L", 23, 5, 0), "AST": ("U/L", 22, 4, 0), "ALP": ("U/L", 68, 7, 0),
    "TBIL": ("mg/dL", 6, 1, 1), "CREAT": ("mg/dL", 82, 4, 2), "CHOL": ("mg/dL", 175, 8, 0), "LDL": ("mg/dL", 88, 4, 0),
    "HDL": ("mg/dL", 57, 2, 0), "TG": ("mg/dL", 96, 12, 0), "CK": ("U/L", 88, 12, 0),
}  # fmt: skip
VISITS = 4
SETTLED = {"machine": "cleared", "cleared_on": NOW.date(), "review": "closed", "attention": 9}
CHUNK = 50_000


@dataclass(frozen=True)
class World:
    database: Database
    clinic_id: int
    account_id: int
    patients: int
    results: int
    open_flags: int


def value(dice: Random, analyte: str) -> Decimal:
    _, centre, spread, places = PANEL[analyte]
    return Decimal(round(dice.gauss(centre, spread))).scaleb(-places)


def lab(dice: Random, patient_id: int, analyte: str, day: date) -> dict[str, Any]:
    figure = value(dice, analyte)
    at = datetime(day.year, day.month, day.day, 8, 30, tzinfo=UTC)
    return {
        "patient_id": patient_id, "analyte": analyte, "subject": analyte, "local_code": "", "collected_at": at,
        "collected_on": day, "time_known": True, "comparator": "", "figure": figure, "unit": PANEL[analyte][0],
        "value": figure, "text": "", "ref_low": None, "ref_high": None, "range_id": None, "lab_flag": "",
        "laboratory": "", "accession": "", "status": "final", "origin": "benchmark", "comment": "", "batch_id": None,
        "recorded_at": NOW, "recorded_by": None, "replaces_id": None, "reason": "", "retired_at": None,
        "retired_reason": "",
    }  # fmt: skip


def build(folder: Path, patients: int, waiting: int, settled: int = 0, name: str = "world") -> World:
    """Patients on tofacitinib with four panels each. Beside what the rules will find, `waiting` flags stand in the
    queue, spread over the patients, and `settled` ones are past.
    """
    url = f"sqlite:///{folder / name}.db"
    upgrade(url)
    database = Database(url)
    actor = Actor("benchmark", NOW, "benchmark")
    with database.transaction() as session:
        clinic = configure.add_clinic(session, actor, "bench", "Benchmark")
        account = accounts.add_account(session, actor, "bench", "Bench", "clinician", "correct horse battery", [clinic])
        clinic_id, account_id = clinic.id, account.id
    dice = Random(1)
    start = NOW.date() - timedelta(days=280)
    days = [start - timedelta(days=5), *(start + timedelta(days=d) for d in (45, 135, 225))]
    with database.transaction() as session:
        session.execute(insert(Patient), [_patient(clinic_id, n) for n in range(1, patients + 1)])
        session.execute(insert(Course), [_course(n, start) for n in range(1, patients + 1)])
        session.execute(insert(CourseEvent), [_dose(n, start) for n in range(1, patients + 1)])
        for first in range(1, patients + 1, CHUNK // 60):
            ids = range(first, min(first + CHUNK // 60, patients + 1))
            session.execute(insert(LabResult.__table__), [lab(dice, i, a, d) for i in ids for d in days for a in PANEL])
        for first in range(0, waiting + settled, CHUNK):
            numbers = range(first, min(first + CHUNK, waiting + settled))
            rows = [_flag(clinic_id, n % patients + 1, n) | (SETTLED if n >= waiting else {}) for n in numbers]
            session.execute(insert(Flag.__table__), rows)
    return World(database, clinic_id, account_id, patients, patients * len(PANEL) * VISITS, waiting)


def _patient(clinic_id: int, n: int) -> dict[str, Any]:
    return {
        "clinic_id": clinic_id, "mrn": f"{n:07d}", "family_name": f"Family{n}", "given_name": "Given", "version": 1,
        "birth_date": date(1960 + n % 40, 1 + n % 12, 1 + n % 28), "sex": ("female", "male")[n % 2], "created_at": NOW,
        "judged_digest": "",
    }  # fmt: skip


def _course(n: int, start: date) -> dict[str, Any]:
    return {
        "patient_id": n, "protocol_id": "tofacitinib_us", "drug": "tofacitinib", "indication": "alopecia areata",
        "started_on": start, "recorded_at": NOW, "version": 1,
    }  # fmt: skip


def _dose(n: int, start: date) -> dict[str, Any]:
    return {"course_id": n, "on": start, "kind": "dose", "dose_mg": Decimal(5), "times_per_day": 2, "recorded_at": NOW}


def _flag(clinic_id: int, patient_id: int, n: int) -> dict[str, Any]:
    place = n % 4
    return {
        "clinic_id": clinic_id, "patient_id": patient_id, "fingerprint": f"benchmark|{n}", "rule": "benchmark",
        "subject": "ALT", "entry": "", "severity": ("urgent", "soon", "routine", "info")[place], "grade": None,
        "peak_grade": None, "grading": "", "machine": "open", "confirmation": None, "suggested": None, "due_on": None,
        "folded_under": None, "opened_on": NOW.date(), "last_seen_on": NOW.date(), "cleared_on": None,
        "superseded": False, "sentence": "ALT 90 U/L, above the range <= 40 U/L", "source": "", "verified": True,
        "yardstick": "", "rules_digest": "", "evidence": [], "content": "", "first_seen_at": NOW - timedelta(minutes=n),
        "changed_at": NOW, "review": "open", "owner_id": None, "until": None, "reviewed_grade": None,
        "reviewed_severity": None, "reopened_because": "", "attention": place, "version": 1,
    }  # fmt: skip
