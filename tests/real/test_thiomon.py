"""2,584 real blood counts of patients on thiopurines: what is low comes out as flags, from computed counts."""

import json
from decimal import Decimal
from pathlib import Path

from click.testing import CliRunner

from tests.conftest import needs_shared
from tests.real.burden import measure
from tests.real.thiomon import SAMPLED, convert
from tracker.cli import tracker

pytestmark = needs_shared


def test_the_low_counts_come_out_as_flags(sqlite_url: str, shared: Path, tmp_path: Path) -> None:
    rows = convert(shared / "data" / "immunosuppressant_labs" / "thiomon.csv", tmp_path)
    environment = {"TRACKER_DATABASE_URL": sqlite_url}
    outcome = CliRunner().invoke(tracker, ["import", str(tmp_path), "--json"], env=environment)
    assert outcome.exit_code == 0, outcome.output
    outcome = CliRunner().invoke(tracker, ["flags", "--as-of", SAMPLED.isoformat(), "--json"], env=environment)
    flags = json.loads(outcome.stdout)
    stop = [f for f in flags if f["rule"] == "action_limit" and f["subject"] == "ALC" and f["suggested"] == "stop"]
    neutrophils = [f for f in flags if f["rule"] == "action_limit" and f["subject"] == "ANC"]
    below_1 = {f["mrn"] for f in neutrophils if any(Decimal(e["value"]) < 1 for e in f["evidence"])}
    print(f"\n{rows} rows: ALC < 0.5 in {len(stop)}, ANC < 1.0 in {len(below_1)}")
    assert (rows, len(stop), len(below_1)) == (2584, 289, 14)
    assert {f["confirmation"] for f in stop} == {"needs_repeat"}
    burden = measure(sqlite_url)
    print("\n".join(burden.lines()))
    assert burden.flags["out_of_range"] > 5000
    assert burden.queued["out_of_range"] == 0, "a value outside the laboratory's range alone asks nobody to look"
