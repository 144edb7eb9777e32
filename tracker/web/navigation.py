"""The menu: what is on it, for whom, and how many wait."""

from dataclasses import dataclass

from flask import current_app, request
from sqlalchemy import func, select

from tracker.domain.findings import RANK, SOON
from tracker.models import Flag
from tracker.queries import lookers
from tracker.web.access import current_clinics, may, signed_in
from tracker.web.database import reading

MOST = 99  # counted no further than that


@dataclass(frozen=True, slots=True)
class Item:
    """One entry. Leads to `endpoint`, current on the pages of its screen and of `also`; `g` then `key` goes there."""

    label: str
    endpoint: str
    key: str
    also: tuple[str, ...] = ()

    @property
    def screens(self) -> tuple[str, ...]:
        return (self.endpoint.partition(".")[0], *self.also)


YARDSTICKS = ("settings", "rule_settings", "own_rules", "clinic_wide", "range_files", "rules_pages", "burden", "jobs")
ITEMS = (
    Item("Flags", "queue.index", "q", ("review",)),
    Item("Patients", "patients.index", "p", ("timeline", "bedside", "courses", "treatment", "events", "targets")),
    Item("Enter labs", "labs.choose", "e", ("worksheet", "results")),
    Item("Due", "due.index", "d", ("due_steps",)),
    Item("Import", "imports.index", "i", ("mapping", "codes")),
    Item("Ranges & protocols", "ranges.index", "r", YARDSTICKS),
    Item("Cohort", "cohort.index", "c"),
    Item("Audit", "audit.index", "a"),
    Item("Admin", "admin.index", "m"),
)


def menu() -> list[Item]:
    """The entries this person may follow, of the screens there are."""
    return [item for item in ITEMS if item.endpoint in current_app.view_functions and may(item.endpoint)]


def is_current(item: Item) -> bool:
    return request.blueprint in item.screens


def waiting() -> str:
    """How many patients of the current clinic need a decision today or this week: "", "7" or "99+"."""
    user = signed_in()
    if user is None or user.clinic is None:
        return ""
    patients = (
        select(Flag.patient_id)
        .where(Flag.clinic_id == user.clinic.id, Flag.attention <= RANK[SOON])
        .distinct()
        .limit(MOST + 1)
    )
    count = reading().scalar(select(func.count()).select_from(patients.subquery())) or 0
    return f"{MOST}+" if count > MOST else str(count or "")


def alerts() -> int:
    """How many emergencies wait to be looked into, for those who do that."""
    return lookers.waiting(reading(), current_clinics()) if may("emergency.close") else 0
