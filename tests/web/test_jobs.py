"""Long work on its pages: asked for, followed, stopped."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from tests.people import Cast, add_account
from tests.web.conftest import Browser
from tests.web.reading import soup, told, words
from tracker.cli.working import work_on
from tracker.db import Database
from tracker.models import Clinic
from tracker.operations import publishing

SignIn = Callable[[str], Browser]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 2, 20, 9, 0, tzinfo=UTC), tick=True):
        yield


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any clinic counts as large."""
    monkeypatch.setattr(publishing, "AT_ONCE", 0)


@pytest.fixture
def cora(database: Database, cast: Cast) -> str:
    """A second administrator of clinic A."""
    with database.transaction() as session:
        add_account(session, "cora", "Cora Cole", "admin", session.get_one(Clinic, cast.a.clinic))
    return "cora"


def test_a_preview_is_followed_to_its_end(sign_in: SignIn, database: Database, cora: str, cast: Cast) -> None:
    second = sign_in(cora)
    answer = second.post(f"/settings/{cast.a.setting}/preview", {"applies": "history"})
    page = answer.headers["Location"]
    assert "Waits for its turn." in words(second.get(page))
    assert "HX-Refresh" not in second.get(f"{page}/progress").headers
    work_on(database, 1, once=True)
    assert second.get(f"{page}/progress").headers["HX-Refresh"] == "true"
    shown = second.get(page)
    assert "What would change" in words(shown)
    assert f'href="/settings/{cast.a.setting}"' in shown.text


def test_publishing_says_where_the_judging_is_followed(sign_in: SignIn, cora: str, cast: Cast) -> None:
    second = sign_in(cora)
    answer = second.post(f"/settings/{cast.a.setting}/publish", {"applies": "history"})
    assert told(second.get(answer.headers["Location"])) == [
        "Published. Everybody is judged again in the background: see “Long work”."
    ]
    assert "Judging everybody again" in words(second.get("/jobs"))


def test_it_is_stopped_once(sign_in: SignIn, database: Database, cast: Cast) -> None:
    carol = sign_in("carol")
    page = carol.post("/jobs/judge").headers["Location"]
    assert carol.post(f"{page}/cancel").status_code == 303
    assert "Stopped after 0 patients." in words(carol.get(page))
    late = carol.post(f"{page}/cancel")
    assert late.status_code == 409
    assert "It has ended meanwhile." in words(late)


def test_a_preview_by_a_job_shows_the_coverage_and_says_when_it_is_outdated(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    carol, second = sign_in("carol"), sign_in(cora)
    men = {"analyte": "HB", "unit": "g/dL", "sex": "male", "low": "13.5", "effective_from": "2026-02-20",
           "source": "letter", "reason": "the new analyser"}  # fmt: skip
    first, tie = (
        carol.post("/ranges/new", men | {"age_from": start, "age_to": end}).headers["Location"]
        for start, end in (("20", "62"), ("18", "60"))
    )
    second.post(f"{first}/publish")
    job = second.post(f"{tie}/preview").headers["Location"]
    work_on(database, 1, once=True)
    shown = [words(soup(second.get(page)).select("section[aria-labelledby=mended-title]")[0]) for page in (job, tie)]
    assert "fine open HB, men, 20 to 59 years: two configured ranges fit equally" in shown[0]
    assert shown[0] == shown[1]
    assert "Something was published since" not in words(second.get(job))
    second.post(f"{tie}/publish")
    assert "Something was published since" in words(second.get(job))


def test_taking_back_is_looked_at_by_a_job_that_leads_to_the_version(
    sign_in: SignIn, database: Database, cora: str, cast: Cast
) -> None:
    second = sign_in(cora)
    second.post(f"/settings/{cast.a.setting}/publish", {"applies": "history"})
    job = second.post(f"/settings/{cast.a.setting}/take-back/preview").headers["Location"]
    work_on(database, 1, once=True)
    assert "What would change" in words(second.get(job))
    assert f'href="/settings/{cast.a.setting}"' in second.get(job).text
