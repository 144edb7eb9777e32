"""Analytes, the units laboratories print for them, exact conversion, and whether a figure can be true at all.

A unit is never guessed: a figure without one is refused. Conversion factors belong to the analyte (1 mmol/L
of cholesterol is not 1 mmol/L of bilirubin) and are applied as `figure * multiply / divide + add`, in exact
decimals. Published limits are not converted (the paired limits of one source do not commute with the factor):
convert the result, compare in the limit's unit.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tracker.domain.values import Number, above, below, brief, plain, shown

LONGEST_SAID = 40  # characters of a figure in a sentence: `1e999` has a thousand digits
LEAPS = (Decimal(10), Decimal(1000))  # a slipped decimal point; thousands where units were meant
LEAP_TOLERANCE = Decimal("0.15")  # author-proposed: 8.5 to 11.5 times the last value asks, 8 times does not


class Conversion(NamedTuple):
    """canonical = figure * multiply / divide + add. Two factors, so that a published divisor stays exact."""

    unit: str
    multiply: Decimal = Decimal(1)
    divide: Decimal = Decimal(1)
    add: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Analyte:
    """One thing that is measured. `conversions` is keyed by normalised unit, the canonical unit first.

    Bounds are in the canonical unit: outside `hard_*` (the bounds are allowed) a figure is refused, outside
    `query_*` it is asked about. `qualitative` analytes are (also) reported in the words of `values`; `unit`
    is "" where only words are. `loinc_never` lists codes that look like this analyte and are something
    else. `direction_of_concern` is low, high, both, info, or a word of `values`.
    """

    code: str
    name: str
    panel: str
    aliases: tuple[str, ...]
    loinc: tuple[str, ...]
    loinc_never: tuple[str, ...]
    unit: str
    conversions: Mapping[str, Conversion] = field(hash=False)
    hard_min: Decimal | None
    hard_max: Decimal | None
    query_min: Decimal | None
    query_max: Decimal | None
    bounds_source: str
    direction_of_concern: str
    qualitative: bool
    values: tuple[str, ...]
    notes: str

    @property
    def units(self) -> tuple[str, ...]:
        """The units a form offers, the canonical one first."""
        return tuple(unit for unit in self.conversions if unit)


# canonical spelling, what it is a unit of, further spellings as they are after `_folded`
_UNITS = (
    ("%", "share", "percent pct prozent vol% vol.% vol.-% v% %vol %(v/v) %hb %{hb} %hba1c %a1c %ngsp %(ngsp) "
     "%dcct %oftotalhgb %oftotalhb %{hemoglobina1c} %{hemoglobin}"),
    ("{fraction}", "share", "1 fraction [1] {1}"),
    ("L/L", "share", "i/l"),
    ("mmol/mol", "share of haemoglobin", "mmol/molhb mmol/mol{hb} mmol/molhgb mmol/molifcc mmol/mol(ifcc)"),
    ("g/dL", "mass", "g% gr/dl g/100ml"),
    ("g/L", "mass", ""),
    ("g/mL", "mass", ""),
    ("mg/dL", "mass", "mg% mgs/dl mg/100ml mgdl"),
    ("mg/L", "mass", "mgl"),
    ("ug/dL", "mass", "ug%"),
    ("ug/L", "mass", ""),
    ("ug/mL", "mass", ""),
    ("ng/mL", "mass", ""),
    ("ng/L", "mass", ""),
    ("pg/mL", "mass", ""),
    ("mmol/L", "amount", "mmoll"),
    ("umol/L", "amount", "umoll"),
    ("nmol/L", "amount", "nmoll"),
    ("pmol/L", "amount", "pmoll"),
    ("mEq/L", "charge", "meql"),
    ("U/L", "activity", "iu/l ui/l ie/l e/l [iu]/l i.u./l unit/l units/l"),
    ("ukat/L", "activity", "ucat/l umol/(s.l) umol/(l.s) umol/(s*l) umol/(l*s) umol/s/l umol/l/s umol/s.l umol/s*l "
     "umol/l*s"),
    ("nkat/L", "activity", ""),
    ("m[IU]/mL", "activity", "miu/ml mui/ml mie/ml mu/ml"),
    ("[IU]/mL", "activity", "iu/ml ui/ml ie/ml u/ml"),
    ("mL/min/{1.73_m2}", "filtration of a standard body", ""),
    ("mL/min", "flow", "mls/min ml/minute mlmin"),
    ("fL", "volume of a cell", "f/l um3 um^3 um*3"),
    ("pg", "mass of a cell", "pg/"),
    ("mm/h", "speed", "mm/hr mm/hr. mm/hour mm/1h mm/1hr mm/1.h mm/std mm/std. mm/stunde mm/heure mm/60min"),
    ("mm", "length", ""),
    ("{INR}", "ratio", "inr (inr)"),
    ("{ratio}", "ratio", "ratio quotient"),
    ("10*12/L", "count", ""),
    ("10*9/L", "count", ""),
    ("10*6/uL", "count", ""),
    ("10*3/uL", "count", ""),
    ("10*6/L", "count", ""),
    ("/uL", "count", ""),
)  # fmt: skip

_CANONICAL = {spelling: unit for unit, _, more in _UNITS for spelling in (unit.lower(), *more.split())}
_DIMENSION = {unit: dimension for unit, dimension, _ in _UNITS}
# By powers of ten per litre, and whether the volume printed was a microlitre.
_COUNTS = {
    (12, False): "10*12/L", (12, True): "10*6/uL", (9, False): "10*9/L", (9, True): "10*3/uL",
    (6, False): "10*6/L", (6, True): "/uL",
}  # fmt: skip
_SPOKEN = {"/uL": "cells/uL"}
# By what power of ten a unit is greater than the first of its dimension (g/L, mol/L, 1/L, 1).
_POWERS = {
    "g/L": 0, "g/dL": 1, "g/mL": 3, "mg/dL": -2, "mg/L": -3, "ug/dL": -5, "ug/L": -6, "ug/mL": -3, "ng/mL": -6,
    "ng/L": -9, "pg/mL": -9, "mmol/L": -3, "umol/L": -6, "nmol/L": -9, "pmol/L": -12, "10*12/L": 12, "10*6/uL": 12,
    "10*9/L": 9, "10*3/uL": 9, "10*6/L": 6, "/uL": 6, "%": -2, "{fraction}": 0, "L/L": 0,
}  # fmt: skip

_POWER_WORDS = {
    "": 0, "1": 0, "k": 3, "th": 3, "tsd": 3, "tys": 3, "thou": 3, "thous": 3, "thousand": 3, "thousands": 3, "1000": 3,
    "m": 6, "mi": 6, "mil": 6, "mill": 6, "mio": 6, "million": 6, "millions": 6,
    "giga": 9, "gi": 9, "gpt": 9, "bil": 9, "bill": 9, "billion": 9, "mrd": 9,
    "t": 12, "ti": 12, "tpt": 12, "tera": 12, "tril": 12, "trillion": 12,
}  # fmt: skip
_VOLUMES = {"l": 0, "ml": 3, "ul": 6, "nl": 9, "pl": 12}
_COUNT = re.compile(
    r"^[x×*]?(?:10(?:\*\*|[*^ex])?\(?\+?(?P<power>3|6|9|12)\)?|1e\+?0?(?P<e>3|6|9|12)"
    r"|(?P<word>[a-z]*|1|1000)\.?)/(?P<volume>[munp]?l)$"
)
_FILTRATION = re.compile(r"^mls?/min(?:ute)?/?[{(\[]?1[.,]73[_.]?/?(?:m\^?\*?2|qm|sqm|sq\.m\.?)?[})\]]?$")
_GIGA_PER_LITRE = re.compile(r"^\s*[x×]?\s*G\s*/\s*[lL]t?r?\s*$")
_LOST_MICRO = re.compile(r"[?\ufffd](?=(?:mol|kat|g|l)\b)", re.IGNORECASE)
# Zero-width characters, and the Â that UTF-8 read as Latin-1 leaves before a µ or a ³.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\u00ad\u00c2"))
_LONGHAND = tuple(
    (re.compile(pattern), short)
    for pattern, short in (
        (r"\bper\b", "/"),
        (r"micro-?lit(?:er|re)s?|mcl", "ul"),
        (r"deci-?lit(?:er|re)s?", "dl"),
        (r"milli-?lit(?:er|re)s?", "ml"),
        (r"femto-?lit(?:er|re)s?", "fl"),
        (r"\blit(?:er|re)s?|\bltr?\b", "l"),
        (r"milli-?grams?", "mg"),
        (r"\bgrams?\b|\bgms?\b", "g"),
        (r"micro-?moles?|mcmol", "umol"),
        (r"milli-?moles?", "mmol"),
        (r"mcg", "ug"),
        (r"mckat", "ukat"),
        (r"\{?\bcells?\b\}?|\{?\bzellen\b\}?|#", ""),
        (r"cu\.?\s*mm\.?|c\.?mm\b|mm\s*[\^*]?\s*3|mmc\b", "ul"),
    )
)
# How a value was had is no part of its unit: `mg/dL (calc)`.
_HAD = re.compile(r"\s*[(\[](?:calc(?:ulated|\.)?|berechnet|ber\.|calculé|calculado)[)\]]\s*$", re.IGNORECASE)
_TEMPERATURE = re.compile(r"\s*[(\[]?(?:@|bei|at)?\s*37\s*°?\s*C[)\]]?\s*$", re.IGNORECASE)  # `U/l 37°C`: as all are
_PER_VOLUME = re.compile(r"[./*\s]*\b([dmunp]?l)\s*\^?-1$")


def _folded(text: str) -> str:
    """One unit in lower case, without blanks, with the micro sign as u and long words shortened."""
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).replace("\\S\\", "^").replace("μ", "u")
    text = _HAD.sub("", _TEMPERATURE.sub("", text))
    text = _LOST_MICRO.sub("u", text).lower().strip()
    for pattern, short in _LONGHAND:
        text = pattern.sub(short, text)
    return "".join(_PER_VOLUME.sub(r"/\1", text).split())


def _count(folded: str) -> str | None:
    match = _COUNT.match(folded)
    if match is None:
        return None
    power = match["power"] or match["e"]
    size = int(power) if power else _POWER_WORDS.get(match["word"])
    volume = match["volume"]
    return None if size is None else _COUNTS.get((size + _VOLUMES[volume], volume in ("ul", "ml")))


@lru_cache(maxsize=4096)  # a file repeats the same few spellings on every row
def normal_unit(text: str) -> str:
    """The one spelling of a unit: `10^9/l`, `G/l`, `x10E9/L` are `10*9/L`. An unknown one comes back trimmed.

    Takes the bare unit: the code of a coded HL7 field, not the whole field. Case is ignored, but for `G/l`
    (10*9/L) and `g/l` (grams).
    """
    if _GIGA_PER_LITRE.match(text):
        return "10*9/L"
    folded = _folded(text)
    if _FILTRATION.match(folded):
        return "mL/min/{1.73_m2}"
    return _CANONICAL.get(folded) or _count(folded) or text.strip()


def dimension(unit: str) -> str:
    """What a unit measures (`count`, `share`, `mass`, ...); "" for an unknown one. They never mix."""
    return _DIMENSION.get(normal_unit(unit), "")


def rescaled(figure: Decimal, unit: str, other: str) -> Decimal | None:
    """A figure in `unit` as a figure in `other`, where both are one unit or a shift of the decimal point lies between
    them; None where anything else does, or a unit is not known.
    """
    one, two = normal_unit(unit), normal_unit(other)
    if one == two:
        return figure if one else None
    powers = _POWERS.get(one), _POWERS.get(two)
    if dimension(one) != dimension(two) or powers[0] is None or powers[1] is None:
        return None
    return Decimal(plain(figure.scaleb(powers[0] - powers[1])))


def unit_of(analyte: Analyte, unit: str) -> str | None:
    """The unit as the analyte knows it; None where it is not one of the analyte's.

    A laboratory that prints capitals only writes `G/L` for grams, one that prints small letters only `g/l`
    for giga. No analyte has both, so the analyte settles which is meant.
    """
    normal = normal_unit(unit)
    if normal not in analyte.conversions and unit.strip().lower() == "g/l":
        normal = "g/L" if normal == "10*9/L" else "10*9/L"
    return normal if normal in analyte.conversions else None


def conversion(analyte: Analyte, unit: str) -> Conversion | None:
    """How a figure in `unit` becomes canonical; None where the unit is not one of the analyte's."""
    known = unit_of(analyte, unit)
    return None if known is None else analyte.conversions[known]


def to_canonical(analyte: Analyte, figure: Decimal, unit: str) -> Decimal | None:
    """The figure in the canonical unit, full precision; None where the unit is not one of the analyte's."""
    rule = conversion(analyte, unit)
    return None if rule is None else figure * rule.multiply / rule.divide + rule.add


def from_canonical(analyte: Analyte, figure: Decimal, unit: str) -> Decimal | None:
    """A canonical figure in another of the analyte's units; None where the unit is not one of them."""
    rule = conversion(analyte, unit)
    return None if rule is None else (figure - rule.add) * rule.divide / rule.multiply


def limit_to_canonical(analyte: Analyte, figure: Decimal, unit: str) -> Decimal | None:
    """A published limit in the canonical unit where that only moves the decimal point, else None."""
    rule = conversion(analyte, unit)
    if rule is None or rule.add or (rule.multiply / rule.divide).normalize().as_tuple().digits != (1,):
        return None
    return figure * rule.multiply / rule.divide


def is_index(analyte: Analyte, unit: str) -> bool:
    """Whether a number in `unit` may be the index (S/CO, a ratio, arbitrary units) of a test that is read in words."""
    return not analyte.conversions and dimension(unit) in ("", "ratio", "activity")


def check(
    analyte: Analyte, number: Number, unit: str, previous: Decimal | None = None
) -> tuple[str | None, tuple[str, ...]]:
    """(the sentence that refuses the figure or None, questions to ask). `previous` is canonical.

    The index of an antibody, which has no unit of its own, is asked about: what is read from it is for a rule to say.
    A `<` bound under the possible minimum is asked about, not refused: it is the analyser's, not the
    patient's (`<8` mg/dL of triglycerides).
    """
    if is_index(analyte, unit):
        words = ", ".join(analyte.values)
        return None, (f"{analyte.code} is reported in words ({words}): is {number} an index without its word?",)
    value = to_canonical(analyte, number.figure, unit)
    if value is None:
        return _unit_refusal(analyte, unit), ()
    refusal = _impossible(analyte, number, unit, value) or _thousands(analyte, number, unit, value)
    if refusal:
        return refusal, ()
    questions = (_unusual(analyte, number, unit, value), _leap(analyte, number, unit, value, previous))
    return None, tuple(question for question in questions if question)


def _unit_refusal(analyte: Analyte, unit: str) -> str:
    if not analyte.conversions:
        return f"{analyte.code} is reported in words ({', '.join(analyte.values)}), not as a number."
    choices = ", ".join(analyte.units)
    if not unit.strip():
        return f"{analyte.code}: a unit is needed: one of {choices}."
    return f"{analyte.code}: “{unit.strip()}” is not a unit it is recorded in: one of {choices}."


def _impossible(analyte: Analyte, number: Number, unit: str, value: Decimal) -> str | None:
    if number.figure < 0:
        return f"{_written(analyte, number, unit, value)} is negative, which it cannot be."
    if analyte.hard_max is not None and value > analyte.hard_max:
        bound = f"above the possible maximum {plain(analyte.hard_max)}"
    elif analyte.hard_min is not None and value < analyte.hard_min and not number.comparator.startswith("<"):
        bound = f"below the possible minimum {plain(analyte.hard_min)}"
    else:
        return None
    everyday = _looks_like(analyte, number.figure, unit, (analyte.query_min, analyte.query_max))
    likely = everyday or _looks_like(analyte, number.figure, unit, (analyte.hard_min, analyte.hard_max))
    sentence = f"{_written(analyte, number, unit, value)} is {bound} {analyte.unit}".rstrip()
    return f"{sentence}: it looks like {likely}." if likely else f"{sentence}."


def _thousands(analyte: Analyte, number: Number, unit: str, value: Decimal) -> str | None:
    """`6.100` /uL, which is six thousand one hundred where a point parts the thousands: three digits behind a point, a
    figure that would be unusually low, and one that can be true a thousand times as high.
    """
    low = analyte.query_min
    high = analyte.hard_max if dimension(unit) == "activity" else analyte.query_max  # enzymes do rise by the thousand
    three_places = number.figure.as_tuple().exponent == -3 and number.figure >= 1
    if not three_places or low is None or not value < low:
        return None
    times = to_canonical(analyte, number.figure * 1000, unit)
    if times is None or times < low or (high is not None and times > high):
        return None
    whole = f"{number.comparator}{plain(number.figure).replace('.', '')}"
    return (
        f"{_written(analyte, number, unit, value)} may be {whole} with a point between the thousands: write it without."
    )


def _unusual(analyte: Analyte, number: Number, unit: str, value: Decimal) -> str | None:
    low, high = analyte.query_min, analyte.query_max
    if low is not None and below(number.comparator, value, low):
        words = f"unusually low (below {plain(low)} {analyte.unit})"
    elif high is not None and above(number.comparator, value, high):
        words = f"unusually high (above {plain(high)} {analyte.unit})"
    else:
        return None
    likely = _looks_like(analyte, number.figure, unit, (low, high))
    sentence = f"{_written(analyte, number, unit, value)} is {words}"
    return f"{sentence}: is it {likely}?" if likely else f"{sentence}: is it right?"


def _leap(analyte: Analyte, number: Number, unit: str, value: Decimal, previous: Decimal | None) -> str | None:
    if previous is None or number.comparator or not value or not previous:
        return None
    ratio = max(value, previous) / min(value, previous)
    for leap in LEAPS:
        if abs(ratio - leap) <= leap * LEAP_TOLERANCE:
            words = f"about {leap} times" if value > previous else f"about 1/{leap} of"
            sentence = f"{_written(analyte, number, unit, value)} is {words} the previous value"
            return f"{sentence} {shown(previous)} {analyte.unit}: is it right?"
    return None


def _written(analyte: Analyte, number: Number, unit: str, value: Decimal) -> str:
    """`ANC 1500 10*9/L`; with the canonical figure behind it where another unit was used."""
    text = f"{analyte.code} {brief(str(number), LONGEST_SAID)} {unit.strip()}".strip()
    if plain(value) == plain(number.figure) or value == number.figure:
        return text
    return f"{text} ({number.comparator}{brief(shown(value), LONGEST_SAID)} {analyte.unit})"


def _looks_like(analyte: Analyte, figure: Decimal, unit: str, within: tuple[Decimal | None, Decimal | None]) -> str:
    """The analyte's other units in which the figure would lie within these canonical bounds; "" for none."""
    used = conversion(analyte, unit)
    others: dict[tuple[Decimal, Decimal, Decimal], str] = {}
    for name, other in analyte.conversions.items():
        if name and (used is None or other[1:] != used[1:]):
            others.setdefault(other[1:], _SPOKEN.get(name, name))
    low, high = within
    values = ((name, figure * multiply / divide + add) for (multiply, divide, add), name in others.items())
    fitting = [name for name, v in values if (low is None or low <= v) and (high is None or v <= high)]
    return " or ".join(fitting)
