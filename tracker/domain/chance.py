"""How large a change between two results has to be, to be more than chance: reference change values (B6).

Coefficients of variation in percent; that within a person is general knowledge.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.derived import Variation, rcv, rcv_log_normal
from tracker.domain.ranges import HIGH, LOW

A_LITTLE_MORE = 1 + Decimal("1E-9")  # what is this near a bound is weighed, not passed over


class Chance(NamedTuple):
    """What of the baseline a value must be beyond to be more than chance, in the direction of concern.

    Values of which the least is more than the `steady` share of the most do not differ by more than chance.
    """

    direction: str
    factor: Decimal
    percent: Decimal
    steady: Decimal


def _chance(direction: str, analytical: str, within_person: str, skewed: bool = False) -> Chance:
    spread = Variation(Decimal(analytical), Decimal(within_person))
    both = rcv_log_normal(spread) if skewed else None
    if direction == LOW:
        percent = both.fall if both else rcv(spread)
        return Chance(LOW, 1 - percent / 100, percent, (1 - percent / 100) * A_LITTLE_MORE)
    percent = both.rise if both else rcv(spread)
    return Chance(HIGH, 1 + percent / 100, percent, A_LITTLE_MORE / (1 + percent / 100))


# composite rules B6: coefficients of variation in percent
CHANCE: Mapping[str, Chance] = {
    "HB": _chance(LOW, "1.0", "2.7"),
    "ANC": _chance(LOW, "3.0", "14.1", skewed=True),
    "ALT": _chance(HIGH, "3.0", "10.1"),
    "LDL": _chance(HIGH, "3.0", "8.3"),
    "CREAT": _chance(HIGH, "2.5", "4.5"),
}
