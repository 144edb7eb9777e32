"""What messages and resources share: results that would be taken for one are kept apart, and what is said often is
said once.
"""

from collections import Counter
from collections.abc import Sequence

from tracker.domain.readings import APART, FINAL, LabReading, Problem, Row

_OFTEN = 3


def told_apart(rows: Sequence[Row], column: str) -> list[Row]:
    """Two different final results of one test, patient and time would be taken for a result and a contradiction: the
    second has a sub-ID of ours, and so on. So has a test that shares its name with one of another local code, as `p18`
    of two blots does: its code tells it apart. A sub-ID that the sender gave (OBX-4) stays.
    """
    seen: dict[tuple[object, ...], list[tuple[str, str, str]]] = {}
    found = []
    for row in rows:
        reading = row.reading
        if isinstance(reading, LabReading) and reading.status == FINAL:
            key = (reading.mrn, reading.analyte, reading.collected.at, reading.laboratory, *_order(reading))
            said = seen.setdefault(key, [])
            what = (_local(reading), reading.value, reading.unit)
            if what not in said:
                said.append(what)
            place = said.index(what)
            row = _repeated(row, reading, _mark(said, place), column) if place else row  # noqa: PLW2901
        found.append(row)
    return found


def _order(reading: LabReading) -> tuple[str, str]:
    return reading.accession, reading.sub_id


def _local(reading: LabReading) -> str:
    """The sender's own code; a LOINC is the same test wherever it comes from."""
    return "" if reading.local_code.startswith("loinc:") else reading.local_code.partition("@")[0]


def _mark(said: Sequence[tuple[str, str, str]], place: int) -> str:
    """What tells a result apart from those before it: its code, where no other has that, else its place."""
    code = said[place][0]
    return code if code and all(other != code for other, _, _ in said[:place]) else str(place + 1)


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
