"""What the work of people is held against sees what is lost, partial, denied, or stored without its flags."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.people import Cast, seed
from tests.trust.clients import NOTHING, STORED, UNKNOWN, Tried
from tests.trust.service import kept
from tracker.db import Database
from tracker.domain.readings import LabReading, Moment
from tracker.models import Patient
from tracker.operations import enrol, entry
from tracker.operations.actor import Actor

NOW = datetime.now(UTC)
ACTOR = Actor("somebody", NOW, "form")


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def cast(database: Database) -> Cast:
    return seed(database)


@pytest.fixture
def there(database: Database, cast: Cast) -> int:
    """A patient with one result of a panel of two."""
    with database.transaction() as session:
        details = {"mrn": "X-1", "family_name": "Trusty", "sex": "female", "birth_date": date(1990, 1, 1)}
        patient = enrol.add_patient(session, ACTOR, cast.a.clinic, details)
        moment = Moment(NOW - timedelta(days=1), (NOW - timedelta(days=1)).date(), time_known=True)
        reading = LabReading("X-1", moment, "ANC", "0.4", "10*9/L", accession="X-1-1")
        entry.save(session, ACTOR, patient, [reading])
        return patient.id


def test_what_is_as_it_was_told_is_no_fault(database: Database, cast: Cast, there: int) -> None:
    found = kept(database, cast, [Tried("patient", "X-1", STORED), Tried("patient", "X-2", NOTHING)])
    assert (found.faults, found.acknowledged, found.unanswered) == ("", 1, 1)


def test_each_kind_of_fault_is_seen(database: Database, cast: Cast, there: int) -> None:
    log = [Tried("patient", "X-2", STORED), Tried("panel", "X-1-1", UNKNOWN), Tried("patient", "X-1", NOTHING)]
    found = kept(database, cast, log)
    assert (found.lost, found.partial, found.denied) == (["patient X-2"], ["panel X-1-1 x 1"], ["patient X-1"])


def test_a_record_that_was_not_judged_is_seen(database: Database, cast: Cast, there: int) -> None:
    with database.transaction() as session:
        begun = {"protocol_id": "tofacitinib_us", "started_on": NOW.date() - timedelta(days=9)}
        enrol.add_course(session, ACTOR, session.get_one(Patient, there), begun)
    assert kept(database, cast, []).flags
