"""How many flags a rule raises, per hundred patient-months watched, in a database of real results.

    python -m tests.real.burden ../shared/data      prints the table for the pilot trial, pbcseq and thiomon

A patient is watched from the first sample to the last, a month at the least. `queued` are flags that asked somebody to
look: not folded under another, and more than information.
"""

import csv
import sys
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner
from sqlalchemy import func, select

from tests.real import thiomon
from tracker.cli import tracker
from tracker.db import Database
from tracker.models import Flag, LabResult

MONTH = 30.4375
PBC = {
    "bili": ("TBIL", "mg/dL"),
    "chol": ("CHOL", "mg/dL"),
    "albumin": ("ALB", "g/dL"),
    "alk.phos": ("ALP", "U/L"),
    "ast": ("AST", "U/L"),
    "platelet": ("PLT", "10*9/L"),
}
ENTERED = date(2010, 1, 1)  # the file counts days; the calendar is made up


class Burden(NamedTuple):
    """Patient-months watched, flags of each rule, and how many of those were queued."""

    months: float
    flags: Counter[str]
    queued: Counter[str]

    def lines(self) -> list[str]:
        rows = [f"{self.months:,.0f} patient-months; per 100 of them:"]
        for rule, count in self.flags.most_common():
            rows.append(f"  {rule:14} {100 * count / self.months:8.1f} flags, {self._queued(rule):8.1f} queued")
        return rows

    def _queued(self, rule: str) -> float:
        return 100 * self.queued[rule] / self.months


def measure(url: str) -> Burden:
    """The burden of the flags stored in a database."""
    database = Database(url)
    with database.reading() as session:
        spans = session.execute(
            select(func.min(LabResult.collected_on), func.max(LabResult.collected_on)).group_by(LabResult.patient_id)
        ).all()
        months = sum(max(1.0, ((last - first).days + 1) / MONTH) for first, last in spans)
        flags, queued = Counter[str](), Counter[str]()
        for flag in session.scalars(select(Flag).where(Flag.superseded.is_(False))):
            flags[flag.rule] += 1
            queued[flag.rule] += flag.folded_under is None and flag.severity != "info"
    database.close()
    return Burden(months, flags, queued)


def convert_pbcseq(source: Path, folder: Path) -> int:
    """The repeated visits of the liver trial as interchange tables, on tofacitinib from a made-up day."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    people = {row["id"]: row for row in rows}
    patients = [["mrn", "birth_date", "sex"]]
    patients += [[f"P{n}", _born(row["age"]), {"f": "female", "m": "male"}[row["sex"]]] for n, row in people.items()]
    courses = [["mrn", "protocol", "started_on", "dose_mg", "times_per_day"]]
    courses += [[f"P{n}", "tofacitinib_us", (ENTERED + timedelta(days=1)).isoformat(), "5", "2"] for n in people]
    results = [["mrn", "collected_at", "analyte", "value", "unit"]]
    for row in rows:
        day = (ENTERED + timedelta(days=int(row["day"]))).isoformat()
        results += [[f"P{row['id']}", day, code, row[name], unit] for name, (code, unit) in PBC.items() if row[name]]
    for name, table in (("patients", patients), ("courses", courses), ("results", results)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(table)
    return len(rows)


def _born(age: str) -> str:
    return (ENTERED - timedelta(days=round(float(age) * 365.25))).isoformat()


def imported(source: Path, folder: Path) -> Burden:
    """Import a file or folder into a database of its own, and measure it."""
    url = f"sqlite:///{folder / 'burden.db'}"
    for words in (["upgrade"], ["import", str(source)]):
        outcome = CliRunner().invoke(tracker, words, env={"TRACKER_DATABASE_URL": url})
        if outcome.exit_code:
            raise SystemExit(outcome.stderr)
    return measure(url)


def main(data: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="jakwatch-burden-") as folder:
        for name in ("cdisc_pilot", "pbcseq", "thiomon"):
            place = Path(folder) / name
            (place / "tables").mkdir(parents=True)
            source = place / "tables"
            if name == "cdisc_pilot":
                source = data / name
            elif name == "pbcseq":
                convert_pbcseq(data / "longitudinal_liver" / "pbcseq.csv", source)
            else:
                thiomon.convert(data / "immunosuppressant_labs" / "thiomon.csv", source)
            print(name, *imported(source, place).lines(), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
