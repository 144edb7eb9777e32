"""From the segments of a message to results: whose, of which order and sample, when, and what was found."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import (
    CANCELLED,
    CORRECTED,
    FINAL,
    PRELIMINARY,
    LabReading,
    Moment,
    PatientReading,
    Problem,
    Row,
)
from tracker.formats import cells
from tracker.formats.cells import Misfit
from tracker.formats.hl7v2 import figures
from tracker.formats.hl7v2.er7 import Field, Segment
from tracker.formats.identifiers import rank

STATUSES = {
    "F": FINAL, "U": FINAL, "A": FINAL, "B": FINAL, "Z": FINAL, "": FINAL, "C": CORRECTED,
    "P": PRELIMINARY, "R": PRELIMINARY, "S": PRELIMINARY, "X": CANCELLED, "D": CANCELLED, "W": CANCELLED,
}  # fmt: skip
_NONE_YET = {"I": "the sample is in the laboratory", "O": "it is only ordered", "N": "it was not asked for"}
_SEXES = {"F": "female", "M": "male", "W": "female"}  # W: weiblich
_SEX_WORDS = {"FEMALE": "female", "MALE": "male"}
_LOINC = frozenset(("LN", "LNC", "LOINC", "2.16.840.1.113883.6.1"))
_OF_BLOOD = ("bl", "ser", "plas", "sang", "vollblut", "edta", "heparin", "citrat")
_ELSEWHERE = ("ur", "liqu", "csf", "stuhl", "stool", "sput", "speichel", "saliva")
_MOST_COMMENT = 1000


class Context:
    """What the segments before an OBX said: the patient, the order, its sample and its times."""

    def __init__(self, header: Segment, place: str, zone: ZoneInfo) -> None:
        self.header = header
        self.zone = zone
        control = header.part(10)[:40]
        self.place = f"{place}, {control}" if control else place
        self.laboratory = header.part(4) or header.part(3)
        self.patient: PatientReading | Refused = Misfit("PID", "The message names no patient before this result (PID).")
        self._orc: Segment | None = None
        self.obr: Segment | None = None
        self.specimen: Segment | None = None
        self.note = ""

    def take(self, segment: Segment, following: Sequence[Segment]) -> None:
        """Remember a segment that is no result."""
        if segment.name == "PID":  # a second patient takes nothing over from the first
            self.patient, self._orc, self.obr, self.specimen = _patient(segment), None, None, None
        elif segment.name == "ORC":
            self._orc = segment
        elif segment.name == "OBR":
            self.obr, self.note = segment, _notes(following)
            self.specimen = _specimen_of(following)
        elif segment.name == "SPM" and self.specimen is None:
            self.specimen = segment

    @property
    def accession(self) -> str:
        for segment, numbers in ((self.obr, (3, 2)), (self._orc, (3, 2)), (self.specimen, (2,))):
            for number in numbers if segment else ():
                if found := segment.part(number) if segment else "":
                    return found[:80]
        return ""

    @property
    def elsewhere(self) -> str:
        """` (urine)` where the order names a sample that is not of blood; a LOINC code needs no such help."""
        said = [self.specimen.part(4, 2) or self.specimen.part(4)] if self.specimen else []
        said += [self.obr.part(15), self.obr.part(4, 2), self.obr.part(4, 5)] if self.obr else []
        for words in (text.lower() for text in said if text):
            if any(word.startswith(_ELSEWHERE) for word in words.replace(":", " ").split()):
                return f" ({words[:40]})" if not any(word in words for word in _OF_BLOOD) else ""
        return ""


def row_of(context: Context, obx: Segment, following: Sequence[Segment]) -> Row:
    """The row of one OBX. `following` are the segments behind it, for its notes."""
    said: list[tuple[str, str]] = []
    try:
        reading = _reading(context, obx, _notes(following), said)
    except Misfit as why:
        return Row(obx.line, None, (Problem(obx.line, why.column, str(why)),), context.place)
    except Refused as why:
        return Row(obx.line, None, (Problem(obx.line, "OBX", str(why)),), context.place)
    about = context.patient if isinstance(context.patient, PatientReading) else None
    problems = tuple(Problem(obx.line, column, message) for column, message in said)
    return Row(obx.line, reading, problems, context.place, about)


def _reading(context: Context, obx: Segment, note: str, said: list[tuple[str, str]]) -> LabReading:
    if isinstance(context.patient, Refused):
        raise context.patient
    status = _status(context, obx)
    name, local = _test(context, obx)
    value = figures.value_of(obx)
    if obx.part(2).upper() in figures.DOCUMENTS:
        raise Misfit("OBX-5", "An embedded document is no value: it is not filed.")
    if status != CANCELLED and (not value.text or value.text.lower() in figures.PLACEHOLDERS):
        if not note:
            raise Misfit("OBX-5", "There is no value, so there is none to file.")
        value = figures.Value(note)
        said.append(("OBX-5", "The value stands in the note only: it was taken from there."))
    bounds = figures.range_of(obx.text(7))
    if bounds.said:
        said.append(("OBX-7", bounds.said))
    comment = " ".join(filter(None, (note, context.note)))
    context.note = ""
    return LabReading(
        context.patient.mrn, _collected(context, obx, said), name, _fitting(value.text),
        figures.unit_of(obx) or value.unit, bounds.low, bounds.high, _flags(obx) or value.flag,
        obx.part(23) or context.laboratory, context.accession, status, _issued(context), local,
        comment[:_MOST_COMMENT],
    )  # fmt: skip


def _fitting(text: str) -> str:
    """A value as one line, in so many characters as are kept of one. Raises Misfit where it could be two numbers."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    try:
        return cells.reported(line if len(line) <= cells.LONGEST else f"{line[: cells.LONGEST - 1]}…")
    except Refused as why:
        raise Misfit("OBX-5", str(why)) from None


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


# --------------------------------------------------------------------------------------------- when and whose


def _collected(context: Context, obx: Segment, said: list[tuple[str, str]]) -> Moment:
    """When the sample was taken: OBX-14, SPM-17, OBR-7; else a time that only stands for it, which is said."""
    obr, header, specimen = context.obr, context.header, context.specimen
    for segment, number, name, instead in (
        (obx, 14, "OBX-14", False), (specimen, 17, "SPM-17", False), (obr, 7, "OBR-7", False),
        (obr, 22, "OBR-22 (the time of the report)", True), (header, 7, "MSH-7 (the time of the message)", True),
    ):  # fmt: skip
        at = _stamp(segment, number, context.zone) if segment else None
        if at is not None:
            if instead:
                said.append(("OBX-14", f"When the sample was taken is not said: {name} stands for it."))
            return at
    raise Misfit("OBX-14", "When the sample was taken is not said: neither OBX-14 nor OBR-7 holds a day.")


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


def _patient(pid: Segment) -> PatientReading | Refused:
    """Who the message is about; why that cannot be told, where it cannot."""
    number = _record_number(pid)
    if not number:
        return Misfit("PID-3", "The patient has no record number in PID-3, PID-2 or PID-4: nothing is matched by name.")
    try:
        born = figures.moment(pid.part(7), _UTC)
        return PatientReading(
            cells.mrn(number), pid.part(5)[:80], _given(pid), born.on if born else None, _sex(pid.part(8))
        )
    except Refused:
        return PatientReading(number[:60], sex=_sex(pid.part(8)))


_UTC = ZoneInfo("UTC")


def _given(pid: Segment) -> str:
    return " ".join(filter(None, (pid.part(5, 2), pid.part(5, 3))))[:80]


def _sex(word: str) -> str:
    return _SEXES.get(word.upper()) or _SEX_WORDS.get(word.upper(), "unknown")


def _record_number(pid: Segment) -> str:
    """The identifier of PID-3 that serves best as a record number, else PID-2 or PID-4."""
    best: tuple[int, str] | None = None
    for field in pid.repetitions(3):
        place = _rank(field)
        if place is not None and (best is None or place < best[0]):
            best = place, field.component(1)
    return best[1] if best else pid.part(2) or pid.part(4)


def _rank(field: Field) -> int | None:
    if not field.component(1):
        return None
    kind = field.component(5).upper()
    return rank([kind] if kind else [])


def _notes(following: Sequence[Segment]) -> str:
    """The notes right behind a segment, as one text."""
    said = []
    for segment in following:
        if segment.name != "NTE":
            break
        said.append(segment.text(3))
    text = " ".join(" ".join(said).split())
    return "".join(c for c in text if c.isprintable())[:_MOST_COMMENT]


def _specimen_of(following: Sequence[Segment]) -> Segment | None:
    """The sample of an order may stand behind its results."""
    for segment in following:
        if segment.name in ("OBR", "PID"):
            return None
        if segment.name == "SPM":
            return segment
    return None
