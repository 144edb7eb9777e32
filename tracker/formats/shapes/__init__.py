"""Tables of any shape: a proposal how one may be read, with questions for a person, and its rows once none is open.

proposal = proposed(grid, reader)
proposal.questions or Rows(proposal, zone)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracker.domain.errors import Refused
from tracker.formats.shapes.answers import Answers
from tracker.formats.shapes.columns import NO_COLUMN, Question
from tracker.formats.shapes.grid import Grid
from tracker.formats.shapes.headings import Find
from tracker.formats.shapes.proposing import NoTable, Proposal, digest_of, header_of, propose
from tracker.formats.shapes.reading import Rows

__all__ = [
    "NO_COLUMN", "Answers", "Grid", "Kept", "NoTable", "Proposal", "Question", "Reader", "Rows",
    "Unsettled", "proposed",
]  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A mapping that a clinic keeps for a header."""

    name: str
    answers: Answers


@dataclass(frozen=True)
class Reader:
    """What reading a table of any shape takes: whom to ask what a test's name means, the mappings a clinic keeps by the
    digest of their header, and what is answered for this file alone.
    """

    find: Find
    kept: Mapping[str, Kept] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    ask_again: bool = False


_OPENING = "The table can be read, but not without an answer:"
_NO_TEST = "No heading of this table is that of a test. If it holds results, say where:"


class Unsettled(Refused):
    """A table that only a person can settle: `proposal` has what is open, and what is guessed."""

    def __init__(self, proposal: Proposal) -> None:
        self.proposal = proposal
        results = all(question.choices for question in proposal.questions)
        asked = " ".join(f"({place}) {q.asks}" for place, q in enumerate(proposal.questions, start=1))
        super().__init__(
            f"{_OPENING if results else _NO_TEST} {asked} Answer on the page of imports, or in a file "
            f"given with --mapping: {'; '.join(_as_toml(proposal.questions))}."
        )


def _as_toml(questions: Iterable[Question]) -> Iterable[str]:
    """The lines of a mapping that answer, with the guess where there is one, else with what may be said."""
    for question in questions:
        if not question.choices:
            yield '[analytes] "the column" = "ALT"'
            continue
        table, _, name = question.key.partition(".")
        choices = " or ".join(f'"{choice}"' for choice in question.choices[:3])
        value = f'"{question.guess}"' if question.guess else choices
        for_all = ' or sampled_on = "2026-03-01"' if question.key == "columns.date" and not question.guess else ""
        yield f"{question.key} = {value}" if not name else f'[{table}] "{name}" = {value}{for_all}'


def proposed(grid: Grid, reader: Reader) -> Proposal:
    """How the table may be read, by what is answered and what the clinic keeps for its header. Raises NoTable where it
    is no table of results, and Refused where an answer does not fit it.
    """
    answers, names = reader.answers, ""
    kept = reader.kept.get(digest_of(grid.rows[header_of(grid, reader.find, answers.header_row)][1]))
    if kept is not None and not reader.ask_again:
        answers, names = answers.over(kept.answers), kept.name
    found = propose(grid, reader.find, answers)
    if not names:
        return found
    said = f"Read by the mapping “{names}”, which was kept for this header."
    return Proposal(found.grid, found.shape, found.questions, (said, *found.understood), found.unread)
