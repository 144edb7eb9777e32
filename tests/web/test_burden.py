"""The burden of the rules on its page, as a table, and on the page of each rule."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from tests.people import Cast
from tests.web.conftest import Browser
from tests.web.reading import words
from tracker.db import Database
from tracker.domain.burden import Burden
from tracker.models import Flag
from tracker.queries.burden import burdens

SignIn = Callable[[str], Browser]
NOW = datetime(2026, 2, 13, 9, 0, tzinfo=UTC)  # four days after the flags were raised


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


def test_a_flag_that_waits_for_four_days_is_late_until_somebody_decides(
    sign_in: SignIn, database: Database, cast: Cast
) -> None:
    def of(rule: str) -> Burden:
        with database.reading() as session:
            found = burdens(session, cast.a.clinic, NOW.date().replace(month=1), NOW.date(), NOW)
            return next(one for one in found.rules if one.rule == rule)

    before = of("action_limit")
    assert (before.late, before.waits) == (before.flags, [])
    with database.reading() as session:
        flag = session.get_one(Flag, cast.a.flag)
    answer = sign_in("alice").post(
        f"/patients/{cast.a.patient}/review",
        {"flag": f"{flag.id}:{flag.version}", "action": "no_action", "comment": "a known cause"},
    )
    assert answer.status_code == 303
    after = of("action_limit")
    assert len(after.waits) == 1
    assert 95 < after.waits[0].total_seconds() / 3600 < 97


def test_the_page_the_table_and_the_rule_say_the_same(sign_in: SignIn) -> None:
    alice = sign_in("alice")
    page = words(alice.get("/burden"))
    assert "Action limit of the protocol" in page
    header, *rows = alice.get("/burden.csv").text.splitlines()
    assert header.startswith("rule,flags,per_100_patient_months")
    rate = next(row for row in rows if row.startswith("action_limit,")).split(",")[2]
    assert rate in page
    assert f"{rate} per 100 patient-months" in words(alice.get("/rules/action_limit"))


def test_another_clinics_flags_are_not_counted(sign_in: SignIn, database: Database, cast: Cast) -> None:
    with database.reading() as session:
        mine = burdens(session, cast.b.clinic, NOW.date().replace(month=1), NOW.date(), NOW)
        months = mine.patient_months
    assert months == burdens_of(database, cast.a.clinic)
    assert sign_in("mallory").get("/burden?days=nonsense").status_code == 200


def burdens_of(database: Database, clinic: int) -> Decimal:
    with database.reading() as session:
        return burdens(session, clinic, NOW.date().replace(month=1), NOW.date(), NOW).patient_months
