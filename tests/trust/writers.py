"""Two people change one record at the same moment (R8): one is stored, the other is told, and nothing is lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.trust.crawl import World, clinic
from tests.trust.lines import Line
from tracker.models import AuditEntry, LabResult, Patient

PAIR = ("clinician", "recorder")


@dataclass
class Contended:
    """How many pairs wrote, and in how many it did not go as it must, with the first of them in words."""

    pairs: int = 0
    wrong: int = 0
    lost: int = 0
    examples: list[str] = field(default_factory=list)


def check(full: bool) -> Iterator[Line]:
    with clinic() as world:
        outcome = contend(world, 10_000 if full else 500)
    figure = f"{outcome.pairs} pairs: {outcome.wrong} answered wrongly, {outcome.lost} lost updates"
    passed, told = not outcome.wrong and not outcome.lost, "; ".join(outcome.examples[:3])
    yield Line("R8", "two people change one record at once", figure, "0 of each", passed, told)


def contend(world: World, pairs: int) -> Contended:
    """So many pairs, by turns on a result and on the particulars of a patient."""
    outcome = Contended()
    for role in PAIR:
        world.ask(role, "/account")  # signed in before it begins
    with ThreadPoolExecutor(2) as pool:
        for number in range(pairs):
            kind = (_correct, _rename)[number % 2]
            path, form, stored = kind(world, number)
            together = Barrier(2)

            def write(
                role: str, path: str = path, form: Callable[[str], dict[str, str]] = form, together: Barrier = together
            ) -> int:
                together.wait()
                return world.ask(role, path, "POST", data=form(role)).status_code

            statuses = dict(zip(PAIR, pool.map(write, PAIR), strict=True))
            _judge(outcome, statuses, stored(), form)
    outcome.lost += _entries(world) != pairs
    return outcome


Told = tuple[str, Callable[[str], dict[str, str]], Callable[[], str]]


def _correct(world: World, number: int) -> Told:
    """The neutrophils of Ida, corrected to two different figures: where, what either sends, what is stored after."""
    in_force = select(LabResult).where(
        LabResult.patient_id == world.cast.a.patient, LabResult.subject == "ANC", LabResult.retired_at.is_(None)
    )
    with world.database.reading() as session:
        key = session.scalars(in_force).one().id
    figures = {role: f"{place + 1}.{number % 900 + 100}" for place, role in enumerate(PAIR)}

    def form(role: str) -> dict[str, str]:
        return {
            "value": figures[role], "unit": "10*9/L", "day": "2026-02-09", "reason": "typed wrongly", "confirmed": "1",
        }  # fmt: skip

    def stored() -> str:
        with world.database.reading() as session:
            return str(session.scalars(in_force).one().figure)

    return f"/results/{key}/correct", form, stored


def _rename(world: World, number: int) -> Told:
    """The given name of Ida, changed by two who saw the same page."""
    key = world.cast.a.patient
    with world.database.reading() as session:
        seen = session.get_one(Patient, key)
    names = {role: f"Ida{place}{number}" for place, role in enumerate(PAIR)}

    def form(role: str) -> dict[str, str]:
        return {
            "mrn": seen.mrn, "family_name": seen.family_name, "given_name": names[role], "sex": seen.sex,
            "birth_date": str(seen.birth_date), "reason": "misspelt", "version": str(seen.version),
        }  # fmt: skip

    def stored() -> str:
        with world.database.reading() as session:
            return session.get_one(Patient, key).given_name

    return f"/patients/{key}/edit", form, stored


def _judge(outcome: Contended, statuses: dict[str, int], stored: str, form: Callable[[str], dict[str, str]]) -> None:
    outcome.pairs += 1
    winners = [role for role, status in statuses.items() if status == 303]
    if sorted(statuses.values()) != [303, 409]:
        outcome.wrong += 1
        outcome.examples.append(f"pair {outcome.pairs}: {statuses}")
    if stored not in [value for role in winners for value in form(role).values()]:
        outcome.lost += 1
        outcome.examples.append(f"pair {outcome.pairs}: {statuses}, and {stored} is stored")


def _entries(world: World) -> int:
    """The changes that the trail knows of: one a pair."""
    with world.database.reading() as session:
        return _count(session, AuditEntry.reason == "typed wrongly") + _count(session, AuditEntry.reason == "misspelt")


def _count(session: Session, condition: object) -> int:
    statement = select(func.count(func.distinct(AuditEntry.request_id))).where(condition)  # type: ignore[arg-type]
    return session.scalar(statement) or 0
