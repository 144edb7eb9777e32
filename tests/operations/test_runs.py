"""A long import is stored in parts: whatever breaks it off, the same files go on, and it ends as one at once does."""

import gzip
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, select

from tests.operations.conftest import NOW
from tracker import formats
from tracker.cli.copies import describe
from tracker.cli.filing import Filed, Filing, dry, file_all
from tracker.db import Database
from tracker.domain.errors import Stale
from tracker.formats.shelves import Shelves
from tracker.models import (
    Account,
    AuditEntry,
    Clinic,
    Flag,
    HeldRow,
    ImportBatch,
    ImportProblem,
    ImportRun,
    LabResult,
    Patient,
)
from tracker.models.setting import PROTOCOL_LINE
from tracker.operations import accounts, configure, publishing, runs
from tracker.operations.actor import Actor
from tracker.operations.audit import first_bad_entry
from tracker.operations.settings import Proposal, draft_setting
from tracker.operations.undo import undo

OPERATOR = Actor("operator", NOW, "import")
PEOPLE = range(100, 112)
DAYS = ("2026-01-04", "2026-02-01", "2026-03-01")


def patients() -> str:
    return "mrn,birth_date,sex\n" + "".join(f"{mrn},1980-02-03,female\n" for mrn in PEOPLE)


def courses() -> str:
    head = "mrn,protocol,started_on,dose_mg,times_per_day\n"
    return head + "".join(f"{mrn},tofacitinib_us,2026-01-05,5,2\n" for mrn in PEOPLE)


def results() -> str:
    """By day, as a laboratory sends them; with a correction before what it corrects, and what cannot be filed."""
    rows = ["mrn,collected_at,analyte,value,unit,accession,status", "104,2026-03-01,HB,9.9,g/dL,X,corrected"]
    for day in DAYS:
        for mrn in PEOPLE:
            low = mrn % 4 == 0 and day > "2026-01"
            rows.append(f"{mrn},{day},ANC,{'0.45' if low else '3.1'},10*9/L,,")
            rows.append(f"{mrn},{day},HB,13.1,g/dL,,")
    rows += ["104,2026-03-01,HB,12.2,g/dL,X,final", "105,2026-02-01,HB,13.1,g/dL,,", "", ",,,,,,"]
    rows += ["999,2026-02-01,HB,13.1,g/dL,,", "106,2026-02-31,HB,13.1,g/dL,,", "107,2026-02-01,ODD,5,U/L,,"]
    rows += ["108,2026-02-01,ODD,5,U/L,,", "no row,,,,,,,,", '109,"2026-02-01,HB,1,,,']
    return "\n".join(rows) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "files"
    found.mkdir()
    for name, content in (("courses", courses()), ("patients", patients()), ("results", results())):
        (found / f"{name}.csv").write_text(content)
    return found


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PART", 10)


def go(database: Database, folder: Path, few: int = 0, told: Callable[[int], bool] = lambda rows: True) -> Filed:
    """Import the folder, in parts where it has more than a few rows."""
    with Shelves(few) as shelves:
        take(shelves, folder)
        return file_all(database, shelves, Filing(lambda: OPERATOR, may_configure=True), "", told)


def take(shelves: Shelves, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            shelves.take(path.name, path.name, formats.read(path.name, stream, ZoneInfo("UTC")))


AT_ONCE = 1 << 20
LINE = "tofacitinib_us/tofa_us_anc_hold"


def told_of(database: Database) -> dict[str, Any]:
    """All that an import leaves, but for numbers and instants."""
    flag = (Flag.rule, Flag.subject, Flag.entry, Flag.machine, Flag.review, Flag.attention, Flag.severity, Flag.grade,
            Flag.opened_on, Flag.cleared_on, Flag.sentence, Flag.superseded)  # fmt: skip
    lab = (LabResult.subject, LabResult.collected_at, LabResult.figure, LabResult.unit, LabResult.accession,
           LabResult.status, LabResult.retired_reason, LabResult.range_id)  # fmt: skip
    said = (ImportProblem.row, ImportProblem.column, ImportProblem.message)
    batch = ImportBatch
    with database.reading() as session:
        return {
            "flags": rows(session.execute(select(Patient.mrn, *flag).join(Flag, Flag.patient_id == Patient.id))),
            "results": rows(session.execute(select(Patient.mrn, *lab).join(LabResult))),
            "said": rows(session.execute(select(batch.filename, *said).where(batch.id == ImportProblem.batch_id))),
            "waiting": rows(session.execute(select(HeldRow.mrn, HeldRow.row, HeldRow.state))),
            "account": rows(session.execute(select(
                batch.filename, batch.rows_in, batch.filed, batch.duplicate, batch.unmatched, batch.refused
            ))),
        }  # fmt: skip


def rows(found: Any) -> list[str]:
    return sorted(map(str, found))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A clinic without anybody."""
    opened = prepared(database_url)
    yield opened
    opened.close()


def prepared(url: str) -> Database:
    opened = Database(url)
    with opened.transaction() as session:
        operator = replace(OPERATOR, at=NOW - timedelta(days=90))
        clinic = configure.add_clinic(session, operator, "derm", "Dermatology")
        for name in ("dora", "dan"):
            accounts.add_account(session, operator, name, name, "clinician", "correct horse battery", [clinic])
    return opened


@pytest.fixture
def expected(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, folder: Path) -> dict[str, Any]:
    """What the same files leave when they are stored in one transaction."""
    copy = tmp_path_factory.mktemp("at-once") / "at-once.db"
    shutil.copyfile(sqlite_template, copy)
    opened = prepared(f"sqlite:///{copy}")
    go(opened, folder, AT_ONCE)
    found = told_of(opened)
    opened.close()
    assert found["account"] == [
        "('courses.csv', 12, 12, 0, 0, 0)", "('patients.csv', 12, 12, 0, 0, 0)", "('results.csv', 81, 76, 1, 1, 3)",
    ]  # fmt: skip
    return found


def the_run(database: Database) -> ImportRun:
    with database.reading() as session:
        return session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(1)).one()


def adds_up_and_nobody_is_there_in_part(database: Database) -> None:
    """So far: the accounts hold what was dealt with, and whoever is on record has all results and their flags."""
    with database.reading() as session:
        run = session.scalars(select(ImportRun)).one()
        assert session.scalar(select(func.sum(ImportBatch.rows_in))) == run.stored
        held = session.execute(
            select(Patient.mrn, func.count(LabResult.id), Patient.judged_at.is_not(None))
            .outerjoin(LabResult).group_by(Patient.id)
        ).all()  # fmt: skip
        assert all(count >= 2 * len(DAYS) and judged for _, count, judged in held), held
        low = {mrn for mrn, *_ in held if int(mrn) % 4 == 0}
        flagged = select(Patient.mrn).join(Flag).where(Flag.rule == "action_limit", Flag.subject == "ANC")
        assert set(session.scalars(flagged)) == low
        assert first_bad_entry(session) is None


# ---------------------------------------------------------------------------------------------- to the end


def test_in_parts_it_leaves_what_it_leaves_at_once(database: Database, folder: Path, expected: dict[str, Any]) -> None:
    stored = []

    def told(rows: int) -> bool:
        stored.append(rows)
        if rows:
            adds_up_and_nobody_is_there_in_part(database)
        return True

    filed = go(database, folder, told=told)
    assert len(stored) > 5
    assert stored[-1] == 105
    assert told_of(database) == expected
    assert (filed.left, filed.before, the_run(database).state) == (0, 0, "complete")
    (report,) = [one for one in filed.reports if one.path == "results.csv"]
    assert (report.rows_in, report.filed, report.duplicate, report.unmatched, report.refused) == (81, 76, 1, 1, 3)
    assert "“ODD” is not a test Jakwatch knows: 2 rows are kept" in " ".join(p.message for p in report.problems)


def test_the_last_word_on_a_sample_stands_however_its_number_is_spaced(database: Database, folder: Path) -> None:
    head = "mrn,collected_at,analyte,value,unit,accession,status\n"
    twice = "104 ,2026-03-02,HB,9.9,g/dL,Y,corrected\n104,2026-03-02,HB,12.2,g/dL,Y,corrected\n"
    (folder / "later.csv").write_text(head + twice)
    go(database, folder)
    with database.reading() as session:
        standing = select(LabResult.figure).where(LabResult.accession == "Y", LabResult.retired_at.is_(None))
        assert [str(figure) for figure in session.scalars(standing)] == ["12.2"]


def test_the_same_files_again_are_duplicates(database: Database, folder: Path) -> None:
    go(database, folder)
    before = told_of(database)
    filed = go(database, folder)
    assert [one.filed for one in filed.reports] == [0, 0, 0]
    after = told_of(database)
    assert (after["flags"], after["results"], after["waiting"]) == (
        before["flags"],
        before["results"],
        before["waiting"],
    )


def test_a_dry_run_counts_the_same_and_stores_nothing(
    database: Database, folder: Path, expected: dict[str, Any]
) -> None:
    with database.engine.connect() as connection:
        before = describe(connection)
    with Shelves(0) as shelves:
        take(shelves, folder)
        filed = dry(database, shelves, Filing(lambda: OPERATOR, may_configure=True))
    with database.engine.connect() as connection:
        assert describe(connection) == before
    accounts = [(r.path, r.rows_in, r.filed, r.duplicate, r.unmatched, r.refused) for r in filed.reports]
    assert rows(accounts) == expected["account"]
    assert filed.flags == go(database, folder).flags


# ---------------------------------------------------------------------------------------------- broken off


class Fault(Exception):
    """What went wrong."""


@contextmanager
def failing(database: Database, number: int) -> Iterator[None]:
    """After so many statements the database fails."""
    left = [number]

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        left[0] -= not statement.startswith(("PRAGMA", "BEGIN"))
        if left[0] == 0:
            raise Fault

    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(database.engine, "after_cursor_execute", after)


def test_a_fault_anywhere_leaves_whole_parts_and_it_goes_on(
    database: Database, folder: Path, expected: dict[str, Any]
) -> None:
    faults, stored = 0, set()
    for number in count(7, 41):
        with failing(database, number):
            try:
                go(database, folder)
                break
            except Fault:
                faults += 1
        with database.reading() as session:
            begun = session.scalars(select(ImportRun)).one_or_none()
        if begun is not None:
            stored.add(begun.stored)
            adds_up_and_nobody_is_there_in_part(database)
    assert faults > 3
    assert len(stored) > 2, "it went on from several places"
    assert told_of(database) == expected


def killed_at(url: str, folder: Path, number: int) -> None:
    """Import, and be killed as soon as so many parts' results have been sent to the database."""
    runs.PART = 10
    database, seen = Database(url), [0]

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen[0] += statement.startswith("INSERT INTO lab_result")
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.engine, "after_cursor_execute", after)
    go(database, folder)


@pytest.mark.parametrize("number", [1, 4])
def test_killed_within_a_part_it_goes_on(
    database: Database, database_url: str, folder: Path, expected: dict[str, Any], number: int
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=killed_at, args=(database_url, folder, number))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    adds_up_and_nobody_is_there_in_part(database)
    assert the_run(database).state == "running"
    filed = go(database, folder)
    assert (filed.before > 0, filed.left) == (number > 1, 0)
    assert told_of(database) == expected


# ---------------------------------------------------------------------------------------------- stopped, taken up


def stopped_after(parts: int) -> Callable[[int], bool]:
    seen: list[int] = []

    def told(rows: int) -> bool:
        seen.append(rows)
        return len(seen) <= parts

    return told


def test_stopped_it_says_what_is_left_and_goes_on(database: Database, folder: Path, expected: dict[str, Any]) -> None:
    first = go(database, folder, told=stopped_after(2))
    run = the_run(database)
    assert run.state == "stopped"
    assert 0 < first.left == 105 - run.stored
    assert sum(one.rows_in for one in first.reports) == run.stored
    adds_up_and_nobody_is_there_in_part(database)
    second = go(database, folder, told=stopped_after(1))
    assert second.before == run.stored
    assert 0 < second.left < first.left
    third = go(database, folder)
    assert (third.left, told_of(database)) == (0, expected)
    with database.reading() as session:
        told = select(AuditEntry.action).where(AuditEntry.record == "import_run").order_by(AuditEntry.id)
        assert list(session.scalars(told)) == ["create", "stop", "resume", "stop", "resume"]
        assert session.scalar(select(func.count(ImportBatch.id))) == 3


def test_whoever_takes_it_up_owns_it(database: Database, folder: Path, expected: dict[str, Any]) -> None:
    told = [lambda: go(database, folder), lambda: None]

    def another_does_it(rows: int) -> bool:
        if rows and len(told) > 1:
            told.pop(0)()
        return True

    with pytest.raises(Stale, match="Somebody else has taken up this import"):
        go(database, folder, told=another_does_it)
    assert told_of(database) == expected


# ---------------------------------------------------------------------------------------------- undone


def take_back(database: Database) -> None:
    with database.transaction() as session:
        for batch in session.scalars(select(ImportBatch).order_by(ImportBatch.id.desc())).all():
            undo(session, OPERATOR, batch, "the wrong laboratory")


def in_force(database: Database) -> tuple[int, int]:
    """Results in force, and open flags about a result."""
    with database.reading() as session:
        labs = session.scalar(select(func.count(LabResult.id)).where(LabResult.retired_at.is_(None))) or 0
        flagged = select(func.count(Flag.id)).where(Flag.rule == "action_limit", Flag.machine == "open")
        return labs, session.scalar(flagged) or 0


@pytest.mark.parametrize("whole", [True, False])
def test_it_is_undone_whole_or_as_far_as_it_came(database: Database, folder: Path, whole: bool) -> None:
    go(database, folder, told=stopped_after(99 if whole else 6))
    labs, flagged = in_force(database)
    assert labs > 20
    assert flagged > 0
    take_back(database)
    assert in_force(database) == (0, 0)


def test_undone_on_the_way_it_ends_and_begins_anew(database: Database, folder: Path, expected: dict[str, Any]) -> None:
    def undone_soon(rows: int) -> bool:
        if 30 < rows < 50:
            take_back(database)
        return True

    with pytest.raises(Stale, match="undone meanwhile"):
        go(database, folder, told=undone_soon)
    assert in_force(database) == (0, 0)
    filed = go(database, folder)
    assert (filed.before, filed.left) == (0, 0)
    results = [line for line in told_of(database)["results"] if "import undone" not in line]
    assert results == expected["results"]


def test_a_part_waits_for_an_undo_that_has_begun_and_stores_nothing(database: Database, folder: Path) -> None:
    halfway, undoing, ended = Event(), Event(), Event()

    def slowly(rows: int) -> bool:
        if rows > 30:
            halfway.set()
            undoing.wait(20)
        return True

    def import_it() -> None:
        try:
            go(database, folder, told=slowly)
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_it)
        assert halfway.wait(20)
        with database.transaction() as session:
            batch = session.scalars(select(ImportBatch).where(ImportBatch.filename == "results.csv")).one()
            undo(session, OPERATOR, batch, "the wrong laboratory")
            undoing.set()
            ended.wait(1)
        with pytest.raises(Stale, match="undone meanwhile"):
            importing.result(20)
    assert in_force(database) == (0, 0)


# ---------------------------------------------------------------------------------------------- what else happens


def test_a_limit_published_meanwhile_judges_what_is_stored_and_what_comes(database: Database, folder: Path) -> None:
    """Each part is judged by what is in force when it is stored; publishing judges again whoever is there."""

    def publish() -> None:
        with database.transaction(alone=True) as session:
            clinic = session.scalars(select(Clinic)).one()
            said = Proposal(PROTOCOL_LINE, LINE, {"value": "4000"}, date(2026, 1, 1), "two cases", "decided together")
            first, second = (
                replace(OPERATOR, account_id=person.id, role=person.role) for person in session.scalars(select(Account))
            )
            draft = draft_setting(session, first, clinic.id, said)
            publishing.publish(session, second, [draft], publishing.BACK_FILL)

    def halfway(rows: int) -> bool:
        if 40 < rows < 60:
            publish()
        return True

    go(database, folder, told=halfway)
    with database.reading() as session:
        flagged = select(Patient.mrn).join(Flag).where(Flag.rule == "action_limit", Flag.machine == "open")
        assert set(session.scalars(flagged)) == {str(mrn) for mrn in PEOPLE}


def test_a_file_that_breaks_off_is_known_to_before_anything_is_stored(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (folder / "results.csv").read_bytes() + b"999,2026-02-01,HB,13.1,g/dL,,\n" * 60_000
    (folder / "results.csv").write_bytes(gzip.compress(content, mtime=0)[:-12])
    monkeypatch.setattr(runs, "PART", 20_000)
    filed = go(database, folder)
    report = filed.reports[-1]
    assert report.rows_in == report.filed + report.duplicate + report.unmatched + report.refused
    assert any("breaks off before its end" in problem.message for problem in report.problems)
    assert the_run(database).state == "complete"
