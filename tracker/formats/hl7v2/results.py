"""From an OBX to a result: of which test, when, and what was found."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CANCELLED,
    CORRECTED,
    FASTING_CODES,
    FINAL,
    PRELIMINARY,
    DocumentReading,
    LabReading,
    Moment,
    PatientReading,
    Problem,
    Reading,
    Row,
)
from tracker.domain.units import normal_unit
from tracker.formats import cells
from tracker.formats.bounds import PERHAPS_COMMA, range_of
from tracker.formats.cells import Misfit
from tracker.formats.glued import Value
from tracker.formats.hl7v2 import documents, figures
from tracker.formats.hl7v2.context import Context, Part
from tracker.formats.hl7v2.er7 import Segment

STATUSES = {
    "F": FINAL, "U": FINAL, "A": FINAL, "B": FINAL, "Z": FINAL, "": FINAL, "C": CORRECTED,
    "P": PRELIMINARY, "R": PRELIMINARY, "S": PRELIMINARY, "X": CANCELLED, "D": CANCELLED, "W": CANCELLED,
}  # fmt: skip
_NONE_YET = {"I": "the sample is in the laboratory", "O": "it is only ordered", "N": "it was not asked for"}
_LOINC = frozenset(("LN", "LNC", "LOINC", "2.16.840.1.113883.6.1"))
_LONGEST_SUB_ID = 40
_NOT_BEFORE = (
    "The order says that the sample was taken on {}; the time in OBX-14, which is kept, is not before it had arrived or"
    " was reported. Correct the day if it is that of the result."
)
_NOT_LIVE = {"T": "training", "D": "debugging"}
NOT_LIVE = (
    "The message is marked as {} (MSH-11 is {}): it is no patient’s result. Import it with --test-messages if it is."
)


def refusal_of_all(header: Segment) -> str:
    """Why nothing of a message may be filed: it is marked as one that tests the connection. "" for any other."""
    mark = header.part(11)[:1].upper()
    return NOT_LIVE.format(_NOT_LIVE[mark], mark) if mark in _NOT_LIVE else ""


def row_of(context: Context, part: Part, refused: str = "") -> Row:
    """The row of one OBX; with `refused`, why its message is not read."""
    obx = part.segment
    said: list[tuple[str, str]] = []
    reading: Reading
    about = context.patient if isinstance(context.patient, PatientReading) else None
    if refused:
        return Row(obx.line, None, (Problem(obx.line, "MSH-11", refused),), context.place, about)
    try:
        if isinstance(context.patient, Refused):
            raise context.patient
        read = _document if obx.part(2).upper() in documents.KINDS else _reading
        reading = read(context, context.patient.mrn, part, said)
    except Misfit as why:
        return Row(obx.line, None, (Problem(obx.line, why.column, str(why)),), context.place, about)
    except Refused as why:
        return Row(obx.line, None, (Problem(obx.line, "OBX", str(why)),), context.place, about)
    problems = tuple(Problem(obx.line, column, message) for column, message in said)
    return Row(obx.line, reading, problems, context.place, about)


def _document(context: Context, mrn: str, part: Part, said: list[tuple[str, str]]) -> DocumentReading:
    """A document in place of a value: it is kept with the sample, and is no result."""
    obx, status = part.segment, _status(context, part.segment)
    name = _test(context, obx)[0]
    content = documents.content_of(obx, status)
    if len(part.notes) > documents.MOST_NOTES:
        said.append(("NTE", f"Of the notes on the document the first {documents.MOST_NOTES} characters are kept."))
    return DocumentReading(
        mrn, _collected(context, obx, said), name, content, obx.part(23) or context.laboratory, context.accession,
        documents.note_of(status, part.notes),
    )  # fmt: skip


def _reading(context: Context, mrn: str, part: Part, said: list[tuple[str, str]]) -> LabReading:
    obx = part.segment
    if context.said:
        said.append(("PID-7", context.said))
    status = _status(context, obx)
    name, local = _test(context, obx)
    value = _value(obx, part.notes, status, said)
    if context.commas and figures.may_be_thousands(value.text):
        raise Misfit(
            "OBX-5", f"“{value.text}” could be read as two numbers: this message writes decimals with a comma."
        )
    unit = _unit(obx, value)
    bounds = range_of(obx.text(7), unit, PERHAPS_COMMA if context.commas else "")
    if bounds.said:
        said.append(("OBX-7", bounds.said))
    return LabReading(
        mrn, _collected(context, obx, said), name, _fitting(value.text), unit, bounds.low, bounds.high,
        _flags(obx) or value.flag, obx.part(23) or context.laboratory, context.accession, status, _issued(context),
        local, _comment(" ".join(filter(None, (part.notes, context.notes))), said), _sub_id(obx),
        fasting=FASTING_CODES.get(context.obr.part(13).upper()) if context.obr else None,
    )  # fmt: skip


def _value(obx: Segment, note: str, status: str, said: list[tuple[str, str]]) -> Value:
    value = figures.value_of(obx)
    if status == CANCELLED or (value.text and value.text.lower() not in figures.PLACEHOLDERS):
        return value
    if not note:
        raise Misfit("OBX-5", "There is no value, so there is none to file.")
    said.append(("OBX-5", "The value stands in the note only: it was taken from there."))
    return Value(note)


def _unit(obx: Segment, value: Value) -> str:
    unit = figures.unit_of(obx)
    if unit and value.unit and normal_unit(unit) != normal_unit(value.unit):
        raise Misfit("OBX-6", f"The value is given in {value.unit} and its unit as {unit}: have it sent again.")
    return unit or value.unit


def _sub_id(obx: Segment) -> str:
    """OBX-4: several results of one test and order may differ in it alone."""
    sub_id = " ".join(obx.text(4).split())
    if len(sub_id) > _LONGEST_SUB_ID or not sub_id.isprintable():
        raise Misfit(
            "OBX-4", f"The sub-ID holds {len(sub_id)} characters, or one that cannot be seen: have it sent again."
        )
    return sub_id


def _fitting(text: str) -> str:
    try:
        return cells.report(text)
    except Refused as why:
        raise Misfit("OBX-5", str(why)) from None


def _comment(text: str, said: list[tuple[str, str]]) -> str:
    most = cells.LONGEST_REPORT
    if len(text) > most:
        said.append(("NTE", f"The notes hold {len(text):,} characters; the first {most:,} are kept."))
    return text[:most]


def _status(context: Context, obx: Segment) -> str:
    word = obx.part(11).upper() or (context.obr.part(25).upper() if context.obr else "")
    if word in _NONE_YET:
        raise Misfit("OBX-11", f"The status is {word}: {_NONE_YET[word]}, and there is no result yet.")
    if word not in STATUSES:
        raise Misfit("OBX-11", f"“{word[:10]}” is not a status of a result: F, C, P or X has to stand here.")
    return STATUSES[word]


def _test(context: Context, obx: Segment) -> tuple[str, str]:
    """The test as the laboratory names it, and its codes: a LOINC alone decides what it is, where there is one."""
    found = obx.repetitions(3)
    if not found:
        raise Misfit("OBX-3", "It does not say what was measured.")
    code, text, system, other, other_text, other_system = (found[0].component(n) for n in range(1, 7))
    loincs = [c for c, s in ((code, system), (other, other_system)) if c and s.upper() in _LOINC]
    name = " ".join((text or other_text or code or other).split())[:80]
    if not name:
        raise Misfit("OBX-3", "It does not say what was measured.")
    if loincs:
        return name, ";".join(f"loinc:{one}" for one in loincs)[:80]
    # The same code is another test at another laboratory: alone it maps nothing, with its sender it tells them apart.
    return f"{name}{context.elsewhere}", f"{code}@{context.laboratory}"[:80] if code and code != name else ""


def _flags(obx: Segment) -> str:
    return "~".join(field.component(1) or field.component(2) for field in obx.repetitions(8))[:40]


# --------------------------------------------------------------------------------------------------------- when


def _collected(context: Context, obx: Segment, said: list[tuple[str, str]]) -> Moment:
    """When the sample was taken: OBX-14, SPM-17, OBR-7; else a time that only stands for it, which is said, unless one
    was given that cannot be read: another day is never put in its place.

    Many laboratories write into OBX-14 when they had the result, often on another day. It is kept, and where nothing
    can have been taken then, because it had arrived or was reported by then, that is said.
    """
    obr, header, specimen = context.obr, context.header, context.specimen
    taken = [(segment, number) for segment, number in ((obx, 14), (specimen, 17), (obr, 7)) if segment]
    for segment, number in taken:
        if (at := _stamp(segment, number, context.zone)) is not None:
            earlier = _taken_before(context, at) if segment is obx else None
            if earlier is not None:
                said.append(("OBX-14", _NOT_BEFORE.format(earlier.on)))
            return at
    for segment, number in taken:
        if (given := segment.part(number).strip()).strip("0"):
            why = f"“{given[:30]}” is no whole day: it is written 20260301 or 202603010840."
            raise Misfit(f"{segment.name}-{number}", why)
    instead = ((obr, 22, "OBR-22 (the time of the report)"), (header, 7, "MSH-7 (the time of the message)"))
    for holder, number, name in instead:
        at = _stamp(holder, number, context.zone) if holder else None
        if at is not None:
            said.append(("OBX-14", f"When the sample was taken is not said: {name} stands for it."))
            return at
    raise Misfit("OBX-14", "When the sample was taken is not said: neither OBX-14 nor OBR-7 holds a day.")


def _taken_before(context: Context, at: Moment) -> Moment | None:
    """The time that the sample or its order gives, where that is of an earlier day, and `at` not before the arrival or
    the report.
    """
    obr, specimen = context.obr, context.specimen
    taken = [_lenient(segment, number, context) for segment, number in ((specimen, 17), (obr, 7)) if segment]
    first = next(filter(None, taken), None)
    if first is None or first.on >= at.on:
        return None
    ends = [_lenient(segment, number, context) for segment, number in ((specimen, 18), (obr, 14), (obr, 22)) if segment]
    late = any(end and end.time_known and first.at <= end.at <= at.at for end in ends)
    return first if late else None


def _lenient(segment: Segment, number: int, context: Context) -> Moment | None:
    """A time that only helps; what is no time does not."""
    try:
        return figures.moment(segment.part(number), context.zone)
    except Refused:
        return None


def _issued(context: Context) -> datetime | None:
    """When the laboratory issued this version: OBR-22, else MSH-7."""
    for segment, number in ((context.obr, 22), (context.header, 7)):
        try:
            at = figures.moment(segment.part(number), context.zone) if segment else None
        except Refused:
            at = None
        if at is not None:
            return at.at
    return None


def _stamp(segment: Segment, number: int, zone: ZoneInfo) -> Moment | None:
    stamp = segment.part(number)
    try:
        return figures.moment(stamp, zone) if stamp else None
    except Refused as why:
        raise Misfit(f"{segment.name}-{number}", str(why)) from None
