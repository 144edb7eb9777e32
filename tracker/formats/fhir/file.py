"""A file of resources: what stands in it, what refers to what, and whose it is. No reference is ever fetched."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.formats.cells import Misfit, mrn
from tracker.formats.fhir.documents import documents
from tracker.formats.fhir.nodes import Node
from tracker.formats.identifiers import rank

_DEEPEST_BUNDLE = 5
_NEVER_SYSTEMS = ("us-ssn", "2.16.840.1.113883.4.1", "passport", "driver")
# Numbers of a country's health service or insurance, under which some clinics keep their records: after any other.
_LAST_SYSTEMS = (
    "nhs-number", "chi-number", "2.16.840.1.113883.2.1.4.1", "namingsystem/bsn", "2.16.840.1.113883.2.4.6.3",
    "medicare", "/hi/ihi", "kvid", "/gkv/", "/pkv/", "2.16.756.5.32", "2.16.756.5.30.1.127.3.10.3", "ahvn13",
    "1.2.250.1.213.1.4",
    "/ssin", "/nrn", "codicefiscale", "1.2.752.129.2.1.3.1", "2.16.840.1.113883.3.4424.1.1.616", "us-mbi",
)  # fmt: skip
_LAST = 100
_SAID_TYPES = {"MRN": "MR", "MEDICAL RECORD NUMBER": "MR"}


class Resource:
    """A resource where it stands: the number of its entry (or line), the resource around it, what is said about it."""

    __slots__ = ("full_url", "node", "notes", "number", "owner", "type")

    def __init__(self, node: Node, number: int, full_url: str = "", owner: "Resource | None" = None) -> None:
        self.node = node
        self.type = node.raw("resourceType")
        self.number = number
        self.full_url = full_url
        self.owner = owner
        self.notes: list[tuple[str, str]] = []

    @property
    def place(self) -> str:
        """`Observation/abc`: what people call it by."""
        id = self.node.raw("id")[:64]
        name = f"{self.type}/{id}" if id and id.isprintable() else self.type
        return f"{name} in {self.owner.place}" if self.owner else name

    def note(self, name: str, message: str) -> None:
        """Remember a sentence about an element, for the row that is being made of this resource."""
        self.notes.append((self.node.at(name), message))


class File:
    """The resources of a file, by what refers to them. Raises Refused where it is no FHIR."""

    def __init__(self, content: bytes, zone: ZoneInfo) -> None:
        self.zone = zone
        self.resources: list[Resource] = []
        self.empty: Counter[str] = Counter()
        self.by_id_only: dict[str, None] = {}
        self.contained: dict[str, Resource] = {}
        """Patients by their record number who stand in a resource about them, and so are no row of their own."""
        self._by_name: dict[str, list[Resource]] = {}
        self._reports: list[Resource] = []
        self._listed: dict[int, Resource] = {}
        self._elsewhere = 0
        self._reports_read = False
        for line, document in documents(content):
            self._take(document, line)
        if not self.resources and not self.empty:
            raise Refused("This is FHIR, and an empty Bundle: there is nothing to file.")
        for resource in self.resources:
            self._index(resource)

    # ------------------------------------------------------------------------------------------- taking

    def _take(self, document: Any, line: int) -> None:
        if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
            where = f"Line {line}" if line else "The file"
            raise Refused(f"{where} is not a FHIR resource: an object with a resourceType has to stand there.")
        node = Node(document)
        if node.raw("resourceType") != "Bundle":
            self._add(Resource(node, line or 1))
            return
        self._bundle(node, line, 0)

    def _bundle(self, bundle: Node, line: int, depth: int) -> None:
        if bundle.raw("type") == "history":
            raise Refused("This Bundle is a history, several versions of each resource: export the current ones.")
        if depth > _DEEPEST_BUNDLE:
            raise Refused("Bundles stand in Bundles in Bundles: this is not read.")
        try:
            entries = bundle.many("entry")
        except Misfit as why:
            raise Refused(f"{why.column}: {why}") from None
        for number, entry in enumerate(entries, start=1):
            self._entry(entry, line or number, depth)

    def _entry(self, entry: Node, number: int, depth: int) -> None:
        inner = entry.data.get("resource")
        request = entry.data.get("request")
        method = request.get("method") if isinstance(request, dict) else None
        if inner is None or method == "DELETE":
            self.empty[str(method)[:10] if isinstance(method, str) else "without a resource"] += 1
        elif not isinstance(inner, dict) or not isinstance(inner.get("resourceType"), str):
            raise Refused(f"Entry {number} holds no FHIR resource: an object with a resourceType has to stand there.")
        elif inner["resourceType"] == "Bundle":
            self._bundle(Node(inner), number, depth + 1)
        else:
            self._add(Resource(Node(inner), number, entry.raw("fullUrl")))

    def _add(self, resource: Resource) -> None:
        self.resources.append(resource)
        contained = resource.node.data.get("contained")
        for inner in contained if isinstance(contained, list) else [contained]:
            if isinstance(inner, dict) and isinstance(inner.get("resourceType"), str):
                self.resources.append(Resource(Node(inner), resource.number, owner=resource))

    def _index(self, resource: Resource) -> None:
        id = resource.node.raw("id")
        if resource.owner is not None:
            names = {f"{id_of(resource.owner)}#{id}"}
        else:
            names = {resource.full_url, f"{resource.type}/{id}" if id else ""}
        for name in names - {""}:
            self._by_name.setdefault(name, []).append(resource)

    # ---------------------------------------------------------------------------------------- references

    def find(self, owner: Resource, reference: Node | None) -> Resource | None:
        """The resource of this file that a reference names; None where it is elsewhere. Raises Misfit."""
        if reference is None:
            return None
        written = reference.raw("reference").strip()
        if not written:
            return None
        base, _, _ = owner.full_url.rpartition(f"/{owner.type}/")
        for name in self._names(owner, written, base):
            found = self._by_name.get(name, ())
            if len(found) == 1:
                return found[0]
            if found:
                raise reference.wrong(
                    "reference", f"“{written[:80]}” names {len(found)} resources of this file: it has to name one."
                )
        return None

    def _names(self, owner: Resource, written: str, base: str) -> Iterator[str]:
        if written.startswith("#"):
            yield f"{id_of(owner.owner or owner)}{written}"
            return
        plain = written.partition("/_history/")[0].lstrip("/")
        if base:
            yield f"{base}/{plain}"
        yield plain
        if plain != written:
            yield written

    def followed(self, owner: Resource, name: str) -> list[Resource]:
        """The resources of this file that the references of an element name."""
        return [found for reference in owner.node.many(name) if (found := self.find(owner, reference))]

    # ------------------------------------------------------------------------------------------- reports

    def report_of(self, observation: Resource) -> Resource | None:
        """The DiagnosticReport that lists an Observation; else the only one of the file, where it lists nothing."""
        self._read_reports()
        listed = self._listed.get(id(observation.node.data))
        if listed is None and len(self._reports) == 1 and not self._listed and not self._elsewhere:
            return self._reports[0]
        return listed

    def lists_here(self, report: Resource) -> bool:
        """Whether a report lists an Observation of this file, or is the frame of those that are in it."""
        self._read_reports()
        return any(found is report for found in self._listed.values()) or (
            len(self._reports) == 1 and not self._listed and any(r.type == "Observation" for r in self.resources)
        )

    def results_elsewhere(self) -> int:
        """How many results reports of this file name that are not in it."""
        self._read_reports()
        return self._elsewhere

    def _read_reports(self) -> None:
        if self._reports_read:
            return
        self._reports_read = True
        self._reports = [resource for resource in self.resources if resource.type == "DiagnosticReport"]
        for report in self._reports:
            try:
                for reference in report.node.many("result"):
                    found = self.find(report, reference)
                    if found is None:
                        self._elsewhere += 1
                    else:
                        self._listed.setdefault(id(found.node.data), report)
            except Misfit:
                continue  # what it lists cannot be told; its Observations are read without it

    # -------------------------------------------------------------------------------------------- whose

    def whose(self, resource: Resource, *more: Resource | None) -> str:
        """The record number of the patient a resource is about. `more` say it where it does not. Raises Misfit."""
        for holder in (resource, *more):
            for name in ("subject", "patient"):
                reference = holder.node.one(name) if holder else None
                if holder and reference is not None and reference.data:
                    return self._person(holder, reference)
        raise resource.node.wrong("subject", "It does not say which patient this is about: give the reference.")

    def _person(self, holder: Resource, reference: Node) -> str:
        found = self.find(holder, reference)
        if found is not None:
            if found.type != "Patient":
                raise reference.wrong(
                    "reference", f"This is about a {found.type}, not about a patient: it is not filed."
                )
            number = record_number(found)
            if found.owner is not None:
                self.contained.setdefault(number, found)
            return number
        if (identifier := reference.one("identifier")) is not None and identifier.has("value"):
            return _fitting(identifier)
        written = reference.raw("reference").partition("/_history/")[0]
        kind, _, id = written.rpartition("/")
        kind = kind.rpartition("/")[2]
        if kind == "Patient" and id:
            self.by_id_only[id] = None
            return mrn(Node({"reference": id}, reference.path).text("reference"))
        if kind and kind[0].isupper():
            raise reference.wrong("reference", f"This is about a {kind[:40]}, not about a patient: it is not filed.")
        shown = written[:80] or reference.raw("display")[:80]
        raise reference.wrong(
            "reference", f"“{shown}” is no patient of this file: send the Patient in the same Bundle."
        )


def id_of(resource: Resource) -> str:
    """What tells one resource of a file from another, also where two have the same id."""
    return f"{id(resource.node.data):x}"


def record_number(patient: Resource) -> str:
    """The identifier that serves as the record number: a medical record number, else another one; never a name.

    Numbers that a state or an insurer gives (social security, passport, driving licence) are never taken, nor is one
    that is marked as old. Raises Misfit.
    """
    best: tuple[int, Node] | None = None
    for identifier in patient.node.many("identifier"):
        place = _rank(identifier)
        if place is not None and (best is None or place < best[0]):
            best = place, identifier
    if best is None:
        raise patient.node.wrong("identifier", "The patient has no record number: give an identifier of the type MR.")
    return _fitting(best[1])


def _rank(identifier: Node) -> int | None:
    types = list(identifier.codes("type"))
    if not types:
        said = _SAID_TYPES.get(identifier.words("type").upper())
        types = [said] if said else []
    system = identifier.raw("system").lower()
    if not identifier.has("value") or identifier.raw("use") == "old":
        return None
    if any(word in system for word in _NEVER_SYSTEMS):
        return None
    place = rank(types)
    last = _LAST if any(word in system for word in _LAST_SYSTEMS) else 0
    return None if place is None else place + last


def _fitting(identifier: Node) -> str:
    try:
        return mrn(identifier.text("value"))
    except Misfit:
        raise
    except Refused as why:
        raise identifier.wrong("value", str(why)) from None
