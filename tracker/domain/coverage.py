"""Whom a range table judges, and whom it does not: gaps, ties and overlaps by sex and age, as the choice itself finds
them.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations, pairwise

from tracker.domain.ranges import ConfiguredRange, choose, rank, standing

ADULT, OLDEST = 18, 120  # completed years; a missing range is a gap from 18 on, a tie is one at any age
SEXES = {"female": "women", "male": "men"}
TIE = "equally"


def spots(lines: Sequence[ConfiguredRange], on: date) -> Iterator[str]:
    """A sentence for each span of ages without a range, with two that fit equally, or with two that overlap. `lines`
    are versions of one analyte for one laboratory.
    """
    in_force = standing(lines, on)
    for sex, people in SEXES.items():
        for first, beyond, why in _spans(lines, in_force, sex, on):
            yield f"{people}, {_ages(first, beyond)}: {why}"
    for one, other in combinations(in_force, 2):
        shared = _overlap(one, other)
        if shared is not None:
            narrow = min(one, other, key=_width)
            people = SEXES.get(one.sex, "everybody")
            yield f"{people}, {_ages(*shared)}: two lines overlap, and the narrower ({_ages(*_reach(narrow))}) judges"


def _spans(
    lines: Sequence[ConfiguredRange], in_force: Sequence[ConfiguredRange], sex: str, on: date
) -> Iterator[tuple[int, int, str]]:
    """Spans of ages (the second exclusive) with one reason why nothing judges, neighbours taken together."""
    cuts = sorted({0, ADULT, OLDEST, *(age for line in in_force for age in _reach(line))})
    first, said = 0, ""
    for age, _ in pairwise(cuts):
        found, why = choose(lines, sex, age, on)
        why = "" if found is not None or (age < ADULT and TIE not in why) else why
        if why != said:
            if said:
                yield first, age, said
            first, said = age, why
    if said:
        yield first, OLDEST, said


def _reach(line: ConfiguredRange) -> tuple[int, int]:
    return line.age_from or 0, OLDEST if line.age_to is None else line.age_to


def _width(line: ConfiguredRange) -> int:
    first, beyond = _reach(line)
    return beyond - first


def _overlap(one: ConfiguredRange, other: ConfiguredRange) -> tuple[int, int] | None:
    """The ages that two lines of one kind share where neither holds the other; equal widths are a tie, said already."""
    (first, end), (start, stop) = _reach(one), _reach(other)
    low, high = max(first, start), min(end, stop)
    alike = one.sex == other.sex and rank(one)[0] == rank(other)[0] and _width(one) != _width(other)
    return (low, high) if alike and low < high and (low, high) not in ((first, end), (start, stop)) else None


def _ages(first: int, beyond: int) -> str:
    if beyond >= OLDEST:
        return f"from {first} years" if first else "any age"
    if beyond - first <= 1:
        return f"{first} years"
    return f"{first} to {beyond - 1} years" if first else f"under {beyond} years"
