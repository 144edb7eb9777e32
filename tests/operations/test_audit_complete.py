"""Every change leaves its entry, by whichever door: commands, files, decisions, passwords. An oracle counts along."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from sqlalchemy import select, text

from tests.operations.conftest import TODAY, ZONE, Desk
from tests.oracle import watching
from tests.pictures import png
from tracker.cli import tracker
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Account, Course, LabResult, Medication, Patient
from tracker.operations import accounts, attachments, configure, correction, enrol, review
from tracker.operations.review import Decision

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
FILES = {
    "patients.csv": "mrn,family_name,given_name,birth_date,sex\n00231,Aldana,M.,1992-02-03,female\n",
    "courses.csv": "mrn,protocol,indication,started_on,dose_mg,times_per_day\n"
    "00231,tofacitinib_us,alopecia areata,2026-01-10,5,2\n",
    "results.csv": "mrn,collected_at,analyte,value,unit,accession\n00231,2026-01-05,ANC,3.1,10*9/L,A0\n"
    "00231,2026-03-01,ANC,0.46,10*9/L,A1\n99999,2026-03-01,ANC,0.46,10*9/L,A2\n",
}


def _command(desk: Desk, *arguments: str) -> None:
    environment = {"TRACKER_DATABASE_URL": desk.database.url, "TRACKER_NEW_PASSWORD": "seven wet herons wade"}
    outcome = CliRunner().invoke(tracker, arguments, env=environment)
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)


def by_command(desk: Desk, tmp_path: Path) -> None:
    _command(desk, "user", "add", "erin", "--name", "Erin Elm", "--role", "clinician")
    _command(desk, "user", "disable", "erin")
    _command(desk, "evaluate", "--all")


def by_file(desk: Desk, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    _command(desk, "import", str(tmp_path))
    (tmp_path / "results.csv").write_text(FILES["results.csv"].replace("0.46", "0.44"))
    _command(desk, "import", str(tmp_path / "results.csv"))


def by_bedside(desk: Desk, tmp_path: Path) -> None:
    with desk.database.transaction() as session:
        patient, nurse = session.get_one(Patient, desk.patient_id), desk.nurse
        drug = enrol.add_medication(session, nurse, patient, {"name": "fluconazole"})
        enrol.add_observation(session, nurse, patient, date(2026, 2, 1), "weight_kg", "70")
        enrol.add_event(session, nurse, patient, {"kind": "infection", "term": "cold", "onset_on": date(2026, 2, 1)})
        drug_id = drug.id
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        enrol.correct(
            session, desk.nurse, session.get_one(Medication, drug_id), {"name": "itraconazole"}, patient=patient,
            reason="read wrongly",
        )  # fmt: skip
        enrol.void(session, desk.nurse, session.get_one(Medication, drug_id), patient=patient, reason="not hers")


def by_attachment(desk: Desk, tmp_path: Path) -> None:
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        sent = attachments.Sent(png(), "report.png", date(2026, 3, 1))
        row = attachments.attach(session, desk.nurse, patient, sent)
        attachments.void(session, desk.nurse, row, patient=patient, reason="another patient's")


def by_correction(desk: Desk, tmp_path: Path) -> None:
    desk.labs(("ANC", "0.4", "10*9/L", "2026-03-01"), ("HB", "13.0", "g/dL", "2026-03-01"))
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        first, second = session.scalars(select(LabResult).order_by(LabResult.id))
        reading = LabReading("0001", read_moment("2026-03-01", ZONE), "ANC", "0.44", "10*9/L")
        correction.correct(session, desk.doctor, patient, first, reading, "misread by us", True)
        correction.void(session, desk.doctor, patient, second, "another patient's")


def by_decision(desk: Desk, tmp_path: Path) -> None:
    desk.labs(("ANC", "0.46", "10*9/L", "2026-03-01"), ("ANC", "0.45", "10*9/L", "2026-03-10"))
    flag = desk.flag("action_limit", "ANC")
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        decision = Decision("hold", "neutropenia, confirmed", on=TODAY)
        review.decide(session, desk.doctor, patient, {flag.id: flag.version}, decision, TODAY)


def by_treatment(desk: Desk, tmp_path: Path) -> None:
    with desk.database.transaction() as session:
        patient = session.get_one(Patient, desk.patient_id)
        course = session.scalars(select(Course)).one()
        details = {"on": date(2026, 2, 1), "kind": "dose", "dose_mg": Decimal(5), "times_per_day": 1}
        enrol.add_course_event(session, desk.doctor, patient, course, details)
        enrol.stop_course(session, desk.doctor, patient, course, TODAY, "hair grew back")


def by_password(desk: Desk, tmp_path: Path) -> None:
    with desk.database.transaction() as session:
        account = session.scalars(select(Account).where(Account.username == "dora")).one()
        accounts.change_password(session, desk.doctor, account, "four grey geese graze", WEAK)


def by_configuring(desk: Desk, tmp_path: Path) -> None:
    with desk.database.transaction() as session:
        configure.add_clinic(session, desk.doctor, "rheum", "Rheumatology")


DOORS = [
    by_command, by_file, by_bedside, by_attachment, by_correction, by_decision, by_treatment, by_password,
    by_configuring,
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_change_has_its_entry(desk: Desk, tmp_path: Path, door: Callable[[Desk, Path], None]) -> None:
    with watching() as oracle:
        door(desk, tmp_path)
    assert oracle.changes > 0
    assert oracle.unaudited == []


def test_the_oracle_sees_a_change_without_an_entry(desk: Desk) -> None:
    with watching() as oracle, desk.database.transaction() as session:
        session.get_one(Patient, desk.patient_id).sex = "male"
    assert sorted(oracle.unaudited) == [f"patient {desk.patient_id}", "patient by statement"]
    with watching() as oracle, desk.database.transaction() as session:
        session.execute(text("UPDATE lab_result SET unit = 'g/L'"))
    assert oracle.unaudited == ["lab_result by statement"]
