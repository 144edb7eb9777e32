"""What a person said of a table: which column is what, and which of two readings is meant. A mapping is these, kept."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from tracker.domain.errors import Refused
from tracker.domain.readings import read_date
from tracker.formats.cells import COMMA, POINT, listed
from tracker.formats.shapes.figures import DAY_FIRST, MONTH_FIRST
from tracker.formats.shapes.headings import ROLES

_LONGEST = 200


@dataclass(frozen=True)
class Answers:
    """Columns are named by their heading, or `column 5`. `columns`: role to column, "" for none. `analytes`: column to
    the test's code or name, "" for no result. `units`: column (or name of a test in a long table) to its unit.
    `header_row`: its number, 0 to look for it. `sampled_on`: the day of every sample, where no column has it; it is of
    this one file, and never kept.
    """

    header_row: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    analytes: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    dates: str = ""
    decimal: str = ""
    laboratory: str = ""
    sampled_on: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Answers":
        """From a TOML file or what was kept. Raises Refused, naming the entry that is wrong."""
        known = [each.name for each in fields(cls)]
        if unknown := sorted(set(told) - set(known)):
            raise Refused(f"The mapping says “{unknown[0]}”, which it cannot: it may say {listed(known)}.")
        for name in ("columns", "analytes", "units"):
            _check_table(name, told.get(name, {}))
        if unknown := sorted(set(told.get("columns", {})) - set(ROLES)):
            raise Refused(f"[columns] of the mapping names “{unknown[0]}”: it may name {listed(ROLES)}.")
        row = told.get("header_row", 0)
        if not isinstance(row, int) or isinstance(row, bool) or row < 0:
            raise Refused(f"header_row of the mapping is “{row}”: it is the number of a row.")
        _check_word("dates", told, (DAY_FIRST, MONTH_FIRST))
        _check_word("decimal", told, (COMMA, POINT))
        if not isinstance(told.get("laboratory", ""), str):
            raise Refused("laboratory of the mapping is the laboratory's name in quotation marks.")
        return cls(**{**told, "sampled_on": _day(told.get("sampled_on", ""))})

    def as_dict(self) -> dict[str, Any]:
        """What is kept of them: only what says something."""
        return {name: value for name, value in asdict(self).items() if value}

    def fitted(self, labels: Sequence[str]) -> "Answers":
        """The same with the columns named as this table writes them, whatever the case."""
        written = {label.casefold(): label for label in labels}
        analytes = {written.get(label.casefold(), label): name for label, name in self.analytes.items()}
        units = {written.get(label.casefold(), label): unit for label, unit in self.units.items()}
        return replace(self, analytes=analytes, units=units)

    def over(self, other: "Answers") -> "Answers":
        """These, and the other's where these say nothing."""
        tables = ("columns", "analytes", "units")
        merged: dict[str, Any] = {name: {**getattr(other, name), **getattr(self, name)} for name in tables}
        for name in ("header_row", "dates", "decimal", "laboratory"):
            merged[name] = getattr(self, name) or getattr(other, name)
        return Answers(**merged, sampled_on=self.sampled_on)


def _check_table(name: str, told: Any) -> None:
    if not isinstance(told, Mapping):
        raise Refused(f"{name} of the mapping is a table: write [{name}] and a line each.")
    for key, value in told.items():
        if not isinstance(value, str) or len(value) > _LONGEST or len(key) > _LONGEST:
            raise Refused(f"[{name}] of the mapping, “{key[:40]}”: its value is a text in quotation marks.")


def _day(told: Any) -> str:
    """An ISO day, also where TOML has it as a date."""
    if told == "":
        return ""
    try:
        return read_date(told if isinstance(told, str) else str(told)).isoformat()
    except Refused as why:
        raise Refused(f"sampled_on of the mapping: {why}") from None


def _check_word(name: str, told: Mapping[str, Any], words: tuple[str, ...]) -> None:
    if told.get(name, "") not in ("", *words):
        raise Refused(f"{name} of the mapping is “{told[name]}”: write {listed([repr(word) for word in words])}.")
