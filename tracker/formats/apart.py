"""What messages and resources share: results that would be taken for one are kept apart, what one says of the others of
its time is kept with those, and what is said often is said once.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from tracker.domain.readings import APART, CORRECTED, FINAL, LabReading, Problem, Row, fasting_words

_OFTEN = 3
_FASTING = "loinc:49541-6"  # Fasting status [Presence] - Reported
_ANSWERS = {
    **dict.fromkeys(("y", "yes", "true", "fasting", "la33-6"), True),
    **dict.fromkeys(("n", "no", "false", "not fasting", "non fasting", "non-fasting", "la32-8"), False),
}


def told_of_fasting(rows: Sequence[Row], column: str) -> list[Row]:
    """Whether a patient was fasting, where it comes as a result of its own, is kept with the results of that time that
    do not say it themselves. It is none itself: its row is refused and says so. Any other answer stays as it came.
    """
    said: dict[tuple[str, datetime], bool] = {}
    others = set()
    for reading in (row.reading for row in rows if isinstance(row.reading, LabReading)):
        answer = _fasting(reading)
        if answer is None:
            others.add(_time(reading))
        else:
            said[_time(reading)] = answer
    return [_with_fasting(row, said, others, column) for row in rows] if said else list(rows)


def _with_fasting(
    row: Row, said: Mapping[tuple[str, datetime], bool], others: Collection[tuple[str, datetime]], column: str
) -> Row:
    """A row beside an answer of its time (`said`), or the row of the answer where there are `others` to keep it."""
    reading = row.reading
    if not isinstance(reading, LabReading) or _time(reading) not in said:
        return row
    answer = _fasting(reading)
    if answer is None:
        kept = said[_time(reading)] if reading.fasting is None else reading.fasting
        return row._replace(reading=reading._replace(fasting=kept))
    if _time(reading) not in others:
        return row
    told = f"It says that the patient was {fasting_words(answer)}: that is kept with the results of this time, and is"
    return row._replace(reading=None, problems=(Problem(row.number, column, f"{told} no result itself."),))


def _time(reading: LabReading) -> tuple[str, datetime]:
    return reading.mrn, reading.collected.at


def _fasting(reading: LabReading) -> bool | None:
    """What a result answers that only says whether the patient was fasting; None for any other."""
    if reading.status not in (FINAL, CORRECTED) or _FASTING not in reading.local_code.split(";"):
        return None
    return _ANSWERS.get(reading.value.strip().casefold())


def told_apart(rows: Sequence[Row], column: str) -> list[Row]:
    """Two different final results of one test, patient and time would be taken for a result and a contradiction: the
    second has a sub-ID of ours, and so on. So has a test that shares its name with one of another local code, as `p18`
    of two blots does: its code tells it apart. A sub-ID that the sender gave (OBX-4) stays.
    """
    seen: dict[tuple[object, ...], dict[tuple[str, str, str], str]] = {}
    codes: set[tuple[object, ...]] = set()
    found = []
    for row in rows:
        reading = row.reading
        if isinstance(reading, LabReading) and reading.status == FINAL:
            key = (reading.mrn, reading.analyte, reading.collected.at, reading.laboratory, *_order(reading))
            marks = seen.setdefault(key, {})  # by what was said, that which tells it apart
            code = _local(reading)
            what = (code, reading.value, reading.unit)
            if what not in marks:
                alone = code and (*key, code) not in codes
                marks[what] = "" if not marks else code if alone else str(len(marks) + 1)
                codes.add((*key, code))
            row = _repeated(row, reading, marks[what], column) if marks[what] else row  # noqa: PLW2901
        found.append(row)
    return found


def _order(reading: LabReading) -> tuple[str, str]:
    return reading.accession, reading.sub_id


def _local(reading: LabReading) -> str:
    """The sender's own code; a LOINC is the same test wherever it comes from."""
    return "" if reading.local_code.startswith("loinc:") else reading.local_code.partition("@")[0]


def _repeated(row: Row, reading: LabReading, mark: str, column: str) -> Row:
    beside = row.place.rpartition("/")[2] if "/" in row.place else ""
    sub_id = f"{reading.sub_id}{APART}{beside or mark}"
    said = f"“{reading.analyte}” has several results of one time: each is kept, told apart by its code or place."
    remark = Problem(row.number, column, said)
    return row._replace(reading=reading._replace(sub_id=sub_id), problems=(*row.problems, remark))


def said_once(rows: Sequence[Row]) -> list[Row]:
    """What would be said of many rows in the same words is said of the first, with their number."""
    count = Counter(_sentence(problem) for row in rows if row.reading is not None for problem in row.problems)
    many = {sentence for sentence, times in count.items() if times > _OFTEN}
    said: set[tuple[str, str]] = set()
    found = []
    for row in rows:
        kept = []
        for problem in row.problems:
            sentence = _sentence(problem)
            if row.reading is None or sentence not in many:
                kept.append(problem)
            elif sentence not in said:
                said.add(sentence)
                kept.append(problem._replace(message=f"{problem.message} So it is in {count[sentence]} rows."))
        found.append(row._replace(problems=tuple(kept)))
    return found


def _sentence(problem: Problem) -> tuple[str, str]:
    return problem.column.partition("[")[0], problem.message
