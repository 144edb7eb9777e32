"""What the segments before a result say of it: whose it is, of which order and sample, and the notes on each."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import PatientReading
from tracker.formats.cells import Misfit
from tracker.formats.hl7v2.er7 import Segment
from tracker.formats.hl7v2.people import patient_of
from tracker.formats.specimens import elsewhere

_LEADS = frozenset(("R21", "R22", "R23"))  # messages in which a sample stands before its orders


class Part(NamedTuple):
    """A segment, the notes right behind it, and of an order the sample that follows it with its notes."""

    segment: Segment
    notes: str
    specimen: Segment | None = None
    of_specimen: str = ""


def parts_of(segments: Sequence[Segment]) -> list[Part]:
    """The segments without the notes (NTE), which are with the segment they follow."""
    with_notes: list[tuple[Segment, list[str]]] = []
    for segment in segments:
        if segment.name == "NTE" and with_notes:
            with_notes[-1][1].append(segment.text(3))
        elif segment.name != "NTE":
            with_notes.append((segment, []))
    found: list[Part] = []
    specimen: tuple[Segment | None, str] = (None, "")
    for segment, notes in reversed(with_notes):  # the sample of an order may stand behind its results
        text = _one_line(notes)
        if segment.name == "SPM":
            specimen = segment, text
        found.append(Part(segment, text, *(specimen if segment.name == "OBR" else (None, ""))))
        if segment.name in ("OBR", "PID"):
            specimen = None, ""
    return found[::-1]


class Context:
    """What the segments before an OBX said: the patient, the order, its sample and its times."""

    def __init__(self, header: Part, place: str, zone: ZoneInfo, orders: Collection[str] = ()) -> None:
        self.header = header.segment
        self._orders = orders
        self.zone = zone
        control = self.header.part(10)[:40]
        self.place = f"{place}, {control}" if control else place
        self.laboratory = self.header.part(4) or self.header.part(3)
        self.commas = False
        """Whether the message writes decimals with a comma, so that a point may part its thousands."""
        self.patient: PatientReading | Refused = Misfit("PID", "The message names no patient before this result (PID).")
        self.said = ""
        self._orc: Segment | None = None
        self.obr: Segment | None = None
        self.specimen: Segment | None = None
        self._leads = self.header.part(9, 2).upper() in _LEADS
        self._of_message, self._of_patient, self._of_specimen = header.notes, "", ""
        self._of_orc, self._of_order = "", ""
        self._awaits_order = False  # an ORC came, and neither its OBR nor a result yet

    def take(self, part: Part) -> None:
        """Remember a segment that is no result."""
        segment = part.segment
        if segment.name == "PID":  # a second patient takes nothing over from the first
            self.patient, self.said = patient_of(segment, self.header, self._orders)
            self._orc, self.obr, self.specimen = None, None, None
            self._of_patient, self._of_specimen, self._of_orc, self._of_order = part.notes, "", "", ""
        elif segment.name == "ORC":
            self._orc, self._of_orc, self._awaits_order = segment, part.notes, True
        elif segment.name == "OBX":
            self._awaits_order = False
        elif segment.name == "OBR":
            self._order(part)
        elif segment.name == "SPM" and (self._leads or self.specimen is None):
            self.specimen, self._of_specimen = segment, part.notes
        elif self.obr is None and self._orc is None:
            self._of_patient = _joined(self._of_patient, part.notes)
        else:
            self._of_order = _joined(self._of_order, part.notes)

    def _order(self, part: Part) -> None:
        first = self.obr is None
        self._of_orc = self._of_orc if self._awaits_order else ""
        self.obr, self._of_order, self._awaits_order = part.segment, part.notes, False
        if not self._leads and (part.specimen is not None or not first):
            self.specimen, self._of_specimen = part.specimen, part.of_specimen

    @property
    def notes(self) -> str:
        """The notes on the order, the sample, the patient and the message, each named."""
        said = (
            ("Order", _joined(self._of_orc, self._of_order)),
            ("Sample", self._of_specimen),
            ("Patient", self._of_patient),
            ("Message", self._of_message),
        )
        return " ".join(f"{about}: {text}" for about, text in said if text)

    @property
    def accession(self) -> str:
        for segment, numbers in ((self.obr, (3, 2)), (self._orc, (3, 2)), (self.specimen, (2,))):
            for number in numbers if segment else ():
                if found := segment.part(number) if segment else "":
                    return found[:80]
        return ""

    @property
    def elsewhere(self) -> str:
        """` (urine)` where the sample or the order's name is not of blood; a LOINC code needs no such help."""
        for segment, number, named in ((self.specimen, 4, (2, 1, 5, 4)), (self.obr, 15, (2, 1)), (self.obr, 4, (2, 5))):
            for text in (segment.part(number, name) for name in named) if segment else ():
                where = elsewhere(text, is_sample=number != 4 or segment is self.specimen)
                if where is not None:
                    return where
        return ""


def _joined(*notes: str) -> str:
    return " ".join(filter(None, notes))


def _one_line(notes: Sequence[str]) -> str:
    """Notes as one text."""
    text = " ".join(" ".join(notes).split())
    return "".join(c for c in text if c.isprintable())
