"""Messages with mistakes in them, a small part of `python -m tests.real.mutated 30000`."""

from pathlib import Path
from random import Random

import pytest

from tests.real.mutated import OURS, figures_exchanged, models, mutated, trouble, unchanged


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_mutated_is_read_or_refused_in_a_sentence_and_never_another_value(seed: int) -> None:
    dice = Random(seed)
    for _ in range(250):
        content = mutated(OURS, dice)
        assert list(trouble(content)) == [], content


def test_a_figure_that_is_exchanged_comes_out_exchanged_or_is_refused() -> None:
    dice = Random(5)
    for _ in range(250):
        exchanged = figures_exchanged(OURS, dice)
        assert exchanged is not None
        assert unchanged(OURS, exchanged) == ""


def test_real_messages_with_mistakes(shared: Path) -> None:
    dice, given = Random(7), models(shared / "data" / "oru")
    assert len(given) > 200
    for _ in range(300):
        model = dice.choice(given)
        content = mutated(model, dice)
        assert list(trouble(content)) == [], content
        exchanged = figures_exchanged(model, dice)
        assert exchanged is None or unchanged(model, exchanged) == ""
