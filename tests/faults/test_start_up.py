"""Whatever would leave the system open or lose what it stored is refused at the start, in a sentence (R31)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trust import misconfigured
from tests.trust.misconfigured import refusal, settings
from tracker import create_app

Way = Callable[[Path], Iterator[tuple[str, str, str]]]


@pytest.mark.parametrize("way", [misconfigured.of_settings, misconfigured.of_sqlite, misconfigured.of_content])
def test_an_unsafe_set_up_is_not_started(way: Way, tmp_path: Path) -> None:
    for name, words, said in way(tmp_path):
        assert words in said, name
        assert len(said.splitlines()) == 1, f"{name}: nothing else is wrong"


def test_a_role_that_row_level_security_does_not_hold_for_is_refused(postgres_url: str) -> None:
    """The role of these tests is a superuser."""
    assert "without SUPERUSER and BYPASSRLS" in refusal(lambda: create_app(settings(TRACKER_DATABASE_URL=postgres_url)))


def test_a_safe_set_up_is_started(tmp_path: Path) -> None:
    url = misconfigured.made(tmp_path)
    assert refusal(lambda: create_app(settings(TRACKER_DATABASE_URL=url))) == ""
