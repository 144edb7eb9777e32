"""CDISC SDTM as CSV: demographics (dm), exposure (ex), laboratory results (lb) and adverse events (ae).

A subject is a patient whose record number is USUBJID. Results are taken as the laboratory printed them (LBORRES,
LBORRESU, LBORNRLO, LBORNRHI), never as the sponsor converted them. Source: CDISC SDTM Implementation Guide 3.4.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import EventReading, ExposureReading, LabReading, Moment, PatientReading, Problem, Row
from tracker.formats.cells import (
    Bound,
    Misfit,
    Noted,
    Remark,
    amount,
    day,
    day_if_whole,
    listed,
    moment,
    mrn,
    partial_date,
    printed_bound,
    printed_range,
    reported,
)
from tracker.formats.tables import Column, Layout

INFECTIONS = "infections and infestations"  # the MedDRA system organ class
CRITERIA = {
    "AESDTH": "death",
    "AESLIFE": "life_threatening",
    "AESHOSP": "hospitalisation",
    "AESDISAB": "disability",
    "AESCONG": "congenital_anomaly",
    "AESOD": "overdose",
}

_OLDEST = 150
_SEXES = {"M": "male", "F": "female", "U": "unknown", "": "unknown"}
_OTHER_SEXES = ("UNDIFFERENTIATED", "UN", "INTERSEX", "INT")
_TIMES_A_DAY = {"QD": 1, "BID": 2, "TID": 3, "QID": 4}
_SEVERITIES = {"": None, "MILD": 1, "MODERATE": 2, "SEVERE": 3}
_ANSWERS = {"Y": True, "N": False, "": None, "U": None, "NA": None}
_OF_BLOOD = re.compile(r"blood|serum|plasma", re.IGNORECASE)

_USUBJID = Column("USUBJID", mrn, required=True)


def _end(cell: str) -> date | None:
    """The last day, where it is known to the day."""
    if partial_date(cell):
        raise Remark(None, f"“{cell}” is only a part of a date: the end is taken as not known.")
    return day(cell)


def _first_day(cell: str) -> date | None:
    _whole_date(cell, "the first day of the dose")
    return day(cell)


def _collected(cell: str, zone: ZoneInfo) -> Moment:
    _whole_date(cell, "the day of collection")
    return moment(cell, zone)


def _whole_date(cell: str, what: str) -> None:
    if partial_date(cell):
        raise Refused(f"“{cell}” is only a part of a date, and {what} has to be known: complete it, as 2013-07-11.")


# --------------------------------------------------------------------------------------------------- dm


def _sex(cell: str) -> str:
    word = cell.upper()
    if word in _OTHER_SEXES:
        raise Remark("unknown", f"Ranges are for women or men: “{cell}” is filed as unknown.")
    if word not in _SEXES:
        raise Refused(f"“{cell}” is not a sex of SDTM: write F, M or U.")
    return _SEXES[word]


def _patient(
    whose: str, sex: str, birth_date: date | None, age: Decimal | None, unit: str, *days: date | None
) -> PatientReading:
    on = next((stated for stated in days if stated), None)
    years = {"YEARS": age, "MONTHS": age and age / 12}.get(unit.upper()) if age is not None else None
    if years is not None and years > _OLDEST:
        raise Misfit("AGE", f"Nobody is {years:f} years old: check the age and its unit.")
    reading = PatientReading(
        whose, sex=sex, birth_date=birth_date, stated_age=None if years is None else int(years), stated_age_on=on
    )
    if birth_date is None and age is not None and years is None:
        raise Noted(reading, ("AGEU", f"An age in “{unit}” is not read: give it in YEARS."))
    if birth_date is None and years is not None and on is None:
        raise Noted(reading, ("DMDTC", "It is not known when this age was stated: give DMDTC or RFSTDTC."))
    return reading


# --------------------------------------------------------------------------------------------------- ex


def _times_a_day(cell: str) -> int | None:
    if not cell:
        return None
    if cell.upper() not in _TIMES_A_DAY:
        read = listed(_TIMES_A_DAY, "and")
        raise Remark(None, f"“{cell}” is not read ({read} are): how often a day is taken as not known.")
    return _TIMES_A_DAY[cell.upper()]


def _exposure(
    whose: str, drug: str, started_on: date, ended_on: date | None, dose: Decimal | None, unit: str, times: int | None
) -> ExposureReading:
    if dose is None or unit.lower() == "mg":
        return ExposureReading(whose, drug, started_on, ended_on, dose, times)
    reading = ExposureReading(whose, drug, started_on, ended_on, None, times)
    raise Noted(reading, ("EXDOSU", f"The dose is in “{unit}”, not in mg: it is taken as not known."))


# --------------------------------------------------------------------------------------------------- lb


def _printed_result(cell: str) -> str:
    if not cell:
        raise Refused("LBORRES is empty: the laboratory gave no result, so there is none to file.")
    return reported(cell)


def _done(cell: str) -> None:
    if cell.upper() == "NOT DONE":
        raise Refused("The test was not done (LBSTAT), so there is no result to file.")


def _fasting(cell: str) -> bool | None:
    """Y or N; U and NA say nothing."""
    return {"Y": True, "N": False}.get(cell.upper())


def _unit(cell: str) -> str:
    return "" if cell.upper() == "NO UNITS" else cell


def _lab(whose: str, collected: Moment, value: str, unit: str, low: Bound, high: Bound, *others: Any) -> LabReading:
    test, code, specimen, category, flag, laboratory, accession, _, fasting = others
    # SDTM says glucose of blood and of urine by the same name and code; no result of urine may pass for one of blood.
    other = specimen or ("urine" if category.upper() == "URINALYSIS" else "")
    elsewhere = f" ({other.lower()})" if other and not _OF_BLOOD.search(other) else ""
    lower, upper, said = printed_range(low, high)
    reading = LabReading(
        whose, collected, f"{test}{elsewhere}", value, unit, lower, upper, flag, laboratory, accession,
        local_code=f"{code}{elsewhere}" if code else "", fasting=fasting,
    )  # fmt: skip
    if said:
        raise Noted(reading, ("LBORNRLO" if low is not None else "LBORNRHI", said))
    return reading


def _samples_told_apart(rows: Iterator[Row]) -> Iterator[Row]:
    """Two different results of one test, subject and time would be taken for a result and its correction: the second
    gets `repeat 2` as its accession, and so on. LBSEQ would not do, a later cut of the data may number anew.

    Looks at one subject at a time: SDTM is sorted by subject.
    """
    subject, seen = "", dict[tuple[object, ...], list[tuple[str, str]]]()
    for row in rows:
        reading = row.reading
        if isinstance(reading, LabReading):
            if reading.mrn != subject:
                subject, seen = reading.mrn, {}
            values = seen.setdefault((reading.analyte, reading.collected.at, reading.laboratory, reading.accession), [])
            if (reading.value, reading.unit) not in values:
                values.append((reading.value, reading.unit))
            place = values.index((reading.value, reading.unit)) + 1
            yield row if place == 1 else _repeated(row, reading, place)
        else:
            yield row


def _repeated(row: Row, reading: LabReading, place: int) -> Row:
    accession = f"{reading.accession} repeat {place}".strip()
    said = f"{reading.analyte} has another result of the same time: this one is kept beside it as “{accession}”."
    remark = Problem(row.number, "LBDTC", said)
    return row._replace(reading=reading._replace(accession=accession), problems=(*row.problems, remark))


# --------------------------------------------------------------------------------------------------- ae


def _yes_no(cell: str) -> bool | None:
    if cell.upper() not in _ANSWERS:
        raise Refused(f"“{cell}” is neither Y nor N: write Y or N, or leave it empty where it is not known.")
    return _ANSWERS[cell.upper()]


def _toxicity(cell: str) -> int | None:
    grade = cell.upper().removeprefix("GRADE").strip()
    if grade not in ("", "1", "2", "3", "4", "5"):
        raise Remark(None, f"“{cell}” is not a grade from 1 to 5: the severity is taken instead.")
    return int(grade) if grade else None


def _severity(cell: str) -> int | None:
    if cell.upper() not in _SEVERITIES:
        raise Remark(None, f"“{cell}” is not MILD, MODERATE or SEVERE: the severity is taken as not known.")
    return _SEVERITIES[cell.upper()]


def _event(whose: str, *cells: Any) -> EventReading:
    term, decoded, system, soc, onset_on, onset_text, resolved_on, toxicity, severity, serious, treated, *more = cells
    *answers, outcome, sequence = more
    met = [word for word, answer in zip(CRITERIA.values(), answers, strict=True) if answer]
    reading = EventReading(
        whose,
        "infection" if INFECTIONS in (system.lower(), soc.lower()) else "other",
        decoded or term,
        onset_on,
        onset_text,
        resolved_on,
        grade=toxicity or severity,
        serious=serious,
        criteria=";".join(met),
        hospitalised=answers[list(CRITERIA).index("AESHOSP")],
        treated=treated,
        outcome=outcome.lower(),
        source_key=sequence,
    )
    notes = []
    if onset_on is None and not onset_text:
        notes.append(("AESTDTC", "The onset is not known: rules that count days leave the event out."))
    if serious is False and met:
        notes.append(("AESER", f"AESER is N, and yet Y is said of {listed(met, 'and')}: kept as written."))
    if notes:
        raise Noted(reading, *notes)
    return reading


# ---------------------------------------------------------------------------------------------- layouts

# The columns stand in the order in which the functions above take them.
LAYOUTS: Mapping[str, Layout] = {
    "dm": Layout(
        "patients",
        (
            _USUBJID,
            Column("SEX", _sex),
            Column("BRTHDTC", day_if_whole),
            Column("AGE", amount),
            Column("AGEU"),
            Column("DMDTC", day_if_whole),
            Column("RFSTDTC", day_if_whole),
        ),
        _patient,
    ),
    "ex": Layout(
        "exposures",
        (
            _USUBJID,
            Column("EXTRT", required=True),
            Column("EXSTDTC", _first_day, required=True),
            Column("EXENDTC", _end),
            Column("EXDOSE", amount),
            Column("EXDOSU"),
            Column("EXDOSFRQ", _times_a_day),
        ),
        _exposure,
    ),
    "lb": Layout(
        "results",
        (
            _USUBJID,
            Column("LBDTC", _collected, required=True, zoned=True),
            Column("LBORRES", _printed_result, repeats=False),
            Column("LBORRESU", _unit),
            Column("LBORNRLO", printed_bound),
            Column("LBORNRHI", printed_bound),
            Column("LBTEST", required=True),
            Column("LBTESTCD"),
            Column("LBSPEC"),
            Column("LBCAT"),
            Column("LBNRIND"),
            Column("LBNAM"),
            Column("LBREFID"),
            Column("LBSTAT", _done),
            Column("LBFAST", _fasting),
        ),
        _lab,
        _samples_told_apart,
    ),
    "ae": Layout(
        "adverse_events",
        (
            _USUBJID,
            Column("AETERM", required=True),
            Column("AEDECOD"),
            Column("AEBODSYS"),
            Column("AESOC"),
            Column("AESTDTC", day_if_whole),
            Column("AESTDTC", partial_date),
            Column("AEENDTC", _end),
            Column("AETOXGR", _toxicity),
            Column("AESEV", _severity),
            Column("AESER", _yes_no),
            Column("AECONTRT", _yes_no),
            *(Column(name, _yes_no) for name in CRITERIA),
            Column("AEOUT"),
            Column("AESEQ"),
        ),
        _event,
    ),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "dm": ("USUBJID", "SEX", "AGE"),
    "ex": ("USUBJID", "EXTRT", "EXSTDTC"),
    "lb": ("USUBJID", "LBDTC", "LBTEST", "LBORRES"),
    "ae": ("USUBJID", "AETERM", "AESTDTC"),
}
