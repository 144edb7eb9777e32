"""Who a message is about (PID): by a record number, never by name."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import PatientReading
from tracker.formats.cells import LONGEST_MRN, Misfit
from tracker.formats.hl7v2 import figures
from tracker.formats.hl7v2.er7 import Field, Segment
from tracker.formats.identifiers import rank

# Of table 0001, of ISO 5218 (1, 2), and of German, Dutch, Polish and French.
_SEXES = {
    "F": "female", "W": "female", "V": "female", "K": "female", "2": "female", "FEMALE": "female", "WEIBLICH": "female",
    "M": "male", "H": "male", "1": "male", "MALE": "male", "MÄNNLICH": "male",
}  # fmt: skip
_UTC = ZoneInfo("UTC")


def patient_of(pid: Segment, header: Segment, orders: Collection[str]) -> tuple[PatientReading | Refused, str]:
    """Who the message is about, or why that cannot be told; and what has to be said of it. `orders` are the numbers of
    its orders.
    """
    try:
        number = _record_number(pid, header, orders)
    except Misfit as why:
        return why, ""
    born, said = None, ""
    try:
        read = figures.moment(pid.part(7), _UTC)
        born = read.on if read else None
    except Refused:
        said = f"The birth date “{pid.part(7)[:30]}” is no day (PID-7): that it is this patient was not checked by it."
    given = " ".join(filter(None, (pid.part(5, 2), pid.part(5, 3))))
    return PatientReading(number, pid.part(5)[:80], given[:80], born, _SEXES.get(pid.part(8).upper(), "unknown")), said


def _record_number(pid: Segment, header: Segment, orders: Collection[str]) -> str:
    """The identifier of PID-3 that serves best as a record number; where there is none, that of PID-2 or PID-4.

    Where PID-3 holds the number of the order, as some large laboratories send it, the patient's own is in PID-2 or
    PID-4: that of the order comes last, or each order would be somebody new.
    """
    for number in (2, 4, 3) if pid.part(3) in orders else (3, 2, 4):
        ranked = [(place, field) for field in pid.repetitions(number) if (place := _rank(field)) is not None]
        best = min((place for place, _ in ranked), default=0)
        fields = {field.component(1): field for place, field in ranked if place == best}
        if fields:
            return _fitting(_ours(fields, header, number), f"PID-{number}")
    raise Misfit("PID-3", "The patient has no record number in PID-3, PID-2 or PID-4: nothing is matched by name.")


def _ours(fields: dict[str, Field], header: Segment, number: int) -> str:
    """Of several numbers that serve equally well the one that the receiving, else the sending facility has given."""
    if len(fields) == 1:
        return next(iter(fields))
    for facility in filter(None, (header.part(6).casefold(), header.part(4).casefold())):
        given = [one for one, field in fields.items() if field.component(4).casefold() == facility]
        if len(given) == 1:
            return given[0]
    numbers = " and ".join(
        f"{one[:40]} ({field.component(4)[:40] or 'of nobody named'})" for one, field in fields.items()
    )
    raise Misfit(f"PID-{number}", f"The patient has the record numbers {numbers}: which is this clinic’s is not said.")


def _rank(field: Field) -> int | None:
    if not field.component(1):
        return None
    kind = field.component(5).upper()
    return rank([kind] if kind else [])


def _fitting(number: str, column: str) -> str:
    if len(number) > LONGEST_MRN:
        raise Misfit(column, f"The record number holds {len(number)} characters; at most {LONGEST_MRN} are kept.")
    if not number.isprintable():
        raise Misfit(column, "The record number holds a line break or a control character: have it sent again.")
    return number
