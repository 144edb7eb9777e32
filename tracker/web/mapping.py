"""How a table of another shape is read: its columns, what is open about it, its first rows as they would be filed."""

from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from tracker.domain.errors import Refused
from tracker.domain.readings import LabReading, Row
from tracker.formats.cells import COMMA, POINT
from tracker.formats.shapes import Answers, Proposal, Rows, Unsettled, proposed
from tracker.formats.shapes.figures import DAY_FIRST, MONTH_FIRST
from tracker.formats.shapes.headings import ROLES
from tracker.formats.shapes.shape import Measured
from tracker.library.analytes import ANALYTES, find
from tracker.models import Patient
from tracker.operations import mapping
from tracker.operations.record import NotRecordable, Whose, prepare
from tracker.queries import imports as batches
from tracker.queries import mappings
from tracker.web import pending, preview, uploads
from tracker.web.access import current_actor, current_clinic, get_mapping
from tracker.web.clock import now
from tracker.web.database import reading, writing

screen = Blueprint("mapping", __name__)

MEASURED, LEFT_OUT = "measured", ""
SAMPLES, FIRST_ROWS = 3, 12


class Column(NamedTuple):
    """One column of the page's table: what it is called and holds, and what it is taken for."""

    label: str
    samples: tuple[str, ...]
    use: str
    test: str
    unit: str
    printed: str


class First(NamedTuple):
    """One of the first rows as it would be filed: whose, what, or why not."""

    row: int
    mrn: str
    patient: Patient | None
    what: str
    trouble: str


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/imports/pending/<token>/mapping")
def form(token: str) -> ResponseReturnValue:
    kept = uploads.find(token, current_clinic().id)
    found = _proposal(kept)
    return _page(kept, found, found.shape.answers)


@screen.post("/imports/pending/<token>/mapping/rows")
def rows(token: str) -> ResponseReturnValue:
    """The first rows by what the page says now."""
    kept = uploads.find(token, current_clinic().id)
    try:
        found = _settled(kept, request.form)
    except Refused as why:
        return render_template("imports/_mapping_rows.html", trouble=str(why), found=None, first=[])
    return render_template("imports/_mapping_rows.html", trouble="", found=found, first=_first(found))


@screen.post("/imports/pending/<token>/mapping")
def settle(token: str) -> ResponseReturnValue:
    """Read the whole file as was said: on to its preview."""
    kept = uploads.find(token, current_clinic().id)
    name = " ".join(request.form.get("keep_as", "").split())[: mapping.LONGEST_NAME]
    try:
        answers = _answers(_proposal(kept), request.form)
    except Refused as why:
        found = _proposal(kept)
        return _page(kept, found, found.shape.answers, str(why), name), 422
    kept = uploads.answer(kept, answers.as_dict(), name)
    try:
        return pending.look(kept)
    except Unsettled as why:
        return _page(kept, why.proposal, answers, "", name), 422
    except Refused as why:
        return _page(kept, _proposal(kept, answers), answers, str(why), name), 422


@screen.get("/imports/mappings")
def index() -> ResponseReturnValue:
    return render_template("imports/mappings.html", versions=mappings.in_force(reading(), [current_clinic().id]))


@screen.post("/imports/mappings/<int:mapping_id>/forget")
def forget(mapping_id: int) -> ResponseReturnValue:
    with writing() as session:
        old = get_mapping(session, mapping_id)
        mapping.forget(session, current_actor(), old)
    flash(f"The mapping “{old.name}” is forgotten: the next table with that header is asked about.")
    return redirect(url_for("mapping.index"), 303)


# ---------------------------------------------------------------------------------------------- what was said


def _proposal(kept: uploads.Upload, answers: Answers | None = None) -> Proposal:
    """How the file's table is read so far. Raises Refused where it is none that a mapping would help."""
    reader = pending.reader_of(reading(), kept)
    if answers is not None:
        reader = replace(reader, answers=answers, ask_again=True)
    try:
        with kept.path.open("rb") as stream:
            source = pending.source_of(kept, stream, reader)
            if not source.proposals:
                raise Refused("This file has the columns of the interchange: there is nothing to map.")
            return source.proposals[0]
    except Unsettled as why:
        return why.proposal


def _settled(kept: uploads.Upload, fields: "MultiDict[str, str]") -> Proposal:
    before = _proposal(kept)
    reader = pending.reader_of(reading(), kept)
    return proposed(before.grid, replace(reader, answers=_answers(before, fields), ask_again=True))


def _answers(before: Proposal, fields: "MultiDict[str, str]") -> Answers:
    """What the page says. Raises Refused where two columns are said to be the same."""
    labels = before.shape.labels
    columns: dict[str, str] = dict.fromkeys(ROLES, "")
    tests: dict[str, str] = {}
    units: dict[str, str] = {}
    measured = {m.label: m for m in before.shape.measured}
    names = {label: m.name for label, m in measured.items()}
    for place, label in enumerate(labels):
        use = fields.get(f"use-{place}", LEFT_OUT)
        if use == MEASURED:
            told = fields.get(f"test-{place}", "").strip()[:200]
            tests[label] = told if told and told != _code(measured.get(label)) else names.get(label, label)
            if unit := fields.get(f"unit-{place}", "").strip()[:200]:
                units[label] = unit
        elif use in ROLES:
            if columns[use]:
                raise Refused(f"“{columns[use]}” and “{label}” are both said to be {ROLES[use]}: choose one.")
            columns[use] = label
        else:
            tests[label] = ""
    units |= {name: unit for name, unit in zip(fields.getlist("unit_of"), fields.getlist("unit"), strict=False) if unit}
    row = fields.get("header_row", "")
    return Answers.of({
        "header_row": int(row) if row.isascii() and row.isdigit() and len(row) < 7 else 0,
        "columns": columns, "analytes": tests, "units": units, "dates": fields.get("dates", ""),
        "decimal": fields.get("decimal", ""), "laboratory": fields.get("laboratory", "").strip()[:200],
        "sampled_on": fields.get("sampled_on", "").strip()[:40],
    })  # fmt: skip


# ---------------------------------------------------------------------------------------------- what is shown


def _page(kept: uploads.Upload, found: Proposal, answers: Answers, trouble: str = "", name: str = "") -> str:
    shape = found.shape
    of_tests = [q for q in found.questions if shape.long and q.key.startswith("units.")]
    return render_template(
        "imports/mapping.html", upload=kept, found=found, columns=_columns(found), roles=ROLES, answers=answers,
        analytes=ANALYTES.values(), trouble=trouble, name=name or kept.keep_as or _kept_name(kept, found),
        unit_questions=[(q.key.partition(".")[2], q) for q in of_tests],
        told_units={} if not shape.long else {k: v for k, v in answers.units.items() if k not in shape.labels},
        dates=(DAY_FIRST, MONTH_FIRST), decimals=(COMMA, POINT), first=_first(found),
        header_row=found.grid.rows[shape.header][0],
    )  # fmt: skip


def _kept_name(kept: uploads.Upload, found: Proposal) -> str:
    held = pending.reader_of(reading(), kept).kept.get(found.digest)
    return held.name if held else ""


def _columns(found: Proposal) -> list[Column]:
    """What each column is taken for; a page that comes back keeps what was typed."""
    shape = found.shape
    uses = {place: name for name, place in shape.places.items()}
    measured = {m.place: m for m in shape.measured}
    body = [cells for _, cells in found.grid.rows[shape.first :]]
    typed = request.form
    columns = []
    for place, label in enumerate(shape.labels):
        held = (cells[place] for cells in body if place < len(cells) and cells[place])
        samples = tuple(dict.fromkeys(islice(held, 40)))[:SAMPLES]
        m = measured.get(place)
        printed = f"{m.unit}{f' × {m.factor:f}' if m.factor != 1 else ''}" if m else ""
        use = typed.get(f"use-{place}", MEASURED if m else uses.get(place, LEFT_OUT))
        test = typed.get(f"test-{place}", _code(m))
        unit = typed.get(f"unit-{place}", shape.answers.units.get(label, ""))
        columns.append(Column(label, samples, use, test, unit, printed))
    return [each for each in columns if each.samples or each.use or not each.label.startswith("column ")]


def _code(m: Measured | None) -> str:
    """The analyte of a column of results, else the test's own name. The name itself is kept: with another unit it may
    be another analyte's.
    """
    analyte = find(m.name, m.unit) if m else None
    return analyte.code if analyte else m.name if m else ""


def _first(found: Proposal) -> list[First]:
    """The first rows, each checked as it would be when filed; nothing is judged and nothing stored."""
    if found.questions:
        return []
    some = list(islice(Rows(found, current_clinic().zone), FIRST_ROWS))
    numbers = [row.reading.mrn for row in some if isinstance(row.reading, LabReading)]
    people = batches.by_number(reading(), current_clinic().id, numbers)
    return [_as_filed(row, people) for row in some]


def _as_filed(row: Row, people: dict[str, Patient]) -> First:
    told = " ".join(problem.message for problem in row.problems)
    if not isinstance(row.reading, LabReading):
        return First(row.number, "", None, "", told)
    patient = people.get(row.reading.mrn)
    whose = Whose(patient.id, patient.birth_date) if patient else Whose(0, None)
    try:
        columns = prepare(row.reading, whose, now()).columns
    except NotRecordable as why:
        return First(row.number, row.reading.mrn, patient, preview.in_words(row.reading), str(why))
    mapped = columns["analyte"] or "kept under its own name"
    return First(row.number, row.reading.mrn, patient, f"{preview.in_words(row.reading)} · {mapped}", told)
