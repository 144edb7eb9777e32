"""A bound or a range in the words people write: `0.5 <= x < 1.5`, `up to 40`, `3,5-5,1`, `> 3 x ULN`.

Operators stay as they are written, figures stay exact. What is not understood, or contradicts itself, is refused with a
sentence that names it; nothing is guessed.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.units import dimension
from tracker.domain.values import plain, read_number

LONGEST = 80  # characters; a range takes a dozen
EXAMPLES = "Write it like 0.5 <= x < 1.5, 3.5 - 5.1, >= 3 or up to 40."
ONE = "Write it like 5.3, > 5.3 or 3 x ULN."

_MARKS = {"≤": "<=", "=<": "<=", "≥": ">=", "=>": ">=", "−": "-", "–": "-", "—": "-", "×": "x", "\u00a0": " "}
# Longer spellings first: “no more than” holds “more than”.
_WORDS = (
    ("no more than", "<="), ("not more than", "<="), ("no less than", ">="), ("not less than", ">="),
    ("up to", "<="), ("at most", "<="), ("at least", ">="), ("less than", "<"), ("below", "<"), ("under", "<"),
    ("more than", ">"), ("greater than", ">"), ("above", ">"), ("over", ">"), ("to", "-"), ("and", "&"),
    ("times", "x"), ("value", "x"),
)  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<op><=|>=|<|>)|(?P<number>\d+(?:[.,']\d+)*|[.,]\d+)|(?P<dash>-)|(?P<uln>uln\b)|(?P<x>x(?=uln\b|[^a-z]|$))"
    r"|(?P<and>[&,;])|(?P<strange>\S+))",
    re.ASCII,
)
_LETTERS = {"op": "o", "number": "n", "dash": "-", "uln": "u", "x": "x", "and": "&"}
# After multiples were taken together: n a figure, o an operator, x the value itself.
_BETWEEN, _SPAN, _ONE = re.compile(r"noxon"), re.compile(r"n-n"), re.compile(r"(?:x?on|nox)")
_BOTH = re.compile(r"x?on&?x?on")


class Bound(NamedTuple):
    """One end. `times_uln`: the figure counts upper limits of normal instead of units."""

    figure: Decimal
    inclusive: bool
    times_uln: bool = False

    @property
    def words(self) -> str:
        return f"{plain(self.figure)}{' x ULN' if self.times_uln else ''}"


class Phrase(NamedTuple):
    """What was understood: at least one bound, and the unit where one was written behind them ("" where none was)."""

    low: Bound | None
    high: Bound | None
    unit: str = ""

    @property
    def words(self) -> str:
        """The phrase as it is written here; reading it again gives the same."""
        low, high, tail = self.low, self.high, f" {self.unit}".rstrip()
        if low is not None and high is not None:
            return f"{low.words} {_op('<', low)} x {_op('<', high)} {high.words}{tail}"
        if low is not None:
            return f"{_op('>', low)} {low.words}{tail}"
        assert high is not None  # `read` makes no phrase without a bound
        return f"{_op('<', high)} {high.words}{tail}"

    @property
    def times_uln(self) -> bool:
        return any(bound.times_uln for bound in (self.low, self.high) if bound is not None)


def _op(sign: str, bound: Bound) -> str:
    return f"{sign}=" if bound.inclusive else sign


class _Item(NamedTuple):
    """A token: its letter, what was written, and its figure where it is one."""

    letter: str
    text: str
    figure: Decimal | None = None
    times_uln: bool = False


def read(text: str, hint: str = EXAMPLES) -> Phrase:
    """The range a phrase says. Raises Refused for what is not understood or contradicts itself."""
    if len(text) > LONGEST:
        raise Refused(f"That is longer than any range. {hint}")
    written, unit = _without_unit(_plainer(text))
    items = _multiples(_items(written, text, hint))
    bounds = _bounds(items, text, hint)
    lows = [bound for side, bound in bounds if side == ">"]
    highs = [bound for side, bound in bounds if side == "<"]
    if len(lows) > 1 or len(highs) > 1:
        raise Refused(f"“{text.strip()}” says two {'lower' if len(lows) > 1 else 'upper'} bounds.")
    phrase = Phrase(lows[0] if lows else None, highs[0] if highs else None, unit)
    _check(phrase)
    return phrase


def read_bound(text: str) -> tuple[str, Bound]:
    """One bound: its operator, "" where only a figure is written, and the bound. Raises Refused as `read` does."""
    written, unit = _without_unit(_plainer(text))
    items = _multiples(_items(written, text, ONE))
    if unit:
        raise Refused(f"Leave “{unit}” out: the figure is in the unit that stands beside it.")
    if [item.letter for item in items] == ["n"]:
        return "", _bound(items[0], inclusive=False)
    phrase = read(text, ONE)
    if phrase.low is not None and phrase.high is not None:
        raise Refused(f"“{text.strip()}” is a range: one bound is wanted here, like > 3.")
    sign, bound = (">", phrase.low) if phrase.low is not None else ("<", phrase.high)
    assert bound is not None
    return _op(sign, bound), bound


# ---------------------------------------------------------------------------------------------- reading


def _plainer(text: str) -> str:
    for mark, instead in _MARKS.items():
        text = text.replace(mark, instead)
    return " ".join(text.split())


def _without_unit(text: str) -> tuple[str, str]:
    """The phrase and the unit behind its last figure, "" where none is there. A figure is never cut in two."""
    for end in re.finditer(r"\d(?![\d.,'])", text):
        rest = text[end.end() :].strip()
        if re.search(r"[A-Za-zµμ%]", rest) and dimension(rest):
            return text[: end.end()], rest
    return text, ""


def _items(written: str, text: str, hint: str) -> list[_Item]:
    lowered = written.lower()
    for words, instead in _WORDS:
        lowered = re.sub(rf"(?<![a-z]){words}(?![a-z])", f" {instead} ", lowered)
    found = []
    for match in _TOKEN.finditer(lowered.strip()):
        kind = str(match.lastgroup)
        if kind == "strange":
            raise Refused(f"“{match[kind]}” is not understood in “{text.strip()}”. {hint}")
        found.append(_Item(_LETTERS[kind], match[kind], _figure(match[kind]) if kind == "number" else None))
    if not found:
        raise Refused(f"There is nothing to read. {hint}")
    return found


def _figure(text: str) -> Decimal:
    number = read_number(text)
    if number is None:
        raise Refused(f"“{text}” is not a number. Write it like 5.3")
    return number.figure


def _multiples(items: Sequence[_Item]) -> list[_Item]:
    """`3`, `x`, `ULN` taken together; `ULN` alone is once."""
    found: list[_Item] = []
    for item in items:
        if item.letter != "u":
            found.append(item)
            continue
        if found and found[-1].letter == "x" and len(found) > 1 and found[-2].letter == "n":
            found.pop()
        before = found.pop() if found and found[-1].letter == "n" and not found[-1].times_uln else None
        figure = before.figure if before is not None else Decimal(1)
        found.append(_Item("n", f"{before.text if before else 1} x ULN", figure, times_uln=True))
    return found


def _bounds(items: Sequence[_Item], text: str, hint: str) -> list[tuple[str, Bound]]:
    """(`>` or `<`, bound) of each end, in the order written."""
    shape = "".join(item.letter for item in items)
    if _SPAN.fullmatch(shape):
        return [(">", _bound(items[0], inclusive=True)), ("<", _bound(items[2], inclusive=True))]
    if not any(known.fullmatch(shape) for known in (_BETWEEN, _ONE, _BOTH)):
        raise Refused(f"“{text.strip()}” is not understood. {hint}")
    found = []
    for place, item in enumerate(items):
        if item.letter == "o":
            left = place > 0 and items[place - 1].letter == "n" and items[place + 1].letter == "x"
            sign = item.text[0]
            if left:  # 0.5 <= x: seen from the value it is a lower bound
                sign = "<" if sign == ">" else ">"
            found.append((sign, _bound(items[place - 1 if left else place + 1], inclusive=item.text.endswith("="))))
    return found


def _bound(item: _Item, *, inclusive: bool) -> Bound:
    assert item.figure is not None
    return Bound(item.figure, inclusive, item.times_uln)


def _check(phrase: Phrase) -> None:
    low, high = phrase.low, phrase.high
    if low is None or high is None:
        return
    if low.times_uln != high.times_uln:
        raise Refused("One bound is a figure and the other a multiple of the upper limit: they cannot be compared.")
    if low.figure > high.figure:
        raise Refused(f"The lower bound {low.words} is above the upper bound {high.words}.")
    if low.figure == high.figure and not (low.inclusive and high.inclusive):
        raise Refused(f"No value is {phrase.words}.")
