"""What a file is, by its content; its name says nothing. What is not read is refused by its name, with what is read."""

import codecs
import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import NamedTuple

from tracker.domain.errors import Refused
from tracker.domain.readings import Problem
from tracker.formats import interchange, sdtm
from tracker.formats.cells import listed
from tracker.formats.shapes.headings import role
from tracker.formats.tables import Layout, Table

CSV, SDTM, FHIR, HL7, WORKBOOK = "csv", "sdtm", "fhir", "hl7v2", "xlsx"
READ = (
    f"Read are tables with the columns of {listed(interchange.TABLES)}, and the SDTM datasets "
    f"{listed(sdtm.LAYOUTS, 'and')}, as CSV or in the sheets of a workbook (XLSX, XLS); HL7 v2 results (ORU^R01); FHIR "
    "as JSON, NDJSON or XML; each also packed with gzip."
)

_BINARY = (
    (re.compile(rb"PK\x03\x04.{0,4000}?(?:\[Content_Types\]\.xml|xl/)", re.DOTALL), "an Excel workbook (XLSX)"),
    (re.compile(rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", re.DOTALL), "an OpenDocument file (ODS)"),
    (re.compile(rb"PK\x03\x04|PK\x05\x06"), "a ZIP archive"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Excel workbook (XLS)"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"HEADER RECORD\*{7}"), "a SAS transport file (XPT)"),
    (re.compile(rb"\x00{12}\xc2\xea\x81\x60"), "a SAS data set"),
    (re.compile(rb"BZh|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd|Rar!|\x1f\x8b"), "packed in a way that is not unpacked"),
    (re.compile(rb"\{\\rtf"), "a text document (RTF)"),
)
_TEXT = (
    (re.compile(r"(?:MSH|FHS|BHS)[^\w\s,;]"), "an HL7 v2 message"),
    (re.compile(r"""[\[{].*"resourceType"\s*:""", re.DOTALL), "FHIR as JSON"),
    (re.compile(r"""[\[{]\s*["\[{}\]]"""), "JSON"),
    (re.compile(r"<.*?http://hl7\.org/fhir", re.DOTALL), "FHIR as XML"),
    (re.compile(r"<(?:!doctype html|html)", re.IGNORECASE), "a web page"),
    (re.compile(r"<[?!a-z]", re.IGNORECASE), "XML"),
    (re.compile(r"(?:(?:#[^\n]*)?\n)*\d?[HPO]\|(?:\\\^&|\d*\|)"), "an ASTM message of a laboratory instrument"),
)
_INSTEAD = {
    "a SAS transport file (XPT)": "Export the dataset as CSV.",
    "a SAS data set": "Export the dataset as CSV.",
    "an OpenDocument file (ODS)": "Save the sheet as XLSX or as “CSV UTF-8”.",
    "a ZIP archive": "Unpack it first.",
}
_ADAM = frozenset(("paramcd", "aval", "avalc", "trt01p", "trt01a", "trta", "trtp", "trtsdt", "saffl", "ablfl"))
_SEQUENCE = re.compile(r"([a-z]{2})seq")


class Recognised(NamedTuple):
    """Which table a file is, how it is read, and what is to be said about its columns."""

    format: str
    layout: Layout
    remarks: tuple[Problem, ...]


def form(head: bytes) -> str:
    """What a file is: `fhir`, `hl7v2`, `xlsx`, or "" for a table. Raises Refused where it is not read here."""
    for pattern, what in _BINARY:
        if pattern.match(head):
            if "Excel workbook" in what:
                return WORKBOOK
            raise _not_read(what)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = head.decode("utf-16" if wide else "utf-8-sig", errors="replace").lstrip("\ufeff\x0b\x02\x05 \t\r\n")
    for pattern_of, what in _TEXT:
        if pattern_of.match(text):
            if what.startswith("FHIR"):
                return FHIR
            if what.startswith("an HL7"):
                return HL7
            raise _not_read(what)
    if "\0" in text:
        raise Refused(f"This is a binary file or damaged: it holds NUL bytes. {READ}")
    return ""


def _not_read(what: str) -> Refused:
    return Refused(" ".join(filter(None, (f"This is {what}, which is not read here.", _INSTEAD.get(what, ""), READ))))


def table(opened: Table) -> Recognised:
    """Recognise a table by its columns, in any order. Raises Refused where they are those of no table that is read."""
    names = set(opened.names)
    if "usubjid" in names or {"studyid", "domain"} <= names or {"studyid", "rdomain"} <= names:
        return Recognised(SDTM, _sdtm(names), ())
    kind = _closest(names)
    columns = interchange.TABLES[kind]
    required = [column.name for column in interchange.LAYOUTS[kind].columns if column.required]
    missing = [name for name in required if name not in names]
    if missing or len(names.intersection(columns)) < 2:
        raise _no_table(opened, kind, missing)
    samples = _of_samples(opened, columns) if kind == "results" else {}
    layout = interchange.of_samples(samples) if samples else interchange.LAYOUTS[kind]
    return Recognised(CSV, layout, _unknown(opened, (*columns, *samples)))


def _of_samples(opened: Table, columns: Collection[str]) -> dict[str, bool]:
    """The columns beside those of the table that name the sample, then those that name a panel; whether it is the
    former.
    """
    roles = {name: role(name)[0] for name in opened.names if name and name not in columns}
    return {name: wanted == "specimen" for wanted in ("specimen", "panel") for name in roles if roles[name] == wanted}


def _sdtm(names: set[str]) -> Layout:
    if found := sorted(_ADAM & names):
        told = listed([name.upper() for name in found[:3]], "and")
        instead = "give the SDTM datasets it was made from"
        raise Refused(f"This is an ADaM analysis dataset ({told}), which is not read: {instead}. {READ}")
    domain = _domain(names)
    if domain not in sdtm.LAYOUTS:
        told = f"SDTM {domain.upper()}" if domain else "This SDTM dataset"
        raise Refused(f"{told} is not read; {listed(sdtm.LAYOUTS, 'and')} are. {READ}")
    missing = [name for name in sdtm.REQUIRED[domain] if name.lower() not in names]
    if missing:
        raise Refused(f"This looks like SDTM {domain.upper()}, but {_lacks(missing)}. {READ}")
    return sdtm.LAYOUTS[domain]


def _domain(names: set[str]) -> str:
    """The domain by the column that numbers its rows, else the one whose columns are there; empty where none is."""
    if {"rdomain", "qnam"} <= names:
        return "supp--"
    own = sorted(match[1] for match in map(_SEQUENCE.fullmatch, names) if match)
    if own:
        return own[0]
    share, domain = max((_share(names, required), domain) for domain, required in sdtm.REQUIRED.items())
    return domain if share >= 0.5 else ""


def _closest(names: set[str]) -> str:
    """The table that has most of these columns; of several that do, the one that is complete in what it requires."""
    layouts = interchange.LAYOUTS

    def fit(kind: str) -> tuple[int, float]:
        required = [column.name for column in layouts[kind].columns if column.required]
        return len(names.intersection(interchange.TABLES[kind])), _share(names, required)

    return max(layouts, key=fit)


def _share(names: set[str], wanted: Collection[str]) -> float:
    return sum(name.lower() in names for name in wanted) / len(wanted)


def _unknown(opened: Table, columns: Collection[str]) -> tuple[Problem, ...]:
    free = [column for column in columns if column not in opened.names]
    remarks = []
    for shown, name in zip(opened.header, opened.names, strict=True):
        if name and name not in columns:
            close = _meant(name, free)
            hint = f" If {close} is meant, rename it." if close else ""
            told = _printable(shown)
            remarks.append(Problem(1, told, f"“{told}” is no column of this table: it was ignored.{hint}"))
    return tuple(remarks)


def _meant(name: str, columns: Collection[str]) -> str:
    """The column that a name comes close to, if one does."""
    close = get_close_matches(re.sub(r"[\s-]+", "_", name.lower()), columns, n=1, cutoff=0.75)
    return close[0] if close else ""


def _no_table(opened: Table, kind: str, missing: list[str]) -> Refused:
    found = [name for name in opened.header if name]
    told = ", ".join(_printable(name) for name in found[:8]) + (", …" if len(found) > 8 else "")
    if len(found) == 1:
        return Refused(
            "The first row has to name the columns, separated by comma, semicolon or tab; "
            f"it says only “{told}”. {READ}"
        )
    shared = set(opened.names).intersection(interchange.TABLES[kind])
    meant = [(name, close) for name in found if (close := _meant(name, missing))]
    if len(shared) < 2 and not meant:
        return Refused(f"The columns ({told}) are those of no table that is read. {READ}")
    hints = "".join(f" Rename “{_printable(name)}” if {close} is meant." for name, close in meant)
    return Refused(f"The columns ({told}) come closest to {kind}.csv, but {_lacks(missing)}.{hints} {READ}")


def _lacks(missing: list[str]) -> str:
    return f"{listed(missing, 'and')} {'is' if len(missing) == 1 else 'are'} missing"


def _printable(name: str) -> str:
    name = "".join(c if c.isprintable() else "�" for c in name)
    return name if len(name) <= 30 else f"{name[:29]}…"
