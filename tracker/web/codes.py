"""Tests of senders that are no analyte here: work to do, with what they are, and what somebody said they are."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.validators import InputRequired

from tracker.domain.errors import Refused, Stale
from tracker.operations import codes
from tracker.queries import codes as queries
from tracker.queries.codes import SenderTest
from tracker.web.access import current_actor, current_clinic, get_code_mapping
from tracker.web.amending import FEW_WORDS, tell
from tracker.web.database import reading, writing
from tracker.web.fields import LongTextField
from tracker.web.filters import count
from tracker.web.forms import Form, refuse

screen = Blueprint("codes", __name__)

NONE_OF_OURS = "none"


class MapForm(Form):
    """What a sender's test is, and how one knows."""

    analyte = SelectField("It is", [InputRequired("Choose what it is.")])
    reason = LongTextField("How it is known", FEW_WORDS, longest=500)


class EndForm(Form):
    """Why a mapping was wrong."""

    reason = LongTextField("Why it is ended", FEW_WORDS, longest=500)


@screen.get("/imports/codes")
def index() -> ResponseReturnValue:
    session, clinic = reading(), current_clinic()
    return render_template(
        "imports/codes.html", unmapped=queries.unmapped(session, clinic.id), mapped=queries.mapped(session, clinic.id),
        most=queries.MOST,
    )  # fmt: skip


@screen.get("/imports/codes/test")
def test() -> ResponseReturnValue:
    return _page(_told(), MapForm(formdata=None))


@screen.post("/imports/codes/test")
def map_test() -> ResponseReturnValue:
    """Keep what a test is, and judge whoever has results of it."""
    told, form = _told(), MapForm()
    form.analyte.choices = _choices(told)
    if not form.validate():
        return _page(told, form), 422
    analyte = "" if form.analyte.data == NONE_OF_OURS else form.analyte.data or ""
    try:
        with writing(alone=True) as session:  # a file that comes in meanwhile is filed by one of two mappings, whole
            reason = form.reason.data or ""
            _, done = codes.map_test(session, current_actor(), current_clinic().id, told, analyte, reason)
    except Stale as error:
        refuse(form, Refused(str(error)))
        return _page(told, form), 409
    except Refused as error:
        refuse(form, error, "analyte")
        return _page(told, form), 422
    _tell(f"“{told.name}” is {analyte or 'none of ours'} from now on", done)
    return redirect(url_for("codes.index"), 303)


@screen.get("/imports/codes/<int:code_mapping_id>/end")
def end_page(code_mapping_id: int) -> ResponseReturnValue:
    return _end_page(code_mapping_id, EndForm(formdata=None))


@screen.post("/imports/codes/<int:code_mapping_id>/end")
def end(code_mapping_id: int) -> ResponseReturnValue:
    """A mapping was wrong: its results are what they were."""
    form = EndForm()
    get_code_mapping(reading(), code_mapping_id)
    if not form.validate():
        return _end_page(code_mapping_id, form), 422
    try:
        with writing(alone=True) as session:
            mapping = get_code_mapping(session, code_mapping_id)
            name = mapping.name
            done = codes.end(session, current_actor(), mapping, form.reason.data or "")
    except Stale as error:
        refuse(form, Refused(str(error)))
        return _end_page(code_mapping_id, form), 409
    _tell(f"“{name}” is mapped no longer", done)
    return redirect(url_for("codes.index"), 303)


# ---------------------------------------------------------------------------------------------- shared


def _told() -> SenderTest:
    """The test that the page is about. Raises Refused where it names none."""
    told = SenderTest(*(request.values.get(name, "")[:500] for name in SenderTest._fields))
    if not told.name:
        raise Refused("Choose a test on the page of codes.")
    return told


def _choices(told: SenderTest) -> list[tuple[str, str]]:
    fitting = [(analyte.code, f"{analyte.name} ({analyte.code})") for analyte in queries.choices(told)]
    return [("", "Choose…"), *fitting, (NONE_OF_OURS, "none of ours: leave it under its own name")]


def _page(told: SenderTest, form: MapForm) -> str:
    clinic = current_clinic()
    form.analyte.choices = _choices(told)
    found = [each for each in queries.unmapped(reading(), clinic.id) if each.test == told]
    return render_template(
        "imports/code.html", test=told, form=form, found=found[0] if found else None,
        suggestion=queries.suggestion(told),
    )  # fmt: skip


def _end_page(code_mapping_id: int, form: EndForm) -> str:
    return render_template("imports/code_end.html", mapping=get_code_mapping(reading(), code_mapping_id), form=form)


def _tell(what: str, done: codes.Remapped) -> None:
    tell(f"{what}: {count(done.results, 'result')} judged so.", done.changes, several=True)
    for why, number in list(done.left.items())[:5]:
        flash(f"{count(number, 'result')} left as they are. {why}")
