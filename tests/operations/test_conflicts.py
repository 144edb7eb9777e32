"""Two people and one yardstick, at the same instant: each clash has one outcome, and it is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from tests.operations.conftest import Desk
from tests.operations.ranges import FEBRUARY, draft, judged, publish, published, take_back
from tracker.domain.errors import JakwatchError, NotAllowed
from tracker.domain.readings import LabReading, read_moment
from tracker.models import Account, Patient, ReferenceRange
from tracker.operations import entry, publishing
from tracker.operations.publishing import BACK_FILL

WENT_FIRST = "Something else was published meanwhile. Look again at what yours would change."


def seen(desk: Desk) -> str:
    with desk.database.reading() as session:
        return publishing.in_force(session, desk.clinic_id)


def attempts(*acts: Callable[[], object]) -> list[str]:
    """All of them at once; "" for who came through, the sentence for who did not."""

    def told(act: Callable[[], object]) -> str:
        try:
            act()
        except JakwatchError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(done.result(30) for done in [pool.submit(told, act) for act in acts])


def publish_as_seen(desk: Desk, key: int, digest: str) -> None:
    with desk.database.transaction(alone=True) as session:
        publishing.publish(session, desk.second, [session.get_one(ReferenceRange, key)], BACK_FILL, digest)


def test_of_two_who_publish_one_draft_at_once_one_is_told(ada: Desk) -> None:
    key = draft(ada, "13.0")
    assert attempts(*[lambda: publish(ada, key)] * 2) == ["", "This draft was published meanwhile."]
    assert judged(ada)["2026-02-15"] == "13.0"


def test_of_two_drafts_published_at_once_one_is_looked_at_again(ada: Desk) -> None:
    """Both were looked at before either was in force: the second publication rests on what is no longer so."""
    keys, before = (draft(ada, "13.0"), draft(ada, "13.5")), seen(ada)
    told = attempts(*[lambda key=key: publish_as_seen(ada, key, before) for key in keys])  # type: ignore[misc]
    assert told == ["", WENT_FIRST]
    with ada.database.reading() as session:
        states = sorted(session.get_one(ReferenceRange, key).state for key in keys)
    assert states == ["draft", "published"]


def test_what_another_line_changed_is_looked_at_again_too(ada: Desk) -> None:
    """The line of men is another one; the preview of the clinic's flags was made without it all the same."""
    key, before = draft(ada, "13.0"), seen(ada)
    published(ada, "14.5", sex="male")
    assert attempts(lambda: publish_as_seen(ada, key, before)) == [WENT_FIRST]
    assert attempts(lambda: publish_as_seen(ada, key, seen(ada))) == [""]


def test_of_two_who_take_one_version_back_at_once_one_is_told(ada: Desk) -> None:
    key = published(ada, "13.0")
    told = attempts(*[lambda: take_back(ada, key)] * 2)
    assert told == ["", "This version judges nothing any more: look at the one that took its place."]
    assert judged(ada)["2026-02-15"] == "12"


def test_an_import_that_begins_during_a_publication_waits_and_is_judged_by_it(ada: Desk) -> None:
    key, begun, filed = draft(ada, "13.0"), Event(), Event()

    def publish_slowly() -> None:
        with ada.database.transaction(alone=True) as session:
            publishing.publish(session, ada.second, [session.get_one(ReferenceRange, key)], BACK_FILL)
            begun.set()
            assert not filed.wait(0.5), "the import did not wait"

    def import_meanwhile() -> None:
        assert begun.wait(10)
        with ada.database.transaction() as session:
            patient = session.get_one(Patient, ada.patient_id)
            at = read_moment("2026-03-18", ZoneInfo("UTC"))
            entry.save(session, ada.nurse, patient, [LabReading("0001", at, "HB", "12.6", "g/dL")])
            filed.set()

    assert attempts(publish_slowly, import_meanwhile) == ["", ""]
    assert judged(ada)["2026-03-18"] == "13.0"


@pytest.mark.parametrize("lost", ["role", "account"])
@pytest.mark.parametrize("act", ["publish", "take back"])
def test_whoever_lost_their_role_while_they_waited_publishes_nothing(ada: Desk, lost: str, act: str) -> None:
    key = draft(ada, "13.0") if act == "publish" else published(ada, "13.0")
    person = ada.second if act == "publish" else ada.nurse
    with ada.database.transaction() as session:
        account = session.get_one(Account, person.account_id)
        account.role = "auditor" if lost == "role" else account.role
        account.disabled_at = person.utc + timedelta(seconds=1) if lost == "account" else None
    before = judged(ada)
    with pytest.raises(NotAllowed, match="Your account was changed meanwhile"):
        publish(ada, key) if act == "publish" else take_back(ada, key)
    assert judged(ada) == before
    with ada.database.reading() as session:
        assert session.get_one(ReferenceRange, key).state == ("draft" if act == "publish" else "published")


def test_a_draft_dated_before_a_later_version_judges_only_until_that_begins(ada: Desk) -> None:
    """A version dated in the past goes between the others: each sample is judged by the version of its day."""
    published(ada, "13.5", FEBRUARY + timedelta(days=28))
    published(ada, "13.0", FEBRUARY)
    assert judged(ada) == {"2026-01-15": "12", "2026-02-15": "13.0", "2026-03-15": "13.5"}
