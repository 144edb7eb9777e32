"""What one sample lets be worked out beside what was measured: shown to a reader, marked as computed, never stored.

Values are in the analytes' canonical units; a censored one is left out before it gets here. Each figure is a value or
the reason why there is none: an LDL that its formula cannot give is said, not left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tracker.domain import derived
from tracker.domain.derived import Derived, FactorRow

LOW_LDL = Decimal(70)
LIVER = {
    derived.HYS_LAW: "ALT and bilirubin both raised (possible Hy’s law)",
    derived.TEMPLE: "ALT raised alone (Temple’s corollary)",
    derived.CHOLESTASIS: "bilirubin raised alone",
    derived.NO_CONCERN: "neither raised",
}

Values = Mapping[str, Decimal]


class Figure(NamedTuple):
    """One worked-out figure: its name, a value in `unit` or the reason for none, how, and what to mind."""

    name: str
    unit: str
    how: str
    found: Derived
    note: str = ""


class Body(NamedTuple):
    """What the kidney formulas want to know of the person on the day of the sample."""

    sex: str
    age: int | None
    weight_kg: Decimal | None


def figures(values: Values, times_uln: Values, body: Body, factors: Sequence[FactorRow]) -> tuple[Figure, ...]:
    """Everything that this sample holds the values for; `times_uln` are multiples of each result's own upper limit."""
    return (*_counts(values), *_lipids(values, factors), *_kidneys(values, body), *_liver(times_uln))


def _counts(values: Values) -> Iterator[Figure]:
    neutrophils = None if "ANC" in values else derived.neutrophils(values)
    if neutrophils is not None:
        found, how = neutrophils
        yield Figure("Neutrophils", "10*9/L", how.replace("WBC and percent", "leukocytes × per cent"), found)
    if "ALC" not in values and {"WBC", "LYMPH_PCT"} <= values.keys():
        found = derived.alc_from_percent(values["WBC"], values["LYMPH_PCT"])
        yield Figure("Lymphocytes", "10*9/L", "leukocytes × per cent", found)
    if {"ANC", "ALC"} <= values.keys():
        ratio = derived.nlr(values["ANC"], values["ALC"])
        yield Figure("Neutrophils to lymphocytes", "", "ratio", ratio, "no label acts on it")
    if {"HCT", "RBC"} <= values.keys():
        yield Figure("MCV", "fL", "haematocrit ÷ red cells", derived.mcv(values["HCT"], values["RBC"]))
    if {"HB", "HCT"} <= values.keys():
        yield Figure("MCHC", "g/dL", "haemoglobin ÷ haematocrit", derived.mchc(values["HB"], values["HCT"]))


def _lipids(values: Values, factors: Sequence[FactorRow]) -> Iterator[Figure]:
    if not {"CHOL", "HDL"} <= values.keys():
        return
    total, hdl = values["CHOL"], values["HDL"]
    yield Figure("Non-HDL cholesterol", "mg/dL", "total less HDL", derived.non_hdl(total, hdl))
    if "TG" not in values:
        return
    tg = values["TG"]
    simple = derived.friedewald(total, hdl, tg)
    low = simple.value is not None and simple.value < LOW_LDL
    yield Figure("LDL cholesterol", "mg/dL", "Friedewald", simple, "poor below 70 mg/dL" if low else "")
    yield Figure("LDL cholesterol", "mg/dL", "Sampson", derived.sampson(total, hdl, tg))
    yield Figure("LDL cholesterol", "mg/dL", "Martin and Hopkins", derived.martin_hopkins(total, hdl, tg, factors))


def _kidneys(values: Values, body: Body) -> Iterator[Figure]:
    if "CREAT" not in values:
        return
    creatinine = values["CREAT"]
    rate = derived.egfr_ckd_epi_2021(creatinine, body.sex, body.age)
    yield Figure("eGFR", "mL/min/{1.73_m2}", "CKD-EPI 2021", rate)
    clearance = Derived(None, "weight is not known")
    if body.weight_kg is not None:
        clearance = derived.cockcroft_gault(creatinine, body.sex, body.age, body.weight_kg)
    yield Figure("Creatinine clearance", "mL/min", "Cockcroft-Gault", clearance)


def _liver(times_uln: Values) -> Iterator[Figure]:
    if {"ALT", "ALP"} <= times_uln.keys():
        r = derived.r_value(times_uln["ALT"], times_uln["ALP"])
        note = derived.r_class(r.value) if r.value is not None else ""
        yield Figure("R", "", "ALT × ULN ÷ ALP × ULN", r, note)
    if {"ALT", "TBIL"} <= times_uln.keys():
        alt = times_uln["ALT"]
        yield Figure("ALT", "× ULN", "eDISH", Derived(alt), LIVER[derived.quadrant(alt, times_uln["TBIL"])])
