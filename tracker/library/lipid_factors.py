"""The factors of Martin and Hopkins (JAMA 2013) for LDL cholesterol, as the packaged table has them."""

import csv
from decimal import Decimal
from functools import cache

from tracker.domain.derived import FactorRow
from tracker.library import packaged


@cache
def martin_hopkins_factors() -> tuple[FactorRow, ...]:
    """Rows by triglycerides, columns by non-HDL cholesterol, all in mg/dL; two whole copies of it agreed."""
    lines = csv.reader(packaged("martin_hopkins.csv").decode().splitlines())
    rows = [[Decimal(cell) for cell in line] for line in list(lines)[1:]]
    return tuple(FactorRow(low, high, tuple(factors)) for low, high, *factors in rows)
