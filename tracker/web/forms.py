"""Forms: what is wrong with one, in the order of the page, and how a refusal of the record gets into it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from flask_wtf import FlaskForm
from wtforms.form import BaseForm
from wtforms.widgets import HiddenInput

from tracker.domain.errors import Refused

Form = FlaskForm  # carries the token against forged requests: `{{ form.hidden_tag() }}`


class Problem(NamedTuple):
    """One thing to mend; `field_id` is "" where it is the form as a whole."""

    field_id: str
    label: str
    message: str


def problems(form: BaseForm) -> list[Problem]:
    """Everything that is wrong with a form, for the summary on top of it."""
    return [*_of_form(form), *_of_fields(form)]


def _of_form(form: BaseForm) -> Iterator[Problem]:
    yield from (Problem("", "", str(message)) for message in form.form_errors)


def _of_fields(fields: Any) -> Iterator[Problem]:
    for field in fields:
        enclosed = getattr(field, "form", None) if field.type == "FormField" else getattr(field, "entries", None)
        if enclosed is not None:
            yield from _of_fields(enclosed)
            continue
        hidden = isinstance(field.widget, HiddenInput)  # nobody can go there
        for message in field.errors:
            yield Problem("", "", str(message)) if hidden else Problem(field.id, field.label.text, str(message))


def refuse(form: BaseForm, error: Refused, field: str = "") -> None:
    """Say beside the field (or on top of the form) what the record refused; the error may name the field itself."""
    name = field or error.field
    if name and name in form:
        named = form[name]
        named.errors = [*named.errors, str(error)]
    else:
        form.form_errors.append(str(error))
