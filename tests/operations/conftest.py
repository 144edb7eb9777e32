"""A clinic on a fresh database of either kind, and short ways to say what happened at it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tracker.db import Database
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Account, Clinic, Flag, LabResult, Patient
from tracker.operations import configure, enrol, entry, publishing
from tracker.operations.actor import Actor
from tracker.operations.evaluate import Changes, rejudge
from tracker.operations.publishing import BACK_FILL
from tracker.operations.settings import Proposal, draft_setting

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
TODAY = NOW.date()
ZONE = ZoneInfo("UTC")


@dataclass
class Desk:
    """A clinic with one patient, Ada, on tofacitinib since 1 January 2026, and the people who look after her."""

    database: Database
    clinic_id: int
    patient_id: int
    nurse: Actor
    doctor: Actor
    second: Actor

    def labs(self, *told: tuple[str, str, str, str], actor: Actor | None = None, **more: Any) -> Changes:
        """Record (analyte, value, unit, day) and judge."""
        readings = [
            LabReading("0001", read_moment(day, ZONE), analyte, value, unit, **more)
            for analyte, value, unit, day in told
        ]
        with self.database.transaction() as session:
            patient = session.get_one(Patient, self.patient_id)
            _, changes = entry.save(session, actor or self.nurse, patient, readings)
        return changes

    def flag(self, rule: str, subject: str, machine: str | None = "open", entry: str | None = None) -> Flag:
        """The one flag of a rule on a subject."""
        return self.only(f for f in self.flags() if f.rule == rule and f.subject == subject
                         and machine in (None, f.machine) and entry in (None, f.entry))  # fmt: skip

    def only(self, found: Any) -> Flag:
        (flag,) = list(found)
        return flag  # type: ignore[no-any-return]

    def flags(self) -> list[Flag]:
        with self.database.reading() as session:
            return list(session.scalars(select(Flag).where(Flag.patient_id == self.patient_id).order_by(Flag.id)))

    def result(self, subject: str) -> LabResult:
        """The latest result in force of a subject."""
        with self.database.reading() as session:
            statement = select(LabResult).where(LabResult.subject == subject, LabResult.retired_at.is_(None))
            return session.scalars(statement.order_by(LabResult.collected_at.desc())).first()  # type: ignore[return-value]

    def sets(self, kind: str, scope: str, body: dict[str, str], since: date, applies: str = BACK_FILL) -> int:
        """The doctor drafts a setting, the second person publishes it; its key."""
        with self.database.transaction(alone=True) as session:
            told = Proposal(kind, scope, body, since, "clinic meeting", "decided together")
            row = draft_setting(session, self.doctor, self.clinic_id, told)
            publishing.publish(session, self.second, [row], applies)
            return row.id

    def at(self, actor: Actor, days: int) -> Actor:
        """The same person some days later."""
        return replace(actor, at=actor.at + timedelta(days=days))

    def judge_on(self, days: int) -> Changes:
        """Nothing new came in, and some days pass."""
        with self.database.transaction() as session:
            return rejudge(session, self.at(self.nurse, days), session.get_one(Patient, self.patient_id))


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    database = Database(database_url)
    yield open_desk(database)
    database.close()


def open_desk(database: Database, code: str = "") -> Desk:
    """Another clinic with its own people and its own Ada; `code` tells it from others of the database."""
    operator = Actor("setup", NOW - timedelta(days=90), "cli")
    with database.transaction() as session:
        clinic = configure.add_clinic(session, operator, f"derm{code}", "Dermatology")
        people = [_account(session, operator, clinic, f"{name}{code}", role) for name, role in
                  (("nora", "recorder"), ("dora", "clinician"), ("dan", "clinician"))]  # fmt: skip
        ada = enrol.add_patient(
            session, operator, clinic.id,
            {"mrn": "0001", "family_name": "Ada", "given_name": "A", "birth_date": date(1990, 5, 1), "sex": "female"},
        )  # fmt: skip
        enrol.add_course(
            session, operator, ada,
            {"protocol_id": "tofacitinib_us", "indication": "alopecia areata", "started_on": date(2026, 1, 1)},
            (Decimal(5), 2),
        )  # fmt: skip
        actors = [Actor(p.name, NOW, "form", p.id, p.role) for p in people]
        return Desk(database, clinic.id, ada.id, *actors)


@pytest.fixture
def ada(desk: Desk) -> Desk:
    """Ada with haemoglobin 12.5 g/dL in January, February and March; the starter range of women begins at 12."""
    desk.labs(*(("HB", "12.5", "g/dL", day) for day in ("2026-01-15", "2026-02-15", "2026-03-15")))
    return desk


def _account(session: Any, operator: Actor, clinic: Clinic, username: str, role: str) -> Account:
    account = Account(
        username=username,
        name=username.title(),
        role=role,
        password_hash="none",
        created_at=operator.at,
    )
    session.add(account)
    session.flush()
    return account
