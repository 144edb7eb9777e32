"""How a clinic's tables are read: the mappings that are kept, by the header of their table."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import NotFound
from tracker.formats.shapes import Answers, Kept, Reader
from tracker.library import analytes
from tracker.models import Account, TableMapping


class Version(NamedTuple):
    """A mapping in force, and who saved it."""

    mapping: TableMapping
    person: str


def in_force(session: Session, clinic_ids: Sequence[int]) -> list[Version]:
    """The mappings that are kept for these clinics, by name; of several versions the last. Forgotten ones are none."""
    t = TableMapping
    last = (
        select(t.clinic_id, t.header, func.max(t.number).label("number"))
        .where(t.clinic_id.in_(clinic_ids))
        .group_by(t.clinic_id, t.header)
        .subquery()
    )
    same = (t.clinic_id == last.c.clinic_id) & (t.header == last.c.header) & (t.number == last.c.number)
    rows = session.execute(
        select(t, Account.name).join(last, same).outerjoin(Account, Account.id == t.saved_by).order_by(t.name, t.id)
    )
    return [Version(row, person or "") for row, person in rows if row.body]


def reader(session: Session, clinic_ids: Sequence[int], answers: Answers = Answers()) -> Reader:  # noqa: B008 - frozen
    """What tables of any shape are read with here. Of two clinics' mappings of one header the first clinic's counts."""
    found: dict[str, Kept] = {}
    for version in sorted(in_force(session, clinic_ids), key=lambda v: clinic_ids.index(v.mapping.clinic_id)):
        row = version.mapping
        found.setdefault(row.header, Kept(row.name, Answers.of(row.body)))
    return Reader(analytes.find, found, answers)


def named(session: Session, clinic_ids: Sequence[int], name: str) -> Answers:
    """The answers of the mapping with that name. Raises NotFound, saying which there are."""
    versions = in_force(session, clinic_ids)
    for version in versions:
        if version.mapping.name.casefold() == name.casefold():
            return Answers.of(version.mapping.body)
    there = ", ".join(version.mapping.name for version in versions) or "none"
    raise NotFound(f"There is no mapping “{name}”, and no such file; there are: {there}.")
