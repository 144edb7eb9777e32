"""The document of a DiagnosticReport (presentedForm): kept as it came, with the sample it is about."""

import base64
import binascii
from collections.abc import Callable
from functools import partial

from tracker.domain.readings import CANCELLED, CORRECTED, PRELIMINARY, DocumentReading, Moment
from tracker.formats.cells import Misfit
from tracker.formats.fhir import observations, values
from tracker.formats.fhir.file import File, Resource
from tracker.formats.fhir.nodes import Node

_STATUS_WORDS = {CORRECTED: "corrected", PRELIMINARY: "preliminary"}


def documents(file: File, report: Resource) -> list[Callable[[], DocumentReading]]:
    """How each document of a report is read; what stands there and is none is refused as a row of its own."""
    try:
        return [partial(_document, file, report, form) for form in report.node.many("presentedForm")]
    except Misfit as why:
        return [partial(_refused, why)]


def _refused(why: Misfit) -> DocumentReading:
    raise why


def _document(file: File, report: Resource, form: Node) -> DocumentReading:
    whose = file.whose(report)
    status = observations.STATUSES.get(report.node.text("status"), "")
    if status == CANCELLED:
        raise report.node.wrong("status", "The report is withdrawn: take it out on the patient’s page, if it is there.")
    name = form.text("title") or report.node.words("code") or "Report"
    return DocumentReading(
        whose, _moment(file, report), name, _content(form), observations.laboratory_of(file, report, None),
        observations.accession_of(file, report, report), _STATUS_WORDS.get(status, ""),
    )  # fmt: skip


def _content(form: Node) -> bytes:
    data = "".join(form.raw("data").split())
    if not data:
        place = form.text("url") or "which is not said either"
        said = f"The document itself is not in the file, only its place ({place}): have it sent along."
        raise form.wrong("data", said)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise form.wrong("data", "The document cannot be decoded (base64): have it sent again.") from None


def _moment(file: File, report: Resource) -> Moment:
    """When the sample was taken, else when the report was issued."""
    node = report.node
    period = node.one("effectivePeriod")
    for holder, name in ((node, "effectiveDateTime"), (period, "start"), (node, "issued")):
        at = values.moment(holder, name, file.zone) if holder is not None else None
        if at is not None:
            return at
    raise node.wrong("effectiveDateTime", "Of which day the report is, is not said: give effectiveDateTime.")
