"""A real trial: 131 treated subjects, 30,213 lab rows, with the laboratory's own verdicts and SI conversions as an
answer key.
"""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.conftest import needs_shared
from tracker.cli import tracker
from tracker.db import Database
from tracker.domain.history import Lab
from tracker.domain.ranges import HIGH, INSIDE, LOW
from tracker.models import LabResult, Patient
from tracker.queries.history import Loader

pytestmark = needs_shared

Key = tuple[str, str, str]


@pytest.fixture
def pilot(shared: Path) -> Path:
    return shared / "data" / "cdisc_pilot"


def run(url: str, *arguments: str) -> dict:  # type: ignore[type-arg]
    outcome = CliRunner().invoke(tracker, [*arguments, "--json"], env={"TRACKER_DATABASE_URL": url})
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)  # type: ignore[no-any-return]


def answers(pilot: Path) -> dict[Key, dict[str, str]]:
    """Every row by subject, test and time; the few that share all three are left out of the comparison and counted."""
    with gzip.open(pilot / "sdtm_lb.csv.gz", "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    seen = Counter((r["USUBJID"], r["LBTESTCD"], r["LBDTC"]) for r in rows)
    return {key: r for r in rows if seen[key := (r["USUBJID"], r["LBTESTCD"], r["LBDTC"])] == 1}


def test_every_row_is_filed_or_says_why_not_and_the_second_time_files_nothing(database_url: str, pilot: Path) -> None:
    first = run(database_url, "import", str(pilot))
    for report in first["files"]:
        assert report["rows_in"] == report["filed"] + report["duplicate"] + report["unmatched"] + report["refused"]
        assert report["format"] == "sdtm" or report["problems"], report["path"]
    by_name = {Path(report["path"]).name: report for report in first["files"]}
    assert {
        name: by_name[name]["filed"] for name in ("sdtm_dm.csv", "sdtm_ex.csv", "sdtm_ae.csv", "sdtm_lb.csv.gz")
    } == {
        "sdtm_dm.csv": 159,
        "sdtm_ex.csv": 302,
        "sdtm_ae.csv": 615,
        "sdtm_lb.csv.gz": 30213,
    }
    second = run(database_url, "import", str(pilot))
    assert sum(report["filed"] for report in second["files"]) == 0
    assert second["flags"] == {"opened": 0, "changed": 0, "cleared": 0}


@pytest.fixture
def filed(sqlite_url: str, pilot: Path) -> Iterator[dict[Key, tuple[LabResult, Lab]]]:
    """The stored results with the history's view of each, by subject, local code and time."""
    run(sqlite_url, "import", *(str(pilot / name) for name in ("sdtm_dm.csv", "sdtm_ex.csv", "sdtm_lb.csv.gz")))
    database = Database(sqlite_url)
    with database.reading() as session:
        clinic_id = session.scalars(select(Patient.clinic_id)).first() or 0
        numbers = {p.id: p.mrn for p in session.scalars(select(Patient))}
        loader = Loader(session, clinic_id, max(session.scalars(select(LabResult.collected_on))))
        labs = {lab.id: lab for h in loader.histories(sorted(numbers)) for held in h.labs.values() for lab in held}
        found = {}
        for row in session.scalars(select(LabResult)):
            when = row.collected_at.strftime("%Y-%m-%dT%H:%M") if row.time_known else row.collected_on.isoformat()
            found[numbers[row.patient_id], row.local_code.split(" (")[0], when] = (row, labs[row.id])
    yield found
    database.close()


VERDICT = {LOW: "LOW", HIGH: "HIGH", INSIDE: "NORMAL"}


def test_the_verdict_agrees_with_the_laboratorys_own(filed: dict[Key, tuple[LabResult, Lab]], pilot: Path) -> None:
    compared, differing = 0, []
    for key, answer in answers(pilot).items():
        if answer["LBORNRLO"] or answer["LBORNRHI"]:
            compared += 1
            ours = VERDICT.get(filed[key][1].place or "", "none")
            if ours != answer["LBNRIND"]:
                differing.append(
                    (*key, answer["LBORRES"], answer["LBORNRLO"], answer["LBORNRHI"], answer["LBNRIND"], ours)
                )
    print(
        f"\nverdicts: {compared - len(differing)} of {compared} agree ({100 * (1 - len(differing) / compared):.3f} %)"
    )
    for row in differing:
        print("  differs:", *row)
    assert compared > 28000
    # Two bilirubins of `<0.2` with a range from 0.2 got no verdict from the laboratory; they are below the range for
    # certain.
    assert [row[3:] for row in differing] == [("<0.2", "0.2", "1.2", "", "LOW")] * 2


OURS_IS_SDTMS = {"ALP", "ALT", "AST", "CK", "GGT", "MCV", "BASO", "EOS", "LYM", "MONO", "PLAT", "WBC", "RBC"}


def test_the_canonical_value_agrees_with_the_standard_one(filed: dict[Key, tuple[LabResult, Lab]], pilot: Path) -> None:
    """SDTM's unit is ours for thirteen tests; the others are compared in ours through the same published factor."""
    compared, differing = 0, []
    for key, answer in answers(pilot).items():
        if key[1] in OURS_IS_SDTMS and answer["LBSTRESN"]:
            compared += 1
            value = filed[key][0].value
            if value is None or not _same(value, Decimal(answer["LBSTRESN"])):
                differing.append((*key, answer["LBORRES"], answer["LBORRESU"], answer["LBSTRESN"], str(value)))
    print(
        f"\ncanonical values: {compared - len(differing)} of {compared} agree"
        f" ({100 * (1 - len(differing) / compared):.3f} %)"
    )
    for row in differing[:40]:
        print("  differs:", *row)
    assert compared > 11000
    assert differing == []


def _same(ours: Decimal, theirs: Decimal) -> bool:
    """Equal to the digits given."""
    places = -int(theirs.as_tuple().exponent)
    return round(ours, places) == round(theirs, places)


def test_no_row_is_dropped_because_its_test_is_not_known(filed: dict[Key, tuple[LabResult, Lab]]) -> None:
    unmapped = {row.subject for row, _ in filed.values() if not row.analyte}
    assert {"Sodium", "Potassium", "Calcium", "Urate", "Thyrotropin"} <= unmapped
