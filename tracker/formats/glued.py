"""A number with what stands in the same cell: a unit, or a flag before or behind it."""

import re
from typing import NamedTuple

from tracker.domain.units import dimension

FLAGS = frozenset(("H", "L", "HH", "LL", "A", "AA", "*", "**", "N"))
_NUMBER = r"(?:(?:<=?|>=?|≤|≥)\s*)?\d+(?:[.,]\d+)?"
_LED = re.compile(r"(?P<flag>HH|LL|H|L|\*{1,2})\s+(?P<rest>[<>=≤≥]{0,2}\s*\d.*)", re.ASCII)
_GLUED = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<rest>[^\d\s.,:/<>=^+-].*)", re.ASCII)  # `3+` is a word

UNIT_FLAG = re.compile(r"(?P<unit>\S.*?)\s+[(\[]?(?P<flag>HH|LL|H|L|N|\*{1,2})[)\]]?")


class Value(NamedTuple):
    """A value as text, with what was glued to it: a unit, a flag."""

    text: str
    unit: str = ""
    flag: str = ""


def led(text: str) -> tuple[str, str]:
    """(flag, rest) of `H 112`; ("", text) where no flag stands first."""
    match = _LED.fullmatch(text)
    return (match["flag"], match["rest"]) if match else ("", text)


def unglued(text: str) -> Value:
    """`5.4 mg/dl`, `7.2*`, `112 (H)`, `112 U/L (H)`, `H 112`: the number, and what stands beside it where that is a
    unit or a flag. `3+` is an answer in words.
    """
    flag, text = led(text)
    match = _GLUED.fullmatch(text)
    if match is None:
        return Value(text, flag=flag)
    number, rest = match["number"], match["rest"].strip()
    if not flag and (behind := rest.strip("()[]").upper()) in FLAGS:
        return Value(number, flag=behind)
    if not flag and (both := UNIT_FLAG.fullmatch(rest)) and dimension(both["unit"]):
        return Value(number, both["unit"], both["flag"])
    return Value(number, rest, flag) if dimension(rest) else Value(text, flag=flag)
