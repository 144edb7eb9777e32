"""Whether a clinic's range table can judge everybody: gaps, overlaps and ties by sex and age."""

from datetime import date

from sqlalchemy.orm import Session

from tracker.library.analytes import ANALYTES, PANELS
from tracker.models import Clinic
from tracker.queries.yardsticks import load_yardsticks

ADULT_AGES = (18, 40, 65, 90)


def problems(session: Session, clinic: Clinic, on: date | None = None) -> list[str]:
    """A sentence for each monitored analyte that some adult has no range for, or two that fit equally."""
    day = on or date.max
    ranges = load_yardsticks(session, clinic.id).ranges
    found = []
    for code in PANELS["MONITORING"]:
        for sex in ("female", "male"):
            for age in ADULT_AGES:
                held, why = ranges.find(code, "", sex, age, day, ANALYTES[code].unit)
                if held is None:
                    found.append(f"{clinic.code}: {code}, {sex}, {age} years: {why}.")
    return found
