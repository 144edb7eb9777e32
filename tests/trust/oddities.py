"""Odd values on SQLite and on PostgreSQL (R24): the same answer, and the same stored value."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import select

from tests.trust.crawl import ODD, World
from tests.trust.databases import KINDS, clinic_on
from tests.trust.lines import Line
from tracker.models import AdverseEvent, LabResult, Patient

LETTERS = (
    "aZ09 .,-+<>=%_'\"\\/{}[]()#;:|&*?!~`^$@€µ½²×ßéÅİıſŁøЖ中あ🩸\u00a0\u00ad\u0301\u200b\u200d\u202e\u2028"
    "\ufeff\ufffd\t\n\r"
)
NUMBERS = "0123456789..,,<>=≤≥eE+-−–٣½ \u00a0"


def values(count: int, seed: int = 1) -> list[str]:
    """The odd ones that are known, then made-up ones: words and what is nearly a number by turns."""
    dice, found = Random(seed), list(ODD)
    while len(found) < count:
        letters = LETTERS if len(found) % 2 else NUMBERS
        found.append("".join(dice.choice(letters) for _ in range(dice.choice((1, 2, 3, 6, 12, 60, 199, 200, 201)))))
    return found[:count]


def told(world: World, odd: str, number: int) -> tuple[object, ...]:
    """A value in a name, a record number, an event, a search and a result: the answers, and what is stored."""
    today = datetime.now(UTC).date()
    person = {
        "mrn": f"ODD-{number}",
        "family_name": odd,
        "given_name": odd,
        "sex": "female",
        "birth_date": "1990-01-01",
    }
    named = world.ask("recorder", "/patients/new", "POST", data=person)
    numbered = world.ask("recorder", "/patients/new", "POST", data=person | {"mrn": odd, "family_name": "Number"})
    searched = world.ask("recorder", "/patients", query_string={"q": odd})
    key, day = world.cast.a.patient, today - timedelta(days=number + 1)
    event = {"kind": "other", "term": odd, "onset_on": "2026-02-01", "comment": odd}
    happened = world.ask("recorder", f"/patients/{key}/events/new", "POST", data=event)
    grid = {
        "day": day.isoformat(), "analyte": ["ANC"], "value": [odd], "unit": ["10*9/L"], "low": [odd], "high": [""],
        "laboratory": odd, "accession": odd[:80], "do": "save", "confirm": [f"ANC|{odd.strip()}|10*9/L"],
    }  # fmt: skip
    typed = world.ask("recorder", f"/patients/{key}/labs/new", "POST", data=grid)
    with world.database.reading() as session:
        patients = session.execute(
            select(Patient.mrn, Patient.family_name, Patient.given_name).order_by(Patient.id.desc()).limit(2)
        ).all()
        term = session.scalars(select(AdverseEvent.term).order_by(AdverseEvent.id.desc())).first()
        results = session.execute(
            select(LabResult.comparator, LabResult.figure, LabResult.value, LabResult.text, LabResult.ref_low,
                   LabResult.laboratory, LabResult.accession)
            .where(LabResult.collected_on == day)
        ).all()  # fmt: skip
    statuses = [answer.status_code for answer in (named, numbered, searched, happened, typed)]
    return statuses, sorted(map(tuple, patients)), term, [tuple(map(str, row)) for row in results]


def compare(count: int) -> tuple[int, list[str]]:
    """How many answers were stored values, and what differed between the two kinds of database."""
    found: dict[str, list[tuple[object, ...]]] = {}
    odd = values(count)
    for kind in KINDS:
        with clinic_on(kind) as world:
            found[kind] = [told(world, value, number) for number, value in enumerate(odd)]
    wrong = []
    for value, *pair in zip(odd, *found.values(), strict=True):
        if pair[0] != pair[1] or 500 in pair[0][0]:  # type: ignore[operator]
            wrong.append(f"{_shown(value)}: {pair[0]} on {KINDS[0]}, {pair[1]} on {KINDS[1]}")
    stored = sum(status == 303 for one in found[KINDS[0]] for status in one[0])  # type: ignore[attr-defined]
    return stored, wrong


def _shown(value: str) -> str:
    return (
        " ".join(unicodedata.name(letter, hex(ord(letter))) for letter in value[:3])
        if not value.isascii()
        else repr(value[:60])
    )


def check(full: bool) -> Iterator[Line]:
    count = 2000 if full else 200
    stored, wrong = compare(count)
    figure = f"{count} values in five places, {stored} of them stored: {len(wrong)} differ"
    yield Line("R24", "odd values on SQLite and PostgreSQL", figure, "0", not wrong, "; ".join(wrong[:3]))
