"""Every real message and resource at hand: each row is accounted for, each refusal has a reason, nothing fails."""

from collections import Counter
from pathlib import Path

import pytest

from tests.real.every_file import Account, accounts


def whole(found: list[Account]) -> Counter[str]:
    """The sum of the accounts, each of which adds up."""
    total = Counter[str]()
    for one in found:
        assert one.adds_up, (one.path.name, one.counts, one.unsaid)
        assert not one.unread or one.unread.endswith("."), one.path.name
        total.update(one.counts)
    assert total["rows_in"] == total["filed"] + total["duplicate"] + total["unmatched"] + total["refused"]
    return total


@pytest.mark.parametrize("folder", ["fhir_from_oru", "fhir_official", "fhir_smart_samples", "fhir_synthea"])
def test_every_fhir_file_is_accounted_for(shared: Path, folder: str) -> None:
    found = list(accounts(shared / "data", [folder]))
    total = whole(found)
    assert total["filed"] > 0.7 * total["rows_in"] > 50
    assert all(one.counts["rows_in"] or one.unread or one.remarks for one in found)


def test_every_hl7_message_is_accounted_for_and_those_for_training_are_refused(shared: Path) -> None:
    live = whole(list(accounts(shared / "data", ["oru"])))
    everything = list(accounts(shared / "data", ["oru"], test_messages=True))
    total = whole(everything)
    assert live["rows_in"] == total["rows_in"] == 3624
    assert live["refused"] > total["refused"] + 1000
    assert not any(one.unread for one in everything)


@pytest.mark.parametrize("folder", ["astm", "messy_tabular", "synthea_csv"])
def test_what_is_no_message_is_read_or_says_why_not(shared: Path, folder: str) -> None:
    whole(list(accounts(shared / "data", [folder])))
