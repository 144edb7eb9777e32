"""An independent reader of the grading rules of pharmaverse/admiral, as the shared CTCAE page prints them.

It knows nothing of our data files: each line such as `x missing or ULN missing → NA ; x > 3×ULN → 2 ; else 0` is
read into arms and evaluated with R's three-valued logic, where a condition that is not known is not met.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

Known = Mapping[str, Decimal | str | None]  # x, LLN, ULN, BASE and flag

_LINE = re.compile(r"^- v(?P<version>\d) (?P<side>[LH])(?: \((?P<variant>\w+)\))? `(?P<unit>[^:]+): (?P<arms>.*)`")
_ARM = re.compile(r"(?P<condition>[^→]+?) → (?P<grade>NA|\d)(?:,\s*|$)")
_COMPARISON = re.compile(r"^(x|PCHG|BASE) (<=|>=|<|>) (.+)$")
_TERM = re.compile(r"^(?:(?P<factor>[\d.]+)×)?(?P<reference>ULN|LLN|BASE)(?: \+ (?P<plus>[\d.]+))?$")


class Rule(NamedTuple):
    """One line: a term, its unit ("any unit"), and the arms in order, each a condition and a grade or None."""

    version: str
    term: str
    side: str
    unit: str
    arms: tuple[tuple[str, int | None], ...]

    def grade(self, known: Known) -> int | None:
        for condition, grade in self.arms:
            if _met(condition, known):
                return grade
        return 0

    def figures(self, known: Known) -> Iterator[Decimal]:
        """Every bound that these limits and this baseline give, for trying the values around it."""
        for condition, _ in self.arms:
            for atom in re.split(r" and | or ", condition.replace("(", "").replace(")", "")):
                match = _COMPARISON.match(atom)
                if match and match[1] == "x" and (bound := _figure(match[3], known)) is not None:
                    yield bound
                base = known["BASE"]
                if match and match[1] == "PCHG" and isinstance(base, Decimal):
                    yield base * (1 + Decimal(match[3]) / 100)


def rules(page: Path) -> list[Rule]:
    found, term = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            term = line[4:].strip()
        elif match := _LINE.match(line):
            variant = f" ({match['variant'].capitalize()})" if match["variant"] else ""
            arms = tuple(arm for part in match["arms"].split(" ; ") for arm in _arms(part))
            found.append(Rule(match["version"], term + variant, match["side"], match["unit"], arms))
    return found


def published(page: Path) -> dict[tuple[str, str], list[str]]:
    """NCI's text of the grades 1 to 4, by version ("4", "5", "6") and term."""
    texts, term = {}, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            term = line[4:].strip()
        elif match := re.match(r"^\| (4\.03|5\.0|6\.0) \| (.*) \|$", line):
            cells = [cell.strip() for cell in match[2].split(" | ")]
            if len(cells) == 4:
                texts[match[1][0], term] = cells
    return texts


def _arms(part: str) -> Iterator[tuple[str, int | None]]:
    if part.strip() == "else 0":
        return
    matches = list(_ARM.finditer(part))
    assert "".join(match[0] for match in matches) == part, part  # nothing of the line is left unread
    for match in matches:
        yield match["condition"].strip(), None if match["grade"] == "NA" else int(match["grade"])


def _met(condition: str, known: Known) -> bool | None:
    if " or " in condition:
        parts = [_met(part.strip("() "), known) for part in re.split(r" or ", condition)]
        return True if True in parts else None if None in parts else False
    parts = [_atom(part, known) for part in condition.strip("()").split(" and ")]
    return False if False in parts else None if None in parts else True


def _atom(atom: str, known: Known) -> bool | None:
    if match := re.match(r"^(x|ULN|LLN|BASE|PCHG) (missing|known)$", atom):
        return (_value(match[1], known) is None) == (match[2] == "missing")
    if match := re.match(r"^baseline (not )?(HIGH|LOW)$", atom):
        return (known["flag"] == match[2].lower()) != bool(match[1])
    match = _COMPARISON.match(atom)
    assert match, atom
    left, right = _value(match[1], known), _figure(match[3], known)
    if left is None or right is None:
        return None
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[match[2]]


def _value(name: str, known: Known) -> Decimal | None:
    if name == "PCHG":
        x, base = known["x"], known["BASE"]
        return (x - base) * 100 / base if isinstance(x, Decimal) and isinstance(base, Decimal) else None
    value = known[name]
    assert not isinstance(value, str)
    return value


def _figure(text: str, known: Known) -> Decimal | None:
    if match := _TERM.match(text):
        reference = _value(match["reference"], known)
        plus = Decimal(match["plus"] or 0)
        return None if reference is None else Decimal(match["factor"] or 1) * reference + plus
    return Decimal(text)
