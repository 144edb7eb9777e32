"""What is printed, as PDF: a patient's summary and timeline, the worklist, the due list, letters.

Each is sent as a file, so that it is noted as an export: who took it, when, about whom. Lists have a limit, and say so
where it cuts something off.
"""

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from tracker import charts, paper
from tracker.queries import dashboard, overdue, patient_card
from tracker.queries.overdue import Place
from tracker.queries.patients import dosing, flags
from tracker.queries.queue import around
from tracker.queries.repeats import MOST as MOST_REPEATS
from tracker.queries.repeats import repeats
from tracker.queries.review import decisions
from tracker.queries.timeline import timeline as load
from tracker.web import due, paper_lists
from tracker.web import paper_words as words
from tracker.web.access import current_clinic, current_user, get_patient
from tracker.web.clock import today
from tracker.web.database import reading
from tracker.web.filters import zone
from tracker.web.paper_lists import Listed
from tracker.web.timeline import ALL, picture
from tracker.web.wording import taken

screen = Blueprint("papers", __name__)

MOST_WAITING = 500  # patients of the worklist
PANELS_A_PAGE = 10


def sent(sheet: paper.Sheet, name: str) -> Response:
    """The sheet as a file to be kept or printed."""
    answer = Response(paper.pdf(sheet), mimetype="application/pdf")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


# ---------------------------------------------------------------------------------------------- one patient


@screen.get("/patients/<int:patient_id>/summary.pdf")
def summary(patient_id: int) -> ResponseReturnValue:
    """One page: who, what is taken, open flags, last results, decisions, the chart of the tests that matter most."""
    session, on = reading(), today(zone())
    patient = get_patient(session, patient_id)
    found = load(session, patient, on)
    shown = words.most_telling(found)
    sheet = paper.Summary(
        words.printed(),
        words.who(patient, taken(dosing(session, patient.id))),
        *words.open_flags(flags(session, patient.id)),
        *words.latest(patient_card.latest_results(session, patient, on)),
        *words.decisions(decisions(session, patient.id)),
        "Timeline",
        charts.spec(picture(found, subjects=shown)) if shown else None,
    )
    return sent(sheet, words.file_name("summary", patient, on))


@screen.get("/patients/<int:patient_id>/timeline.pdf")
def timeline(patient_id: int) -> ResponseReturnValue:
    """The chart of the page on one sheet; where all tests are more than a sheet can show, on as many as it takes."""
    session, on = reading(), today(zone())
    patient = get_patient(session, patient_id)
    everything = request.args.get("tests") == ALL
    found = load(session, patient, on)
    drawn = picture(found, everything)
    sheet = paper.Timeline(
        words.printed(),
        words.who(patient, taken(dosing(session, patient.id))),
        "Timeline of all tests" if everything else "Timeline of watched tests",
        specs(drawn),
        *words.newest(found, None if everything else {panel.title for panel in drawn.panels}),
    )
    return sent(sheet, words.file_name("timeline", patient, on))


def specs(drawn: charts.Picture) -> list[charts.Part]:
    """The document of the page, where a sheet can show it; else one a sheet, each with the lanes of the drug on top."""
    if not drawn.panels and not drawn.bars and not drawn.marks:
        return []
    starts = range(0, max(len(drawn.panels), 1), PANELS_A_PAGE)
    return [charts.spec(drawn._replace(panels=drawn.panels[start : start + PANELS_A_PAGE])) for start in starts]


# ---------------------------------------------------------------------------------------------- lists


@screen.get("/worklist.pdf")
def worklist() -> ResponseReturnValue:
    """The queue, for the day the system is down."""
    session, clinic, on = reading(), current_clinic(), today(zone())
    rows, following = dashboard.page(session, clinic.id, size=MOST_WAITING)
    undecided = dashboard.tiles(session, clinic.id)["all"]
    place = around(session, clinic.id, current_user().id)
    sheet = paper_lists.worklist(rows, place, undecided, following is not None)
    return sent(sheet, words.file_name("worklist", None, on))


@screen.get("/due.pdf")
def due_list() -> ResponseReturnValue:
    """The whole due list, or one's own."""
    session, clinic, user, mine = reading(), current_clinic(), current_user(), _is_mine()
    asked = repeats(session, [clinic.id], owner_id=user.id if mine else None)
    sheet = paper_lists.due_list(
        f"Due list of {user.name}" if mine else "Due list",
        _late(due.WHOLE_LATE),
        Listed(asked, len(asked) >= MOST_REPEATS),
        _now(due.WHOLE_DUE),
    )
    return sent(sheet, words.file_name("due", None, today(zone())))


@screen.get("/due/letters.pdf")
def letters() -> ResponseReturnValue:
    """A letter to each patient of the page of the due list one came from: the overdue ones, or those that are due."""
    whole = "whole" in request.args
    if request.args.get("state") == "due":
        listed = _now(due.WHOLE_DUE if whole else due.WORKED_OUT)
    else:
        listed = _late(due.WHOLE_LATE if whole else due.LATE_PAGE)
    return sent(paper_lists.letters(listed.rows), words.file_name("letters", None, today(zone())))


def _is_mine() -> bool:
    return request.args.get("whose") == "mine"


def _now(most: int) -> Listed:
    """What is due and not late yet, of everybody from the place that the address names on, or one's own."""
    session, clinic, user = reading(), current_clinic(), current_user()
    if _is_mine():
        found, following = due.mine_now(session, clinic.id, user.id), ""
    else:
        found, following = due.due_now(session, clinic.id, most)
    rows = due.due_rows(session, found, around(session, clinic.id, user.id), paper_lists.NOBODY)
    return Listed(rows, bool(following))


def _late(most: int) -> Listed:
    """What is overdue, from the place that the address names."""
    session, clinic, user = reading(), current_clinic(), current_user()
    late, following = overdue.page(
        session,
        clinic.id,
        owner_id=user.id if _is_mine() else None,
        after=Place.read(request.args.get("late", "")),
        size=most,
    )
    rows = due.late_rows(session, late, around(session, clinic.id, user.id), paper_lists.NOBODY)
    return Listed(rows, following is not None)
