"""Which column of a table is what, and the questions where no heading says so for certain."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.formats.cells import listed
from tracker.formats.shapes.answers import Answers
from tracker.formats.shapes.headings import ROLES, role

NO_COLUMN = "no column"
_NONE_HAS_IT = " Where no column has it, say one day for all samples."
_TWO = 2
_A_NAME = re.compile(r"name|naam|nazwa|bezeichnung|description|libellé|benennung", re.IGNORECASE)
_SPLIT_DAY = ("year", "month", "day")


class Question(NamedTuple):
    """What only a person can say. `key` names the answer (`dates`, `columns.mrn`, `units.ALT`); `guess` may be ""."""

    key: str
    asks: str
    choices: tuple[str, ...]
    guess: str = ""


class Columns:
    """Which column is what: as answered, else as its heading says for certain; a question for the rest."""

    def __init__(self, head: Sequence[str], named: Sequence[str], answers: Answers) -> None:
        self.named, self.answers = named, answers
        self.questions: list[Question] = []
        self.places: dict[str, int] = {}
        self.sure: dict[str, list[str]] = {}
        self.perhaps: dict[str, list[str]] = {}
        for label, heading in zip(named, head, strict=True):
            name, certain = role(heading)
            if name and label not in answers.analytes:
                (self.sure if certain else self.perhaps).setdefault(name, []).append(label)
        for name in ROLES:
            self._settle(name)
        self._ask_for_the_day()
        if "mrn" not in self.places and answers.columns.get("mrn") is None:
            self._ask("mrn")

    @property
    def is_long(self) -> bool:
        return "value" in self.places and bool({"test", "code"} & self.places.keys())

    @property
    def names_patients(self) -> bool:
        """Whether some heading may be that of a record number, and none that of a list of something else."""
        return bool({"mrn"} & {*self.places, *self.perhaps}) and not {"test", "code"} & self.places.keys()

    def drop(self, names: Sequence[str]) -> None:
        for name in names:
            self.places.pop(name, None)

    def _settle(self, name: str) -> None:
        told = self.answers.columns.get(name)
        if told is not None:
            if told not in ("", NO_COLUMN):
                self.places[name] = self._place(name, told)
            return
        candidates = self.sure.get(name, [])
        if name == "test" and len(candidates) == _TWO and "code" not in self.sure:
            candidates = self._spelt_out(candidates)
        if len(candidates) == 1:
            self.places[name] = self.named.index(candidates[0])
        elif len(candidates) > 1 and name in ("date", "value", "test", "unit"):
            self._ask(name)

    def _spelt_out(self, candidates: list[str]) -> list[str]:
        """Of `Test` and `Testbezeichnung` the one that says it is a name; the other holds the laboratory's code."""
        names = [label for label in candidates if _A_NAME.search(label)]
        if len(names) != 1:
            return candidates
        (code,) = set(candidates) - set(names)
        self.sure["code"] = [code]
        return names

    def _place(self, name: str, label: str) -> int:
        folded = [each.casefold() for each in self.named]
        if label.casefold() not in folded:
            raise Refused(f"The mapping takes {ROLES[name]} from the column “{label}”, which this table does not have.")
        return folded.index(label.casefold())

    def _ask(self, name: str) -> None:
        if any(each.key == f"columns.{name}" for each in self.questions):
            return
        candidates = [*self.sure.get(name, ()), *self.perhaps.get(name, ())]
        some = listed([f"“{label}”" for label in candidates]) if candidates else ""
        asks = f"Is {ROLES[name]} in {some}?" if some else f"No heading says which column holds {ROLES[name]}: which?"
        asks += _NONE_HAS_IT if name == "date" and not some else ""
        self.questions.append(Question(f"columns.{name}", asks, tuple(self.named), candidates[0] if candidates else ""))

    def _ask_for_the_day(self) -> None:
        split = all(name in self.places for name in _SPLIT_DAY)
        for_all = self.answers.sampled_on
        if for_all and ("date" in self.places or split):
            raise Refused(f"All samples are said to be of {for_all}, and a column has their days too: choose one.")
        if "date" in self.places:
            self.drop(_SPLIT_DAY)
        elif for_all:
            self.questions = [each for each in self.questions if each.key != "columns.date"]
        elif not split and "date" not in self.answers.columns:
            self._ask("date")
        elif not split:
            asks = "No column holds the day the samples were taken: on which day were all of them?"
            self.questions.append(Question("sampled_on", asks, ("2026-03-01",)))
