"""One result by two doors is one result, and what goes out as FHIR is FHIR: with real messages and resources."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.bundle import Bundle

from tests.real.every_file import account
from tracker.cli import tracker

ORU = "oru/microsoft__FHIR-Converter"


@pytest.mark.parametrize(
    ("name", "again"),
    [("LAB-ORU-1", 9), ("LAB-ORU-2", 11), ("LRI_2.0-NG_CBC_Typ_Message", 28), ("ORU-R01-RMGEAD", 2)],
)
def test_a_message_and_the_bundle_made_of_it_are_the_same_results(
    shared: Path, sqlite_url: str, name: str, again: int
) -> None:
    message = account(shared / "data" / ORU / f"{name}.hl7", sqlite_url, test_messages=True)
    bundle = account(shared / "data" / "fhir_from_oru" / f"{name}.fhir.json", sqlite_url)
    assert (bundle.counts["filed"], bundle.counts["duplicate"]) == (0, again)  # the patient is one of them
    assert message.counts["filed"] == again - 1


def exported(url: str, table: str) -> str:
    outcome = CliRunner().invoke(tracker, ["export", table, "--format", "fhir"], env={"TRACKER_DATABASE_URL": url})
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


@pytest.fixture
def filled(shared: Path, sqlite_url: str) -> str:
    """A database of real results: text, bounds, reports, sub-IDs, units that UCUM does not know."""
    data = shared / "data"
    files = [*sorted((data / "oru" / "elexis__elexis-3-core").rglob("*"))[:60], *sorted((data / ORU).rglob("*"))]
    files += sorted((data / "fhir_smart_samples").rglob("*"))[:2]
    for path in files:
        if path.is_file():
            account(path, sqlite_url, test_messages=True)
    return sqlite_url


@pytest.mark.parametrize(("table", "least"), [("patients", 20), ("results", 500), ("flags", 50)])
def test_what_is_exported_is_fhir(filled: str, table: str, least: int) -> None:
    text = exported(filled, table)
    entries = json.loads(text, parse_float=Decimal)["entry"]
    assert len(entries) >= least
    assert len({entry["fullUrl"] for entry in entries}) == len(entries)
    assert len(Bundle.model_validate_json(text).entry) == len(entries)


def test_what_was_exported_as_fhir_is_on_file_already(filled: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(exported(filled, "results"))
    found = account(path, filled)
    assert found.counts["filed"] <= 1  # a text with a unit, for which FHIR has no place
    assert found.counts["duplicate"] > 500
    assert found.adds_up
    assert all("A character was lost" in reason for reason in found.reasons), found.reasons
