"""FHIR as it was sent: JSON, NDJSON or XML into plain objects. Numbers keep their digits; nothing outside is fetched.

What comes out of XML looks as JSON would, so that the readers know one shape only.
"""

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from tracker.domain.errors import Refused

_NAMESPACE = "{http://hl7.org/fhir}"
_DEEPEST = 100
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
# XML does not say which of its values are numbers: these are, by the element they stand in and their own name.
_NUMBERS = re.compile(
    r"\w*(?:[qQ]uantity|[aA]ge|numerator|denominator|low|high|doseRange)\.value|repeat\.(?:frequency|period)"
)


_MOST_NODES = 1_000_000  # objects, lists or tags: of small ones a file of some megabytes would fill the memory


class _Twice(Exception):
    """A name that stands twice in one object."""


def documents(content: bytes) -> list[tuple[int, Any]]:
    """The documents of a file, each with its line (0 where there is one only). Raises Refused."""
    text = _decoded(content).strip()
    nodes = text.count("<") // 2 if text.startswith("<") else text.count("{") + text.count("[")
    if nodes > _MOST_NODES:
        raise Refused(f"The file has more than {_MOST_NODES:,} objects and lists: split it into several files.")
    if text.startswith("<"):
        return [(0, _xml(text))]
    first, _, others = text.partition("\n")
    if others.strip() and (only := _one_line(first)) is not None:
        return [(1, only), *_lines(others)]
    return [(0, _json(text))]


def _decoded(content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig").lstrip("\ufeff")
    except UnicodeDecodeError as why:
        raise Refused(
            f"The file is not UTF-8, as FHIR has to be: byte {why.start + 1} is wrong. Save it anew."
        ) from None


# ------------------------------------------------------------------------------------------------ JSON


def _lines(others: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(others.split("\n"), start=2):
        if line.strip():
            yield number, _json(line, f" in line {number}")


def _one_line(line: str) -> Any:
    """The object that stands whole in the first line, as in NDJSON; None where there is none."""
    try:
        return _json(line) if line.rstrip().endswith("}") else None
    except Refused:
        return None


def _json(text: str, where: str = "") -> Any:
    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_constant, object_pairs_hook=_object
        )
    except _Twice as name:
        raise Refused(
            f"An object{where} names “{name}” twice, and which is meant nobody can tell: remove one."
        ) from None
    except json.JSONDecodeError as why:
        place = where or f" at line {why.lineno}, column {why.colno}"
        raise Refused(f"The JSON breaks off or is wrong{place} ({why.msg}): have it sent again.") from None
    except RecursionError:
        raise Refused(f"The JSON{where} is nested deeper than FHIR ever is: it is not read.") from None


def _constant(word: str) -> Any:
    raise Refused(f"The JSON holds {word}, which is not a number: have it sent again.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1)[:50])
    return found


# ------------------------------------------------------------------------------------------------- XML


def _xml(text: str) -> Any:
    """The resource of an XML document. A document type, and with it every entity of its own, is refused."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Refused("The XML declares a document type or entities, which FHIR has not: remove the declaration.")
    try:
        return _resource(fromstring(text), 0)  # noqa: S314 - without a document type there are no entities of its own
    except ParseError as why:
        raise Refused(f"The XML breaks off or is wrong: {why.msg}. Have it sent again.") from None
    except RecursionError:
        raise Refused("The XML is nested deeper than FHIR ever is: it is not read.") from None


def _resource(element: Element, depth: int) -> dict[str, Any]:
    name = element.tag.removeprefix(_NAMESPACE)
    return {"resourceType": name, **_children(element, name, depth)}


def _children(element: Element, owner: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise Refused("The XML is nested deeper than FHIR ever is: it is not read.")
    found: dict[str, Any] = {}
    for child in element:
        if not child.tag.startswith(_NAMESPACE):
            continue
        name = child.tag.removeprefix(_NAMESPACE)
        value = _value(child, owner, name, depth)
        if name in found:
            held = found[name] if isinstance(found[name], list) else [found[name]]
            found[name] = [*held, value] if len(held) < 50 else _grown(held, value)
        else:
            found[name] = value
    return found | ({"id": element.attrib["id"]} if "id" in element.attrib else {})


def _grown(held: list[Any], value: Any) -> list[Any]:
    held.append(value)
    return held


def _value(child: Element, owner: str, name: str, depth: int) -> Any:
    if name in ("contained", "resource"):
        return _resource(child[0], depth + 1) if len(child) else {}
    written = child.attrib.get("value")
    if written is None:
        return _children(child, name, depth + 1)
    if name in ("valueInteger", "valueDecimal") or _NUMBERS.fullmatch(f"{owner}.{name}"):
        return Decimal(written) if _NUMBER.fullmatch(written) else written
    if name.endswith("Boolean") or name in ("active",):
        return {"true": True, "false": False}.get(written, written)
    return written
