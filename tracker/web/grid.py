"""A grid of typed results as a form carries it: read, judged by the evaluator that will store it, kept as a draft."""

from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from wtforms.validators import InputRequired

from tracker.domain.errors import Refused
from tracker.formats.pasted import Pasted
from tracker.models import Patient
from tracker.operations import drafts, sheet
from tracker.operations.sheet import Header, Row, Sheet
from tracker.web.access import current_actor
from tracker.web.clock import today
from tracker.web.fields import DayField, FastingField, TextField
from tracker.web.filters import zone
from tracker.web.forms import Form, refuse

MOST_ROWS = 120
LONGEST_DRAFT = 100_000  # characters of all fields together
KEPT = (
    "day",
    "time",
    "laboratory",
    "accession",
    "fasting",
    "analyte",
    "value",
    "unit",
    "low",
    "high",
    "confirm",
    "block",
)


class SampleForm(Form):
    """What all results of the grid share."""

    day = DayField("Sample taken on", [InputRequired("On which day was the sample taken?")])
    time = TextField("Time", longest=20, render_kw={"placeholder": "08:40", "inputmode": "numeric"})
    laboratory = TextField("Laboratory", render_kw={"list": "laboratories"})
    accession = TextField("Accession number", longest=80)
    fasting = FastingField()


@dataclass(slots=True)
class Typed:
    """The grid as it came from the browser, or from a draft."""

    form: SampleForm
    rows: list[Row]
    confirmed: frozenset[str]
    block: str = ""
    mapped: list[tuple[Pasted, str]] = field(default_factory=list)
    left: list[tuple[Pasted, str]] = field(default_factory=list)  # with the name it could be kept under, or ""

    @property
    def header(self) -> Header:
        typed: dict[str, Any] = self.form.data
        on: date = typed["day"] or today(zone())
        return Header(
            on, typed["time"] or "", typed["laboratory"] or "", typed["accession"] or "", self.form.fasting.said
        )


def read_grid(fields: "MultiDict[str, Any]") -> Typed:
    """The grid from a form's fields; parallel lists, one entry a row."""
    columns = [fields.getlist(name)[:MOST_ROWS] for name in ("analyte", "value", "unit", "low", "high")]
    rows = [
        Row(subject.strip()[:80], value.strip()[:60], *(text.strip()[:40] for text in rest))
        for subject, value, *rest in zip_longest(*columns, fillvalue="")
        if subject.strip()
    ]
    return Typed(SampleForm(formdata=fields), rows, frozenset(fields.getlist("confirm")), fields.get("block", ""))


def judge_grid(session: Session, patient: Patient, typed: Typed) -> Sheet:
    """The grid judged; where its sample cannot be told, only what stands beside it."""
    form = typed.form
    if form.validate() or not form.day.errors:
        try:
            return sheet.judge(session, current_actor(), patient, typed.header, typed.rows, typed.confirmed)
        except Refused as why:
            if str(why) not in form.time.errors:
                refuse(form, why, "time")
    return sheet.blank(session, patient, typed.header, typed.rows)


def keep_draft(session: Session, patient: Patient, form: str) -> None:
    """Keep what this request carries as the person's draft of that form; empty fields discard it. Raises Refused."""
    fields = [(name, text) for name in KEPT for text in request.form.getlist(name)]
    if sum(len(text) for _, text in fields) > LONGEST_DRAFT:
        raise Refused("This is too much for a draft: save a part of it first.")
    key = f"{form}:{patient.id}"
    if any(text.strip() for name, text in fields if name in ("value", "block")):
        drafts.keep(session, current_actor(), key, {"fields": fields})
    else:
        drafts.discard(session, current_actor(), key)
