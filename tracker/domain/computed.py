"""What a draw lacks and can be worked out from the rest of it: added to a patient's results, marked as computed.

Counts from percentages, LDL and non-HDL from a lipid panel, kidney function from creatinine. Pure; the formulas are in
`derived`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.derived import (
    CALCULATED,
    cockcroft_gault,
    egfr_ckd_epi_2021,
    friedewald,
    kind,
    neutrophils,
    non_hdl,
)
from tracker.domain.history import Lab, Observation, Person
from tracker.domain.ranges import Range

Labs = Mapping[str, tuple[Lab, ...]]
Limits = Callable[[str, date], tuple[Range | None, str]]
"""The range that judges a computed value, in the canonical unit, and the reason where there is none."""

WEIGHT_VALID = timedelta(days=365)

_NEUTROPHILS = ("NEUT_SEG", "NEUT_SEG_PCT", "NEUT_BAND", "NEUT_BAND_PCT", "NEUT_PCT")
_UNITS = {
    "ANC": "10*9/L", "ALC": "10*9/L", "NONHDL": "mg/dL", "LDL": "mg/dL",
    "EGFR": "mL/min/{1.73_m2}", "CRCL": "mL/min",
}  # fmt: skip


class _Computed(NamedTuple):
    """`comparator` where a white count that is only a bound (`<0.4`) makes the value one too."""

    analyte: str
    value: Decimal
    how: str
    draw: Lab
    comparator: str = ""
    fasting: bool | None = None


def with_computed(labs: Labs, person: Person, observations: Sequence[Observation], limits: Limits) -> Labs:
    """The results and, where a draw lacks them, what can be worked out from it, marked `computed`, oldest first.

    ANC and ALC from the white count and percentages, ANC from segments and bands, non-HDL and LDL (Friedewald) from a
    lipid panel, eGFR and creatinine clearance from creatinine. A draw is one time of collection. A share of a white
    count that is only a bound is a bound; any other censored value yields nothing.
    """
    added: dict[str, list[Lab]] = {}
    for found in (*_counts(labs), *_lipids(labs), *_kidneys(labs, person, observations)):
        added.setdefault(found.analyte, []).append(_as_lab(found, limits))
    if not added:
        return labs
    merged = {code: sorted((*labs.get(code, ()), *more), key=_when) for code, more in added.items()}
    return {**labs, **{code: tuple(series) for code, series in merged.items()}}


def _when(lab: Lab) -> datetime:
    return lab.collected_at


def _as_lab(found: _Computed, limits: Limits) -> Lab:
    draw = found.draw
    yardstick, no_range = limits(found.analyte, draw.collected_on)
    return Lab(
        None, found.analyte, draw.collected_at, draw.collected_on,
        found.comparator, found.value, _UNITS[found.analyte], found.value, "", yardstick, no_range,
        draw.laboratory, draw.accession, draw.status, "", found.how, draw.time_known,
        CALCULATED if found.analyte == "LDL" else "", found.fasting,
    )  # fmt: skip


def _by_draw(labs: Labs, code: str, bounds: bool = False) -> dict[datetime, Lab]:
    """Results that can be computed with, by time of collection; with `bounds` the censored ones too."""
    return {
        lab.collected_at: lab for lab in labs.get(code, ()) if lab.value is not None and (bounds or not lab.comparator)
    }


def _draws_with(labs: Labs, code: str) -> set[datetime]:
    return {lab.collected_at for lab in labs.get(code, ()) if lab.figure is not None}


def _of_the_day(results: Mapping[datetime, Lab], draw: Lab) -> Lab | None:
    """The result of the same draw, else the nearest of that day: a lipid panel is what was drawn on one day."""
    if draw.collected_at in results:
        return results[draw.collected_at]
    same_day = (lab for lab in results.values() if lab.collected_on == draw.collected_on)
    return min(same_day, key=lambda lab: abs(lab.collected_at - draw.collected_at), default=None)


def _counts(labs: Labs) -> Iterator[_Computed]:
    whites = _by_draw(labs, "WBC", bounds=True)
    for code, parts in (("ANC", _NEUTROPHILS), ("ALC", ("LYMPH_PCT",))):
        known = {part: _by_draw(labs, part) for part in parts if part in labs}
        measured = _draws_with(labs, code)
        for at in sorted({at for draws in known.values() for at in draws} - measured):
            draw = {part: draws[at] for part, draws in known.items() if at in draws}
            if at in whites and not (whites[at].comparator and {"NEUT_SEG", "NEUT_BAND"} & draw.keys()):
                draw["WBC"] = whites[at]
            found = _count(code, draw)
            if found is not None:
                yield found


def _count(code: str, draw: Mapping[str, Lab]) -> _Computed | None:
    values = {part: _value(lab) for part, lab in draw.items()}
    if code == "ANC":
        found = neutrophils(values)
    else:
        share = kind(values, "LYMPH")
        found = None if share is None else (share, "WBC and percent")
    if found is None or found[0].value is None:
        return None
    base = draw.get("WBC") or next(iter(draw.values()))
    return _Computed(code, found[0].value, f"computed from {found[1]}", base, base.comparator)


def _lipids(labs: Labs) -> Iterator[_Computed]:
    if "CHOL" not in labs or "HDL" not in labs:
        return
    hdls, tgs = _by_draw(labs, "HDL"), _by_draw(labs, "TG")
    measured_rest = _draws_with(labs, "NONHDL")
    measured_ldl = {lab.collected_on for lab in labs.get("LDL", ()) if lab.figure is not None}
    for at, chol in _by_draw(labs, "CHOL").items():
        hdl, tg = _of_the_day(hdls, chol), _of_the_day(tgs, chol)
        if hdl is None:
            continue
        rest = non_hdl(_value(chol), _value(hdl)).value
        if rest is not None and at not in measured_rest:
            yield _Computed("NONHDL", rest, "computed: total less HDL", chol, fasting=chol.fasting)
        if tg is not None and chol.collected_on not in measured_ldl:
            ldl = friedewald(_value(chol), _value(hdl), _value(tg)).value
            if ldl is not None:
                fasting = chol.fasting if tg.fasting is None else tg.fasting
                yield _Computed("LDL", ldl, "computed by Friedewald", chol, fasting=fasting)


def _kidneys(labs: Labs, person: Person, observations: Sequence[Observation]) -> Iterator[_Computed]:
    if "CREAT" not in labs:
        return
    egfrs, clearances = _draws_with(labs, "EGFR"), _draws_with(labs, "CRCL")
    weights = [seen for seen in observations if seen.kind == "weight_kg" and seen.figure]
    for at, lab in _by_draw(labs, "CREAT").items():
        age = person.age_on(lab.collected_on)
        egfr = egfr_ckd_epi_2021(_value(lab), person.sex, age).value
        if egfr is not None and at not in egfrs:
            yield _Computed("EGFR", egfr, "computed from creatinine, CKD-EPI 2021", lab)
        weight = weight_for(weights, lab.collected_on)
        if weight is None or weight.figure is None or at in clearances:
            continue
        clearance = cockcroft_gault(_value(lab), person.sex, age, weight.figure).value
        if clearance is not None:
            on = "without a date" if weight.undated else f"on {weight.on}"
            yield _Computed("CRCL", clearance, f"computed by Cockcroft-Gault, {weight.value} kg {on}", lab)


def weight_for(weights: Sequence[Observation], day: date) -> Observation | None:
    """The weight (of `weights`, oldest first) for a sample: the last before it, else the next, at most a year away.

    One without a date serves where no other does, until a year after it was recorded.
    """
    near = [seen for seen in weights if not seen.undated and abs(seen.on - day) <= WEIGHT_VALID]
    before = [seen for seen in near if seen.on <= day]
    undated = [seen for seen in weights if seen.undated and day - seen.on <= WEIGHT_VALID]
    return before[-1] if before else next(iter([*near, *reversed(undated)]), None)


def _value(lab: Lab) -> Decimal:
    assert lab.value is not None  # _by_draw lets nothing else through
    return lab.value
