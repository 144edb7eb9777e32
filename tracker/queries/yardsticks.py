"""The yardsticks of a clinic, read once: configured ranges, and which of them judges a result."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.ranges import PRINTED, ConfiguredRange, Range, choose
from tracker.domain.units import from_canonical, normal_unit, to_canonical
from tracker.library.analytes import ANALYTES
from tracker.models import Clinic, ReferenceRange

Answer = tuple[Range | None, str]


class Ranges:
    """Which configured range of one clinic judges a sample; answers are remembered, because the same few come again
    and again.
    """

    def __init__(self, lines: Iterable[ConfiguredRange]) -> None:
        self._lines: dict[tuple[str, str], list[ConfiguredRange]] = {}
        for line in lines:
            self._lines.setdefault((line.analyte, line.laboratory), []).append(line)
        self._dates = {key: sorted({line.effective_from for line in held}) for key, held in self._lines.items()}
        self._answers: dict[tuple[str, str, str, int | None, int, str], Answer] = {}

    def find(self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str) -> Answer:
        """The laboratory's own range, else the clinic's default, in the unit of the result; or why there is none."""
        if laboratory and (analyte, laboratory) in self._lines:
            own = self._answer(analyte, laboratory, sex, age, on, unit)
            if own[0] is not None:
                return own
        return self._answer(analyte, "", sex, age, on, unit)

    def _answer(self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str) -> Answer:
        lines = self._lines.get((analyte, laboratory))
        if lines is None:
            return None, "no reference range is configured for this person"
        segment = bisect_right(self._dates[analyte, laboratory], on)
        key = (analyte, laboratory, sex, age, segment, unit)
        answer = self._answers.get(key)
        if answer is None:
            found, why = choose(lines, sex, age, on)
            answer = self._answers[key] = (found, why) if found is None else _in_unit(found, analyte, unit)
        return answer


def _in_unit(found: Range, analyte: str, unit: str) -> Answer:
    """The range in the unit of the result. The clinic's own bounds are converted, published limits never are."""
    if normal_unit(found.unit) == normal_unit(unit):
        return found, ""
    known = ANALYTES[analyte]

    def convert(bound: Decimal | None) -> Decimal | None:
        canonical = None if bound is None else to_canonical(known, bound, found.unit)
        return None if canonical is None else from_canonical(known, canonical, unit)

    low, high = convert(found.low), convert(found.high)
    if (low is None) != (found.low is None) or (high is None) != (found.high is None):
        return None, f"the unit “{unit}” cannot be compared with the configured range in {found.unit}"
    return found._replace(low=low, high=high, unit=unit), ""


class Yardsticks:
    """What a clinic measures by."""

    def __init__(self, clinic: Clinic, ranges: Ranges) -> None:
        self.clinic_id = clinic.id
        self.zone = ZoneInfo(clinic.time_zone)
        self.configured_first = clinic.configured_ranges_first
        self.ranges = ranges

    def range_for(
        self, analyte: str, laboratory: str, sex: str, age: int | None, on: date, unit: str, printed: Range | None
    ) -> Answer:
        """The range printed with the result, else the configured one; the other way round where the clinic says so."""
        if printed is not None and not self.configured_first:
            return printed, ""
        if not analyte:
            return printed, "" if printed else "the test is not mapped to an analyte"
        answer = self.ranges.find(analyte, laboratory, sex, age, on, unit)
        return (printed, "") if answer[0] is None and printed is not None else answer


def printed_range(low: Decimal | None, high: Decimal | None, unit: str) -> Range | None:
    """The range as the laboratory printed it, bounds inclusive; none where it contradicts itself."""
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        return None
    return Range(low, True, high, True, unit, PRINTED)


def load_yardsticks(session: Session, clinic_id: int) -> Yardsticks:
    """The published ranges of a clinic, in force from their dates."""
    clinic = session.get_one(Clinic, clinic_id)
    rows = session.execute(
        select(
            ReferenceRange.id, ReferenceRange.analyte, ReferenceRange.laboratory, ReferenceRange.sex,
            ReferenceRange.age_from, ReferenceRange.age_to, ReferenceRange.low, ReferenceRange.low_inclusive,
            ReferenceRange.high, ReferenceRange.high_inclusive, ReferenceRange.unit, ReferenceRange.effective_from,
        ).where(ReferenceRange.clinic_id == clinic_id, ReferenceRange.state == "published")
    )  # fmt: skip
    return Yardsticks(clinic, Ranges(ConfiguredRange._make(row) for row in rows))
