"""Long work: a large clinic's preview and judging, done beside the server, told of, stopped, taken up again."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.operations.conftest import Desk
from tracker.cli import tracker
from tracker.cli.working import work_on
from tracker.domain.errors import Stale
from tracker.models import ClinicSetting, Job, Patient
from tracker.models.setting import PROTOCOL_LINE
from tracker.operations import jobs, publishing
from tracker.operations.publishing import BACK_FILL
from tracker.operations.settings import Proposal, draft_setting
from tracker.operations.trial import Preview

JANUARY = date(2026, 1, 1)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any clinic counts as large."""
    monkeypatch.setattr(publishing, "AT_ONCE", 0)


@pytest.fixture
def key(desk: Desk) -> int:
    """A stricter ANC limit since January, drafted; an ANC that it would catch is on file."""
    desk.labs(("ANC", "1.1", "10*9/L", "2026-03-10"))
    with desk.database.transaction() as session:
        told = Proposal(PROTOCOL_LINE, "tofacitinib_us/tofa_us_anc_hold", {"value": "1200"}, JANUARY, "", "two cases")
        return draft_setting(session, desk.doctor, desk.clinic_id, told).id


def the_job(desk: Desk) -> Job:
    with desk.database.reading() as session:
        return session.scalars(select(Job).order_by(Job.id.desc()).limit(1)).one()


def publish(desk: Desk, key: int) -> Any:
    with desk.database.transaction(alone=True) as session:
        return publishing.publish(session, desk.second, [session.get_one(ClinicSetting, key)], BACK_FILL)


def at_the_clinics_limit(desk: Desk) -> int:
    return sum(flag.entry == "tofa_us_anc_hold" and flag.machine == "open" for flag in desk.flags())


def test_a_preview_by_a_job_says_what_one_on_the_page_says(desk: Desk, key: int) -> None:
    with desk.database.transaction() as session:
        draft = session.get_one(ClinicSetting, key)
        planned = publishing.plan(session, desk.second, [draft], BACK_FILL)
        on_the_page = publishing.preview(session, desk.second, desk.clinic_id, planned)
        publishing.ask_for_preview(session, desk.second, desk.clinic_id, planned)
    assert work_on(desk.database, 1, once=True) == 1
    job = the_job(desk)
    assert (job.state, job.done, job.total) == ("done", 1, 1)
    assert job.result is not None
    assert Preview.from_json(job.result) == on_the_page
    assert on_the_page.count("opened") == 1


def test_a_large_clinic_is_judged_after_the_publication(desk: Desk, key: int, large: None) -> None:
    assert publish(desk, key) is None
    assert at_the_clinics_limit(desk) == 0
    assert work_on(desk.database, 1, once=True) == 1
    assert at_the_clinics_limit(desk) == 1
    assert the_job(desk).state == "done"


def test_two_publications_before_the_worker_came_are_one_job(desk: Desk, key: int, large: None) -> None:
    publish(desk, key)
    with desk.database.transaction(alone=True) as session:
        publishing.roll_back(session, desk.second, session.get_one(ClinicSetting, key))
    assert work_on(desk.database, 1, once=True) == 1
    assert at_the_clinics_limit(desk) == 0


def test_what_a_worker_left_is_taken_up_by_the_next(desk: Desk, key: int, large: None) -> None:
    publish(desk, key)
    now = datetime.now(UTC)
    with desk.database.transaction() as session:
        held = jobs.take(session, "one that was killed", now - 2 * jobs.LEASE)
        assert held is not None
    assert work_on(desk.database, 1, once=True) == 1
    assert at_the_clinics_limit(desk) == 1
    with desk.database.transaction() as session:
        assert not jobs.proceed(session, held.id, "one that was killed", now, 1, 1)


def test_a_worker_that_is_seen_keeps_its_job(desk: Desk, key: int, large: None) -> None:
    publish(desk, key)
    now = datetime.now(UTC)
    with desk.database.transaction() as session:
        assert jobs.take(session, "first", now) is not None
        assert jobs.take(session, "second", now + jobs.LEASE - timedelta(seconds=1)) is None


def test_a_cancelled_job_is_left_alone_and_is_cancelled_once(desk: Desk, key: int, large: None) -> None:
    publish(desk, key)
    with desk.database.transaction() as session:
        jobs.cancel(session, desk.second, session.scalars(select(Job)).one())
    assert work_on(desk.database, 1, once=True) == 0
    assert at_the_clinics_limit(desk) == 0
    with pytest.raises(Stale, match="ended meanwhile"), desk.database.transaction() as session:
        jobs.cancel(session, desk.second, session.scalars(select(Job)).one())


def test_who_judging_did_not_reach_is_told_by_the_digest(desk: Desk, key: int, large: None) -> None:
    """Broken off and asked for again, judging goes on with those who are left, and with nobody else."""
    publish(desk, key)
    environment = {"TRACKER_DATABASE_URL": desk.database.url}
    told = CliRunner().invoke(tracker, ["evaluate", "--all", "--stale", "--json"], env=environment)
    assert '"patients": 1' in told.stdout
    with desk.database.reading() as session:
        judged = session.get_one(Patient, desk.patient_id).judged_at
    again = CliRunner().invoke(tracker, ["evaluate", "--all", "--stale", "--json"], env=environment)
    assert '"patients": 0' in again.stdout
    with desk.database.reading() as session:
        assert session.get_one(Patient, desk.patient_id).judged_at == judged
