"""One small made-up file of each dialect under samples/, and what a clinician would say is in it.

Days and times are those of Zurich. What is refused is told with the reason's first words.
"""

import io
from pathlib import Path
from typing import Any

import pytest

from tests.formats.files import ZONE
from tracker.domain.errors import Refused
from tracker.domain.readings import CORRECTED, DocumentReading, ExposureReading, LabReading, PatientReading, Row
from tracker.formats import Source, read
from tracker.formats.shapes import Answers, Reader, Unsettled
from tracker.library import analytes

SAMPLES = Path(__file__).parent / "samples"
MORNING = "00231, 1 Mar 2026 08:30"
ADA = "00231 is Ada Example, female, born 1988-05-17"
NEUTROPENIA = f"{MORNING}: Neutrophils 0.46 10*3/uL (2.0 to 8.25) L"

TOLD: dict[str, list[str]] = {
    "cr.hl7": [
        f"{MORNING}: Neutrophils 0.46 10*3/uL (2.0 to 8.25) L; counted twice",
        f"{MORNING}: Platelets <10 10*3/uL (150 to 450) LL",
    ],
    "lf.hl7": [
        f"{MORNING}: ALT 31 U/l 37°C (up to 35) N",
        f"{MORNING}: Smear first line / second line",
    ],
    "crlf.hl7": [f"{MORNING}: CRP <5 mg/L (up to 5)", f"{MORNING}: HBsAg negative"],
    "batch.hl7": [
        f"{MORNING}: Neutrophils 1.9 10*9/L (2.0 to 8.25) L",
        "00417, 1 Mar 2026 08:30: Neutrophils 3.9 10*9/L (2.0 to 8.25) N",
        "00417, 1 Mar 2026 08:30: Hb 131 g/L (130 to 170) N, corrected",
    ],
    "latin1.hl7": [f"{MORNING}: Kreatinin 82 µmol/l (45 to 84); leicht hämolytisch"],
    "utf8.hl7": [
        "refused: “250.000” could be read as two numbers",
        f"{MORNING}: Leukozyten 6,1 10^9/l (4.0 to 10.0)",
    ],
    "delimiters.hl7": [f"{MORNING}: Neutrophils 3.1 10*9/L (2.0 to 7.5); seen by A @ B#C"],
    "document.hl7": [
        "refused: The document itself is not in the message",
        f"{MORNING}: Neutrophils 3.1 10*9/L (2.0 to 8.25)",
        f"{MORNING}: the document Report, 59 bytes",
    ],
    "sample_first.hl7": [
        "00231, 1 Mar 2026 08:00: Creatinine 0.93 mg/dL (0.5 to 0.9) H",
        "00231, 1 Mar 2026 09:00: Creatinine (urine) 82 mg/dL",
    ],
    "r4.json": [
        "refused: There is no value (clotted)",
        ADA,
        NEUTROPENIA,
        f"{MORNING}: HBsAg 0.31 S/CO (up to 0.9)",
        "00231, 1 Mar 2026: Hb 131 g/L",
        "00231, 1 Mar 2026: the document Report, 59 bytes",
    ],
    "r4.xml": [ADA, f"{MORNING}: Neutrophils <0.46 10*3/uL"],
    "r4.ndjson": [ADA, NEUTROPENIA],
    "stu3.json": [ADA, "00231 takes tofacitinib 5 mg × 2 since 2026-01-10", f"{NEUTROPENIA}; counted twice"],
    "r5.json": [ADA, "00231 takes tofacitinib 5 mg × 2 since 2026-01-10", f"{NEUTROPENIA}; counted twice"],
    "wide.csv": [
        f"{MORNING}: ALT 31 U/L",
        f"{MORNING}: WBC 5.3 x10^3/uL",
        "00417, 2 Mar 2026: ALT 45 U/L H",
        "00417, 2 Mar 2026: WBC <0.5 x10^3/uL",
    ],
    "long_german.csv": [
        "00231, 15 Mar 2026: Kreatinin 0.93 mg/dl (0.5 to 0.9) *",
        "00231, 15 Mar 2026: Thrombozyten 250000 /µl (150000 to 400000)",
        "00231, 15 Mar 2026: CRP <5 mg/l (up to 5)",
        "00231, 15 Mar 2026: Hämoglobin folgt g/dl (12.0 to 16.0)",
    ],
    "titles.tsv": [
        "00231, 13 Mar 2026 16:42: ALT 31 U/L",
        "00231, 13 Mar 2026 16:42: AST 28 U/L",
        "refused: “Mean”: a row of totals is no result of a patient.",
    ],
    "undated.csv": ["00231, 5 Mar 2026: Creatinine 0.93 mg/dL", "00417, 5 Mar 2026: Creatinine 1.1 mg/dL"],
    "two_readings.csv": ["00231, 3 Feb 2026: Kreatinin 1.1 mg/dL", "00231, 4 Feb 2026: Kreatinin 1.2 mg/dL"],
    "american.hl7": [
        "00231, 3 Mar 2026 09:29: HDLc SerPl-mCnc 49 mg/dL (50 to None) L",
        "00231, 3 Mar 2026 09:29: LDLc SerPl Calc-mCnc 163 mg/dL (calc) (up to 100) H",
        f"{MORNING}: M TB IFN-g Bld-Imp NEGATIVE / Nil: 0.02 IU/mL N",
    ],
    "spanish.csv": [
        "00231, 13 Mar 2026 08:30: Neutrófilos 3.1 10^3/µL (1.8 to 7.5)",
        "00231, 13 Mar 2026 08:30: Neutrófilos 57.4 % (40 to 75)",
        "00231, 13 Mar 2026 08:30: GPT (ALT) 19 U/L (up to 35)",
        "refused: “08.30” is not a time of day",
    ],
    "swedish.tsv": [
        f"{MORNING}: B-Hemoglobin 131 g/L (117 to 153)",
        f"{MORNING}: P-ALAT 0.85 µkat/L (up to 0.76)",
        f"{MORNING}: U-Albumin 12 mg/L (up to 20)",
    ],
    "two_rows.csv": [
        "00231, 13 Mar 2026 08:30: Leukozyten 5.6 Gpt/l",
        "00231, 13 Mar 2026 08:30: Thrombozyten <5 Gpt/l",
        "00231, 13 Mar 2026 08:30: GPT 24 U/l",
        "00231, 13 Mar 2026 08:30: CK 340 U/l +",
        "00417, 3 Mar 2026: Leukozyten 4.9 Gpt/l",
        "00417, 3 Mar 2026: Thrombozyten 219 Gpt/l",
        "00417, 3 Mar 2026: GPT folgt U/l",
        "00417, 3 Mar 2026: CK 101 U/l",
    ],
    "specimens.csv": [
        "00231, 13 Mar 2026: Kreatinin 80 µmol/l",
        "00231, 13 Mar 2026: Kreatinin (urin) 8.1 mmol/l",
        "00231, 13 Mar 2026: Leukozyten (sammelurin) 12 /µl",
        "00231, 13 Mar 2026: Leukozyten 5.1 Gpt/l N",
        "00231, 13 Mar 2026: Glukose (liquor) 60 mg/dl",
    ],
    "short_years.csv": [
        "00231, 1 Mar 2026: WBC 4.2 K/uL (4.0 to 10.0)",
        "00231, 14 Mar 2026 08:30: ALT 55 U/L (7 to 40) H",
    ],
    "period.json": [
        "refused: “http://example.org/not-for-care” changes what this result means",
        f"{MORNING}: AST 66 U/L",
    ],
    "ward.xlsx": [
        "refused: The day the sample was taken is empty",
        f"{MORNING}: ALT 31 U/L",
        f"{MORNING}: Platelets 250 G/L",
        "00417, 2 Mar 2026: ALT 5.5 U/L L",
        "00417, 2 Mar 2026: Platelets hemolyzed G/L",
    ],
    "ward.xls": ["00231, 1 Mar 2026: ALT 31.5 U/L", "00417, 2 Mar 2026: ALT <5 U/L"],
}  # fmt: skip

ANSWERS: dict[str, dict[str, Any]] = {
    "long_german.csv": {"decimal": "comma"},
    "undated.csv": {"sampled_on": "2026-03-05"},
    "short_years.csv": {"dates": "month first"},
    "two_readings.csv": {"dates": "day first", "units": {"Kreatinin": "mg/dL"}},
}
"""What a person has to say of a table before it is read."""


def opened(name: str, answers: dict[str, Any]) -> Source:
    reader = Reader(analytes.find, answers=Answers.of(answers))
    return read(name, io.BytesIO((SAMPLES / name).read_bytes()), ZONE, reader)


def sentence(row: Row) -> str:
    """A row as it would be said."""
    match row.reading:
        case LabReading():
            return _result(row.reading)
        case PatientReading() as who:
            return f"{who.mrn} is {who.given_name} {who.family_name}, {who.sex}, born {who.birth_date}"
        case DocumentReading() as found:
            return f"{found.mrn}, {_when(found)}: the document {found.name}, {len(found.content)} bytes"
        case ExposureReading() as drug:
            return f"{drug.mrn} takes {drug.drug} {drug.dose_mg} mg × {drug.times_per_day} since {drug.started_on}"
    return f"refused: {row.problems[0].message}"


def _when(reading: LabReading | DocumentReading) -> str:
    on, at = reading.collected.on, reading.collected.at.astimezone(ZONE)
    return f"{on.day} {on:%b %Y}{f' {at:%H:%M}' if reading.collected.time_known else ''}"


def _result(r: LabReading) -> str:
    bounds = f"({r.ref_low} to {r.ref_high})" if r.ref_low is not None else f"(up to {r.ref_high})"
    printed = bounds if (r.ref_low, r.ref_high) != (None, None) else ""
    said = " ".join(filter(None, (r.analyte, r.value.replace("\n", " / "), r.unit, printed, r.lab_flag)))
    more = (", corrected" if r.status == CORRECTED else "") + (f"; {r.comment}" if r.comment else "")
    return f"{r.mrn}, {_when(r)}: {said}{more}"


def test_every_sample_is_told() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == TOLD.keys()


@pytest.mark.parametrize("name", TOLD)
def test_what_is_in_a_sample(name: str) -> None:
    found = [sentence(row) for row in opened(name, ANSWERS.get(name, {})).rows]
    assert len(found) == len(TOLD[name])
    for said, expected in zip(found, TOLD[name], strict=True):
        assert said == expected or (expected.startswith("refused") and expected.removeprefix("refused: ") in said), said


@pytest.mark.parametrize("name", ANSWERS)
def test_what_has_two_readings_is_not_read_without_an_answer(name: str) -> None:
    with pytest.raises(Unsettled):
        opened(name, {})


@pytest.mark.parametrize("name", TOLD)
def test_a_sample_that_was_cut_short_is_read_in_part_or_refused_in_a_sentence(name: str) -> None:
    whole = (SAMPLES / name).read_bytes()
    reader = Reader(analytes.find, answers=Answers.of({}))
    for size in range(0, len(whole), max(1, len(whole) // 40)):
        assert all(said.endswith((".", "?")) for said in refusals(name, whole[:size], reader)), size


def refusals(name: str, content: bytes, reader: Reader) -> list[str]:
    """Why the file, or rows of it, are refused."""
    try:
        rows = list(read(name, io.BytesIO(content), ZONE, reader).rows)
    except Refused as why:
        return [str(why)]
    return [row.problems[0].message if row.problems else "" for row in rows if row.reading is None]
