"""The analytes the clinic follows, and how a laboratory's name, code or LOINC becomes one of them.

Names match whole, never in part: a substring makes urine creatinine a creatinine and Phenylalanine an ALT.
What cannot be told stays unmatched, for a person to map.
"""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

from tracker.domain.units import Analyte, Conversion, dimension, normal_unit, unit_of
from tracker.library import packaged

LOINC = "loinc:"
_INDEX = r"[<>=≤≥]? ?\d[\d.,:]*(?: ?(?:S/?CO|index|COI|AU/mL|U/mL|IU/mL))?"
_BESIDE = re.compile(
    rf"(?P<before>[^\W\d][^\d(\[,;:]*)[,;:]? ?[(\[]?(?:S/?CO:? )?{_INDEX}[)\]]?"
    rf"|{_INDEX}[,;:]? ?[(\[]?(?P<behind>[^\W\d][^\d)\]]*)[)\]]?",
    re.IGNORECASE,
)
_LONGEST_WORD = 80
_LONGEST_NAME = 120
# `WBC (Leukozyten)`, `GPT/ALAT`, `Hb, HGB`, `ALT - GPT`.
_HALVES = re.compile(
    r"(?P<one>[^()\[\]]+?) ?[(\[] ?(?P<inner>[^()\[\]]+?) ?[)\]]|(?P<led>.+?)(?: ?/ ?|, ?| - )(?P<other>.+)"
)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\u00ad"))


class _Meaning(NamedTuple):
    """An analyte that a name may stand for; `only_with` is the unit the name needs, "" for any."""

    code: str
    only_with: str = ""


class _Mark(NamedTuple):
    """What stands beside the names of the analytes `of` and changes nothing; `unit` counts where none is given."""

    of: frozenset[str]
    unit: str
    beside: re.Pattern[str]

    def without(self, name: str) -> str:
        """The folded name without the mark; "" where it has none."""
        match = self.beside.fullmatch(name)
        return (match["behind_it"] or match["before_it"]) if match else ""


def folded(name: str) -> str:
    """A name as names are compared: case, accents' encoding and spacing do not matter, every letter does."""
    text = unicodedata.normalize("NFC", name.translate(_INVISIBLE))
    return " ".join(text.split()).rstrip(" :").casefold()


def digest() -> str:
    """SHA-256 of the data file, in hex: what a stored verdict records of it."""
    return hashlib.sha256(packaged("analytes.toml")).hexdigest()


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _conversions(row: Mapping[str, Any]) -> Mapping[str, Conversion]:
    unit = str(row["unit"])
    found = {unit: Conversion(unit)} if unit else {}
    for name, factors in row["units"].items():
        found[name] = Conversion(name, **{key: Decimal(value) for key, value in factors.items()})
    return found


def _analyte(row: Mapping[str, Any]) -> Analyte:
    return Analyte(
        code=row["code"],
        name=row["name"],
        panel=row["panel"],
        aliases=tuple(row["aliases"]),
        loinc=tuple(row["loinc"]),
        loinc_never=tuple(row["loinc_never"]),
        unit=row["unit"],
        conversions=_conversions(row),
        hard_min=_decimal(row.get("hard_min")),
        hard_max=_decimal(row.get("hard_max")),
        query_min=_decimal(row.get("query_min")),
        query_max=_decimal(row.get("query_max")),
        bounds_source=row["bounds_source"],
        direction_of_concern=row["direction_of_concern"],
        qualitative=bool(row.get("values")),
        values=tuple(row.get("values", ())),
        notes=row["notes"],
    )


_DATA: Mapping[str, Any] = tomllib.loads(packaged("analytes.toml").decode(), parse_float=Decimal)

ANALYTES: Mapping[str, Analyte] = {row["code"]: _analyte(row) for row in _DATA["analyte"]}
"""Every analyte by its code, in the order they are read."""

PANELS: Mapping[str, tuple[str, ...]] = {name: tuple(codes) for name, codes in _DATA["panels"].items()}
"""Codes by panel, in order. MONITORING is what a visit's form asks for; LIPIDS is what falls due together."""


@cache
def _names() -> Mapping[str, tuple[_Meaning, ...]]:
    found: dict[str, dict[_Meaning, None]] = {}
    for row in _DATA["analyte"]:
        for name in (row["code"], row["name"], *row["aliases"]):
            found.setdefault(folded(name), {})[_Meaning(row["code"])] = None
        for unit, names in row.get("only_with", {}).items():
            for name in names:
                found.setdefault(folded(name), {})[_Meaning(row["code"], unit)] = None
    return {name: tuple(meanings) for name, meanings in found.items()}


@cache
def _marks() -> tuple[_Mark, ...]:
    return tuple(
        _Mark(frozenset(row["of"]), row.get("unit", ""), _beside(row.get("before", ()), row["behind"]))
        for row in _DATA["mark"]
    )


def _beside(before: Iterable[str], behind: Iterable[str]) -> re.Pattern[str]:
    """A name with one of these marks: behind it bare, in brackets or after a comma; a letter alone is never bare."""
    letters = "|".join(re.escape(word) for word in behind if len(word) == 1 and word.isalpha())
    words = "|".join(re.escape(word) for word in behind if len(word) > 1 or not word.isalpha())
    apart = rf"[ ,;]+(?:{words})|[ ,;-]*[(\[] ?(?:{words}) ?[)\]]"
    signs = "|".join(re.escape(word) for word in behind if not word[0].isalnum())
    apart += f"| *(?:{signs})" if signs else ""
    apart += rf"|, ?(?:{letters})|[ ,]*\((?:{letters})\)" if letters else ""
    first = "|".join(map(re.escape, before))
    led = rf"(?:{first})(?P<behind_it>.+)" if first else "(?P<behind_it>(?!))"
    return re.compile(rf"{led}|(?P<before_it>.+?)(?:{apart})")


@cache
def _loincs() -> Mapping[str, Analyte]:
    return {code: analyte for analyte in ANALYTES.values() for code in analyte.loinc}


@cache
def _methods() -> Mapping[str, Mapping[str, str]]:
    """The method by what the sender called it, for each analyte that has some."""
    return {
        row["code"]: {folded(name): way for way, names in row["methods"].items() for name in names}
        for row in _DATA["analyte"]
        if "methods" in row
    }


def method(code: str, called: str) -> str:
    """How a result was had (`calculated`, `direct`), by what its sender called it: codes and names with `;` between
    them. "" where that says nothing.
    """
    ways = _methods().get(code, {})
    names = (folded(name.strip().removeprefix(LOINC)) for name in called.split(";") if ways)
    return next((ways[name] for name in names if name in ways), "")


@cache
def _words() -> Mapping[str, frozenset[str]]:
    return {word: frozenset(map(folded, (word, *spellings))) for word, spellings in _DATA["words"].items()}


def find(name: str, unit: str = "") -> Analyte | None:
    """The analyte that a code, a whole name or `loinc:1742-6` stands for; None where it cannot be told.

    The unit tells a percentage from a count of the same name, and rules a name out: `Albumin` in % is a share
    of an electrophoresis. A unit that is missing or unheard of leaves the name its first meaning, so that the
    analyte's own check can say which units it takes. A code is taken at its word.

    A name of no analyte may be two of one (`WBC (Leukozyten)`), or one with a mark beside it that leaves the test what
    it is (`Kreatinin i. S.`, `Neutrophils, absolute`).
    """
    if name.strip().casefold().startswith(LOINC):
        return _loincs().get(name.strip()[len(LOINC) :].strip())
    return _find(folded(name), unit)


@lru_cache(maxsize=1 << 14)  # a file repeats the same names on every row
def _find(name: str, unit: str) -> Analyte | None:
    return _whole(name, unit) or _twice(name, unit) or _marked(name, unit)


def _whole(name: str, unit: str) -> Analyte | None:
    """The analyte of a folded name that is known as it is."""
    code = name.upper()
    if code in ANALYTES:
        return ANALYTES[code]
    normal = normal_unit(unit)
    meanings = _names().get(name, ())
    candidates = [ANALYTES[m.code] for m in meanings if m.only_with in ("", normal)]
    return _by_unit(candidates, unit)


def _twice(name: str, unit: str) -> Analyte | None:
    """The analyte that both halves of a name stand for; the unit beside a name is no half of it."""
    match = _HALVES.fullmatch(name) if len(name) <= _LONGEST_NAME else None
    if match is None:
        return None
    one, other = match["one"] or match["led"], match["inner"] or match["other"]
    if match["inner"] and unit and normal_unit(other) == normal_unit(unit):
        return _find(one, unit)
    found = _find(one, unit)
    return found if found and found is _find(other, unit) else None


def _marked(name: str, unit: str) -> Analyte | None:
    """The analyte of a name without the mark beside it, where the mark leaves that analyte what it is."""
    for mark in _marks() if len(name) <= _LONGEST_NAME else ():
        if (bare := mark.without(name)) and (found := _find(bare, unit or mark.unit)) and found.code in mark.of:
            return found
    return None


def _by_unit(candidates: list[Analyte], unit: str) -> Analyte | None:
    if not unit.strip():
        return candidates[0] if candidates else None
    for analyte in candidates:
        if unit_of(analyte, unit) is not None:
            return analyte
    measured = dimension(unit)
    for analyte in candidates:
        if not measured or not analyte.conversions or measured in map(dimension, analyte.conversions):
            return analyte
    return None


def match(loincs: Iterable[str], names: Iterable[str], unit: str = "") -> Analyte | None:
    """The analyte of a result that carries LOINC codes, names, or both.

    Where there is a LOINC code it alone decides: a urine glucose is called `Glucose` too, and only its code
    says otherwise.
    """
    codes = [code.strip() for code in loincs if code.strip()]
    if codes:
        return next((_loincs()[code] for code in codes if code in _loincs()), None)
    return next((found for found in (find(name, unit) for name in names if name.strip()) if found), None)


def word(analyte: Analyte, text: str) -> str | None:
    """One of the analyte's `values` for what the laboratory wrote (`neg.`, `nicht reaktiv`), else None. An index or a
    titre beside the word (`0.05 (negativ)`, `positive 1:80`) does not change it, nor do the lines below it of a report,
    unless one of them is another of the words.
    """
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if len(lines) > 1:
        said_by_lines = {found for line in lines if (found := word(analyte, line))}
        return word(analyte, lines[0]) if len(said_by_lines) == 1 else None
    text = " ".join(text.split())
    match = _BESIDE.fullmatch(text) if len(text) <= _LONGEST_WORD else None
    said = folded((match["before"] or match["behind"] if match else text).replace("_", " "))
    spelt = (said, said.rstrip("."))
    return next((value for value in analyte.values if not _words()[value].isdisjoint(spelt)), None)
