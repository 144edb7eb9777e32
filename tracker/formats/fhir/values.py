"""What an Observation found: numbers with their units, words, the printed range, and when."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import Moment
from tracker.domain.units import dimension, normal_unit, rescaled
from tracker.domain.values import plain
from tracker.formats import cells
from tracker.formats.bounds import Bounds, range_of
from tracker.formats.fhir.file import Resource
from tracker.formats.fhir.nodes import Node, is_ucum
from tracker.formats.glued import Value, unglued

COMPARATORS = ("", "<", "<=", ">", ">=")
# Verdicts by their codes, for senders whose words are of another language. SNOMED CT and HL7 v3.
_VERDICTS = {
    "10828004": "positive", "260385009": "negative", "11214006": "reactive", "131194007": "non-reactive",
    "260373001": "detected", "260415000": "not detected", "82334004": "indeterminate", "419984006": "inconclusive",
    "POS": "positive", "NEG": "negative", "IND": "indeterminate", "DET": "detected", "ND": "not detected",
}  # fmt: skip
_VALUES = (
    "Quantity", "CodeableConcept", "String", "Boolean", "Integer", "Range", "Ratio", "DateTime", "Time", "Period",
    "SampledData", "Attachment", "Reference", "Decimal",
)  # fmt: skip


class Found(NamedTuple):
    """A value as text, its unit, and a flag that stood beside it; `value` is "" where there is none."""

    value: str
    unit: str = ""
    flag: str = ""


def value_of(node: Node) -> Found:
    """The value[x] of an Observation or a component. Raises Misfit."""
    kinds = [kind for kind in _VALUES if node.has(f"value{kind}")]
    if kinds == ["Quantity", "String"] and not (quantity := _only(node, "valueQuantity")).has("value"):
        return Found(_written(node, "valueString").value, unit_of(quantity))  # a bound, as some write what is `<15`
    if len(kinds) > 1:
        raise node.wrong(f"value{kinds[1]}", f"There is a value{kinds[0]} too: one Observation has one value.")
    if not kinds:
        return Found("")
    read = _READERS.get(kinds[0])
    if read is None:
        readable = "valueQuantity, valueCodeableConcept or valueString"
        raise node.wrong(f"value{kinds[0]}", f"A value of this kind is not read: send it as {readable}.")
    return read(node, f"value{kinds[0]}")


def _verdict_or_words(node: Node, name: str) -> Found:
    verdict = next((_VERDICTS[code] for code in node.codes(name) if code in _VERDICTS), "")
    return Found(verdict or node.words(name).rpartition(" = ")[2])  # `Urine protein test = +++`


def _written(node: Node, name: str) -> Found:
    said = node.raw(name) if len(node.raw(name)) > cells.LONGEST else node.text(name)
    try:
        found = unglued(said) if len(said) <= cells.LONGEST else Value(said)
        return Found(cells.report(found.text), found.unit, found.flag)
    except Refused as why:
        raise node.wrong(name, str(why)) from None


def _only(node: Node, name: str) -> Node:
    found = node.one(name)
    if found is None:
        raise node.wrong(name, "An empty list stands where an object has to.")
    return found


def _whole(node: Node, name: str) -> Found:
    number = node.number(name)
    return Found("" if number is None else plain(number))


def _yes_or_no(node: Node, name: str) -> Found:
    return Found("yes" if node.flag(name) else "no")


def _quantity(quantity: Node) -> Found:
    number = quantity.number("value")
    if number is None:
        raise quantity.wrong("value", "The number is missing: give it, or dataAbsentReason instead of the value.")
    comparator = quantity.text("comparator")
    if comparator not in COMPARATORS:
        raise quantity.wrong("comparator", f"“{comparator}” is not read: <, <=, > and >= are.")
    return Found(f"{comparator}{plain(number)}", unit_of(quantity))


def _ratio(ratio: Node) -> Found:
    """A titre: `1:128`."""
    parts = [_quantity(part) for part in (ratio.one("numerator"), ratio.one("denominator")) if part is not None]
    if len(parts) != 2:
        raise ratio.wrong("denominator", "A ratio has a numerator and a denominator: give both.")
    return Found(":".join(part.value for part in parts))


_READERS: Mapping[str, Callable[[Node, str], Found]] = {
    "Quantity": lambda node, name: _quantity(_only(node, name)), "CodeableConcept": _verdict_or_words,
    "String": _written, "DateTime": _written, "Time": _written, "Integer": _whole, "Decimal": _whole,
    "Boolean": _yes_or_no, "Ratio": lambda node, name: _ratio(_only(node, name)),
}  # fmt: skip


def unit_of(quantity: Node) -> str:
    """The unit: its UCUM code where it is one that is known, else as printed. Raises Misfit where they disagree."""
    code, printed, system = quantity.text("code"), quantity.text("unit"), quantity.text("system")
    if code and system and ":" not in system:
        raise quantity.wrong(
            "system", f"“{system}” is no system of units: for a UCUM code write http://unitsofmeasure.org."
        )
    if not is_ucum(system) or not code:
        return printed or code
    if not printed or normal_unit(printed) == normal_unit(code):
        return code
    measured = dimension(code), dimension(printed)
    if all(measured) and (measured[0] != measured[1] or _size(code) != _size(printed)):
        raise quantity.wrong(
            "unit", f"The unit is printed as “{printed}” and coded as “{code}”: the two have to agree."
        )
    return code if measured[0] or not measured[1] else printed


_SIZES = {"10*12/L": "10*6/uL", "10*9/L": "10*3/uL", "10*6/L": "/uL"}


def _size(unit: str) -> str:
    normal = normal_unit(unit)
    return _SIZES.get(normal, normal)


# ------------------------------------------------------------------------------------------------ range


def printed_with(resource: Resource, node: Node, unit: str) -> Bounds:
    """The printed range, in the unit of the value. What cannot be used is said, and bounds nothing."""
    usable = [line for line in node.many("referenceRange") if _is_usual(line)]
    if len(usable) > 1:
        resource.note(
            "referenceRange",
            f"{len(usable)} ranges are printed, and which is this patient’s is not read: none is used.",
        )
        return Bounds()
    if not usable:
        return Bounds()
    line = usable[0]
    low, high = line.one("low"), line.one("high")
    if low is None and high is None:
        return _printed(resource, line, unit)
    figures = [_bound(resource, bound, unit) for bound in (low, high)]
    if figures == [0, 0]:
        resource.note("referenceRange", "A range from 0 to 0 is none: it is not used.")
        return Bounds()
    lower, upper, said = cells.printed_range(*figures)
    if said:
        resource.note("referenceRange", said)
    return Bounds(lower, upper)


def _is_usual(line: Node) -> bool:
    types = set(line.codes("type"))
    return not types or bool(types & {"normal", "recommended"})


def _bound(resource: Resource, bound: Node | None, unit: str) -> Decimal | None:
    if bound is None:
        return None
    figure, of_bound = bound.number("value"), unit_of(bound)
    if figure is None or not of_bound or _size(of_bound) == _size(unit):
        return figure
    shifted = rescaled(figure, of_bound, unit)
    if shifted is None:
        resource.note(bound.path, f"The bound is in “{of_bound}” and the value in “{unit}”: the bound is not used.")
    return shifted


def _printed(resource: Resource, line: Node, unit: str) -> Bounds:
    try:
        found = range_of(line.text("text"), unit)
    except Refused:
        found = Bounds(said="The range is no text that can be read: none is taken from it.")
    if found.said:
        resource.note("referenceRange", found.said)
    return found


# ------------------------------------------------------------------------------------------------- when


def moment(node: Node, name: str, zone: ZoneInfo) -> Moment | None:
    """A dateTime or an instant; None where there is none. Raises Misfit where it is only a part of a date, or wrong."""
    written = node.text(name)
    if not written:
        return None
    if cells.partial_date(written):
        raise node.wrong(name, f"“{written}” is only a part of a date, and the day has to be known: complete it.")
    try:
        return cells.moment(written, zone)
    except Refused as why:
        raise node.wrong(name, str(why)) from None
