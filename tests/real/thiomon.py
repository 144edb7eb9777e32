"""Turns the wide table of thiopurine patients into the interchange tables.

The table names no patient: each row becomes one, on tofacitinib, sampled on the same made-up day; the age is real.
ANC and ALC come only as white cells and percent, so that what is flagged rests on computed counts.

    python -m tests.real.thiomon thiomon.csv folder
"""

import csv
import sys
from datetime import date, timedelta
from pathlib import Path

STARTED, SAMPLED = date(2020, 1, 1), date(2020, 2, 10)
COLUMNS = {
    "wbc": ("WBC", "10*3/uL"),
    "hgb": ("HB", "g/dL"),
    "plt": ("PLT", "10*3/uL"),
    "rbc": ("RBC", "10*6/uL"),
    "mcv": ("MCV", "fL"),
    "hct": ("HCT", "%"),
    "mchc": ("MCHC", "g/dL"),
    "neut_percent": ("NEUT_PCT", "%"),
    "lymph_percent": ("LYMPH_PCT", "%"),
    "creat": ("CREAT", "mg/dL"),
    "alb": ("ALB", "g/dL"),
    "ast": ("AST", "U/L"),
    "alt": ("ALT", "U/L"),
    "alk": ("ALP", "U/L"),
    "tbil": ("TBIL", "mg/dL"),
}


def convert(source: Path, folder: Path) -> int:
    """Write patients.csv, courses.csv and results.csv into `folder`; the number of rows of the source."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    patients = [["mrn", "birth_date", "sex"]]
    courses = [["mrn", "protocol", "indication", "started_on", "dose_mg", "times_per_day"]]
    results = [["mrn", "collected_at", "analyte", "value", "unit"]]
    for number, row in enumerate(rows, 1):
        mrn = f"T{number:04d}"
        born = SAMPLED - timedelta(days=int(row["days_of_life"]))
        patients.append([mrn, born.isoformat(), "unknown"])
        courses.append([mrn, "tofacitinib_us", "alopecia areata", STARTED.isoformat(), "5", "2"])
        results += [
            [mrn, SAMPLED.isoformat(), analyte, row[column], unit]
            for column, (analyte, unit) in COLUMNS.items()
            if row[column]
        ]
    for name, table in (("patients", patients), ("courses", courses), ("results", results)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(table)
    return len(rows)


if __name__ == "__main__":
    print(convert(Path(sys.argv[1]), Path(sys.argv[2])), "rows")
