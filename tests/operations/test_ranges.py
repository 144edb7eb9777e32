"""A range changes: which version judges which day, taking one back, and one outcome for every clash."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from threading import Event
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests.operations.conftest import NOW, TODAY, Desk
from tests.operations.ranges import FEBRUARY, MARCH, draft, judged, publish, published, reading, take_back
from tracker.domain.errors import NotAllowed, Refused, Stale
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Clinic, Patient, ReferenceRange
from tracker.operations import configure, entry, publishing
from tracker.operations.audit import first_bad_entry
from tracker.operations.publishing import BACK_FILL, FROM_TODAY

# ---------------------------------------------------------------------------------------------- taking back


def test_taken_back_the_version_before_it_judges_its_days_again(ada: Desk) -> None:
    published(ada, "13.0", FEBRUARY)
    second = published(ada, "13.5", MARCH)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "13.0", "2026-03-15": "13.5"}
    take_back(ada, second)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "13.0", "2026-03-15": "13.0"}


def test_of_a_line_with_no_version_of_the_clinics_before_it_the_starter_set_judges_again(ada: Desk) -> None:
    before = {flag.fingerprint: flag.machine for flag in ada.flags()}
    key = published(ada, "13.0", FEBRUARY)
    assert ada.flag("out_of_range", "HB").opened_on == date(2026, 2, 15)
    take_back(ada, key)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "12", "2026-03-15": "12"}
    assert {flag.fingerprint: flag.machine for flag in ada.flags() if not flag.superseded} == before


def test_a_line_the_starter_set_does_not_have_ends_and_is_passed_over(ada: Desk) -> None:
    key = published(ada, "13.0", FEBRUARY, sex="")
    with ada.database.reading() as session:
        assert session.get_one(ReferenceRange, key).sex == ""
    assert judged(ada)["2026-02-15"] == "13.0"
    take_back(ada, key)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "12", "2026-03-15": "12"}


def test_an_older_version_taken_back_leaves_the_later_one_in_force(ada: Desk) -> None:
    first = published(ada, "13.0", FEBRUARY)
    published(ada, "13.5", MARCH)
    take_back(ada, first)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "12", "2026-03-15": "13.5"}


def test_what_was_taken_back_is_not_taken_back_twice_and_stays_on_record(ada: Desk) -> None:
    key = published(ada, "13.0", FEBRUARY)
    take_back(ada, key)
    with pytest.raises(Stale, match="judges nothing any more"):
        take_back(ada, key)
    with ada.database.reading() as session:
        rows = session.scalars(select(ReferenceRange).where(ReferenceRange.effective_from == FEBRUARY))
        said = [(row.low, row.state, row.reason, row.published_by) for row in rows]
        assert said == [
            (Decimal("13.0"), "published", "analyser", ada.second.account_id),
            (None, "published", f"the version of {NOW:%Y-%m-%d} taken back", ada.nurse.account_id),
        ]
        assert first_bad_entry(session) is None


def test_taking_back_is_itself_taken_back(ada: Desk) -> None:
    key = published(ada, "13.0", FEBRUARY)
    take_back(ada, key)
    with ada.database.reading() as session:
        last = session.scalars(select(ReferenceRange.id).order_by(ReferenceRange.id.desc())).first()
    take_back(ada, last or 0)
    assert judged(ada)["2026-02-15"] == "13.0"


def test_a_line_of_the_starter_set_is_followed_and_not_taken_back(ada: Desk) -> None:
    with ada.database.reading() as session:
        starter = select(ReferenceRange.id).where(ReferenceRange.analyte == "HB", ReferenceRange.sex == "female")
        key = session.scalars(starter.where(ReferenceRange.clinic_id == ada.clinic_id)).one()
    with pytest.raises(Refused, match="starter set"):
        take_back(ada, key)


def test_after_it_was_taken_back_the_same_line_by_command_is_new(ada: Desk) -> None:
    with ada.database.transaction() as session:
        clinic = session.get_one(Clinic, ada.clinic_id)
        told = reading("13.0", FEBRUARY)
        assert configure.publish_range(session, ada.second, clinic, told) == "filed"
        assert configure.publish_range(session, ada.second, clinic, told._replace(low=Decimal("13"))) == "duplicate"
        key = session.scalars(select(ReferenceRange.id).where(ReferenceRange.effective_from == FEBRUARY)).one()
    take_back(ada, key)
    with ada.database.transaction() as session:
        clinic = session.get_one(Clinic, ada.clinic_id)
        assert configure.publish_range(session, ada.at(ada.second, 1), clinic, told) == "filed"


# ---------------------------------------------------------------------------------------------- clashes


def test_of_two_versions_of_one_day_the_one_published_last_judges(ada: Desk) -> None:
    """Whichever was drafted first."""
    first, second = draft(ada, "13.0"), draft(ada, "13.5")
    publish(ada, second)
    later = ada.at(ada.second, 0)
    with ada.database.transaction(alone=True) as session:
        actor = later.__class__(later.name, later.at + timedelta(seconds=1), later.origin, later.account_id, later.role)
        publishing.publish(session, actor, [session.get_one(ReferenceRange, first)], BACK_FILL)
    assert judged(ada)["2026-02-15"] == "13.0"


def test_a_draft_two_people_settle_is_settled_by_the_first(ada: Desk) -> None:
    key = draft(ada, "13.0")
    publish(ada, key)
    with pytest.raises(Stale, match="published meanwhile"):
        publish(ada, key)
    with pytest.raises(Stale, match="published meanwhile"), ada.database.transaction() as session:
        configure.withdraw_draft(session, ada.doctor, session.get_one(ReferenceRange, key))


def test_of_two_who_publish_and_withdraw_at_once_one_is_told(ada: Desk) -> None:
    key = draft(ada, "13.0")
    told: list[str] = []

    def attempt(act: Callable[[], object], word: str) -> None:
        try:
            act()
            told.append(word)
        except Stale as error:
            told.append(str(error))

    def withdraw() -> None:
        with ada.database.transaction() as session:
            configure.withdraw_draft(session, ada.doctor, session.get_one(ReferenceRange, key))

    run(lambda: attempt(lambda: publish(ada, key), "published"), lambda: attempt(withdraw, "withdrawn"))
    with ada.database.reading() as session:
        state = session.get_one(ReferenceRange, key).state
    assert sorted(told) == sorted([state, f"This draft was {state} meanwhile."])


def test_a_withdrawn_draft_is_not_published(ada: Desk) -> None:
    key = draft(ada, "13.0")
    with ada.database.transaction() as session:
        configure.withdraw_draft(session, ada.doctor, session.get_one(ReferenceRange, key))
    with pytest.raises(Stale, match="withdrawn meanwhile"):
        publish(ada, key)


def test_who_drafted_it_does_not_publish_it(ada: Desk) -> None:
    key = draft(ada, "13.0")
    with pytest.raises(NotAllowed), ada.database.transaction(alone=True) as session:
        publishing.publish(session, ada.doctor, [session.get_one(ReferenceRange, key)], BACK_FILL)


def test_a_version_dated_in_the_past_asks_and_then_applies_as_it_was_told(ada: Desk) -> None:
    key = draft(ada, "13.0")
    with pytest.raises(Refused, match="which has passed"):
        publish(ada, key, "")
    publish(ada, key, FROM_TODAY)
    assert judged(ada)["2026-03-15"] == "12"
    with ada.database.reading() as session:
        assert session.get_one(ReferenceRange, key).effective_from == TODAY


def test_a_range_is_published_while_an_import_runs(ada: Desk) -> None:
    """The import began first: the publication waits for it, and judges what it filed by the new range."""
    key = draft(ada, "13.0")
    filed, publishing_now = Event(), Event()

    def import_slowly() -> None:
        with ada.database.transaction() as session:
            patient = session.get_one(Patient, ada.patient_id)
            at = read_moment("2026-03-18", ZoneInfo("UTC"))
            entry.save(session, ada.nurse, patient, [LabReading("0001", at, "HB", "12.6", "g/dL")])
            filed.set()
            publishing_now.wait(5)

    def publish_meanwhile() -> None:
        filed.wait(5)
        publishing_now.set()
        publish(ada, key)

    run(import_slowly, publish_meanwhile)
    assert judged(ada)["2026-03-18"] == "13.0"


def test_an_import_that_comes_after_is_judged_by_the_new_range(ada: Desk) -> None:
    published(ada, "13.0")
    ada.labs(("HB", "12.6", "g/dL", "2026-03-18"))
    assert judged(ada)["2026-03-18"] == "13.0"


def run(*tasks: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result(20)
