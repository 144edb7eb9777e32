"""The service as in production, met over HTTP: killed while people work, and asked for the same twice (R2, R9).

`make trust` does both many more times, and on PostgreSQL.
"""

from tests.trust import again, kills
from tests.trust.service import running


def test_killed_while_people_work_it_loses_nothing_and_keeps_nothing_in_part() -> None:
    work, _speed = kills.killed("SQLite", len(kills.WAYS))
    assert work.passed, f"{work.found} {work.detail}"


def test_what_comes_twice_is_stored_once() -> None:
    with running("SQLite") as here:
        twice = again.Twice(here)
        for number in range(2):  # a lost answer, a button pressed twice
            twice.cycle(number)
    assert twice.wrong == []
    assert twice.tries == 2 * len(again.STORED)
