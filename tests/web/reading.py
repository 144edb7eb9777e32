"""What a page says, as its reader would take it: for the tests of the record and configuration screens."""

from typing import Any

from bs4 import BeautifulSoup, Tag
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tracker.db import Database
from tracker.models import Base, Flag


def soup(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html5lib")


def words(answer: TestResponse | Tag) -> str:
    """The text of a page or of a part of it, on one line."""
    part = answer if isinstance(answer, Tag) else soup(answer).main
    assert part is not None
    return " ".join(part.get_text(" ").split())


def told(answer: TestResponse) -> list[str]:
    """What the page says was done."""
    return [" ".join(p.get_text().split()) for p in soup(answer).select(".jw-message")]


def problems(answer: TestResponse) -> str:
    """What is to be put right, from the summary on top of the form."""
    found = soup(answer).select_one(".jw-errors")
    return words(found) if found else ""


def typed(answer: TestResponse, name: str) -> str:
    """What stands in a field of the form."""
    field = soup(answer).select_one(f'[name="{name}"]')
    assert field is not None, f"there is no field {name}"
    if field.name == "select":
        chosen = field.select_one("option[selected]")
        return str(chosen["value"]) if chosen else ""
    if field.get("type") == "radio":
        ticked = soup(answer).select_one(f'[name="{name}"][checked]')
        return str(ticked["value"]) if ticked else ""
    return field.get_text() if field.name == "textarea" else str(field.get("value", ""))


def count(database: Database, kind: type[Base]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(kind)) or 0


def row(database: Database, kind: type[Any], key: int) -> Any:
    with database.reading() as session:
        return session.get_one(kind, key)


def open_flags(database: Database, patient_id: int, rule: str = "") -> list[Flag]:
    """The flags that stand open for a patient, of one rule or of all."""
    with database.reading() as session:
        found = select(Flag).where(Flag.patient_id == patient_id, Flag.machine == "open")
        return [flag for flag in session.scalars(found.order_by(Flag.id)) if rule in ("", flag.rule)]
