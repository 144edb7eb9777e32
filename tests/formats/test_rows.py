"""The rows of the interchange tables: what they are read as, what refuses them, and in which words."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.formats.files import rows, says, table
from tracker.formats.interchange import INTERACTIONS, LAYOUTS, TABLES
from tracker.library.protocols import protocols

_FILE = yaml.safe_load((Path(__file__).parent / "cases" / "rows.yaml").read_text(encoding="utf-8"))
GOOD: dict[str, dict[str, str]] = _FILE["good"]
CASES: list[dict[str, Any]] = _FILE["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['table']} {case['but']}")
def test_a_row_is_read_or_refused_as_told(case: dict[str, Any]) -> None:
    assert {"reads", "refused"} & set(case), "the case expects nothing, so it could not fail"
    (row,) = rows(table(GOOD[case["table"]] | {name: str(cell) for name, cell in case["but"].items()}))
    said = says(row)
    expected = case.get("refused") or case.get("remarks") or {}
    assert set(said) == set(expected)
    assert [words for column, words in expected.items() if words not in said[column]] == []
    assert (row.reading is None) == ("refused" in case)
    for name, value in case.get("reads", {}).items():
        assert str(getattr(row.reading, name)) == str(value)


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_has_a_row_that_is_read_and_one_that_is_refused(kind: str) -> None:
    told = [case for case in CASES if case["table"] == kind]
    assert any("reads" in case for case in told)
    assert any("refused" in case for case in told)


@pytest.mark.parametrize("kind", TABLES)
def test_the_columns_that_are_read_are_those_that_are_published(kind: str) -> None:
    assert {column.name for column in LAYOUTS[kind].columns} - {""} == set(TABLES[kind])


def test_a_cell_of_200_characters_is_kept_and_one_of_201_is_not() -> None:
    good, long = GOOD["courses"] | {"indication": "x" * 200}, GOOD["courses"] | {"indication": "x" * 201}
    kept, refused = rows(table(good, long))
    assert kept.reading is not None
    assert kept.problems == ()
    assert refused.reading is None
    assert "201 characters" in says(refused)["indication"]


def test_a_bad_cell_of_a_column_that_is_not_read_does_not_matter() -> None:
    (row,) = rows(table(GOOD["results"] | {"note": "\a" + "x" * 500}))
    assert row.reading is not None


def test_every_interaction_that_a_protocol_asks_about_is_known() -> None:
    asked = {
        word
        for protocol in protocols().values()
        for line in protocol.dose_adjust
        for word in (*line.interactions_all, *line.interactions_any)
    }
    assert asked
    assert asked <= set(INTERACTIONS)


@pytest.mark.parametrize(
    ("more", "read_as"),
    [
        ({"specimen": "Urine"}, "Creatinine (urine)"),
        ({"material": "Serum", "order": "Urinalysis"}, "Creatinine"),
        ({"order": "Spot urine"}, "Creatinine (spot urine)"),
        ({"specimen": ""}, "Creatinine"),
    ],
)
def test_a_column_that_names_the_sample_tells_urine_from_blood(more: dict[str, str], read_as: str) -> None:
    """Read as a creatinine of serum it would be a kidney failure."""
    (row,) = rows(table(GOOD["results"] | {"analyte": "Creatinine", "value": "9.5", "unit": "mg/dL"} | more))
    assert (row.reading.analyte, row.problems) == (read_as, ())  # type: ignore[union-attr]  # a result
