"""Results typed for one patient: judged while one types, kept as a draft, and read back once they are stored."""

from typing import Any, NamedTuple

from flask import Blueprint, flash, get_template_attribute, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from tracker.domain.errors import NotFound, Refused
from tracker.domain.findings import Evidence, Finding
from tracker.domain.units import Analyte, unit_of
from tracker.formats.pasted import Pasted, pasted
from tracker.library.analytes import ANALYTES, PANELS, find
from tracker.models import Flag, Patient
from tracker.operations import drafts, sheet
from tracker.operations.sheet import Row, Sheet
from tracker.queries import attachments, panel, worked_out
from tracker.queries.dashboard import dosings
from tracker.queries.patients import dosing, listing
from tracker.web import wording
from tracker.web.access import current_actor, current_clinic, current_user, get_patient, get_result
from tracker.web.attachments import blank
from tracker.web.clock import today
from tracker.web.database import reading, writing
from tracker.web.filters import count, zone
from tracker.web.forms import refuse
from tracker.web.grid import SampleForm, Typed, judge_grid, keep_draft, read_grid

screen = Blueprint("labs", __name__)
screen.add_app_template_filter(wording.said, "said")

PANEL = "MONITORING"
LISTED_FIRST = 12
LONGEST_NAME = 45  # of an analyte at the beginning of a sentence


class Told(NamedTuple):
    """A finding or a stored flag in the words of the desk."""

    severity: str
    grade: int | None
    grading: str
    sentence: str
    suggestion: str
    source: str
    verified: bool


@screen.app_template_filter("told")
def told(found: Finding | Flag, brief: bool = False) -> Told:
    """What is found while one types is said as the queue will say it once it is stored.

    The `brief` sentence begins after the value, for the place where that stands beside it.
    """
    if isinstance(found, Finding):
        names = ("suggested", "confirmation", "due_on", "yardstick", "source", "verified")
        flag = Flag(machine="open", superseded=False, **{name: getattr(found, name) for name in names})  # in no session
    else:
        flag = found
    sentence, last = found.sentence, found.evidence[-1] if found.evidence else None
    if brief and isinstance(last, Evidence):
        before, value, after = sentence.partition(f" {last.value} {last.unit}".rstrip())
        sentence = after.lstrip(",: ") if value and len(before) <= LONGEST_NAME and after else sentence
    source = wording.said(found.source).rstrip(".")
    source = source[:1].upper() + source[1:]
    return Told(
        found.severity, found.grade, found.grading, wording.said(sentence).rstrip("."),
        wording.suggestion(flag).words, source, found.verified,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/labs")
def choose() -> ResponseReturnValue:
    search = " ".join(request.args.get("q", "").split())[:80]
    session, clinic = reading(), current_clinic()
    found, more = listing(session, clinic.id, search) if search else ([], "")
    doses = dosings(session, [patient.id for patient in found[:LISTED_FIRST]])
    first, others = found[:LISTED_FIRST], bool(more or found[LISTED_FIRST:])
    return render_template("labs/choose.html", search=search, found=first, more=others, doses=doses)


@screen.get("/patients/<int:patient_id>/labs/new")
def entry(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    draft = drafts.find(session, current_user().id, _draft_of(patient_id))
    typed = read_grid(MultiDict(draft.data["fields"])) if draft else _fresh()
    return _page(session, patient, typed, sheet.blank(session, patient, typed.header, typed.rows), draft=draft)


@screen.get("/patients/<int:patient_id>/labs/stored/<int:result_id>")
def stored(patient_id: int, result_id: int) -> ResponseReturnValue:
    """A sample as it is on file, read back, and the flags that moved when it was saved."""
    session = reading()
    patient, result = get_patient(session, patient_id), get_result(session, result_id)
    if result.patient_id != patient.id:
        raise NotFound("There is no such sample of this patient.")
    held = panel.sample(session, patient.id, result.collected_at, result.laboratory, result.accession)
    order = {code: place for place, code in enumerate(dict.fromkeys((*PANELS[PANEL], *ANALYTES)))}
    on_file = sorted(held.values(), key=lambda row: (order.get(row.subject, len(order)), row.subject))
    rows = panel.judged(session, patient, on_file)
    return render_template(
        "labs/stored.html", patient=patient, dosing=dosing(session, patient.id), result=result, names=_names(),
        rows=rows, figures=worked_out.of_sample(session, patient, rows),
        moved=panel.touched(session, patient.id, result.recorded_at),
        origins=panel.origins(session, on_file),
        attached=attachments.of_sample(session, result), report_form=blank(result),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- while typing


@screen.post("/patients/<int:patient_id>/labs/preview")
def preview(patient_id: int) -> ResponseReturnValue:
    """What saving would say, cell by cell, for the script of the page. Stores nothing."""
    session = reading()
    patient, typed = get_patient(session, patient_id), read_grid(request.form)
    judged = judge_grid(session, patient, typed)
    cells = {
        name: get_template_attribute("labs/_cells.html", name) for name in ("range", "previous", "change", "verdict")
    }
    rows = [
        {"value": said.row.value, "unit": said.row.unit, "state": said.state, "stops": said.stops}
        | {name: draw(said, place) for name, draw in cells.items()}
        for place, said in enumerate(judged.said)
    ]
    summary = get_template_attribute("labs/_cells.html", "summary")(judged, typed.form)
    return jsonify(rows=rows, summary=summary, typed=judged.typed)


@screen.post("/patients/<int:patient_id>/labs/draft")
def draft(patient_id: int) -> ResponseReturnValue:
    """Keep what is being typed, for this person alone."""
    with writing() as session:
        keep_draft(session, get_patient(session, patient_id), "labs")
    return "", 204


@screen.post("/patients/<int:patient_id>/labs/draft/discard")
def discard(patient_id: int) -> ResponseReturnValue:
    with writing() as session:
        patient = get_patient(session, patient_id)
        drafts.discard(session, current_actor(), _draft_of(patient.id))
    flash("The draft is discarded.")
    return redirect(url_for("labs.entry", patient_id=patient_id), 303)


# ---------------------------------------------------------------------------------------------- saving


@screen.post("/patients/<int:patient_id>/labs/new")
def save(patient_id: int) -> ResponseReturnValue:
    """Save, or only look: the buttons of the page differ in `do`, so that all of them work without a script."""
    typed, do = read_grid(request.form), request.form.get("do", "check")
    if keep := request.form.get("keep"):
        _add(typed, keep)
        _take_block(typed)
    elif do == "paste":
        _take_block(typed)
    elif do == "add":
        _add(typed, request.form.get("add", ""))
    elif do == "save":
        answer = _save(patient_id, typed)
        if answer is not None:
            return answer
    session = reading()
    patient = get_patient(session, patient_id)
    judged = judge_grid(session, patient, typed)
    return _page(session, patient, typed, judged, saving=do == "save"), 422 if do == "save" else 200


def _save(patient_id: int, typed: Typed) -> ResponseReturnValue | None:
    if not typed.form.validate():
        return None
    if not any(row.value.strip() for row in typed.rows):
        refuse(typed.form, Refused("Type at least one value."))
        return None
    try:
        return _store(patient_id, typed)
    except IntegrityError:  # sent twice at the same time: now the first is on file, and says so
        return _store(patient_id, typed)


def _store(patient_id: int, typed: Typed) -> ResponseReturnValue | None:
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
        drafts.discard(session, actor, _draft_of(patient.id))
    filed, duplicates = done.outcomes.count("filed"), done.outcomes.count("duplicate")
    if filed:
        flash(f"{count(filed, 'result')} stored.")
    if duplicates:
        flash(f"{count(duplicates, 'value was', 'values were')} on file already: nothing was stored twice.")
    return redirect(url_for("labs.stored", patient_id=patient_id, result_id=result_id), 303)


# ---------------------------------------------------------------------------------------------- shared


def _draft_of(patient_id: int) -> str:
    return f"labs:{patient_id}"


def _names() -> dict[str, str]:
    return {code: analyte.name for code, analyte in ANALYTES.items()}


def _fresh() -> Typed:
    return Typed(SampleForm(formdata=None, day=today(zone())), [Row(code) for code in PANELS[PANEL]], frozenset())


def _page(
    session: Session, patient: Patient, typed: Typed, judged: Sheet, draft: Any = None, saving: bool = False
) -> str:
    if saving and judged.sample_refusal:
        refuse(typed.form, Refused(judged.sample_refusal), "day")
    return render_template(
        "labs/entry.html", patient=patient, dosing=dosing(session, patient.id), typed=typed, form=typed.form,
        sheet=judged, draft=draft, saving=saving, analytes=ANALYTES, panels=[name for name in PANELS if name != PANEL],
        laboratories=panel.laboratories(session, patient),
    )  # fmt: skip


def _add(typed: Typed, name: str) -> None:
    """Add rows for an analyte, a panel, or a test Jakwatch does not know, under its own name."""
    name = " ".join(name.split())[:80]
    if not name:
        refuse(typed.form, Refused("Say which test to add."))
        return
    known = find(name)
    codes = PANELS.get(name.upper().removeprefix("PANEL ").strip(), (known.code if known else name,))
    present = {row.subject for row in typed.rows}
    typed.rows += [Row(code) for code in codes if code not in present]


def _take_block(typed: Typed) -> None:
    """Put a pasted block into the grid. What finds no place stays in the box, with the reason beside it."""
    try:
        lines = pasted(typed.block)
    except Refused as why:
        refuse(typed.form, why)
        return
    for line in lines:
        analyte = find(line.name, line.unit) or find(line.name)
        trouble = line.trouble or _put(typed, line, analyte)
        if trouble:
            unknown = line.name if analyte is None and not line.trouble else ""
            typed.left.append((line._replace(trouble=trouble), unknown))
    typed.block = "\n".join(line.text for line, _ in typed.left)


def _put(typed: Typed, line: Pasted, analyte: Analyte | None) -> str:
    """Put one line into its row; why not, where it has none."""
    subject = analyte.code if analyte else line.name
    place = next((i for i, row in enumerate(typed.rows) if row.subject.casefold() == subject.casefold()), None)
    if place is None and analyte is None:
        return f"“{line.name}” is not a test Jakwatch knows"
    if place is None:
        typed.rows.append(Row(subject))
        place = len(typed.rows) - 1
    old = typed.rows[place]
    unit = (unit_of(analyte, line.unit) if analyte else None) or line.unit[:40] or old.unit
    if old.value and not sheet.same_value(old, Row(subject, line.value, unit)):
        return f"{old.subject} {old.value} {old.unit} is in the grid already"
    typed.rows[place] = Row(old.subject, line.value[:60], unit, line.low[:40], line.high[:40])
    typed.mapped.append((line, old.subject))
    return ""
