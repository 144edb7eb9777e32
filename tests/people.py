"""Five people every screen is tried by, at two clinics, and one record of each kind at either clinic.

alice decides, bob records, carol administers, dan audits: all of clinic A. mallory decides at clinic B, and whatever
she sees of clinic A is a hole. Ida, the patient of each clinic, is on tofacitinib and had one neutrophil count of 0.46.
"""

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.pictures import png
from tracker.db import Database
from tracker.domain.readings import LabReading, RangeReading, read_moment
from tracker.models import (
    Account,
    Clinic,
    ClinicSetting,
    EmergencyAccess,
    Flag,
    HeldRow,
    ImportBatch,
    LabResult,
    Membership,
    Patient,
    PatientTarget,
    ReferenceRange,
    TableMapping,
)
from tracker.models.setting import PROTOCOL_LINE
from tracker.operations import attachments, codes, configure, enrol, entry, jobs, settings, targets
from tracker.operations.actor import Actor
from tracker.queries.codes import SenderTest

PASSWORD = "seven wet herons wade"
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # quick, and for nobody's real password
SEEDED = datetime(2026, 2, 9, 9, 0, tzinfo=UTC)
STARTED = date(2026, 1, 12)

# user name: (name, role, clinic)
PEOPLE = {
    "alice": ("Alice Archer", "clinician", "A"),
    "bob": ("Bob Birch", "recorder", "A"),
    "carol": ("Carol Crane", "admin", "A"),
    "dan": ("Dan Dale", "auditor", "A"),
    "mallory": ("Mallory Moor", "clinician", "B"),
}
BY_ROLE = {"recorder": "bob", "clinician": "alice", "admin": "carol", "auditor": "dan"}
# code: (name, zone, who records there, the patient's family name); a family name is a canary for its clinic
CLINICS = {
    "A": ("Aspen Clinic", "Europe/Berlin", "alice", "Almondine"),
    "B": ("Beech Clinic", "America/New_York", "mallory", "Bilberrow"),
}


@dataclass(frozen=True, slots=True)
class Records:
    """The keys of one record of each kind at one clinic."""

    clinic: int
    patient: int
    course: int
    result: int
    flag: int
    event: int
    medication: int
    observation: int
    range: int
    setting: int
    job: int
    target: int
    mapping: int
    code_mapping: int
    batch: int
    held_row: int
    attachment: int
    access: int

    def url_values(self) -> dict[str, int]:
        """What the variables of an address are filled with: `{"patient_id": 1, "course_id": 1, …}`."""
        return {f"{field.name}_id": getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what there is: the keys of accounts by user name, and of the records of either clinic."""

    accounts: dict[str, int]
    a: Records
    b: Records


def seed(database: Database) -> Cast:
    """Put the people and the records into an empty, migrated database."""
    setup = Actor("setup", SEEDED, "cli")
    with database.transaction() as session:
        clinics = {code: configure.add_clinic(session, setup, code, told[0], told[1]) for code, told in CLINICS.items()}
        accounts = {
            username: add_account(session, username, name, role, clinics[code])
            for username, (name, role, code) in PEOPLE.items()
        }
        records = {
            code: _records(session, clinics[code], accounts[who], family)
            for code, (_, _, who, family) in CLINICS.items()
        }
    return Cast({username: row.id for username, row in accounts.items()}, records["A"], records["B"])


def add_account(session: Session, username: str, name: str, role: str, *clinics: Clinic) -> Account:
    """A person with PASSWORD who works at those clinics. Written plainly: a digest for each would be slow."""
    row = Account(username=username, name=name, role=role, password_hash=_stored(), created_at=SEEDED)
    session.add(row)
    session.flush()
    session.add_all(Membership(account_id=row.id, clinic_id=clinic.id) for clinic in clinics)
    session.flush()
    return row


def account(session: Session, username: str) -> Account:
    """The row of that person."""
    return session.scalars(select(Account).where(Account.username == username)).one()


@cache
def _stored() -> str:
    return WEAK.hash(PASSWORD)


def _records(session: Session, clinic: Clinic, who: Account, family: str) -> Records:
    actor = Actor(who.name, SEEDED, "form", who.id, who.role)
    patient = enrol.add_patient(
        session, actor, clinic.id,
        {"mrn": f"{family[:2].upper()}-0001", "family_name": family, "given_name": "Ida", "sex": "female",
         "birth_date": date(1988, 5, 17)},
    )  # fmt: skip
    course = enrol.add_course(
        session, actor, patient,
        {"protocol_id": "tofacitinib_us", "indication": "alopecia areata", "started_on": STARTED},
        (Decimal(5), 2),
    )  # fmt: skip
    infection = {"kind": "infection", "term": f"{family} rhinitis", "onset_on": date(2026, 2, 1)}
    return Records(
        clinic=clinic.id,
        patient=patient.id,
        course=course.id,
        event=enrol.add_event(session, actor, patient, infection).id,
        medication=enrol.add_medication(session, actor, patient, {"name": f"{family} remedy"}).id,
        observation=enrol.add_observation(session, actor, patient, STARTED, "weight_kg", "70").id,
        range=_draft(session, actor, clinic).id,
        attachment=attachments.attach(session, actor, patient, _report(family)).id,
        access=_emergency(session, patient, who),
        setting=_line(session, actor, clinic).id,
        job=jobs.ask(session, actor, clinic.id, jobs.JUDGE).id,
        target=_target(session, actor, patient).id,
        mapping=_mapping(session, clinic, who).id,
        code_mapping=_code(session, actor, clinic),
        **_panel(session, actor, patient, clinic),
        **_held_row(session, clinic, who, family),
    )


def _panel(session: Session, actor: Actor, patient: Patient, clinic: Clinic) -> dict[str, int]:
    """A neutrophil count below the limit of the label, and the flag it raised."""
    collected = read_moment("2026-02-09", ZoneInfo(clinic.time_zone))
    entry.save(session, actor, patient, [LabReading(patient.mrn, collected, "ANC", "0.46", "10*9/L")])
    result = session.scalars(select(LabResult.id).where(LabResult.patient_id == patient.id)).one()
    flags = select(Flag.id).where(Flag.patient_id == patient.id, Flag.rule == "action_limit").order_by(Flag.attention)
    flag = session.scalars(flags).first()
    assert flag is not None, "a neutrophil count of 0.46 raises a flag"
    return {"result": result, "flag": flag}


def _target(session: Session, actor: Actor, patient: Patient) -> PatientTarget:
    """A haemoglobin that is wanted of this patient."""
    wanted = targets.Wanted("HB", Decimal(11), True, None, True, "g/dL", "soon", STARTED, "heart failure")
    return targets.set_target(session, actor, patient, wanted, 0)


def _report(family: str) -> attachments.Sent:
    """A picture that is kept with the patient; of each clinic another one."""
    return attachments.Sent(png(family), "report.png", STARTED, f"{family} report")


def _draft(session: Session, actor: Actor, clinic: Clinic) -> ReferenceRange:
    """A range that waits for a second person."""
    reading = RangeReading("ANC", "10*9/L", STARTED, low=Decimal("1.5"), high=Decimal("7.7"))
    return configure.draft_range(session, actor, clinic.id, reading, "the laboratory's new method")


def _emergency(session: Session, patient: Patient, who: Account) -> int:
    """An alert that nobody has looked into; the hour is long over."""
    access = EmergencyAccess(
        account_id=who.id, patient_id=patient.id, clinic_id=patient.clinic_id, reason="found unconscious",
        opened_at=SEEDED, ends_at=SEEDED + timedelta(hours=1),
    )  # fmt: skip
    session.add(access)
    session.flush()
    return access.id


def _line(session: Session, actor: Actor, clinic: Clinic) -> ClinicSetting:
    """A line of a protocol that waits for a second person."""
    scope = "tofacitinib_us/tofa_us_anc_hold"
    told = settings.Proposal(PROTOCOL_LINE, scope, {"value": "1200"}, STARTED, "", f"caution at {clinic.name}")
    return settings.draft_setting(session, actor, clinic.id, told)


def _code(session: Session, actor: Actor, clinic: Clinic) -> int:
    """What a laboratory's code means."""
    test = SenderTest(f"{clinic.name} laboratory", "17", "Thrombo", "10*9/L")
    return codes.map_test(session, actor, clinic.id, test, "PLT", "by its list of tests")[0].id


def _mapping(session: Session, clinic: Clinic, who: Account) -> TableMapping:
    """How the tables of a laboratory are read."""
    row = TableMapping(
        clinic_id=clinic.id, name=f"{clinic.name} laboratory", header=f"digest of {clinic.code}", columns=["Patient"],
        body={"dates": "day first"}, number=1, saved_at=SEEDED, saved_by=who.id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _held_row(session: Session, clinic: Clinic, who: Account, family: str) -> dict[str, int]:
    """A row of a file that nobody could be found for."""
    batch = ImportBatch(
        clinic_id=clinic.id, filename=f"{family}.csv", format="labs", origin="upload", imported_at=SEEDED,
        imported_by=who.id, rows_in=1, unmatched=1,
    )  # fmt: skip
    session.add(batch)
    session.flush()
    held = HeldRow(
        clinic_id=clinic.id, batch_id=batch.id, mrn=f"{family[:2].upper()}-9999", kind="labs", row=2, content="{}",
        digest=family,
    )  # fmt: skip
    session.add(held)
    session.flush()
    return {"batch": batch.id, "held_row": held.id}
