"""Tests of senders: which are mapped to our analytes, and which are work to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.readings import LabReading
from tracker.domain.units import Analyte, dimension, is_index, normal_unit, unit_of
from tracker.domain.values import plain
from tracker.library.analytes import ANALYTES, LOINC, find
from tracker.models import Account, CodeMapping, LabResult, Patient

MOST = 300
SAMPLES = 3


class SenderTest(NamedTuple):
    """A sender's test, known by all four. One code is two tests at two laboratories; name and unit tell them apart at
    one.
    """

    sender: str
    code: str
    name: str
    unit: str

    @property
    def loincs(self) -> list[str]:
        return [each.removeprefix(LOINC) for each in self.code.split(";") if each.startswith(LOINC)]


def test_of(reading: LabReading) -> SenderTest:
    """The test a reading is about, as its sender calls it."""
    return SenderTest(reading.laboratory, reading.local_code, reading.analyte, normal_unit(reading.unit))


@dataclass(frozen=True)
class Codes:
    """A clinic's mappings in force: our code (or "" for none of ours) and the mapping, by test."""

    by_test: Mapping[SenderTest, tuple[str, int]]

    def applied(self, reading: LabReading) -> LabReading:
        """The reading with what a person said its test is; as it came where nobody did."""
        if not self.by_test:
            return reading
        analyte, mapping_id = self.by_test.get(test_of(reading), ("", 0))
        return reading._replace(mapped=analyte, mapping_id=mapping_id) if analyte else reading


def codes(session: Session, clinic_id: int) -> Codes:
    m = CodeMapping
    rows = session.execute(
        select(m.sender, m.code, m.name, m.unit, m.analyte, m.id).where(m.clinic_id == clinic_id, m.ended_at.is_(None))
    )
    return Codes({SenderTest(*test): (analyte, id) for *test, analyte, id in rows})


class Unmapped(NamedTuple):
    """A test that is no analyte here: how many results of how many patients, since when, the last of them. `mapped`:
    our code where it is mapped and these results did not fit it.
    """

    test: SenderTest
    results: int
    patients: int
    first: date
    last: date
    samples: tuple[str, ...]
    mapped: str = ""


def unmapped(session: Session, clinic_id: int) -> list[Unmapped]:
    """A clinic's tests that are no analyte here, those with most results first, at most MOST of them."""
    r = LabResult
    key = (r.laboratory, r.local_code, r.subject, r.unit)
    rows = session.execute(
        select(
            *key, func.count(), func.count(r.patient_id.distinct()), func.min(r.collected_on), func.max(r.collected_on)
        )
        .join(Patient, Patient.id == r.patient_id)
        .where(r.analyte == "", r.retired_at.is_(None), Patient.clinic_id == clinic_id)
        .group_by(*key)
        .order_by(func.count().desc(), r.subject)
        .limit(MOST)
    ).all()
    known, samples = codes(session, clinic_id).by_test, _samples(session, clinic_id)
    found = []
    for *told, results, patients, first, last in rows:
        test = SenderTest(*told)
        mapped, _ = known.get(test, (None, 0))
        if mapped != "":
            found.append(Unmapped(test, results, patients, first, last, samples.get(test, ()), mapped or ""))
    return found


def _samples(session: Session, clinic_id: int) -> dict[SenderTest, tuple[str, ...]]:
    """The last results of each test as they were reported."""
    r = LabResult
    key = (r.laboratory, r.local_code, r.subject, r.unit)
    place = func.row_number().over(partition_by=key, order_by=(r.collected_at.desc(), r.id.desc())).label("place")
    inner = (
        select(*key, r.comparator, r.figure, r.text, r.ref_low, r.ref_high, place)
        .join(Patient, Patient.id == r.patient_id)
        .where(r.analyte == "", r.retired_at.is_(None), Patient.clinic_id == clinic_id)
        .subquery()
    )
    found: dict[SenderTest, tuple[str, ...]] = {}
    for *told, comparator, figure, text, low, high, _ in session.execute(
        select(inner).where(inner.c.place <= SAMPLES).order_by(inner.c.place)
    ):
        test = SenderTest(*told)
        found[test] = (*found.get(test, ()), _written(comparator, figure, text, low, high))
    return found


def _written(
    comparator: str, figure: Decimal | None, text: str, low: Decimal | None, high: Decimal | None
) -> str:  # fmt: skip
    value = text[:40] if figure is None else f"{comparator}{plain(figure)}"
    bounds = "–".join("" if bound is None else plain(bound) for bound in (low, high))
    return f"{value} ({bounds})" if bounds != "–" else value


class Mapped(NamedTuple):
    """A mapping in force, who made it, and how many results it is the reason of."""

    mapping: CodeMapping
    person: str
    results: int


def mapped(session: Session, clinic_id: int) -> list[Mapped]:
    m, r = CodeMapping, LabResult
    held = select(r.mapping_id, func.count().label("results")).where(r.retired_at.is_(None)).group_by(r.mapping_id)
    counted = held.subquery()
    rows: Any = session.execute(
        select(m, Account.name, func.coalesce(counted.c.results, 0))
        .outerjoin(Account, Account.id == m.mapped_by)
        .outerjoin(counted, counted.c.mapping_id == m.id)
        .where(m.clinic_id == clinic_id, m.ended_at.is_(None))
        .order_by(m.sender, m.name, m.id)
    )
    return [Mapped(mapping, person or "", results) for mapping, person, results in rows]


def choices(test: SenderTest) -> list[Analyte]:
    """The analytes this test can be by its unit: those recorded in it, or read in words."""
    return [analyte for analyte in ANALYTES.values() if fits(analyte, test)]


def fits(analyte: Analyte, test: SenderTest) -> bool:
    """Whether a result with the test's unit can be one of the analyte. A LOINC that is known to be something else rules
    it out.
    """
    if set(test.loincs) & set(analyte.loinc_never):
        return False
    if not test.unit:
        return analyte.qualitative
    return is_index(analyte, test.unit) or unit_of(analyte, test.unit) is not None


def suggestion(test: SenderTest) -> str:
    """Our code where the whole name is that of an analyte which this unit measures; "" else. A part of a name suggests
    nothing: Phenylalanine is no ALT, and a ratio with HDL in it no HDL.
    """
    if test.loincs:
        return ""
    found = find(test.name, test.unit if dimension(test.unit) else "")
    return found.code if found is not None and fits(found, test) else ""
