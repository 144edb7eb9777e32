"""The worksheet of a clinic day: one panel, many patients, one grid. A row is judged, kept and saved by itself."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from flask import Blueprint, flash, get_template_attribute, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from tracker.domain.errors import Refused
from tracker.library.analytes import ANALYTES, PANELS
from tracker.models import Draft, LabResult, Patient
from tracker.operations import drafts, sheet
from tracker.operations.sheet import Row, Sheet
from tracker.queries import overdue, worksheet
from tracker.queries.dashboard import Dosing, dosings
from tracker.queries.patients import listing
from tracker.web.access import current_actor, current_clinic, current_user, get_patient
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.fields import FASTING
from tracker.web.filters import count, zone
from tracker.web.forms import refuse
from tracker.web.grid import SampleForm, Typed, judge_grid, keep_draft, read_grid

screen = Blueprint("worksheet", __name__)

FORM = "worksheet"
PANEL = "MONITORING"
MOST_PATIENTS = 20
MOST_FOUND = 12


class Asked(NamedTuple):
    """What the address asks for: the panel, the sample all rows share, and the patients in their order."""

    panel: str
    day: date
    laboratory: str
    patients: tuple[int, ...]

    def url(self, **changes: Any) -> str:
        told = self._replace(**changes)
        return url_for(
            "worksheet.index", panel=told.panel, day=told.day.isoformat(), laboratory=told.laboratory or None,
            patient=list(dict.fromkeys(told.patients))[:MOST_PATIENTS],
        )  # fmt: skip


class Cell(NamedTuple):
    """One test of one patient: what is typed, in which unit, and the last result before that day."""

    code: str
    value: str
    unit: str
    previous: LabResult | None


class Line(NamedTuple):
    """One patient of the sheet. `judged` is None until something was sent, `fasting` as its field holds it."""

    patient: Patient
    dosing: Dosing | None
    cells: list[Cell]
    judged: Sheet | None
    form: SampleForm | None
    kept: bool
    fasting: str


@screen.get("/worksheet")
def index() -> ResponseReturnValue:
    return _page(_asked(request.args))


def _asked(given: "MultiDict[str, str]") -> Asked:
    panel = given.get("panel", PANEL)
    form = SampleForm(MultiDict({"day": given.get("day", "")}))
    chosen = form.day.data if form.day.validate(form) else None
    patients = dict.fromkeys(given.getlist("patient", type=int))
    return Asked(
        panel if panel in PANELS else PANEL, chosen or today(zone()), given.get("laboratory", "")[:80],  # type: ignore[arg-type]
        tuple(patients)[:MOST_PATIENTS],
    )  # fmt: skip


def _page(asked: Asked, sent: Mapping[int, tuple[Typed, Sheet]] | None = None) -> str:
    """The sheet; `sent` are rows that came back with what is wrong in them."""
    session, clinic = reading(), current_clinic()
    search = " ".join(request.args.get("q", "").split())[:80]
    found = listing(session, clinic.id, search)[0][:MOST_FOUND] if search else []
    held = worksheet.kept(session, current_user().id, FORM)
    late, _ = overdue.page(session, clinic.id, size=MOST_PATIENTS) if not asked.patients else ([], None)
    return render_template(
        "worksheet/index.html",
        asked=asked,
        panels=list(PANELS),
        codes=PANELS[asked.panel],
        analytes=ANALYTES,
        lines=_lines(session, asked, held, sent or {}),
        search=search,
        found=[patient for patient in found if patient.id not in asked.patients],
        late=tuple(one.patient.id for one in late),
        fasting=tuple(FASTING),
        unfinished=tuple(key for key in held if key not in asked.patients),
        full=len(asked.patients) >= MOST_PATIENTS,
    )


def _lines(
    session: Session, asked: Asked, held: Mapping[int, Draft], sent: Mapping[int, tuple[Typed, Sheet]]
) -> list[Line]:
    patients = [get_patient(session, key) for key in asked.patients]
    doses = dosings(session, asked.patients)
    earlier = worksheet.latest(session, asked.patients, PANELS[asked.panel], asked.day)
    lines = []
    for patient in patients:
        draft = held.get(patient.id)
        typed, judged = sent.get(patient.id, (read_grid(MultiDict(draft.data["fields"])) if draft else None, None))
        rows = {row.subject: row for row in typed.rows} if typed else {}
        cells = [_cell(code, rows.get(code), earlier.get((patient.id, code))) for code in PANELS[asked.panel]]
        form = typed.form if typed and judged else None
        fasting = typed.form.fasting.data if typed else ""
        lines.append(Line(patient, doses.get(patient.id), cells, judged, form, bool(draft), fasting))
    return lines


def _cell(code: str, row: Row | None, previous: LabResult | None) -> Cell:
    """In the unit that was sent, else that of the last result, else the canonical one."""
    units = ANALYTES[code].units
    usual = previous.unit if previous is not None and previous.unit in units else units[0] if units else ""
    return Cell(code, row.value if row else "", row.unit if row and row.unit else usual, previous)


# ---------------------------------------------------------------------------------------------- a row


@screen.post("/worksheet/<int:patient_id>/preview")
def preview(patient_id: int) -> ResponseReturnValue:
    """What saving this row would say. Stores nothing."""
    session = reading()
    patient, typed = get_patient(session, patient_id), read_grid(request.form)
    return jsonify(_told(patient, judge_grid(session, patient, typed), typed.form))


@screen.post("/worksheet/<int:patient_id>/draft")
def draft(patient_id: int) -> ResponseReturnValue:
    with writing() as session:
        keep_draft(session, get_patient(session, patient_id), FORM)
    return "", 204


@screen.post("/worksheet/<int:patient_id>")
def save(patient_id: int) -> ResponseReturnValue:
    """Store one row, all of it or nothing. The page's script gets an answer in JSON, a browser without it a page."""
    typed = read_grid(request.form)
    try:
        stored = _store(patient_id, typed)
    except IntegrityError:  # sent twice at the same time: now the first is on file, and says so
        stored = _store(patient_id, typed)
    scripted = request.accept_mimetypes.best == "application/json"
    if stored:
        words, result_id = stored
        if scripted:
            return jsonify(stored=words, url=url_for("labs.stored", patient_id=patient_id, result_id=result_id))
        flash(words)
        return redirect(_asked(request.form).url(patients=_patients()), 303)
    session = reading()
    patient = get_patient(session, patient_id)
    judged = judge_grid(session, patient, typed)
    if scripted:
        return jsonify(_told(patient, judged, typed.form)), 422
    return _page(_asked(request.form)._replace(patients=_patients()), {patient_id: (typed, judged)}), 422


def _patients() -> tuple[int, ...]:
    """The whole sheet, which every row carries so that it can be drawn again."""
    return tuple(int(key) for key in request.form.get("sheet", "").split() if key.isdecimal() and len(key) < 19)


def _store(patient_id: int, typed: Typed) -> tuple[str, int] | None:
    """What was stored in words, and one of the results; None where something is wrong, which `typed.form` says."""
    if not typed.form.validate():
        return None
    if not any(row.value.strip() for row in typed.rows):
        refuse(typed.form, Refused("Type at least one value."))
        return None
    actor = current_actor()
    with writing() as session:
        patient = get_patient(session, patient_id)
        try:
            if sheet.judge(session, actor, patient, typed.header, typed.rows, typed.confirmed).stops:
                return None
            done, _, result_id = sheet.save(session, actor, patient, typed.header, typed.rows)
        except Refused as why:
            session.rollback()
            refuse(typed.form, why)
            return None
        drafts.discard(session, actor, f"{FORM}:{patient.id}")
        name = patient.full_name
    filed, twice = done.outcomes.count("filed"), done.outcomes.count("duplicate")
    said = [f"{count(filed, 'result')} stored"] if filed else []
    said += [f"{count(twice, 'value was', 'values were')} on file already"] if twice else []
    return f"{name}: {', '.join(said)}.", result_id


def _told(patient: Patient, judged: Sheet, form: SampleForm) -> dict[str, Any]:
    mark, says = (get_template_attribute("worksheet/_cells.html", name) for name in ("mark", "says"))
    cells: Sequence[dict[str, Any]] = [
        {"code": said.row.subject, "value": said.row.value, "unit": said.row.unit, "state": said.state,
         "mark": mark(said)}
        for said in judged.said
    ]  # fmt: skip
    return {"cells": cells, "says": says(judged, patient.id, form), "stops": judged.stops, "typed": judged.typed}
