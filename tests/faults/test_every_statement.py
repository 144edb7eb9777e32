"""A fault after any statement of a use case leaves the whole database as it was before: never a part of the work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tests.operations.conftest import TODAY, ZONE, Desk, desk
from tracker.cli.copies import describe
from tracker.db import Database
from tracker.domain.errors import OutcomeUnknown
from tracker.domain.readings import LabReading, Row, read_moment
from tracker.models import Clinic, Patient
from tracker.operations import entry, review
from tracker.operations.importing import Importer
from tracker.operations.review import Decision

__all__ = ["desk"]  # the fixture


class Fault(Exception):
    """What went wrong."""


def _readings(*told: tuple[str, str, str, str]) -> list[LabReading]:
    return [LabReading("0001", read_moment(day, ZONE), analyte, value, unit) for analyte, value, unit, day in told]


def record_a_panel(session: Session, desk: Desk) -> None:
    told = (("ANC", "0.4", "10*9/L", "2026-03-05"), ("HB", "7.1", "g/dL", "2026-03-05"))
    entry.save(session, desk.nurse, session.get_one(Patient, desk.patient_id), _readings(*told))


def decide_to_hold(session: Session, desk: Desk) -> None:
    flag = desk.flag("action_limit", "ANC")
    decision = Decision("hold", "neutropenia, confirmed", on=TODAY)
    patient = session.get_one(Patient, desk.patient_id)
    review.decide(session, desk.doctor, patient, {flag.id: flag.version}, decision, TODAY)


def import_a_file(session: Session, desk: Desk) -> None:
    importer = Importer(session, desk.nurse, [session.get_one(Clinic, desk.clinic_id)])
    rows = _readings(("ANC", "0.3", "10*9/L", "2026-03-06"), ("PLT", "40", "10*9/L", "2026-03-06"))
    unknown = LabReading("9999", read_moment("2026-03-06", ZONE), "ANC", "0.3", "10*9/L")
    importer.file("labs.csv", "csv", "results", [Row(number, row) for number, row in enumerate([*rows, unknown], 2)])
    importer.release()
    importer.judge()


USE_CASES = [record_a_panel, decide_to_hold, import_a_file]


@contextmanager
def statements(database: Database, fail_after: int | None = None, drop: bool = False) -> Iterator[list[str]]:
    """What the database is told in the block; after so many statements it fails, or its connection goes."""
    told: list[str] = []

    def after(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("PRAGMA", "BEGIN")):
            return
        told.append(statement)
        if len(told) == fail_after:
            if drop:
                connection.connection.dbapi_connection.close()
            else:
                raise Fault

    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield told
    finally:
        event.remove(database.engine, "after_cursor_execute", after)


def whole(database: Database) -> dict[str, Any]:
    with database.engine.connect() as connection:
        return describe(connection)


WAYS = [*((case, False) for case in USE_CASES), (record_a_panel, True)]


@pytest.mark.parametrize(
    ("use_case", "drop"), WAYS, ids=[f"{case.__name__}-{'drop' if drop else 'fault'}" for case, drop in WAYS]
)
def test_a_fault_after_any_statement_leaves_nothing_of_the_work(
    desk: Desk, use_case: Callable[[Session, Desk], None], drop: bool
) -> None:
    desk.labs(("ANC", "0.46", "10*9/L", "2026-03-01"), ("ANC", "0.45", "10*9/L", "2026-03-10"))
    database, before = desk.database, whole(desk.database)
    done, number = False, 0
    while not done:
        number += 1
        done = _try(desk, use_case, number, drop)
        assert done == (whole(database) != before), f"after statement {number}"
    assert number > 10
    assert whole(database)["tables"]["audit_entry"]["rows"] > before["tables"]["audit_entry"]["rows"]


def _try(desk: Desk, use_case: Callable[[Session, Desk], None], number: int, drop: bool) -> bool:
    """Do it as a page does, with a fault after so many statements; whether it was done, for want of so many."""
    try:
        with statements(desk.database, number, drop) as told, desk.database.transaction() as session:
            use_case(session, desk)
    except (Fault, SQLAlchemyError, OutcomeUnknown):
        return False
    return len(told) < number
