"""What the tests of HL7 v2 share: a header, a patient, an order, and the rows that come of segments."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from tracker.domain.readings import LabReading, Row
from tracker.formats import hl7v2
from tracker.operations.standing import analyte_of

ZONE = ZoneInfo("Europe/Zurich")
MSH = "MSH|^~\\&|LIS|Lakeside Lab|Jakwatch|Clinic|20260301101500||ORU^R01|4711|P|2.5"
PID = "PID|1||00231^^^Clinic^MR||Example^Ada^M||19880517|F"
OBR = "OBR|1|P77|F4711|CBC^Blood count|||20260301083000"


def rows(*segments: str, end: str = "\r", encoding: str = "utf-8") -> list[Row]:
    return hl7v2.read(end.join(segments).encode(encoding), ZONE).rows


def only(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> Row:
    (row,) = rows(*before, obx, *more)
    return row


def result(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> LabReading:
    row = only(obx, *more, before=before)
    assert isinstance(row.reading, LabReading), row.problems
    return row.reading


def refusal(obx: str, *more: str, before: Iterable[str] = (MSH, PID, OBR)) -> str:
    row = only(obx, *more, before=before)
    assert row.reading is None
    return row.problems[0].message


def code(reading: LabReading) -> str:
    found = analyte_of(reading)
    return found.code if found else ""
