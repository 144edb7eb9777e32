"""Whose a row is, where several clinics are meant."""

import io

from sqlalchemy import func, select

from tests.operations.conftest import NOW, ZONE, Desk
from tracker import formats
from tracker.models import Clinic, LabResult
from tracker.operations import configure, enrol
from tracker.operations.actor import Actor
from tracker.operations.importing import Importer, Report

OPERATOR = Actor("operator", NOW, "import")


def file(desk: Desk, *tables: str) -> list[Report]:
    """Import tables together, for all clinics."""
    with desk.database.transaction() as session:
        clinics = list(session.scalars(select(Clinic).order_by(Clinic.id)))
        importer = Importer(session, OPERATOR, clinics, may_configure=True)
        sources = [formats.read("a.csv", io.BytesIO(table.encode()), ZONE) for table in tables]
        return [importer.file("a.csv", source.format, source.kind, source.rows) for source in sources]


def test_a_number_of_two_clinics_is_nobodys_even_where_one_was_enrolled_just_now(desk: Desk) -> None:
    """Who is meant is not guessed: whether a patient came with the same files or a day before makes no difference."""
    with desk.database.transaction() as session:
        other = configure.add_clinic(session, OPERATOR, "eye", "Eye clinic")
        enrol.add_patient(session, OPERATOR, other.id, {"mrn": "77", "family_name": "Another"})
    anc = "mrn,collected_at,analyte,value,unit\n77,2026-03-01,ANC,0.4,10*9/L\n"
    patients, results = file(desk, "mrn,clinic,sex\n77,derm,female\n", anc)
    assert (patients.filed, results.filed, results.unmatched) == (1, 0, 1)
    assert "2 clinics have that number" in results.problems[0].message
    with desk.database.reading() as session:
        assert session.scalar(select(func.count(LabResult.id))) == 0
