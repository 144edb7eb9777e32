"""Fields read what people write, refuse what could mean two things, and give back what was typed."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, g, render_template_string
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Form as PlainForm
from wtforms import FormField, PasswordField, RadioField, StringField
from wtforms.validators import InputRequired, Length, Optional

import tracker.web
from tracker.domain.errors import Refused, Stale
from tracker.web.fields import (
    BoundField,
    ChoiceField,
    DayField,
    FigureField,
    LongTextField,
    NotAfter,
    NotBefore,
    SpanField,
    TextField,
    VersionField,
    WholeField,
    read_day,
)
from tracker.web.forms import problems, refuse


class DoseForm(PlainForm):
    mg = FigureField("Milligrams", [InputRequired("How much?")])


class CourseForm(PlainForm):
    started_on = DayField(
        "First dose on",
        [InputRequired("When?"), NotBefore(date(1988, 5, 17), "the birth"), NotAfter(date(2026, 3, 20), "today")],
    )
    drug = ChoiceField("Drug", [InputRequired("Which?")], choices=[("tofacitinib_us", "Tofacitinib")])
    times = WholeField("Times a day", [Optional()])
    why = TextField("Indication", [Optional()], longest=20)
    note = LongTextField("Note", [Optional()])
    still = RadioField("Still there?", [Optional()], choices=[("y", "Yes"), ("n", "No")])
    dose = FormField(DoseForm, "Dose")
    version = VersionField()


GOOD = {"started_on": "2026-03-01", "drug": "tofacitinib_us", "dose-mg": "5", "version": "3"}


def filled(**typed: str) -> CourseForm:
    form = CourseForm(MultiDict({**GOOD, **typed}))
    form.validate()
    return form


@pytest.fixture
def request_context(bare_app: Flask) -> Iterator[None]:
    with bare_app.test_request_context():
        g.user = None
        yield


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        ("2026-3-1", date(2026, 3, 1)),
        ("1 Mar 2026", date(2026, 3, 1)),
        ("01. march 2026", date(2026, 3, 1)),
        (" 29  Feb  2024 ", date(2024, 2, 29)),
    ],
)
def test_a_day_is_read_as_it_is_written(text: str, day: date) -> None:
    assert read_day(text) == day


@pytest.mark.parametrize(
    "text", ["01/03/2026", "1.3.2026", "2026-02-30", "29 Feb 2026", "tomorrow", "", "2026", "1 Foo 2026", "0000-00-00"]
)
def test_a_day_that_could_be_two_or_none_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_day(text)


@pytest.mark.parametrize(
    ("text", "figure"), [("5", "5"), ("5,5", "5.5"), ("0.10", "0.10"), (" 7.5 ", "7.5"), ("1.2 e3", "1200")]
)
def test_a_figure_is_exact(text: str, figure: str) -> None:
    form = filled(**{"dose-mg": text})
    assert not problems(form)
    assert str(form.dose.form.mg.data.normalize()) == str(Decimal(figure).normalize())


@pytest.mark.parametrize("text", ["<5", "five", "1,234", "1.234,5", "5 mg", "--5", "NaN", "Infinity", "1e9999"])
def test_a_figure_that_is_none_is_refused_and_given_back(text: str) -> None:
    form = filled(**{"dose-mg": text})
    assert [problem.field_id for problem in problems(form)] == ["dose-mg"]
    assert form.dose.form.mg.data is None
    assert f'value="{text.replace("<", "&lt;")}"' in form.dose.form.mg()


def test_what_was_typed_wrongly_comes_back_as_typed() -> None:
    assert 'value="1/3/2026"' in filled(started_on="1/3/2026").started_on()
    assert filled(times="two").times() == '<input id="times" name="times" type="text" value="two">'


@pytest.mark.parametrize(
    ("day", "said"), [("1980-01-01", "before the birth (17 May 1988)"), ("2026-03-21", "after today (20 Mar 2026)")]
)
def test_a_day_outside_its_bounds_is_refused_with_the_bound(day: str, said: str) -> None:
    (problem,) = problems(filled(started_on=day))
    assert said in problem.message


def test_texts_lose_the_space_around_them_and_not_within() -> None:
    form = filled(why="  alopecia  areata ", note="one\r\ntwo ")
    assert (form.why.data, form.note.data) == ("alopecia  areata", "one\ntwo")


@pytest.mark.parametrize("text", ["a\x07b", "a\x00b", "a\u202eb", "x" * 21])
def test_texts_that_cannot_be_stored_or_read_are_refused(text: str) -> None:
    assert [problem.field_id for problem in problems(filled(why=text))] == ["why"]


def test_nothing_typed_is_none_for_values_and_empty_for_texts() -> None:
    form = filled(times="", why="")
    assert (form.times.data, form.why.data) == (None, "")


def test_a_choice_starts_with_none_and_refuses_what_is_not_offered() -> None:
    assert [p.message for p in problems(filled(drug=""))] == ["Which?"]
    assert [p.field_id for p in problems(filled(drug="aspirin"))] == ["drug"]


def test_a_form_knows_the_version_it_showed() -> None:
    form = filled()
    form.version.check(SimpleNamespace(version=3))
    with pytest.raises(Stale):
        form.version.check(SimpleNamespace(version=4))
    with pytest.raises(Stale):
        filled(version="").version.check(SimpleNamespace(version=3))


def test_what_the_record_refuses_stands_at_its_field_or_on_top() -> None:
    form = filled()
    refuse(form, Refused("A course of tofacitinib is on record."))
    refuse(form, Refused("Not this drug."), "drug")
    assert [(p.field_id, p.message) for p in problems(form)] == [
        ("", "A course of tofacitinib is on record."),
        ("drug", "Not this drug."),
    ]


# ---------------------------------------------------------------------------------------------- as drawn

PAGE = """
{% import "macros/forms.html" as forms %}
{{ forms.error_summary(form) }}
{{ forms.field(form.started_on, hint="As on the prescription.") }}
{{ forms.field(form.still) }}
{{ forms.field(form.dose.form.mg, unit="mg") }}
{{ forms.field(form.why) }}
"""


def drawn(form: CourseForm) -> Any:
    return BeautifulSoup(render_template_string(PAGE, form=form), "html.parser")


def test_an_error_is_said_on_top_with_a_link_and_at_the_field_before_the_input(request_context: None) -> None:
    page = drawn(filled(started_on="1/3/2026"))
    link = page.select_one(".jw-errors a")
    field = page.find(id=link["href"].removeprefix("#"))
    described = [page.find(id=key) for key in field["aria-describedby"].split()]
    assert [node.get_text(strip=True) for node in described] == [
        "As on the prescription.", "Error:Write the date as 2026-03-01 or 1 Mar 2026.",
    ]  # fmt: skip
    assert field["aria-invalid"] == "true"
    order = [node.name for node in field.parent.find_all(recursive=False)]
    assert order == ["label", "div", "div", "input"]


def test_every_input_has_its_label_and_optional_ones_say_so(request_context: None) -> None:
    page = drawn(filled())
    assert not page.select(".jw-errors")
    for field in page.select("input[type=text], input[type=date]"):
        assert page.find("label", attrs={"for": field["id"]})
    assert page.find("label", attrs={"for": "why"}).get_text() == "Indication (optional)"
    assert page.select_one("fieldset legend").get_text() == "Still there? (optional)"
    assert page.select_one(".input-group-text").get_text() == "mg"


# Fields of words without a longest length of their own, and what bounds them.
BOUNDED_ELSEWHERE = {
    ("SignInForm", "username"): "compared, never stored",
    ("SignInForm", "next"): "a path of 500 characters at most: own_path()",
    ("CodeForm", "code"): "compared, never stored",
    ("KeyForm", "answer"): "20,000 characters: operations/passkeys.py",
    ("AnswerForm", "answer"): "20,000 characters: operations/passkeys.py",
    ("EndForm", "analyte"): "a code that is looked up",
}


def forms_of_the_program() -> list[type[FlaskForm]]:
    for module in pkgutil.iter_modules(tracker.web.__path__):
        importlib.import_module(f"tracker.web.{module.name}")
    found, waiting = [], [FlaskForm]
    while waiting:
        waiting += (below := waiting.pop().__subclasses__())
        found += [form for form in below if form.__module__.startswith("tracker.")]
    return found


def test_every_field_of_words_in_every_form_has_a_longest_length_or_reads_a_value(bare_app: Flask) -> None:
    """A password has its bound where it is digested."""
    reads = (DayField, FigureField, BoundField, WholeField, SpanField, VersionField, PasswordField)
    looked_at = set()
    with bare_app.test_request_context():
        for kind in forms_of_the_program():
            for field in kind(meta={"csrf": False}):
                if isinstance(field, StringField) and not isinstance(field, reads):
                    looked_at.add((kind.__name__, field.short_name))
                    bounded = any(isinstance(check, Length) and check.max > 0 for check in field.validators)
                    assert bounded or (kind.__name__, field.short_name) in BOUNDED_ELSEWHERE, (kind, field.name)
    assert set(BOUNDED_ELSEWHERE) <= looked_at
    assert len(looked_at) > 50
