"""A disk that fails or is full while somebody works (R4, R5). `make trust` tries many more points."""

import errno
import shutil
from collections.abc import Iterator

import pytest

from tests.trust import failing, full
from tests.trust.clients import NOTHING, STORED, UNKNOWN
from tests.trust.failing import Outcome, Workload
from tests.trust.orders import WRITE

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="a C compiler builds the failing disk; none is here")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    with failing.workload(tmp_path_factory.mktemp("disk")) as ready:
        yield ready


def test_a_call_that_fails_loses_nothing_and_is_told(work: Workload) -> None:
    outcome = failing.failing(work, 2, ("import",))
    assert outcome.wrong == []
    assert (outcome.tries, outcome.met) == (8, 8)


def test_a_full_disk_loses_nothing_shows_pages_and_is_left_behind(work: Workload) -> None:
    outcome = full.refused(work, range(2), ("entry", "import"))
    assert outcome.wrong == []
    assert (outcome.met, outcome.said[STORED]) == (4, 0)


def test_what_is_lost_or_denied_would_be_seen(work: Workload) -> None:
    told = work.attempt(case="entry", orders=(WRITE, 0, errno.EIO, 0))
    assert told["said"] in (NOTHING, UNKNOWN)
    seen = Outcome()
    failing.look(work, "entry", told | {"said": STORED}, "forged", seen)
    assert seen.wrong == ["forged: lost"]
    told = work.attempt(case="entry")
    failing.look(work, "entry", told | {"said": NOTHING}, "forged", seen)
    assert seen.wrong[1:] == ["forged: stored and denied"]
