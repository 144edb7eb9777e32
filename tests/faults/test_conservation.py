"""Every row of a file is filed, on file already, in the tray or refused, and said to be so (R10)."""

import pytest

from tests.trust import conservation


@pytest.mark.parametrize("kind", conservation.FILES)
def test_every_row_of_a_file_is_where_it_belongs(kind: str) -> None:
    """No row, one, and so many that they are filed in two goes."""
    found = conservation.account((0, 1, 2001), (kind,))
    assert found.wrong == []
    assert found.rows >= 2002
