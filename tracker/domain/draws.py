"""Values of one draw that contradict each other: a slip of the pen, exchanged digits, a mixed-up column.

Only the latest draw of an analyte is looked at, and only plain measured numbers. Sources: composite rules H2 to H5;
bounds of the red-cell indices are those beyond which a laboratory value is queried. Tolerances are proposed by the
authors: 10 % of the white count, two points of a sum of percentages, 10 % of a cell volume.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.derived import FRIEDEWALD_TG_MAX, HUNDRED, mchc, mcv
from tracker.domain.history import Lab
from tracker.domain.values import shown

TENTH = Decimal("0.1")
MOST_PERCENT = HUNDRED + 2
MCHC_BOUNDS = (Decimal(25), Decimal(40))
FRACTIONS = ("ANC", "ALC", "AMC", "EOS", "BASO")

Labs = Mapping[str, tuple[Lab, ...]]


class Contradiction(NamedTuple):
    """A latest result, the results of its draw that it was compared with, and what is wrong."""

    lab: Lab
    others: tuple[Lab, ...]
    words: str


class _Draw:
    """The draw of one result: asks for values, and remembers which were there."""

    def __init__(self, labs: Labs, last: Lab) -> None:
        self._labs, self._last = labs, last
        self.others: list[Lab] = []

    def __call__(self, code: str) -> Decimal | None:
        """The value measured in this draw, in the canonical unit."""
        for lab in reversed(self._labs.get(code, ())):
            if lab.collected_at <= self._last.collected_at:
                plain = lab.collected_at == self._last.collected_at and not lab.comparator and not lab.computed
                if plain and lab is not self._last:
                    self.others.append(lab)
                return lab.value if plain else None
        return None


Check = Callable[[Decimal, _Draw], str]


def contradictions(labs: Labs) -> Iterator[Contradiction]:
    """What is wrong with the latest results, at most one sentence an analyte and check."""
    for code, check in _CHECKS:
        last = labs[code][-1] if code in labs else None
        if last is None or last.value is None or last.comparator or last.computed:
            continue
        draw = _Draw(labs, last)
        words = check(last.value, draw)
        if words:
            yield Contradiction(last, tuple(draw.others), words)


def _against_share(percent: str) -> Check:
    """An absolute count against the white count and its percentage (H2)."""

    def check(count: Decimal, draw: _Draw) -> str:
        share = draw(percent)
        white = draw("WBC") if share is not None else None
        if share is None or white is None:
            return ""
        expected = white * share / HUNDRED
        if abs(count - expected) <= white * TENTH:
            return ""
        return f"{shown(share)} % of {shown(white)} white cells are {shown(expected)}"

    return check


def _sum_of_counts(white: Decimal, draw: _Draw) -> str:
    """The absolute counts against the white count (H3); a part of them can only be too many."""
    found = [count for count in map(draw, FRACTIONS) if count is not None]
    total = sum(found, Decimal(0))
    too_few = len(found) == len(FRACTIONS) and total < white - white * TENTH
    if not found or not (too_few or total > white + white * TENTH):
        return ""
    return f"the counts of its kinds add up to {shown(total)}"


def _sum_of_percents(*others: str) -> Check:
    """Percentages of the white cells that are too many together (H3); a part of them can be any fewer."""

    def check(share: Decimal, draw: _Draw) -> str:
        found = [value for value in map(draw, others) if value is not None]
        if share + sum(found, Decimal(0)) <= MOST_PERCENT:
            return ""
        kinds = " and ".join(f"{shown(lab.value or share)} % {_KINDS[lab.analyte]}" for lab in draw.others)
        return f"with {kinds} that is more than 100 %"

    return check


_KINDS = {"LYMPH_PCT": "lymphocytes", "NEUT_BAND_PCT": "bands"}


def _against_haematocrit(hb: Decimal, draw: _Draw) -> str:
    """Haemoglobin against haematocrit by the MCHC they make (H4)."""
    hct = draw("HCT")
    made = mchc(hb, hct).value if hct is not None else None
    if hct is None or made is None or MCHC_BOUNDS[0] <= made <= MCHC_BOUNDS[1]:
        return ""
    return f"with a haematocrit of {shown(hct)} % the MCHC would be {shown(made)} g/dL"


def _against_cells(volume: Decimal, draw: _Draw) -> str:
    """A reported MCV against haematocrit and red cells (H4)."""
    hct = draw("HCT")
    rbc = draw("RBC") if hct is not None else None
    made = mcv(hct, rbc).value if hct is not None and rbc is not None else None
    if made is None or abs(made - volume) <= volume * TENTH:
        return ""
    return f"haematocrit and red cells make it {shown(made)} fL"


def _at_most(whole: str, words: str) -> Check:
    """A part against its whole (H5)."""

    def check(part: Decimal, draw: _Draw) -> str:
        value = draw(whole)
        return f"{words} {shown(value)}" if value is not None and part > value else ""

    return check


def _ldl_left(chol: Decimal, draw: _Draw) -> str:
    """Total cholesterol against what is in it (H5): a computed LDL is not negative."""
    hdl, tg = draw("HDL"), draw("TG")
    if hdl is None or tg is None or tg > FRIEDEWALD_TG_MAX or hdl > chol or chol - hdl - tg / 5 >= 0:
        return ""
    return f"HDL {shown(hdl)} and triglycerides {shown(tg)} mg/dL leave a negative LDL"


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("ANC", _against_share("NEUT_PCT")),
    ("ALC", _against_share("LYMPH_PCT")),
    ("WBC", _sum_of_counts),
    ("NEUT_PCT", _sum_of_percents("LYMPH_PCT")),
    ("NEUT_SEG_PCT", _sum_of_percents("NEUT_BAND_PCT", "LYMPH_PCT")),
    ("HB", _against_haematocrit),
    ("MCV", _against_cells),
    ("DBIL", _at_most("TBIL", "the total bilirubin is")),
    ("HDL", _at_most("CHOL", "the total cholesterol is")),
    ("CHOL", _ldl_left),
)
