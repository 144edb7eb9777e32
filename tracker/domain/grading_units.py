"""One key for every spelling of a unit that CTCAE prints cuts in; quantities are never converted.

`10^9/L`, `x10*9/l`, `10E9/L`, `10^3/uL`, `K/µL`, `THOU/uL` and `/nL` are one quantity and get the key `e9/l`;
`/uL`, `cells/mm3`, `10^6/L` and `10^3/mL` are another, `e6/l`. Sources: UCUM; the unit strings of CDISC.
"""

import re
import unicodedata
from functools import lru_cache

# Thousands and so on, as laboratories write them before a count.
_NUMBER = re.compile(
    r"^(?:x|×|\*)?(?:(?P<power>10(?:\^|\*\*|\*|e)?\+?0?(?P<digit>[369])|1?e\+?0?(?P<short>[369]))|(?P<word>1|1000|[a-z]*))$"
)
_WORDS = {
    "": 0, "1": 0, "1000": 3, "k": 3, "th": 3, "thou": 3, "thous": 3, "thousand": 3, "thousands": 3, "tsd": 3,
    "mio": 6, "mill": 6, "million": 6, "millions": 6, "g": 9, "gi": 9, "giga": 9, "gpt": 9, "billion": 9,
}  # fmt: skip
_PARTS_OF_A_LITRE = {
    "l": 0, "dl": 1, "ml": 3, "ul": 6, "mm3": 6, "mm^3": 6, "mm*3": 6, "cmm": 6, "cumm": 6, "nl": 9,
}  # fmt: skip

# Only exact synonyms: the figure stays what it is.
_SYNONYMS = {
    "mg/100ml": "mg/dl", "mg%": "mg/dl", "mgs/dl": "mg/dl",
    "gm/dl": "g/dl", "gms/dl": "g/dl", "g/100ml": "g/dl", "gm/100ml": "g/dl", "g%": "g/dl", "gm%": "g/dl",
    "gm/l": "g/l", "gms/l": "g/l",
    "micromol/l": "umol/l", "mcmol/l": "umol/l", "um": "umol/l",
    "ml/minute": "ml/min",
    "g/d": "g/24h", "g/day": "g/24h", "g/24hr": "g/24h", "g/24hrs": "g/24h", "g/24hour": "g/24h",
    "g/24hours": "g/24h", "g/24.h": "g/24h", "g/(24.h)": "g/24h", "g/(24h)": "g/24h", "gm/24h": "g/24h",
}  # fmt: skip
_WORD_FORMS = (
    ("litre", "l"), ("liter", "l"), ("mcl", "ul"), ("cells", ""), ("cell", ""), ("#", ""), ("cu.mm", "cumm"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def unit_key(unit: str) -> str:
    """The key of a unit's quantity; an unknown unit is its own key, an empty one is "". Case never matters.

    `G/L` (giga) and `g/L` (gram) are told apart by the term that is graded, see `keys_of`.
    """
    text = unicodedata.normalize("NFKC", unit).casefold().replace("μ", "u").replace("÷", "/")
    text = re.sub(r"\{[^}]*\}|\s+", "", text)
    for written, meant in _WORD_FORMS:
        text = text.replace(written, meant)
    return _count_key(text) or _SYNONYMS.get(text, text)


def keys_of(published: str) -> tuple[str, ...]:
    """The keys a published unit is found by; `g/l` is giga per litre where counts are graded."""
    key = unit_key(published)
    return (key, "g/l") if key == "e9/l" else (key,)


def _count_key(text: str) -> str:
    number, slash, volume = text.rpartition("/")
    if not slash or volume not in _PARTS_OF_A_LITRE:
        return ""
    match = _NUMBER.match(number)
    if match is None or text == "g/l":
        return ""
    power = match["digit"] or match["short"] or _WORDS.get(match["word"])
    return "" if power is None else f"e{int(power) + _PARTS_OF_A_LITRE[volume]}/l"
