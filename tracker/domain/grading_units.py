"""One key for every spelling of a unit that CTCAE prints cuts in; quantities are never converted.

`10^9/L`, `10^3/uL`, `K/µL` and `/nL` are one quantity with the same figures, `/uL`, `/mm3`, `10^6/L` and `10^3/mL`
another. Which spelling is which unit is `tracker.domain.units`' knowledge.
"""

import re
from functools import lru_cache

from tracker.domain.units import normal_unit

_SAME_FIGURES = {"10*3/uL": "10*9/L", "10*6/uL": "10*12/L", "10*6/L": "/uL"}
_A_DAY = re.compile(r"^gm?/\(?(?:24\.?(?:h|hr|hrs|hour|hours)|d|day)\)?$")
# Giga per litre, and grams per litre where a laboratory prints capitals only. No term has cuts in both.
_CAPITALS = "G/L"
_EITHER = ("10*9/L", "g/L")


@lru_cache(maxsize=4096)
def unit_key(unit: str) -> str:
    """The key of a unit's quantity; an unknown unit is its own key, and an empty one is ""."""
    if "".join(unit.split()) == _CAPITALS:
        return _CAPITALS
    normal = normal_unit(unit)
    if _A_DAY.match("".join(normal.split()).lower()):
        return "g/24h"
    return _SAME_FIGURES.get(normal, normal)


def keys_of(published: str) -> tuple[str, ...]:
    """The keys under which the cuts published in a unit are found."""
    key = unit_key(published)
    return (key, _CAPITALS) if key in _EITHER else (key,)
