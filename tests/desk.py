"""Patients for the tests of the desk (queue, review, timeline, due list), enrolled and judged as the pages do it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import event, select

from tests.people import Cast, add_account
from tracker.db import Database
from tracker.domain.readings import LabReading, Moment
from tracker.library.analytes import ANALYTES
from tracker.models import Account, Clinic, Course, Flag, Patient
from tracker.operations import enrol, entry
from tracker.operations.actor import Actor
from tracker.operations.evaluate import rejudge

SCREENED = {"IGRA": "negative", "HBSAG": "negative", "ANTIHBC": "negative", "ANTIHCV": "negative"}
HEALTHY = {
    "ANC": "4.1", "ALC": "1.9", "WBC": "6.5", "HB": "13.8", "PLT": "250", "ALT": "22", "AST": "21", "TBIL": "0.5",
    "ALP": "70", "CREAT": "0.8", "CHOL": "170", "LDL": "90", "HDL": "60", "TG": "90", "CK": "100",
}  # fmt: skip


class Desk:
    """Clinic A of tests/people.py, and patients added to it. Days are counted back from the day it is."""

    def __init__(self, database: Database, cast: Cast) -> None:
        self.database, self.cast = database, cast

    @property
    def today(self) -> date:
        return datetime.now(UTC).date()

    def ago(self, days: int) -> date:
        return self.today - timedelta(days=days)

    def actor(self, who: str = "bob") -> Actor:
        with self.database.reading() as session:
            account = session.scalars(select(Account).where(Account.username == who)).one()
            return Actor(account.name, datetime.now(UTC), "form", account.id, account.role)

    def colleague(self, username: str, role: str = "clinician") -> int:
        """Another person of clinic A."""
        with self.database.transaction() as session:
            clinic = session.get_one(Clinic, self.cast.a.clinic)
            return add_account(session, username, f"{username.title()} Ash", role, clinic).id

    def patient(
        self, mrn: str, family: str, *, started: int | None = 60, protocol: str = "tofacitinib_us",
        screened: bool = True, dose: tuple[str, int] = ("5", 2), **person: Any,
    ) -> int:  # fmt: skip
        """A man of 40 who started the drug `started` days ago (below 0: will), with the tests a start asks for."""
        details = {
            "mrn": mrn,
            "family_name": family,
            "given_name": "Kim",
            "sex": "male",
            "birth_date": date(1986, 2, 1),
        }
        actor = self.actor()
        with self.database.transaction() as session:
            row = enrol.add_patient(session, actor, self.cast.a.clinic, details | person)
            if started is not None:
                course = {"protocol_id": protocol, "indication": "alopecia areata", "started_on": self.ago(started)}
                enrol.add_course(session, actor, row, course, (Decimal(dose[0]), dose[1]))
            rejudge(session, actor, row)
            key = row.id
        if screened and started is not None:
            self.results(key, started + 7, **SCREENED)
            with self.database.transaction() as session:
                row = session.get_one(Patient, key)
                enrol.add_observation(session, actor, row, self.ago(started + 7), "zoster_vaccine", "complete")
                rejudge(session, actor, row)
        return key

    def results(self, patient_id: int, days_ago: int, *, hour: int = 6, **values: str) -> None:
        """A sample of that day, in the canonical units, entered by bob and judged."""
        on = self.ago(days_ago)
        moment = Moment(datetime.combine(on, time(hour), UTC), on, time_known=True)
        actor = self.actor()
        with self.database.transaction() as session:
            row = session.get_one(Patient, patient_id)
            readings = [
                LabReading(row.mrn, moment, code, value, ANALYTES[code].unit if code in ANALYTES else "ng/mL")
                for code, value in values.items()
            ]
            entry.save(session, actor, row, readings)

    def healthy(self, patient_id: int, days_ago: int, **values: str) -> None:
        """A whole panel in which nothing but `values` is remarkable."""
        self.results(patient_id, days_ago, **HEALTHY | values)

    def judge(self, patient_id: int, change: Callable[[Any, Actor, Patient], object]) -> None:
        """Change something about a patient and judge again, as a page does."""
        actor = self.actor()
        with self.database.transaction() as session:
            row = session.get_one(Patient, patient_id)
            change(session, actor, row)
            rejudge(session, actor, row)

    def flags(self, patient_id: int, **columns: Any) -> list[Flag]:
        """The flags of a patient with these values, the worst first."""
        with self.database.reading() as session:
            rows = session.scalars(select(Flag).where(Flag.patient_id == patient_id).order_by(Flag.attention, Flag.id))
            return [row for row in rows if all(getattr(row, name) == value for name, value in columns.items())]

    def flag(self, patient_id: int, **columns: Any) -> Flag:
        (found,) = self.flags(patient_id, **columns)
        return found

    def course(self, patient_id: int) -> Course:
        with self.database.reading() as session:
            row = session.scalars(select(Course).where(Course.patient_id == patient_id)).one()
            assert row.events is not None  # read while the session is open
            return row


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements the database is asked while the block runs."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
