"""Whether a clinic's range table can judge everybody: gaps, overlaps and ties by sex and age."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from tracker.domain.coverage import spots
from tracker.domain.ranges import ConfiguredRange
from tracker.library.analytes import ANALYTES, PANELS
from tracker.models import Clinic, ReferenceRange
from tracker.queries.yardsticks import Trial, configured, load_yardsticks

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


class Mended(NamedTuple):
    """What drafts would make of the table's gaps, ties and overlaps: sentences, in the order of the analytes."""

    made: list[str]
    mended: list[str]
    left: list[str]


def change(session: Session, drafts: Sequence[ReferenceRange], on: date) -> Mended:
    """Before and after these drafts of one clinic, once all of them are in force (by `on` at the earliest)."""
    day = max(on, *(draft.effective_from for draft in drafts))
    trial = Trial({draft.id: draft.effective_from for draft in drafts}, {})
    lines = sorted({(draft.analyte, draft.laboratory) for draft in drafts})
    before = _sentences(configured(session, drafts[0].clinic_id), lines, day)
    after = _sentences(configured(session, drafts[0].clinic_id, trial), lines, day)
    return Mended(
        [said for said in after if said not in before],
        [said for said in before if said not in after],
        [said for said in after if said in before],
    )


def _sentences(table: Iterable[ConfiguredRange], wanted: Sequence[tuple[str, str]], on: date) -> list[str]:
    by_line: dict[tuple[str, str], list[ConfiguredRange]] = {}
    for line in table:
        by_line.setdefault((line.analyte, line.laboratory), []).append(line)
    return [
        f"{analyte}{f', {laboratory}' if laboratory else ''}, {said}"
        for analyte, laboratory in wanted
        for said in spots(by_line.get((analyte, laboratory), ()), on)
        if not laboratory or "no reference range" not in said  # there the clinic's own line judges
    ]
