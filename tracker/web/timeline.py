"""One patient on one time axis: the chart, and under it the same values as a table, newest day first."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from flask import Blueprint, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tracker import charts
from tracker.domain.findings import INFO
from tracker.domain.lifecycle import UNDECIDED
from tracker.domain.values import shown
from tracker.queries.patients import dosing
from tracker.queries.timeline import Bar, Mark, Point, Series, Timeline, timeline
from tracker.web.access import get_patient
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.filters import bound, day, unit, zone
from tracker.web.wording import ACTIONS, TIMES, said, subject_name, taken

screen = Blueprint("timeline", __name__)

MOST_DAYS = 24  # columns of the table at once
ALL, WATCHED = "all", "watched"
ALWAYS = ("ANC", "ALC", "HB", "PLT", "ALT")  # drawn where there is neither a limit nor a flag
LIVER = ("ALT", "AST", "TBIL", "ALP")
OPERATOR = re.compile(r"<=|<")


# ---------------------------------------------------------------------------------------------- pages


@screen.get("/patients/<int:patient_id>/timeline")
def show(patient_id: int) -> ResponseReturnValue:
    session = reading()
    patient = get_patient(session, patient_id)
    found = timeline(session, patient, today(zone()))
    tests = ALL if request.args.get("tests") == ALL else None
    before = _day(request.args.get("before", ""))
    shown_table = table(found, before)
    return render_template(
        "timeline/show.html",
        patient=patient,
        taken=taken(dosing(session, patient.id)),
        tests=tests or WATCHED,
        spec_url=url_for("timeline.spec", patient_id=patient.id, tests=tests),
        table=shown_table,
        newest_url=url_for("timeline.show", patient_id=patient.id, tests=tests) if before else "",
        older_url=_older(patient.id, tests, shown_table.older),
        timeline=found,
    )


def _older(patient_id: int, tests: str | None, before: date | None) -> str:
    if before is None:
        return ""
    return url_for(
        "timeline.show", patient_id=patient_id, tests=tests, before=before.isoformat(), _anchor="table-title"
    )


@screen.get("/patients/<int:patient_id>/timeline.json")
def spec(patient_id: int) -> ResponseReturnValue:
    session = reading()
    found = timeline(session, get_patient(session, patient_id), today(zone()))
    drawn = picture(found, everything=request.args.get("tests") == ALL, subjects=request.args.getlist("test"))
    return jsonify(charts.spec(drawn))


# ---------------------------------------------------------------------------------------------- the chart


def picture(found: Timeline, everything: bool = False, subjects: Iterable[str] = ()) -> charts.Picture:
    """The timeline as the chart takes it: the watched tests, those of `subjects` alone, or everything."""
    wanted = set(subjects) or ({s.subject for s in found.series} if everything else watched(found))
    series = [one for one in found.series if one.subject in wanted]
    drawn = {one.subject for one in series}
    marks = [mark for mark in found.marks if mark.severity != INFO]
    return charts.Picture(
        found.as_of,
        [*_salt(found), *(_panel(one, marks) for one in series)],
        [_bar(bar) for bar in found.bars],
        [_mark(mark) for mark in marks if mark.subject not in drawn],
    )


def watched(found: Timeline) -> set[str]:
    """Tests with a limit of the drug or a flag that is more than information; where there is neither, the usual."""
    limited = {one.subject for one in found.series if one.limits}
    flagged = {mark.subject for mark in found.marks if mark.severity != INFO}
    if "HYS_LAW" in flagged:
        flagged.update(LIVER)
    return (limited | flagged) & {one.subject for one in found.series} or set(ALWAYS)


def _panel(one: Series, marks: Sequence[Mark]) -> charts.Panel:
    written = unit(one.unit)
    baseline = None if one.baseline is None else _baseline(one.baseline, written)
    return charts.Panel(
        one.name,
        written,
        [_point(one, point) for point in one.points],
        baseline,
        [_limit(label, value) for label, value in one.limits],
        [_mark(mark) for mark in marks if mark.subject == one.subject],
    )


def _baseline(value: Decimal, written: str) -> charts.Line:
    return charts.Line(f"baseline {shown(value)}", f"The patient’s own baseline: {shown(value)} {written}", value)


def _limit(label: str, value: Decimal) -> charts.Line:
    """`stop < 500 /uL` at 0.5: `discontinue < 0.5` beside the line, the protocol's own words to be read."""
    action, _, words = label.partition(" ")
    upper = OPERATOR.findall(words)
    act = ACTIONS.get(action, action)
    short = f"{act} {bound(upper[-1])} {value.normalize():f}" if upper else said(label)
    return charts.Line(short, f"Action limit of the label: {act}, {said(words)}", value)


def _bar(bar: Bar) -> charts.Bar:
    dose, _, times = bar.label.partition(" x ")
    label = f"{dose} {TIMES.get(int(times), f'{times} times daily')}" if times.isdecimal() else dose
    label = label if bar.lane != "dose" or times.isdecimal() else bar.label.removesuffix(" x None")
    ended = f"{day(bar.on)} to {day(bar.until)}" if bar.until else f"since {day(bar.on)}"
    return charts.Bar(bar.lane, label, f"{label}: {ended}", bar.on, bar.until)


def _point(one: Series, point: Point) -> charts.Point:
    return charts.Point(
        point.on,
        point.value,
        _words(one.name, point),
        point.low,
        point.high,
        point.mark,
        bool(point.comparator),
        bool(point.computed),
    )


def _words(name: str, point: Point) -> str:
    """`Neutrophils absolute 0.46 ×10⁹/L, below range`, then the day and the range that judged it, a line each."""
    place = {"low": ", below range", "high": ", above range", "open": ", could not be evaluated"}.get(point.mark, "")
    limits = " and ".join(bound(text) for text in (point.low_text, point.high_text) if text)
    judged = f"Range {limits} ({point.range_from})" if limits else "No range"
    lines = [f"{name} {bound(point.shown)} {unit(point.unit)}{place}", day(point.on), judged]
    return "\n".join([*lines, *([said(point.computed).capitalize()] if point.computed else [])])


def _mark(mark: Mark) -> charts.Mark:
    words = f"{subject_name(mark.subject)}: {said(mark.sentence)}\nSince {day(mark.on)}, {REVIEWED[mark.review]}"
    return charts.Mark(mark.on, mark.severity, words, mark.review not in UNDECIDED)


REVIEWED: Mapping[str, str] = {
    "open": "nobody has decided yet",
    "reopened": "re-opened",
    "acknowledged": "acknowledged",
    "snoozed": "put aside",
    "awaiting_repeat": "awaiting a repeat",
    "closed": "closed",
}


def _salt(found: Timeline) -> Iterator[charts.Panel]:
    """How much hair is missing, so that the benefit stands beside the risk."""
    if found.salt:
        points = [charts.Point(on, figure, f"SALT {shown(figure)} %\n{day(on)}") for on, figure in found.salt]
        yield charts.Panel("SALT", "% of the scalp without hair", points)


# ---------------------------------------------------------------------------------------------- the table


class Cell(NamedTuple):
    """One result of one day; `unit` only where it is not that of the row."""

    words: str
    unit: str
    place: str
    computed: str


class Row(NamedTuple):
    """One test: the range is that of its newest result, in `range_unit` where that is not the row's; `cells` has an
    entry for each day of the table.
    """

    name: str
    unit: str
    low: str
    high: str
    range_unit: str
    cells: tuple[tuple[Cell, ...], ...]


class Table(NamedTuple):
    """Tests down, days across, newest first. `older` is the day before which the next table begins, None at the end."""

    days: tuple[date, ...]
    rows: tuple[Row, ...]
    older: date | None


def table(found: Timeline, before: date | None = None, most: int = MOST_DAYS) -> Table:
    """The results of at most `most` days before `before`."""
    every = {point.on for one in found.series for point in one.points} | {word.on for word in found.words}
    days = sorted((on for on in every if before is None or on < before), reverse=True)
    shown_days = tuple(days[:most])
    rows = [_row(one, shown_days) for one in found.series]
    rows += _worded_rows(found, shown_days)
    older = shown_days[-1] if len(days) > most else None
    return Table(shown_days, tuple(row for row in rows if any(row.cells)), older)


def _row(one: Series, days: Sequence[date]) -> Row:
    on_day: dict[date, list[Cell]] = {}
    for point in one.points:
        other = "" if point.unit == one.unit else point.unit
        on_day.setdefault(point.on, []).append(Cell(point.shown, other, point.mark, point.computed))
    newest = one.points[-1]
    other = "" if newest.unit == one.unit else newest.unit
    cells = tuple(tuple(on_day.get(on, ())) for on in days)
    return Row(one.name, one.unit, newest.low_text, newest.high_text, other, cells)


def _worded_rows(found: Timeline, days: Sequence[date]) -> Iterator[Row]:
    names = dict.fromkeys(word.name for word in found.words)
    for name in names:
        own = [word for word in found.words if word.name == name]
        cells = tuple(tuple(Cell(word.text, "", "", "") for word in own if word.on == on) for on in days)
        yield Row(name, "", "", "", "", cells)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
