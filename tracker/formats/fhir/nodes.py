"""An object of FHIR with the path to it, so that whatever is wrong in it can be said with its place."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tracker.domain.errors import Refused
from tracker.formats import cells
from tracker.formats.cells import Misfit

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CLINIC = "urn:jakwatch:clinic"  # what an export of our own calls a clinic by
_LOINCS = frozenset((LOINC, f"{LOINC}/", "https://loinc.org", "urn:oid:2.16.840.1.113883.6.1", "LN", "LOINC"))
_UCUMS = frozenset((UCUM, f"{UCUM}/", "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"))
_LONGEST_PATH = 200
_TAG = re.compile(r"\s+\((?:[a-z][a-z /+-]+)\)$")  # what SNOMED CT puts behind a name: `Positive (qualifier value)`


class Node:
    """One object. Its readers raise Misfit, with the path, where something is of another type than FHIR says."""

    __slots__ = ("data", "path")

    def __init__(self, data: dict[str, Any], path: str = "") -> None:
        self.data = data
        self.path = path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, message: str) -> Misfit:
        """What to raise for an element of this object, with its path."""
        return Misfit(self.at(name)[:_LONGEST_PATH], message)

    def has(self, name: str) -> bool:
        return self.data.get(name) not in (None, "", [], {})

    def one(self, name: str) -> "Node | None":
        """An object, or None where there is none. Where a list stands in another version of FHIR, its first."""
        return next(iter(self.many(name)), None)

    def many(self, name: str) -> list["Node"]:
        """The objects of a list; an object that stands alone (as in another version of FHIR, or in XML) is a list."""
        value = self.data.get(name)
        if value is None:
            return []
        if isinstance(value, dict):
            return [Node(value, self.at(name))]
        if not isinstance(value, list):
            raise self.wrong(name, f"{_shown(value)} stands where an object has to: see the FHIR page of the resource.")
        return [self._item(name, place, item) for place, item in enumerate(value) if item is not None]

    def _item(self, name: str, place: int, item: Any) -> "Node":
        if not isinstance(item, dict):
            raise self.wrong(f"{name}[{place}]", f"{_shown(item)} stands where an object has to.")
        return Node(item, f"{self.at(name)}[{place}]")

    def text(self, name: str) -> str:
        """A tidied text; "" where there is none."""
        value = self.data.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, f"{_shown(value)} stands where a text has to: put it in quotation marks.")
        try:
            return cells.text(value)
        except Refused as why:
            raise self.wrong(name, str(why)) from None

    def raw(self, name: str) -> str:
        """A text as it is, for looking something up; "" where there is none, or something else."""
        value = self.data.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> Decimal | None:
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise self.wrong(
                name, f"{_shown(value)} stands where a number has to: write it like 5.3, without quotation marks."
            )
        _, digits, exponent = value.as_tuple()
        if max(len(digits), abs(value.adjusted()), abs(int(exponent))) > cells.MOST_DIGITS:
            raise self.wrong(name, f"{str(value)[:40]} has more digits than any measurement: check it.")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.data.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(name, f"{_shown(value)} stands where true or false has to.")

    def codes(self, name: str, systems: frozenset[str] | None = None) -> Iterator[str]:
        """The codes of a CodeableConcept, or of several, in `systems` or in any; a code that stands alone is one."""
        if isinstance(self.data.get(name), str):
            yield self.text(name)
            return
        for concept in self.many(name):
            for coding in concept.many("coding") or [concept]:
                if (systems is None or coding.raw("system") in systems) and coding.has("code"):
                    yield coding.text("code")

    def words(self, name: str) -> str:
        """What a CodeableConcept says, for people: the first display, the text, the code."""
        if isinstance(self.data.get(name), str):
            return self.text(name)
        concept = self.one(name)
        if concept is None:
            return ""
        codings = concept.many("coding")
        shown = next((word for coding in codings if (word := coding.text("display"))), "")
        return (
            _TAG.sub("", shown) or concept.text("text") or next((c.text("code") for c in codings if c.has("code")), "")
        )


def is_loinc(system: str) -> bool:
    return system in _LOINCS


def is_ucum(system: str) -> bool:
    return system in _UCUMS


LOINC_SYSTEMS = _LOINCS


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "An object"
    if isinstance(value, list):
        return "A list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"“{str(value)[:40]}”"
