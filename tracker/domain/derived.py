"""Values worked out from other values: counts from percentages, LDL, kidney function, liver ratios, spreads.

Pure and exact (Decimal); nothing is rounded for comparing. Each function says its units and gives a Derived: a
value, or the reason why there is none. Marks as (D5) name the composite rule, whose worked examples are the tests.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

_DIGITS = Context(prec=16)  # powers and roots have no end; these are more digits than any laboratory prints
_MICRO = Decimal("0.000001")
HUNDRED = Decimal(100)
CALCULATED = "calculated"  # the method of an LDL that was worked out, here or by the laboratory

FRIEDEWALD_TG_MAX, SAMPSON_TG_MAX, MARTIN_HOPKINS_TG_MAX = Decimal(400), Decimal(800), Decimal(400)
TWO_SIDED, ONE_SIDED = Decimal("1.96"), Decimal("1.65")

HYS_LAW, TEMPLE, CHOLESTASIS, NO_CONCERN = "hys_law", "temple", "cholestasis", "none"
HEPATOCELLULAR, MIXED, CHOLESTATIC = "hepatocellular", "mixed", "cholestatic"
ALT_CUT, TBIL_CUT = Decimal(3), Decimal(2)


class Derived(NamedTuple):
    """A worked-out value, or why it cannot be had."""

    value: Decimal | None
    reason: str = ""


def _settled(figure: Decimal) -> Decimal:
    """A quotient or power to a millionth, so that what is a bound on paper is that bound here."""
    rounded = figure.quantize(_MICRO).normalize()
    return rounded if rounded.as_tuple().exponent in range(-6, 1) else rounded.quantize(Decimal(1))


# ---------------------------------------------------------------------------------------------- blood count


def anc_from_percent(wbc: Decimal, segments: Decimal, bands: Decimal = Decimal(0)) -> Derived:
    """Neutrophils in the unit of `wbc` from its percentages (H2)."""
    return _share(wbc, segments + bands)


def alc_from_percent(wbc: Decimal, lymphocytes: Decimal) -> Derived:
    """Lymphocytes in the unit of `wbc` from their percentage (H2)."""
    return _share(wbc, lymphocytes)


def neutrophils(draw: Mapping[str, Decimal]) -> tuple[Derived, str] | None:
    """Neutrophils in 10*9/L and what they are worked out from (H2); None where the draw lacks the values.

    `draw` holds one draw's values by code, in canonical units. Segments and bands go before the neutrophils in percent,
    a count before a percentage. Bands that were not reported are taken for none, which is said.
    """
    segments, bands = (kind(draw, code) for code in ("NEUT_SEG", "NEUT_BAND"))
    if segments is None:
        found = kind(draw, "NEUT")
        return None if found is None else (found, "WBC and percent")
    percents = draw.get("NEUT_SEG_PCT", Decimal(0)) + draw.get("NEUT_BAND_PCT", Decimal(0))
    if percents > HUNDRED:
        return Derived(None, f"{percents} % is not a share"), ""
    if bands is None:
        return segments, "segmented neutrophils, no bands reported"
    if segments.value is None or bands.value is None:
        return Derived(None, segments.reason or bands.reason), ""
    return Derived(segments.value + bands.value), "segmented and band neutrophils"


def kind(draw: Mapping[str, Decimal], code: str) -> Derived | None:
    """One kind of white cell: as counted, else as its percentage of the white cells."""
    if code in draw:
        return Derived(draw[code])
    white, percent = draw.get("WBC"), draw.get(f"{code}_PCT")
    return None if white is None or percent is None else _share(white, percent)


def _share(whole: Decimal, percent: Decimal) -> Derived:
    if not 0 <= percent <= HUNDRED:
        return Derived(None, f"{percent} % is not a share")
    return Derived(whole * percent / HUNDRED)


def mcv(hct: Decimal, rbc: Decimal) -> Derived:
    """Mean cell volume in fL from haematocrit in % and red cells in 10*12/L (H4)."""
    return Derived(_settled(hct / rbc * 10)) if rbc else Derived(None, "no red cells")


def mchc(hb: Decimal, hct: Decimal) -> Derived:
    """Mean cell haemoglobin concentration in g/dL from haemoglobin in g/dL and haematocrit in % (H4)."""
    return Derived(_settled(hb / hct * HUNDRED)) if hct else Derived(None, "a haematocrit of zero")


def nlr(anc: Decimal, alc: Decimal) -> Derived:
    """Neutrophils over lymphocytes, in one unit (D7). For display: no label acts on it."""
    return Derived(_settled(anc / alc)) if alc else Derived(None, "no lymphocytes to divide by")


# --------------------------------------------------------------------------------------------------- lipids


def non_hdl(chol: Decimal, hdl: Decimal) -> Derived:
    """Total less HDL cholesterol, in their unit (D1)."""
    return Derived(chol - hdl) if chol >= hdl else Derived(None, "HDL is above the total cholesterol")


def friedewald(chol: Decimal, hdl: Decimal, tg: Decimal) -> Derived:
    """LDL cholesterol, all in mg/dL (D2). Invalid above 400 mg/dL of triglycerides, and where negative."""
    if tg > FRIEDEWALD_TG_MAX:
        return Derived(None, "triglycerides above 400 mg/dL: Friedewald's LDL is not valid")
    return _not_negative(chol - hdl - tg / 5)


def sampson(chol: Decimal, hdl: Decimal, tg: Decimal) -> Derived:
    """LDL cholesterol by Sampson's equation, all in mg/dL (D3). Invalid above 800 mg/dL of triglycerides."""
    if tg > SAMPSON_TG_MAX:
        return Derived(None, "triglycerides above 800 mg/dL: Sampson's LDL is not valid")
    rest = tg / Decimal("8.56") + tg * (chol - hdl) / 2140 - tg * tg / 16100
    return _not_negative(_settled(chol / Decimal("0.948") - hdl / Decimal("0.971") - rest - Decimal("9.44")))


class FactorRow(NamedTuple):
    """A row of the Martin-Hopkins table: triglycerides from `tg_min` to below `tg_max` + 1, factors by non-HDL."""

    tg_min: Decimal
    tg_max: Decimal
    factors: tuple[Decimal, ...]


NON_HDL_COLUMNS = tuple(Decimal(edge) for edge in (100, 130, 160, 190, 220))


def martin_hopkins(chol: Decimal, hdl: Decimal, tg: Decimal, table: Sequence[FactorRow]) -> Derived:
    """LDL cholesterol by Martin and Hopkins, all in mg/dL (D4): rows are triglycerides, columns non-HDL."""
    if tg >= MARTIN_HOPKINS_TG_MAX:
        return Derived(None, "triglycerides of 400 mg/dL or more: ask for a direct LDL")
    row = next((row for row in table if row.tg_min <= tg < row.tg_max + 1), None)
    if row is None:
        return Derived(None, "triglycerides outside the table")
    rest = chol - hdl
    factor = row.factors[sum(rest >= edge for edge in NON_HDL_COLUMNS)]
    return _not_negative(_settled(rest - tg / factor))


def _not_negative(ldl: Decimal) -> Derived:
    return Derived(ldl) if ldl >= 0 else Derived(None, "the computed LDL is negative: check the panel")


# --------------------------------------------------------------------------------------------------- kidney


class _Kidney(NamedTuple):
    kappa: Decimal
    alpha: Decimal
    factor: Decimal


_EGFR = {
    "female": _Kidney(Decimal("0.7"), Decimal("-0.241"), Decimal("1.012")),
    "male": _Kidney(Decimal("0.9"), Decimal("-0.302"), Decimal(1)),
}


def _adult(sex: str, age: int | None) -> str:
    """Why the kidney formulas do not apply, or empty."""
    if sex not in _EGFR:
        return "sex is not known"
    if age is None:
        return "age is not known"
    return "for adults only" if age < 18 else ""


@lru_cache(maxsize=65536)
def egfr_ckd_epi_2021(creatinine: Decimal, sex: str, age: int | None) -> Derived:
    """Filtration in mL/min per 1.73 m2 from creatinine in mg/dL (D5). Adults only."""
    obstacle = _adult(sex, age) or ("" if creatinine > 0 else "a creatinine of zero")
    if obstacle or age is None:
        return Derived(None, obstacle)
    kidney, ratio = _EGFR[sex], creatinine / _EGFR[sex].kappa
    exponent = kidney.alpha if ratio < 1 else Decimal("-1.200")
    slope = _DIGITS.multiply(_DIGITS.power(ratio, exponent), _DIGITS.power(Decimal("0.9938"), age))
    return Derived(_settled(142 * slope * kidney.factor))


def cockcroft_gault(creatinine: Decimal, sex: str, age: int | None, weight_kg: Decimal) -> Derived:
    """Creatinine clearance in mL/min from creatinine in mg/dL and weight in kg (D6). Adults only."""
    obstacle = _adult(sex, age) or ("" if creatinine > 0 else "a creatinine of zero")
    if obstacle or age is None:
        return Derived(None, obstacle)
    sexed = Decimal("0.85") if sex == "female" else Decimal(1)
    return Derived(_settled((140 - age) * weight_kg * sexed / (72 * creatinine)))


# ---------------------------------------------------------------------------------------------------- liver


def r_value(alt_times_uln: Decimal, alp_times_uln: Decimal) -> Derived:
    """R: ALT over its upper limit, by ALP over its own (L3)."""
    return Derived(_settled(alt_times_uln / alp_times_uln)) if alp_times_uln else Derived(None, "an ALP of zero")


def r_class(r: Decimal) -> str:
    """hepatocellular from 5, cholestatic to 2, mixed between (L3; sources differ on the bounds)."""
    return HEPATOCELLULAR if r >= 5 else CHOLESTATIC if r <= 2 else MIXED


def quadrant(alt_times_uln: Decimal, tbil_times_uln: Decimal) -> str:
    """The eDISH quadrant of a pair of peaks (L2): ALT from 3 x ULN, bilirubin above 2 x ULN."""
    if alt_times_uln >= ALT_CUT:
        return HYS_LAW if tbil_times_uln > TBIL_CUT else TEMPLE
    return CHOLESTASIS if tbil_times_uln > TBIL_CUT else NO_CONCERN


# --------------------------------------------------------------------------------------------------- spread


class Variation(NamedTuple):
    """Coefficients of variation in percent: of the analysis, and within a person."""

    analytical: Decimal
    within_person: Decimal

    @property
    def total(self) -> Decimal:
        return _DIGITS.sqrt(self.analytical**2 + self.within_person**2)


def rcv(spread: Variation, z: Decimal = TWO_SIDED) -> Decimal:
    """The reference change value in percent (B6): the difference two results need to be more than chance."""
    return _settled(_DIGITS.sqrt(Decimal(2)) * z * spread.total)


class Asymmetric(NamedTuple):
    """Changes in percent that are more than chance; `fall` is positive."""

    rise: Decimal
    fall: Decimal


def rcv_log_normal(spread: Variation, z: Decimal = TWO_SIDED) -> Asymmetric:
    """The reference change values of a skewed analyte (B6): a fall is limited by zero, a rise is not."""
    share = spread.total / HUNDRED
    sigma = _DIGITS.sqrt(_DIGITS.ln(1 + share * share))
    factor = _DIGITS.exp(_DIGITS.sqrt(Decimal(2)) * z * sigma)
    return Asymmetric(_settled((factor - 1) * HUNDRED), _settled((1 - 1 / factor) * HUNDRED))
