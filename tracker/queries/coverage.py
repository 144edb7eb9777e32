"""Whether a clinic's range table can judge everybody: gaps, overlaps and ties by sex and age."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
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
    """What a trial would make of the table's gaps, ties and overlaps: sentences, in the order of the analytes."""

    made: list[str]
    mended: list[str]
    left: list[str]


def change(session: Session, clinic_id: int, trial: Trial, on: date) -> Mended:
    """Before and after what is tried out of a clinic's ranges, once all of it is in force (by `on` at the earliest)."""
    day = max([on, *trial.ranges.values(), *([trial.back.day] if trial.back else [])])
    line = ReferenceRange
    keys = [*trial.ranges, *filter(None, [trial.takes_back(line.__tablename__)])]
    touched = session.execute(select(line.analyte, line.laboratory).where(line.id.in_(keys)).distinct())
    lines = sorted((row.analyte, row.laboratory) for row in touched)
    before = _sentences(configured(session, clinic_id), lines, day)
    after = _sentences(configured(session, clinic_id, trial), lines, day)
    return Mended(
        [said for said in after if said not in before],
        [said for said in before if said not in after],
        [said for said in after if said in before],
    )


def of_drafts(session: Session, drafts: Sequence[ReferenceRange], on: date) -> Mended:
    """The same of drafts of one clinic, each from the day it is dated."""
    return change(session, drafts[0].clinic_id, Trial({row.id: row.effective_from for row in drafts}, {}), on)


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
