"""What stands on file already for the samples that a source tells of: in force, replaced, or cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.readings import APART, PRELIMINARY, LabReading, fasting_words
from tracker.domain.units import Analyte
from tracker.domain.values import brief, plain
from tracker.library import analytes
from tracker.models import LabResult

CANCELLED_BY_LAB = "cancelled by the laboratory"
UNDONE = "import undone"  # how the reason begins with which an undone import's rows are taken out

Identity = tuple[int, str, datetime, str, str, str]
"""Patient, subject, time of collection, laboratory, accession, sub-ID."""


class Existing(NamedTuple):
    """A result with the identity of a new one; without `id` it is not stored yet."""

    id: int | None
    comparator: str
    figure: Decimal | None
    text: str
    unit: str
    status: str
    recorded_at: datetime | None = None
    fasting: bool | None = None

    def says(self, new: dict[str, Any]) -> bool:
        """Whether the new row says nothing else: then nothing changes."""
        return self.same_value(new) and new["fasting"] in (None, self.fasting)

    def same_value(self, new: dict[str, Any]) -> bool:
        """Whether the value is the same, however a report is broken into lines."""
        number = all(getattr(self, name) == new[name] for name in ("figure", "comparator", "unit"))
        return number and (self.text == new["text"] or self.text.split() == new["text"].split())

    def told(self, new: dict[str, Any]) -> str:
        """What is on file, and where only the fasting differs, that."""
        return f"{self.shown}, {fasting_words(self.fasting)}" if self.same_value(new) else self.shown

    @property
    def shown(self) -> str:
        return brief(self.text) if self.figure is None else f"{self.comparator}{plain(self.figure)} {self.unit}".strip()


@dataclass(slots=True)
class Standing:
    """By identity: what is in force `now`, the versions that were `replaced`, what the laboratory `cancelled`."""

    now: dict[Identity, Existing] = field(default_factory=dict)
    replaced: dict[Identity, list[Existing]] = field(default_factory=dict)
    cancelled: dict[Identity, list[Existing]] = field(default_factory=dict)
    of_sample: dict[tuple[int, str, datetime], list[Identity]] = field(default_factory=dict)

    def hold(self, identity: Identity, existing: Existing) -> None:
        """From here on this is in force."""
        self.now[identity] = existing
        self.of_sample.setdefault(identity[:3], []).append(identity)

    def came_otherwise(self, identity: Identity, new: dict[str, Any]) -> bool:
        """Whether a row is one that is in force and came by another door: patient, test, instant, value and unit are
        the same, and so are laboratory and accession as far as both doors give them. One accession is enough: doors
        call one laboratory by two names.
        """
        for other in self.of_sample.get(identity[:3], ()):
            old = self.now.get(other)
            if old is None or other == identity or not old.same_value(new):
                continue
            same_door = old.id is None and other[5] != identity[5]  # one file tells its own results apart
            if not same_door and _one_sample(other, identity):
                return old.status == new["status"] or old.status != PRELIMINARY
        return False

    def beside(self, identity: Identity) -> list[Identity]:
        """The results in force of the same test, sample and order that differ in their sub-ID alone."""
        others = dict.fromkeys(self.of_sample.get(identity[:3], ()))
        return [one for one in others if one in self.now and one[:5] == identity[:5] and one != identity]

    def said_before(self, identity: Identity, new: dict[str, Any], at: datetime | None = None) -> bool:
        """Whether a row is a version that has been replaced since; of a correction only what was issued at the same
        instant, because a laboratory may go back to its first value.
        """
        versions = self.replaced.get(identity, ())
        return any(old.says(new) and (at is None or old.recorded_at == at) for old in versions)

    def was_cancelled(self, identity: Identity, new: dict[str, Any]) -> bool:
        """Whether a row is one that the laboratory has taken back since."""
        return any(old.same_value(new) and old.status == new["status"] for old in self.cancelled.get(identity, ()))


def _one_sample(one: Identity, other: Identity) -> bool:
    (laboratory, accession, part), (its_laboratory, its_accession, its_part) = one[3:], other[3:]
    if part != its_part and _told(part) and _told(its_part):
        return False
    if accession and its_accession:
        return accession == its_accession
    return not laboratory or not its_laboratory or laboratory == its_laboratory


def _told(sub_id: str) -> bool:
    """Whether the sender gave this sub-ID."""
    return bool(sub_id) and not sub_id.startswith(APART)


def in_force(session: Session, rows: Sequence[tuple[LabReading, int]]) -> Standing:
    """What is on file for the patients and the days of `rows`, each a reading and the patient it belongs to."""
    known = Standing()
    days = [reading.collected.on for reading, _ in rows]
    if not days:
        return known
    r = LabResult
    found = session.execute(
        select(
            r.patient_id, r.subject, r.collected_at, r.laboratory, r.accession, r.sub_id,
            r.id, r.comparator, r.figure, r.text, r.unit, r.status, r.recorded_at, r.fasting, r.retired_at,
            r.retired_reason,
        ).where(
            r.patient_id.in_(sorted({patient_id for _, patient_id in rows})),
            r.collected_on >= min(days), r.collected_on <= max(days),
        )
    )  # fmt: skip
    for patient_id, subject, at, laboratory, accession, sub_id, *version, retired_at, reason in found:
        if reason.startswith(UNDONE):
            continue  # as if it had never come in
        identity, existing = (patient_id, subject, at, laboratory, accession, sub_id), Existing(*version)
        if retired_at is None:
            known.hold(identity, existing)
        else:
            past = known.cancelled if reason == CANCELLED_BY_LAB else known.replaced
            past.setdefault(identity, []).append(existing)
    return known


@lru_cache(maxsize=4096)
def _find(name: str, local_code: str, unit: str) -> Analyte | None:
    """By the LOINC codes of a result (`loinc:751-8`, several with `;`) alone, where it has any: a urine glucose is
    called `Glucose` too. Else by its name, else by the sender's own code.
    """
    codes = local_code.split(";")
    loincs = [code.removeprefix(analytes.LOINC) for code in codes if code.startswith(analytes.LOINC)]
    return analytes.match(loincs, (name, local_code), unit)


def analyte_of(reading: LabReading) -> Analyte | None:
    """The analyte a reading is about; None where its name and code are not mapped."""
    if reading.mapped:
        return analytes.ANALYTES[reading.mapped]
    return _find(reading.analyte, reading.local_code, reading.unit)


def identity_of(reading: LabReading, patient_id: int) -> Identity:
    """What makes two rows one result."""
    analyte = analyte_of(reading)
    subject = analyte.code if analyte else reading.analyte
    return (patient_id, subject, reading.collected.at, reading.laboratory, reading.accession, reading.sub_id)


def identity_of_columns(new: dict[str, Any]) -> Identity:
    """The same of a prepared row."""
    return (
        new["patient_id"], new["subject"], new["collected_at"], new["laboratory"], new["accession"], new["sub_id"],
    )  # fmt: skip
