"""The packaged versions of CTCAE, each read once from its file, with the file's digest."""

import hashlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from tracker.domain.errors import BadData
from tracker.domain.grading import ANY_UNIT, Cut, Grade, Pair, Row, Term, Version, name_key
from tracker.domain.grading_units import keys_of, unit_key

VERSIONS = ("4", "5", "6")
DEFAULT = "5"

# Which way a cut points, and whether the bound itself counts.
_OPERATORS = {
    "below": (False, False),
    "at_most": (False, True),
    "above": (True, False),
    "at_least": (True, True),
}
_REFERENCES = ("LLN", "ULN", "baseline")
# What a condition looks at.
_CONDITIONS: Mapping[str, frozenset[str]] = {
    "": frozenset(),
    "baseline high": frozenset({"flag", "high"}),
    "baseline not high": frozenset({"flag", "high"}),
    "baseline low": frozenset({"flag", "low"}),
    "baseline above ULN": frozenset({"baseline", "ULN"}),
    "baseline not above ULN": frozenset({"baseline", "ULN"}),
    "on anticoagulation": frozenset({"anticoagulation"}),
}


@cache
def ctcae(version: str) -> Version:
    """One version by its number ("4" is 4.03). Raises KeyError, and BadData for a file that is wrong."""
    if version not in VERSIONS:
        raise KeyError(version)
    data = files("tracker.library").joinpath(f"ctcae-v{version}.toml").read_bytes()
    return build(tomllib.loads(data.decode(), parse_float=Decimal), hashlib.sha256(data).hexdigest())


def build(raw: Mapping[str, Any], digest: str) -> Version:
    """A version from what its file says. Raises BadData."""
    terms = (*map(_term, raw["term"]), *map(_term, raw["not_graded"]))
    return Version(raw["version"], raw["source"], digest, terms, _index(terms))


def _index(terms: tuple[Term, ...]) -> dict[str, Pair]:
    index: dict[str, Pair] = {}
    for term in terms:
        pair = Pair(low=term, high=None) if term.direction == "low" else Pair(low=None, high=term)
        if name_key(term.name) in index:
            raise BadData(f"CTCAE term {term.name} stands twice in the file.")
        index[name_key(term.name)] = pair
        for code in term.analytes:
            low, high = index.get(name_key(code), Pair(None, None))
            if (low and pair.low) or (high and pair.high):
                raise BadData(f"Two CTCAE terms grade a {term.direction} {code}.")
            index[name_key(code)] = Pair(low or pair.low, high or pair.high)
    return index


def _term(raw: Mapping[str, Any]) -> Term:
    name, direction = str(raw["name"]), raw["direction"]
    if direction not in ("low", "high"):
        raise BadData(f"{name}: the direction is low or high, not {direction}.")
    if "reason" in raw:
        texts = {1: raw["text"]} if "text" in raw else {}
        return Term(name, direction, tuple(raw["analytes"]), texts, not_graded=raw["reason"])
    texts = {grade: str(raw[f"grade_{grade}"]["text"]) for grade in (1, 2, 3, 4) if f"grade_{grade}" in raw}
    units = _units(raw)
    rows = {unit: _rows(raw, unit) for unit in units or (ANY_UNIT,)}
    return Term(
        name,
        direction,
        tuple(raw["analytes"]),
        texts,
        rows=_by_key(rows, raw.get("same_unit", {})),
        units=units,
        needs_uln=raw.get("needs_uln", False),
        uses=_uses(rows, raw.get("needs_uln", False)),
        zero=Grade(0, raw.get("note", ""), name),
        conditional=any(cut.when for each in rows.values() for row in each for cut in row.cuts),
    )


def _levels(raw: Mapping[str, Any]) -> list[tuple[int | None, Mapping[str, Any]]]:
    """What can be given, worst first, and before it where no grade is printed."""
    grades: list[tuple[int | None, str]] = [(grade, f"grade_{grade}") for grade in (4, 3, 2, 1)]
    return [(grade, raw[key]) for grade, key in [(None, "ungraded"), *grades] if "cut" in raw.get(key, {})]


def _units(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The published units, in the file's order; none where only limits and baselines are multiplied."""
    named = [unit for _, level in _levels(raw) for unit in level["cut"] if unit != "any"]
    return tuple(dict.fromkeys(named))


def _rows(raw: Mapping[str, Any], unit: str) -> tuple[Row, ...]:
    rows = []
    for grade, level in _levels(raw):
        cuts = [_cut(cut, raw["name"]) for key in ("any", unit) for cut in _listed(level["cut"].get(key, []))]
        if len({cut.upper for cut in cuts}) > 1:
            raise BadData(f"{raw['name']}: the cuts of one grade point both ways.")
        if cuts:
            reason = "; ".join(filter(None, (level["text"], level.get("note"), raw.get("note"))))
            rows.append(Row(Grade(grade, reason, raw["name"]), cuts[0].upper, tuple(cuts)))
    if not rows:
        raise BadData(f"{raw['name']}: no cut.")
    return tuple(rows)


def _listed(cuts: Any) -> list[Mapping[str, Any]]:
    return cuts if isinstance(cuts, list) else [cuts]


def _cut(raw: Mapping[str, Any], name: str) -> Cut:
    when, also = raw.get("when", ""), raw.get("and")
    other = _cut(also, name) if also else None
    if when not in _CONDITIONS:
        raise BadData(f"{name}: unknown condition “{when}”.")
    if "fall" in raw:
        return Cut(False, True, "baseline", 1 - Decimal(raw["fall"]) / 100, Decimal(0), when, other)
    written = [operator for operator in _OPERATORS if operator in raw]
    if len(written) != 1 or not {raw.get("of", "LLN"), raw.get("over", "LLN")} <= set(_REFERENCES):
        raise BadData(f"{name}: a cut has one operator and a known reference.")
    upper, inclusive = _OPERATORS[written[0]]
    figure = Decimal(raw[written[0]])
    if "of" in raw:
        return Cut(upper, inclusive, raw["of"], figure, Decimal(0), when, other)
    return Cut(upper, inclusive, raw.get("over", ""), Decimal(1), figure, when, other)


def _by_key(rows: Mapping[str, tuple[Row, ...]], same: Mapping[str, str]) -> dict[str, tuple[Row, ...]]:
    found = {key: each for unit, each in rows.items() for key in (keys_of(unit) if unit else (ANY_UNIT,))}
    return found | {unit_key(other): rows[unit] for other, unit in same.items()}


def _uses(rows: Mapping[str, tuple[Row, ...]], needs_uln: bool) -> frozenset[str]:
    """See Term.uses."""
    cuts = [cut for each in rows.values() for row in each for cut in row.cuts]
    cuts += [cut.also for cut in cuts if cut.also]
    uses = {cut.of for cut in cuts if not cut.when.startswith(("baseline high", "baseline low"))}
    for cut in cuts:
        uses |= _CONDITIONS[cut.when]
    return frozenset(uses | ({"ULN"} if needs_uln else set())) - {""}
