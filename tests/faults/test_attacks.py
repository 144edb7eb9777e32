"""Bombs, and requests that are one (R26): what each takes of the processor and of memory has a limit."""

from tests.trust import attacks


def test_what_is_made_to_take_the_machine_is_refused_before_it_does() -> None:
    """The quick ones; all of them in `make trust`."""
    quick = ("workbook, one cell in the far corner", "workbook, one cell in the last row", "JSON, nested",
             "XML, entities of entities", "CSV, columns", "CSV, quotation marks")  # fmt: skip
    costs = [attacks.cost(name, lambda name=name: attacks.read(attacks.FILES[name]())) for name in quick]  # type: ignore[misc]
    assert [one for one in costs if one.outcome.startswith("failed") or one.megabytes > attacks.MEGABYTES] == []
