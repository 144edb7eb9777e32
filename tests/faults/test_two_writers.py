"""Two people change one record at the same moment, again and again (R8). `make trust` takes more of them."""

import pytest
from flask import Flask

from tests.people import Cast
from tests.trust import writers
from tests.trust.crawl import World
from tests.web.conftest import app, app_settings, cast, database
from tracker.db import Database

__all__ = ["app", "app_settings", "cast", "database"]  # the fixtures
PAIRS = {"sqlite": 40, "postgresql": 20}


@pytest.fixture
def world(app: Flask, database: Database, cast: Cast) -> World:
    return World(app, database, cast)


def test_of_two_who_correct_one_result_one_wins_and_the_other_is_told(world: World) -> None:
    pairs = PAIRS[world.database.engine.dialect.name]
    outcome = writers.contend(world, pairs)
    assert (outcome.pairs, outcome.wrong, outcome.lost) == (pairs, 0, 0), outcome.examples
